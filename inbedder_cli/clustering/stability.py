"""Stability: whether clusters are found again when only some of the rows are clustered."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering.preprocess import CHUNK, NOISE, sample_indices
from inbedder_cli.registry import algorithms

if TYPE_CHECKING:
    import numpy.typing as npt

    from inbedder_cli.clustering.base import ClusterAlgorithm
    from inbedder_cli.clustering.preprocess import Labels, Vectors
    from inbedder_cli.options import ClusterOptions

    Numbers = npt.NDArray[np.float64]

HALVES = 20  # random halves of the rows that are clustered
ROWS = 2000  # sample from which the halves are drawn
PART = 0.8
COMPARED_RUNS = 11
LEFT_OUT = NOISE - 1
UNSTABLE = 0.6  # Hennig (2007): clusters below 0.6 should not be trusted
STABLE = 0.75  # from which they may be (the same)


def refit(points: Vectors, options: ClusterOptions, seed: int, share: float = 1.0) -> Labels:
    """Return the labels of a quick fit on some of the rows of a clustering.

    :param points: centered and normalized vectors, float32, shape (n_rows, n_features), in canonical order.
    :param options: with `k` or `min_cluster_size` filled in.
    :param seed: seed of this fit.
    :param share: share of the rows that are in `points`, 0 to 1: `min_cluster_size` shrinks by it.
    :return: cluster of each point, int64, shape (n_rows,), -1 for noise.
    """
    return fit_quickly(points, replace(_for_share(options, share), seed=seed))[0]


def fit_quickly(points: Vectors, options: ClusterOptions) -> tuple[Labels, Labels | None]:
    """Return the labels of a quick fit, and the cluster of each point in each of its runs, if it made some.

    :param points: centered and normalized vectors, float32, shape (n_rows, n_features), in canonical order.
    :param options: with `k` or `min_cluster_size` filled in.
    :return: labels, int64, shape (n_rows,), -1 for noise; memberships, int64, shape (n_rows, n_runs), or None.
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a draw may hold fewer different rows than clusters
        fitted = algorithms[options.algorithm].from_options(options, quick=True).fit(points)
    return fitted.labels_, fitted.memberships(points)


def _for_share(options: ClusterOptions, share: float) -> ClusterOptions:
    size = options.min_cluster_size
    return options if size is None else replace(options, min_cluster_size=max(2, round(size * share)))


def runs_agreement(memberships: Labels) -> float:
    """Return the mean adjusted Rand index between one run and the next.

    :param memberships: cluster of each row in each run, int64, shape (n_rows, n_runs), at least two runs.
    :return: 1 where the runs give the same clusters, about 0 where they agree by chance.
    """
    from sklearn.metrics import adjusted_rand_score

    return float(np.mean([adjusted_rand_score(*pair) for pair in pairwise(memberships.T[:COMPARED_RUNS])]))


def measure_stability(
    algorithm: ClusterAlgorithm, points: Vectors, labels: Labels, options: ClusterOptions
) -> tuple[Numbers, Vectors]:
    """Return how stable each cluster and each row is.

    Many runs on random halves of the rows are compared with the clusters: those of the algorithm itself, or else
    twenty fits. Where there are more than 2,000 rows, on a sample of that size. Where clusters were merged after
    the fit, so are those of the runs: each joins the cluster that holds most of its rows.

    :param algorithm: fitted to the points.
    :param points: centered and normalized vectors, float32, shape (n_rows, n_features), in canonical order.
    :param labels: cluster of each point, int64, shape (n_rows,), -1 for noise.
    :param options: with `k` or `min_cluster_size` filled in.
    :return: `stability` and `row_stability` as in `Clustering`.
    """
    sample = sample_indices(len(points), ROWS, options.seed)
    rows = np.full(len(points), np.nan, np.float32)
    merged = labels.max(initial=NOISE) < algorithm.labels_.max(initial=NOISE)
    runs = algorithm.memberships(points[sample])
    if runs is None:
        halves = _fit_halves(points[sample], options, len(sample) / max(1, len(labels)))
        halves = _join(halves, _joined(labels[sample], halves) if merged else None)
        stability, matches = match_clusters(labels[sample], halves)
        rows[sample] = row_agreement(labels[sample], halves, matches)
        return stability, rows
    joined = _joined(labels[sample], runs) if merged else None
    stability, matches = match_clusters(labels[sample], _join(runs, joined))
    for start in range(0, len(points), CHUNK):
        chunk = slice(start, start + CHUNK)
        runs = algorithm.memberships(points[chunk])
        if runs is not None:
            rows[chunk] = row_agreement(labels[chunk], _join(runs, joined), matches)
    return stability, rows


def _joined(labels: Labels, memberships: Labels) -> Labels:
    """Return the cluster that holds most rows of each run's clusters, int64, shape (n_runs, n_run_clusters)."""
    k, width = int(labels.max(initial=NOISE)) + 1, int(memberships.max(initial=NOISE)) + 1
    joined = np.full((memberships.shape[1], width), NOISE)
    for i, run in enumerate(memberships.T):
        both = (labels != NOISE) & (run > NOISE)
        counts = np.bincount(run[both] * k + labels[both], minlength=width * k).reshape(width, k)
        joined[i] = np.where(counts.any(axis=1), counts.argmax(axis=1), NOISE)
    return joined


def _join(memberships: Labels, joined: Labels | None) -> Labels:
    """Return the memberships in merged clusters, if clusters were merged."""
    if joined is None:
        return memberships
    numbers = np.hstack([joined, np.tile([LEFT_OUT, NOISE], (len(joined), 1))])  # -2 and -1 keep their meaning
    return numbers[np.arange(len(joined)), memberships]


def match_clusters(labels: Labels, memberships: Labels) -> tuple[Numbers, Labels]:
    """Return how well each cluster is found again in several runs, and as which cluster of each.

    :param labels: cluster of each row, int64, shape (n_rows,), -1 for noise.
    :param memberships: cluster of each row in each run, int64, shape (n_rows, n_runs), -1 for noise, -2 for rows
        that the run did not hold.
    :return: each cluster's best Jaccard similarity, averaged over the runs that hold rows of it (Hennig 2007),
        float64, shape (k,), NaN where no run does; and the number of that best cluster in each run, int64, shape
        (n_runs, k), -2 where there is none.
    """
    k, n_runs = int(labels.max(initial=NOISE)) + 1, memberships.shape[1]
    similarities = np.full((n_runs, k), np.nan)
    matches = np.full((n_runs, k), LEFT_OUT)
    for i, run in enumerate(memberships.T):
        held = run != LEFT_OUT
        width = int(run.max(initial=NOISE)) + 2  # noise is the first column, and the first row
        common = np.bincount((labels[held] + 1) * width + run[held] + 1, minlength=(k + 1) * width).reshape(
            k + 1, width
        )
        sizes, run_sizes = common.sum(axis=1)[1:, None], common.sum(axis=0)[1:]
        jaccard = common[1:, 1:] / np.maximum(sizes + run_sizes - common[1:, 1:], 1)
        seen = sizes[:, 0] > 0
        similarities[i, seen] = jaccard[seen].max(axis=1, initial=0.0)
        if width > 1:
            matches[i, seen] = jaccard[seen].argmax(axis=1)
    counts = (~np.isnan(similarities)).sum(axis=0)
    return np.where(counts > 0, np.nansum(similarities, axis=0) / np.maximum(counts, 1), np.nan), matches


def row_agreement(labels: Labels, memberships: Labels, matches: Labels) -> Vectors:
    """Return in which share of the runs each row is in the cluster that matches its own.

    :param labels: as in `match_clusters`.
    :param memberships: as in `match_clusters`.
    :param matches: from `match_clusters`.
    :return: float32, shape (n_rows,), 0 to 1; NaN for noise and for rows that no run held.
    """
    held = memberships != LEFT_OUT
    own = np.vstack([matches.T, np.full(len(matches), LEFT_OUT)])[labels]  # the last is for noise
    with_own = (memberships == own) & held
    counts = np.where(labels == NOISE, 0, held.sum(axis=1))
    return np.where(counts > 0, with_own.sum(axis=1) / np.maximum(counts, 1), np.nan).astype(np.float32)


def _fit_halves(points: Vectors, options: ClusterOptions, share: float) -> Labels:
    """Return the clusters of quick fits on random halves, as `memberships` of `match_clusters`."""
    min_rows = algorithms[options.algorithm].min_rows(_for_share(options, share / 2))
    memberships = np.full((len(points), HALVES), LEFT_OUT)
    size = (len(points) + 1) // 2
    if size <= (options.k or 1) or size < min_rows:
        return memberships
    rng = np.random.default_rng(options.seed)
    for i in range(HALVES):
        half = np.sort(rng.choice(len(points), size, replace=False))
        memberships[half, i] = refit(points[half], options, i, share / 2)
    return memberships


def part_size(n_rows: int) -> int:
    """Return how many rows `partition_stability` clusters at a time.

    :param n_rows: rows in all.
    :return: four fifths of them.
    """
    return max(1, round(PART * n_rows))


def partition_stability(points: Vectors, options: ClusterOptions, times: int) -> float:
    """Return the mean agreement of clusterings of random parts of the rows.

    Each part is four fifths of the rows. Each is compared with the next by the adjusted Rand index of the rows
    that both hold (Ben-Hur et al. 2002).

    :param points: centered and normalized vectors, float32, shape (n_rows, n_features), in canonical order.
    :param options: with `k` or `min_cluster_size` filled in.
    :param times: number of parts, at least 2.
    :return: the mean of these indices: 1 where clusterings are the same, about 0 where they agree by chance.
    """
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng(options.seed)
    size = part_size(len(points))
    labels = np.full((times, len(points)), LEFT_OUT)
    for i in range(times):
        part = np.sort(rng.choice(len(points), size, replace=False))
        labels[i, part] = refit(points[part], options, i, PART)
    scores = []
    for one, other in pairwise(labels):
        common = (one != LEFT_OUT) & (other != LEFT_OUT)
        scores.append(adjusted_rand_score(one[common], other[common]))
    return float(np.mean(scores))
