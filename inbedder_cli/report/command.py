"""The command that makes a result again, from an analysis or from the manifest of a saved run."""

from __future__ import annotations

import csv
import io
import shlex
from typing import TYPE_CHECKING, NamedTuple

from inbedder_cli.corpus.layout import option_of
from inbedder_cli.corpus.opening import STDIN, STDIN_NAME
from inbedder_cli.encoders import ModelRecord
from inbedder_cli.options import ClusterOptions, EmptyTexts, EncodeOptions, ExplainOptions, UnansweredOptions
from inbedder_cli.registry import algorithms
from inbedder_cli.wording import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.corpus.layout import Reading
    from inbedder_cli.results import Analysis

IN_MEMORY = ("DataFrame", "Arrow table")  # what a corpus is made of is its source where there is no file
LONGEST = 3000  # characters


class AskedQuestion(NamedTuple):
    """A question as it was asked, and how its answers were clustered.

    :param name: "" for the only one.
    :param instruction: the question.
    :param options: how vectors were clustered.
    :param k_is_selected: whether the number of clusters was chosen by the program.
    """

    name: str
    instruction: str
    options: ClusterOptions
    k_is_selected: bool


def command_of(analysis: Analysis) -> str:
    """Return the command that makes a result again; "" where the command line cannot.

    :param analysis: the results.
    """
    result, corpus = analysis.result, analysis.corpus
    record = result.embeddings.record
    if record is None or corpus.reading is None:
        return ""
    questions = [
        AskedQuestion(one.name, one.instruction, one.clustering.options, one.clustering.choice is not None)
        for one in analysis
    ]
    return cluster_command(
        corpus.source,
        questions,
        record,
        reading=corpus.reading,
        encode_options=result.embeddings.options,
        unanswered_options=result.unanswered_options,
        explain_options=result.explain_options,
        by=result.columns,
        multi=result.units is not None,
    )


def cluster_command(
    source: str,
    questions: Sequence[AskedQuestion],
    record: ModelRecord,
    *,
    reading: Reading | None,
    encode_options: EncodeOptions,
    unanswered_options: UnansweredOptions,
    explain_options: ExplainOptions,
    by: Sequence[str] = (),
    multi: bool = False,
    save: str | None = None,
) -> str:
    """Return a command for a shell; "" where the command line cannot say it, or it would be very long.

    :param source: of the corpus.
    :param questions: in their order.
    :param record: how the encoder is loaded.
    :param reading: how the file was read; None where that is not known.
    :param encode_options: how rows were encoded.
    :param unanswered_options: which answers counted as unanswered.
    :param explain_options: how clusters were explained.
    :param by: columns that the clusters were crossed with.
    :param multi: whether a row could have several answers.
    :param save: folder of the saved run that is replaced.
    """
    if source in IN_MEMORY or isinstance(explain_options.stop_words, tuple) or not encode_options.answers:
        return ""
    words = [
        "inbedder",
        "cluster",
        STDIN if source == STDIN_NAME else source,
        *(_reading(reading) if reading else ()),
    ]
    for one in questions:
        words += ["-i", f"{one.name}={one.instruction}" if one.name else one.instruction]
    words += _numbers_of_clusters(questions)
    first = questions[0].options
    words += _changed(first, ClusterOptions, "algorithm", "seed", "consensus", "stability")
    if not algorithms[first.algorithm].takes_k:
        words += _changed(first, ClusterOptions, "min_cluster_size")
    words += _changed(unanswered_options, UnansweredOptions, "min_confidence")
    words += [] if unanswered_options.flag else ["--no-flag-unanswered"]
    words += _changed(explain_options, ExplainOptions, "stop_words", "exemplars")
    names = ("pooling", "layer", "max_tokens", "max_answer_tokens")
    words += _changed(encode_options, EncodeOptions, *names)
    words += ["--multi"] if multi else []
    words += ["-m", record.reference]
    words += _changed(record, ModelRecord, "dtype")
    words += ["--template", record.template] if record.template else []
    words += ["--by", _joined(by)] if by else []
    words += ["--save", save, "--force"] if save else []
    line = " ".join(map(_quoted, words))
    return line if len(line) <= LONGEST else ""


def _numbers_of_clusters(questions: Sequence[AskedQuestion]) -> list[str]:
    """Return -k for each question, unless all numbers are selected; one cluster cannot be asked for."""
    given = [not one.k_is_selected and (one.options.k or 0) > 1 for one in questions]
    words = []
    if any(given):
        for one, is_given in zip(questions, given, strict=True):
            words += ["-k", str(one.options.k) if is_given else "auto"]
    selecting = next((one for one, is_given in zip(questions, given, strict=True) if not is_given), None)
    return words if selecting is None else words + _changed(selecting.options, ClusterOptions, "k_min", "k_max")


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
