"""Vectors -> clusters: center, normalise, then KMeans or HDBSCAN."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering.kmeans import (
    LEAST_CLUSTER,
    HDBSCANModel,
    fit_hdbscan,
    fit_kmeans,
    shortcut_for,
    with_size,
)
from inbedder_cli.clustering.preprocess import (
    CHUNK,
    NOISE,
    canonical_order,
    center_and_normalize,
    n_different,
)
from inbedder_cli.clustering.select_k import KScore, KSelection, SizeScore, select_n_clusters, sweep_sizes
from inbedder_cli.clustering.stability import UNSTABLE, cluster_stability
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import Algorithm, ClusterOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from inbedder_cli.clustering.preprocess import Labels, Vectors

__all__ = [
    "NOISE",
    "UNSTABLE",
    "Clustering",
    "HDBSCANModel",
    "KScore",
    "KSelection",
    "SizeScore",
    "center_and_normalize",
    "check_options",
    "distances_to",
    "fit_clusters",
    "no_clusters",
    "sweep",
]


@dataclass(frozen=True)
class Clustering:
    """Groups of rows.

    :param labels: shape (n_rows,); 0 is the largest cluster, -1 is noise (HDBSCAN only).
    :param distances: float32, shape (n_rows,): cosine distance, 0 to 2, of each row's centred vector to its
        cluster's center; NaN for noise.
    :param second_cluster: shape (n_rows,): the nearest of the other clusters, -1 where there is none (noise, one
        cluster).
    :param margins: float32, shape (n_rows,): how much nearer the own center is than that of `second_cluster`, as
        a share
        of the distance to the latter, (second - own) / second: at most 1, about 0 on the border, below 0 where the
        other one is nearer (HDBSCAN); the simplified silhouette (Hruschka et al. 2004). NaN without a second.
    :param centroids: float32, shape (k, hidden_size), of unit length, of centred and normalize vectors
        (zero where all rows are the same).
    :param centroid_norms: float32, shape (k,): how long the means of the clusters' points were before they were
        scaled to centroids; KMeans goes by the means.
    :param mean: float32, shape (hidden_size,): what was subtracted from every vector.
    :param options: the options used, with k and min_cluster_size filled in.
    :param choice: how k was chosen, if it was.
    :param stability: shape (k,): how surely each cluster is found again in half of the rows, 0 to 1
        (`stability.cluster_stability`); None where it was not asked for.
    :param hdbscan_model: what HDBSCAN found, enough to place other rows.
    :param shortcut: what was done otherwise because there are many rows, as a sentence; None: nothing.
    """

    labels: Labels
    distances: Vectors
    second_cluster: Labels
    margins: Vectors
    centroids: Vectors
    mean: Vectors
    options: ClusterOptions
    choice: KSelection | None = None
    shortcut: str | None = None
    stability: npt.NDArray[np.float64] | None = None
    hdbscan_model: HDBSCANModel | None = None
    centroid_norms: Vectors | None = None

    @property
    def k(self) -> int:
        """Number of clusters."""
        return len(self.centroids)


def fit_clusters(
    vectors: Vectors, options: ClusterOptions | None = None, phrases: Sequence[Sequence[str]] | None = None
) -> Clustering:
    """Group vectors. The result does not depend on the order of the rows.

    Vectors are centred first: every row was read under the same instruction, and what that alone puts into
    the vectors would dominate every cosine (the paper's reading of cluster means centroids them, too).

    :param vectors: float32, shape (n_rows, hidden_size), finite.
    :param phrases: n-grams of each row's answer, where they are known: k is chosen with an eye on them.
    :raises InputError: for fewer rows, or fewer different vectors, than clusters.
    :raises UsageError: for options without sense.
    """
    options = options or ClusterOptions()
    check_options(options, len(vectors))
    order = canonical_order(vectors)
    points, mean = center_and_normalize(vectors[order])
    _check_different(points, options)
    choice, hdbscan_model, means = None, None, None
    if options.algorithm is Algorithm.hdbscan:
        options = with_size(options, len(points))
        found, hdbscan_model = fit_hdbscan(points, options.min_cluster_size or LEAST_CLUSTER, options.seed)
    else:
        if options.k is None:
            choice = select_n_clusters(points, options, None if phrases is None else [phrases[i] for i in order])
            options = replace(options, k=choice.k)
        found, means = fit_kmeans(points, options.k or 1, options.seed)
    ranks = _largest_first(found)
    found = _renumbered(found, ranks)
    hdbscan_model = hdbscan_model and replace(hdbscan_model, labels=_renumbered(hdbscan_model.labels, ranks))
    if means is None:
        means = _means(points, found)
    else:
        means = means[[old for old in ranks if old != NOISE]]  # ranks are in the order of the new numbers
    lengths = np.linalg.norm(means, axis=1)
    centroids = (means / np.where(lengths > 0, lengths, 1)[:, None]).astype(np.float32)
    own, second, margins = distances_to(centroids, points, found)
    stability = cluster_stability(points, found, options) if options.stability else None
    shortcut = shortcut_for(options.algorithm, len(points))
    back = np.argsort(order)
    return Clustering(
        found[back],
        own[back],
        second[back],
        margins[back],
        centroids,
        mean,
        options,
        choice,
        shortcut,
        stability,
        hdbscan_model,
        lengths.astype(np.float32),
    )


def sweep(
    vectors: Vectors, options: ClusterOptions | None = None, phrases: Sequence[Sequence[str]] | None = None
) -> KSelection | list[SizeScore]:
    """Return what each number of clusters (KMeans) or each smallest size (HDBSCAN) would give; see `fit_clusters`.

    :raises InputError: for fewer rows than clusters.
    """
    options = replace(options or ClusterOptions(), k=None)
    check_options(options, len(vectors))
    order = canonical_order(vectors)
    points, _ = center_and_normalize(vectors[order])
    if options.algorithm is Algorithm.hdbscan:
        return sweep_sizes(points, options)
    return select_n_clusters(points, options, None if phrases is None else [phrases[i] for i in order])


def distances_to(centroids: Vectors, points: Vectors, labels: Labels) -> tuple[Vectors, Labels, Vectors]:
    """Return `distances`, `second_cluster` and `margins` of a `Clustering` with these centroids and labels.

    :param points: centred and normalize vectors.
    """
    own = np.full(len(points), np.nan, np.float32)
    second = np.full(len(points), NOISE, np.int64)
    margins = np.full(len(points), np.nan, np.float32)
    for start in range(0, len(points), CHUNK):
        rows = start + np.flatnonzero(labels[start : start + CHUNK] != NOISE)
        distances = np.clip(1 - points[rows] @ centroids.T, 0, 2)
        # Where a center is zero, all its rows are the same one, the mean itself.
        distances[:, ~centroids.any(axis=1)] = 1
        here = np.arange(len(rows))
        own[rows] = np.where(centroids[labels[rows]].any(axis=1), distances[here, labels[rows]], 0)
        if len(centroids) > 1:
            distances[here, labels[rows]] = np.inf
            second[rows] = distances.argmin(1)
            other = distances[here, second[rows]]
            margins[rows] = np.where(other > 0, (other - own[rows]) / np.where(other > 0, other, 1), 0)
    return own, second, margins


def no_clusters(hidden_size: int, options: ClusterOptions | None = None) -> Clustering:
    """Return the clustering of no rows."""
    vectors = np.empty((0, hidden_size), np.float32)
    nothing, numbers = np.empty(0, np.int64), np.empty(0, np.float32)
    mean = np.zeros(hidden_size, np.float32)
    return Clustering(nothing, numbers, nothing, numbers, vectors, mean, options or ClusterOptions())


def _largest_first(labels: Labels) -> dict[int, int]:
    """Return new numbers of clusters by size; among equals the one whose first row comes first."""
    found, first, sizes = np.unique(labels[labels != NOISE], return_index=True, return_counts=True)
    ranked = found[np.lexsort((first, -sizes))]
    return {int(old): new for new, old in enumerate(ranked)} | {NOISE: NOISE}


def _renumbered(labels: Labels, numbers: dict[int, int]) -> Labels:
    return np.array([numbers[int(label)] for label in labels], dtype=np.int64)


def _means(points: Vectors, labels: Labels) -> Vectors:
    """Return the means of the clusters' points."""
    k = int(labels.max(initial=NOISE)) + 1
    sums = np.zeros((k, points.shape[1]), np.float64)
    kept = labels != NOISE
    np.add.at(sums, labels[kept], points[kept])
    sizes = np.bincount(labels[kept], minlength=k)
    return np.asarray(sums / np.maximum(sizes, 1)[:, None], np.float32)


def check_options(options: ClusterOptions, n_rows: int) -> None:
    """Refuse options that make no sense, or that so few rows cannot fill, before any work is done.

    :param n_rows: rows with text.
    :raises UsageError: for options without sense.
    :raises InputError: for too few rows.
    """
    if options.min_cluster_size is not None and options.min_cluster_size < 2:
        raise UsageError("--min-cluster-size must be at least 2", hint="leave it out for 2 % of the rows")
    if options.algorithm is Algorithm.hdbscan:
        least = options.min_cluster_size or LEAST_CLUSTER
        if n_rows < least:
            raise InputError(
                f"{n_rows} rows with text cannot hold a cluster of {least}", hint="lower --min-cluster-size"
            )
        return
    if options.k is not None and options.k < 2:
        raise UsageError(f"-k {options.k} makes no clusters", hint="use 2 or more, or -k auto")
    if not 2 <= options.k_min <= options.k_max:
        raise UsageError(
            f"the range of k, {options.k_min} to {options.k_max}, is empty or below 2",
            hint="give --k-min 2 or more, and --k-max above it",
        )
    wanted = options.k or options.k_min
    if n_rows < wanted:
        raise InputError(
            f"{n_rows} rows with text are too few for {wanted} clusters", hint="lower -k or give more rows"
        )


def _check_different(points: Vectors, options: ClusterOptions) -> None:
    if options.algorithm is not Algorithm.kmeans or options.k is None:
        return
    if (different := n_different(points, options.k)) < options.k:
        raise InputError(
            f"{different} different vectors are too few for {options.k} clusters",
            hint="many rows are the same text; lower -k",
        )
