"""Excel workbooks (.xlsx), read with openpyxl: the cells of one sheet as texts."""

from __future__ import annotations

import importlib.util
import re
import warnings
import zipfile
from contextlib import suppress
from itertools import chain, islice
from typing import TYPE_CHECKING

from inbedder_cli.corpus.formulas import notes_of_formulas
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
PASSED_BY = re.compile(
    r"xl/(worksheets|media|drawings|charts|pivot\w+|embeddings)/|xl/\w*[sS]haredStrings|customXml/"
)
MAX_WHOLE = 32 * 2**20  # bytes of the other parts, unpacked: styles, themes, relations
WORKBOOK = "xl/workbook.xml"  # is in every workbook
STRICT = b"http://purl.oclc.org/ooxml/spreadsheetml/main"  # the namespace of Strict Open XML
OLD_OFFICE = b"\xd0\xcf\x11\xe0"  # of .xls, and of the envelope around a workbook with a password
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


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
        has a row below its header, of those that are not hidden if one of them has.
    :param limit: maximum number of rows; None reads all.
    :return: the table, notes, and the rows that were left out.
    :raises InputError: for a damaged workbook, one with a password, or one that unpacks to too much.
    :raises UsageError: without openpyxl, or for an unknown sheet.
    """
    if importlib.util.find_spec("openpyxl") is None:
        raise UsageError("reading Excel needs openpyxl", hint="pip install 'inbedder[excel]', or save as CSV")
    if opened.head.startswith(OLD_OFFICE):
        raise _old_office(opened)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="openpyxl")  # about what is not read anyway
            return _read(opened, layout, limit)
    except (InputError, UsageError, MemoryError):
        raise
    except Exception as error:  # openpyxl raises whatever its parsers do
        reason = (str(error) or type(error).__name__).splitlines()[0]
        hint = "open it in a spreadsheet and save it again, or save it as CSV"
        if isinstance(error, zipfile.BadZipFile):
            hint = f"if it is text: --input-format csv; else {hint}"
        raise InputError(f"not a readable workbook: {reason}", source=opened.name, hint=hint) from error


def _read(opened: Opened, layout: Layout, limit: int | None) -> ReadTable:
    from openpyxl import load_workbook

    with zipfile.ZipFile(opened.stream) as archive:
        if sum(member.file_size for member in archive.infolist()) > unpacked_limit(opened.packed):
            raise unpacks_too_large(opened.name, opened.packed)
        # openpyxl holds every part whole, in some 40 times its size, but for the sheets and their strings.
        whole = sum(member.file_size for member in archive.infolist() if not PASSED_BY.match(member.filename))
        if whole > MAX_WHOLE:
            raise unpacks_too_large(opened.name, opened.packed, MAX_WHOLE)
        if WORKBOOK in archive.namelist() and STRICT in archive.read(WORKBOOK):
            hint = "save it as an Excel workbook (.xlsx), not a Strict Open XML one"
            raise InputError("is a Strict Open XML workbook, which is not read", source=opened.name, hint=hint)
    opened.stream.seek(0)
    book = load_workbook(opened.stream, read_only=True, data_only=True, keep_links=False)
    if not (names := [each.title for each in book.worksheets]):
        raise InputError("has no sheets with cells", source=opened.name, hint="save the sheet as CSV")
    if layout.sheet is not None and layout.sheet not in names:
        hint = f"its sheets: {', '.join(names[:LISTED])}"
        raise UsageError(f'{opened.name} has no sheet "{layout.sheet}"', hint=hint)
    chosen = layout.sheet or _first_filled(book)
    records = _with_wide_header(_records(book[chosen], opened, layout.skip_rows))
    read = stream_cells(records, opened.name, layout, limit).whole()
    lost = notes_of_formulas(book, chosen, opened, read.table.column_names, layout.skip_rows)
    about_sheet = [] if layout.sheet else _note_of_sheet(book, chosen)
    return read._replace(notes=[*about_sheet, *read.notes, *lost], lost=lost)


def _old_office(opened: Opened) -> InputError:
    is_known = ENCRYPTED in opened.head
    kind = "is protected by a password" if is_known else "is an old workbook (.xls), or has a password"
    hint = "open it in a spreadsheet and save it as .xlsx without a password, or as CSV"
    return InputError(kind, source=opened.name, hint=hint)


def _first_filled(book: Workbook) -> str:
    """Return the name of the first sheet that has a row below its header, else with a cell, else of the first one.

    Hidden sheets come last.
    """
    names: list[str] = [each.title for each in sorted(book.worksheets, key=_is_hidden)]
    n_filled: dict[str, int] = {}
    for name in names if len(names) > 1 else ():
        rows = book[name].iter_rows(max_row=FIRST_ROWS, values_only=True)
        with suppress(Exception):  # of openpyxl's parsers, for a damaged sheet: it is not the one
            n_filled[name] = sum(any(value is not None for value in row) for row in rows)
        if n_filled.get(name, 0) > 1:
            return name
    return next((name for name in names if n_filled.get(name)), names[0])


def _is_hidden(sheet: ReadOnlyWorksheet) -> bool:
    return bool(sheet.sheet_state != "visible")


def _note_of_sheet(book: Workbook, chosen: str) -> list[str]:
    """Return a note about the sheet that is read, where it is one of several, or hidden."""
    sheets = book.worksheets
    if _is_hidden(book[chosen]):
        which = "which is hidden"
    elif len(sheets) == 1:
        return []
    elif chosen == sheets[0].title:
        which = f"the first of {len(sheets)}"
    else:
        seen = next(each for each in sheets if not _is_hidden(each)).title
        which = f"the first {'that is not hidden' if seen == chosen else 'with rows'} of {len(sheets)}"
    return [f'sheet "{chosen}", {which}' + (" (--sheet to change)" if len(sheets) > 1 else "")]


def _records(sheet: ReadOnlyWorksheet, opened: Opened, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Yield row number and cells, without the empty ones at the end; [] for a blank row below the header."""
    from openpyxl.utils.escape import unescape

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
        cells = [unescape(value) if isinstance(value, str) else value_as_text(value) for value in values]
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


def _with_wide_header(records: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """Yield records whose first one has a cell for each column, where its last columns have no name.

    A row of one cell is no header: it is a title above it.
    """
    first = list(islice(records, FIRST_ROWS))
    width = max((len(cells) for _, cells in first), default=0)
    if first and len(first[0][1]) > 1 and 2 * len(first[0][1]) >= width:
        first[0][1].extend([""] * (width - len(first[0][1])))
    return chain(first, records)


def _check_size(number: int, values: tuple[object, ...], name: str) -> None:
    if number > MAX_ROWS:
        raise InputError(f"a row beyond the {MAX_ROWS:,} of Excel", source=name, hint="save it again, or as CSV")
    if any(value is not None for value in values[MAX_COLUMNS:]):
        raise too_many_columns(name, line=number)
