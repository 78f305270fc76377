"""Wordings of a question side by side: how they are answered, and what clusters they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering import NOISE
from inbedder_cli.explanation.stop_words import words_of
from inbedder_cli.explanation.summaries import answer_shares
from inbedder_cli.results import RowStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.results import ClusteringResult

SHORT = 3  # words of an answer that is to the point


@dataclass(frozen=True)
class Wording:
    """What one wording of a question gives.

    :param answered: share of the rows with text that answer it, 0 to 1.
    :param short: share of their answers of at most three words, 0 to 1.
    :param distinct: different answers.
    :param entropy: of their distribution, in bits.
    :param k: clusters.
    :param stability: of the clusters, mean by size; NaN without clusters.
    :param baseline: adjusted mutual information with the clusters of a neutral question: high where the wording
        changes little; None where it was not measured.
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


def describe(name: str, run: ClusteringResult) -> Wording:
    """Return what a run tells of the wording of its question."""
    status, answers = run.status, run.embeddings.answers or [None] * len(run.status)
    told = [answers[i] or "" for i, state in enumerate(status) if state in (RowStatus.ok, RowStatus.noise)]
    n_read = len(told) + status.count(RowStatus.no_answer)
    shares, entropy = answer_shares(told) if told else ([], 0.0)
    known = [(s.size, s.stability) for s in run.summaries if s.stability is not None]
    sizes, stabilities = zip(*known, strict=True) if known else ((), ())
    return Wording(
        name,
        run.instruction,
        len(told) / max(1, n_read),
        sum(len(words_of(answer)) <= SHORT for answer in told) / max(1, len(told)),
        len(shares),
        entropy,
        run.clustering.k,
        float(np.average(stabilities, weights=sizes)) if known else float("nan"),
        run.baseline.ami if run.baseline else None,
    )


def agreement(runs: Sequence[ClusteringResult]) -> list[list[float]]:
    """Return the adjusted mutual information (Vinh et al. 2010) of each two runs, on rows in clusters of both.

    NaN where either has one cluster alone among them.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    labels = [run.labels for run in runs]
    table = [[1.0] * len(runs) for _ in runs]
    for i, one in enumerate(labels):
        for j, other in enumerate(labels[:i]):
            pairs = [(a, b) for a, b in zip(one, other, strict=True) if {a, b}.isdisjoint({None, NOISE})]
            sides = tuple(zip(*pairs, strict=True)) if pairs else ((), ())
            telling = all(len(set(side)) > 1 for side in sides)
            table[i][j] = table[j][i] = float(adjusted_mutual_info_score(*sides)) if telling else float("nan")
    return table
