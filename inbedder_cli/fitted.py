"""What a fitted `InBedder` holds: how it was fitted, and its clusters and rows as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.clustering import NOISE
from inbedder_cli.registry import algorithms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from inbedder_cli.encoders import Encoder
    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.results import ClusteringResult
    from inbedder_cli.runs.saved_run import SavedQuestion


@dataclass(frozen=True)
class Fit:
    """The clusters, and how the fitted rows were encoded: all that new rows need.

    :param question: the question with its clusters.
    :param encode_options: how the rows were encoded.
    :param source: the encoder, or what `load_encoder` needs.
    :param identity: of the encoder.
    """

    question: SavedQuestion
    encode_options: EncodeOptions
    source: Encoder | dict[str, Any]
    identity: str


def names_of(question: SavedQuestion) -> dict[int, str]:
    """Return the names of the clusters by number, without those that were merged into others.

    :param question: the question with its clusters.
    """
    return {number: name for number, name in question.names.items() if number not in question.merged}


def centers_of(question: SavedQuestion) -> npt.NDArray[np.float32] | None:
    """Return the centers of the clusters, shape (n_clusters, n_features), in the space of `InBedder.transform`.

    :param question: the question with its clusters.
    :return: of unit length; None for algorithms without a number of clusters, and where the user merged some.
    """
    has_centers = algorithms[question.clustering.algorithm].takes_k and not question.merged
    return question.predictor.centroids if has_centers else None


def labels_of(result: ClusteringResult, clusters: Iterable[int]) -> npt.NDArray[np.int64]:
    """Return each row's cluster, -1 where it is in none; or 1 for each of its clusters if there may be several.

    :param result: the rows.
    :param clusters: the numbers of the clusters.
    :return: shape (n_rows,), or (n_rows, n_clusters).
    """
    if result.units:
        found = result.units.by_row(result.labels)
        return np.array([[int(number in row) for number in sorted(clusters)] for row in found], np.int64)
    return saved_labels(result.labels)


def saved_labels(clusters: Iterable[int | None]) -> npt.NDArray[np.int64]:
    """Return clusters as labels.

    :param clusters: one per row, None where it is in none.
    :return: shape (n_rows,), -1 for None.
    """
    return np.array([NOISE if cluster is None else cluster for cluster in clusters], np.int64)


def answers_of(result: ClusteringResult) -> npt.NDArray[np.object_]:
    """Return each row's answer, None where it has none; or the list of its answers if there may be several.

    :param result: the rows.
    :return: shape (n_rows,).
    """
    answers: Sequence[Any] = result.embeddings.answers or [None] * len(result.corpus)
    return as_objects(result.units.by_row(answers) if result.units else answers)


def confidence_of(result: ClusteringResult) -> npt.NDArray[Any]:
    """Return the confidence of each row's answer, NaN where it has none; or a list of them, as `answers_of` does.

    :param result: the rows.
    :return: float32, or lists, shape (n_rows,).
    """
    confidences = result.embeddings.confidences
    if confidences is None:
        confidences = np.full(len(result.corpus), np.nan, np.float32)
    return as_objects(result.units.by_row(confidences.tolist())) if result.units else confidences


def as_objects(values: Sequence[Any]) -> npt.NDArray[np.object_]:
    """Return values as an array of objects: a list among them stays one.

    :param values: any values.
    :return: shape (n_values,).
    """
    array = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        array[place] = value
    return array
