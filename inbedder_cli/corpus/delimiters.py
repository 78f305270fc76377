"""The delimiter of a CSV file, guessed from its first lines."""

from __future__ import annotations

import csv
from itertools import islice

DELIMITERS = (",", ";", "\t", "|", "\x1f", "\x01")
NAMES = {"\t": "tab", "\x1f": "U+001F", "\x01": "U+0001"}
CHECKED_RECORDS = 100


def guess_delimiter(text: str) -> str:
    r"""Return the delimiter with which most records have as many fields as the header.

    :param text: the beginning of the file.
    :return: one of `DELIMITERS`.

    >>> guess_delimiter("id;text\n1;good, but late\n2;fine\n")
    ';'
    """
    return max(DELIMITERS, key=lambda delimiter: consistency(text, delimiter))


def consistency(text: str, delimiter: str, *, spaced: bool = False) -> tuple[float, int]:
    r"""Return how well a delimiter divides a file: the share of records as wide as the first, and their width.

    :param text: the beginning of the file.
    :param delimiter: one character.
    :param spaced: whether blanks after a delimiter do not count.
    :return: share, 0 to 1, and number of fields; zeros for fewer than two.

    >>> consistency("id;text\n1;good, but late\n2;fine\n", ";"), consistency("good\nbad, too\n", ",")
    ((1.0, 2), (0.0, 0))
    """
    end = max(text.rfind("\n"), text.rfind("\r"))
    complete = text[: end + 1] or text  # it may end inside a record
    try:
        lines = complete.splitlines(keepends=True)
        parsed = csv.reader(lines, delimiter=delimiter, skipinitialspace=spaced)
        records = list(islice((record for record in parsed if not is_blank(record)), CHECKED_RECORDS))
    except csv.Error:
        return (0.0, 0)
    width = len(records[0]) if records else 0
    if width < 2:
        return (0.0, 0)
    return (sum(_width(record, width) == width for record in records) / len(records), width)


def _width(record: list[str], width: int) -> int:
    """Return the number of fields without empty ones beyond the header."""
    return len(record) if any(cell.strip() for cell in record[width:]) else min(len(record), width)


def is_blank(cells: list[str]) -> bool:
    """Return whether a line above the header is blank, or of nothing but delimiters; "" in quotes is a name.

    :param cells: of the line.
    """
    return cells != [""] and not any(cell.strip() for cell in cells)
