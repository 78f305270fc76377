"""Wording, thresholds and order that all views of a result share, as plain values.

The terminal and the notebook only render these values; any new view should do the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inbedder_cli.clustering import NOISE, STABLE, UNSTABLE
from inbedder_cli.explanation.phrases import COVERED, contains_phrase
from inbedder_cli.explanation.summaries import UNANSWERED
from inbedder_cli.wording import percent, printable, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.explanation.phrases import Phrase
    from inbedder_cli.explanation.summaries import AnswerShare, ClusterSummary
    from inbedder_cli.results import ClusteringResult

ANSWERS_SHOWN = 4
PHRASES_SHOWN = 3
LEAST_SHOWN = 0.05  # support of a distinctive phrase in a table
WORTH_A_COLUMN = 1 / 3  # share of the clusters that have such phrases, from which the table has a column of them
WEAK = "weak label"  # how a mark of one begins


@dataclass(frozen=True)
class ClusterView:
    """One row of the table of clusters; all texts are on one line and free of control characters.

    :param number: number of the cluster, "" for noise and unanswered rows.
    :param label: its label.
    :param marks: warnings, for example "unstable 0.50".
    :param rows: how many rows it has, for example "1,234".
    :param share: of the rows with text, for example "21%".
    :param answers: its most frequent answers with their shares; without answers, words of the texts.
    :param phrases: phrases that set its answers apart, with their support, where the answers do not show them.
    :param example_id: the id of one row, "" where there is none.
    :param example: the whole text of that row.
    :param is_outside: whether the row stands for noise or unanswered rows instead of a cluster.
    """

    number: str
    label: str
    marks: list[str]
    rows: str
    share: str
    answers: list[str]
    phrases: list[str]
    example_id: str
    example: str
    is_outside: bool


def cluster_views(result: ClusteringResult) -> list[ClusterView]:
    """Return the rows of the table of clusters: the largest first, then noise, then unanswered rows.

    :param result: one question, answered over a corpus.
    :return: one view per group of rows.
    """
    return [_cluster_view(summary) for summary in result.groups]


def _cluster_view(summary: ClusterSummary) -> ClusterView:
    is_outside = summary.cluster in (NOISE, UNANSWERED)
    exemplar = summary.exemplars[0] if summary.exemplars else None
    return ClusterView(
        number="" if is_outside else str(summary.cluster),
        label=short(summary.label),
        marks=cluster_marks(summary),
        rows=f"{summary.size:,}",
        share=percent(summary.share),
        answers=_answers(summary),
        phrases=_phrases(summary),
        example_id=short(exemplar.id) if exemplar else "",
        example=printable(exemplar.text) if exemplar else "",
        is_outside=is_outside,
    )


def _answers(summary: ClusterSummary) -> list[str]:
    if summary.answers:
        return [f"{short(a.text) or '(empty)'} {percent(a.share)}" for a in summary.answers[:ANSWERS_SHOWN]]
    return [f"{short(p.text)} {percent(p.support)}" for p in summary.phrases[:ANSWERS_SHOWN]]


def _phrases(summary: ClusterSummary) -> list[str]:
    """Return the distinctive phrases that say more than the answers shown."""
    if not summary.answers:  # `_answers` shows the phrases
        return []
    shown = summary.answers[:ANSWERS_SHOWN]
    others = [p for p in summary.phrases if p.support >= LEAST_SHOWN and not any(_repeats(p, a) for a in shown)]
    return [f"{short(p.text)} {percent(p.support)}" for p in others[:PHRASES_SHOWN]]


def _repeats(phrase: Phrase, answer: AnswerShare) -> bool:
    """Return whether a phrase is an answer, or a part of one, or of a longer one, that hardly more rows have."""
    one, other = phrase.text, answer.text
    is_part = contains_phrase(one, other) or contains_phrase(other, one)
    return one == other or (is_part and answer.share >= COVERED * phrase.support)


def answers_heading(result: ClusteringResult) -> str:
    """Return the heading of the column of answers, which holds words of the texts if no answers were decoded.

    :param result: one question, answered over a corpus.
    :return: the heading.
    """
    return "words of the texts" if result.embeddings.answers is None else "answers"


def phrases_heading(views: Sequence[ClusterView]) -> str:
    """Return the heading of the column of phrases; "" where few clusters have any that their answers do not show.

    :param views: the rows of the table.
    """
    clusters = [view for view in views if not view.is_outside]
    n_with = sum(bool(view.phrases) for view in clusters)
    return "distinctive" if n_with and n_with >= WORTH_A_COLUMN * len(clusters) else ""


def cluster_marks(summary: ClusterSummary) -> list[str]:
    """Return the warnings about a cluster, with their values.

    :param summary: the summary of the cluster.
    :return: none, one or two marks.
    """
    marks = []
    if is_unstable(summary):
        marks.append(f"unstable {summary.stability:.2f}")
    if summary.label_is_weak and summary.check is None:
        marks.append(f"{WEAK}: no common answer")
    elif summary.label_is_weak and (check := summary.check):
        is_common = check.coverage <= check.elsewhere or check.f1 is None
        marks.append(f"{WEAK}: as frequent elsewhere" if is_common else f"{WEAK} {check.f1:.2f}")
    return marks


def is_unstable(summary: ClusterSummary) -> bool:
    """Return whether a cluster is not found again in random halves of the data, after rounding to two digits.

    :param summary: the summary of the cluster.
    :return: False where stability was not measured.
    """
    return summary.stability is not None and round(summary.stability, 2) < UNSTABLE


def is_stable(summary: ClusterSummary) -> bool:
    """Return whether a cluster is found again in random halves of the data, after rounding to two digits.

    Between the two bounds a cluster is neither stable nor unstable.

    :param summary: the summary of the cluster.
    :return: False where stability was not measured.
    """
    return summary.stability is not None and round(summary.stability, 2) >= STABLE
