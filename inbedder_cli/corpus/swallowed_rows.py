"""Rows that an open quote has swallowed: a quote opens in one row and happens to close in a later one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    Record = tuple[int, list[str]]

MANY_COLUMNS = 4  # lines of a text hardly ever hold as many delimiters as a row of so many


class SwallowedRows:
    """Finds cells whose lines look like rows of the file.

    Texts of several lines are common, and so are delimiters in them. A line looks like a row if it divides into as
    many cells as the header has, and either these are many, or the first one looks like that of the row it is in,
    as ids do: "17" and "18", "R-017" and "R-018".

    :param delimiter: of the file.
    """

    def __init__(self, delimiter: str) -> None:
        self.delimiter = delimiter
        self.lines: list[int] = []  # on which such cells begin
        self.n_rows = 0

    def watch(self, records: Iterator[Record]) -> Iterator[Record]:
        """Yield records, and look for rows in their cells.

        :param records: line on which a record starts, and its cells; the header first.
        :yield: the same.
        """
        width = 0
        for line, cells in records:
            width = width or len(cells)
            if width > 1 and any("\n" in cell for cell in cells) and (n := self._rows_in(cells, width)):
                self.lines.append(line)
                self.n_rows += n
            yield line, cells

    def notes(self) -> list[str]:
        """Return what was found, in one line; none if nothing was."""
        if not self.lines:
            return []
        where = ", ".join(f"{line:,}" for line in self.lines[:3]) + (", ..." if len(self.lines) > 3 else "")
        return [
            f"{self.n_rows:,} lines inside quoted cells look like rows (cells that begin on line {where}); "
            "if a quote does not close there: --quote ''"
        ]

    def _rows_in(self, cells: list[str], width: int) -> int:
        first = _shape(cells[0])
        n = 0
        for cell in cells:
            for line in cell.splitlines()[1:-1]:  # the first and the last are not whole rows
                parts = line.split(self.delimiter)
                n += len(parts) == width and (width >= MANY_COLUMNS or _shape(parts[0]) == first)
        return n


def _shape(cell: str) -> str:
    """Return a cell with one "9" for each number, and one "a" for each word.

    >>> _shape("R-017"), _shape("18")
    ('a-9', '9')
    """
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", cell.strip()))
