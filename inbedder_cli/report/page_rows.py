"""The rows of the report, as the JSON document that its script reads."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.embeddings import RowStatus
from inbedder_cli.errors import UsageError
from inbedder_cli.wording import short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.report.distributions import Column
    from inbedder_cli.report.page_view import QuestionView
    from inbedder_cli.results import Analysis, ClusteringResult

LEAST = 20  # rows of each cluster that a sample holds, if it has so many
STEPS = 9999  # of a coordinate
MOST_CATEGORIES = 8  # that have a color; the others share one


def group_places(result: ClusteringResult) -> list[int]:
    """Return the place of each row's group in the table of clusters, -1 for rows without text or vector.

    :param result: one question, answered over a corpus.
    """
    places = {summary.cluster: place for place, summary in enumerate(result.summaries)}
    return [
        len(places) if status is RowStatus.no_answer else -1 if label is None else places[label]
        for label, status in zip(result.labels, result.status, strict=True)
    ]


def shown_rows(groups: Sequence[int], texts: Sequence[str], limit: int) -> list[int]:
    """Return the rows that the page holds: all, or a sample that depends on the texts alone.

    :param groups: from `group_places`; each keeps its share of the sample, and at least 20 rows.
    :param texts: one per row.
    :param limit: most rows; 0 for all.
    :return: row numbers, ascending.
    """
    if not limit or len(groups) <= limit:
        return list(range(len(groups)))
    by_group: dict[int, list[int]] = {}
    for row, group in enumerate(groups):
        by_group.setdefault(group, []).append(row)
    shown: list[int] = []
    for rows in by_group.values():
        n = min(len(rows), max(LEAST, limit * len(rows) // len(groups)))
        shown += sorted(rows, key=lambda row: (_digest(texts[row]), row))[:n]
    return sorted(shown)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()


def page_corpus(analysis: Analysis) -> Corpus:
    """Return the rows of the page: those that were given, or one for each row and answer with `multi`.

    :param analysis: the results.
    :raises UsageError: for several questions with `multi`, each of which has rows of its own.
    """
    units = [result.units for result in analysis if result.units]
    if units and len(analysis) > 1:
        raise UsageError("a report with multi takes one question", hint="write one report for each question")
    return units[0].corpus if units else analysis.corpus


def rows_document(
    analysis: Analysis,
    views: Sequence[QuestionView],
    groups: Sequence[Sequence[int]],
    columns: Sequence[Column],
    *,
    rows: Sequence[int],
    texts: bool,
) -> dict[str, Any]:
    """Return the rows of the page: texts, answers, clusters, places on the map, and chosen columns.

    :param analysis: the results, with maps.
    :param views: of the questions.
    :param groups: of each question, from `group_places`.
    :param columns: the chosen columns.
    :param rows: the rows to hold.
    :param texts: whether their texts are held.
    :return: plain JSON values; lists have one entry per row.
    """
    corpus = page_corpus(analysis)
    return {
        "total": len(corpus),
        "ids": [corpus.ids[i] for i in rows],
        "texts": [corpus.texts[i] for i in rows] if texts else None,
        "questions": [
            {
                "name": result.name,
                "clusters": [
                    {"label": c.view.label, "share": c.view.share, "outside": c.view.is_outside}
                    for c in view.clusters
                ],
                "groups": [own[i] for i in rows],
                **_places(result, rows),
                "answers": (
                    [result.embeddings.answers[i] or "" for i in rows] if result.embeddings.answers else None
                ),
            }
            for result, view, own in zip(analysis, views, groups, strict=True)
        ],
        "columns": [_column(column, rows) for column in columns],
    }


def _places(result: ClusteringResult, rows: Sequence[int]) -> dict[str, list[int]]:
    """Return the places on the map in whole steps, -1 for rows that are not on it."""
    places = np.full((len(result.status), 2), np.nan) if result.places is None else result.places
    steps = np.round((np.clip(places[list(rows)].astype(np.float64), -1, 1) + 1) / 2 * STEPS)
    x, y = np.nan_to_num(steps, nan=-1).astype(int).T.tolist() if len(rows) else ([], [])
    return {"x": x, "y": y}


def _column(column: Column, rows: Sequence[int]) -> dict[str, Any]:
    """Return a column: its different values, the place of each row's value among them, and what colors them.

    Values with an order have a place on a ramp from 0 to 1; of the others the most frequent have a color.
    """
    cells = [column.cells[i] for i in rows]
    values = list(dict.fromkeys(cell for cell in cells if cell is not None))
    places = {value: place for place, value in enumerate(values)}
    document: dict[str, Any] = {
        "name": column.name,
        "values": values,
        "rows": [-1 if cell is None else places[cell] for cell in cells],
    }
    positions = column.grouping.positions
    if positions is None:
        counts = np.bincount([places[c] for c in cells if c is not None], minlength=len(values))
        ranked = sorted(range(len(values)), key=lambda place: (-counts[place], values[place]))
        n_colors = len(values) if len(values) <= MOST_CATEGORIES else MOST_CATEGORIES - 1
        document["colored"] = ranked[:n_colors]
        return document
    known = positions[np.isfinite(positions)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    ramp: list[float | None] = [None] * len(values)
    ends: dict[float, str] = {}
    for i, cell in zip(rows, cells, strict=True):
        if cell is not None and np.isfinite(positions[i]):
            ramp[places[cell]] = round((float(positions[i]) - low) / ((high - low) or 1), 4)
    for cell, position in zip(column.cells, positions.tolist(), strict=True):
        if position in (low, high) and cell is not None:
            ends.setdefault(position, cell)
    return document | {"ramp": ramp, "ends": [short(ends.get(low, "")), short(ends.get(high, ""))]}
