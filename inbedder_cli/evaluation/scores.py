"""One measured number, with all that is needed to know what it means."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """One measured number, a share of one (x 100 when it is shown).

    :param part: the family of tests, see `options.Part`, or "means".
    :param task: the task, or the set and goal.
    :param metric: what was measured.
    :param value: None where it is not defined, for example with a single class.
    :param rows: texts, triplets, pairs or queries that it rests on.
    :param std: standard deviation over the seeds.
    :param low: lower end of the 95 % bootstrap interval.
    :param high: its upper end.
    """

    part: str
    task: str
    metric: str
    value: float | None
    rows: int
    std: float | None = None
    low: float | None = None
    high: float | None = None
