"""What is asked of a corpus: questions by name, their options, and whether they can be carried out."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from inbedder_cli.clustering import check_idle_options, check_options
from inbedder_cli.corpus.columns import values_at
from inbedder_cli.diagnostics.groupings import column_grouping, split_bins
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import ClusterOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.diagnostics.groupings import Grouping

NAME = re.compile(r"[^\W\d]\w*")
NO_NAME = '"{}" is no name of a question: one has letters, digits and underscores'


def named_instructions(instructions: str | Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """Return questions by name: "" for the only one, q1, q2, ... for several without names.

    :param instructions: one question, a list, or a mapping from names.
    :raises UsageError: when there is none, or a name that a column cannot begin with.
    """
    if isinstance(instructions, str):
        instructions = [instructions]
    if not isinstance(instructions, Mapping):
        several = len(instructions) > 1
        instructions = {f"q{i}" if several else "": one for i, one in enumerate(instructions, start=1)}
    if not instructions:
        raise UsageError("no instruction", hint='ask a question: "What emotion is expressed?"')
    for name, instruction in instructions.items():
        if not isinstance(instruction, str):
            raise UsageError(f"an instruction must be a text, not {instruction!r}")
        if name and not NAME.fullmatch(name):
            better = name_like(name)
            raise UsageError(NO_NAME.format(name), hint=better and f'for example "{better}"')
    return dict(instructions)


def name_like(name: str) -> str:
    """Return a name that a question can have.

    >>> name_like("my mood"), name_like("2024")
    ('my_mood', '')

    :param name: what was given as one.
    :return: "" where nothing is left of it.
    """
    return re.sub(r"\W+", "_", name).lstrip("_0123456789").rstrip("_")


def options_by_question(
    options: ClusterOptions | Sequence[ClusterOptions] | None, questions: Mapping[str, str]
) -> dict[str, ClusterOptions]:
    """Return the clustering options by question.

    :param options: one for all questions, a list with one per question, or None for the defaults.
    :param questions: the questions by name.
    :raises UsageError: for a list of the wrong length.
    """
    if options is None or isinstance(options, ClusterOptions):
        return dict.fromkeys(questions, options or ClusterOptions())
    if isinstance(options, str) or not all(isinstance(one, ClusterOptions) for one in options):
        way = f"ClusterOptions(algorithm={options!r})" if isinstance(options, str) else "give one or a list"
        raise UsageError("cluster_options must be ClusterOptions", hint=way)
    if len(options) != len(questions):
        raise UsageError(f"{len(options)} cluster options for {len(questions)} questions")
    return dict(zip(questions, options, strict=True))


def check_analysis(
    corpus: Corpus,
    options: Iterable[ClusterOptions],
    by: Sequence[str] = (),
    *,
    questions: Iterable[str] = (),
    multi: bool = False,
) -> list[Grouping]:
    """Check options and columns before any row is encoded.

    :param corpus: the rows.
    :param options: the clustering options of each question.
    :param by: columns of the corpus to cross the clusters with.
    :param questions: names of the questions, which tables call their clusters by.
    :param multi: whether a row may be in several clusters.
    :return: these columns as groupings of the rows.
    :raises UsageError: for invalid options, or columns to cross with `multi`.
    :raises InputError: for an unknown column, or fewer rows with text than clusters.
    """
    if multi and by:
        raise UsageError(
            "by crosses clusters of which each row is in one; with multi a row may be in several",
            hint="leave out one of them; or cross the lines that --explode writes",
        )
    for cluster_options in options:
        check_idle_options(cluster_options)
        try:
            # With `multi` it is answers that are clustered, and their number is not known yet.
            check_options(cluster_options, sys.maxsize if multi and corpus.readable else len(corpus.readable))
        except InputError as error:
            raise InputError(str(error), source=corpus.source, hint=error.hint) from error
    groupings = groupings_of(corpus, by)
    for name in {grouping.name for grouping in groupings} & set(questions):
        hint = f'name the question otherwise: -i {name}_asked="..."'
        raise UsageError(f'"{name}" is the name of a question and of a column to cross it with', hint=hint)
    return groupings


def groupings_of(corpus: Corpus, by: Sequence[str]) -> list[Grouping]:
    """Return columns of a corpus as groupings of its rows.

    :param corpus: the rows.
    :param by: names of columns, or paths into them, with bins after a colon.
    :raises InputError: for an unknown column.
    :raises UsageError: for bins that do not fit the column.
    """
    names = corpus.table.column_names
    columns = [split_bins(column, names) for column in by]
    return [column_grouping(name, values_at(corpus.table, name, corpus.source), bins) for name, bins in columns]
