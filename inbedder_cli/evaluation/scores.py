"""Scores: one number per task and metric, the names of the metrics, and the means over tasks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inbedder_cli.evaluation.metrics import harmonic_mean
from inbedder_cli.evaluation.settings import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.evaluation.tasks import ClusteringTask

V_MEASURE, SPEARMAN, MAP = "V-measure", "Spearman", "MAP"
SUCCESS, BOTH_GOALS = "triplet success", "triplets, both goals"
SUCCESS_CENTERED, BOTH_GOALS_CENTERED = f"{SUCCESS}, centered", f"{BOTH_GOALS}, centered"
SPEARMAN_CENTERED, SPEARMAN_RAW = f"{SPEARMAN}, centered", f"{SPEARMAN}, raw"
CORRECT, IMPLICIT, INCORRECT = "V correct", "V implicit", "V incorrect"
GAP_CORRECT, GAP_IMPLICIT = "gap correct - incorrect", "gap implicit - incorrect"
SPREAD = "spread over wordings"
ALL_VIEWS = "V-measure, all views"
MEANS = "means"  # the part of a mean over tasks
# Published encoders were trained on other texts of these corpora, so there is a second mean without them.
TRAINING_CORPORA = ("goemotions",)
WITHOUT_TRAINING = f"mean V-measure without {', '.join(TRAINING_CORPORA)}"


@dataclass(frozen=True)
class Score:
    """One measured number between -1 and 1; most metrics lie between 0 and 1. Tables show it times 100.

    :param part: the family of tests, see `settings.Part`, or "means".
    :param task: name of the task, or "set / goal" for triplets.
    :param metric: name of the metric.
    :param value: None where the metric is undefined, for example with a single class.
    :param rows: number of texts, triplets, pairs or queries it was measured on.
    :param std: standard deviation over the seeds; None with a single run.
    :param low: lower end of the 95 % bootstrap interval.
    :param high: upper end of the 95 % bootstrap interval.
    """

    part: str
    task: str
    metric: str
    value: float | None
    rows: int
    std: float | None = None
    low: float | None = None
    high: float | None = None


def view_scores(scores: Sequence[Score], tasks: Sequence[ClusteringTask]) -> list[Score]:
    """Return the harmonic mean of the V-measures of each corpus that several tasks divide.

    :param scores: scores of one model; those that are not V-measures of a clustering task are ignored.
    :param tasks: the clustering tasks of the suite.
    :return: one score per corpus with at least two measured tasks.
    """
    by_task = {s.task: s for s in scores if s.part == Part.clustering and s.metric == V_MEASURE}
    corpora: dict[str, list[Score]] = {}
    for task in tasks:
        if task.name in by_task:
            corpora.setdefault(task.corpus, []).append(by_task[task.name])
    return [
        Score(
            Part.awareness, corpus, ALL_VIEWS, harmonic_mean([s.value for s in views]), max(s.rows for s in views)
        )
        for corpus, views in corpora.items()
        if len(views) > 1
    ]


def mean_scores(scores: Sequence[Score], tasks: Sequence[ClusteringTask], parts: Sequence[Part]) -> list[Score]:
    """Return the means over tasks, the most important first.

    :param scores: scores of one model.
    :param tasks: the clustering tasks of the suite.
    :param parts: the requested parts. Without `clustering` among them there is no mean V-measure, even
        if tasks were clustered to compare the views of a corpus.
    :return: one score per mean that is defined.
    """
    clusterings = [s for s in scores if s.part == Part.clustering and s.metric == V_MEASURE]
    if Part.clustering not in parts:
        clusterings = []
    trained_on = {t.name for t in tasks if t.corpus.startswith(TRAINING_CORPORA)}
    means = [_mean("mean V-measure", clusterings)]
    if trained_on and clusterings:
        means.append(_mean(WITHOUT_TRAINING, [s for s in clusterings if s.task not in trained_on]))
    for metric in (BOTH_GOALS, BOTH_GOALS_CENTERED):
        means.append(_mean(f"mean of {metric}", [s for s in scores if s.metric == metric]))
    means.append(_mean(f"mean {ALL_VIEWS}", [s for s in scores if s.metric == ALL_VIEWS]))
    awareness = [s for s in scores if s.part == Part.awareness]
    for metric in (SPEARMAN_CENTERED, SPEARMAN_RAW):
        means.append(_mean(f"mean instruction STS, {metric}", [s for s in awareness if s.metric == metric]))
    for metric in (CORRECT, IMPLICIT, INCORRECT, GAP_CORRECT, GAP_IMPLICIT, SPREAD):
        means.append(_mean(f"mean {metric}", [s for s in scores if s.metric == metric]))
    means.append(_mean(f"mean {MAP}", [s for s in scores if s.part == Part.reranking]))
    return [score for score in means if score is not None]


def _mean(name: str, scores: Sequence[Score]) -> Score | None:
    """Return the mean of the defined scores; its interval assumes that tasks are independent of each other."""
    known = [s for s in scores if s.value is not None]
    if not known:
        return None
    value = sum(s.value or 0.0 for s in known) / len(known)
    halves = [(s.high - s.low) / 2 for s in known if s.low is not None and s.high is not None]
    half = math.sqrt(sum(h * h for h in halves)) / len(known) if len(halves) == len(known) else None
    return Score(
        part=MEANS,
        task=f"{len(known)} tasks",
        metric=name,
        value=value,
        rows=sum(s.rows for s in known),
        low=None if half is None else value - half,
        high=None if half is None else value + half,
    )
