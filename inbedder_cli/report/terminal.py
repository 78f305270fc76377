"""Print the table of clusters and the lines below it with rich."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from inbedder_cli.printable import visible
from inbedder_cli.report.view import (
    answers_heading,
    closing_lines,
    cluster_views,
    phrases_heading,
    printable,
    truncate,
)

if TYPE_CHECKING:
    from rich.console import Console

    from inbedder_cli.report.view import ClusterView
    from inbedder_cli.results import ClusteringResult

NARROW = 100  # columns of a terminal, below which phrases are not shown, and the example gets less room
EXAMPLE_LINES = 4
FIXED_WIDTH = 24  # of the columns of numbers, and the space between columns
LONGEST_WORD = 18  # characters of a name that are not broken
MAX_QUESTION = 2000  # characters


def print_result(console: Console, result: ClusteringResult, *, whole: bool = False) -> None:
    """Print the clusters, how k was chosen, and which rows are in no cluster.

    :param console: where to print.
    :param result: one question, answered over a corpus.
    :param whole: whether examples are shown whole, however long they are.
    """
    console.print(_clusters(result, console.width, whole=whole))
    print_notes(console, closing_lines(result))


def print_notes(console: Console, lines: list[str]) -> None:
    """Print lines that explain a table, dimmed.

    :param console: where to print.
    :param lines: one sentence each.
    """
    for line in lines:
        console.print(Text(printable(line), style="dim"))


def _clusters(result: ClusteringResult, width: int, *, whole: bool) -> Table:
    is_narrow = width < NARROW
    views = cluster_views(result)
    heading = "" if is_narrow else phrases_heading(views)
    title = Text(truncate(printable(result.instruction), MAX_QUESTION), style="bold")
    title.append(f"   {visible(result.corpus.source)}", style="dim")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, expand=True, padding=(0, 1))
    table.add_column("", justify="right", style="dim", no_wrap=True)
    name_width = max(_longest_word(views), int((width - FIXED_WIDTH) * (0.28 if is_narrow else 0.17)))
    table.add_column("cluster", style="bold cyan", width=name_width, overflow="fold")
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column(answers_heading(result), ratio=5 if heading else 4, overflow="fold")
    if heading:
        table.add_column(heading, ratio=5, overflow="fold")
    table.add_column("for example", ratio=6 if is_narrow else 9, overflow="fold")
    room = EXAMPLE_LINES * max(20, int((width - FIXED_WIDTH) * (0.42 if is_narrow else 0.55)))
    room = sys.maxsize if whole else room
    for view in views:
        style = "dim" if view.is_outside else ""
        lists = [view.answers, view.phrases] if heading else [view.answers]
        cells = [Text("\n".join(lines), style=style) for lines in lists]
        table.add_row(view.number, _label(view), view.rows, view.share, *cells, _example(view, room))
        table.add_row()
    return table


def _longest_word(views: list[ClusterView]) -> int:
    """Return the length of the longest word of the labels, but no more than breaks a narrow table."""
    words = (word for view in views for text in (view.label, *view.marks) for word in text.split())
    return min(max(map(len, words), default=0), LONGEST_WORD)


def _label(view: ClusterView) -> Text:
    label = Text(view.label, style="dim" if view.is_outside else "")
    for mark in view.marks:
        label.append(f"\n{mark}", style="not bold dim")
    return label


def _example(view: ClusterView, room: int) -> Text:
    if not view.example_id and not view.example:
        return Text("")
    text = Text(f"{view.example_id}  ", style="dim")
    return text.append(truncate(view.example, room), style="not dim")
