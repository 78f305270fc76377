"""Print the table of clusters and the lines below it with rich."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from inbedder_cli.report.closing_lines import closing_lines
from inbedder_cli.report.view import answers_heading, cluster_views, phrases_heading
from inbedder_cli.wording import printable, truncate, visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from inbedder_cli.report.view import ClusterView
    from inbedder_cli.results import ClusteringResult

NARROW = 100  # columns of a terminal, below which phrases are not shown, and the example gets less room
EXAMPLE_LINES = 4
FIXED_WIDTH = 24  # of the columns of numbers, and the space between columns
MAX_WORD = 18  # cells; only a longer word may be broken
WORD_SHARE = 1 / 5  # of the terminal's width, which a column gets for its longest word at most
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
    word = _longest_word(width, (line for view in views for line in (view.label, *view.marks)))
    table.add_column("cluster", style="bold cyan", ratio=6 if heading else 4, width=word, overflow="fold")
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    word = _longest_word(width, (answer for view in views for answer in view.answers))
    table.add_column(answers_heading(result), ratio=5 if heading else 4, width=word, overflow="fold")
    if heading:
        table.add_column(heading, ratio=5, overflow="fold")
    table.add_column("for example", ratio=6 if is_narrow else 9, overflow="fold")
    room = EXAMPLE_LINES * max(20, int((width - FIXED_WIDTH) * (0.42 if is_narrow else 0.55)))
    room = sys.maxsize if whole else room
    for place, view in enumerate(views):
        if place:
            table.add_row()
        style = "dim" if view.is_outside else ""
        lists = [view.answers, view.phrases] if heading else [view.answers]
        cells = [Text("\n".join(lines), style=style) for lines in lists]
        table.add_row(view.number, _label(view), view.rows, view.share, *cells, _example(view, room))
    return table


def _longest_word(width: int, lines: Iterable[str]) -> int:
    """Return the width that a column needs so that no word is broken, unless it is very long: at least 1."""
    words = (cell_len(word) for line in lines for word in line.split())
    return max(1, min(MAX_WORD, int(WORD_SHARE * width), max(words, default=1)))


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
