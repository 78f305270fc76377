"""Vectors -> clusters: center and normalize, then KMeans, HDBSCAN or another registered algorithm."""

from __future__ import annotations

from inbedder_cli.clustering.base import ClusterAlgorithm
from inbedder_cli.clustering.fit import (
    Clustering,
    check_options,
    check_tunable,
    distances_to,
    fit_clusters,
    no_clusters,
    sweep,
)
from inbedder_cli.clustering.idle_options import check_idle_options, idle_names
from inbedder_cli.clustering.preprocess import NOISE, center_and_normalize
from inbedder_cli.clustering.select_k import ROWS_PER_CLUSTER, KScore, KSelection, SizeScore
from inbedder_cli.clustering.stability import STABLE, UNSTABLE
from inbedder_cli.registry import algorithms

__all__ = [
    "NOISE",
    "ROWS_PER_CLUSTER",
    "STABLE",
    "UNSTABLE",
    "ClusterAlgorithm",
    "Clustering",
    "KScore",
    "KSelection",
    "SizeScore",
    "algorithms",
    "center_and_normalize",
    "check_idle_options",
    "check_options",
    "check_tunable",
    "distances_to",
    "fit_clusters",
    "idle_names",
    "no_clusters",
    "sweep",
]
