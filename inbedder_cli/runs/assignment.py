"""The clusters of a saved run for new rows, and how far these have drifted from it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering import NOISE, Clustering
from inbedder_cli.diagnostics.drift import DriftReport, drift
from inbedder_cli.errors import InputError
from inbedder_cli.explanation.summaries import NOISE_LABEL, ClusterSummary
from inbedder_cli.pipeline import flag_unanswered
from inbedder_cli.results import ClusteringResult, RowStatus

if TYPE_CHECKING:
    import numpy.typing as npt

    from inbedder_cli.clustering.predictor import Prediction
    from inbedder_cli.corpus import Corpus
    from inbedder_cli.results import Embeddings
    from inbedder_cli.runs.storage import SavedQuestion


def assign_rows(
    corpus: Corpus, question: SavedQuestion, embeddings: Embeddings
) -> tuple[ClusteringResult, list[bool | None]]:
    """Give new rows the clusters of a saved question, its renames and merges applied.

    :param corpus: the new rows.
    :param question: of a saved run.
    :param embeddings: of the new rows, encoded as those of the run were.
    :return: a result whose summaries hold labels and sizes alone, and whether each row is novel: farther from its
        cluster than nearly all of the cluster's own rows; None for rows that were not clustered.
    :raises InputError: when the clusters of the run cannot be found again with the installed version of hdbscan.
    """
    asked = replace(embeddings, instruction=question.instruction)
    flagged = flag_unanswered(corpus, asked, question.unanswered_options)
    rows, status = flagged.rows, list(flagged.status)
    found = predict_clusters(question, embeddings.vectors[rows])
    labels, second = (
        np.array([question.merged.get(label, label) for label in side.tolist()], np.int64)
        for side in (found.labels, found.second_cluster)
    )
    merged_away = second == labels  # the next cluster was merged into the row's own: its margin says nothing
    summaries = [
        ClusterSummary(number, name, size, size / max(1, len(labels)))
        for number, name in (question.names | {NOISE: NOISE_LABEL}).items()
        for size in [int((labels == number).sum())]
    ]
    for place in np.flatnonzero(labels == NOISE).tolist():
        status[rows[place]] = RowStatus.noise
    clustering = Clustering(
        labels,
        found.distances,
        np.where(merged_away, NOISE, second),
        np.where(merged_away, np.float32("nan"), found.margins),
        question.predictor.centroids,
        question.predictor.mean,
        question.clustering,
    )
    result = ClusteringResult(
        corpus=corpus,
        instruction=question.instruction,
        embeddings=flagged,
        clustering=clustering,
        summaries=summaries,
        rows=rows,
        status=status,
        unanswered_options=question.unanswered_options,
    )
    return result, result.by_row(found.novel)


def predict_clusters(question: SavedQuestion, vectors: npt.NDArray[np.float32]) -> Prediction:
    """Return the clusters of vectors.

    :param question: of a saved run.
    :param vectors: float32, shape (n_rows, hidden_size), finite.
    :raises InputError: when the clusters of the run cannot be found again with the installed version of hdbscan.
    """
    try:
        return question.predictor.predict(vectors)
    except ValueError as error:
        raise InputError(str(error), hint="save the run again with this version: cluster --save") from error


def drift_of(question: SavedQuestion, result: ClusteringResult, novel: list[bool | None]) -> DriftReport:
    """Return how the shares of clusters moved since the run was made.

    :param question: of a saved run.
    :param result: of the new rows, and
    :param novel: which of them are novel: what `assign_rows` returned.
    """
    then: dict[int, int] = {}
    for number, size in question.sizes.items():
        into = question.merged.get(number, number)
        then[into] = then.get(into, 0) + size
    now = [label for label in result.clustering.labels.tolist() if label != NOISE]
    return DriftReport(drift(then, now, question.names), len(result.rows), novel.count(True))
