"""Strict CSV and TSV reading: cells stay strings, and a malformed file is an error with its line.

We use the standard library's parser because it reports unclosed quotes, unlike the faster ones.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

from inbedder_cli.corpus.columns import EMPTY_HINT, check_column_names
from inbedder_cli.corpus.limits import cell_too_large
from inbedder_cli.corpus.opening import Opened, canonical_encoding, decode_lines
from inbedder_cli.errors import InputError
from inbedder_cli.options import InputFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

DELIMITERS = (",", ";", "\t", "|")
CHUNK_CELLS = 2**20  # converted at a time
EXCEL_LINE = re.compile(rb"sep=([,;\t|])\r?\n")  # Excel's own way to state the delimiter


def read_delimited(
    opened: Opened, *, delimiter: str | None = None, encoding: str | None = None, limit: int | None = None
) -> tuple[pa.Table, str, int]:
    """Return a CSV or TSV file as a table of strings.

    Blank lines are skipped, except in a file of one column, where they are rows without text.

    :param opened: the file.
    :param delimiter: one character; None detects it from the first lines (TSV: a tab).
    :param encoding: None means UTF-8, with or without a byte-order mark.
    :param limit: maximum number of rows; None reads all.
    :return: the table, the delimiter used, the number of blank lines skipped.
    :raises InputError: for rows with a wrong number of fields, unclosed quotes, NUL bytes, another encoding,
        a missing header or one that names a column twice.
    """
    import pyarrow as pa

    encoding = canonical_encoding(encoding, opened.name)
    used, is_stated = _delimiter_of(opened, delimiter, encoding)
    csv.field_size_limit(opened.max_cell)
    records = _records(opened, used, encoding, is_stated)
    try:
        _, header = next(records)
    except StopIteration:
        raise InputError("is empty", source=opened.name, hint=EMPTY_HINT) from None
    check_column_names(header, opened.name)
    schema = pa.schema([(name, pa.string()) for name in header])
    batches: list[pa.RecordBatch] = []
    rows: list[list[str]] = []
    n_rows = n_blank = 0

    def flush() -> None:
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
        batches.append(pa.record_batch([pa.array(c, pa.string()) for c in columns], schema=schema))
        rows.clear()

    for line, cells in records:
        if not cells:
            if len(header) > 1:
                n_blank += 1
                continue
            cells = [""]
        n_rows += 1
        if len(cells) != len(header):
            raise InputError(
                f"{len(cells)} fields where the header has {len(header)}",
                source=opened.name,
                row=n_rows,
                line=line,
                hint="a text with the delimiter in it must be in double quotes; or name the --delimiter",
            )
        rows.append(cells)
        if n_rows == limit:
            break
        if len(rows) * len(header) >= CHUNK_CELLS:
            flush()
    if not n_rows:
        raise InputError("has a header but no rows", source=opened.name, hint=EMPTY_HINT)
    flush()
    return pa.Table.from_batches(batches, schema=schema), used, n_blank


def _delimiter_of(opened: Opened, delimiter: str | None, encoding: str) -> tuple[str, bool]:
    """Return the delimiter, and whether a line before the header only states it."""
    stated = EXCEL_LINE.match(opened.head.removeprefix(b"\xef\xbb\xbf").lstrip())
    if stated:
        return delimiter or stated[1].decode(), True
    if delimiter is None and opened.format is not InputFormat.tsv:
        delimiter = guess_delimiter(opened.head, encoding)
    return delimiter or "\t", False


def _records(
    opened: Opened, delimiter: str, encoding: str | None, is_stated: bool
) -> Iterator[tuple[int, list[str]]]:
    """Yield (line on which the record starts, cells): the header, then every row, and [] for a blank line."""
    reader = csv.reader(decode_lines(opened, encoding), delimiter=delimiter, strict=True)
    width = n_rows = 0
    start = 1
    try:
        for cells in reader:
            if not width:
                if not _is_blank(cells):
                    if is_stated:
                        is_stated = False
                    else:
                        width = len(cells)
                        yield start, cells
            else:
                n_rows += bool(cells) or width == 1
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        row = n_rows + 1 if width else None
        if "field limit" in str(error):
            raise cell_too_large(opened.name, opened.max_cell, row=row, line=start) from error
        raise InputError(_explain_csv_error(str(error)), source=opened.name, row=row, line=start) from error
    except InputError as error:
        if width and "line" in str(error):
            raise _with_row(error, opened.name, n_rows + 1) from error
        raise


def _is_blank(cells: list[str]) -> bool:
    """Return whether a line above the header is blank, or of nothing but delimiters; "" in quotes is a name."""
    return cells != [""] and not any(cell.strip() for cell in cells)


def _with_row(error: InputError, name: str, row: int) -> InputError:
    text = str(error).removeprefix(f"{name}, ")
    return InputError(text, source=f"{name}, row {row}", hint=error.hint)


def _explain_csv_error(message: str) -> str:
    if "unexpected end of data" in message:
        return 'a double quote opens here and never closes (write "" for a quote inside a quoted text)'
    if "expected after" in message:
        return 'text follows a closing double quote (write "" for a quote inside a quoted text)'
    if "new-line character" in message:
        return "line ends are bare carriage returns; convert them: tr '\\r' '\\n' < FILE"
    return message


def guess_delimiter(head: bytes, encoding: str | None = None) -> str:
    r"""Return the delimiter with which most records have as many fields as the header.

    :param head: the first bytes of the file.
    :param encoding: of the file; None means UTF-8.
    :return: one of `DELIMITERS`.

    >>> guess_delimiter(b"id;text\n1;good, but late\n2;fine\n")
    ';'
    """
    text = head.decode(encoding or "utf-8", errors="replace").removeprefix("\ufeff")
    complete = text[: text.rfind("\n") + 1] or text  # the head may end inside a record

    def score(delimiter: str) -> tuple[float, int]:
        try:
            records = [
                r for r in csv.reader(complete.splitlines(keepends=True), delimiter=delimiter) if not _is_blank(r)
            ][:100]
        except csv.Error:
            return (0.0, 0)
        width = len(records[0]) if records else 0
        if width < 2:
            return (0.0, 0)
        return (sum(len(r) == width for r in records) / len(records), width)

    return max(DELIMITERS, key=score)
