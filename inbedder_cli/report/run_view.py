"""Print tables of a saved run on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from inbedder_cli.report.view import printable, truncate

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

CELL_LINES = 3  # maximum lines of a cell
CELL_SHARE = 0.5  # share of the terminal's width for one text
MIN_WIDTH = 6
NUMBERS = ("int64", "double", "float", "bool")


def print_table(console: Console, table: pa.Table, *, whole: bool = False) -> None:
    """Print a table, with long texts cut to a few lines.

    :param console: where to print.
    :param table: of numbers and texts.
    :param whole: whether texts are shown whole, however long they are.
    """
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1), expand=True)
    for field in table.schema:
        is_number = str(field.type) in NUMBERS
        shown.add_column(
            printable(field.name),
            justify="right" if is_number else "left",
            no_wrap=is_number,
            overflow="fold",
            ratio=None if is_number or field.name == "id" else 4 if field.name == "text" else 2,
            min_width=MIN_WIDTH,
        )
    room = sys.maxsize if whole else int(CELL_LINES * CELL_SHARE * console.width)
    for row in table.to_pylist():
        shown.add_row(*(Text(truncate(printable(_cell(value)), room)) for value in row.values()))
    console.print(shown)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)
