"""Drift: how the shares of a saved run's clusters differ in new rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE = 0.95  # of intervals


@dataclass(frozen=True)
class Drift:
    """A cluster's share of the rows, then and now.

    :param cluster: its number.
    :param label: its label.
    :param then: its share of the rows of the run, 0 to 1.
    :param now: its share of the new rows, 0 to 1.
    :param now_low: lower end of the 95 % interval of `now` (Wilson 1927).
    :param now_high: upper end of that interval.
    :param q_value: p-value of Fisher's exact test of then against now, corrected for the number of clusters
        (Benjamini & Hochberg 1995).
    """

    cluster: int
    label: str
    then: float
    now: float
    now_low: float
    now_high: float
    q_value: float

    @property
    def moved(self) -> bool:
        """Whether the share changed significantly, at the 5 % level after correction."""
        return self.q_value < 1 - CONFIDENCE


@dataclass(frozen=True)
class DriftReport:
    """The distribution of new rows over the clusters of a run.

    :param clusters: one entry per cluster.
    :param n_rows: new rows that were assigned.
    :param n_novel: how many of them are novel (`ClusterPredictor`).
    """

    clusters: list[Drift]
    n_rows: int
    n_novel: int


def drift(then: dict[int, int], now: Sequence[int], names: dict[int, str]) -> list[Drift]:
    """Return the change of each cluster's share, with intervals and p-values.

    :param then: rows of each cluster in the run, by number.
    :param now: the cluster of each new row.
    :param names: labels of the clusters, by number.
    :return: one entry per cluster, in the order of `then`.
    """
    from scipy.stats import binomtest, false_discovery_control, fisher_exact

    if not then:
        return []
    total, counts = sum(then.values()), Counter(now)
    p_values = [
        fisher_exact([[size, total - size], [counts[c], len(now) - counts[c]]]).pvalue for c, size in then.items()
    ]
    moved = []
    for (cluster, size), q_value in zip(then.items(), false_discovery_control(p_values), strict=True):
        low, high = 0.0, 1.0
        if now:
            low, high = map(float, binomtest(counts[cluster], len(now)).proportion_ci(CONFIDENCE, method="wilson"))
        share = counts[cluster] / max(1, len(now))
        moved.append(Drift(cluster, names[cluster], size / max(1, total), share, low, high, float(q_value)))
    return moved
