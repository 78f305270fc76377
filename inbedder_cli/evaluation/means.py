"""What follows from the tasks' figures: two views of one corpus, and the means over tasks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from inbedder_cli.evaluation.awareness import BOTH_GOALS, BOTH_GOALS_CENTRED, CENTRED, RAW
from inbedder_cli.evaluation.metrics import harmonic_mean
from inbedder_cli.evaluation.robustness import CORRECT, GAP_CI, GAP_II, IMPLICIT, INCORRECT, SPREAD
from inbedder_cli.evaluation.scores import Score
from inbedder_cli.evaluation.settings import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.evaluation.tasks import ClusteringTask

MEANS = "means"
VIEWS = "V-measure, all views"
# The training sets of published encoders hold other texts of these corpora; a mean without them stands beside.
TRAINING_CORPORA = ("goemotions",)
WITHOUT_TRAINING = f"mean V-measure without {', '.join(TRAINING_CORPORA)}"


def views(figures: Sequence[Score], tasks: Sequence[ClusteringTask]) -> list[Score]:
    """Return, for each corpus that several tasks divide, the harmonic mean of their V-measures."""
    by_task = {f.task: f for f in figures if f.part == Part.clustering and f.metric == "V-measure"}
    corpora: dict[str, list[Score]] = {}
    for task in tasks:
        if task.name in by_task:
            corpora.setdefault(task.corpus, []).append(by_task[task.name])
    return [
        Score(Part.awareness, corpus, VIEWS, harmonic_mean([f.value for f in found]), max(f.rows for f in found))
        for corpus, found in corpora.items()
        if len(found) > 1
    ]


def means(figures: Sequence[Score], tasks: Sequence[ClusteringTask], parts: Sequence[Part]) -> list[Score]:
    """Return the means over tasks, first those that say most.

    :param parts: those asked for: clusterings measured only as views of a corpus have no mean of their own.
    """
    clusterings = [f for f in figures if f.part == Part.clustering and f.metric == "V-measure"]
    if Part.clustering not in parts:
        clusterings = []
    seen = {t.name for t in tasks if t.corpus.startswith(TRAINING_CORPORA)}
    unseen = [f for f in clusterings if f.task not in seen]
    found = [_mean("mean V-measure", clusterings)]
    if seen and clusterings:
        found.append(_mean(WITHOUT_TRAINING, unseen))
    for metric in (BOTH_GOALS, BOTH_GOALS_CENTRED):
        found.append(_mean(f"mean of {metric}", [f for f in figures if f.metric == metric]))
    found.append(_mean("mean V-measure, all views", [f for f in figures if f.metric == VIEWS]))
    instructed = [f for f in figures if f.part == Part.awareness]
    for metric in (CENTRED, RAW):
        found.append(_mean(f"mean instruction STS, {metric}", [f for f in instructed if f.metric == metric]))
    for metric in (CORRECT, IMPLICIT, INCORRECT, GAP_CI, GAP_II, SPREAD):
        found.append(_mean(f"mean {metric}", [f for f in figures if f.metric == metric]))
    found.append(_mean("mean MAP", [f for f in figures if f.part == Part.reranking]))
    return [figure for figure in found if figure is not None]


def _mean(name: str, figures: Sequence[Score]) -> Score | None:
    """Return the mean of defined figures; its interval takes the tasks as independent of each other."""
    known = [f for f in figures if f.value is not None]
    if not known:
        return None
    value = sum(f.value or 0.0 for f in known) / len(known)
    halves = [(f.high - f.low) / 2 for f in known if f.low is not None and f.high is not None]
    half = math.sqrt(sum(h * h for h in halves)) / len(known) if len(halves) == len(known) else None
    return Score(
        part=MEANS,
        task=f"{len(known)} tasks",
        metric=name,
        value=value,
        rows=sum(f.rows for f in known),
        low=None if half is None else value - half,
        high=None if half is None else value + half,
    )
