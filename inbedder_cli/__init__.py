"""Cluster texts by their answers to your question.

    from inbedder_cli import cluster_texts, load_encoder, read_corpus

    corpus = read_corpus("sample_data/reviews.csv", id_column="id")
    run = cluster_texts(corpus, "What emotion is expressed?", load_encoder())
    for cluster in run.summaries:
        print(cluster.label, cluster.size)

Names are imported when first used: `import inbedder_cli` alone costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "AbstainOptions": "options",
    "Algorithm": "options",
    "ClusterOptions": "options",
    "ClusterRun": "pipeline",
    "ClusterSummary": "explain",
    "Clustering": "clustering",
    "Corpus": "corpus",
    "corpus_from_table": "corpus",
    "Embedding": "pipeline",
    "EncodeOptions": "options",
    "Encoded": "encoders",
    "Encoder": "encoders",
    "ExplainOptions": "options",
    "InbedderError": "errors",
    "Readout": "options",
    "cluster_corpus": "pipeline",
    "cluster_texts": "pipeline",
    "embed_corpus": "pipeline",
    "explain": "explain",
    "fit_clusters": "clustering",
    "load_encoder": "encoders",
    "read_corpus": "corpus",
    "read_vectors": "vectors",
    "write_vectors": "vectors",
}

__all__ = [
    "AbstainOptions",
    "Algorithm",
    "ClusterOptions",
    "ClusterRun",
    "ClusterSummary",
    "Clustering",
    "Corpus",
    "Embedding",
    "EncodeOptions",
    "Encoded",
    "Encoder",
    "ExplainOptions",
    "InbedderError",
    "Readout",
    "__version__",
    "cluster_corpus",
    "cluster_texts",
    "corpus_from_table",
    "embed_corpus",
    "explain",
    "fit_clusters",
    "load_encoder",
    "read_corpus",
    "read_vectors",
    "write_vectors",
]

if TYPE_CHECKING:
    from inbedder_cli.clustering import Clustering, fit_clusters
    from inbedder_cli.corpus import Corpus, corpus_from_table, read_corpus
    from inbedder_cli.encoders import Encoded, Encoder, load_encoder
    from inbedder_cli.errors import InbedderError
    from inbedder_cli.explain import ClusterSummary, explain
    from inbedder_cli.options import (
        AbstainOptions,
        Algorithm,
        ClusterOptions,
        EncodeOptions,
        ExplainOptions,
        Readout,
    )
    from inbedder_cli.pipeline import ClusterRun, Embedding, cluster_corpus, cluster_texts, embed_corpus
    from inbedder_cli.vectors import read_vectors, write_vectors


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
