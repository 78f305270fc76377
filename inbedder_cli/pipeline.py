"""The column: rows -> vectors and answers -> clusters -> explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering import NOISE, fit_clusters, no_clusters, sweep
from inbedder_cli.errors import InputError
from inbedder_cli.explanation.phrases import phrases_by_row
from inbedder_cli.explanation.summaries import explain, summary_of_unanswered
from inbedder_cli.explanation.unanswered import is_unanswered
from inbedder_cli.options import ClusterOptions, EncodeOptions, ExplainOptions, UnansweredOptions
from inbedder_cli.progress import SILENT
from inbedder_cli.results import ClusteringResult, Embeddings, RowStatus

if TYPE_CHECKING:
    from inbedder_cli.clustering import KSelection, SizeScore
    from inbedder_cli.corpus import Corpus
    from inbedder_cli.encoders import Encoder
    from inbedder_cli.progress import Reporter


def embed_corpus(
    corpus: Corpus,
    instruction: str,
    encoder: Encoder,
    options: EncodeOptions | None = None,
    reporter: Reporter = SILENT,
) -> Embeddings:
    """Read every row that has a text; the others get NaN vectors and no answer."""
    rows = corpus.readable
    encoded = encoder.encode([corpus.texts[i] for i in rows], instruction, options or EncodeOptions(), reporter)
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
        vectors,
        answers,
        status,
        encoded.n_unique,
        encoded.n_truncated,
        instruction,
        encoder.description,
        confidences,
        encoded.next_words and encoded.next_words.spread(rows, len(corpus)),
    )


def cluster_corpus(
    corpus: Corpus,
    instruction: str,
    embedding: Embeddings,
    options: ClusterOptions | None = None,
    explaining: ExplainOptions | None = None,
    unanswered_options: UnansweredOptions | None = None,
) -> ClusteringResult:
    """Group the rows that have vectors and answers, and explain the groups by their answers.

    Without decoded answers all rows with vectors are grouped, and explained by their texts.

    :raises InputError: for fewer answers than clusters.
    """
    status = flag_unanswered(corpus, instruction, embedding, unanswered_options or UnansweredOptions())
    rows, answers = _answered(embedding, status)
    without = [i for i, state in enumerate(status) if state is RowStatus.no_answer]
    n_read = len(rows) + len(without)
    texts = [corpus.texts[i] for i in rows]
    phrases = answers and phrases_by_row(answers, instruction, explaining)
    try:
        if without and not rows:
            clustering = no_clusters(embedding.vectors.shape[1], options)
        else:
            clustering = fit_clusters(embedding.vectors[rows], options, phrases)
    except InputError as error:
        raise _too_few(error, corpus, len(without)) from error
    summaries = explain(
        clustering,
        texts if answers is None else answers,
        texts=texts,
        ids=[corpus.ids[i] for i in rows],
        rows=rows,
        instruction=instruction,
        options=explaining,
        show_answers=answers is not None,
        n_read=n_read,
        phrases=phrases,
        next_words=embedding.next_words and embedding.next_words.of(rows),
    )
    unanswered = None
    if without:
        unanswered = summary_of_unanswered(corpus, embedding.answers or [], without, n_read, explaining)
    for place in np.flatnonzero(clustering.labels == NOISE).tolist():
        status[rows[place]] = RowStatus.noise
    return ClusteringResult(corpus, instruction, embedding, clustering, summaries, rows, status, unanswered)


def tune_corpus(
    corpus: Corpus,
    instruction: str,
    embedding: Embeddings,
    options: ClusterOptions | None = None,
    unanswered_options: UnansweredOptions | None = None,
) -> KSelection | list[SizeScore]:
    """Return what each number of clusters, or each smallest size, would give for the rows that answer.

    :raises InputError: for fewer answers than clusters.
    """
    status = flag_unanswered(corpus, instruction, embedding, unanswered_options or UnansweredOptions())
    rows, answers = _answered(embedding, status)
    try:
        return sweep(embedding.vectors[rows], options, answers and phrases_by_row(answers, instruction))
    except InputError as error:
        raise _too_few(error, corpus, status.count(RowStatus.no_answer)) from error


def _answered(embedding: Embeddings, status: list[RowStatus]) -> tuple[list[int], list[str] | None]:
    """Return the rows that are clustered, and their answers where answers were decoded."""
    rows = [i for i, state in enumerate(status) if state is RowStatus.ok]
    return rows, None if embedding.answers is None else [embedding.answers[i] or "" for i in rows]


def _too_few(error: InputError, corpus: Corpus, n_unanswered: int) -> InputError:
    hint = f"{n_unanswered:,} rows do not answer the question; --no-abstain takes them" if n_unanswered else None
    return InputError(str(error), source=corpus.source, hint=hint or error.hint)


def flag_unanswered(
    corpus: Corpus, instruction: str, embedding: Embeddings, options: UnansweredOptions
) -> list[RowStatus]:
    """Return each row's status, those told apart whose answers do not answer (none without decoded answers)."""
    status = list(embedding.status)
    if not options.flag or embedding.answers is None:
        return status
    rows = [i for i, state in enumerate(embedding.status) if state is RowStatus.ok]
    found = is_unanswered(
        [embedding.answers[i] or "" for i in rows],
        [corpus.texts[i] for i in rows],
        instruction,
        None if embedding.confidences is None else embedding.confidences[rows],
        options,
    )
    for row, without in zip(rows, found, strict=True):
        if without:
            status[row] = RowStatus.no_answer
    return status


def cluster_texts(
    corpus: Corpus,
    instruction: str,
    encoder: Encoder,
    *,
    encoding: EncodeOptions | None = None,
    clustering: ClusterOptions | None = None,
    explaining: ExplainOptions | None = None,
    unanswered_options: UnansweredOptions | None = None,
    reporter: Reporter = SILENT,
) -> ClusteringResult:
    """Cluster a corpus by its answers to a question: the whole column in two steps.

    :raises InbedderError: whatever a step raises.
    """
    embedding = embed_corpus(corpus, instruction, encoder, encoding, reporter)
    return cluster_corpus(corpus, instruction, embedding, clustering, explaining, unanswered_options)
