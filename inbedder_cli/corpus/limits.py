"""Bounds on what a file may hold, so that a small one cannot fill the memory."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, cast

from inbedder_cli.errors import InputError

if TYPE_CHECKING:
    from typing_extensions import Buffer

MEGABYTE = 1_000_000
MAX_CELL = 10  # MB
MAX_COLUMNS = 10_000
MAX_EMPTY_CELLS = 20_000_000  # of rows that have other keys, or fewer cells, than the table has columns
MAX_EMPTY_RATIO = 50  # empty cells for each that is filled, beyond that number
MAX_DEPTH = 100  # levels of nested JSON
FREE_BYTES = 100 * MEGABYTE  # any Parquet file or workbook may unpack to this size
FREE_TEXT_BYTES = 20 * MEGABYTE  # any other file: a short line takes 40 times its size in memory
MAX_RATIO = 200  # and beyond that to this multiple of its own; texts are packed 3 to 10 times


def unpacked_limit(packed: int) -> int:
    """Return the size to which a Parquet file or a workbook may unpack.

    :param packed: size of the compressed data, in bytes.
    :return: the limit, in bytes.
    """
    return FREE_BYTES + MAX_RATIO * packed


def unpacks_too_large(name: str, packed: int, limit: int | None = None) -> InputError:
    """Return the error for data that unpacks to more than a limit.

    :param name: name of the input in the message.
    :param packed: size of the compressed data, in bytes.
    :param limit: in bytes; None takes `unpacked_limit`.
    :return: the error, to be raised.
    """
    limit = unpacked_limit(packed) if limit is None else limit
    return InputError(
        f"unpacks from {packed:,} bytes to more than {limit:,}, which no table of texts does",
        source=name,
        hint="if you trust it, unpack it yourself and give the plain file (Parquet: write it as CSV)",
    )


def too_many_columns(name: str, *, line: int | None = None) -> InputError:
    """Return the error for a table of more than `MAX_COLUMNS` columns.

    :param name: name of the input in the message.
    :param line: line of the file with one too many.
    :return: the error, to be raised.
    """
    hint = "keep the columns that you need; JSON: nest keys that differ from row to row in one object"
    return InputError(f"more than {MAX_COLUMNS:,} columns", source=name, line=line, hint=hint)


def check_empty_cells(n_empty: int, n_filled: int, what: str, name: str, hint: str) -> None:
    """Check that a table is not almost all empty: each cell takes memory, though the file does not have it.

    :param n_empty: number of cells that the file does not have.
    :param n_filled: number of those that it has.
    :param what: columns and rows that leave them empty, for the message.
    :param name: name of the input in the message.
    :param hint: what to do next.
    :raises InputError: for more than `MAX_EMPTY_CELLS`, and `MAX_EMPTY_RATIO` for each that is filled.
    """
    if n_empty > max(MAX_EMPTY_CELLS, MAX_EMPTY_RATIO * n_filled):
        raise InputError(f"{what} would leave {n_empty:,} cells empty", source=name, hint=hint)


def cell_too_large(
    name: str, max_cell: int, *, row: int | None = None, line: int | None = None, column: str | None = None
) -> InputError:
    """Return the error for a cell, or a line of a text file, that is larger than `--max-cell`.

    :param name: name of the input in the message.
    :param max_cell: the limit in bytes.
    :param row: row of data, counted from 1.
    :param line: line of the file, counted from 1.
    :param column: name of the column.
    :return: the error, to be raised.
    """
    size = max_cell // MEGABYTE
    hint = f"raise the limit: --max-cell {10 * size}"
    if column is None:
        hint = f"is a double quote never closed, or are the line ends of another system? Else {hint}"
    message = f"a cell or line of more than {size} MB"
    return InputError(message, source=name, row=row, line=line, column=column, hint=hint)


def bound_stream(stream: IO[bytes], packed: int, name: str) -> IO[bytes]:
    """Return a stream of decompressed bytes that ends with an error where there are too many.

    :param stream: the decompressed bytes; it is closed with the new stream.
    :param packed: size of the compressed data, in bytes.
    :param name: name of the input in the message.
    :return: a buffered stream of the same bytes.
    """
    return cast("IO[bytes]", io.BufferedReader(_Bounded(stream, packed, name)))


class _Bounded(io.RawIOBase):
    def __init__(self, stream: IO[bytes], packed: int, name: str) -> None:
        self.stream, self.packed, self.name = stream, packed, name
        self.limit = FREE_TEXT_BYTES + MAX_RATIO * packed
        self.position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self.stream.seekable()

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        data = self.stream.read(len(view))
        view[: len(data)] = data
        self.position += len(data)
        if self.position > self.limit:
            raise unpacks_too_large(self.name, self.packed, self.limit)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.position = self.stream.seek(offset, whence)
        return self.position

    def close(self) -> None:
        self.stream.close()
        super().close()
