"""A table of one's own, as evaluate, train and teach take it: questions, and columns with known answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from inbedder_cli.cli.completion import complete_column
from inbedder_cli.cli.table_options import TableOptions
from inbedder_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.progress import Reporter
    from inbedder_cli.training.examples import LabeledTable

PANEL = "Your own table"

Gold = Annotated[
    list[str] | None,
    typer.Option(
        autocompletion=complete_column,
        help="Column that holds the known classes. Repeat, each with its -i.",
        rich_help_panel=PANEL,
    ),
]
GoldInstructions = Annotated[
    list[str] | None,
    typer.Option("--instruction", "-i", help="The question that asks for these classes.", rich_help_panel=PANEL),
]


def check_gold(gold: Sequence[str], instructions: Sequence[str]) -> None:
    """Check that each column has its question.

    :param gold: columns.
    :param instructions: questions.
    :raises UsageError: for another number of questions than of columns, or an empty question.
    """
    if len(gold) != len(instructions) or not all(question.strip() for question in instructions):
        raise UsageError(
            f"{len(gold)} --gold but {len(instructions)} -i",
            hint='give each --gold its own -i: --gold emotion -i "What emotion is expressed?"',
        )


def check_one_table(files: Sequence[str]) -> str:
    """Return the only file.

    :param files: as they were given.
    :raises UsageError: for several.
    """
    if len(files) != 1:
        raise UsageError("--gold and -i take one file", hint="take several files one by one")
    return files[0]


def read_examples_of(
    data: list[str],
    table: TableOptions,
    gold: list[str] | None,
    instructions: list[str] | None,
    reporter: Reporter,
    *,
    needs_gold: bool,
) -> tuple[str, ...] | LabeledTable:
    """Return where examples come from: files of them, or with -i the rows of a table.

    :param data: files, or the table.
    :param table: how the table is read.
    :param gold: columns of answers.
    :param instructions: questions.
    :param reporter: receives what was read.
    :param needs_gold: whether there must be answers, for no teacher gives them.
    :raises UsageError: for options that do not go together.
    """
    from inbedder_cli.training.examples import LabeledTable

    if not gold and not instructions:
        if table.given - {"seed"}:
            raise UsageError("options of a table are for -i", hint='leave them out, or add -i "What ...?"')
        return tuple(data)
    if gold or needs_gold:
        check_gold(gold or [], instructions or [])
    elif not all(question.strip() for question in instructions or []):
        raise UsageError("the instruction is empty", hint='ask a question: -i "What emotion is expressed?"')
    corpus = table.read(check_one_table(data), reporter)
    return LabeledTable(corpus, tuple(instructions or ()), tuple(gold or ()))
