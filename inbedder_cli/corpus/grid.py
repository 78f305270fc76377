"""Records of cells -> a table of strings as wide as its header."""

from __future__ import annotations

import csv
import io
from itertools import chain, islice
from typing import TYPE_CHECKING

from inbedder_cli.corpus.columns import EMPTY_HINT, check_column_names
from inbedder_cli.corpus.header import MOST_ROWS, column_names, n_header_rows
from inbedder_cli.corpus.limits import MAX_COLUMNS, check_empty_cells, too_many_columns
from inbedder_cli.corpus.read_table import BadRow, ReadTable, count_of, note_of_bad_rows
from inbedder_cli.errors import InputError
from inbedder_cli.options import OnBadRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from inbedder_cli.corpus.layout import Layout

CHUNK_CELLS = 2**16  # converted at a time
END_OF_FILE = "\x1a"  # that DOS programs write


def table_of_cells(
    records: Iterator[tuple[int, list[str]]],
    source: str,
    layout: Layout,
    limit: int | None,
    *,
    delimiter: str = ",",
    originals: dict[int, str] | None = None,
) -> ReadTable:
    """Return records of a file as a table of strings, with notes about what was skipped, filled in, or named.

    :param records: the line of each record, and its cells; [] for a blank line.
    :param source: name of the input in messages.
    :param layout: how many header rows there are, and what to do with rows of more content than the header has.
    :param limit: maximum number of rows; None reads all.
    :param delimiter: joins the cells beyond the header to the last one where rows are to be padded.
    :param originals: the text of the latest records by line; None: bad rows are written as CSV.
    :return: table, notes, and the rows that were left out.
    :raises InputError: without a header or rows, and for rows with more content than the header.
    """
    first = list(islice(records, MOST_ROWS))
    if not first:
        raise InputError("is empty", source=source, hint=EMPTY_HINT)
    n_header = _n_header(first, layout)
    header = [cells for _, cells in first[:n_header]]
    width = len(first[0][1])
    if width > MAX_COLUMNS:
        raise too_many_columns(source)
    names = column_names(header)[0] if header else [f"column_{i}" for i in range(1, width + 1)]
    check_column_names(names, source)
    rows = _Rows(names, source, layout.on_bad_row, delimiter, originals)
    batch = rows.batch
    full = max(1, CHUNK_CELLS // width)
    for line, cells in chain(first[n_header:], records):
        fitted = cells if len(cells) == width else rows.fit(line, cells)
        if fitted is None:
            continue
        batch.append(fitted)
        if len(batch) == full or rows.n + len(batch) == limit:
            rows.flush()
            if rows.n == limit:
                break
    rows.flush()
    if not rows.n:
        raise _no_rows(source, rows.bad_rows)
    table, notes = _trimmed(rows.table(), header, [cells for _, cells in first[n_header:]])
    if n_header > 1 and layout.header_rows is None:
        notes.insert(0, f"{n_header} header rows (recognized; --header-rows to change)")
    return ReadTable(table, [*notes, *rows.notes()], rows.bad_rows)


def _no_rows(source: str, bad_rows: list[BadRow]) -> InputError:
    if bad_rows:
        line, reason, _ = bad_rows[0]
        hint = "--on-bad-row pad keeps such rows; or is the header on another line? --skip-rows"
        return InputError(f"all rows are left out (first: line {line:,}, {reason})", source=source, hint=hint)
    return InputError("has a header but no rows", source=source, hint=EMPTY_HINT)


def _trimmed(table: pa.Table, header: list[list[str]], below: list[list[str]]) -> tuple[pa.Table, list[str]]:
    """Return the table without empty columns at its end and repeated headers, and notes about the header."""
    table = _without_empty_ends(table, header)
    notes = column_names([cells[: table.num_columns] for cells in header])[1] if header else []
    if len(header) == 1:
        notes.extend(_note_of_header(header[0], below, table))
        table, n_repeated = _without_repeated_header(table, header[0])
        if n_repeated:
            notes.append(f"{count_of(n_repeated, 'row')} left out that repeat the header")
    return table, notes


def _n_header(first: list[tuple[int, list[str]]], layout: Layout) -> int:
    if not layout.header:
        return 0
    return layout.header_rows or n_header_rows([cells for _, cells in first])


def _note_of_header(header: list[str], below: list[list[str]], table: pa.Table) -> list[str]:
    """Return a note where the first row is probably not the header."""
    if table.num_columns > 2 and header[0].strip() and not any(map(str.strip, header[1 : table.num_columns])):
        return ["only the first column has a name (is the header further down? --skip-rows N)"]
    if table.num_columns == 1 and below and header[0].rstrip().endswith((".", "!")):
        return [f'the header is "{header[0]}" (if it is a text: --no-header)']
    return []


def _without_repeated_header(table: pa.Table, header: list[str]) -> tuple[pa.Table, int]:
    """Return the table without rows that repeat the header, as files have that were joined; and their number."""
    import pyarrow.compute as pc

    if table.num_columns < 2:
        return table, 0  # a text may be "text"
    repeats = pc.equal(pc.utf8_ltrim(table.column(0), "\ufeff"), header[0])  # a mark may stand before it
    for place in range(1, table.num_columns):
        if not pc.any(repeats).as_py():
            return table, 0
        repeats = pc.and_(repeats, pc.equal(table.column(place), header[place]))
    n_repeated = pc.sum(repeats).as_py() or 0
    if n_repeated in (0, table.num_rows):
        return table, 0
    return table.filter(pc.invert(repeats)), n_repeated


def _without_empty_ends(table: pa.Table, header: list[list[str]]) -> pa.Table:
    """Return the table without the columns at its end that have neither a name nor a cell."""
    import pyarrow.compute as pc

    n_kept = table.num_columns
    while n_kept > 1 and header and not any(cell.strip() for row in header for cell in row[n_kept - 1 : n_kept]):
        if pc.any(pc.not_equal(table.column(n_kept - 1), "")).as_py():
            break
        n_kept -= 1
    return table.select(list(range(n_kept)))


class _Rows:
    """Collects rows of as many cells as there are columns, in chunks of Arrow arrays."""

    def __init__(
        self, names: list[str], source: str, on_bad_row: OnBadRow, delimiter: str, originals: dict[int, str] | None
    ) -> None:
        import pyarrow as pa

        self.schema, self.width = pa.schema([(name, pa.string()) for name in names]), len(names)
        self.source, self.on_bad_row, self.delimiter, self.originals = source, on_bad_row, delimiter, originals
        self.batch: list[list[str]] = []  # of rows that are not in an array yet
        self.n = 0  # rows in arrays
        self.n_blank = self.n_short = self.n_cut = self.n_joined = 0
        self.first_short = self.first_joined = 0  # lines
        self.n_given = 0  # cells of the short rows
        self.bad_rows: list[BadRow] = []
        self._batches: list[pa.RecordBatch] = []

    def fit(self, line: int, cells: list[str]) -> list[str] | None:
        """Return cells as many as there are columns; None for a row that is left out.

        :param line: on which they are.
        :param cells: more of them than there are columns, or fewer.
        """
        width = self.width
        if not cells or cells == [END_OF_FILE]:
            if width == 1:
                return [""]
            self.n_blank += not cells
            return None
        if len(cells) < width:
            self.n_short += 1
            self.first_short = self.first_short or line
            self.n_given += len(cells)
            check_empty_cells(
                self.n_short * width - self.n_given,
                (self.n + len(self.batch) - self.n_short + 2) * width + self.n_given,  # with the header
                f"{self.n_short:,} rows shorter than the {width:,} columns of the header",
                self.source,
                "is the header one row? --header-rows, --skip-rows or --no-header",
            )
            return [*cells, *[""] * (width - len(cells))]
        n_filled = max(i for i, cell in enumerate(cells, start=1) if cell.strip() or i <= width)
        if n_filled == width:
            self.n_cut += 1
            return cells[:width]
        if self.on_bad_row is OnBadRow.pad:
            self.n_joined += 1
            self.first_joined = self.first_joined or line
            return [*cells[: width - 1], self.delimiter.join(cells[width - 1 : n_filled])]
        reason = f"{len(cells)} fields where the header has {width}"
        if self.on_bad_row is OnBadRow.fail:
            row = self.n + len(self.batch) + 1
            raise InputError(reason, source=self.source, row=row, line=line, hint=self._hint(line, cells))
        original = self.originals.get(line) if self.originals else None
        content = _as_csv(cells) if original is None else original
        self.bad_rows.append(BadRow(line, reason, content.rstrip("\r\n")))
        return None

    def _hint(self, line: int, cells: list[str]) -> str:
        above = f"if the header is on this line: --skip-rows {line - 1}; "
        if self.width == 1:
            return f"{above}if every line is one text: --input-format lines; else name the --delimiter"
        hint = (
            "a text with the delimiter in it must be in double quotes; or name the --delimiter; "
            "or --on-bad-row: pad keeps such rows, skip leaves them out"
        )
        if any(cell.lstrip().startswith("'") for cell in cells):
            hint = f'if texts are in single quotes: --quote "\'"; {hint}'
        return above + hint if len(cells) > 2 * self.width else hint

    def flush(self) -> None:
        """Make arrays of the rows that were collected."""
        import pyarrow as pa

        columns = list(zip(*self.batch, strict=True)) if self.batch else [()] * self.width
        arrays = [pa.array(column, pa.string()) for column in columns]
        self._batches.append(pa.record_batch(arrays, schema=self.schema))
        self.n += len(self.batch)
        self.batch.clear()

    def table(self) -> pa.Table:
        """Return the rows as a table."""
        import pyarrow as pa

        return pa.Table.from_batches(self._batches, schema=self.schema)

    def notes(self) -> list[str]:
        """Return what was skipped, filled in, cut, joined, or left out."""
        short, joined = f"(first: line {self.first_short:,})", f"(first: line {self.first_joined:,})"
        counted = [
            (self.n_blank, f"{count_of(self.n_blank, 'blank line')} skipped"),
            (
                self.n_short,
                f"{count_of(self.n_short, 'row')} shorter than the header filled with empty cells {short}",
            ),
            (self.n_cut, f"empty cells beyond the header dropped in {count_of(self.n_cut, 'row')}"),
            (
                self.n_joined,
                f"cells beyond the header joined to the last in {count_of(self.n_joined, 'row')} {joined}",
            ),
        ]
        return [note for n, note in counted if n] + note_of_bad_rows(self.bad_rows)


def _as_csv(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
