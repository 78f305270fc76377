"""How a result was made: model, settings, versions, and the command that makes it again."""

from __future__ import annotations

import shlex
from importlib.metadata import version
from typing import TYPE_CHECKING

from inbedder_cli.corpus.layout import option_of
from inbedder_cli.options import EmptyTexts
from inbedder_cli.registry import algorithms
from inbedder_cli.version import __version__
from inbedder_cli.wording import visible

if TYPE_CHECKING:
    from inbedder_cli.corpus.layout import Reading
    from inbedder_cli.results import Analysis

LIBRARIES = ("torch", "transformers", "scikit-learn", "numpy")
LONGEST_COMMAND = 3000  # characters
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


def command(analysis: Analysis) -> str:
    """Return the command that makes a result again; "" where the command line cannot.

    :param analysis: the results.
    """
    result, corpus = analysis.result, analysis.corpus
    record = result.embeddings.record
    if record is None or corpus.reading is None:
        return ""
    words = ["inbedder", "cluster", corpus.source, *_reading(corpus.reading)]
    for one in analysis:
        words += ["-i", f"{one.name}={one.instruction}" if one.name else one.instruction]
    options = [one.clustering.options for one in analysis]
    if all(one.clustering.choice is None and one.clustering.options.k for one in analysis):
        words += [word for each in options for word in ("-k", str(each.k))]
    if options[0].algorithm != "kmeans":
        words += ["-a", options[0].algorithm]
        words += ["--min-cluster-size", str(options[0].min_cluster_size)] if options[0].min_cluster_size else []
    if options[0].seed:
        words += ["--seed", str(options[0].seed)]
    words += ["--multi"] if result.units else []
    words += ["-m", record.reference]
    words += ["--by", ",".join(analysis.columns)] if analysis.columns else []
    line = shlex.join(words)
    return visible(line) if len(line) <= LONGEST_COMMAND else ""


def _reading(reading: Reading) -> list[str]:
    words = [word for name in reading.text for word in ("--text", name)]
    for option, value in (
        ("--text-template", reading.text_template),
        ("--id", reading.id_column),
        ("--empty", None if reading.empty is EmptyTexts.skip else str(reading.empty)),
    ):
        words += [option, value] if value else []
    for name in reading.layout.given:
        value = getattr(reading.layout, name)
        words += [option_of(name)] if isinstance(value, bool) else [option_of(name), str(value)]
    return words
