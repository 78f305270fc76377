"""Points -> labels: KMeans and HDBSCAN, and what many rows make them do otherwise."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering.points import CHUNK, NOISE, sample_of
from inbedder_cli.options import Algorithm

if TYPE_CHECKING:
    from inbedder_cli.clustering.points import Labels, Vectors
    from inbedder_cli.options import ClusterOptions

STARTS = 10  # KMeans restarts (n_init), as in the paper's own clustering of explanations
MINI_BATCH_ABOVE = 50_000  # rows, from where KMeans looks at them in batches
MINI_BATCH = 4096
HDBSCAN_DIMENSIONS = 50  # above this, hdbscan falls back to a slow generic path
HDBSCAN_ROWS = 20_000  # its time grows with the square of the rows: above, a sample finds the clusters
LEAST_CLUSTER = 5
CLUSTER_SHARE = 0.02


def kmeans(points: Vectors, k: int, seed: int, starts: int = STARTS) -> Labels:
    """Return the labels of k clusters."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    if len(points) > MINI_BATCH_ABOVE:
        fitted = MiniBatchKMeans(k, batch_size=MINI_BATCH, n_init=starts, random_state=seed).fit(points)
        return np.asarray(fitted.labels_, dtype=np.int64)
    return np.asarray(KMeans(k, n_init=starts, random_state=seed).fit_predict(points), dtype=np.int64)


def min_cluster_size(options: ClusterOptions, n_rows: int) -> int:
    """Return the smallest cluster (HDBSCAN) that is wanted among so many rows."""
    return options.min_cluster_size or max(LEAST_CLUSTER, round(CLUSTER_SHARE * n_rows))


def hdbscan(points: Vectors, size: int, seed: int) -> Labels:
    """Cluster by density (Campello et al. 2013), in at most 50 principal dimensions; -1 is noise.

    Of many rows a sample makes the clusters, and the others join the cluster in which they would lie.

    :param size: smallest cluster, in rows.
    """
    from hdbscan import HDBSCAN, approximate_predict

    n_rows = len(points)
    sample = sample_of(n_rows, HDBSCAN_ROWS, seed)
    reduced = principal(points, HDBSCAN_DIMENSIONS, seed, sample)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # between hdbscan's and scikit-learn's releases
        fitted = HDBSCAN(
            min_cluster_size=max(2, round(size * len(sample) / n_rows)),
            core_dist_n_jobs=1,
            prediction_data=len(sample) < n_rows,
        ).fit(reduced[sample])
        labels = np.full(n_rows, NOISE, np.int64)
        labels[sample] = fitted.labels_
        if len(sample) < n_rows and fitted.labels_.max(initial=NOISE) != NOISE:
            others = np.setdiff1d(np.arange(n_rows), sample, assume_unique=True)
            labels[others] = approximate_predict(fitted, reduced[others])[0]
    return labels


def shortcut_for(algorithm: Algorithm, n_rows: int) -> str | None:
    """Return what so many rows make an algorithm do otherwise, as a sentence; None: nothing."""
    if algorithm is Algorithm.hdbscan and n_rows > HDBSCAN_ROWS:
        return f"more than {HDBSCAN_ROWS:,} rows: a sample of so many made the clusters, and the others joined"
    if algorithm is Algorithm.kmeans and n_rows > MINI_BATCH_ABOVE:
        return f"more than {MINI_BATCH_ABOVE:,} rows: KMeans on mini-batches of {MINI_BATCH:,}"
    return None


def principal(points: Vectors, dimensions: int, seed: int, sample: Labels | None = None) -> Vectors:
    """Return the points in so many principal dimensions, those of a sample, or fewer where there are fewer.

    :param sample: row numbers; None: all rows.
    """
    from sklearn.decomposition import PCA

    basis = points if sample is None else points[sample]
    with np.errstate(invalid="ignore"):  # the share of variance of identical points
        pca = PCA(min(dimensions, *basis.shape), random_state=seed).fit(basis.astype(np.float64))
        chunks = range(0, len(points), CHUNK)
        return np.concatenate([pca.transform(points[i : i + CHUNK].astype(np.float64)) for i in chunks])


def cluster_again(points: Vectors, options: ClusterOptions, seed: int, starts: int, share: float = 1.0) -> Labels:
    """Return labels of some of the rows that a clustering with these options was made of.

    :param options: with k or min_cluster_size filled in.
    :param share: of the rows that are here; clusters may be that much smaller.
    """
    if options.algorithm is Algorithm.kmeans:
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than clusters, by chance
            return kmeans(points, options.k or 1, seed, starts)
    return hdbscan(points, max(2, round((options.min_cluster_size or LEAST_CLUSTER) * share)), seed)


def with_size(options: ClusterOptions, n_rows: int) -> ClusterOptions:
    """Return the options with min_cluster_size filled in (HDBSCAN)."""
    return replace(options, min_cluster_size=min_cluster_size(options, n_rows))
