"""Records of cells -> rows of strings as wide as the header, in batches."""

from __future__ import annotations

import csv
import io
from itertools import chain, islice
from typing import TYPE_CHECKING

from inbedder_cli.corpus.columns import EMPTY_HINT, check_column_names
from inbedder_cli.corpus.header import MOST_ROWS, column_names, n_header_rows
from inbedder_cli.corpus.limits import MAX_COLUMNS, check_empty_cells, too_many_columns
from inbedder_cli.corpus.read_table import BadRow, note_of_bad_rows
from inbedder_cli.corpus.row_stream import RowStream
from inbedder_cli.corpus.trimming import Trimming
from inbedder_cli.errors import InputError
from inbedder_cli.options import OnBadRow
from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

    from inbedder_cli.corpus.layout import Layout

CHUNK_CELLS = 2**16  # converted at a time
END_OF_FILE = "\x1a"  # that DOS programs write


def stream_cells(
    records: Iterator[tuple[int, list[str]]],
    source: str,
    layout: Layout,
    limit: int | None,
    *,
    delimiter: str = ",",
    originals: dict[int, str] | None = None,
) -> RowStream:
    """Return records of a file as rows of strings, with notes about what was skipped, filled in, or named.

    :param records: the line of each record, and its cells; [] for a blank line.
    :param source: name of the input in messages.
    :param layout: how many header rows there are, and what to do with rows of more content than the header has.
    :param limit: maximum number of rows; None reads all.
    :param delimiter: joins the cells beyond the header to the last one where rows are to be padded.
    :param originals: the text of the latest records by line; None: bad rows are written as CSV.
    :return: the rows. While they are read, errors are raised for a file without rows, and for rows with more
        content than the header.
    :raises InputError: without a header.
    """
    first = list(islice(records, MOST_ROWS))
    if not first:
        raise InputError("is empty", source=source, hint=EMPTY_HINT)
    n_header = _n_header(first, layout)
    header, below = ([cells for _, cells in part] for part in (first[:n_header], first[n_header:]))
    width = len(first[0][1])
    if width > MAX_COLUMNS:
        raise too_many_columns(source)
    names = column_names(header)[0] if header else [f"column_{i}" for i in range(1, width + 1)]
    check_column_names(names, source)
    rows = _Rows(names, source, layout.on_bad_row, delimiter, originals)
    trimming = Trimming(header, width)

    def notes() -> list[str]:
        recognized = f"{n_header} header rows (recognized; --header-rows to change)"
        is_recognized = n_header > 1 and layout.header_rows is None
        return [*[recognized] * is_recognized, *trimming.notes(below), *rows.notes()]

    batches = rows.batches(chain(first[n_header:], records), limit)
    return RowStream(map(trimming.seen, batches), trimming.trimmed, notes, rows.bad_rows)


def _no_rows(source: str, bad_rows: list[BadRow]) -> InputError:
    if bad_rows:
        line, reason, _ = bad_rows[0]
        hint = "--on-bad-row pad keeps such rows; or is the header on another line? --skip-rows"
        return InputError(f"all rows are left out (first: line {line:,}, {reason})", source=source, hint=hint)
    return InputError("has a header but no rows", source=source, hint=EMPTY_HINT)


def _n_header(first: list[tuple[int, list[str]]], layout: Layout) -> int:
    if not layout.header:
        return 0
    return layout.header_rows or n_header_rows([cells for _, cells in first])


class _Rows:
    """Collects rows of as many cells as there are columns."""

    def __init__(
        self, names: list[str], source: str, on_bad_row: OnBadRow, delimiter: str, originals: dict[int, str] | None
    ) -> None:
        import pyarrow as pa

        self.schema, self.width = pa.schema([(name, pa.string()) for name in names]), len(names)
        self.source, self.on_bad_row, self.delimiter, self.originals = source, on_bad_row, delimiter, originals
        self.batch: list[list[str]] = []  # of rows that were not flushed yet
        self.n = 0  # rows that were
        self.n_blank = self.n_short = self.n_cut = self.n_joined = 0
        self.first_short = self.first_joined = 0  # lines
        self.n_given = 0  # cells of the short rows
        self.bad_rows: list[BadRow] = []

    def batches(self, records: Iterable[tuple[int, list[str]]], limit: int | None) -> Iterator[pa.Table]:
        """Yield the rows of records in batches.

        :param records: the line of each record below the header, and its cells.
        :param limit: maximum number of rows; None takes all.
        :raises InputError: when there is none, and for rows with more content than the header.
        """
        full = max(1, CHUNK_CELLS // self.width)
        for line, cells in records:
            fitted = cells if len(cells) == self.width else self.fit(line, cells)
            if fitted is None:
                continue
            self.batch.append(fitted)
            if len(self.batch) == full or self.n + len(self.batch) == limit:
                yield self.flush()
                if self.n == limit:
                    return
        if self.batch:
            yield self.flush()
        if not self.n:
            raise _no_rows(self.source, self.bad_rows)

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
                f"{count_of(self.n_short, 'row')} shorter than the {width:,} columns of the header",
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
            return (
                f"{above}if texts hold the delimiter: --on-bad-row pad; if there is no header, and every line is "
                "one text: --input-format lines; else name the --delimiter"
            )
        hint = (
            "a text with the delimiter in it must be in double quotes; or name the --delimiter; "
            "or --on-bad-row: pad keeps such rows, skip leaves them out"
        )
        if any(cell.lstrip().startswith("'") for cell in cells):
            hint = f'if texts are in single quotes: --quote "\'"; {hint}'
        return above + hint if len(cells) > 2 * self.width else hint

    def flush(self) -> pa.Table:
        """Return the rows that were collected, at least one, and begin anew."""
        import pyarrow as pa

        arrays = [pa.array(column, pa.string()) for column in zip(*self.batch, strict=True)]
        self.n += len(self.batch)
        self.batch.clear()
        return pa.table(arrays, schema=self.schema)

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
