"""Cluster texts by their answers to your question.

    from inbedder_cli import InBedder

    model = InBedder("What emotion is expressed?", n_clusters=8)
    df["emotion"] = model.fit_predict(df["text"])
    model.result_

The same in steps: `read_corpus`, `load_encoder`, `embed`, `cluster`, `explain`; and for several questions at once:
`analyze`. Names are imported when they are first used: `import inbedder_cli` alone loads nothing else.
"""

from __future__ import annotations

from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING

from inbedder_cli.version import __version__

_HOMES = {
    "Analysis": "results",
    "ClusterOptions": "options",
    "ClusterSummary": "explanation.summaries",
    "Clustering": "clustering",
    "ClusteringResult": "results",
    "ConsoleReporter": "progress",
    "Corpus": "corpus",
    "Embeddings": "embeddings",
    "EncodeOptions": "options",
    "Encoded": "encoders",
    "Encoder": "encoders",
    "ExplainOptions": "options",
    "InBedder": "estimator",
    "InbedderError": "errors",
    "Pooling": "options",
    "ReportOptions": "options",
    "RowStatus": "embeddings",
    "UnansweredOptions": "options",
    "analyze": "pipeline",
    "assign": "runs.assignment",
    "cluster": "pipeline",
    "corpus_from_table": "corpus",
    "embed": "pipeline",
    "explain": "pipeline",
    "fit_clusters": "clustering",
    "flag_unanswered": "pipeline",
    "load_encoder": "encoders",
    "load_run": "runs.saved_run",
    "read_corpus": "corpus",
    "read_vectors": "output.vectors",
    "tune": "pipeline",
    "write_vectors": "output.vectors",
}

__all__ = [
    "Analysis",
    "ClusterOptions",
    "ClusterSummary",
    "Clustering",
    "ClusteringResult",
    "ConsoleReporter",
    "Corpus",
    "Embeddings",
    "EncodeOptions",
    "Encoded",
    "Encoder",
    "ExplainOptions",
    "InBedder",
    "InbedderError",
    "Pooling",
    "ReportOptions",
    "RowStatus",
    "UnansweredOptions",
    "__version__",
    "analyze",
    "assign",
    "cluster",
    "corpus_from_table",
    "embed",
    "explain",
    "fit_clusters",
    "flag_unanswered",
    "load_encoder",
    "load_run",
    "read_corpus",
    "read_vectors",
    "tune",
    "write_vectors",
]

if TYPE_CHECKING:
    from inbedder_cli.clustering import Clustering, fit_clusters
    from inbedder_cli.corpus import Corpus, corpus_from_table, read_corpus
    from inbedder_cli.embeddings import Embeddings, RowStatus
    from inbedder_cli.encoders import Encoded, Encoder, load_encoder
    from inbedder_cli.errors import InbedderError
    from inbedder_cli.estimator import InBedder
    from inbedder_cli.explanation.summaries import ClusterSummary
    from inbedder_cli.options import (
        ClusterOptions,
        EncodeOptions,
        ExplainOptions,
        Pooling,
        ReportOptions,
        UnansweredOptions,
    )
    from inbedder_cli.output.vectors import read_vectors, write_vectors
    from inbedder_cli.pipeline import analyze, cluster, embed, explain, flag_unanswered, tune
    from inbedder_cli.progress import ConsoleReporter
    from inbedder_cli.results import Analysis, ClusteringResult
    from inbedder_cli.runs.assignment import assign
    from inbedder_cli.runs.saved_run import load_run


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    member = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    if isinstance(member, FunctionType):
        from inbedder_cli.python_terms import in_python_terms

        member = in_python_terms(member)
        member.__module__ = __name__  # where pickle finds it
    globals()[name] = member
    return member


def __dir__() -> list[str]:
    return sorted(__all__)
