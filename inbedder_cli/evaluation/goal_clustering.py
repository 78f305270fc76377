"""Goal-driven clustering: whether the clusters under a question agree with the classes that it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.evaluation.bootstrap import interval, v_measure_draws
from inbedder_cli.evaluation.metrics import CLUSTER_METRICS
from inbedder_cli.evaluation.scores import Score
from inbedder_cli.evaluation.settings import Part

if TYPE_CHECKING:
    from inbedder_cli.evaluation.protocols import Protocol
    from inbedder_cli.evaluation.reader import Reader
    from inbedder_cli.evaluation.tasks import ClusteringTask


def score_clustering(task: ClusteringTask, reader: Reader, protocol: Protocol) -> list[Score]:
    """Return V-measure, ARI, NMI and purity, each the mean over seeds; all None with fewer than two classes."""
    rows = len(task.texts)
    if task.n_classes < 2:
        return [Score(Part.clustering, task.name, metric, None, rows) for metric in CLUSTER_METRICS]
    fits = protocol.fits(reader.vectors(task.texts, task.instruction), task.n_classes)
    figures = []
    for name, metric in CLUSTER_METRICS.items():
        scores = [metric(task.labels, fitted) for fitted in fits]
        value = float(np.mean(scores))
        draws = v_measure_draws(task.labels, fits) if name == "V-measure" else None
        ends = interval(value, draws)
        std = float(np.std(scores)) if len(scores) > 1 else None
        figures.append(Score(Part.clustering, task.name, name, value, rows, std, *ends))
    return figures
