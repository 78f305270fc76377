"""Clusters that are answered alike."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering.preprocess import NOISE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from inbedder_cli.clustering.preprocess import Labels

    Numbers = npt.NDArray[np.float64]

ALIKE = 0.55  # share of their answers above which two clusters are alike
LEADING = 0.01  # share of a cluster's rows below which an answer does not count


def group_alike(labels: Labels, answers: Sequence[str], min_groups: int = 1) -> Labels:
    """Return groups of clusters that share more than 55 % of their answers.

    Two clusters share the sum over all answers of the smaller of its two shares: they are alike if more than 55 %
    of the rows of both have the same answer. The two that share most are joined first, and then count as one.

    :param labels: cluster of each row, int64, shape (n_rows,), -1 for noise.
    :param answers: each row's answer, normalized.
    :param min_groups: number of groups at which joining stops.
    :return: the group of each cluster, int64, shape (n_clusters,), numbered from 0 in the order of their clusters.
    """
    counts, sizes = _leading_answers(labels, answers)
    k = len(sizes)
    groups, shares = np.arange(k), counts / np.maximum(sizes, 1)[:, None]
    common = np.array([np.minimum(shares, own).sum(axis=1) for own in shares]).reshape(k, k)
    np.fill_diagonal(common, 0)
    for _ in range(k - max(min_groups, 1)):
        one, other = sorted(np.unravel_index(common.argmax(), common.shape))
        if common[one, other] <= ALIKE:
            break
        groups[groups == other] = one
        counts[one], sizes[one] = counts[one] + counts[other], sizes[one] + sizes[other]
        shares[one] = counts[one] / sizes[one]
        common[one] = common[:, one] = np.minimum(shares, shares[one]).sum(axis=1)
        common[one, one] = 0
        gone = np.flatnonzero(groups != np.arange(k))
        common[gone] = common[:, gone] = 0
    return np.asarray(np.unique(groups, return_inverse=True)[1], np.int64)


def alike_clusters(labels: Labels, answers: Sequence[str]) -> list[list[int]]:
    """Return each group of two or more clusters that are answered alike.

    :param labels: as in `group_alike`.
    :param answers: as in `group_alike`.
    :return: numbers of clusters, ascending.
    """
    groups = group_alike(labels, answers)
    members = [np.flatnonzero(groups == group).tolist() for group in range(groups.max(initial=NOISE) + 1)]
    return [clusters for clusters in members if len(clusters) > 1]


def _leading_answers(labels: Labels, answers: Sequence[str]) -> tuple[Numbers, Labels]:
    """Return how often each leading answer is given in each cluster, and the sizes of the clusters.

    :return: float64, shape (n_clusters, n_answers), and int64, shape (n_clusters,).
    """
    counters: list[Counter[str]] = [Counter() for _ in range(int(labels.max(initial=NOISE)) + 1)]
    for label, answer in zip(labels.tolist(), answers, strict=True):
        if label != NOISE:
            counters[label][answer] += 1
    leading = [[a for a, n in counter.items() if n >= LEADING * counter.total()] for counter in counters]
    columns = {answer: i for i, answer in enumerate(sorted(set().union(*leading)))}
    counts = np.zeros((len(counters), len(columns)))
    for row, (counter, kept) in enumerate(zip(counters, leading, strict=True)):
        counts[row, [columns[a] for a in kept]] = [counter[a] for a in kept]
    return counts, np.array([counter.total() for counter in counters], np.int64)
