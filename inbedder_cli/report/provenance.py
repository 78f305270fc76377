"""How a result was made: model, settings and versions, and the limits of what it says."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from inbedder_cli.registry import algorithms
from inbedder_cli.version import __version__

if TYPE_CHECKING:
    from inbedder_cli.results import Analysis

LIBRARIES = ("torch", "transformers", "scikit-learn", "numpy")
LIMITS = (
    "A language model read every text and answered the question in a few words. It can misread a text: look at "
    "the rows before you act on a cluster.",
    "On the map, texts that are close are answered alike. Distances between far clusters, and directions, mean "
    "nothing.",
    "A cluster marked unstable would come out otherwise with other texts. A weak label describes few of them.",
    "Clusters describe these texts. They say nothing of people who did not write one.",
)


def facts(analysis: Analysis) -> list[tuple[str, str]]:
    """Return what a result was made of and with: pairs of a name and a value.

    :param analysis: the results.
    """
    result = analysis.result
    embeddings, options = result.embeddings, result.clustering.options
    listed = [
        ("text", ", ".join(analysis.corpus.text_columns)),
        ("rows", f"{len(analysis.corpus):,}, of which {len(analysis.corpus.readable):,} have a text"),
        ("model", analysis.model),
        ("algorithm", algorithms[options.algorithm].describe(options)),
        ("seed", str(options.seed)),
        ("longest prompt", f"{embeddings.options.max_tokens:,} tokens"),
        ("truncated texts", f"{embeddings.n_truncated:,}" if embeddings.n_truncated else ""),
        ("versions", ", ".join([f"inbedder {__version__}", *(f"{name} {version(name)}" for name in LIBRARIES)])),
    ]
    return [(name, value) for name, value in listed if value]
