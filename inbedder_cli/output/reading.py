"""Read files that somebody else may have made: only regular ones, only as large as expected, without waiting."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from inbedder_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from io import BufferedReader
    from pathlib import Path

    import pyarrow as pa

NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
BATCH_ROWS = 64
MAX_RATIO = 5000  # of a table in memory to its file
SMALL_BYTES = 64_000_000  # tables that may have any ratio


@contextmanager
def open_regular(path: Path, *, follow_links: bool = False) -> Iterator[BufferedReader]:
    """Yield a regular file for reading; a pipe or a device is never read, nor waited for.

    :param path: the file.
    :param follow_links: whether it may be a link; not where a file of a folder could point out of it.
    :yield: a binary stream.
    :raises InputError: for anything but a regular file.
    :raises OSError: when it cannot be opened.
    """
    if path.is_symlink() and not follow_links:
        raise InputError("is a link", source=str(path), hint="put the file itself into the folder")
    descriptor = os.open(path, os.O_RDONLY | NO_WAITING | (0 if follow_links else NO_LINKS))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InputError("is not a regular file", source=str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            yield stream
    finally:
        os.close(descriptor)


def read_regular(path: Path, max_bytes: int) -> bytes:
    """Return the contents of a regular file that is no link.

    :param path: the file.
    :param max_bytes: its largest size.
    :raises InputError: for anything but a regular file, and for a larger one.
    :raises OSError: when it cannot be read.
    """
    with open_regular(path) as stream:
        if os.fstat(stream.fileno()).st_size > max_bytes:
            raise InputError(f"is larger than {max_bytes / 1e6:,.0f} MB", source=str(path))
        return stream.read(max_bytes)


def read_parquet(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield a Parquet file in small batches, for a few of its bytes may stand for gigabytes.

    :param path: the file.
    :param columns: their names, in the order of the batches.
    :yield: batches of rows.
    :raises InputError: when the rows take very much more memory than the file has bytes.
    """
    import pyarrow.parquet as pq

    size, most = 0, max(SMALL_BYTES, MAX_RATIO * path.stat().st_size)
    with pq.ParquetFile(str(path), page_checksum_verification=True) as file:  # where it has any
        for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
            size += batch.nbytes
            if size > most:
                raise InputError(f"becomes more than {most / 1e6:,.0f} MB when it is read", source=str(path))
            yield batch.select(list(columns))
