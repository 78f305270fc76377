"""Clusters and rows of saved runs as Arrow tables."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from inbedder_cli.clustering import NOISE
from inbedder_cli.embeddings import RowStatus
from inbedder_cli.explanation.summaries import NOISE_LABEL, UNANSWERED, UNANSWERED_LABEL
from inbedder_cli.output.tables import DIGITS, round_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from inbedder_cli.explanation.precision import Precision
    from inbedder_cli.explanation.summaries import ClusterSummary
    from inbedder_cli.runs.saved_run import SavedQuestion, SavedRun

SAVED_ROW_COLUMNS = {
    "id": "string",
    "answer": "string",
    "confidence": "double",
    "cluster_distance": "double",
    "margin": "double",
    "text": "string",
}
CLUSTER_COLUMNS = ("cluster", "label", "label_is_weak", "size", "stability", "answers", "likely_next_words")
TOP_ANSWERS = 4  # in one cell


def saved_clusters_table(clusters: Mapping[str, Sequence[ClusterSummary]], *, lists: bool = False) -> pa.Table:
    """Return what people look up of a saved run's clusters, with their reviews if there are any: a row each.

    :param clusters: by question name, as `runs.saved_clusters.cluster_summaries` returns them.
    :param lists: whether answers and words are lists; otherwise they are joined.
    :return: number, label, whether it is weak, size, stability, answers, likely next words, and precision.
    """
    import pyarrow as pa

    is_reviewed = any(summary.precision for summaries in clusters.values() for summary in summaries)
    if not any(clusters.values()):  # no row answered
        return pa.schema([(name, pa.string()) for name in CLUSTER_COLUMNS]).empty_table()
    return pa.Table.from_pylist(
        [
            ({"question": question} if question else {})
            | {
                "cluster": summary.cluster,
                "label": summary.label,
                "label_is_weak": bool(summary.label_is_weak),
                "size": summary.size,
                "stability": summary.stability,
                "answers": [{"text": a.text, "share": round(a.share, DIGITS)} for a in summary.answers]
                if lists
                else "; ".join(f"{a.text} ({a.share:.2f})" for a in summary.answers[:TOP_ANSWERS]),
                "likely_next_words": summary.likely_next_words if lists else "; ".join(summary.likely_next_words),
            }
            | (_review(summary.precision) if is_reviewed else {})
            for question, summaries in clusters.items()
            for summary in summaries
        ]
    )


def _review(precision: Precision | None) -> dict[str, Any]:
    low, high = precision.interval() if precision else (None, None)
    return {
        "reviewed": precision.n_reviewed if precision else 0,
        "precision": round_value(precision.share) if precision else None,
        "precision_low": round_value(low),
        "precision_high": round_value(high),
    }


def saved_rows_table(run: SavedRun, question: str, cluster: str, *, borderline: bool) -> pa.Table | None:
    """Return a cluster's rows: id, answer, confidence, distance, margin and text; None without such a cluster.

    :param run: the saved run.
    :param question: the name of the question.
    :param cluster: as `SavedQuestion.number_of` takes it, or "noise" or "no-answer".
    :param borderline: whether the rows nearest to another cluster come first, instead of the most central.
    :return: the columns `SAVED_ROW_COLUMNS`, or None.
    """
    import pyarrow as pa

    saved = run.questions[question]
    number = _cluster_number(saved, cluster)
    if number is None:
        return None
    kept = [row for row in run.rows(question) if _merged_number(row, saved) == number]
    _sort(kept, saved, by="margin" if borderline else "cluster_distance")
    return pa.Table.from_pylist(kept, schema=pa.schema(SAVED_ROW_COLUMNS))


def _sort(rows: list[dict[str, Any]], saved: SavedQuestion, *, by: str) -> None:
    """Sort the rows of a cluster, the smallest values first.

    In a merged cluster they were measured in its parts, which may be tight or loose: the rank in its part decides.
    The margin of a row whose second cluster was merged into its own is not defined.
    """
    for row in rows:
        second = saved.merged.get(row["second_cluster"], row["second_cluster"])
        if row["cluster"] is not None and second == _merged_number(row, saved):
            row["margin"] = None
    rows.sort(key=lambda row: math.inf if row[by] is None else row[by])
    sizes, places = Counter(row["cluster"] for row in rows), Counter[int | None]()
    ranks = []
    for row in rows:
        places[row["cluster"]] += 1
        ranks.append((row[by] is None, (places[row["cluster"]] - 0.5) / sizes[row["cluster"]]))
    rows[:] = [row for _, row in sorted(zip(ranks, rows, strict=True), key=lambda pair: pair[0])]


def _cluster_number(saved: SavedQuestion, cluster: str) -> int | None:
    """Return the number of the cluster that a user names; labels take precedence over "noise" and "no-answer"."""
    outside = {"noise": NOISE, NOISE_LABEL: NOISE, RowStatus.no_answer: UNANSWERED, UNANSWERED_LABEL: UNANSWERED}
    number = saved.number_of(cluster)
    return (outside | {str(NOISE): NOISE}).get(cluster.casefold()) if number is None else number


def _merged_number(row: dict[str, Any], saved: SavedQuestion) -> int | None:
    if row["status"] == RowStatus.no_answer:
        return UNANSWERED
    return None if row["cluster"] is None else saved.merged.get(row["cluster"], row["cluster"])
