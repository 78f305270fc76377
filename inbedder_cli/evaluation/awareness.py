"""Instruction awareness: whether what is alike under one question is unlike under another.

InBedder, section 4.1. An encoder that ignores its instruction gets p under one goal and 1 - p under the other,
so the harmonic mean of both, never one alone, is what counts; under instruction STS it gets 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.evaluation.bootstrap import interval, mean_draws
from inbedder_cli.evaluation.metrics import cosines, harmonic_mean, spearman, triplet_successes
from inbedder_cli.evaluation.scores import Score
from inbedder_cli.evaluation.settings import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from inbedder_cli.evaluation.protocols import Protocol
    from inbedder_cli.evaluation.reader import Reader
    from inbedder_cli.evaluation.tasks import Goal, Pair, PairTask, TripletTask

    Numbers = npt.NDArray[np.float64]

SUCCESS, BOTH_GOALS = "triplet success", "triplets, both goals"
SUCCESS_CENTRED, BOTH_GOALS_CENTRED = f"{SUCCESS}, centred", f"{BOTH_GOALS}, centred"
CENTRED, RAW = "Spearman, centred", "Spearman, raw"


def score_triplets(task: TripletTask, reader: Reader, protocol: Protocol) -> list[Score]:
    """Return the share of successes under each goal, and their harmonic mean.

    Cosines are of the vectors as they are, as in the reference code whatever the protocol; those of vectors
    centred over a goal's texts stand beside.
    """
    figures = []
    for success, both, centred in ((SUCCESS, BOTH_GOALS, False), (SUCCESS_CENTRED, BOTH_GOALS_CENTRED, True)):
        successes = [_successes(goal, reader, centred=centred) for goal in task.goals]
        draws = [mean_draws(s) for s in successes]  # the same draw of rows under each goal: of the same anchors
        shares = [float(s.mean()) for s in successes]
        for goal, share, drawn in zip(task.goals, shares, draws, strict=True):
            name, rows = f"{task.name} / {goal.name}", len(goal.triplets)
            figures.append(Score(Part.awareness, name, success, share, rows, None, *interval(share, drawn)))
        if len(shares) > 1:
            value = harmonic_mean(shares)
            of_both = np.array([harmonic_mean([float(v) for v in each]) for each in zip(*draws, strict=True)])
            ends, rows = interval(value, of_both), sum(len(goal.triplets) for goal in task.goals)
            figures.append(Score(Part.awareness, task.name, both, value, rows, None, *ends))
    return figures


def _successes(goal: Goal, reader: Reader, *, centred: bool) -> npt.NDArray[np.bool_]:
    from inbedder_cli.clustering import center_and_normalize

    texts = list(dict.fromkeys(t for triplet in goal.triplets for t in triplet[1:]))
    vectors = reader.vectors(texts, goal.instruction)
    points = center_and_normalize(vectors)[0] if centred else vectors
    place = {text: i for i, text in enumerate(texts)}
    anchors, positives, negatives = (
        points[[place[triplet[column]] for triplet in goal.triplets]] for column in (1, 2, 3)
    )
    return triplet_successes(anchors, positives, negatives)


def score_pairs(task: PairTask, reader: Reader, protocol: Protocol) -> list[Score]:
    """Return the Spearman correlation of cosine and score: vectors centred per question, and as they are."""
    gold = np.array([pair.score for pair in task.pairs], np.float64)
    figures = []
    for metric, centred in ((CENTRED, True), (RAW, False)):
        scores = pair_cosines(task.pairs, reader, centred=centred)
        value = spearman(scores, gold)
        draws = None if value is None else _spearman_draws(scores, gold)
        ends = interval(value, draws)
        figures.append(Score(Part.awareness, task.name, metric, value, len(gold), None, *ends))
    return figures


def pair_cosines(pairs: Sequence[Pair], reader: Reader, *, centred: bool) -> Numbers:
    """Return each pair's cosine under its question, shape (n_pairs,)."""
    from inbedder_cli.clustering import center_and_normalize

    scores = np.zeros(len(pairs), np.float64)
    for instruction in dict.fromkeys(pair.instruction for pair in pairs):
        rows = [i for i, pair in enumerate(pairs) if pair.instruction == instruction]
        texts = list(dict.fromkeys(t for i in rows for t in (pairs[i].sentence1, pairs[i].sentence2)))
        vectors = reader.vectors(texts, instruction)
        points = center_and_normalize(vectors)[0] if centred and len(texts) > 2 else vectors
        place = {text: i for i, text in enumerate(texts)}
        first = points[[place[pairs[i].sentence1] for i in rows]]
        second = points[[place[pairs[i].sentence2] for i in rows]]
        scores[rows] = cosines(first, second)
    return scores


def _spearman_draws(scores: Numbers, gold: Numbers, draws: int = 200) -> Numbers:
    rng = np.random.default_rng(0)
    drawn = (rng.integers(0, len(gold), len(gold)) for _ in range(draws))
    return np.array([spearman(scores[rows], gold[rows]) or 0.0 for rows in drawn])
