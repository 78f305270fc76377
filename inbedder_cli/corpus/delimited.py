"""Strict CSV and TSV reading: every cell stays the string it was; what is broken is named, never guessed around.

The standard library's parser is used rather than a faster one because it alone reports unclosed quotes.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from typing import TYPE_CHECKING

from inbedder_cli.corpus.opening import Opened, checked_encoding, decoded_lines
from inbedder_cli.errors import InputError
from inbedder_cli.options import InputFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

DELIMITERS = (",", ";", "\t", "|")
CHUNK_ROWS = 16_384
EXCEL_LINE = re.compile(rb"sep=([,;\t|])\r?\n")  # how Excel tells itself the delimiter
NEEDED = "a table needs a header and at least one row"


def read_delimited(
    opened: Opened, *, delimiter: str | None = None, encoding: str | None = None, limit: int | None = None
) -> tuple[pa.Table, str, int]:
    """Read CSV or TSV into a table of strings.

    Blank lines are skipped, except in a file of one column, where they are rows without text.

    :param opened: the bytes.
    :param delimiter: one character; None guesses from the head (a tab for TSV).
    :param encoding: None means UTF-8, with or without a byte-order mark.
    :param limit: stop after this many rows.
    :return: the table, the delimiter used, the number of blank lines skipped.
    :raises InputError: for ragged rows, unclosed quotes, NUL bytes, wrong encodings, a missing or double header.
    """
    import pyarrow as pa

    encoding = checked_encoding(encoding, opened.name)
    used, skip = _delimiter_of(opened, delimiter, encoding)
    csv.field_size_limit(sys.maxsize)
    records = _records(opened, used, encoding, skip)
    try:
        _, header = next(records)
    except StopIteration:
        raise InputError("is empty", source=opened.name, hint=NEEDED) from None
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
        if len(rows) == CHUNK_ROWS:
            flush()
    if not n_rows:
        raise InputError("has a header but no rows", source=opened.name, hint=NEEDED)
    flush()
    return pa.Table.from_batches(batches, schema=schema), used, n_blank


def _delimiter_of(opened: Opened, delimiter: str | None, encoding: str) -> tuple[str, int]:
    """Return the delimiter, and how many lines that only name it come before the header."""
    told = EXCEL_LINE.match(opened.head.removeprefix(b"\xef\xbb\xbf"))
    if told:
        return delimiter or told[1].decode(), 1
    if delimiter is None and opened.format is not InputFormat.tsv:
        delimiter = guess_delimiter(opened.head, encoding)
    return delimiter or "\t", 0


def _records(
    opened: Opened, delimiter: str, encoding: str | None, skip: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Yield (line on which the record starts, cells): the header, then every row, and [] for a blank line."""
    reader = csv.reader(decoded_lines(opened, encoding), delimiter=delimiter, strict=True)
    width = n_rows = 0
    start = 1 + skip
    try:
        for _ in range(skip):
            next(reader)
        for cells in reader:
            if not width:
                if cells:
                    width = len(cells)
                    yield start, cells
            else:
                n_rows += bool(cells) or width == 1
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        row = n_rows + 1 if width else None
        raise InputError(_explained(str(error)), source=opened.name, row=row, line=start) from error
    except InputError as error:
        if width and "line" in str(error):
            raise _with_row(error, opened.name, n_rows + 1) from error
        raise


def _with_row(error: InputError, name: str, row: int) -> InputError:
    text = str(error).removeprefix(f"{name}, ")
    return InputError(text, source=f"{name}, row {row}", hint=error.hint)


def _explained(message: str) -> str:
    if "unexpected end of data" in message:
        return 'a double quote opens here and never closes (write "" for a quote inside a quoted text)'
    if "expected after" in message:
        return 'text follows a closing double quote (write "" for a quote inside a quoted text)'
    if "new-line character" in message:
        return "line ends are bare carriage returns; convert them: tr '\\r' '\\n' < FILE"
    return message


def check_column_names(header: list[str], name: str) -> None:
    """Refuse two columns of one name: nobody could say which is meant."""
    double = [column for column, n in Counter(header).items() if n > 1]
    if double:
        raise InputError(f'the header has "{double[0]}" more than once', source=name, hint="rename one of them")


def guess_delimiter(head: bytes, encoding: str | None = None) -> str:
    r"""Return the delimiter under which most records of the head are as wide as its header.

    >>> guess_delimiter(b"id;text\n1;good, but late\n2;fine\n")
    ';'
    """
    text = head.decode(encoding or "utf-8", errors="replace")
    whole = text[: text.rfind("\n") + 1] or text  # the head may end within a record

    def score(delimiter: str) -> tuple[float, int]:
        try:
            records = [r for r in csv.reader(whole.splitlines(keepends=True), delimiter=delimiter) if r][:100]
        except csv.Error:
            return (0.0, 0)
        width = len(records[0]) if records else 0
        if width < 2:
            return (0.0, 0)
        return (sum(len(r) == width for r in records) / len(records), width)

    return max(DELIMITERS, key=score)
