"""Vectors -> a clustering: the steps that all algorithms share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering.alike import alike_clusters, group_alike
from inbedder_cli.clustering.preprocess import (
    CHUNK,
    NOISE,
    canonical_order,
    center_and_normalize,
    n_different,
)
from inbedder_cli.clustering.select_k import KSelection, SizeScore, select_n_clusters, sweep_sizes
from inbedder_cli.clustering.stability import measure_stability
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import ClusterOptions
from inbedder_cli.registry import algorithms

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from inbedder_cli.clustering.base import ClusterAlgorithm
    from inbedder_cli.clustering.preprocess import Labels, Vectors


@dataclass(frozen=True, eq=False, repr=False)
class Clustering:
    """Clusters of rows.

    :param labels: cluster of each row, int64, shape (n_rows,); 0 is the largest cluster, -1 is noise.
    :param distances: cosine distance, 0 to 2, of each row's centered vector to the centroid of its cluster,
        float32, shape (n_rows,); NaN for noise.
    :param second_cluster: the nearest of the other clusters, int64, shape (n_rows,); -1 for noise and where there
        is only one cluster.
    :param margins: (second - own) / second, where second and own are the cosine distances to the centroids of
        `second_cluster` and of the row's own cluster, float32, shape (n_rows,): 1 at the centroid, 0 on the border
        or beyond it, which HDBSCAN and merging allow; the simplified silhouette (Hruschka et al. 2004). NaN where
        there is no second cluster.
    :param centroids: means of the clusters' centered and normalized vectors, scaled to unit length, float32, shape
        (k, n_features); zero where all rows are the same.
    :param mean: what was subtracted from every vector, float32, shape (n_features,).
    :param options: the options used, with `k` and `min_cluster_size` filled in.
    :param choice: how k was selected; None where it was given, or the algorithm takes none.
    :param shortcut: the approximation used because of many rows, as a clause; None: exact.
    :param stability: how well each cluster is found again in random halves of the rows, 0 to 1, float64, shape
        (k,) (`stability.match_clusters`); None where it was not measured.
    :param row_stability: in which share of these halves each row is in the cluster that matches its own, 0 to 1,
        float32, shape (n_rows,); NaN for noise and where there are too many rows; None where it was not measured.
    :param centroid_norms: lengths of the means before they were scaled to `centroids`, float32, shape (k,).
    :param algorithm: the fitted algorithm; None where there were no rows, and of a saved run.
    :param numbers: the number here of each of the algorithm's own clusters, int64, shape (n_own_clusters,); -1 for
        one without rows. Clusters that were merged have the same number.
    :param alike: groups of clusters that are answered alike, by number; empty without answers.
    :param unmerged: as `labels`, before clusters answered alike were merged; None in a saved run.
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
    row_stability: Vectors | None = None
    centroid_norms: Vectors | None = None
    algorithm: ClusterAlgorithm | None = None
    numbers: Labels | None = None
    alike: list[list[int]] = field(default_factory=list)
    unmerged: Labels | None = None

    def __repr__(self) -> str:
        return f"<Clustering {self.options.algorithm}: {len(self.labels):,} rows in {self.k} clusters>"

    @property
    def k(self) -> int:
        """Number of clusters."""
        return len(self.centroids)

    @property
    def n_before_merging(self) -> int:
        """Number of clusters before those that are answered alike were merged."""
        return 0 if self.numbers is None else int((self.numbers != NOISE).sum())


def fit_clusters(
    vectors: Vectors, options: ClusterOptions | None = None, answers: Sequence[str] | None = None
) -> Clustering:
    """Return a clustering of vectors that does not depend on the order of the rows.

    Vectors are centered first, because the contribution of the shared instruction would dominate every cosine.
    Clusters that are answered alike are merged, unless the user chose their number.

    :param vectors: float32, shape (n_rows, n_features), finite.
    :param options: which algorithm, and its settings; None takes the defaults.
    :param answers: each row's answer, normalized; if given, they decide which k is selected and which clusters
        are merged.
    :return: the clustering, rows in the order of `vectors`.
    :raises InputError: for fewer rows, or fewer different vectors, than clusters, and for vectors not finite.
    :raises UsageError: for invalid options.
    """
    options, vectors = options or ClusterOptions(), np.asarray(vectors, np.float32)
    check_options(options, len(vectors))
    if not (is_finite := np.isfinite(vectors.sum(axis=1))).all():
        raise InputError(
            f"vector {int(is_finite.argmin())} holds NaN, infinity or a number that is too large",
            hint="cluster only the rows that have a vector",
        )
    order = canonical_order(vectors)
    points, mean = center_and_normalize(vectors, order)
    answers = None if answers is None else [answers[i] for i in order]
    kind = algorithms[options.algorithm]
    options, choice = kind.with_defaults(options, len(points)), None
    if kind.takes_k and options.k is None:
        choice = select_n_clusters(points, options, answers)
        options = replace(options, k=choice.k)
    elif kind.takes_k:
        _check_different(points, options.k or 1)
    algorithm = kind.from_options(options).fit(points)
    groups = np.arange(int(algorithm.labels_.max(initial=NOISE)) + 1)
    if answers is not None and (choice is not None or not kind.takes_k):
        groups = group_alike(algorithm.labels_, answers, options.k_min if kind.takes_k else 1)
    numbers = _numbers_by_size(algorithm.labels_, groups)
    labels = renumber(algorithm.labels_, numbers)
    means = _means(points, labels)
    norms = np.linalg.norm(means, axis=1)
    centroids = (means / np.where(norms > 0, norms, 1)[:, None]).astype(np.float32)
    own, second, margins = distances_to(centroids, points, labels)
    back = np.argsort(order)
    stability = row_stability = None
    if options.stability:
        stability, row_stability = measure_stability(algorithm, points, labels, options)
        row_stability = row_stability[back]
    return Clustering(
        labels=labels[back],
        distances=own[back],
        second_cluster=second[back],
        margins=margins[back],
        centroids=centroids,
        mean=mean,
        options=options,
        choice=choice,
        shortcut=algorithm.shortcut_,
        stability=stability,
        row_stability=row_stability,
        centroid_norms=norms.astype(np.float32),
        algorithm=algorithm,
        numbers=numbers,
        alike=[] if answers is None else alike_clusters(labels, answers),
        unmerged=algorithm.labels_[back],
    )


def sweep(
    vectors: Vectors, options: ClusterOptions | None = None, answers: Sequence[str] | None = None
) -> KSelection | list[SizeScore]:
    """Return scores for each number of clusters, or for each smallest cluster size.

    :param vectors: float32, shape (n_rows, n_features), finite.
    :param options: which algorithm, and its settings; `k` is ignored. None takes the defaults.
    :param answers: each row's answer, normalized, where they are known.
    :return: scores by k, for algorithms that take one (KMeans); otherwise one score per smallest size (HDBSCAN).
    :raises InputError: for fewer rows than clusters.
    :raises UsageError: for invalid options, or an algorithm that takes neither k nor a smallest size.
    """
    options = replace(options or ClusterOptions(), k=None)
    check_tunable(options)
    check_options(options, len(vectors))
    order = canonical_order(vectors)
    points, _ = center_and_normalize(vectors, order)
    if algorithms[options.algorithm].takes_k:
        return select_n_clusters(points, options, None if answers is None else [answers[i] for i in order])
    return sweep_sizes(points, options)


def check_tunable(options: ClusterOptions) -> None:
    """Check that an algorithm takes a number of clusters or a smallest cluster size.

    :param options: what the user chose.
    :raises UsageError: for an algorithm that `sweep` cannot vary.
    """
    kind = algorithms[options.algorithm]
    if not kind.takes_k and not kind.takes_min_cluster_size:
        raise UsageError(f"{options.algorithm} has no setting to tune", hint="choose another --algorithm")


def check_options(options: ClusterOptions, n_rows: int, what: str = "rows with text") -> None:
    """Check options, and that there are enough rows for them, before any work is done.

    :param options: what the user chose.
    :param n_rows: rows to cluster.
    :param what: these rows are.
    :raises UsageError: for invalid options.
    :raises InputError: for too few rows.
    """
    kind = algorithms[options.algorithm]
    if options.min_cluster_size is not None and options.min_cluster_size < 2:
        raise UsageError("--min-cluster-size must be at least 2", hint="leave it out for 2 % of the rows")
    if kind.takes_k and options.k is not None and options.k < 2:
        raise UsageError(f"-k must be at least 2, not {options.k}", hint="use 2 or more, or -k auto")
    if kind.takes_k and not 2 <= options.k_min <= options.k_max:
        raise UsageError(
            f"the range of k, {options.k_min} to {options.k_max}, is empty or below 2",
            hint="give --k-min 2 or more, and --k-max above it",
        )
    min_rows = kind.min_rows(options)
    if n_rows >= min_rows:
        return
    rows = f"{n_rows:,} {what}" if n_rows != 1 else f"1 {what.replace('rows', 'row', 1)}"
    found = f"{rows} {'are' if n_rows != 1 else 'is'}"
    if kind.takes_k:
        raise InputError(
            f"{found} too few for {min_rows} clusters",
            hint="give more rows"
            if min_rows == 2
            else f"lower {'--k-min' if options.k is None else '-k'} or give more rows",
        )
    if kind.takes_min_cluster_size:
        hint = "lower --min-cluster-size" if n_rows >= 2 else "give more rows"
        raise InputError(f"{rows} cannot hold a cluster of {min_rows}", hint=hint)
    raise InputError(f"{found} too few: {options.algorithm} needs {min_rows}", hint="give more rows")


def distances_to(centroids: Vectors, points: Vectors, labels: Labels) -> tuple[Vectors, Labels, Vectors]:
    """Return the distance of points to the centroid of their own cluster, and the nearest other cluster.

    :param centroids: of unit length or zero, float32, shape (k, n_features).
    :param points: centered and normalized vectors, float32, shape (n_rows, n_features).
    :param labels: cluster of each point, int64, shape (n_rows,), -1 for noise.
    :return: `distances`, `second_cluster` and `margins` as in `Clustering`.
    """
    own = np.full(len(points), np.nan, np.float32)
    second = np.full(len(points), NOISE, np.int64)
    margins = np.full(len(points), np.nan, np.float32)
    for start in range(0, len(points), CHUNK):
        rows = start + np.flatnonzero(labels[start : start + CHUNK] != NOISE)
        distances = np.clip(1 - points[rows] @ centroids.T, 0, 2)
        # A centroid is zero where all rows are the same: each of them is at the mean.
        distances[:, ~centroids.any(axis=1)] = 1
        here = np.arange(len(rows))
        own[rows] = np.where(centroids[labels[rows]].any(axis=1), distances[here, labels[rows]], 0)
        if len(centroids) > 1:
            distances[here, labels[rows]] = np.inf
            second[rows] = distances.argmin(1)
            other = distances[here, second[rows]]
            margins[rows] = np.where(
                other > 0, np.maximum(other - own[rows], 0) / np.where(other > 0, other, 1), 0
            )
    return own, second, margins


def no_clusters(n_features: int, options: ClusterOptions | None = None) -> Clustering:
    """Return an empty clustering.

    :param n_features: length of the vectors.
    :param options: the options used; None takes the defaults.
    :return: a clustering whose arrays are empty.
    """
    vectors = np.empty((0, n_features), np.float32)
    labels, values = np.empty(0, np.int64), np.empty(0, np.float32)
    mean = np.zeros(n_features, np.float32)
    return Clustering(labels, values, labels, values, vectors, mean, options or ClusterOptions())


def renumber(labels: Labels, numbers: Labels) -> Labels:
    """Return labels with other numbers.

    :param labels: int64, shape (n_rows,), -1 for noise.
    :param numbers: the new number of each cluster, int64, shape (n_clusters,).
    :return: int64, shape (n_rows,); -1 for noise and for clusters that have no new number.
    """
    return np.append(numbers, NOISE)[np.where(labels < len(numbers), labels, NOISE)]


def _numbers_by_size(labels: Labels, groups: Labels) -> Labels:
    """Return new numbers of clusters by the size of their group, the largest first; ties go by the first row."""
    grouped = renumber(labels, groups)
    found, first, sizes = np.unique(grouped[grouped != NOISE], return_index=True, return_counts=True)
    numbers = np.full(len(groups), NOISE, np.int64)
    numbers[found[np.lexsort((first, -sizes))]] = np.arange(len(found))
    used = np.isin(np.arange(len(groups)), labels)
    return np.where(used, numbers[groups], NOISE)


def _means(points: Vectors, labels: Labels) -> Vectors:
    k = int(labels.max(initial=NOISE)) + 1
    totals = np.zeros((k, points.shape[1]))
    for start in range(0, len(points), CHUNK):
        some = labels[start : start + CHUNK]
        for cluster in np.unique(some[some != NOISE]):
            totals[cluster] += points[start : start + CHUNK][some == cluster].sum(axis=0, dtype=np.float64)
    sizes = np.bincount(labels[labels != NOISE], minlength=k)
    return (totals / np.maximum(sizes, 1)[:, None]).astype(np.float32)


def _check_different(points: Vectors, k: int) -> None:
    if (different := n_different(points, k)) < k:
        if different == 1:
            raise InputError(
                f"all rows are the same, too few for {k} clusters", hint="leave out -k for one cluster"
            )
        raise InputError(
            f"{different} different vectors are too few for {k} clusters",
            hint="many rows are the same text; lower -k",
        )
