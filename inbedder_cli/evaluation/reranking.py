"""Reranking: are the texts that belong to a query nearer to it than the others? (the paper's generic tasks)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.evaluation.bootstrap import interval, mean_draws
from inbedder_cli.evaluation.metrics import average_precision, cosines
from inbedder_cli.evaluation.scores import Score
from inbedder_cli.evaluation.settings import Part

if TYPE_CHECKING:
    from inbedder_cli.evaluation.protocols import Protocol
    from inbedder_cli.evaluation.reader import Reader
    from inbedder_cli.evaluation.tasks import RerankingTask


def score_reranking(task: RerankingTask, reader: Reader, protocol: Protocol) -> list[Score]:
    """Return the mean over queries of average precision (MAP); a query without both kinds of texts is left out."""
    queries = [query for query in task.queries if query.positives and query.negatives]
    if not queries:
        return [Score(Part.reranking, task.name, "MAP", None, 0)]
    texts = list(dict.fromkeys(t for q in queries for t in (q.text, *q.positives, *q.negatives)))
    points = protocol.points(reader.vectors(texts, task.instruction))
    place = {text: i for i, text in enumerate(texts)}
    found = []
    for query in queries:
        others = points[[place[text] for text in (*query.positives, *query.negatives)]]
        scores = cosines(np.repeat(points[[place[query.text]]], len(others), axis=0), others)
        found.append(average_precision(scores, np.arange(len(others)) < len(query.positives)))
    precisions = np.array(found, np.float64)
    value = float(precisions.mean())
    ends = interval(value, mean_draws(precisions))
    return [Score(Part.reranking, task.name, "MAP", value, len(queries), None, *ends)]
