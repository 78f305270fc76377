"""Strict CSV and TSV reading: cells stay strings, and a malformed file is an error with its line.

We use the standard library's parser because it reports unclosed quotes, unlike the faster ones.
"""

from __future__ import annotations

import codecs
import csv
import re
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from inbedder_cli.corpus.columns import EMPTY_HINT, check_column_names
from inbedder_cli.corpus.delimiters import guess_delimiter, is_blank
from inbedder_cli.corpus.header import MOST_ROWS, column_names, n_header_rows
from inbedder_cli.corpus.limits import MAX_COLUMNS, cell_too_large, check_empty_cells, too_many_columns
from inbedder_cli.corpus.opening import Opened, canonical_encoding, decode_lines
from inbedder_cli.errors import InputError
from inbedder_cli.options import CsvStyle, InputFormat, OnBadRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

CHUNK_CELLS = 2**20  # converted at a time
EXCEL_LINE = re.compile(rb"sep=([,;\t|])\r?\n")  # Excel's own way to state the delimiter


@dataclass(frozen=True)
class Dialect:
    """How a CSV or TSV file is written.

    :param delimiter: one character; None detects it from the first lines (TSV: a tab).
    :param encoding: None means UTF-8, with or without a byte-order mark.
    :param has_header: whether the first row names the columns; otherwise they are called column_1, column_2, ...
    :param header_rows: number of header rows; None: one, or what `n_header_rows` recognizes.
    :param skip_rows: number of lines above the header, which are not read.
    :param escape: a character that makes the next one part of the text; None: only doubled quotes do.
    :param on_bad_row: what to do with rows that have more cells than the header.
    """

    delimiter: str | None = None
    encoding: str | None = None
    has_header: bool = True
    header_rows: int | None = None
    skip_rows: int = 0
    escape: str | None = None
    on_bad_row: OnBadRow = OnBadRow.fail


class Delimited(NamedTuple):
    """A CSV or TSV file as it was read.

    :param table: a table of strings.
    :param style: how the file is written.
    :param notes: what was skipped, filled in, or named.
    """

    table: pa.Table
    style: CsvStyle
    notes: list[str]


def read_delimited(opened: Opened, dialect: Dialect | None = None, *, limit: int | None = None) -> Delimited:
    """Return a CSV or TSV file as a table of strings.

    Blank lines are skipped, except in a file of one column, where they are rows without text. Rows with fewer
    cells than the header are filled up, and empty cells beyond it are dropped, as spreadsheets leave them out or
    add them; both are noted. Unnamed columns at the end are dropped if they are empty.

    :param opened: the file.
    :param dialect: how it is written; None detects it.
    :param limit: maximum number of rows; None reads all.
    :return: the table, how it is written, and notes.
    :raises InputError: for rows with more cells than the header, unclosed quotes, NUL bytes, another encoding, or
        a missing header.
    """
    dialect = dialect or Dialect()
    encoding = canonical_encoding(dialect.encoding, opened.name)
    used, is_stated = _delimiter_of(opened, dialect, encoding)
    csv.field_size_limit(opened.max_cell)
    records = _records(opened, used, encoding, dialect, is_stated=is_stated)
    table, notes = table_of_cells(records, opened.name, dialect, limit)
    line_end = "\r\n" if opened.head.partition(b"\n")[0].endswith(b"\r") else "\n"
    return Delimited(table, CsvStyle(used, line_end, opened.head.startswith(codecs.BOM_UTF8)), notes)


def table_of_cells(
    records: Iterator[tuple[int, list[str]]], source: str, dialect: Dialect, limit: int | None
) -> tuple[pa.Table, list[str]]:
    """Return records of a file as a table of strings, with notes about what was skipped, filled in, or named.

    :param records: the line of each record, and its cells; [] for a blank line.
    :param source: name of the input in messages.
    :param dialect: how many header rows there are, and what to do with rows longer than the header.
    :param limit: maximum number of rows; None reads all.
    :return: table and notes.
    :raises InputError: without a header or rows, and for rows with more cells than the header.
    """
    first = list(islice(records, MOST_ROWS))
    if not first:
        raise InputError("is empty", source=source, hint=EMPTY_HINT)
    n_header = _n_header(first, dialect)
    header = [cells for _, cells in first[:n_header]]
    width = len(first[0][1])
    if width > MAX_COLUMNS:
        raise too_many_columns(source)
    names = column_names(header)[0] if header else [f"column_{i}" for i in range(1, width + 1)]
    check_column_names(names, source)
    rows = _Rows(names, source, dialect.on_bad_row)
    for line, cells in chain(first[n_header:], records):
        rows.add(line, cells)
        if rows.n == limit:
            break
    if not rows.n:
        raise InputError("has a header but no rows", source=source, hint=EMPTY_HINT)
    table = _without_empty_ends(rows.table(), header)
    notes = column_names([cells[: table.num_columns] for cells in header])[1] if header else []
    if n_header > 1 and dialect.header_rows is None:
        notes.insert(0, f"{n_header} header rows (recognized; --header-rows to change)")
    return table, [*notes, *rows.notes()]


def _n_header(first: list[tuple[int, list[str]]], dialect: Dialect) -> int:
    if not dialect.has_header:
        return 0
    return dialect.header_rows or n_header_rows([cells for _, cells in first])


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

    def __init__(self, names: list[str], source: str, on_bad_row: OnBadRow) -> None:
        import pyarrow as pa

        self.schema, self.width = pa.schema([(name, pa.string()) for name in names]), len(names)
        self.source, self.on_bad_row = source, on_bad_row
        self.n = self.n_blank = self.n_short = self.n_cut = self.n_bad = 0
        self.first_short = self.first_bad = 0  # lines
        self.n_given = 0  # cells of the short rows
        self._rows: list[list[str]] = []
        self._batches: list[pa.RecordBatch] = []

    def add(self, line: int, cells: list[str]) -> None:
        if len(cells) != self.width:
            fitted = self._fit(line, cells)
            if fitted is None:
                return
            cells = fitted
        self.n += 1
        self._rows.append(cells)
        if len(self._rows) * self.width >= CHUNK_CELLS:
            self._flush()

    def _fit(self, line: int, cells: list[str]) -> list[str] | None:
        """Return cells as many as there are columns; None for a row that is left out."""
        width = self.width
        if not cells:
            if width == 1:
                return [""]
            self.n_blank += 1
            return None
        if len(cells) < width:
            self.n_short += 1
            self.first_short = self.first_short or line
            self.n_given += len(cells)
            check_empty_cells(
                self.n_short * width - self.n_given,
                (self.n - self.n_short + 2) * width + self.n_given,  # with the header
                f"{self.n_short:,} rows shorter than the {width:,} columns of the header",
                self.source,
                "is the header one row? --header-rows, --skip-rows or --no-header",
            )
            return [*cells, *[""] * (width - len(cells))]
        if any(cell.strip() for cell in cells[width:]):
            self._add_bad(line, cells)
            return None
        self.n_cut += 1
        return cells[:width]

    def _add_bad(self, line: int, cells: list[str]) -> None:
        if self.on_bad_row is OnBadRow.fail:
            raise InputError(
                f"{len(cells)} fields where the header has {self.width}",
                source=self.source,
                row=self.n + 1,
                line=line,
                hint="a text with the delimiter in it must be in double quotes; or name the --delimiter, "
                "or leave such rows out with --on-bad-row skip",
            )
        self.n_bad += 1
        self.first_bad = self.first_bad or line

    def _flush(self) -> None:
        import pyarrow as pa

        columns = list(zip(*self._rows, strict=True)) if self._rows else [()] * self.width
        self._batches.append(pa.record_batch([pa.array(c, pa.string()) for c in columns], schema=self.schema))
        self._rows.clear()

    def table(self) -> pa.Table:
        import pyarrow as pa

        self._flush()
        return pa.Table.from_batches(self._batches, schema=self.schema)

    def notes(self) -> list[str]:
        counted = [
            (self.n_blank, "{n:,} blank lines skipped"),
            (self.n_short, "{n:,} rows shorter than the header filled with empty cells (first: line {short:,})"),
            (self.n_cut, "empty cells beyond the header dropped in {n:,} rows"),
            (self.n_bad, "{n:,} rows left out, with more cells than the header (first: line {bad:,})"),
        ]
        return [note.format(n=n, short=self.first_short, bad=self.first_bad) for n, note in counted if n]


def _delimiter_of(opened: Opened, dialect: Dialect, encoding: str) -> tuple[str, bool]:
    """Return the delimiter, and whether a line before the header only states it."""
    delimiter, head = dialect.delimiter, opened.head
    stated = EXCEL_LINE.match(head.removeprefix(b"\xef\xbb\xbf").lstrip())
    if stated and not dialect.skip_rows:
        return delimiter or stated[1].decode(), True
    if delimiter is None and opened.format is not InputFormat.tsv:
        for _ in range(dialect.skip_rows):
            head = head.partition(b"\n")[2]
        delimiter = guess_delimiter(head, encoding)
    return delimiter or "\t", False


def _records(
    opened: Opened, delimiter: str, encoding: str | None, dialect: Dialect, *, is_stated: bool
) -> Iterator[tuple[int, list[str]]]:
    """Yield (line on which the record starts, cells): the header, then every row, and [] for a blank line."""
    skipped = dialect.skip_rows
    lines = islice(decode_lines(opened, encoding), skipped, None)
    reader = csv.reader(lines, delimiter=delimiter, escapechar=dialect.escape, strict=True)
    width = n_rows = 0
    start = skipped + 1
    try:
        for cells in reader:
            if not width:
                if not is_blank(cells):
                    if is_stated:
                        is_stated = False
                    else:
                        width = len(cells)
                        n_rows += not dialect.has_header
                        yield start, cells
            else:
                n_rows += bool(cells) or width == 1
                yield start, cells
            start = skipped + reader.line_num + 1
    except csv.Error as error:
        row = n_rows + 1 if width else None
        if "field limit" in str(error):
            raise cell_too_large(opened.name, opened.max_cell, row=row, line=start) from error
        raise InputError(_explain_csv_error(str(error)), source=opened.name, row=row, line=start) from error
    except InputError as error:
        if width and "line" in str(error):
            raise _with_row(error, opened.name, n_rows + 1) from error
        raise


def _with_row(error: InputError, name: str, row: int) -> InputError:
    text = str(error).removeprefix(f"{name}, ")
    return InputError(text, source=f"{name}, row {row}", hint=error.hint)


def _explain_csv_error(message: str) -> str:
    if "unexpected end of data" in message:
        return 'a double quote opens here and never closes (write "" for a quote inside a quoted text)'
    if "expected after" in message:
        return (
            'text follows a closing double quote (write "" for a quote inside a quoted text; '
            r"if quotes are written \", add --escape '\')"
        )
    return message
