"""Excel workbooks (.xlsx), written with openpyxl."""

from __future__ import annotations

import re
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

from inbedder_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

MAX_CELL = 32_767  # characters; Excel's limits
MAX_ROWS = 1_048_576
HINT = "write CSV or Parquet"
# What XML 1.0 cannot hold. openpyxl leaves out control characters only, and writes the rest into a broken file.
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# CSV and our reader of workbooks give texts. A column becomes numbers or dates where each cell is written as Excel
# shows one.
NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?")
MAX_DIGITS = 15  # of a number in Excel
DATE = re.compile(r"(?:19|20)\d\d-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?")


def check_sizes(table: pa.Table) -> None:
    """Check that a sheet of Excel can hold a table.

    :param table: what is to be written.
    :raises InputError: for more rows, or a longer cell, than Excel takes.
    """
    from inbedder_cli.output.cells import rows_as_text

    if table.num_rows >= MAX_ROWS:
        raise InputError(f"{table.num_rows:,} rows do not fit into a sheet", source="Excel", hint=HINT)
    for number, cells in enumerate(rows_as_text(table), start=1):
        for name, text in zip(table.column_names, cells, strict=True):
            _check_length(text, number, name)


def _check_length(text: str, row: int, column: str) -> None:
    if len(text) > MAX_CELL:
        message = f"a cell of {len(text):,} characters does not fit into Excel, which takes {MAX_CELL:,}"
        raise InputError(message, row=row, column=column, hint=HINT)


def write_workbook(table: pa.Table, stream: IO[bytes]) -> None:
    """Write a table as a workbook of one sheet: numbers and dates as such, all else as text, never as a formula.

    :param table: what to write; a cell that begins with "=" stays the text it is. Columns of text in which each
        cell is a number or an ISO date become numbers or dates; "007" and "1e5" are texts.
    :param stream: where to write it.
    :raises InputError: for more rows, or a longer cell, than Excel takes.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    from inbedder_cli.output.cells import records

    check_sizes(table)
    names, rows = table.column_names, records(table)
    number_formats = {name: _number_format(row.get(name) for row in rows) for name in names}
    book = Workbook(write_only=True)
    sheet = book.create_sheet("inbedder")

    def cell(value: object, number_format: str | None = None) -> object:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if number_format:
            if value == "":
                return None
            shown = WriteOnlyCell(sheet, _typed(str(value)))
            shown.number_format = number_format
            return shown
        shown = WriteOnlyCell(sheet, NO_XML.sub("", value if isinstance(value, str) else str(value)))
        shown.data_type = "s"
        return shown

    try:
        sheet.append([cell(name) for name in names])
        for row in rows:
            sheet.append([cell(row.get(name), number_formats[name]) for name in names])
    except BaseException:
        sheet.close()
        raise
    book.save(stream)


def _number_format(values: Iterable[Any]) -> str | None:
    """Return how Excel shows the values of a column as they are written here; None where they are texts."""
    texts = {value for value in values if value not in (None, "")}
    if not texts or not all(isinstance(text, str) for text in texts):
        return None
    if all(map(_is_number, texts)):
        decimals = {len(text.partition(".")[2]) for text in texts}
        return "0." + "0" * max(decimals) if len(decimals) == 1 and max(decimals) else "General"
    if all(map(_is_date, texts)):
        return "yyyy-mm-dd hh:mm:ss" if any(":" in text for text in texts) else "yyyy-mm-dd"
    return None


def _is_number(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None and sum(c.isdigit() for c in text) <= MAX_DIGITS


def _is_date(text: str) -> bool:
    if DATE.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _typed(text: str) -> int | float | datetime:
    if _is_date(text):
        return datetime.fromisoformat(text)
    return float(text) if "." in text else int(text)
