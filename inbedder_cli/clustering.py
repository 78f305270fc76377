"""Vectors -> clusters: centre, normalise, then KMeans or HDBSCAN."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.errors import InputError, UsageProblem
from inbedder_cli.options import Algorithm, ClusterOptions

if TYPE_CHECKING:
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]
    Labels = npt.NDArray[np.int64]

NOISE = -1
STARTS = 10  # KMeans restarts (n_init), as in the paper's own clustering of explanations
SEARCH_STARTS = 3  # while k is being chosen
SEARCH_ROWS = 2000  # rows on which k is chosen
MINI_BATCH_ABOVE = 50_000  # rows, from where KMeans looks at them in batches
MINI_BATCH = 4096
HDBSCAN_DIMENSIONS = 50  # above this, hdbscan falls back to a slow generic path
HDBSCAN_ROWS = 20_000  # its time grows with the square of the rows: above, a sample finds the clusters
CHUNK = 16_384  # rows of which there is a copy in float64 at a time
LEAST_CLUSTER = 5
CLUSTER_SHARE = 0.02
TINY = 1e-6  # of the largest number: a centred row shorter than this is the mean itself


@dataclass(frozen=True)
class KChoice:
    """How k was chosen: mean silhouette (Rousseeuw 1987) of each k tried, on `n_rows` rows."""

    k: int
    silhouettes: dict[int, float]
    n_rows: int

    @property
    def runner_up(self) -> int | None:
        """The second best k, if more than one was tried."""
        others = [k for k in self.silhouettes if k != self.k]
        return max(others, key=self.silhouettes.__getitem__) if others else None


@dataclass(frozen=True)
class Clustering:
    """Groups of rows.

    :param labels: shape (n_rows,); 0 is the largest cluster, -1 is noise (HDBSCAN only).
    :param distances: float32, shape (n_rows,): cosine distance, 0 to 2, of each row's centred vector to its
        cluster's centre; NaN for noise.
    :param second: shape (n_rows,): the nearest of the other clusters, -1 where there is none (noise, one cluster).
    :param margins: float32, shape (n_rows,): how much nearer the own centre is than that of `second`, as a share
        of the distance to the latter, (second - own) / second: at most 1, about 0 on the border, below 0 where the
        other one is nearer (HDBSCAN); the simplified silhouette (Hruschka et al. 2004). NaN without a second.
    :param centres: float32, shape (k, hidden_size), of unit length, of centred and normalised vectors
        (zero where all rows are the same).
    :param mean: float32, shape (hidden_size,): what was subtracted from every vector.
    :param options: the options used, with k and min_cluster_size filled in.
    :param choice: how k was chosen, if it was.
    :param shortcut: what was done otherwise because there are many rows, as a sentence; None: nothing.
    """

    labels: Labels
    distances: Vectors
    second: Labels
    margins: Vectors
    centres: Vectors
    mean: Vectors
    options: ClusterOptions
    choice: KChoice | None = None
    shortcut: str | None = None

    @property
    def k(self) -> int:
        """Number of clusters."""
        return len(self.centres)


def fit_clusters(vectors: Vectors, options: ClusterOptions | None = None) -> Clustering:
    """Group vectors. The result does not depend on the order of the rows.

    Vectors are centred first: every row was read under the same instruction, and what that alone puts into
    the vectors would dominate every cosine (the paper's reading of cluster means centres them, too).

    :param vectors: float32, shape (n_rows, hidden_size), finite.
    :raises InputError: for fewer rows, or fewer different vectors, than clusters.
    :raises UsageProblem: for options without sense.
    """
    options = options or ClusterOptions()
    check_options(options, len(vectors))
    order = _canonical_order(vectors)
    points, mean = centre_and_normalise(vectors[order])
    _check_different(points, options)
    choice, shortcut = None, None
    if options.algorithm is Algorithm.hdbscan:
        found, options = _hdbscan(points, options)
        if len(points) > HDBSCAN_ROWS:
            shortcut = (
                f"more than {HDBSCAN_ROWS:,} rows: a sample of so many made the clusters, and the others joined"
            )
    else:
        if len(points) > MINI_BATCH_ABOVE:
            shortcut = f"more than {MINI_BATCH_ABOVE:,} rows: KMeans on mini-batches of {MINI_BATCH:,}"
        if options.k is None:
            choice = choose_k(points, options)
            options = replace(options, k=choice.k)
        found = _kmeans(points, options.k or 1, options.seed, STARTS)
    found = _largest_first(found)
    centres = _centres(points, found)
    own, second, margins = distances_to(centres, points, found)
    back = np.argsort(order)
    return Clustering(
        found[back], own[back], second[back], margins[back], centres, mean, options, choice, shortcut
    )


def distances_to(centres: Vectors, points: Vectors, labels: Labels) -> tuple[Vectors, Labels, Vectors]:
    """Return `distances`, `second` and `margins` of a `Clustering` with these centres and labels.

    :param points: centred and normalised vectors.
    """
    own = np.full(len(points), np.nan, np.float32)
    second = np.full(len(points), NOISE, np.int64)
    margins = np.full(len(points), np.nan, np.float32)
    for start in range(0, len(points), CHUNK):
        rows = start + np.flatnonzero(labels[start : start + CHUNK] != NOISE)
        distances = np.clip(1 - points[rows] @ centres.T, 0, 2)
        # Where a centre is zero, all its rows are the same one, the mean itself.
        distances[:, ~centres.any(axis=1)] = 1
        here = np.arange(len(rows))
        own[rows] = np.where(centres[labels[rows]].any(axis=1), distances[here, labels[rows]], 0)
        if len(centres) > 1:
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


def centre_and_normalise(vectors: Vectors) -> tuple[Vectors, Vectors]:
    """Subtract the mean and scale each row to unit length (a row at the mean stays zero).

    :return: the points, float32, shape (n_rows, hidden_size), and the mean, shape (hidden_size,).
    """
    mean = vectors.mean(axis=0, dtype=np.float64)
    least = TINY * max(float(vectors.max(initial=0)), -float(vectors.min(initial=0)))
    points = np.empty(vectors.shape, np.float32)
    for start in range(0, len(vectors), CHUNK):
        some = vectors[start : start + CHUNK] - mean
        norms = np.linalg.norm(some, axis=1, keepdims=True)
        away = norms > least
        points[start : start + CHUNK] = np.where(away, some / np.where(away, norms, 1), 0)
    return points, mean.astype(np.float32)


def choose_k(points: Vectors, options: ClusterOptions) -> KChoice:
    """Return the k between k_min and k_max whose KMeans clusters have the best mean silhouette, on a sample.

    :param points: centred and normalised vectors.
    """
    from sklearn.metrics import silhouette_score

    rng = np.random.default_rng(options.seed)
    if len(points) > SEARCH_ROWS:
        points = points[np.sort(rng.choice(len(points), SEARCH_ROWS, replace=False))]
    most = min(options.k_max, _n_different(points, options.k_max), len(points) - 1)
    scores = {}
    for k in range(options.k_min, most + 1):
        labels = _kmeans(points, k, options.seed, SEARCH_STARTS)
        scores[k] = float(silhouette_score(points, labels)) if len(set(labels)) > 1 else -1.0
    if not scores:  # too few different rows for a choice
        return KChoice(max(1, most), {}, len(points))
    return KChoice(max(scores, key=scores.__getitem__), scores, len(points))


def _kmeans(points: Vectors, k: int, seed: int, starts: int) -> Labels:
    from sklearn.cluster import KMeans, MiniBatchKMeans

    if len(points) > MINI_BATCH_ABOVE:
        fitted = MiniBatchKMeans(k, batch_size=MINI_BATCH, n_init=starts, random_state=seed).fit(points)
        return np.asarray(fitted.labels_, dtype=np.int64)
    return np.asarray(KMeans(k, n_init=starts, random_state=seed).fit_predict(points), dtype=np.int64)


def _hdbscan(points: Vectors, options: ClusterOptions) -> tuple[Labels, ClusterOptions]:
    """Cluster by density (Campello et al. 2013), in at most 50 principal dimensions.

    Of many rows a sample makes the clusters, and the others join the cluster in which they would lie.
    """
    from hdbscan import HDBSCAN, approximate_predict
    from sklearn.decomposition import PCA

    n_rows, sample = len(points), np.arange(len(points))
    size = options.min_cluster_size or max(LEAST_CLUSTER, round(CLUSTER_SHARE * n_rows))
    if n_rows > HDBSCAN_ROWS:
        sample = np.sort(np.random.default_rng(options.seed).choice(n_rows, HDBSCAN_ROWS, replace=False))
    dimensions = min(HDBSCAN_DIMENSIONS, *points.shape)
    with np.errstate(invalid="ignore"):  # the share of variance of identical points
        pca = PCA(dimensions, random_state=options.seed).fit(points[sample].astype(np.float64))
        chunks = range(0, n_rows, CHUNK)
        reduced = np.concatenate([pca.transform(points[i : i + CHUNK].astype(np.float64)) for i in chunks])
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
    return labels, replace(options, min_cluster_size=size)


def _canonical_order(vectors: Vectors) -> npt.NDArray[np.int64]:
    """Return an order of the rows that depends on their values alone."""
    keys = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in np.ascontiguousarray(vectors)]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def _largest_first(labels: Labels) -> Labels:
    """Renumber clusters by size; among equals the one whose first row comes first."""
    found, first, sizes = np.unique(labels[labels != NOISE], return_index=True, return_counts=True)
    ranked = found[np.lexsort((first, -sizes))]
    number = {int(old): new for new, old in enumerate(ranked)} | {NOISE: NOISE}
    return np.array([number[int(label)] for label in labels], dtype=np.int64)


def _centres(points: Vectors, labels: Labels) -> Vectors:
    k = int(labels.max(initial=NOISE)) + 1
    sums = np.zeros((k, points.shape[1]), np.float64)
    kept = labels != NOISE
    np.add.at(sums, labels[kept], points[kept])
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return (sums / np.where(norms > 0, norms, 1)).astype(np.float32)


def _n_different(points: Vectors, enough: int) -> int:
    """Return how many different rows there are, counting no further than `enough`."""
    found: set[bytes] = set()
    for row in points:
        found.add((row.round(5) + 0.0).tobytes())  # -0.0 is 0.0
        if len(found) == enough:
            break
    return len(found)


def check_options(options: ClusterOptions, n_rows: int) -> None:
    """Refuse options that make no sense, or that so few rows cannot fill, before any work is done.

    :param n_rows: rows with text.
    :raises UsageProblem: for options without sense.
    :raises InputError: for too few rows.
    """
    if options.min_cluster_size is not None and options.min_cluster_size < 2:
        raise UsageProblem("--min-cluster-size must be at least 2", hint="leave it out for 2 % of the rows")
    if options.algorithm is Algorithm.hdbscan:
        least = options.min_cluster_size or LEAST_CLUSTER
        if n_rows < least:
            raise InputError(
                f"{n_rows} rows with text cannot hold a cluster of {least}", hint="lower --min-cluster-size"
            )
        return
    if options.k is not None and options.k < 2:
        raise UsageProblem(f"-k {options.k} makes no clusters", hint="use 2 or more, or -k auto")
    if not 2 <= options.k_min <= options.k_max:
        raise UsageProblem(
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
    if (different := _n_different(points, options.k)) < options.k:
        raise InputError(
            f"{different} different vectors are too few for {options.k} clusters",
            hint="many rows are the same text; lower -k",
        )
