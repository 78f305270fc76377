"""New rows -> the clusters of a saved run, and which rows are novel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.clustering.fit import distances_to, renumber
from inbedder_cli.clustering.preprocess import NOISE, normalize
from inbedder_cli.registry import algorithms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    import numpy.typing as npt

    from inbedder_cli.clustering.base import Arrays, ClusterAlgorithm
    from inbedder_cli.clustering.fit import Clustering
    from inbedder_cli.clustering.preprocess import Labels, Vectors

    Numbers = npt.NDArray[np.float64]

NOVEL_ABOVE = 0.99  # quantile of distances beyond which a new row is novel
POOLED_ROWS = 50  # rows of a cluster from which its own quantile counts as much as that of all clusters
ROUNDING = 1e-3  # cosine distance that rounding may cause
PREFIX = "algorithm/"  # of the algorithm's own arrays


@dataclass(frozen=True)
class Prediction:
    """New rows in the clusters of a saved run.

    :param labels: as in `Clustering`.
    :param distances: as in `Clustering`.
    :param second_cluster: as in `Clustering`.
    :param margins: as in `Clustering`.
    :param novel: bool, shape (n_rows,): whether a row is in no cluster, or farther from its centroid than the
        novelty threshold of the cluster.
    """

    labels: Labels
    distances: Vectors
    second_cluster: Labels
    margins: Vectors
    novel: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ClusterPredictor:
    """Assigns new rows to the clusters of a run.

    :param mean: what is subtracted from every vector, float32, shape (n_features,).
    :param centroids: as in `Clustering`.
    :param novelty_thresholds: cosine distances to the centroids beyond which rows are novel, float32, shape (k,)
        (`novelty_thresholds`).
    :param numbers: as in `Clustering`.
    :param algorithm: the fitted algorithm; None where there are no clusters.
    """

    mean: Vectors
    centroids: Vectors
    novelty_thresholds: Vectors
    numbers: Labels
    algorithm: ClusterAlgorithm | None

    @classmethod
    def of(cls, clustering: Clustering) -> Self:
        """Return the predictor of a clustering.

        :param clustering: what `fit_clusters` returned.
        :return: the predictor.
        """
        distances = []
        for cluster in range(clustering.k):
            own = clustering.distances[clustering.labels == cluster].astype(np.float64)
            if clustering.centroid_norms is not None:
                own = distances_to_others(own, float(clustering.centroid_norms[cluster]))
            distances.append(own)
        return cls(
            clustering.mean,
            clustering.centroids,
            novelty_thresholds(distances),
            np.empty(0, np.int64) if clustering.numbers is None else clustering.numbers,
            clustering.algorithm,
        )

    def predict(self, vectors: Vectors) -> Prediction:
        """Return the clusters of rows; rows of the run itself keep their labels.

        :param vectors: float32, shape (n_rows, n_features), finite.
        :return: the rows' clusters, and which rows are novel.
        :raises ValueError: when the installed version of a library does not reproduce the clusters of the run.
        """
        points = normalize(vectors, self.mean)
        if self.algorithm is None or not len(self.centroids) or not len(points):
            labels = np.full(len(points), NOISE, np.int64)
        else:
            labels = renumber(self.algorithm.predict(points), self.numbers)
        distances, second, margins = distances_to(self.centroids, points, labels)
        thresholds = np.append(self.novelty_thresholds, np.float32(-1))  # label -1 takes the last: always novel
        novel = ~(distances <= thresholds[labels])
        # All rows of such a cluster were the same: any other row is novel, though its distance is not defined.
        of_copies = np.append(~self.centroids.any(axis=1), False)[labels]
        return Prediction(labels, distances, second, margins, novel | (of_copies & points.any(axis=1)))

    def to_arrays(self) -> Arrays:
        """Return the predictor as arrays, to be saved.

        :return: arrays by name.
        """
        arrays: Arrays = {
            "mean": self.mean,
            "centroids": self.centroids,
            "novelty_thresholds": self.novelty_thresholds,
            "numbers": self.numbers,
        }
        if self.algorithm is not None:
            arrays |= {f"{PREFIX}{name}": array for name, array in self.algorithm.to_arrays().items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], algorithm: str) -> Self:
        """Return a saved predictor.

        :param arrays: what `to_arrays` returned.
        :param algorithm: the name of the algorithm.
        :return: the predictor.
        """
        own = {name.removeprefix(PREFIX): array for name, array in arrays.items() if name.startswith(PREFIX)}
        return cls(
            arrays["mean"],
            arrays["centroids"],
            arrays["novelty_thresholds"],
            arrays["numbers"],
            algorithms[algorithm].from_arrays(own) if len(arrays["centroids"]) else None,
        )


def novelty_thresholds(distances: Sequence[Numbers]) -> Vectors:
    """Return the distance to each cluster's centroid beyond which a new row is novel.

    The farthest of a few rows says little about the next ones: of a small cluster it may be far too near, and of
    rows that belong nowhere far too far. So the 99 % quantile of a cluster of n rows is drawn towards that of the
    rows of all clusters, which counts as 50 rows. About 1 % of new rows of the same kind lie beyond.

    :param distances: of each cluster the distances of its rows to the mean of its others (`distances_to_others`).
    :return: cosine distances, float32, shape (k,).
    """
    if not distances:
        return np.empty(0, np.float32)
    several = [own for own in distances if len(own) > 1] or distances  # a single row has no distance to others
    pooled = float(np.quantile(np.concatenate(several), NOVEL_ABOVE, method="higher"))
    sizes = np.array([len(own) for own in distances])
    quantiles = np.array([np.quantile(own, NOVEL_ABOVE, method="higher") for own in distances])
    thresholds = (sizes * quantiles + POOLED_ROWS * pooled) / (sizes + POOLED_ROWS)
    return np.array(np.maximum(ROUNDING, thresholds), np.float32)


def distances_to_others(distances: Numbers, norm: float) -> Numbers:
    """Return the distance of each row of a cluster to the mean of the cluster's other rows.

    These distances are comparable with those of new rows. A row's distance to the mean of all rows is smaller,
    since the row is part of the mean, especially if it is small. With points x of unit length and their mean m,
    the sum of the others is s = n m - x, and x s = n x m - 1, |s|² = n² |m|² - 2 n x m + 1.

    :param distances: cosine distances of all n rows of a cluster to their mean, float64, shape (n,).
    :param norm: length |m| of that mean.
    :return: cosine distances, float64, shape (n,).
    """
    n = len(distances)
    if n == 1:
        return distances
    along = n * norm * (1 - distances)  # n x m
    others = np.sqrt(np.maximum((n * norm) ** 2 - 2 * along + 1, np.finfo(np.float64).tiny))
    return 1 - (along - 1) / others
