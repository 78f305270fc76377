"""New rows -> the clusters of a saved run, and how far they have drifted from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering import NOISE, HDBSCANModel, distances_to
from inbedder_cli.clustering.preprocess import normalize

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from inbedder_cli.clustering import Clustering
    from inbedder_cli.clustering.preprocess import Labels, Vectors

    Numbers = npt.NDArray[np.float64]

NOVEL_ABOVE = 0.99  # of a cluster's own rows are nearer to the mean of its others than a row that is novel is
ALIKE = 1e-3  # distance that rounding may make
SURE = 0.95  # of intervals


@dataclass(frozen=True)
class Prediction:
    """Rows in the clusters of a saved run, with the arrays of a `Clustering`.

    :param novel: shape (n_rows,): farther from the center than nearly all of the cluster's own rows, or in none.
    """

    labels: Labels
    distances: Vectors
    second_cluster: Labels
    margins: Vectors
    novel: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ClusterPredictor:
    """What is needed to label new rows like old ones.

    :param mean: what is subtracted from every vector, float32, shape (hidden_size,).
    :param centroids: float32, shape (k, hidden_size), as in `Clustering`.
    :param novelty_thresholds: cosine distances to the centroids beyond which rows are novel, float32, shape (k,):
        most rows of a cluster are nearer than that to the mean of the others (`distances_to_the_others`).
    :param centroid_norms: of the clusters' means (centroids times lengths), float32, shape (k,): KMeans goes by
        the nearest mean.
    :param hdbscan_model: how HDBSCAN places rows; None: the nearest mean does.
    """

    mean: Vectors
    centroids: Vectors
    novelty_thresholds: Vectors
    centroid_norms: Vectors
    hdbscan_model: HDBSCANModel | None = None

    @classmethod
    def of(cls, clustering: Clustering) -> ClusterPredictor:
        """Return the predictor of a clustering."""
        lengths = (
            np.ones(clustering.k, np.float32) if clustering.centroid_norms is None else clustering.centroid_norms
        )
        limits = []
        for cluster in range(clustering.k):
            own = clustering.distances[clustering.labels == cluster].astype(np.float64)
            if clustering.centroid_norms is not None:
                own = distances_to_the_others(own, float(lengths[cluster]))
            limits.append(max(ALIKE, float(np.quantile(own, NOVEL_ABOVE, method="higher"))))
        return cls(
            clustering.mean, clustering.centroids, np.array(limits, np.float32), lengths, clustering.hdbscan_model
        )

    def assign(self, vectors: Vectors) -> Prediction:
        """Label rows; those of the run itself get the labels that they have there.

        :param vectors: float32, shape (n_rows, hidden_size), finite.
        :raises ValueError: when this version of hdbscan finds other clusters than the run's did.
        """
        points = normalize(vectors, self.mean)
        if self.hdbscan_model is not None:
            labels = self.hdbscan_model.place(points)
        elif len(self.centroids):
            nearness = (points @ self.centroids.T) * self.centroid_norms - self.centroid_norms**2 / 2
            labels = nearness.argmax(1).astype(np.int64)
        else:
            labels = np.full(len(points), NOISE, np.int64)
        distances, second, margins = distances_to(self.centroids, points, labels)
        limits = np.append(self.novelty_thresholds, np.float32(-1))  # noise, the last, is always beyond
        novel = ~(distances <= limits[labels])
        alike = np.append(~self.centroids.any(axis=1), False)[
            labels
        ]  # where the rows of the run were all the same
        return Prediction(labels, distances, second, margins, novel | (alike & points.any(axis=1)))


def distances_to_the_others(distances: Numbers, length: float) -> Numbers:
    """Return how far each row of a cluster is from the mean of its other rows: what a new row would be.

    A row draws its center towards itself, the more so the smaller its cluster is.

    :param distances: of all rows, points of unit length, to the direction of their mean: 1 - cosine.
    :param length: of that mean.
    """
    n = len(distances)
    if n == 1:
        return distances
    along = n * length * (1 - distances)  # the sum of all points, times each of them
    left = np.sqrt(np.maximum((n * length) ** 2 - 2 * along + 1, np.finfo(np.float64).tiny))
    return 1 - (along - 1) / left


@dataclass(frozen=True)
class Drift:
    """A cluster's share of the rows, then and now.

    :param now_low: and `now_high`: 95 % interval of the share now (Wilson 1927).
    :param q_value: of Fisher's exact test of then against now, corrected for the number of clusters (Benjamini &
        Hochberg 1995).
    """

    cluster: int
    label: str
    then: float
    now: float
    now_low: float
    now_high: float
    q_value: float

    @property
    def moved(self) -> bool:
        """Whether the share is another one, beyond chance."""
        return self.q_value < 1 - SURE


@dataclass(frozen=True)
class DriftReport:
    """How new rows fell into the clusters of a run: the shares, how many rows, and how many of them are novel."""

    clusters: list[Drift]
    n_rows: int
    n_novel: int


def drift(then: dict[int, int], now: Sequence[int], names: dict[int, str]) -> list[Drift]:
    """Return how the shares of clusters moved.

    :param then: rows of each cluster in the run.
    :param now: the cluster of each new row.
    :param names: of the clusters.
    """
    from scipy.stats import binomtest, false_discovery_control, fisher_exact

    if not then:
        return []
    total, counts = sum(then.values()), Counter(now)
    p_values = [
        fisher_exact([[size, total - size], [counts[c], len(now) - counts[c]]]).pvalue for c, size in then.items()
    ]
    moved = []
    for (cluster, size), q_value in zip(then.items(), false_discovery_control(p_values), strict=True):
        low, high = 0.0, 1.0
        if now:
            low, high = map(float, binomtest(counts[cluster], len(now)).proportion_ci(SURE, method="wilson"))
        share = counts[cluster] / max(1, len(now))
        moved.append(Drift(cluster, names[cluster], size / max(1, total), share, low, high, float(q_value)))
    return moved
