"""Excel workbooks (.xlsx), written with openpyxl."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING

from inbedder_cli.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

MAX_CELL = 32_767  # characters; Excel's limits
MAX_ROWS = 1_048_576
HINT = "write CSV or Parquet"
# What XML 1.0 cannot hold. openpyxl leaves out control characters only, and writes the rest into a broken file.
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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
    """Write a table as a workbook of one sheet: numbers as numbers, everything else as text, never as a formula.

    :param table: what to write; a cell that begins with "=" stays the text it is.
    :param stream: where to write it.
    :raises InputError: for more rows, or a longer cell, than Excel takes.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    from inbedder_cli.output.cells import records

    check_sizes(table)
    book = Workbook(write_only=True)
    sheet = book.create_sheet("inbedder")

    def cell(value: object) -> object:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        text = NO_XML.sub("", value if isinstance(value, str) else str(value))
        shown = WriteOnlyCell(sheet, text)
        shown.data_type = "s"
        return shown

    try:
        sheet.append([cell(name) for name in table.column_names])
        for record in records(table):
            sheet.append([cell(record.get(name)) for name in table.column_names])
    except BaseException:
        sheet.close()
        raise
    book.save(stream)
