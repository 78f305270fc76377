"""JSON files: one object per line, or a document that holds the rows."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.json_parsing import PREFIX, JsonParser, kind_of_json
from inbedder_cli.corpus.json_rows import JsonRows
from inbedder_cli.corpus.jsonl import stream_records
from inbedder_cli.corpus.layout import Layout
from inbedder_cli.corpus.limits import MEGABYTE
from inbedder_cli.corpus.lines import is_named_as_text
from inbedder_cli.corpus.read_table import BadRow, note_of_bad_rows
from inbedder_cli.corpus.text_lines import decode_lines
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import OnBadRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from inbedder_cli.corpus.opening import Opened
    from inbedder_cli.corpus.read_table import ReadTable
    from inbedder_cli.corpus.row_stream import RowStream

MAX_DOCUMENT = 500 * MEGABYTE  # characters; it is parsed in memory
OBJECT = re.compile(r"\s*\{\s*[\"}]")
LIST_INSIDE = re.compile(r"\[\s*\{")
LIST_OF_OBJECTS = re.compile(r"\s*\[\s*\{")
LIST = re.compile(r"\s*\[\s*(?:[\[{\"\]]|\Z)")
LINE_HINT = "each line must be one whole JSON object; --on-bad-row skip leaves the others out"
DOCUMENT_HINT = "is it whole? export it again"


def is_json_lines(_: Opened, text: str) -> bool:
    """Return whether a file begins with a JSON object that is a row, or is not the only line.

    An object in the only line, as programs answer, may be a document: that is read as in a file of this name.

    :param text: its first characters.
    """
    if not OBJECT.match(text):
        return False
    line, *rest = text.lstrip().split("\n", 1)
    return bool(rest and rest[0].strip()) or not _holds_rows(line)


def begins_with_object(text: str) -> bool:
    """Return whether the first line of a file is a whole JSON object, whatever the file is called.

    :param text: its first characters.
    """
    line = text.lstrip().partition("\n")[0]
    return _is_object(line, JsonParser(""))


def is_json_document(opened: Opened, text: str) -> bool:
    """Return whether a file begins with a JSON object or list, or assigns or passes JSON.

    :param opened: the file; a line of text may begin so, too, and then only objects tell.
    :param text: its first characters.
    """
    patterns = (OBJECT, LIST_OF_OBJECTS) if is_named_as_text(opened) else (LIST, OBJECT, PREFIX)
    return any(pattern.match(text) for pattern in patterns)


def read_json_lines(opened: Opened, layout: Layout | None = None, limit: int | None = None) -> ReadTable:
    """Return a file of one JSON object per line as a table of JSON texts; a missing key is a null cell.

    A file that is no such one, but a document, is read as that.

    :param opened: the file.
    :param layout: its encoding, where the rows are, and what to do with lines that are no objects.
    :param limit: maximum number of rows; None reads all.
    :return: one column per key, in order of appearance.
    :raises InputError: naming the first line that is not a JSON object.
    """
    return stream_json_lines(opened, layout, limit).whole()


def read_json(opened: Opened, layout: Layout | None = None, limit: int | None = None) -> ReadTable:
    """Return the rows of a JSON document as a table of JSON texts.

    A file of several objects, one per line, is read as JSON lines.

    :param opened: the file.
    :param layout: its encoding, and where the list of rows is.
    :param limit: maximum number of rows; None reads all.
    :return: one column per key, in order of appearance.
    :raises InputError: when it is no JSON, or holds no rows, or several lists and no path tells which.
    """
    return stream_json(opened, layout, limit).whole()


def stream_json_lines(opened: Opened, layout: Layout | None = None, limit: int | None = None) -> RowStream:
    """Return the rows of JSON lines, as `read_json_lines` reads them; a document is read whole.

    :param opened: the file.
    :param layout: its encoding, where the rows are, and what to do with lines that are no objects.
    :param limit: maximum number of rows; None reads all.
    :return: the rows; while they are read, the first line that is not a JSON object is an error.
    """
    return _stream(opened, layout or Layout(), limit, least_lines=1)


def stream_json(opened: Opened, layout: Layout | None = None, limit: int | None = None) -> RowStream:
    """Return the rows of a JSON document, which is read whole; JSON lines are not.

    :param opened: the file.
    :param layout: its encoding, and where the list of rows is.
    :param limit: maximum number of rows; None reads all.
    :return: the rows.
    :raises InputError: as `read_json`.
    """
    return _stream(opened, layout or Layout(), limit, least_lines=2)


def _stream(opened: Opened, layout: Layout, limit: int | None, *, least_lines: int) -> RowStream:
    if layout.on_bad_row is OnBadRow.pad:
        raise UsageError("--on-bad-row pad is for tables of cells, not for JSON", hint="use skip or fail")
    parser = JsonParser(opened.name)
    rest = decode_lines(opened, layout)
    first: list[str] = []  # up to the second line that is not blank, or the first
    n_filled = 0
    while n_filled < least_lines and (line := next(rest, None)) is not None:
        first.append(line)
        n_filled += bool(line.strip())
    if not n_filled:
        raise InputError("has no rows", source=opened.name, hint="give a file with one JSON object per row")
    skips = layout.on_bad_row is OnBadRow.skip
    is_row = _is_object(next(line for line in first if line.strip()), parser)
    lines: Iterable[str] = chain(first, rest)
    if skips and not is_row and layout.json_path is None:
        lines = list(lines)
        skips = not _is_document(lines, opened.name)
    if layout.json_path is None and n_filled == least_lines and (skips or is_row):
        bad_rows: list[BadRow] = []
        filled = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
        records = _objects(filled, parser, bad_rows if skips else None)
        rows = stream_records(records, opened.name, limit)
        return replace(rows, notes=lambda: [*parser.all_notes(), *note_of_bad_rows(bad_rows)], bad_rows=bad_rows)
    text = _joined(lines, opened.name)
    found = JsonRows(opened.name, layout.json_path, header=layout.header)
    records = enumerate(found.of(parser.values(text, DOCUMENT_HINT)), start=1)
    rows = stream_records(records, opened.name, limit)
    return replace(rows, notes=lambda: [*parser.all_notes(), *found.notes])


def _is_document(lines: Sequence[str], name: str) -> bool:
    """Return whether lines are one JSON document, or several after each other."""
    try:
        list(JsonParser(name).values(_joined(lines, name), DOCUMENT_HINT))
    except InputError:
        return False
    return True


def _holds_rows(line: str) -> bool:
    """Return whether an object holds rows, instead of being one; a long one, which is cut off here, may."""
    parser = JsonParser("")
    if not _is_object(line, parser):
        return True
    document = parser.value(_trimmed(line), 1, "")
    try:
        return JsonRows("").of([document]) != [document]
    except InputError:  # of several lists of objects, it asks for one
        return LIST_INSIDE.search(line) is not None


def _is_object(line: str, parser: JsonParser) -> bool:
    if not OBJECT.match(line.removeprefix("\x1e")):
        return False
    counted = parser.counted()
    try:
        return isinstance(parser.value(_trimmed(line), 1, ""), dict)
    except InputError as error:
        return not isinstance(
            error.__cause__, ValueError
        )  # one that is nested too deeply, to be named by its line
    finally:
        parser.forget(counted)


def _trimmed(line: str) -> str:
    """Return a line without a comma at its end or a record separator before it, as some programs write them."""
    return line.strip().removeprefix("\x1e").removesuffix(",")


def _objects(
    lines: Iterable[tuple[int, str]], parser: JsonParser, bad_rows: list[BadRow] | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in lines:
        try:
            record = parser.value(_trimmed(line), number, LINE_HINT)
            if not isinstance(record, dict):
                reason = f"{kind_of_json(record)} where an object is expected"
                raise InputError(reason, source=parser.name, line=number, hint=LINE_HINT)
        except InputError as error:
            if bad_rows is None:
                raise
            reason = str(error).removeprefix(f"{parser.name}, line {number}: ")
            bad_rows.append(BadRow(number, reason, line.rstrip("\r\n")))
        else:
            yield number, record


def _joined(lines: Iterable[str], name: str) -> str:
    kept, size = [], 0
    for line in lines:
        kept.append(line)
        size += len(line)
        if size > MAX_DOCUMENT:
            limit_mb = MAX_DOCUMENT // MEGABYTE
            raise InputError(
                f"a JSON document of more than {limit_mb} MB", source=name, hint="convert it to JSON lines"
            )
    return "".join(kept)
