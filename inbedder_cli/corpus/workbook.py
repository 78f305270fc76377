"""Excel workbooks (.xlsx), read with openpyxl: the cells of one sheet as texts."""

from __future__ import annotations

import importlib.util
import re
import zipfile
from itertools import zip_longest
from typing import TYPE_CHECKING

from inbedder_cli.corpus.grid import stream_cells
from inbedder_cli.corpus.limits import (
    MAX_COLUMNS,
    cell_too_large,
    check_empty_cells,
    too_many_columns,
    unpacked_limit,
    unpacks_too_large,
)
from inbedder_cli.corpus.values import value_as_text
from inbedder_cli.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openpyxl import Workbook
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

    from inbedder_cli.corpus.layout import Layout
    from inbedder_cli.corpus.opening import Opened
    from inbedder_cli.corpus.read_table import ReadTable

MAX_ROWS = 2**20  # of a sheet
LISTED = 10  # sheets that a message names
FIRST_ROWS = 20  # of a sheet, in which it has a cell if it has any
WORKBOOK = "xl/workbook.xml"  # is in every workbook
SHEETS = "xl/worksheets/"
FORMULA = re.compile(rb"<f[ />]")
CHUNK = 2**20  # bytes


def is_workbook(opened: Opened, _: str) -> bool:
    """Return whether a file is an Excel workbook.

    :param opened: the file.
    """
    if not opened.head.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(opened.stream) as archive:
            return WORKBOOK in archive.namelist()
    except (zipfile.BadZipFile, OSError, RuntimeError):
        return False
    finally:
        opened.stream.seek(0)


def read_workbook(opened: Opened, layout: Layout, limit: int | None = None) -> ReadTable:
    """Return a sheet of a workbook as a table of strings. Of formulas, the values that Excel stored are read.

    :param opened: the file.
    :param layout: the sheet, how many header rows it has, and lines above them; without a sheet, the first that
        holds something.
    :param limit: maximum number of rows; None reads all.
    :return: the table, notes, and the rows that were left out.
    :raises InputError: for a damaged workbook, or one that unpacks to too much.
    :raises UsageError: without openpyxl, or for an unknown sheet.
    """
    if importlib.util.find_spec("openpyxl") is None:
        raise UsageError("reading Excel needs openpyxl", hint="pip install 'inbedder[excel]', or save as CSV")
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(opened.stream) as archive:
            if sum(member.file_size for member in archive.infolist()) > unpacked_limit(opened.packed):
                raise unpacks_too_large(opened.name, opened.packed)
        opened.stream.seek(0)
        book = load_workbook(opened.stream, read_only=True, data_only=True, keep_links=False)
        names = [each.title for each in book.worksheets]
        if not names or (layout.sheet is not None and layout.sheet not in names):
            raise UsageError(
                f'{opened.name} has no sheet "{layout.sheet}"', hint=f"its sheets: {', '.join(names[:LISTED])}"
            )
        shown = [each.title for each in book.worksheets if each.sheet_state == "visible"]
        chosen = layout.sheet or _first_filled(book, shown or names)
        read = stream_cells(_records(book[chosen], opened, layout.skip_rows), opened.name, layout, limit).whole()
        notes = _formula_notes(book[chosen], opened)
    except (InputError, UsageError, MemoryError):
        raise
    except Exception as error:  # openpyxl raises whatever its parsers do
        reason = (str(error) or type(error).__name__).splitlines()[0]
        hint = "open it in a spreadsheet and save it again, or save it as CSV"
        raise InputError(f"not a readable workbook: {reason}", source=opened.name, hint=hint) from error
    if len(names) > 1 and layout.sheet is None:
        which = "the first" if chosen == names[0] else "the first that is shown and not empty"
        notes.insert(0, f'sheet "{chosen}", {which} of {len(names)} (--sheet to change)')
    return read._replace(notes=[*notes, *read.notes])


def _first_filled(book: Workbook, names: list[str]) -> str:
    """Return the name of the first sheet with a cell in its first rows, or of the first one."""
    for name in names:
        rows = book[name].iter_rows(max_row=FIRST_ROWS, values_only=True)
        if any(value is not None for row in rows for value in row):
            return name
    return names[0]


def _formula_notes(sheet: ReadOnlyWorksheet, opened: Opened) -> list[str]:
    """Return how many formulas have no stored value, in one line: such files are written by programs."""
    from openpyxl import load_workbook

    opened.stream.seek(0)
    with zipfile.ZipFile(opened.stream) as archive:
        if not any(_holds_formula(archive, name) for name in archive.namelist() if name.startswith(SHEETS)):
            return []
    opened.stream.seek(0)
    formulas = load_workbook(opened.stream, read_only=True, keep_links=False)[sheet.title]
    formulas.reset_dimensions()
    rows = zip(sheet.iter_rows(values_only=True), formulas.iter_rows(values_only=True), strict=False)
    n = sum(
        value is None and isinstance(formula, str) and formula.startswith("=")
        for values, row in rows
        for value, formula in zip_longest(values, row)
    )
    if not n:
        return []
    cells = "1 cell is a formula" if n == 1 else f"{n:,} cells are formulas"
    return [f"{cells} without a stored value, read as empty: open the file in a spreadsheet and save it again"]


def _holds_formula(archive: zipfile.ZipFile, name: str) -> bool:
    before = b""
    with archive.open(name) as stream:
        while chunk := stream.read(CHUNK):
            if FORMULA.search(before + chunk):
                return True
            before = chunk[-2:]
    return False


def _records(sheet: ReadOnlyWorksheet, opened: Opened, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Yield row number and cells, without the empty ones at the end; [] for a blank row below the header."""
    has_begun = False
    n_empty = n_filled = n_characters = 0  # a cell far out makes all before it; many cells may share one text
    sheet.reset_dimensions()  # what a file says about its size may be wrong
    for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
        if number > MAX_ROWS or len(values) > MAX_COLUMNS:
            _check_size(number, values, opened.name)
        if number <= skipped:
            continue
        given = sum(value is not None for value in values)
        n_filled += given
        n_empty += len(values) - given
        check_empty_cells(n_empty, n_filled, f"{number:,} rows of few cells", opened.name, "save it as CSV")
        cells = [value_as_text(value) for value in values]
        for cell in cells:
            if len(cell) > opened.max_cell:
                raise cell_too_large(opened.name, opened.max_cell, row=number)
            n_characters += len(cell)
        if n_characters > unpacked_limit(opened.packed):
            raise unpacks_too_large(opened.name, opened.packed)
        while cells and not cells[-1]:
            cells.pop()
        if cells or has_begun:
            has_begun = True
            yield number, cells


def _check_size(number: int, values: tuple[object, ...], name: str) -> None:
    if number > MAX_ROWS:
        raise InputError(f"a row beyond the {MAX_ROWS:,} of Excel", source=name, hint="save it again, or as CSV")
    if any(value is not None for value in values[MAX_COLUMNS:]):
        raise too_many_columns(name, line=number)
