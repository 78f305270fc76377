"""The tests: score an encoder's vectors on one task.

Instruction awareness and robustness follow InBedder (arXiv 2402.09642), sections 4.1 and 4.2. The other tests
measure whether clusters, similarities and rankings agree with a gold standard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.evaluation.bootstrap import interval, mean_draws, v_measure_draws
from inbedder_cli.evaluation.metrics import (
    CLUSTER_METRICS,
    average_precision,
    cosines,
    harmonic_mean,
    spearman,
    triplet_successes,
    v_measure,
)
from inbedder_cli.evaluation.scores import (
    BOTH_GOALS,
    BOTH_GOALS_CENTERED,
    CORRECT,
    GAP_CORRECT,
    GAP_IMPLICIT,
    IMPLICIT,
    INCORRECT,
    MAP,
    SPEARMAN,
    SPEARMAN_CENTERED,
    SPEARMAN_RAW,
    SPREAD,
    SUCCESS,
    SUCCESS_CENTERED,
    V_MEASURE,
    Score,
)
from inbedder_cli.evaluation.settings import Part, ProtocolName

SPEARMAN_DRAWS = 200  # each sorts all pairs anew

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from inbedder_cli.evaluation.protocols import Protocol
    from inbedder_cli.evaluation.task_encoder import TaskEncoder
    from inbedder_cli.evaluation.tasks import (
        ClusteringTask,
        Goal,
        Pair,
        PairTask,
        RerankingTask,
        SimilarityTask,
        TripletTask,
    )

    Numbers = npt.NDArray[np.float64]


def score_clustering(task: ClusteringTask, encoder: TaskEncoder, protocol: Protocol) -> list[Score]:
    """Return V-measure, ARI, NMI and purity of the clusters under the task's question.

    :param task: texts with known classes.
    :param encoder: gives the vectors.
    :param protocol: how vectors become clusters.
    :return: one score per metric, the mean over the seeds; every value is None with fewer than two classes.
    """
    rows = len(task.texts)
    if task.n_classes < 2:
        return [Score(Part.clustering, task.name, metric, None, rows) for metric in CLUSTER_METRICS]
    fits = protocol.fits(encoder.vectors(task.texts, task.instruction), task.n_classes)
    scores = []
    for name, metric in CLUSTER_METRICS.items():
        values = [metric(task.labels, fitted) for fitted in fits]
        value = float(np.mean(values))
        draws = v_measure_draws(task.labels, fits) if name == V_MEASURE else None
        ends = interval(value, draws)
        std = float(np.std(values)) if len(values) > 1 else None
        scores.append(Score(Part.clustering, task.name, name, value, rows, std, *ends))
    return scores


def score_triplets(task: TripletTask, encoder: TaskEncoder, protocol: Protocol) -> list[Score]:
    """Return the share of successful triplets under each goal, and the harmonic mean over the goals.

    An encoder that ignores its instruction gets p under one goal and 1 - p under the other, so only the harmonic
    mean of both shows whether it follows instructions (InBedder, section 4.1).

    :param task: one corpus under goals that contradict each other.
    :param encoder: gives the vectors.
    :param protocol: unused. As in the reference code, cosines are of the vectors as they are, whatever the
        protocol; those of vectors centered over the texts of a goal are reported beside them.
    :return: the scores of plain vectors, then those of centered ones.
    """
    scores = []
    for success, both, center in ((SUCCESS, BOTH_GOALS, False), (SUCCESS_CENTERED, BOTH_GOALS_CENTERED, True)):
        successes = [_successes(goal, encoder, center=center) for goal in task.goals]
        draws = [mean_draws(s) for s in successes]  # the same rows, thus the same anchors, under each goal
        shares = [float(s.mean()) for s in successes]
        for goal, share, drawn in zip(task.goals, shares, draws, strict=True):
            name, rows = f"{task.name} / {goal.name}", len(goal.triplets)
            scores.append(Score(Part.awareness, name, success, share, rows, None, *interval(share, drawn)))
        if len(shares) > 1:
            value = harmonic_mean(shares)
            of_both = np.array([harmonic_mean([float(v) for v in each]) for each in zip(*draws, strict=True)])
            ends, rows = interval(value, of_both), sum(len(goal.triplets) for goal in task.goals)
            scores.append(Score(Part.awareness, task.name, both, value, rows, None, *ends))
    return scores


def _successes(goal: Goal, encoder: TaskEncoder, *, center: bool) -> npt.NDArray[np.bool_]:
    from inbedder_cli.clustering import center_and_normalize

    texts = list(dict.fromkeys(t for triplet in goal.triplets for t in triplet[1:]))
    vectors = encoder.vectors(texts, goal.instruction)
    points = center_and_normalize(vectors)[0] if center else vectors
    position = {text: i for i, text in enumerate(texts)}
    anchors, positives, negatives = (
        points[[position[triplet[column]] for triplet in goal.triplets]] for column in (1, 2, 3)
    )
    return triplet_successes(anchors, positives, negatives)


def score_pairs(task: PairTask, encoder: TaskEncoder, protocol: Protocol) -> list[Score]:
    """Return the Spearman correlation of cosine and gold similarity; it is 0 if the instruction is ignored.

    :param task: pairs of sentences whose similarity depends on the question (instruction STS).
    :param encoder: gives the vectors.
    :param protocol: unused: both ways of comparing vectors are reported.
    :return: the score of vectors centered per question, then that of plain vectors.
    """
    gold = np.array([pair.score for pair in task.pairs], np.float64)
    scores = []
    for metric, center in ((SPEARMAN_CENTERED, True), (SPEARMAN_RAW, False)):
        similarities = pair_cosines(task.pairs, encoder, center=center)
        value = spearman(similarities, gold)
        draws = None if value is None else _spearman_draws(similarities, gold)
        ends = interval(value, draws)
        scores.append(Score(Part.awareness, task.name, metric, value, len(gold), None, *ends))
    return scores


def score_similarity(task: SimilarityTask, encoder: TaskEncoder, protocol: Protocol) -> list[Score]:
    """Return the Spearman correlation of cosine and gold similarity where no aspect is asked for (plain STS).

    :param task: pairs of sentences under one general question.
    :param encoder: gives the vectors.
    :param protocol: vectors are centered under `ours`, and taken as they are under `paper`.
    :return: one score.
    """
    similarities = pair_cosines(task.pairs, encoder, center=protocol.name is ProtocolName.ours)
    value = spearman(similarities, np.array([pair.score for pair in task.pairs], np.float64))
    return [Score(Part.sts, task.name, SPEARMAN, value, len(task.pairs))]


def pair_cosines(pairs: Sequence[Pair], encoder: TaskEncoder, *, center: bool) -> Numbers:
    """Return the cosine of each pair under its own question.

    :param pairs: pairs of sentences; questions may differ.
    :param encoder: gives the vectors.
    :param center: center the vectors of each question first, unless it has at most two texts.
    :return: float64, shape (n_pairs,).
    """
    from inbedder_cli.clustering import center_and_normalize

    similarities = np.zeros(len(pairs), np.float64)
    for instruction in dict.fromkeys(pair.instruction for pair in pairs):
        rows = [i for i, pair in enumerate(pairs) if pair.instruction == instruction]
        texts = list(dict.fromkeys(t for i in rows for t in (pairs[i].sentence1, pairs[i].sentence2)))
        vectors = encoder.vectors(texts, instruction)
        points = center_and_normalize(vectors)[0] if center and len(texts) > 2 else vectors
        position = {text: i for i, text in enumerate(texts)}
        first = points[[position[pairs[i].sentence1] for i in rows]]
        second = points[[position[pairs[i].sentence2] for i in rows]]
        similarities[rows] = cosines(first, second)
    return similarities


def _spearman_draws(similarities: Numbers, gold: Numbers) -> Numbers:
    rng = np.random.default_rng(0)
    drawn = (rng.integers(0, len(gold), len(gold)) for _ in range(SPEARMAN_DRAWS))
    return np.array([spearman(similarities[rows], gold[rows]) or 0.0 for rows in drawn])


def score_robustness(task: ClusteringTask, encoder: TaskEncoder, protocol: Protocol) -> list[Score]:
    """Return the mean V-measure under correct, implicit and incorrect questions, the gaps, and the spread.

    An encoder that follows instructions does well under every correct wording, somewhat less well under a question
    that only implies the classes, and badly under a question about something else (InBedder, section 4.2).

    :param task: texts with known classes, and other questions about them.
    :param encoder: gives the vectors.
    :param protocol: how vectors become clusters.
    :return: one score per metric; the spread is the largest minus the smallest V-measure over the question and its
        paraphrases. A value is None where the task has no questions of that kind.
    """
    questions = {
        CORRECT: (task.instruction, *task.paraphrases),
        IMPLICIT: task.implicit,
        INCORRECT: task.incorrect,
    }
    rows = len(task.texts)
    values: dict[str, list[float]] = {}
    draws: dict[str, Numbers] = {}
    for metric, instructions in questions.items():
        if instructions and task.n_classes > 1:
            values[metric], draws[metric] = _v_measures(task, instructions, encoder, protocol)

    def score(metric: str, value: float | None, drawn: Numbers | None) -> Score:
        low, high = interval(value, drawn)
        return Score(Part.robustness, task.name, metric, value, rows, low=low, high=high)

    scores = [
        score(metric, float(np.mean(values[metric])) if metric in values else None, draws.get(metric))
        for metric in questions
    ]
    for gap, metric in ((GAP_CORRECT, CORRECT), (GAP_IMPLICIT, IMPLICIT)):
        if metric in values and INCORRECT in values:
            difference = float(np.mean(values[metric]) - np.mean(values[INCORRECT]))
            scores.append(score(gap, difference, draws[metric] - draws[INCORRECT]))
        else:
            scores.append(score(gap, None, None))
    wordings = values.get(CORRECT, [])
    scores.append(score(SPREAD, max(wordings) - min(wordings) if len(wordings) > 1 else None, None))
    return scores


def _v_measures(
    task: ClusteringTask, instructions: Sequence[str], encoder: TaskEncoder, protocol: Protocol
) -> tuple[list[float], Numbers]:
    """Return one V-measure per instruction, and the bootstrap draws of their mean."""
    values, draws = [], []
    for instruction in instructions:
        fits = protocol.fits(encoder.vectors(task.texts, instruction), task.n_classes)
        values.append(float(np.mean([v_measure(task.labels, fitted) for fitted in fits])))
        draws.append(v_measure_draws(task.labels, fits))
    return values, np.asarray(np.mean(draws, axis=0))


def score_reranking(task: RerankingTask, encoder: TaskEncoder, protocol: Protocol) -> list[Score]:
    """Return the mean average precision (MAP) of ranking each query's texts by cosine.

    :param task: queries, each with texts that belong to it and texts that do not.
    :param encoder: gives the vectors.
    :param protocol: whether vectors are centered.
    :return: one score; queries that lack one of the two kinds of texts are left out.
    """
    queries = [query for query in task.queries if query.positives and query.negatives]
    if not queries:
        return [Score(Part.reranking, task.name, MAP, None, 0)]
    texts = list(dict.fromkeys(t for q in queries for t in (q.text, *q.positives, *q.negatives)))
    points = protocol.points(encoder.vectors(texts, task.instruction))
    position = {text: i for i, text in enumerate(texts)}
    values = []
    for query in queries:
        others = points[[position[text] for text in (*query.positives, *query.negatives)]]
        similarities = cosines(np.repeat(points[[position[query.text]]], len(others), axis=0), others)
        values.append(average_precision(similarities, np.arange(len(others)) < len(query.positives)))
    precisions = np.array(values, np.float64)
    value = float(precisions.mean())
    ends = interval(value, mean_draws(precisions))
    return [Score(Part.reranking, task.name, MAP, value, len(queries), None, *ends)]
