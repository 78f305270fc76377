"""Print tables of a saved run on a terminal."""

from __future__ import annotations

import sys
from itertools import chain
from typing import TYPE_CHECKING, Any

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from inbedder_cli.output.saved_tables import TOP_ANSWERS
from inbedder_cli.report.terminal import MAX_WORD, print_notes
from inbedder_cli.wording import percent, printable, truncate

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

CELL_LINES = 3  # maximum lines of a cell
CELL_SHARE = 0.5  # share of the terminal's width for one text
LINE = 24  # cells that a text gets before others get more
TEXT_WIDTH = 32  # least of the rows' texts
GAP = 2
NUMBERS = ("int64", "double", "float", "bool")
LISTS = ("answers",)  # one value per line
HEADINGS = {"label_is_weak": "weak"}  # shorter than the names of the columns
# What a narrow terminal leaves out, first to last, until words need not be broken.
DISPENSABLE = (
    "likely_next_words",
    "confidence",
    "label_is_weak",
    "margin",
    "stability",
    "cluster_distance",
)


def readable_clusters(table: pa.Table) -> pa.Table:
    """Return clusters for people to read: shares are percentages, and a precision holds its interval.

    :param table: what `saved_clusters_table` returns with `lists`.
    """
    import pyarrow as pa

    columns: dict[str, Any] = table.to_pydict()
    columns["answers"] = [
        "; ".join(f"{answer['text']} {percent(answer['share'])}" for answer in answers[:TOP_ANSWERS])
        for answers in columns["answers"]
    ]
    columns["likely_next_words"] = ["; ".join(words) for words in columns["likely_next_words"]]
    if "precision" in columns:
        figures = zip(*(columns.pop(f"precision{end}") for end in ("", "_low", "_high")), strict=True)
        columns["precision"] = [
            None if share is None else f"{percent(share)} ({percent(low)} to {percent(high)})"
            for share, low, high in figures
        ]
    return pa.table(columns)


def print_table(console: Console, table: pa.Table, *, whole: bool = False) -> None:
    """Print a table, with long texts cut to a few lines.

    Columns that are empty, and on a narrow terminal those of least use, are left out.

    :param console: where to print.
    :param table: of numbers and texts.
    :param whole: whether texts are shown whole, however long they are.
    """
    room = sys.maxsize if whole else int(CELL_LINES * CELL_SHARE * console.width)
    cells = {
        name: [truncate(_cell(value, in_lines=name in LISTS), room) for value in table[name].to_pylist()]
        for name in table.column_names
    }
    numbers = {field.name for field in table.schema if str(field.type) in NUMBERS}
    kept = [name for name in cells if any(cells[name]) or not table.num_rows]
    left_out = []
    least = {name: _least_width(name, cells[name], is_number=name in numbers) for name in kept}
    for name in filter(kept.__contains__, DISPENSABLE):
        if _total(least) <= console.width:
            break
        del least[name]
        left_out.append(name)
    widths = _share_out(console.width - _total(least), least, cells, numbers)
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, GAP - 1, 0, 0))
    for name, width in widths.items():
        shown.add_column(
            _heading(name), justify="right" if name in numbers else "left", overflow="fold", width=width
        )
    for row in zip(*(cells[name] for name in widths), strict=True):
        shown.add_row(*map(Text, row))
    console.print(shown)
    if left_out:
        names = ", ".join(map(printable, left_out))
        print_notes(console, [f"not shown: {names} (a wider terminal shows more, --json all)"])


def _cell(value: object, *, in_lines: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:.2f}"
    return "\n".join(map(printable, str(value).split("; "))) if in_lines else printable(str(value))


def _heading(name: str) -> str:
    return printable(HEADINGS.get(name, name).replace("_", " "))


def _least_width(name: str, cells: list[str], *, is_number: bool) -> int:
    """Return the width that breaks no number, and no word or value of a list unless it is very long."""
    in_lines = name in LISTS
    words = chain(_heading(name).split(), *(cell.split("\n" if in_lines else None) for cell in cells))
    longest = max(map(cell_len, words))
    least = longest if is_number else min(longest, LINE if in_lines else MAX_WORD)
    return max(least, TEXT_WIDTH) if name == "text" else least


def _total(widths: dict[str, int]) -> int:
    return sum(widths.values()) + GAP * len(widths) + 1


def _share_out(
    spare: int, least: dict[str, int], cells: dict[str, list[str]], numbers: set[str]
) -> dict[str, int]:
    """Return the widths of the columns, of which those of texts get what is left of the terminal."""
    widths = dict(least)
    longest = {
        name: max((cell_len(line) for cell in cells[name] for line in cell.split("\n")), default=0)
        for name in least
    }
    texts = [name for name in widths if name not in numbers]
    for line in (LINE, sys.maxsize):
        for name in texts:
            more = max(0, min(spare, min(line, longest[name]) - widths[name]))
            widths[name] += more
            spare -= more
    return widths
