"""Rows that an open quote has swallowed: a quote opens in one row and happens to close in a later one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    Record = tuple[int, list[str]]

MANY_COLUMNS = 4  # lines of a text hardly ever hold as many delimiters as a row of so many
FEWEST = 2  # lines that look like rows; one is enough if its number follows that of the row
LONGEST_ID = 20  # digits
LINE_END = re.compile(r"\r\n|\r|\n")


class SwallowedRows:
    """Finds cells whose lines look like rows of the file.

    Texts of several lines are common, and so are delimiters in them. A line looks like a row if it divides into as
    many cells as the header has, none after a blank, as sentences and lists have them, and either these are many,
    or one looks like that of the row it is in, as ids and dates do: "17" and "18", "R-017" and "R-018".

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
        first, *others = (line.split(self.delimiter) for line in LINE_END.split(self.delimiter.join(cells)))
        rows = [parts for parts in others if len(parts) == width and _is_row(parts, first)]
        return len(rows) if len(rows) >= FEWEST or (rows and _follows(rows[0], first)) else 0


def _is_row(parts: list[str], first: list[str]) -> bool:
    """Return whether a line of as many cells as the header is a row like the one in which it is."""
    if any(part[:1].isspace() for part in parts) or not any(map(str.isalpha, "".join(parts))):
        return False
    codes = [(one, other) for one, other in zip(parts, first, strict=False) if _is_code(one)]
    return len(parts) >= MANY_COLUMNS or any(_shape(one) == _shape(other) for one, other in codes)


def _is_code(cell: str) -> bool:
    """Return whether a cell is an id, a number or a date rather than words."""
    return any(map(str.isdigit, cell)) and " " not in cell.strip()


def _follows(parts: list[str], first: list[str]) -> bool:
    """Return whether a number is the next one after that of the row."""
    numbers = [pair for pair in zip(parts, first, strict=False) if all(map(_is_short_number, pair))]
    return any(int(one) == int(other) + 1 for one, other in numbers)


def _is_short_number(cell: str) -> bool:
    return cell.isdecimal() and len(cell) < LONGEST_ID


def _shape(cell: str) -> str:
    """Return a cell with one "9" for each number, and one "a" for each word.

    >>> _shape("R-017"), _shape("18")
    ('a-9', '9')
    """
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", cell.strip()))
