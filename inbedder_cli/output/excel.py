"""Excel workbooks (.xlsx), written with openpyxl."""

from __future__ import annotations

import io
import re
from collections import Counter
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

from inbedder_cli.corpus.jsonl import has_json_cells
from inbedder_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

LONGEST_ESCAPE = len("_x000D_")
MAX_CELL = 32_767  # characters; Excel's limits
MAX_ROWS = 1_048_576
NAMED = 50  # characters of a name in a message
HINT = "write CSV or Parquet"
ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")  # Excel's escapes of what XML cannot hold
# What XML 1.0 cannot hold. openpyxl leaves out control characters only, and writes the rest into a broken file.
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# CSV and our reader of workbooks give texts. A column becomes numbers or dates where Excel shows each cell as it
# was written.
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
ZERO = re.compile(r"-0(?:\.0+)?")
MAX_DIGITS = 15  # of a number in Excel
MAX_GENERAL = 11  # characters of a number that Excel shows without an exponent where no format is chosen
DATES = {
    re.compile(r"(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}" + time): f"yyyy-mm-dd{shown}"
    for time, shown in {
        "": "",
        " [0-9]{2}:[0-9]{2}": " hh:mm",
        " [0-9]{2}:[0-9]{2}:[0-9]{2}": " hh:mm:ss",
        "T[0-9]{2}:[0-9]{2}": '"T"hh:mm',
        "T[0-9]{2}:[0-9]{2}:[0-9]{2}": '"T"hh:mm:ss',
    }.items()
}
SAID = ("label", "answer")  # ends of the names of columns of what a model says, which is text


def check_sizes(table: pa.Table) -> None:
    """Check that a sheet of Excel can hold a table.

    :param table: what is to be written.
    :raises InputError: for more rows, or a longer cell, than Excel takes, or two names that are one in Excel.
    """
    from inbedder_cli.output.cells import rows_as_text

    if table.num_rows >= MAX_ROWS:
        raise InputError(f"{table.num_rows:,} rows do not fit into a sheet", source="Excel", hint=HINT)
    names = Counter(NO_XML.sub("", name) for name in table.column_names)
    for name in table.column_names:
        _check_length(name, None, name[:NAMED])
        if names[kept := NO_XML.sub("", name)] > 1:
            message = "two columns have this name without the characters that Excel cannot hold"
            raise InputError(message, column=kept, hint=HINT)
    for number, cells in enumerate(rows_as_text(table), start=1):
        for name, text in zip(table.column_names, cells, strict=True):
            _check_length(text, number, name)


def _check_length(text: str, row: int | None, column: str) -> None:
    if len(text) * LONGEST_ESCAPE <= MAX_CELL:
        return
    length = len(escape(NO_XML.sub("", text)))  # openpyxl cuts what is longer
    if length > MAX_CELL:
        message = f"a cell of {length:,} characters does not fit into Excel, which takes {MAX_CELL:,}"
        raise InputError(message, row=row, column=column, hint=HINT)


def write_workbook(table: pa.Table, stream: IO[bytes]) -> None:
    """Write a table as a workbook of one sheet: numbers and dates as such, all else as text, never as a formula.

    :param table: what to write; a cell that begins with "=" stays the text it is. Columns of text in which Excel
        shows each cell as it is written become numbers or dates: not "007", "1e5", or "1.10" beside "1.5".
    :param stream: where to write it.
    :raises InputError: for what `check_sizes` refuses.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    from inbedder_cli.output.cells import records, rows_as_text

    check_sizes(table)
    names, rows = table.column_names, records(table)
    number_formats = {
        field.name: None
        if has_json_cells(field) or field.name.endswith(SAID)
        else _number_format(row.get(field.name) for row in rows)
        for field in table.schema
    }
    book = Workbook(write_only=True)
    sheet = book.create_sheet("inbedder")

    def cell(value: object, text: str, number_format: str | None = None) -> object:
        if value is None or isinstance(value, (bool, float)):
            return value
        if isinstance(value, int) and len(text.lstrip("-")) <= MAX_DIGITS:
            return value
        if number_format:
            if not text:
                return None
            shown = WriteOnlyCell(sheet, _typed(text))
            shown.number_format = number_format
            return shown
        shown = WriteOnlyCell(sheet, escape(NO_XML.sub("", text)))
        shown.data_type = "s"
        return shown

    try:
        sheet.append([cell(name, name) for name in names])
        for row, texts in zip(rows, rows_as_text(table), strict=True):
            cells = zip(names, texts, strict=True)
            sheet.append([cell(row.get(name), text, number_formats[name]) for name, text in cells])
    except BaseException:
        sheet.close()
        raise
    archive = io.BytesIO()  # closing an archive on a full disk would fail again, out of our hands
    book.save(archive)
    stream.write(archive.getbuffer())


def escape(text: str) -> str:
    """Return a text in which Excel's escapes are texts, and a carriage return is one of them.

    >>> escape("_x0041_")
    '_x005F_x0041_'

    :param text: the text of a cell.
    """
    return ESCAPED.sub("_x005F_", text).replace("\r", "_x000D_")


def _number_format(values: Iterable[Any]) -> str | None:
    """Return the format in which Excel shows the values of a column as they are written; None for texts."""
    given = [value for value in values if value is not None and value != ""]
    texts = {value for value in given if isinstance(value, str)}
    if not texts or not all(isinstance(value, str) for value in given):
        return None
    if all(map(_is_number, texts)):
        decimals = {len(text.partition(".")[2]) for text in texts}
        if len(decimals) == 1:
            return "0." + "0" * max(decimals) if max(decimals) else "0"
        is_shown = all(len(text) <= MAX_GENERAL and not ("." in text and text.endswith("0")) for text in texts)
        return "General" if is_shown else None
    return next((shown for date, shown in DATES.items() if all(_is_date(text, date) for text in texts)), None)


def _is_number(text: str) -> bool:
    n_digits = sum(c.isdigit() for c in text)
    return NUMBER.fullmatch(text) is not None and n_digits <= MAX_DIGITS and not ZERO.fullmatch(text)


def _is_date(text: str, date: re.Pattern[str]) -> bool:
    if date.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _typed(text: str) -> int | float | datetime:
    if NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return datetime.fromisoformat(text)
