"""Excel workbooks (.xlsx), written with openpyxl."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from inbedder_cli.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

MAX_CELL = 32_767  # characters; Excel's limits
MAX_ROWS = 1_048_576


def write_workbook(table: pa.Table, stream: IO[bytes]) -> None:
    """Write a table as a workbook of one sheet: numbers as numbers, everything else as text, never as a formula.

    :param table: what to write; a cell that begins with "=" stays the text it is.
    :param stream: where to write it.
    :raises InputError: for more rows, or a longer cell, than Excel takes.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    from inbedder_cli.output.cells import records

    hint = "write CSV or Parquet"
    if table.num_rows >= MAX_ROWS:
        raise InputError(f"{table.num_rows:,} rows do not fit into a sheet", source="Excel", hint=hint)
    book = Workbook(write_only=True)
    sheet = book.create_sheet("inbedder")

    def cell(value: object, row: int) -> object:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        text = ILLEGAL_CHARACTERS_RE.sub("", value if isinstance(value, str) else str(value))
        if len(text) > MAX_CELL:
            raise InputError(f"a cell of {len(text):,} characters does not fit into Excel", row=row, hint=hint)
        shown = WriteOnlyCell(sheet, text)
        shown.data_type = "s"
        return shown

    try:
        sheet.append([cell(name, 0) for name in table.column_names])
        for number, record in enumerate(records(table), start=1):
            sheet.append([cell(record.get(name), number) for name in table.column_names])
    except BaseException:
        sheet.close()
        raise
    book.save(stream)
