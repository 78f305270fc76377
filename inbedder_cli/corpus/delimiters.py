"""The delimiter of a CSV file, guessed from its first lines."""

from __future__ import annotations

import csv

DELIMITERS = (",", ";", "\t", "|")
CHECKED_RECORDS = 100


def guess_delimiter(head: bytes, encoding: str | None = None) -> str:
    r"""Return the delimiter with which most records have as many fields as the header.

    :param head: the first bytes of the file.
    :param encoding: of the file; None means UTF-8.
    :return: one of `DELIMITERS`.

    >>> guess_delimiter(b"id;text\n1;good, but late\n2;fine\n")
    ';'
    """
    return max(DELIMITERS, key=lambda delimiter: consistency(head, delimiter, encoding))


def consistency(head: bytes, delimiter: str, encoding: str | None = None) -> tuple[float, int]:
    r"""Return how well a delimiter divides a file: the share of records as wide as the first, and their width.

    :param head: the first bytes of the file.
    :param delimiter: one character.
    :param encoding: of the file; None means UTF-8.
    :return: share, 0 to 1, and number of fields; zeros for fewer than two.

    >>> consistency(b"id;text\n1;good, but late\n2;fine\n", ";"), consistency(b"good\nbad, too\n", ",")
    ((1.0, 2), (0.0, 0))
    """
    text = head.decode(encoding or "utf-8", errors="replace").removeprefix("\ufeff")
    end = max(text.rfind("\n"), text.rfind("\r"))
    complete = text[: end + 1] or text  # the head may end inside a record
    try:
        lines = complete.splitlines(keepends=True)
        records = [record for record in csv.reader(lines, delimiter=delimiter) if not is_blank(record)]
    except csv.Error:
        return (0.0, 0)
    records = records[:CHECKED_RECORDS]
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
