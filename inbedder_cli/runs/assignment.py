"""What a saved run is good for: its clusters for new rows, their drift, and whether it still holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering import NOISE, Clustering, fit_clusters
from inbedder_cli.clustering.preprocess import sample_indices
from inbedder_cli.diagnostics.drift import DriftReport, drift
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.explanation.summaries import NOISE_LABEL, ClusterSummary
from inbedder_cli.pipeline import flag_unanswered
from inbedder_cli.progress import SILENT
from inbedder_cli.results import ClusteringResult, RowStatus

if TYPE_CHECKING:
    import numpy.typing as npt

    from inbedder_cli.clustering.predictor import Prediction
    from inbedder_cli.corpus import Corpus
    from inbedder_cli.encoders import Encoder
    from inbedder_cli.progress import Reporter
    from inbedder_cli.results import Embeddings
    from inbedder_cli.runs.storage import SavedQuestion, SavedRun


def assign_corpus(
    corpus: Corpus, question: SavedQuestion, embedding: Embeddings
) -> tuple[ClusteringResult, list[bool | None]]:
    """Give rows the clusters of a saved run, its renames and merges applied; and say which rows are novel.

    :return: a run whose summaries hold labels and sizes alone, and one value per row, None outside clusters.
    :raises InputError: for a run that this version of hdbscan cannot find again.
    """
    status = flag_unanswered(corpus, question.instruction, embedding, question.unanswered_options)
    rows = [i for i, state in enumerate(status) if state is RowStatus.ok]
    found = _placed(question, embedding.vectors[rows])
    labels, second = (
        np.array([question.merged.get(label, label) for label in side.tolist()], np.int64)
        for side in (found.labels, found.second_cluster)
    )
    inside = second == labels  # the next cluster was merged into the row's own: its margin says nothing
    summaries = [
        ClusterSummary(cluster, name, size, size / max(1, len(labels)))
        for cluster, name in (question.names | {NOISE: NOISE_LABEL}).items()
        for size in [int((labels == cluster).sum())]
    ]
    for place in np.flatnonzero(labels == NOISE).tolist():
        status[rows[place]] = RowStatus.noise
    clustering = Clustering(
        labels,
        found.distances,
        np.where(inside, NOISE, second),
        np.where(inside, np.float32("nan"), found.margins),
        question.predictor.centroids,
        question.predictor.mean,
        question.clustering,
    )
    run = ClusteringResult(corpus, question.instruction, embedding, clustering, summaries, rows, status)
    return run, run.by_row(found.novel)


def _placed(question: SavedQuestion, vectors: npt.NDArray[np.float32]) -> Prediction:
    try:
        return question.predictor.predict(vectors)
    except ValueError as error:
        raise InputError(str(error), hint="save the run again with this version: cluster --save") from error


def drift_of(question: SavedQuestion, run: ClusteringResult, novel: list[bool | None]) -> DriftReport:
    """Return how the shares of clusters moved since the run was made."""
    then: dict[int, int] = {}
    for cluster, size in question.sizes.items():
        into = question.merged.get(cluster, cluster)
        then[into] = then.get(into, 0) + size
    now = [label for label in run.clustering.labels.tolist() if label != NOISE]
    return DriftReport(drift(then, now, question.names), len(run.rows), novel.count(True))


@dataclass(frozen=True)
class Verified:
    """What reading some rows of a saved run again gave.

    :param same_cluster: share of them that get the cluster that they had, 0 to 1.
    :param same_answer: share with the answer that they had.
    :param rand: adjusted Rand index of a new clustering of these rows and that of the run; NaN for too few rows.
    """

    n_rows: int
    same_cluster: float
    same_answer: float
    rand: float


def verify_run(
    run: SavedRun, question: str, encoder: Encoder, n_rows: int, reporter: Reporter = SILENT
) -> Verified:
    """Read some clustered rows of a saved run again, place them, and cluster them again.

    :raises InputError: for a run that this version of hdbscan cannot find again.
    """
    from sklearn.metrics import adjusted_rand_score

    saved = run.questions[question]
    rows = [row for row in run.rows(question) if row["status"] == RowStatus.ok]
    rows = [rows[i] for i in sample_indices(len(rows), n_rows, saved.clustering.seed)]
    if not rows:
        return Verified(0, 1.0, 1.0, float("nan"))
    texts, then = [row["text"] for row in rows], [row["cluster"] for row in rows]
    encoded = encoder.encode(texts, saved.instruction, run.encoding, reporter)
    now = _placed(saved, encoded.vectors).labels.tolist()
    answers = encoded.answers or [row["answer"] for row in rows]
    options = replace(saved.clustering, stability=False, min_cluster_size=None)
    options = replace(options, k=min(len(set(then)), len(set(texts))) if options.k else None)
    try:
        rand = float(adjusted_rand_score(then, fit_clusters(encoded.vectors, options).labels))
    except (InputError, UsageError):  # too few rows or clusters in the sample
        rand = float("nan")
    return Verified(
        len(rows),
        float(np.mean(np.array(now) == np.array(then))),
        float(np.mean([answer == (row["answer"] or "") for answer, row in zip(answers, rows, strict=True)])),
        rand,
    )
