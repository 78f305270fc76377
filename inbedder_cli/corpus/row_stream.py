"""The rows of a file in batches, so that no more than one of them need be in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inbedder_cli.corpus.read_table import ReadTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from inbedder_cli.corpus.read_table import BadRow
    from inbedder_cli.options import CsvStyle


@dataclass(frozen=True)
class RowStream:
    """The rows of a file as they are read.

    Some things are known only when the last row was read: which columns there are, and which rows are none.

    :param batches: the rows in their order, to be read once; a column that a batch does not have is null there.
    :param finished: makes the table of some or all rows from their batches, when all were read.
    :param notes: returns what was recognized, skipped, filled in, or named, when all were read.
    :param bad_rows: the rows that were left out until now.
    :param style: how a CSV file is written; None for other formats.
    """

    batches: Iterator[pa.Table]
    finished: Callable[[pa.Table], pa.Table]
    notes: Callable[[], list[str]]
    bad_rows: Sequence[BadRow] = ()
    style: CsvStyle | None = None

    def whole(self) -> ReadTable:
        """Return all rows as one table.

        :raises InputError: for a file that cannot be read.
        """
        table = self.finished(joined(list(self.batches)))
        return ReadTable(table, self.notes(), self.bad_rows, self.style)


def joined(batches: Sequence[pa.Table]) -> pa.Table:
    """Return batches as one table; columns are in the order in which they appear.

    :param batches: of a stream, at least one.
    """
    import pyarrow as pa

    return pa.concat_tables(batches, promote_options="default")


def stream_of_table(read: ReadTable) -> RowStream:
    """Return a table that is in memory as a stream of one batch.

    :param read: what a reader made of a file.
    """
    return RowStream(iter([read.table]), lambda table: table, lambda: list(read.notes), read.bad_rows, read.style)
