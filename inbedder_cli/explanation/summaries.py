"""Answers -> what a cluster means: n-grams with support and lift, a label, exemplars."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering import NOISE, Clustering
from inbedder_cli.clustering.preprocess import sample_indices
from inbedder_cli.encoders.next_words import lens
from inbedder_cli.explanation.phrases import (
    LabelCheck,
    Phrase,
    check_labels,
    choose_labels,
    phrases_by_row,
    rank_phrases,
)
from inbedder_cli.explanation.stop_words import folded
from inbedder_cli.options import ExplainOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.encoders.next_words import NextWords

TEXTS = 20_000  # whose words explain clusters where there are no answers
NO_LABEL = "(no common answer)"
NOISE_LABEL = "(noise)"  # in brackets, as no phrase can be
UNANSWERED = -2  # the number of the summary of rows that do not answer, which are in no cluster
UNANSWERED_LABEL = "(no clear answer)"


@dataclass(frozen=True)
class Exemplar:
    """A row that shows what a cluster is.

    :param row: its index in the corpus, from 0, for every kind of group.
    :param nearest: for a row on the border, the cluster beyond it.
    """

    row: int
    id: str
    answer: str | None
    text: str
    nearest: int | None = None


@dataclass(frozen=True)
class AnswerShare:
    """A whole answer, in lower case, and the share of the cluster's rows that have it, 0 to 1."""

    text: str
    share: float


@dataclass(frozen=True)
class ClusterSummary:
    """What one cluster means. Noise (HDBSCAN) has number -1, no phrases, and exemplars without rank.

    :param share: of all rows that were read, 0 to 1.
    :param exemplars: central rows, the most central first.
    :param diverse: the most central row of each other frequent answer.
    :param borderline: the rows nearest to another cluster, the nearest first.
    :param check: how well the label fits; None without phrases.
    :param likely_next_words: words with which answers would rather begin here than elsewhere (`next_words.lens`).
    :param answers: the most frequent whole answers; empty where none were decoded.
    :param entropy: of the distribution of whole answers, in bits: 0 when all are the same.
    :param stability: how surely the cluster is found again in half of the rows, 0 to 1, where it was measured.
    """

    cluster: int
    label: str
    size: int
    share: float
    phrases: list[Phrase] = field(default_factory=list)
    exemplars: list[Exemplar] = field(default_factory=list)
    answers: list[AnswerShare] = field(default_factory=list)
    entropy: float | None = None
    stability: float | None = None
    diverse: list[Exemplar] = field(default_factory=list)
    borderline: list[Exemplar] = field(default_factory=list)
    check: LabelCheck | None = None
    likely_next_words: list[str] = field(default_factory=list)


def explain(
    clustering: Clustering,
    answers: Sequence[str],
    *,
    texts: Sequence[str],
    ids: Sequence[str],
    rows: Sequence[int] | None = None,
    instruction: str = "",
    options: ExplainOptions | None = None,
    show_answers: bool = True,
    n_read: int | None = None,
    phrases: Sequence[Sequence[str]] | None = None,
    next_words: NextWords | None = None,
) -> list[ClusterSummary]:
    """Explain each cluster by the n-grams that are frequent in its answers and rare in the others'.

    :param answers: one per row; or, where none were decoded, the texts themselves.
    :param texts: one per row, for exemplars.
    :param ids: one per row, for exemplars.
    :param rows: each row's index in the corpus, for exemplars; None: these are all its rows.
    :param instruction: its own words are left out of answers that hold other words too.
    :param show_answers: whether `answers` really are answers.
    :param n_read: rows of which shares are shares; None: those given.
    :param phrases: of each answer (`phrases_by_row`), where they are at hand.
    :param next_words: of each answer, where they are known.
    :return: clusters by number, noise last.
    """
    options = options or ExplainOptions()
    some = (
        np.arange(len(answers)) if show_answers else sample_indices(len(answers), TEXTS, 0)
    )  # texts hold many phrases
    counted = clustering.labels[some]
    found = phrases or phrases_by_row([answers[i] for i in some], instruction if show_answers else "", options)
    marking = rank_phrases(found, counted)
    labels = choose_labels(marking)
    checks = check_labels(found, counted, {c: ranked[0].text for c, ranked in marking.items() if ranked})
    next_words_by_cluster = lens(next_words, clustering.labels, options.phrases) if next_words else {}
    summaries = []
    for cluster in [*range(clustering.k), NOISE]:
        inside = np.flatnonzero(clustering.labels == cluster)
        if not len(inside):
            continue
        shares, entropy = answer_shares([answers[i] for i in inside.tolist()]) if show_answers else ([], None)

        def shown(chosen: Sequence[int]) -> list[Exemplar]:
            return [
                Exemplar(i if rows is None else rows[i], ids[i], answers[i] if show_answers else None, texts[i])
                for i in chosen
            ]

        central = _first_of_different(_by_value(inside, clustering.distances), texts, options.exemplars)
        diverse = (
            [] if cluster == NOISE or not show_answers else _diverse(inside, clustering, answers, central, shares)
        )
        border = [i for i in _by_value(inside, clustering.margins) if not math.isnan(clustering.margins[i])]
        borderline = _first_of_different(border, texts, options.exemplars)
        summaries.append(
            ClusterSummary(
                cluster=cluster,
                label=NOISE_LABEL if cluster == NOISE else labels.get(cluster, f"{NO_LABEL} {cluster}"),
                size=len(inside),
                share=len(inside) / (n_read or len(clustering.labels)),
                phrases=marking.get(cluster, [])[: options.phrases],
                exemplars=shown(central),
                diverse=shown(diverse[: options.exemplars]),
                borderline=[
                    replace(exemplar, nearest=int(clustering.second_cluster[i]))
                    for i, exemplar in zip(borderline, shown(borderline), strict=True)
                ],
                answers=shares[: options.phrases],
                entropy=entropy,
                stability=_stability_of(cluster, clustering),
                check=checks.get(cluster),
                likely_next_words=next_words_by_cluster.get(cluster, []),
            )
        )
    return summaries


def _diverse(
    rows: npt.NDArray[np.int64],
    clustering: Clustering,
    answers: Sequence[str],
    central: Sequence[int],
    shares: Sequence[AnswerShare],
) -> list[int]:
    """Return the most central row of each answer, the frequent answers first, of those that are not shown yet."""
    first: dict[str, int] = {}
    for row in _by_value(rows, clustering.distances):
        first.setdefault(_as_compared(answers[row]), row)
    shown = {_as_compared(answers[row]) for row in central}
    return [first[share.text] for share in shares if share.text not in shown]


def _stability_of(cluster: int, clustering: Clustering) -> float | None:
    if clustering.stability is None or cluster == NOISE or math.isnan(clustering.stability[cluster]):
        return None
    return float(clustering.stability[cluster])


def summary_of_unanswered(
    corpus: Corpus,
    answers: Sequence[str | None],
    rows: Sequence[int],
    n_read: int,
    options: ExplainOptions | None = None,
) -> ClusterSummary:
    """Return what the rows that do not answer say instead, with the first of each as exemplars.

    :param answers: one per row of the corpus.
    :param rows: those that do not answer.
    """
    options = options or ExplainOptions()
    said = {row: answers[row] or "" for row in rows}
    shares, entropy = answer_shares(list(said.values()))
    first = dict(reversed([(_as_compared(answer), row) for row, answer in said.items()]))
    chosen = [first[share.text] for share in shares[: options.exemplars]]
    return ClusterSummary(
        UNANSWERED,
        UNANSWERED_LABEL,
        len(rows),
        len(rows) / n_read,
        exemplars=[Exemplar(row, corpus.ids[row], said[row], corpus.texts[row]) for row in chosen],
        answers=shares[: options.phrases],
        entropy=entropy,
    )


def answer_shares(answers: Sequence[str]) -> tuple[list[AnswerShare], float]:
    """Return the different answers, most frequent first, and the entropy of their distribution in bits.

    >>> answer_shares(["Anger", "anger", "joy", "joy"])
    ([AnswerShare(text='anger', share=0.5), AnswerShare(text='joy', share=0.5)], 1.0)
    """
    counts = Counter(_as_compared(answer) for answer in answers)
    shares = [AnswerShare(text, n / len(answers)) for text, n in counts.items()]
    shares.sort(key=lambda s: (-s.share, s.text))
    return shares, abs(-sum(s.share * math.log2(s.share) for s in shares))


def _as_compared(answer: str) -> str:
    return " ".join(folded(answer).split())


def _by_value(rows: npt.NDArray[np.int64], values: npt.NDArray[np.float32]) -> list[int]:
    """Return the rows by their values, smallest first, those without one last."""
    return [int(row) for row in rows[np.lexsort((rows, np.nan_to_num(values[rows], nan=np.inf)))]]


def _first_of_different(rows: Sequence[int], texts: Sequence[str], n: int) -> list[int]:
    """Return the first n rows of different texts."""
    found: dict[str, int] = {}
    for row in rows:
        if len(found) == n:
            break
        found.setdefault(texts[row], row)
    return list(found.values())
