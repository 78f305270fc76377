"""What a reader makes of a file: a table, how the file is written, and the rows that did not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from inbedder_cli.options import CsvStyle


class BadRow(NamedTuple):
    """A row that was left out because it does not fit.

    :param line: the line of the file on which it begins; of a workbook, the row of the sheet.
    :param reason: why it was left out.
    :param content: what is there in the file.
    """

    line: int
    reason: str
    content: str


class ReadTable(NamedTuple):
    """A file as it was read.

    :param table: the rows.
    :param notes: what was recognized, skipped, filled in, or named.
    :param bad_rows: the rows that were left out.
    :param style: how a CSV file is written; None for other formats.
    :param lost: those of the notes that tell why cells are empty.
    """

    table: pa.Table
    notes: Sequence[str] = ()
    bad_rows: Sequence[BadRow] = ()
    style: CsvStyle | None = None
    lost: Sequence[str] = ()


def note_of_bad_rows(bad_rows: Sequence[BadRow]) -> list[str]:
    """Return a note about rows that were left out; nothing if there are none.

    :param bad_rows: these rows.
    """
    if not bad_rows:
        return []
    line, reason, _ = bad_rows[0]
    return [f"{count_of(len(bad_rows), 'row')} left out (first: line {line:,}, {reason})"]
