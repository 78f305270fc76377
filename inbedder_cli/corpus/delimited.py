"""Strict CSV and TSV reading: cells stay strings, and a malformed file is an error with its line.

We use the standard library's parser because it reports unclosed quotes, unlike the faster ones.
"""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.delimiters import NAMES, consistency, guess_delimiter, is_blank
from inbedder_cli.corpus.grid import stream_cells
from inbedder_cli.corpus.header import MOST_ROWS
from inbedder_cli.corpus.layout import Layout
from inbedder_cli.corpus.limits import cell_too_large
from inbedder_cli.corpus.lone_returns import LoneReturns
from inbedder_cli.corpus.swallowed_rows import SwallowedRows
from inbedder_cli.corpus.text_lines import decode_lines, has_mark, head_text
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import CsvStyle, OnBadRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inbedder_cli.corpus.opening import Opened
    from inbedder_cli.corpus.read_table import ReadTable
    from inbedder_cli.corpus.row_stream import RowStream

EXCEL_LINE = re.compile(r'"?sep=(.)"?\r?\n', re.I)  # Excel's own way to state the delimiter
DOUBLED = 'write "" for a quote inside a quoted text'
QUOTES_HINT = "; if quotes mean nothing in this file: --quote ''"


def read_csv(
    opened: Opened, layout: Layout | None = None, limit: int | None = None, *, usual: str = ","
) -> ReadTable:
    """Return a CSV or TSV file as a table of strings.

    :param opened: the file.
    :param layout: how it is laid out; None detects it.
    :param limit: maximum number of rows; None reads all.
    :param usual: the delimiter that such files have, and that needs no note.
    :return: the table, notes, the rows that were left out, and how the file is written.
    :raises InputError: as `stream_csv`.
    """
    return stream_csv(opened, layout, limit, usual=usual).whole()


def stream_csv(
    opened: Opened, layout: Layout | None = None, limit: int | None = None, *, usual: str = ","
) -> RowStream:
    """Return the rows of a CSV or TSV file, whose cells are strings.

    Blank lines are skipped, except in a file of one column, where they are rows without text. Rows with fewer
    cells than the header are filled up, and empty cells beyond it are dropped, as spreadsheets leave them out or
    add them; both are noted. Unnamed columns at the end are dropped if they are empty.

    :param opened: the file.
    :param layout: how it is laid out; None detects it.
    :param limit: maximum number of rows; None reads all.
    :param usual: the delimiter that such files have, and that needs no note.
    :return: the rows, notes, the rows that were left out, and how the file is written.
    :raises InputError: now or while rows are read, for rows with more cells than the header, unclosed quotes, NUL
        bytes, another encoding, or a missing header.
    """
    layout = layout or Layout()
    text = head_text(opened, layout)
    delimiter, is_stated = _delimiter_of(text, layout, usual)
    if delimiter == layout.quote:
        raise UsageError(f"the delimiter and the quote are both {delimiter}", hint="name another --quote")
    below = "".join(text.splitlines(keepends=True)[layout.skip_rows + is_stated :])
    is_spaced = consistency(below, delimiter)[0] < consistency(below, delimiter, spaced=True)[0]
    csv.field_size_limit(opened.max_cell)
    originals: dict[int, str] = {}
    swallowed, returns = SwallowedRows(delimiter), LoneReturns(below)
    lines = decode_lines(opened, layout)
    if returns.are_content:
        lines = returns.seen(lines)
    records = _records(lines, opened, layout, delimiter, originals, is_stated=is_stated, is_spaced=is_spaced)
    if returns.are_content:
        records = returns.joined(records)
    rows = stream_cells(
        swallowed.watch(records),
        opened.name,
        layout,
        limit,
        delimiter=f"{delimiter} " if is_spaced else delimiter,
        originals=originals,
    )
    notes = []
    if layout.delimiter is None and delimiter != usual:
        shown = NAMES.get(delimiter, f'"{delimiter}"')
        how = "its first line tells it" if is_stated else "guessed; --delimiter to change"
        notes.append(f"delimiter {shown} ({how})")
    if is_spaced:
        notes.append("blanks after delimiters dropped")
    line_end = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
    style = CsvStyle(delimiter, line_end, has_mark(opened))
    return replace(rows, notes=lambda: [*notes, *returns.notes(), *rows.notes(), *swallowed.notes()], style=style)


def read_tsv(opened: Opened, layout: Layout | None = None, limit: int | None = None) -> ReadTable:
    """Return a TSV file as a table of strings; its delimiter is a tab, unless another one alone divides it.

    :param opened: the file.
    :param layout: how it is laid out; None detects it.
    :param limit: maximum number of rows; None reads all.
    :return: as `read_csv`.
    """
    return read_csv(opened, layout, limit, usual="\t")


def stream_tsv(opened: Opened, layout: Layout | None = None, limit: int | None = None) -> RowStream:
    """Return the rows of a TSV file, as `read_tsv` reads it.

    :param opened: the file.
    :param layout: how it is laid out; None detects it.
    :param limit: maximum number of rows; None reads all.
    :return: as `stream_csv`.
    """
    return stream_csv(opened, layout, limit, usual="\t")


def _delimiter_of(text: str, layout: Layout, usual: str) -> tuple[str, bool]:
    """Return the delimiter, and whether a line before the header only states it."""
    stated = None if layout.skip_rows else EXCEL_LINE.match(text.lstrip())
    if stated:
        return layout.delimiter or stated[1], True
    if layout.delimiter is not None:
        return layout.delimiter, False
    below = "".join(text.splitlines(keepends=True)[layout.skip_rows :])
    guess = guess_delimiter(below)
    if usual != "," and (consistency(below, usual)[1] > 1 or consistency(below, guess)[0] < 1):
        return usual, False
    return guess, False


def _records(
    decoded: Iterator[str],
    opened: Opened,
    layout: Layout,
    delimiter: str,
    originals: dict[int, str],
    *,
    is_stated: bool,
    is_spaced: bool,
) -> Iterator[tuple[int, list[str]]]:
    """Yield (line on which the record starts, cells): the header, then every row, and [] for a blank line.

    :param decoded: the lines of the file.
    :param originals: receives the text of the latest records by line, if rows may be left out.
    """
    skipped = layout.skip_rows
    lines = islice(decoded, skipped, None)
    taken: list[str] = []
    keeps_lines = layout.on_bad_row is OnBadRow.skip
    reader = _csv_reader(_copied(lines, taken) if keeps_lines else lines, delimiter, layout, is_spaced=is_spaced)
    width = n_rows = 0
    start = skipped + 1
    try:
        for cells in reader:
            if width:
                n_rows += bool(cells) or width == 1
                if keeps_lines:
                    _keep(originals, start, taken)
                    taken.clear()
                yield start, cells
            elif not is_blank(cells):
                if is_stated:
                    is_stated = False
                else:
                    width = len(cells)
                    n_rows += not layout.header
                    yield start, cells
                taken.clear()
            start = skipped + reader.line_num + 1
    except csv.Error as error:
        raise _csv_error(error, opened, n_rows + 1 if width else None, start) from error
    except InputError as error:
        if width and "line" in str(error):
            raise _with_row(error, opened.name, n_rows + 1) from error
        raise


def _csv_reader(lines: Iterator[str], delimiter: str, layout: Layout, *, is_spaced: bool) -> Any:  # noqa: ANN401
    return csv.reader(
        lines,
        delimiter=delimiter,
        quotechar=layout.quote or None,
        quoting=csv.QUOTE_MINIMAL if layout.quote else csv.QUOTE_NONE,
        escapechar=layout.escape,
        skipinitialspace=is_spaced,
        strict=True,
    )


def _keep(originals: dict[int, str], line: int, taken: list[str]) -> None:
    """Keep the text of a record, and those of the few before it that may be read ahead as the header."""
    originals[line] = "".join(taken)
    if len(originals) > MOST_ROWS:
        del originals[next(iter(originals))]


def _copied(lines: Iterator[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line


def _with_row(error: InputError, name: str, row: int) -> InputError:
    text = str(error).removeprefix(f"{name}, ")
    return InputError(text, source=f"{name}, row {row}", hint=error.hint)


def _csv_error(error: csv.Error, opened: Opened, row: int | None, line: int) -> InputError:
    message, hint = str(error), None
    if "field limit" in message:
        return cell_too_large(opened.name, opened.max_cell, row=row, line=line)
    if "unexpected end of data" in message:
        message, hint = "a double quote opens here and never closes", DOUBLED + QUOTES_HINT
    elif "expected after" in message:
        message = "text follows a closing double quote"
        hint = rf"{DOUBLED}; if quotes are written \", add --escape '\'{QUOTES_HINT}"
    return InputError(message, source=opened.name, row=row, line=line, hint=hint)
