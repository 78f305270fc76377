"""The clusters of a saved run as summaries, after the user's renames and merges."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from inbedder_cli.clustering import NOISE
from inbedder_cli.explanation.labels import LabelCheck
from inbedder_cli.explanation.phrases import Phrase
from inbedder_cli.explanation.summaries import AnswerShare, ClusterSummary, Exemplar
from inbedder_cli.runs.reviews import precisions, read_judgments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inbedder_cli.runs.saved_run import SavedRun
    from inbedder_cli.runs.schema import Answer, Cluster, SavedExemplar


def cluster_summaries(run: SavedRun, name: str, first: Mapping[str, int] | None = None) -> list[ClusterSummary]:
    """Return the clusters of a question with the user's names and reviews, those that were merged as one.

    The largest come first, noise last.

    :param run: the saved run.
    :param name: name of the question.
    :param first: index of the first row of each id; None where nobody asks which rows the exemplars are.
    """
    question, saved, first = run.manifest.questions[name], run.questions[name], first or {}
    reviewed = precisions(run, name, read_judgments(run))
    parts: dict[int, list[Cluster]] = defaultdict(list)
    for cluster in question.clusters:
        parts[saved.merged.get(cluster.cluster, cluster.cluster)].append(cluster)
    summaries = []
    for cluster in question.clusters:
        number, check = cluster.cluster, cluster.label_check
        if number in saved.merged:
            continue
        summary = ClusterSummary(
            cluster=number,
            label=saved.names.get(number, cluster.label),
            size=cluster.size,
            share=cluster.share,
            phrases=[Phrase(p.text, p.support, p.lift, p.score) for p in cluster.phrases],
            exemplars=exemplars_of(cluster.exemplars, first),
            answers=answer_shares(cluster.answers),
            entropy=cluster.entropy,
            stability=cluster.stability,
            diverse=exemplars_of(cluster.diverse, first),
            borderline=exemplars_of(cluster.borderline, first, saved.merged),
            check=None if check is None else LabelCheck(**msgspec.structs.asdict(check)),
            label_is_weak=None if number == NOISE else number in saved.weak,
            likely_next_words=cluster.likely_next_words,
            precision=reviewed.get(number),
        )
        merged, size = parts[number], saved.counts[number]
        if len(merged) > 1:
            summary = _joined(summary, merged, size, size / max(1, saved.n_read))
        summaries.append(summary)
    return sorted(summaries, key=lambda summary: (summary.cluster == NOISE, -summary.size))


def _joined(summary: ClusterSummary, parts: Sequence[Cluster], size: int, share: float) -> ClusterSummary:
    """Return the summary of clusters that were merged; what was measured of each alone is left out."""
    n_answers = sum(part.size for part in parts)
    shares: dict[str, float] = defaultdict(float)
    for part in parts:
        for answer in part.answers:
            shares[answer.text] += answer.share * part.size / max(1, n_answers)
    return replace(
        summary,
        size=size,
        share=share,
        answers=[AnswerShare(*pair) for pair in sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))],
        phrases=[],
        borderline=[],
        entropy=None,
        stability=None,
        check=None,
    )


def answer_shares(answers: Sequence[Answer]) -> list[AnswerShare]:
    """Return answers with their shares.

    :param answers: as a run holds them.
    """
    return [AnswerShare(answer.text, answer.share) for answer in answers]


def exemplars_of(
    exemplars: Sequence[SavedExemplar], first: Mapping[str, int], merged: Mapping[int, int] | None = None
) -> list[Exemplar]:
    """Return exemplars.

    :param exemplars: as a run holds them.
    :param first: index of the first row of each id.
    :param merged: target by merged cluster, for the clusters nearest to borderline rows.
    """
    into: dict[int | None, int | None] = dict((merged or {}).items())
    return [
        Exemplar(first.get(e.id, 0), e.id, e.answer, e.text, into.get(e.nearest, e.nearest)) for e in exemplars
    ]
