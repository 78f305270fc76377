"""Compare wordings of a question: their answers, their clusters, and their agreement."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering import NOISE
from inbedder_cli.explanation.stop_words import words_of
from inbedder_cli.explanation.summaries import answer_shares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.results import ClusteringResult

SHORT = 3  # maximum number of words of a short answer
LEAST_DIFFERENCES = {"answered": 0.05, "short": 0.05, "stability": 0.1, "baseline": 0.1}


@dataclass(frozen=True)
class Wording:
    """Measures of one wording of a question.

    :param name: name of the wording.
    :param instruction: the question itself.
    :param answered: share of the rows with text that answer it, 0 to 1.
    :param short: share of these answers that have at most three words, 0 to 1.
    :param distinct: number of different answers.
    :param entropy: entropy of the distribution of answers, in bits.
    :param k: number of clusters.
    :param stability: mean stability of the clusters, weighted by size, 0 to 1; NaN without clusters.
    :param baseline: adjusted mutual information with the clusters of the question-blind baseline, high if the
        question changes little; None if it was not measured.
    """

    name: str
    instruction: str
    answered: float
    short: float
    distinct: int
    entropy: float
    k: int
    stability: float
    baseline: float | None


def describe(name: str, result: ClusteringResult) -> Wording:
    """Return the measures of the wording of a question.

    :param name: name of the wording.
    :param result: the clusters that it gives.
    :return: the measures.
    """
    all_answers = result.embeddings.answers or [None] * len(result.status)
    answers = [all_answers[row] or "" for row in result.rows]
    n_unanswered = result.unanswered.size if result.unanswered else 0
    shares, entropy = answer_shares(answers) if answers else ([], 0.0)
    measured = [(s.size, s.stability) for s in result.summaries if s.stability is not None]
    sizes, stabilities = zip(*measured, strict=True) if measured else ((), ())
    return Wording(
        name,
        result.instruction,
        len(answers) / max(1, len(answers) + n_unanswered),
        sum(len(words_of(answer)) <= SHORT for answer in answers) / max(1, len(answers)),
        len(shares),
        entropy,
        result.clustering.k,
        float(np.average(stabilities, weights=sizes)) if measured else float("nan"),
        result.baseline.ami if result.baseline else None,
    )


def preferences(wordings: Sequence[Wording]) -> dict[str, list[str]]:
    """Return which wordings each measure speaks for.

    More rows that answer, more short answers and steadier clusters speak for a wording, and so does less agreement
    with the baseline: its clusters come from the question. Wordings are as good as the best if they lack less than
    `LEAST_DIFFERENCES`; the baseline is measured on a sample, and stability by random halves.

    :param wordings: of one question.
    :return: for each measure that all wordings have, the names of those that are as good as the best.
    """
    favored = {}
    for measure, least in LEAST_DIFFERENCES.items():
        values = {wording.name: getattr(wording, measure) for wording in wordings}
        if any(value is None or math.isnan(value) for value in values.values()):
            continue
        goodness = {name: -value if measure == "baseline" else value for name, value in values.items()}
        best = max(goodness.values())
        favored[measure] = [name for name, value in goodness.items() if round(best - value, 6) < least]
    return favored


def agreement(results: Sequence[ClusteringResult]) -> list[list[float]]:
    """Return the adjusted mutual information (Vinh et al. 2010) of every two clusterings of a corpus.

    Two clusterings are compared on the rows that are in a cluster of both.

    :param results: the clusterings.
    :return: a symmetric matrix, shape (len(results), len(results)); NaN where one of the two has fewer than two
        clusters on these rows.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    labels = [result.labels for result in results]
    table = [[1.0] * len(results) for _ in results]
    for i, one in enumerate(labels):
        for j, other in enumerate(labels[:i]):
            pairs = [(a, b) for a, b in zip(one, other, strict=True) if {a, b}.isdisjoint({None, NOISE})]
            sides = tuple(zip(*pairs, strict=True)) if pairs else ((), ())
            varying = all(len(set(side)) > 1 for side in sides)
            table[i][j] = table[j][i] = float(adjusted_mutual_info_score(*sides)) if varying else float("nan")
    return table
