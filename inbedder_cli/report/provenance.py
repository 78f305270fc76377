"""How a result was made: model, settings, versions, and the command that makes it again."""

from __future__ import annotations

import csv
import io
import shlex
from importlib.metadata import version
from typing import TYPE_CHECKING

from inbedder_cli.corpus.layout import option_of
from inbedder_cli.corpus.opening import STDIN, STDIN_NAME
from inbedder_cli.options import ClusterOptions, EmptyTexts, EncodeOptions, UnansweredOptions
from inbedder_cli.registry import algorithms
from inbedder_cli.version import __version__
from inbedder_cli.wording import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.corpus.layout import Reading
    from inbedder_cli.results import Analysis

LIBRARIES = ("torch", "transformers", "scikit-learn", "numpy")
IN_MEMORY = ("DataFrame", "Arrow table")  # what a corpus is made of is its source where there is no file
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
    if record is None or corpus.reading is None or corpus.source in IN_MEMORY:
        return ""
    source = STDIN if corpus.source == STDIN_NAME else corpus.source
    words = ["inbedder", "cluster", source, *_reading(corpus.reading)]
    for one in analysis:
        words += ["-i", f"{one.name}={one.instruction}" if one.name else one.instruction]
    options = [one.clustering.options for one in analysis]
    given = [one.clustering.choice is None and (one.clustering.options.k or 0) > 1 for one in analysis]
    if any(given):
        numbers = [str(each.k) if is_given else "auto" for each, is_given in zip(options, given, strict=True)]
        words += [word for number in numbers for word in ("-k", number)]
    selecting = next((each for each, is_given in zip(options, given, strict=True) if not is_given), None)
    if selecting is not None:
        words += _changed(selecting, ClusterOptions, "k_min", "k_max")
    words += _changed(options[0], ClusterOptions, "algorithm", "seed", "consensus", "stability")
    if not algorithms[options[0].algorithm].takes_k:
        words += _changed(options[0], ClusterOptions, "min_cluster_size")
    words += _changed(result.unanswered_options, UnansweredOptions, "min_confidence")
    words += [] if result.unanswered_options.flag else ["--no-flag-unanswered"]
    names = ("pooling", "layer", "max_tokens", "max_answer_tokens")
    words += _changed(result.embeddings.options, EncodeOptions, *names)
    words += ["--multi"] if result.units else []
    words += ["-m", record.reference, "--dtype", record.dtype]
    words += ["--template", record.template] if record.template else []
    words += ["--by", _joined(result.columns)] if result.columns else []
    line = " ".join(map(_quoted, words))
    return line if len(line) <= LONGEST_COMMAND else ""


def _quoted(word: str) -> str:
    """Return a word as a shell reads it; one with characters that cannot be seen is written with escapes."""
    shown = visible(word)
    if shown == word:
        return shlex.quote(word)
    return "$'" + visible(word.replace("\\", "\\\\").replace("'", "\\'")) + "'"


def _joined(names: Sequence[str]) -> str:
    """Return names with commas between them; those that hold one are in double quotes, as in CSV."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue()


def _changed(given: object, kind: type, *names: str) -> list[str]:
    """Return the options whose values are not the defaults of their class."""
    words = []
    for name in names:
        value, option = getattr(given, name), name.replace("_", "-")
        if value == getattr(kind, name):
            continue
        words += (
            [f"--{option}" if value else f"--no-{option}"]
            if isinstance(value, bool)
            else [f"--{option}", str(value)]
        )
    return words


def _reading(reading: Reading) -> list[str]:
    words = [word for name in reading.text for word in ("--text", name)]
    for option, value in (
        ("--text-template", reading.text_template),
        ("--id", reading.id_column),
        ("--limit", reading.limit and str(reading.limit)),
        ("--sample", reading.sample and str(reading.sample)),
        ("--input-format", reading.input_format),
        ("--empty", None if reading.empty is EmptyTexts.skip else str(reading.empty)),
    ):
        words += [option, value] if value else []
    for name in reading.layout.given:
        value = getattr(reading.layout, name)
        words += [option_of(name)] if isinstance(value, bool) else [option_of(name), str(value)]
    return words
