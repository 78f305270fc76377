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
    "ClusterOptions": "options",
    "ClusterSummary": "explanation.summaries",
    "Clustering": "clustering",
    "ClusteringResult": "results",
    "Corpus": "corpus",
    "Embeddings": "results",
    "EncodeOptions": "options",
    "Encoded": "encoders",
    "Encoder": "encoders",
    "ExplainOptions": "options",
    "InbedderError": "errors",
    "Pooling": "options",
    "UnansweredOptions": "options",
    "cluster_corpus": "pipeline",
    "cluster_texts": "pipeline",
    "corpus_from_table": "corpus",
    "embed_corpus": "pipeline",
    "explain": "explanation.summaries",
    "fit_clusters": "clustering",
    "load_encoder": "encoders",
    "read_corpus": "corpus",
    "read_vectors": "output.vectors",
    "write_vectors": "output.vectors",
}

__all__ = [
    "ClusterOptions",
    "ClusterSummary",
    "Clustering",
    "ClusteringResult",
    "Corpus",
    "Embeddings",
    "EncodeOptions",
    "Encoded",
    "Encoder",
    "ExplainOptions",
    "InbedderError",
    "Pooling",
    "UnansweredOptions",
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
    from inbedder_cli.explanation.summaries import ClusterSummary, explain
    from inbedder_cli.options import (
        ClusterOptions,
        EncodeOptions,
        ExplainOptions,
        Pooling,
        UnansweredOptions,
    )
    from inbedder_cli.output.vectors import read_vectors, write_vectors
    from inbedder_cli.pipeline import cluster_corpus, cluster_texts, embed_corpus
    from inbedder_cli.results import ClusteringResult, Embeddings


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
