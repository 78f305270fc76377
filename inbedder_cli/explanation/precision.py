"""How often a label fits, judged by people on a random sample of a cluster's rows."""

from __future__ import annotations

from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Precision:
    """What people say of a cluster's label.

    :param n_fit: rows that it fits.
    :param n_reviewed: rows that were judged, at least 1.
    """

    n_fit: int
    n_reviewed: int

    @property
    def share(self) -> float:
        """Share of the judged rows that the label fits, 0 to 1."""
        return self.n_fit / self.n_reviewed

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the share over all rows of the cluster (Wilson 1927).

        :return: its ends, 0 to 1.

        >>> [round(end, 2) for end in Precision(9, 10).interval()]
        [0.6, 0.98]
        """
        from scipy.stats import binomtest

        interval = binomtest(self.n_fit, self.n_reviewed).proportion_ci(CONFIDENCE, method="wilson")
        return float(interval.low), float(interval.high)
