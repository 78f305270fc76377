"""Temporary files and folders beside a result, which takes its place by one rename.

They hold texts, so none may stay: a process that is killed leaves its own behind, and the next one that writes to
the same folder removes it. A lock tells whether the process still runs, also in another container.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX, SUFFIX = ".inbedder-", ".tmp"


@contextmanager
def temporary_file(folder: Path) -> Iterator[IO[bytes]]:
    """Yield a new file, which is deleted at the end unless it was renamed.

    :param folder: where to create it.
    :yield: a binary stream, whose name is the path.
    """
    remove_leftovers(folder)
    stream = tempfile.NamedTemporaryFile(dir=folder, prefix=PREFIX, suffix=SUFFIX, delete=False)
    while not _lock(stream.fileno()):
        stream.close()
        stream = tempfile.NamedTemporaryFile(dir=folder, prefix=PREFIX, suffix=SUFFIX, delete=False)
    try:
        with stream:
            yield stream
    finally:
        Path(stream.name).unlink(missing_ok=True)


@contextmanager
def temporary_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder, which is deleted at the end unless it was renamed.

    :param folder: where to create it.
    :yield: its path.
    """
    remove_leftovers(folder)
    path = Path(tempfile.mkdtemp(SUFFIX, PREFIX, folder))
    descriptor = _open_folder(path)
    while descriptor is not None and not _lock(descriptor):
        os.close(descriptor)
        path = Path(tempfile.mkdtemp(SUFFIX, PREFIX, folder))
        descriptor = _open_folder(path)
    try:
        yield path
    finally:
        if path.exists():
            shutil.rmtree(path)
        if descriptor is not None:
            os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files and folders of processes that no longer run; what cannot be deleted stays.

    :param folder: where to look.
    """
    if sys.platform == "win32":
        return
    for leftover in folder.glob(f"{PREFIX}*{SUFFIX}"):
        with suppress(OSError):
            descriptor = os.open(leftover, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while it is being written
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            finally:
                os.close(descriptor)


def _open_folder(folder: Path) -> int | None:
    return None if sys.platform == "win32" else os.open(folder, os.O_RDONLY)


def _lock(descriptor: int) -> bool:
    """Lock a new file or folder; False where another process took it for a leftover in that moment."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # the file system has no locks, so nobody removes leftovers there
        return True
    return os.fstat(descriptor).st_nlink > 0
