"""Place the rows of results on their maps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.progress import SILENT
from inbedder_cli.projection import RowMap

if TYPE_CHECKING:
    from inbedder_cli.progress import Reporter
    from inbedder_cli.results import Analysis, ClusteringResult


def with_maps(analysis: Analysis, reporter: Reporter = SILENT) -> Analysis:
    """Return the analysis with the rows of each question placed on a map; questions that have one keep it.

    :param analysis: the results.
    :param reporter: receives progress: t-SNE of many rows takes seconds.
    """
    if all(result.places is not None for result in analysis):
        return analysis
    with reporter.task("placing rows on a map", None):
        return replace(analysis, results={name: place_rows(result) for name, result in analysis.results.items()})


def place_rows(result: ClusteringResult) -> ClusteringResult:
    """Return the result with its rows placed on a map: those in clusters, noise and unanswered rows.

    :param result: the result of one question; one that has a map keeps it.
    """
    if result.places is not None:
        return result
    corpus, vectors = result.corpus, result.embeddings.vectors
    rows = sorted([*result.rows, *result.embeddings.unanswered])
    places = np.full((len(corpus), 2), np.nan, np.float32)
    row_map = result.row_map
    if rows:
        texts = [corpus.texts[i] for i in rows]
        placed = vectors if len(rows) == len(vectors) else vectors[rows]  # a copy would take as much memory again
        row_map = row_map or RowMap.fit(placed, texts)
        places[rows] = row_map.place(placed, texts)
    return replace(result, row_map=row_map, places=places)
