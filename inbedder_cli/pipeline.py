"""The pipeline: corpus -> embeddings -> clusters -> explanations; `analyze` runs it for several questions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering import (
    Clustering,
    check_idle_options,
    check_options,
    fit_clusters,
    no_clusters,
    sweep,
)
from inbedder_cli.corpus import Corpus
from inbedder_cli.diagnostics.baseline import baseline_agreement, encode_baseline
from inbedder_cli.diagnostics.languages import warn_of_languages
from inbedder_cli.embeddings import Embeddings, RowStatus
from inbedder_cli.errors import InputError, ModelError, UsageError
from inbedder_cli.explanation.summaries import summarize_clusters, summary_of_unanswered
from inbedder_cli.explanation.unanswered import is_unanswered
from inbedder_cli.options import ClusterOptions, EncodeOptions, ExplainOptions, UnansweredOptions
from inbedder_cli.progress import SILENT, NamedReporter
from inbedder_cli.questions import check_analysis, named_instructions, options_by_question
from inbedder_cli.results import Analysis, ClusteringResult, analysis_of
from inbedder_cli.units import embed_units, suggest_multi

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inbedder_cli.clustering import KSelection, SizeScore
    from inbedder_cli.diagnostics.baseline import BaselineSample
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
    multi: bool = False,
    baseline: bool = True,
    reporter: Reporter = SILENT,
) -> Analysis:
    """Cluster a corpus by its answers to one or several questions, as `inbedder cluster` does.

    :param corpus: the rows.
    :param instructions: the question, or several: by name, or a list (named q1, q2, ...).
    :param encoder: encodes the rows.
    :param embeddings: existing embeddings of the corpus under a single question, instead of an encoder; then
        there is no baseline.
    :param encode_options: how rows are encoded.
    :param cluster_options: how vectors are clustered; one for all questions, or a list with one per question.
    :param unanswered_options: which answers count as unanswered.
    :param explain_options: how clusters are explained.
    :param by: columns of the corpus to cross the clusters with; "created_at:month" and "amount:5" say how dates
        and numbers are cut.
    :param multi: whether a row may have several answers, and then is in several clusters (`units`).
    :param baseline: whether some rows (150 on a CPU, 500 on a GPU) are also encoded under a neutral question.
    :param reporter: receives messages and progress.
    :return: one result per question, and the cross-tables.
    :raises InbedderError: for invalid options, checked before any row is encoded, or when a step fails.
    """
    _check_types(corpus, encoder)
    by = [by] if isinstance(by, str) else by
    questions = named_instructions(instructions)
    options = options_by_question(cluster_options, questions)
    columns = check_analysis(corpus, options.values(), by, questions=questions, multi=multi)
    if encoder is not None and embeddings is None:
        encode_options = encode_options or EncodeOptions()
        if multi and not encode_options.answers:
            raise UsageError("multi needs answers", hint="leave out answers=False")
        encoded = {
            name: embed(corpus, asked, encoder, encode_options, NamedReporter(reporter, name))
            for name, asked in questions.items()
        }
        if multi:
            encoded = {
                name: embed_units(corpus, whole, encoder, unanswered_options, NamedReporter(reporter, name))
                for name, whole in encoded.items()
            }
        samples = _baselines(corpus, encoded, encoder, encode_options, reporter) if baseline else {}
    elif embeddings is not None and encoder is None:
        if len(questions) > 1 or multi:
            what = "belong to a single question" if len(questions) > 1 else "hold one answer a row, not several"
            raise UsageError(
                f"embeddings {what}", hint="give an encoder instead, or one instruction without multi"
            )
        for instruction in questions.values():
            _check_instruction(instruction, embeddings)
        encoded, samples = dict.fromkeys(questions, embeddings), {}
    else:
        raise UsageError("analyze takes either an encoder or embeddings", hint="give one of them")
    results = {}
    for name, instruction in questions.items():
        named = replace(encoded[name], instruction=encoded[name].instruction or instruction)
        steps = NamedReporter(reporter, name)
        result = _analyze_question(corpus, named, options[name], unanswered_options, explain_options, steps)
        if encoder is not None and not multi:
            suggest_multi(corpus, result.embeddings, steps)
        if name in samples:
            made = result.clustering
            labels = result.by_row(made.labels if made.unmerged is None else made.unmerged)
            agreement = baseline_agreement(labels, made.options, samples[name], result.embeddings.answers)
            result = replace(result, baseline=agreement)
        results[name] = replace(result, name=name)
    return analysis_of(results, columns, by, next(iter(encoded.values())).model or "")


def _check_instruction(instruction: str, embeddings: Embeddings) -> None:
    made_with, asked = (embeddings.instruction or "").strip(), instruction.strip()
    if made_with and asked and made_with != asked:
        raise UsageError(
            f'the embeddings were made with "{embeddings.instruction}", not with "{instruction}"',
            hint="ask the same question, or give an encoder instead",
        )


def _analyze_question(
    corpus: Corpus,
    embeddings: Embeddings,
    cluster_options: ClusterOptions,
    unanswered_options: UnansweredOptions | None,
    explain_options: ExplainOptions | None,
    reporter: Reporter,
) -> ClusteringResult:
    """Return the result of one question."""
    asked = _corpus_of(embeddings, corpus)
    flagged = flag_unanswered(asked, embeddings, unanswered_options)
    try:
        with reporter.task("clustering", None):
            clustering = cluster(flagged, cluster_options)
    except InputError as error:
        raise InputError(str(error), source=corpus.source, hint=error.hint) from error
    with reporter.task("explaining the clusters", None):
        result = explain(asked, flagged, clustering, explain_options)
    return result if unanswered_options is None else replace(result, unanswered_options=unanswered_options)


def _baselines(
    corpus: Corpus,
    encoded: Mapping[str, Embeddings],
    encoder: Encoder,
    options: EncodeOptions,
    reporter: Reporter,
) -> dict[str, BaselineSample]:
    """Return the baseline of each question; it is the same for all, unless their rows are units of their own."""
    if any(embeddings.units for embeddings in encoded.values()):
        corpora = {name: _corpus_of(embeddings, corpus) for name, embeddings in encoded.items()}
        return {
            name: encode_baseline(asked, encoder, options, NamedReporter(reporter, name), "parts of texts")
            for name, asked in corpora.items()
        }
    return dict.fromkeys(encoded, encode_baseline(corpus, encoder, options, reporter))


def _corpus_of(embeddings: Embeddings, corpus: Corpus) -> Corpus:
    return embeddings.units.corpus if embeddings.units else corpus


def embed(
    corpus: Corpus,
    instruction: str,
    encoder: Encoder,
    options: EncodeOptions | None = None,
    reporter: Reporter = SILENT,
) -> Embeddings:
    """Return the embeddings of a corpus. Rows that are not read (`Corpus.readable`) get NaN vectors and no answer.

    :param corpus: the rows.
    :param instruction: the question to ask about each text.
    :param encoder: see `load_encoder`.
    :param options: how rows are encoded.
    :param reporter: receives messages and progress.
    :raises UsageError: for an empty instruction, or options that the encoder does not support.
    :raises ModelError: when no text gets a finite vector.
    :raises OutOfMemoryError: when even a single text does not fit into memory.
    """
    _check_types(corpus, encoder)
    rows, options = corpus.readable, options or EncodeOptions()
    texts = [corpus.texts[i] for i in rows]
    unread = warn_of_languages(texts, instruction, encoder, reporter)
    encoded = encoder.encode(texts, instruction, options, reporter)
    vectors = np.full((len(corpus), encoded.vectors.shape[1]), np.nan, np.float32)
    vectors[rows] = encoded.vectors
    status = [RowStatus.empty] * len(corpus)
    answers: list[str | None] | None = None if encoded.answers is None else [None] * len(corpus)
    is_finite = np.asarray(np.isfinite(encoded.vectors).all(axis=1))
    if rows and not is_finite.any():
        raise ModelError(
            f"{encoder.name} gives no finite vector for any of the {len(rows):,} texts",
            hint="try --dtype float32; if that does not help, the model is damaged: fetch it again",
        )
    for place, row in enumerate(rows):
        status[row] = RowStatus.ok if is_finite[place] else RowStatus.failed
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


def flag_unanswered(
    corpus: Corpus, embeddings: Embeddings, options: UnansweredOptions | None = None
) -> Embeddings:
    """Return the embeddings with unanswered rows marked: their status becomes `no_answer`.

    Without decoded answers nothing is flagged.

    :param corpus: the rows.
    :param embeddings: the embeddings of all rows.
    :param options: which answers count as unanswered.
    :raises UsageError: for the embeddings of another corpus.
    """
    _check_types(corpus)
    _check_rows(corpus, embeddings)
    options = options or UnansweredOptions()
    if not options.flag or embeddings.answers is None:
        return embeddings
    rows, status = embeddings.rows, list(embeddings.status)
    flags = is_unanswered(
        embeddings.clusterable_answers or [],
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
    :raises UsageError: for invalid options, or options that have no effect beside others.
    """
    check_idle_options(options or ClusterOptions())
    rows = embeddings.rows
    if not rows and embeddings.unanswered:
        return no_clusters(embeddings.vectors.shape[1], options)
    _check_enough(embeddings, options)
    return fit_clusters(embeddings.clusterable, options, embeddings.unified_answers)


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
    :raises UsageError: for embeddings of another corpus, or clusters of other embeddings.
    """
    _check_types(corpus)
    _check_rows(corpus, embeddings)
    if len(embeddings.rows) != len(clustering.labels):
        raise UsageError(
            f"the clusters hold {len(clustering.labels):,} rows, the embeddings {len(embeddings.rows):,}",
            hint="give explain the embeddings that were clustered",
        )
    rows, unanswered_rows, units = embeddings.rows, embeddings.unanswered, embeddings.units
    n_read = embeddings.n_read
    summaries = summarize_clusters(
        clustering,
        embeddings.clusterable_answers,
        texts=[corpus.texts[i] for i in rows],
        ids=[corpus.ids[i] for i in rows],
        rows=rows,
        instruction=embeddings.instruction or "",
        options=options,
        n_read=n_read,
        counted=embeddings.unified_answers,
        next_words=embeddings.next_words and embeddings.next_words.of(rows),
    )
    if units:
        summaries = units.count_by_row(summaries, clustering.labels, rows, n_read)
    unanswered = None
    if unanswered_rows:
        unanswered = summary_of_unanswered(corpus, embeddings.answers or [], unanswered_rows, n_read, options)
    return ClusteringResult(
        corpus=corpus,
        instruction=embeddings.instruction or "",
        embeddings=embeddings,
        clustering=clustering,
        summaries=summaries,
        rows=rows,
        status=embeddings.status_with_noise(clustering.labels),
        unanswered=unanswered,
        explain_options=options or ExplainOptions(),
    )


def tune(embeddings: Embeddings, options: ClusterOptions | None = None) -> KSelection | list[SizeScore]:
    """Return scores for each number of clusters, or for each smallest cluster size.

    :param embeddings: see `embed` and `flag_unanswered`.
    :param options: the algorithm, and the range of k.
    :raises InputError: when there are fewer answered rows than clusters.
    :raises UsageError: for an algorithm that has nothing to tune.
    """
    _check_enough(embeddings, options)
    return sweep(embeddings.clusterable, options, embeddings.unified_answers)


def _check_types(corpus: object, encoder: object = None) -> None:
    if not isinstance(corpus, Corpus):
        name = "frame" if hasattr(corpus, "columns") else "texts"
        raise UsageError(
            f"a {type(corpus).__name__} is not a corpus", hint=f"make one first: corpus = read_corpus({name})"
        )
    if isinstance(encoder, str):
        raise UsageError("a name is not an encoder", hint=f"load it: load_encoder({encoder!r})")


def _check_rows(corpus: Corpus, embeddings: Embeddings) -> None:
    if len(corpus) != len(embeddings.status):
        raise UsageError(
            f"the embeddings hold {len(embeddings.status):,} rows, the corpus {len(corpus):,}",
            hint="give the corpus that was embedded",
        )


def _check_enough(embeddings: Embeddings, options: ClusterOptions | None) -> None:
    """Refuse too few rows to cluster, with another hint where rows that do not answer are left out."""
    n = len(embeddings.unanswered)
    what = "rows with an answer" if n else "rows with text"
    try:
        check_options(options or ClusterOptions(), len(embeddings.rows), what)
    except InputError as error:
        hint = f"{n:,} rows do not answer the question; --no-flag-unanswered keeps them" if n else error.hint
        raise InputError(str(error), hint=hint) from error
