"""Consensus: many KMeans runs on random halves of the rows, and the clusters on which they agree.

KMeans has many solutions within a thousandth of the best, and a single run takes any of them. What most runs have
in common hardly depends on the seed, the machine, or on a few rows more (evidence accumulation, Fred & Jain 2005;
consensus clustering, Monti et al. 2003).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering.preprocess import CHUNK, principal_components, sample_indices

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

    from inbedder_cli.clustering.preprocess import Labels, Vectors

N_RUNS = 1000
QUICK_N_RUNS = 100  # where the clusters of many k are compared
RUNS_AT_ONCE = 50
CENTERS_AT_ONCE = 5000  # of these runs: bounds memory, 5,000 rows by 5,000 centers take 100 MB
MOST_CLUSTERS = 200  # of more, a consensus takes many minutes and gigabytes, and has 25 rows for each or less
SHARE = 0.5  # of the rows, in each run
ROWS = 5000  # sample on which the runs agree
DIMENSIONS_PER_CLUSTER = 2
MIN_DIMENSIONS = 8
MAX_ITER = 50
N_INIT = 20  # starts of the last KMeans: few dimensions, so they cost little
RUNS_PER_START = 20  # fewer runs are worth fewer starts


@dataclass(frozen=True)
class Runs:
    """KMeans runs on random halves of the rows.

    :param directions: the principal directions in which they ran.
    :param centers: float32, shape (n_runs, n_clusters, n_directions).
    """

    directions: PCA
    centers: Vectors

    def predict(self, points: Vectors) -> Labels:
        """Return the nearest cluster of each point in each run, int64, shape (n_rows, n_runs).

        :param points: float32, shape (n_rows, n_features).
        """
        labels = np.empty((len(points), len(self.centers)), np.int64)
        for start in range(0, len(points), CHUNK):
            reduced = self.directions.transform(points[start : start + CHUNK]).astype(np.float32)
            at_once = _runs_at_once(self.centers.shape[1])
            for run in range(0, len(self.centers), at_once):
                runs = slice(run, run + at_once)
                labels[start : start + CHUNK, runs] = nearest_centers(reduced, self.centers[runs])
        return labels


def fit_runs(points: Vectors, n_clusters: int, n_runs: int, rng: np.random.Generator) -> Runs:
    """Return KMeans runs, each on a random half of the rows, in the first principal directions.

    The runs advance together, as a few matrix products: a thousand fits of scikit-learn's KMeans on 350 rows take
    six times as long.

    :param points: float32, shape (n_rows, n_features), at least as many rows as clusters.
    :param n_clusters: number of clusters of each run.
    :param n_runs: number of runs.
    :param rng: draws the halves and the starts.
    """
    directions = principal_components(points, max(MIN_DIMENSIONS, DIMENSIONS_PER_CLUSTER * n_clusters))
    reduced = directions.transform(points).astype(np.float32)
    size = max(n_clusters, round(SHARE * len(points)))
    centers, at_once = [], _runs_at_once(n_clusters)
    for done in range(0, n_runs, at_once):
        rows = np.tile(np.arange(len(points)), (min(at_once, n_runs - done), 1))
        halves = np.sort(rng.permuted(rows, axis=1)[:, :size], axis=1)
        centers.append(_lloyd(reduced, halves, _plus_plus(reduced, halves, n_clusters, rng)))
    return Runs(directions, np.concatenate(centers))


def _runs_at_once(n_clusters: int) -> int:
    return max(1, min(RUNS_AT_ONCE, CENTERS_AT_ONCE // n_clusters))


def _plus_plus(points: Vectors, halves: Labels, n_clusters: int, rng: np.random.Generator) -> Vectors:
    """Return k-means++ starts (Arthur & Vassilvitskii 2007), shape (n_runs, n_clusters, n_features).

    :param halves: rows of each run, int64, shape (n_runs, n_half).
    """
    runs = np.arange(len(halves))
    chosen = np.empty((len(halves), n_clusters), np.int64)
    nearest = np.full(halves.shape, np.inf)
    weights = np.ones(halves.shape)
    for i in range(n_clusters):
        cumulated = weights.cumsum(axis=1)
        draws = rng.random(len(halves)) * cumulated[:, -1]
        places = np.minimum((cumulated <= draws[:, None]).sum(axis=1), halves.shape[1] - 1)
        chosen[:, i] = halves[runs, places]
        distances = ((points**2).sum(axis=1) - 2 * points[chosen[:, i]] @ points.T)[runs[:, None], halves]
        distances += (points[chosen[:, i]] ** 2).sum(axis=1)[:, None]
        nearest = np.minimum(nearest, np.maximum(distances, 0))
        weights = nearest
    return points[chosen]


def _lloyd(points: Vectors, halves: Labels, centers: Vectors) -> Vectors:
    """Return the centers of several KMeans runs after Lloyd's iterations; an empty cluster keeps its center.

    :param halves: rows of each run, int64, shape (n_runs, n_half).
    :param centers: the starts, shape (n_runs, n_clusters, n_features).
    """
    from scipy.sparse import csr_array

    n_runs, n_clusters, n_features = centers.shape
    rows, offsets = halves.ravel(), np.repeat(np.arange(n_runs) * n_clusters, halves.shape[1])
    before = None
    for _ in range(MAX_ITER):
        nearest = nearest_centers(points, centers)
        labels = np.take_along_axis(nearest, halves.T, axis=0).T.ravel()
        if before is not None and np.array_equal(labels, before):
            break
        before = labels
        shape = (n_runs * n_clusters, len(points))
        members = csr_array((np.ones(len(rows), np.float32), (offsets + labels, rows)), shape=shape)
        sizes = members.sum(axis=1)[:, None]
        means = (members @ points) / np.maximum(sizes, 1)
        centers = np.where(sizes > 0, means, centers.reshape(-1, n_features)).reshape(centers.shape)
    return centers


def nearest_centers(points: Vectors, centers: Vectors) -> Labels:
    """Return the nearest center of each point in each run, int64, shape (n_rows, n_runs).

    :param points: float32, shape (n_rows, n_features).
    :param centers: float32, shape (n_runs, n_clusters, n_features).
    """
    flat = centers.reshape(-1, centers.shape[2])
    # |x - c|² = |x|² - 2 (x c - |c|² / 2), and |x|² is the same for all c.
    nearness = points @ flat.T - (flat**2).sum(axis=1) / 2
    return np.asarray(nearness.reshape(len(points), *centers.shape[:2]).argmax(axis=2), np.int64)


def consensus_centers(points: Vectors, n_clusters: int, n_runs: int, seed: int) -> tuple[Vectors, Runs]:
    """Return the means of the clusters on which KMeans runs agree.

    Two rows are as similar as the share of runs that put them into one cluster. KMeans on the leading eigenvectors
    of this co-association matrix gives the clusters. The matrix is never computed: its eigenvectors are the
    singular vectors of the sparse indicator matrix of rows and clusters. Above 5,000 rows, a sample is clustered.

    :param points: float32, shape (n_rows, n_features), at least as many rows as clusters.
    :param n_clusters: number of clusters.
    :param n_runs: number of runs.
    :param seed: seed of every random choice.
    :return: the means, float32, shape (at most n_clusters, n_features), and the runs.
    """
    from scipy.sparse import csr_matrix
    from sklearn.cluster import KMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.exceptions import ConvergenceWarning

    points = points[sample_indices(len(points), ROWS, seed)]
    runs = fit_runs(points, n_clusters, n_runs, np.random.default_rng(seed))
    labels = runs.predict(points)
    columns = (labels + np.arange(n_runs) * n_clusters).ravel()
    rows = np.repeat(np.arange(len(points)), n_runs)
    shape = (len(points), n_runs * n_clusters)
    indicators = csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    svd = TruncatedSVD(min(n_clusters, *indicators.shape), n_iter=20, random_state=seed)
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than clusters
        embedded = svd.fit_transform(indicators)
        n_init = max(1, min(N_INIT, n_runs // RUNS_PER_START))
        agreed = KMeans(n_clusters, n_init=n_init, random_state=seed).fit(embedded).labels_
    return np.array([points[agreed == cluster].mean(axis=0) for cluster in np.unique(agreed)], np.float32), runs
