"""The pipeline: corpus -> embeddings -> clusters -> explanations, and the whole of it for several questions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.clustering import NOISE, Clustering, check_options, fit_clusters, no_clusters, sweep
from inbedder_cli.corpus.jsonl import cell_value, has_json_cells
from inbedder_cli.diagnostics.baseline import baseline_agreement, encode_baseline
from inbedder_cli.diagnostics.crosstab import Grouping, column_grouping, crosstabs, pairs_of
from inbedder_cli.errors import InputError, UsageError, did_you_mean
from inbedder_cli.explanation.phrases import phrases_by_row
from inbedder_cli.explanation.summaries import explain as summarize
from inbedder_cli.explanation.summaries import summary_of_unanswered
from inbedder_cli.explanation.unanswered import is_unanswered
from inbedder_cli.options import ClusterOptions, EncodeOptions, ExplainOptions, UnansweredOptions
from inbedder_cli.progress import SILENT
from inbedder_cli.results import Analysis, ClusteringResult, Embeddings, RowStatus, with_crosstabs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from inbedder_cli.clustering import KSelection, SizeScore
    from inbedder_cli.corpus import Corpus
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
    by: Sequence[str] = (),
    baseline: bool = True,
    reporter: Reporter = SILENT,
) -> Analysis:
    """Cluster a corpus by its answers to one or several questions: what `inbedder cluster` does.

    :param corpus: the rows.
    :param instructions: the question, or several: by name, or a list (named q1, q2, ...).
    :param encoder: what encodes the rows; None with `embeddings`.
    :param embeddings: what was encoded before, under the only question, in place of an encoder.
    :param encode_options: how rows are encoded.
    :param cluster_options: how vectors are clustered; a list has one for each question.
    :param unanswered_options: which answers count as none.
    :param explain_options: how clusters are explained.
    :param by: columns of the corpus to cross the clusters with.
    :param baseline: whether at most 500 rows are encoded without the question, to say how far it mattered.
    :param reporter: hears of progress.
    :return: one result for each question, and the cross-tables.
    :raises InbedderError: whatever a step raises; what can be checked is checked before any row is encoded.
    """
    questions = named_instructions(instructions)
    options = options_by_question(cluster_options, questions)
    columns = check_analysis(corpus, options.values(), by)
    explain_options = explain_options or ExplainOptions()
    encoded: dict[str, Embeddings] = {}
    sample = None
    if embeddings is not None:
        if len(questions) > 1:
            raise UsageError("embeddings hold one question", hint="give one instruction")
        encoded = dict.fromkeys(questions, embeddings)
    elif encoder is not None:
        encode_options = encode_options or EncodeOptions()
        for name, instruction in questions.items():
            encoded[name] = embed(corpus, instruction, encoder, encode_options, reporter)
        if baseline:
            sample = encode_baseline(corpus, encoder, encode_options, reporter)
    else:
        raise UsageError("there is nothing to cluster", hint="give an encoder, or embeddings")
    results = {}
    for name, instruction in questions.items():
        asked = replace(encoded[name], instruction=encoded[name].instruction or instruction)
        flagged = flag_unanswered(corpus, asked, unanswered_options)
        try:
            clustering = cluster(flagged, options[name], explain_options)
        except InputError as error:
            raise InputError(str(error), source=corpus.source, hint=error.hint) from error
        result = replace(explain(corpus, flagged, clustering, explain_options), name=name)
        if unanswered_options is not None:
            result = replace(result, unanswered_options=unanswered_options)
        results[name] = (
            replace(result, baseline=baseline_agreement(result.labels, result.clustering.options, sample))
            if sample
            else result
        )
    groupings = [Grouping(name or "cluster", result.names) for name, result in results.items()]
    tables = crosstabs(list(pairs_of(groupings, columns)))
    return with_crosstabs(results, tables, next(iter(encoded.values())).model or "")


def named_instructions(instructions: str | Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """Return questions by name: "" for the only one, q1, q2, ... for several without names.

    :param instructions: one, a list, or a mapping from names.
    :raises UsageError: for none, or an empty one.
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
    """Return the options of each question.

    :param options: one for all, one for each, or None for the defaults.
    :param questions: by name.
    :raises UsageError: for a list of another length.
    """
    if options is None or isinstance(options, ClusterOptions):
        return dict.fromkeys(questions, options or ClusterOptions())
    if len(options) != len(questions):
        raise UsageError(f"{len(options)} cluster options for {len(questions)} questions")
    return dict(zip(questions, options, strict=True))


def check_analysis(
    corpus: Corpus,
    options: Iterable[ClusterOptions],
    by: Sequence[str] = (),
) -> list[Grouping]:
    """Refuse, before any row is encoded, what cannot work.

    :param corpus: the rows.
    :param options: of each question.
    :param by: columns of the corpus to cross the clusters with.
    :return: these columns as groupings of the rows.
    :raises UsageError: for options without sense, or a column that is not there.
    :raises InputError: for fewer rows with text than clusters.
    """
    for one in options:
        try:
            check_options(one, len(corpus.readable))
        except InputError as error:
            raise InputError(str(error), source=corpus.source, hint=error.hint) from error
    names = corpus.table.column_names
    for name in by:
        if name not in names:
            raise UsageError(
                f'{corpus.source} has no column "{name}"',
                hint=f"{did_you_mean(name, names)}its columns: {', '.join(names)}",
            )
    return [column_grouping(name, _column_values(corpus, name)) for name in by]


def embed(
    corpus: Corpus,
    instruction: str,
    encoder: Encoder,
    options: EncodeOptions | None = None,
    reporter: Reporter = SILENT,
) -> Embeddings:
    """Encode every row that has a text; the others get NaN vectors and no answer.

    :param corpus: the rows.
    :param instruction: the question to ask about each text.
    :param encoder: see `load_encoder`.
    :param options: how rows are encoded.
    :param reporter: hears of progress.
    :raises UsageError: for an empty instruction, or options that the encoder does not have.
    :raises OutOfMemoryError: when even one text does not fit.
    """
    rows, options = corpus.readable, options or EncodeOptions()
    encoded = encoder.encode([corpus.texts[i] for i in rows], instruction, options, reporter)
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
    )


def flag_unanswered(
    corpus: Corpus, embeddings: Embeddings, options: UnansweredOptions | None = None
) -> Embeddings:
    """Return the embeddings with the status no-answer for rows whose answers do not answer the question.

    Without decoded answers nothing is flagged.

    :param corpus: the rows.
    :param embeddings: of all of them.
    :param options: which answers count as none.
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


def cluster(
    embeddings: Embeddings,
    options: ClusterOptions | None = None,
    explain_options: ExplainOptions | None = None,
) -> Clustering:
    """Group the rows whose status is ok.

    :param embeddings: see `embed` and `flag_unanswered`.
    :param options: how vectors are clustered.
    :param explain_options: stop words of the answers, which help to choose k.
    :raises InputError: for fewer such rows than clusters.
    :raises UsageError: for options without sense.
    """
    rows = embeddings.rows
    if not rows and embeddings.unanswered:
        return no_clusters(embeddings.vectors.shape[1], options)
    phrases = _phrases(embeddings, explain_options) if options is None or options.k is None else None
    try:
        return fit_clusters(embeddings.vectors[rows], options, phrases)
    except InputError as error:
        raise _too_few(error, embeddings) from error


def explain(
    corpus: Corpus,
    embeddings: Embeddings,
    clustering: Clustering,
    options: ExplainOptions | None = None,
) -> ClusteringResult:
    """Explain clusters by the answers of their rows; by their texts where no answers were decoded.

    :param corpus: the rows.
    :param embeddings: of all of them, as they were clustered.
    :param clustering: what `cluster` made of them.
    :param options: how clusters are explained.
    """
    rows, without = embeddings.rows, embeddings.unanswered
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
        n_read=len(rows) + len(without),
        phrases=_phrases(embeddings, options),
        next_words=embeddings.next_words and embeddings.next_words.of(rows),
    )
    unanswered = None
    if without:
        n_read = len(rows) + len(without)
        unanswered = summary_of_unanswered(corpus, embeddings.answers or [], without, n_read, options)
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
    """Return what each number of clusters, or each smallest cluster size, would give.

    :param embeddings: see `embed` and `flag_unanswered`.
    :param options: the algorithm, and the range of k.
    :raises InputError: for fewer rows that answer than clusters.
    """
    try:
        return sweep(embeddings.vectors[embeddings.rows], options, _phrases(embeddings))
    except InputError as error:
        raise _too_few(error, embeddings) from error


def _column_values(corpus: Corpus, name: str) -> list[Any]:
    values: list[Any] = corpus.table.column(name).to_pylist()
    return [cell_value(value) for value in values] if has_json_cells(corpus.table.schema.field(name)) else values


def _answers(embeddings: Embeddings) -> list[str] | None:
    """Return the answers of the rows that are clustered, where answers were decoded."""
    if embeddings.answers is None:
        return None
    return [embeddings.answers[i] or "" for i in embeddings.rows]


def _phrases(embeddings: Embeddings, options: ExplainOptions | None = None) -> list[list[str]] | None:
    answers = _answers(embeddings)
    return None if answers is None else phrases_by_row(answers, embeddings.instruction or "", options)


def _too_few(error: InputError, embeddings: Embeddings) -> InputError:
    n = len(embeddings.unanswered)
    hint = f"{n:,} rows do not answer the question; --no-flag-unanswered takes them" if n else None
    return InputError(str(error), hint=hint or error.hint)
