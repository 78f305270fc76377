"""The pipeline: corpus -> embeddings -> clusters -> explanations; `analyze` runs it for several questions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.clustering import NOISE, Clustering, check_options, fit_clusters, no_clusters, sweep
from inbedder_cli.corpus import Corpus
from inbedder_cli.corpus.arrow_values import cell_values
from inbedder_cli.corpus.columns import list_names
from inbedder_cli.diagnostics.baseline import baseline_agreement, encode_baseline
from inbedder_cli.diagnostics.crosstab import crosstabs, pairs_of
from inbedder_cli.diagnostics.groupings import Grouping, column_grouping, split_bins
from inbedder_cli.diagnostics.languages import identify, name_languages, unread_languages
from inbedder_cli.errors import InputError, UsageError, did_you_mean
from inbedder_cli.explanation.phrases import phrases_by_row
from inbedder_cli.explanation.summaries import explain as summarize
from inbedder_cli.explanation.summaries import summary_of_unanswered
from inbedder_cli.explanation.unanswered import is_unanswered
from inbedder_cli.models.manifest import bundled_for
from inbedder_cli.options import ClusterOptions, EncodeOptions, ExplainOptions, UnansweredOptions
from inbedder_cli.progress import SILENT
from inbedder_cli.results import Analysis, ClusteringResult, Embeddings, RowStatus, with_crosstabs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from inbedder_cli.clustering import KSelection, SizeScore
    from inbedder_cli.encoders import Encoder
    from inbedder_cli.progress import Reporter


def analyze(
    corpus: Corpus,
    instructions: str | Sequence[str] | Mapping[str, str],
    encoder: Encoder | None = None,
    *,
    embeddings: Embeddings | None = None,
    encode_options: EncodeOptions | None = None,
    cluster_options: ClusterOptions | Sequence[ClusterOptions] | None = None,
    unanswered_options: UnansweredOptions | None = None,
    explain_options: ExplainOptions | None = None,
    by: str | Sequence[str] = (),
    baseline: bool = True,
    reporter: Reporter = SILENT,
) -> Analysis:
    """Cluster a corpus by its answers to one or several questions, as `inbedder cluster` does.

    :param corpus: the rows.
    :param instructions: the question, or several: by name, or a list (named q1, q2, ...).
    :param encoder: encodes the rows; None with `embeddings`.
    :param embeddings: existing embeddings of the corpus under a single question, instead of an encoder.
    :param encode_options: how rows are encoded.
    :param cluster_options: how vectors are clustered; one for all questions, or a list with one per question.
    :param unanswered_options: which answers count as unanswered.
    :param explain_options: how clusters are explained.
    :param by: columns of the corpus to cross the clusters with; "created_at:month" and "amount:5" say how dates
        and numbers are cut.
    :param baseline: whether at most 500 rows are also encoded under a neutral question, to compare the clusters.
    :param reporter: receives messages and progress.
    :return: one result per question, and the cross-tables.
    :raises InbedderError: for invalid options, checked before any row is encoded, or when a step fails.
    """
    _check_types(corpus, encoder)
    by = [by] if isinstance(by, str) else by
    questions = named_instructions(instructions)
    options = options_by_question(cluster_options, questions)
    columns = check_analysis(corpus, options.values(), by)
    explain_options = explain_options or ExplainOptions()
    encoded: dict[str, Embeddings] = {}
    sample = None
    if embeddings is not None:
        if len(questions) > 1:
            raise UsageError("embeddings belong to a single question", hint="give one instruction")
        encoded = dict.fromkeys(questions, embeddings)
    elif encoder is not None:
        encode_options = encode_options or EncodeOptions()
        for name, instruction in questions.items():
            encoded[name] = embed(corpus, instruction, encoder, encode_options, reporter)
        if baseline:
            sample = encode_baseline(corpus, encoder, encode_options, reporter)
    else:
        raise UsageError("analyze needs an encoder or embeddings", hint="give one of them")
    results = {}
    for name, instruction in questions.items():
        named = replace(encoded[name], instruction=encoded[name].instruction or instruction)
        flagged = flag_unanswered(corpus, named, unanswered_options)
        try:
            clustering = cluster(flagged, options[name])
        except InputError as error:
            raise InputError(str(error), source=corpus.source, hint=error.hint) from error
        result = replace(explain(corpus, flagged, clustering, explain_options), name=name)
        if unanswered_options is not None:
            result = replace(result, unanswered_options=unanswered_options)
        results[name] = (
            replace(
                result,
                baseline=baseline_agreement(
                    result.labels, result.clustering.options, sample, result.embeddings.answers
                ),
            )
            if sample
            else result
        )
    groupings = [Grouping(name or "cluster", result.names) for name, result in results.items()]
    tables = crosstabs(list(pairs_of(groupings, columns)))
    analysis = with_crosstabs(results, tables, next(iter(encoded.values())).model or "")
    return replace(analysis, columns=tuple(by))


def named_instructions(instructions: str | Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """Return questions by name: "" for the only one, q1, q2, ... for several without names.

    :param instructions: one question, a list, or a mapping from names.
    :raises UsageError: when there is none.
    """
    if isinstance(instructions, str):
        instructions = [instructions]
    if not isinstance(instructions, dict):
        several = len(instructions) > 1
        instructions = {f"q{i}" if several else "": str(one) for i, one in enumerate(instructions, start=1)}
    if not instructions:
        raise UsageError("no instruction", hint='ask a question: "What emotion is expressed?"')
    return dict(instructions)


def options_by_question(
    options: ClusterOptions | Sequence[ClusterOptions] | None, questions: Mapping[str, str]
) -> dict[str, ClusterOptions]:
    """Return the clustering options by question.

    :param options: one for all questions, a list with one per question, or None for the defaults.
    :param questions: the questions by name.
    :raises UsageError: for a list of the wrong length.
    """
    if options is None or isinstance(options, ClusterOptions):
        return dict.fromkeys(questions, options or ClusterOptions())
    if isinstance(options, str) or not all(isinstance(one, ClusterOptions) for one in options):
        raise UsageError("cluster_options must be ClusterOptions", hint=f"ClusterOptions(algorithm={options!r})")
    if len(options) != len(questions):
        raise UsageError(f"{len(options)} cluster options for {len(questions)} questions")
    return dict(zip(questions, options, strict=True))


def check_analysis(
    corpus: Corpus,
    options: Iterable[ClusterOptions],
    by: Sequence[str] = (),
) -> list[Grouping]:
    """Check options and columns before any row is encoded.

    :param corpus: the rows.
    :param options: the clustering options of each question.
    :param by: columns of the corpus to cross the clusters with.
    :return: these columns as groupings of the rows.
    :raises UsageError: for invalid options, or an unknown column.
    :raises InputError: when there are fewer rows with text than clusters.
    """
    for cluster_options in options:
        try:
            check_options(cluster_options, len(corpus.readable))
        except InputError as error:
            raise InputError(str(error), source=corpus.source, hint=error.hint) from error
    names = corpus.table.column_names
    columns = [split_bins(column, names) for column in by]
    for name, _ in columns:
        if name not in names:
            raise UsageError(
                f'{corpus.source} has no column "{name}"',
                hint=f"{did_you_mean(name, names)}its columns: {list_names(names)}",
            )
    return [column_grouping(name, _column_values(corpus, name), bins) for name, bins in columns]


def embed(
    corpus: Corpus,
    instruction: str,
    encoder: Encoder,
    options: EncodeOptions | None = None,
    reporter: Reporter = SILENT,
) -> Embeddings:
    """Return the embeddings of a corpus. Rows without text get NaN vectors and no answer.

    :param corpus: the rows.
    :param instruction: the question to ask about each text.
    :param encoder: see `load_encoder`.
    :param options: how rows are encoded.
    :param reporter: receives messages and progress.
    :raises UsageError: for an empty instruction, or options that the encoder does not support.
    :raises OutOfMemoryError: when even a single text does not fit into memory.
    """
    _check_types(corpus, encoder)
    rows, options = corpus.readable, options or EncodeOptions()
    texts = [corpus.texts[i] for i in rows]
    unread = _warn_of_languages(texts, instruction, encoder, reporter)
    encoded = encoder.encode(texts, instruction, options, reporter)
    vectors = np.full((len(corpus), encoded.vectors.shape[1]), np.nan, np.float32)
    vectors[rows] = encoded.vectors
    status = [RowStatus.empty] * len(corpus)
    answers: list[str | None] | None = None if encoded.answers is None else [None] * len(corpus)
    for place, row in enumerate(rows):
        status[row] = RowStatus.ok if np.isfinite(vectors[row]).all() else RowStatus.failed
        if answers is not None and encoded.answers is not None:
            answers[row] = encoded.answers[place]
    confidences = None
    if encoded.confidences is not None:
        confidences = np.full(len(corpus), np.nan, np.float32)
        confidences[rows] = encoded.confidences
    return Embeddings(
        vectors=vectors,
        answers=answers,
        status=status,
        n_unique=encoded.n_unique,
        n_truncated=encoded.n_truncated,
        instruction=instruction,
        model=encoder.description,
        confidences=confidences,
        next_words=encoded.next_words and encoded.next_words.spread(rows, len(corpus)),
        record=encoder.record,
        options=options,
        unread_languages=unread,
    )


def _warn_of_languages(
    texts: Sequence[str], instruction: str, encoder: Encoder, reporter: Reporter
) -> dict[str, float]:
    """Warn of texts, or a question, in languages that the model does not read; return these of the texts."""
    if encoder.languages is None:
        return {}
    unread = unread_languages(texts, encoder.languages)
    language, is_read = identify(instruction, encoder.languages)
    found = {f"{100 * sum(unread.values()):.0f} % of the texts are": list(unread)} if unread else {}
    if is_read is False:
        found["the question is"] = [language]
    for what, codes in found.items():
        models = " or ".join(f"-m {name}" for name in bundled_for(codes))
        reporter.warn(
            f"{what} in {name_languages(codes)}, which {encoder.name} does not read: its answers are guesses; "
            f"use {models or '-m with a model of the Hugging Face hub that does'}"
        )
    return unread


def flag_unanswered(
    corpus: Corpus, embeddings: Embeddings, options: UnansweredOptions | None = None
) -> Embeddings:
    """Return the embeddings with unanswered rows marked: their status becomes `no_answer`.

    Without decoded answers nothing is flagged.

    :param corpus: the rows.
    :param embeddings: the embeddings of all rows.
    :param options: which answers count as unanswered.
    """
    options = options or UnansweredOptions()
    if not options.flag or embeddings.answers is None:
        return embeddings
    rows, status = embeddings.rows, list(embeddings.status)
    flags = is_unanswered(
        [embeddings.answers[i] or "" for i in rows],
        [corpus.texts[i] for i in rows],
        embeddings.instruction or "",
        None if embeddings.confidences is None else embeddings.confidences[rows],
        options,
    )
    for row, flag in zip(rows, flags, strict=True):
        if flag:
            status[row] = RowStatus.no_answer
    return replace(embeddings, status=status)


def cluster(embeddings: Embeddings, options: ClusterOptions | None = None) -> Clustering:
    """Return clusters of the rows whose status is ok.

    :param embeddings: see `embed` and `flag_unanswered`.
    :param options: how vectors are clustered.
    :raises InputError: when there are fewer such rows than clusters.
    :raises UsageError: for invalid options.
    """
    rows = embeddings.rows
    if not rows and embeddings.unanswered:
        return no_clusters(embeddings.vectors.shape[1], options)
    try:
        return fit_clusters(embeddings.vectors[rows], options, embeddings.unified_answers)
    except InputError as error:
        raise _too_few(error, embeddings) from error


def explain(
    corpus: Corpus,
    embeddings: Embeddings,
    clustering: Clustering,
    options: ExplainOptions | None = None,
) -> ClusteringResult:
    """Return the result: clusters explained by their answers, or by their texts if no answers were decoded.

    :param corpus: the rows.
    :param embeddings: the embeddings of all rows, as given to `cluster`.
    :param clustering: what `cluster` returned.
    :param options: how clusters are explained.
    """
    rows, unanswered_rows = embeddings.rows, embeddings.unanswered
    texts, answers = [corpus.texts[i] for i in rows], _answers(embeddings)
    summaries = summarize(
        clustering,
        texts if answers is None else answers,
        texts=texts,
        ids=[corpus.ids[i] for i in rows],
        rows=rows,
        instruction=embeddings.instruction or "",
        options=options,
        show_answers=answers is not None,
        n_read=len(rows) + len(unanswered_rows),
        vectors=embeddings.vectors[rows],
        next_words=embeddings.next_words and embeddings.next_words.of(rows),
    )
    unanswered = None
    if unanswered_rows:
        n_read = len(rows) + len(unanswered_rows)
        unanswered = summary_of_unanswered(corpus, embeddings.answers or [], unanswered_rows, n_read, options)
    status = list(embeddings.status)
    for place in np.flatnonzero(clustering.labels == NOISE).tolist():
        status[rows[place]] = RowStatus.noise
    return ClusteringResult(
        corpus=corpus,
        instruction=embeddings.instruction or "",
        embeddings=embeddings,
        clustering=clustering,
        summaries=summaries,
        rows=rows,
        status=status,
        unanswered=unanswered,
    )


def tune(embeddings: Embeddings, options: ClusterOptions | None = None) -> KSelection | list[SizeScore]:
    """Return scores for each number of clusters, or for each smallest cluster size.

    :param embeddings: see `embed` and `flag_unanswered`.
    :param options: the algorithm, and the range of k.
    :raises InputError: when there are fewer answered rows than clusters.
    """
    try:
        return sweep(embeddings.vectors[embeddings.rows], options, embeddings.unified_answers)
    except InputError as error:
        raise _too_few(error, embeddings) from error


def _check_types(corpus: object, encoder: object) -> None:
    if not isinstance(corpus, Corpus):
        raise UsageError(f"a {type(corpus).__name__} is not a corpus", hint="make one: read_corpus(...)")
    if isinstance(encoder, str):
        raise UsageError("a name is not an encoder", hint=f"load it: load_encoder({encoder!r})")


def _column_values(corpus: Corpus, name: str) -> list[Any]:
    return cell_values(corpus.table.column(name), corpus.table.schema.field(name))


def _answers(embeddings: Embeddings) -> list[str] | None:
    """Return the answers of the clustered rows; None if no answers were decoded."""
    if embeddings.answers is None:
        return None
    return [embeddings.answers[i] or "" for i in embeddings.rows]


def _phrases(embeddings: Embeddings, options: ExplainOptions | None = None) -> list[list[str]] | None:
    answers = embeddings.unified_answers
    return None if answers is None else phrases_by_row(answers, embeddings.instruction or "", options)


def _too_few(error: InputError, embeddings: Embeddings) -> InputError:
    n = len(embeddings.unanswered)
    hint = f"{n:,} rows do not answer the question; --no-flag-unanswered keeps them" if n else None
    return InputError(str(error), hint=hint or error.hint)
