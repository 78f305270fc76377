"""What spreadsheets and joined files add to a table: empty columns at its end, and headers among the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inbedder_cli.corpus.delimiters import DELIMITERS, consistency
from inbedder_cli.corpus.header import column_names
from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    import pyarrow as pa


class Trimming:
    """Drops columns at the end that have neither a name nor a cell, and rows that repeat the header.

    Both are known when all rows were seen.

    :param header: the header rows; none if the columns have no names.
    :param width: number of columns.
    """

    def __init__(self, header: list[list[str]], width: int) -> None:
        named = [place for row in header for place, cell in enumerate(row[:width], start=1) if cell.strip()]
        self.header = header
        self.n_named = max(named, default=1) if header else width
        self.n_kept = self.n_named  # columns with a name or a cell before them or in them
        self.n_rows = self.n_repeated = 0

    def seen(self, table: pa.Table) -> pa.Table:
        """Return a batch as it is, and keep what it tells.

        :param table: the next batch.
        """
        import pyarrow.compute as pc

        for place in range(table.num_columns - 1, self.n_kept - 1, -1):
            if pc.any(pc.not_equal(table.column(place), "")).as_py():
                self.n_kept = place + 1
                break
        self.n_rows += table.num_rows
        repeats = self._repeats(table)
        self.n_repeated += 0 if repeats is None else pc.sum(repeats).as_py()
        return table

    @property
    def _n_left_out(self) -> int:
        """Number of rows that repeat the header; none where all do, or in one column: a text may be "text"."""
        return self.n_repeated if self.n_kept > 1 and self.n_repeated < self.n_rows else 0

    def trimmed(self, table: pa.Table) -> pa.Table:
        """Return some of the rows without these columns and rows.

        :param table: a batch, or all rows.
        """
        import pyarrow.compute as pc

        table = table.select(list(range(self.n_kept)))
        repeats = self._repeats(table) if self._n_left_out else None
        return table if repeats is None else table.filter(pc.invert(repeats))

    def _repeats(self, table: pa.Table) -> pa.ChunkedArray | None:
        """Return which rows repeat the header; None if no row does."""
        import pyarrow.compute as pc

        if len(self.header) != 1:
            return None
        first = self.header[0][0]  # a mark may stand before it, and then its quotes are taken for text
        unmarked = pc.utf8_ltrim(table.column(0), "\ufeff")
        repeats = pc.or_(pc.equal(unmarked, first), pc.equal(unmarked, f'"{first}"'))
        for place in range(1, table.num_columns):
            if not pc.any(repeats).as_py():
                return None
            cells = table.column(place)
            is_named = place < self.n_named
            like = (
                pc.equal(cells, self.header[0][place])
                if is_named
                else pc.equal(pc.utf8_trim_whitespace(cells), "")
            )
            repeats = pc.and_(repeats, like)
        return repeats

    def notes(self, below: list[list[str]]) -> list[str]:
        """Return notes about the header.

        :param below: the first rows.
        """
        notes = column_names([cells[: self.n_kept] for cells in self.header])[1] if self.header else []
        if len(self.header) == 1:
            notes.extend(self._note_of_header(below))
        if self._n_left_out:
            notes.append(f"{count_of(self._n_left_out, 'row')} left out that repeat the header")
        return notes

    def _note_of_header(self, below: list[list[str]]) -> list[str]:
        """Return a note where the first row is probably not the header."""
        header = self.header[0]
        if self.n_kept > 2 and header[0].strip() and not any(map(str.strip, header[1 : self.n_kept])):
            return ["only the first column has a name (is the header further down? --skip-rows N)"]
        if self.n_kept == 1 and _is_quoted_table([header[0], *(cells[0] for cells in below if cells)]):
            return ["each line is in double quotes as a whole, so its columns are read as one: export it again"]
        words, end = header[0].split(), header[0].rstrip()[-1:]
        if self.n_kept == 1 and below and (end in (".", "!") or (len(words) > 1 and end != "?")):
            return [f'the header is "{header[0]}" (if it is a text: --no-header)']
        return []


def _is_quoted_table(lines: list[str]) -> bool:
    """Return whether the only cells of rows are rows of a table themselves, as after two exports."""
    text = "\n".join(lines) + "\n"
    return len(lines) > 1 and any(consistency(text, delimiter)[0] == 1 for delimiter in DELIMITERS)
