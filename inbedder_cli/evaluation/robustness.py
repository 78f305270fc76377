"""Instruction robustness: the same classes asked for in other words, hinted at, or not asked for at all.

InBedder, section 4.2: a good encoder does well under every correct wording, somewhat less under a question that
only implies the division, and badly under one that asks for another. The gaps say how much it listens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.evaluation.bootstrap import interval, v_measure_draws
from inbedder_cli.evaluation.metrics import v_measure
from inbedder_cli.evaluation.scores import Score
from inbedder_cli.evaluation.settings import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from inbedder_cli.evaluation.protocols import Protocol
    from inbedder_cli.evaluation.reader import Reader
    from inbedder_cli.evaluation.tasks import ClusteringTask

    Numbers = npt.NDArray[np.float64]

CORRECT, IMPLICIT, INCORRECT = "V correct", "V implicit", "V incorrect"
GAP_CI, GAP_II, SPREAD = "gap correct - incorrect", "gap implicit - incorrect", "spread over wordings"


def score_robustness(task: ClusteringTask, reader: Reader, protocol: Protocol) -> list[Score]:
    """Return the mean V-measure under each kind of question, the gaps, and the spread.

    The spread is the largest minus the smallest V-measure over the question and its paraphrases.
    """
    kinds = {
        CORRECT: (task.instruction, *task.paraphrases),
        IMPLICIT: task.implicit,
        INCORRECT: task.incorrect,
    }
    rows = len(task.texts)
    scores: dict[str, list[float]] = {}
    draws: dict[str, Numbers] = {}
    for kind, instructions in kinds.items():
        if instructions and task.n_classes > 1:
            scores[kind], draws[kind] = _scores(task, instructions, reader, protocol)

    def figure(metric: str, value: float | None, drawn: Numbers | None) -> Score:
        low, high = interval(value, drawn)
        return Score(Part.robustness, task.name, metric, value, rows, low=low, high=high)

    figures = [
        figure(kind, float(np.mean(scores[kind])) if kind in scores else None, draws.get(kind)) for kind in kinds
    ]
    for metric, kind in ((GAP_CI, CORRECT), (GAP_II, IMPLICIT)):
        if kind in scores and INCORRECT in scores:
            gap = float(np.mean(scores[kind]) - np.mean(scores[INCORRECT]))
            figures.append(figure(metric, gap, draws[kind] - draws[INCORRECT]))
        else:
            figures.append(figure(metric, None, None))
    wordings = scores.get(CORRECT, [])
    figures.append(figure(SPREAD, max(wordings) - min(wordings) if len(wordings) > 1 else None, None))
    return figures


def _scores(
    task: ClusteringTask, instructions: Sequence[str], reader: Reader, protocol: Protocol
) -> tuple[list[float], Numbers]:
    """Return one V-measure per instruction, and the bootstrap draws of their mean."""
    scores, draws = [], []
    for instruction in instructions:
        fits = protocol.fits(reader.vectors(task.texts, instruction), task.n_classes)
        scores.append(float(np.mean([v_measure(task.labels, fitted) for fitted in fits])))
        draws.append(v_measure_draws(task.labels, fits))
    return scores, np.asarray(np.mean(draws, axis=0))
