"""Stability: whether clusters are found again when only some of the rows are clustered."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering.preprocess import NOISE, sample_indices
from inbedder_cli.registry import algorithms

if TYPE_CHECKING:
    import numpy.typing as npt

    from inbedder_cli.clustering.preprocess import Labels, Vectors
    from inbedder_cli.options import ClusterOptions

HALVES = 20  # random halves of the rows that are clustered
ROWS = 2000  # sample from which the halves are drawn
PART = 0.8
UNSTABLE = 0.6  # Hennig (2007): clusters below 0.6 should not be trusted; from 0.75 on they may be


def refit(points: Vectors, options: ClusterOptions, seed: int, share: float = 1.0) -> Labels:
    """Return the labels of a quick fit on some of the rows of a clustering.

    :param points: centered and normalized vectors, float32, shape (n_rows, hidden_size), in canonical order.
    :param options: with `k` or `min_cluster_size` filled in.
    :param seed: seed of this fit.
    :param share: share of the rows that are in `points`, 0 to 1: `min_cluster_size` shrinks by it.
    :return: cluster of each point, int64, shape (n_rows,), -1 for noise.
    """
    from sklearn.exceptions import ConvergenceWarning

    options = _for_share(options, share)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a draw may hold fewer different rows than clusters
        fitted = algorithms[options.algorithm].from_options(replace(options, seed=seed), quick=True).fit(points)
    return fitted.labels_


def _for_share(options: ClusterOptions, share: float) -> ClusterOptions:
    size = options.min_cluster_size
    return options if size is None else replace(options, min_cluster_size=max(2, round(size * share)))


def cluster_stability(points: Vectors, labels: Labels, options: ClusterOptions) -> npt.NDArray[np.float64]:
    """Return the stability of each cluster: its mean best Jaccard similarity over halves (Hennig 2007).

    Twenty halves of the rows are drawn without replacement and clustered like the whole. In each half, the rows of
    a cluster are compared with those of every new cluster, and the best Jaccard similarity is kept. Above 2,000
    rows, the halves are drawn from a sample of that size.

    :param points: centered and normalized vectors, float32, shape (n_rows, hidden_size), in canonical order.
    :param labels: cluster of each point, int64, shape (n_rows,), -1 for noise.
    :param options: with `k` or `min_cluster_size` filled in.
    :return: float64, shape (k,), 0 to 1; NaN for a cluster without rows in the sample.
    """
    k = int(labels.max(initial=NOISE)) + 1
    sample = sample_indices(len(points), ROWS, options.seed)
    points, labels, share = points[sample], labels[sample], len(sample) / max(1, len(labels))
    min_rows = algorithms[options.algorithm].min_rows(_for_share(options, share / 2))
    similarities = np.full((HALVES, k), np.nan)
    rng = np.random.default_rng(options.seed)
    for i in range(HALVES):
        half = np.sort(rng.choice(len(points), (len(points) + 1) // 2, replace=False))
        if len(half) <= (options.k or 1) or len(half) < min_rows:
            break
        again = refit(points[half], options, i, share / 2)
        for cluster in range(k):
            if (inside := labels[half] == cluster).any():
                similarities[i, cluster] = max(
                    (_jaccard(inside, again == other) for other in np.unique(again[again != NOISE])), default=0.0
                )
    seen = ~np.isnan(similarities)
    return np.where(seen.any(0), np.nansum(similarities, 0) / np.maximum(seen.sum(0), 1), np.nan)


def _jaccard(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


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
    left_out = NOISE - 1
    labels = np.full((times, len(points)), left_out)
    for i in range(times):
        part = np.sort(rng.choice(len(points), size, replace=False))
        labels[i, part] = refit(points[part], options, i, PART)
    scores = []
    for one, other in pairwise(labels):
        common = (one != left_out) & (other != left_out)
        scores.append(adjusted_rand_score(one[common], other[common]))
    return float(np.mean(scores))
