"""How much clusters owe to chance: the same clustering of parts of the rows, over and over."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering.kmeans import refit
from inbedder_cli.clustering.preprocess import NOISE, sample_indices

if TYPE_CHECKING:
    import numpy.typing as npt

    from inbedder_cli.clustering.preprocess import Labels, Vectors
    from inbedder_cli.options import ClusterOptions

HALVES = 20  # times that half of the rows are clustered again
ROWS = 2000  # of which the halves are taken
STARTS = 3
PART = 0.8
UNSTABLE = 0.6  # Hennig (2007): below, a cluster should not be relied on; from 0.75 on it may be


def cluster_stability(points: Vectors, labels: Labels, options: ClusterOptions) -> npt.NDArray[np.float64]:
    """Return each cluster's mean best Jaccard similarity over clusterings of halves of the rows (Hennig 2007).

    A half is drawn without replacement and clustered like the whole. Of the rows in it, a cluster's are compared
    with those of each new cluster; the best Jaccard similarity counts. Of many rows a sample stands for all.

    :param points: centred and normalize vectors, in canonical order.
    :param labels: shape (n_rows,), -1 for noise.
    :param options: with k or min_cluster_size filled in.
    :return: shape (k,), 0 to 1; NaN for a cluster that the sample misses.
    """
    k = int(labels.max(initial=NOISE)) + 1
    sample = sample_indices(len(points), ROWS, options.seed)
    points, labels, share = points[sample], labels[sample], len(sample) / max(1, len(labels))
    found = np.full((HALVES, k), np.nan)
    rng = np.random.default_rng(options.seed)
    for i in range(HALVES):
        half = np.sort(rng.choice(len(points), (len(points) + 1) // 2, replace=False))
        if len(half) <= (options.k or 1):
            break
        again = refit(points[half], options, i, STARTS, share / 2)
        for cluster in range(k):
            if (inside := labels[half] == cluster).any():
                found[i, cluster] = max(
                    (_jaccard(inside, again == other) for other in np.unique(again[again != NOISE])), default=0.0
                )
    seen = ~np.isnan(found)
    return np.where(seen.any(0), np.nansum(found, 0) / np.maximum(seen.sum(0), 1), np.nan)


def _jaccard(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


def part_size(n_rows: int) -> int:
    """Return how many of so many rows a part holds whose clustering is compared with another's."""
    return max(1, round(PART * n_rows))


def partition_stability(points: Vectors, options: ClusterOptions, times: int) -> float:
    """Return how alike clusterings of parts of the rows are: the mean adjusted Rand index of their common rows.

    Each part is four fifths of the rows; one is compared with the next (Ben-Hur et al. 2002).

    :param options: with k or min_cluster_size filled in.
    :return: 1: always the same; about 0: no more alike than by chance.
    """
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng(options.seed)
    size = part_size(len(points))
    labels = np.full((times, len(points)), NOISE - 1)
    for i in range(times):
        part = np.sort(rng.choice(len(points), size, replace=False))
        labels[i, part] = refit(points[part], options, i, STARTS, PART)
    scores = []
    for one, other in pairwise(labels):
        common = (one >= NOISE) & (other >= NOISE)
        scores.append(adjusted_rand_score(one[common], other[common]))
    return float(np.mean(scores))
