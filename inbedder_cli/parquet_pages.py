"""What the pages of a Parquet file say of their size: the footer, which a reader believes, may say less.

A page is decompressed whole, and a few kilobytes of it may stand for gigabytes. Before each page is its header, a
struct in Thrift's compact protocol (https://github.com/apache/parquet-format, https://github.com/apache/thrift).
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_HEADER = 1 << 20  # bytes; statistics in it may hold a long text
USUAL_HEADER = 1 << 12
UNPACKED, PACKED = 2, 3  # numbers of the fields with the sizes of a page
TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
INTEGERS = (4, 5, 6)
MAX_DEPTH = 20


def unpacked_bytes(source: Any, metadata: Any, rows: range | None = None) -> int:  # noqa: ANN401
    """Return how many bytes the pages of a file have when they are unpacked, as their headers say.

    :param source: the file, by its path or open; then its position changes.
    :param metadata: pyarrow's `FileMetaData` of it.
    :param rows: only row groups with some of these rows are read; None: all.
    :raises pa.ArrowInvalid: for headers that cannot be read.
    """
    if isinstance(source, (str, Path)):
        with Path(source).open("rb") as stream:
            return unpacked_bytes(stream, metadata, rows)
    total = first = 0
    for group in range(metadata.num_row_groups):
        last = first + metadata.row_group(group).num_rows
        is_read = rows is None or (first < rows.stop and last > rows.start)
        first = last
        if not is_read:
            continue
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            if chunk.num_values:  # else there is no page
                total += sum(_sizes_of_pages(source, chunk))
    return total


def _sizes_of_pages(stream: BinaryIO, chunk: Any) -> Iterator[int]:  # noqa: ANN401
    """Yield the unpacked size of each page of a column chunk."""
    place = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < place:
        place = chunk.dictionary_page_offset
    end = place + chunk.total_compressed_size
    while place < end:
        fields, length = _read_header(stream, place, end)
        packed, unpacked = fields.get(PACKED, -1), fields.get(UNPACKED, -1)
        if packed < 0 or unpacked < 0:
            raise _damaged("a page without a size")
        yield unpacked
        place += length + packed


def _read_header(stream: BinaryIO, place: int, end: int, most: int = USUAL_HEADER) -> tuple[dict[int, int], int]:
    """Return the numbers in the header at a place, and its length; few are longer than what is read first."""
    stream.seek(place)
    header = io.BytesIO(stream.read(min(most, end - place)))
    try:
        return _read_struct(header), header.tell()
    except ValueError:  # pa.ArrowInvalid is one
        if most == MAX_HEADER:
            raise
        return _read_header(stream, place, end, MAX_HEADER)


def _damaged(reason: str) -> Exception:
    """Return the error that Arrow itself has for such a file."""
    import pyarrow as pa

    error: Exception = pa.ArrowInvalid(reason)
    return error


def _read_struct(stream: BinaryIO, depth: int = 0) -> dict[int, int]:
    """Return the numbers among the fields of a struct; the others are passed by."""
    if depth > MAX_DEPTH:
        raise _damaged("a header of too many levels")
    fields, number = {}, 0
    while head := _read_byte(stream):
        kind = head & 15
        number = number + (head >> 4) if head >> 4 else _zigzag(_varint(stream))
        value = _read_value(stream, kind, depth, in_list=False)
        if value is not None:
            fields[number] = value
    return fields


def _read_value(stream: BinaryIO, kind: int, depth: int, *, in_list: bool) -> int | None:
    """Pass a value by, and return it if it is a number."""
    if kind in INTEGERS:
        return _zigzag(_varint(stream))
    if kind in (TRUE, FALSE):  # of a field, the type is the value
        _skip(stream, 1 if in_list else 0)
    elif kind == BYTE:
        _skip(stream, 1)
    elif kind == DOUBLE:
        _skip(stream, 8)
    elif kind == BINARY:
        _skip(stream, _varint(stream))
    elif kind in (LIST, SET):
        head = _read_byte(stream)
        n = head >> 4 if head >> 4 < 15 else _varint(stream)
        _pass_by(stream, [head & 15], n, depth)
    elif kind == MAP:
        n = _varint(stream)
        kinds = _read_byte(stream) if n else 0
        _pass_by(stream, [kinds >> 4, kinds & 15], n, depth)
    elif kind == STRUCT:
        _read_struct(stream, depth + 1)
    else:
        raise _damaged(f"a header with a value of type {kind}")
    return None


def _pass_by(stream: BinaryIO, kinds: list[int], n: int, depth: int) -> None:
    if n > MAX_HEADER or depth > MAX_DEPTH:
        raise _damaged("a header with a list that is too long, or of too many levels")
    for _ in range(n):
        for kind in kinds:
            _read_value(stream, kind, depth + 1, in_list=True)


def _skip(stream: BinaryIO, n: int) -> None:
    if n > MAX_HEADER or len(stream.read(n)) < n:
        raise _damaged("a header that ends too early")


def _read_byte(stream: BinaryIO) -> int:
    byte = stream.read(1)
    if not byte:
        raise _damaged("a header that ends too early")
    return byte[0]


def _varint(stream: BinaryIO) -> int:
    value = shift = 0
    while True:
        byte = _read_byte(stream)
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value
        if shift > 70:
            raise _damaged("a header with a number that is too long")


def _zigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)
