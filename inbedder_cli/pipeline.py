"""The column: rows -> vectors and answers -> clusters -> explanations."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering import NOISE, Clustering, fit_clusters
from inbedder_cli.errors import InputError
from inbedder_cli.explain import ClusterSummary, explain
from inbedder_cli.options import ClusterOptions, EncodeOptions, ExplainOptions
from inbedder_cli.talk import SILENT

if TYPE_CHECKING:
    import numpy.typing as npt

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.encoders import Encoder
    from inbedder_cli.talk import Talk


class Status(StrEnum):
    """What became of a row."""

    ok = "ok"
    empty = "empty"  # it has no text
    noise = "noise"  # HDBSCAN put it into no cluster
    failed = "failed"  # its vector is not finite


@dataclass(frozen=True)
class Embedding:
    """Vectors and answers of a whole corpus, one per row, in its order.

    :param vectors: float32, shape (n_rows, hidden_size); NaN where a row has no vector.
    :param answers: one per row, None where a row has none; or None when none were decoded.
    :param status: one per row: ok, empty or failed.
    :param n_unique: different texts read.
    :param n_shortened: how many of them were shortened.
    :param instruction: what was asked, where it is known.
    :param model: what read them, where it is known.
    """

    vectors: npt.NDArray[np.float32]
    answers: list[str | None] | None
    status: list[Status]
    n_unique: int = 0
    n_shortened: int = 0
    instruction: str | None = None
    model: str | None = None


@dataclass(frozen=True)
class ClusterRun:
    """One question answered over one corpus.

    :param labels: one per row: cluster number, -1 for noise, None where the row has no vector.
    :param distances: one per row: cosine distance to the cluster's centre, or None.
    :param status: one per row.
    """

    corpus: Corpus
    instruction: str
    embedding: Embedding
    clustering: Clustering
    summaries: list[ClusterSummary]
    labels: list[int | None] = field(default_factory=list)
    distances: list[float | None] = field(default_factory=list)
    status: list[Status] = field(default_factory=list)


def embed_corpus(
    corpus: Corpus,
    instruction: str,
    encoder: Encoder,
    options: EncodeOptions | None = None,
    talk: Talk = SILENT,
) -> Embedding:
    """Read every row that has a text; the others get NaN vectors and no answer."""
    rows = corpus.readable
    encoded = encoder.encode([corpus.texts[i] for i in rows], instruction, options or EncodeOptions(), talk)
    vectors = np.full((len(corpus), encoded.vectors.shape[1]), np.nan, np.float32)
    vectors[rows] = encoded.vectors
    status = [Status.empty] * len(corpus)
    answers: list[str | None] | None = None if encoded.answers is None else [None] * len(corpus)
    for place, row in enumerate(rows):
        status[row] = Status.ok if np.isfinite(vectors[row]).all() else Status.failed
        if answers is not None and encoded.answers is not None:
            answers[row] = encoded.answers[place]
    return Embedding(
        vectors, answers, status, encoded.n_unique, encoded.n_shortened, instruction, encoder.description
    )


def cluster_corpus(
    corpus: Corpus,
    instruction: str,
    embedding: Embedding,
    options: ClusterOptions | None = None,
    explaining: ExplainOptions | None = None,
) -> ClusterRun:
    """Group the rows that have vectors and explain the groups by their answers (or texts, without answers)."""
    rows = [i for i, status in enumerate(embedding.status) if status is Status.ok]
    texts = [corpus.texts[i] for i in rows]
    try:
        clustering = fit_clusters(embedding.vectors[rows], options)
    except InputError as error:
        raise InputError(str(error), source=corpus.source, hint=error.hint) from error
    summaries = explain(
        clustering,
        texts if embedding.answers is None else [embedding.answers[i] or "" for i in rows],
        texts=texts,
        ids=[corpus.ids[i] for i in rows],
        instruction=instruction,
        options=explaining,
        show_answers=embedding.answers is not None,
    )
    labels: list[int | None] = [None] * len(corpus)
    distances: list[float | None] = [None] * len(corpus)
    status = list(embedding.status)
    for place, row in enumerate(rows):
        labels[row] = int(clustering.labels[place])
        if labels[row] == NOISE:
            status[row] = Status.noise
        else:
            distances[row] = float(clustering.distances[place])
    return ClusterRun(corpus, instruction, embedding, clustering, summaries, labels, distances, status)


def cluster_texts(
    corpus: Corpus,
    instruction: str,
    encoder: Encoder,
    *,
    encoding: EncodeOptions | None = None,
    clustering: ClusterOptions | None = None,
    explaining: ExplainOptions | None = None,
    talk: Talk = SILENT,
) -> ClusterRun:
    """Cluster a corpus by its answers to a question: the whole column in two steps.

    :raises InbedderError: whatever a step raises.
    """
    embedding = embed_corpus(corpus, instruction, encoder, encoding, talk)
    return cluster_corpus(corpus, instruction, embedding, clustering, explaining)
