"""Drift: how the shares of a saved run's clusters differ in new rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inbedder_cli.explanation.precision import Precision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inbedder_cli.embeddings import RowStatus

CONFIDENCE = 0.95  # that a share has moved
MANY_NOVEL = 0.05  # share of the new rows, beside as many as were noise in the run


@dataclass(frozen=True)
class Drift:
    """The share of the rows that are in a cluster, are noise or do not answer, then and now.

    :param cluster: number of the cluster, -1 for noise, -2 for rows without a clear answer.
    :param label: its label.
    :param then: its share of the rows with text of the run, 0 to 1.
    :param now: its share of the new rows with text, 0 to 1.
    :param now_low: lower end of the 95 % interval of `now` (Wilson 1927).
    :param now_high: upper end of that interval.
    :param q_value: p-value of Fisher's exact test of then against now, corrected for the number of clusters
        (Benjamini & Hochberg 1995).
    :param novel: how many of its new rows are novel, and so may belong to no cluster of the run.
    """

    cluster: int
    label: str
    then: float
    now: float
    now_low: float
    now_high: float
    q_value: float
    novel: int = 0

    @property
    def moved(self) -> bool:
        """Whether the share changed significantly, at the 5 % level after correction."""
        return self.q_value < 1 - CONFIDENCE


@dataclass(frozen=True)
class DriftReport:
    """The distribution of new rows over the clusters of a run.

    :param clusters: one entry per cluster, then noise and unanswered rows, where there are any then or now.
    :param n_rows: new rows with text, of which `now` is a share.
    :param n_novel: how many of them are novel (`ClusterPredictor`).
    :param statuses: number of new rows by status; those without text count too.
    :param noise: share of the rows of the run that were noise, 0 to 1.
    """

    clusters: list[Drift]
    n_rows: int
    n_novel: int
    statuses: Mapping[RowStatus, int]
    noise: float = 0.0

    @property
    def is_unlike(self) -> bool:
        """Whether clearly more rows are novel than should be if they were like those of the run."""
        return wilson(self.n_novel, self.n_rows)[0] > self.noise + MANY_NOVEL


def drift(
    then: Mapping[int, int],
    now: Mapping[int, int],
    names: Mapping[int, str],
    n_then: int,
    n_now: int,
    novel: Mapping[int, int] | None = None,
) -> list[Drift]:
    """Return the change of each cluster's share, with intervals and p-values.

    :param then: rows of each cluster in the run, by number.
    :param now: new rows of each cluster, by number.
    :param names: labels of the clusters, by number.
    :param n_then: rows of the run; a row may be in several clusters.
    :param n_now: new rows.
    :param novel: novel rows of each cluster, by number; None where none is.
    :return: one entry per cluster, in the order of `then`.
    """
    from scipy.stats import false_discovery_control, fisher_exact

    if not then:
        return []
    p_values = [
        fisher_exact([[size, n_then - size], [now.get(c, 0), n_now - now.get(c, 0)]]).pvalue
        for c, size in then.items()
    ]
    moved = []
    for (cluster, size), q_value in zip(then.items(), false_discovery_control(p_values), strict=True):
        count = now.get(cluster, 0)
        share, interval = count / max(1, n_now), wilson(count, n_now)
        is_novel = (novel or {}).get(cluster, 0)
        moved.append(
            Drift(cluster, names[cluster], size / max(1, n_then), share, *interval, float(q_value), is_novel)
        )
    return moved


def wilson(count: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927).

    :param count: how many of the rows.
    :param n: number of rows.
    :return: its ends, 0 to 1.
    """
    return Precision(count, n).interval() if n else (0.0, 1.0)
