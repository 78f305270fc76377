"""Files that somebody else may have made: none is waited for, read beyond its bound, or taken for one's own.

Whoever is handed a file or a folder checks its kind and size here before a library opens it; whoever keeps data in
a folder checks here that nobody else can change them.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from inbedder_cli.errors import InbedderError, InputError
from inbedder_cli.parquet_pages import unpacked_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from io import BufferedReader

    import pyarrow as pa

NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
OTHERS_CAN_WRITE = stat.S_IWGRP | stat.S_IWOTH
BATCH_ROWS = 64
MAX_RATIO = 500  # of a table in memory to its Parquet file
SMALL_BYTES = 64_000_000  # tables that may have any ratio
OTHER_FOLDER = "set INBEDDER_CACHE to another folder"


class UnsafeFileError(OSError):
    """A link, a pipe, a device, a folder, or a file that is larger than any of its kind."""


@contextmanager
def open_regular(
    path: Path, max_bytes: int | None = None, *, follow_links: bool = False
) -> Iterator[BufferedReader]:
    """Yield a regular file for reading; a pipe or a device is never read, nor waited for.

    :param path: the file.
    :param max_bytes: its largest size; None for any.
    :param follow_links: whether it may be a link; not where a file of a folder could point out of it.
    :yield: a binary stream.
    :raises UnsafeFileError: for anything but a regular file, and for a larger one.
    :raises OSError: when it cannot be opened.
    """
    if path.is_symlink() and not follow_links:
        raise UnsafeFileError(f"{path}: is a link")
    descriptor = os.open(path, os.O_RDONLY | NO_WAITING | (0 if follow_links else NO_LINKS))
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise UnsafeFileError(f"{path}: is not a regular file")
        if max_bytes is not None and state.st_size > max_bytes:
            raise UnsafeFileError(f"{path}: is larger than {max_bytes / 1e6:,.0f} MB")
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            yield stream
    finally:
        os.close(descriptor)


def read_regular(path: Path, max_bytes: int, *, follow_links: bool = False) -> bytes:
    """Return the contents of a regular file.

    :param path: the file.
    :param max_bytes: its largest size.
    :param follow_links: whether it may be a link.
    :raises UnsafeFileError: for anything but a regular file, and for a larger one.
    :raises OSError: when it cannot be read.
    """
    with open_regular(path, max_bytes, follow_links=follow_links) as stream:
        return stream.read(max_bytes)


def check_regular(path: Path, *, follow_links: bool = False) -> int:
    """Check a file that a library will open by its name, and return its size.

    :param path: the file.
    :param follow_links: whether it may be a link.
    :return: number of bytes.
    :raises UnsafeFileError: for anything but a regular file.
    :raises OSError: when it cannot be opened.
    """
    with open_regular(path, follow_links=follow_links) as stream:
        return os.fstat(stream.fileno()).st_size


def check_private(path: Path) -> None:
    """Check that only this user and root can change a folder, or a file that is only read.

    It may be a link of theirs, for example to a larger disk. Nothing is checked on Windows, which has no such
    modes, and where the folders in a user's profile are private.

    :param path: an existing folder or file of the cache.
    :raises InbedderError: when it belongs to another user, or others can write to it.
    """
    if sys.platform == "win32":
        return
    target = path.stat()
    for state in (path.lstat(), target):
        if state.st_uid not in (0, os.geteuid()):
            raise _of_another(path, state)
    if target.st_mode & OTHERS_CAN_WRITE:
        raise _writable(path, target, hint=f"chmod -R go-w {shlex.quote(str(path))}, or {OTHER_FOLDER}")


def check_folders_above(path: Path) -> None:
    """Check that nobody else can put another folder in the place of this one, by renaming one that it lies in.

    A folder above may belong to this user or root, and others may write to it only if it is sticky, as /tmp is,
    or its group is the owner's own. Root, who in a container works in the folders of others, trusts their owners.
    On Windows nothing is checked.

    :param path: an existing folder. Where it, or a folder above it, is a link, what lies above both is checked.
    :raises InbedderError: when a folder above belongs to another user, or others can write to it.
    """
    if sys.platform == "win32":
        return
    for folder in _folders_above(path):
        state = folder.lstat()
        if state.st_uid not in (0, os.geteuid(), _unknown_user()) and os.geteuid() != 0:
            above = f"{path} lies in {folder}, which belongs to another user (uid {state.st_uid})"
            raise InbedderError(above, hint=OTHER_FOLDER)
        if stat.S_ISLNK(state.st_mode):
            continue
        is_shared = state.st_mode & stat.S_IWGRP and not _is_own_group(state.st_gid, state.st_uid)
        if (is_shared or state.st_mode & stat.S_IWOTH) and not state.st_mode & stat.S_ISVTX:
            writable = f"they can write to {folder} (mode {stat.S_IMODE(state.st_mode):o})"
            hint = f"chmod go-w {shlex.quote(str(folder))}, or {OTHER_FOLDER}"
            raise InbedderError(f"other users can replace {path}: {writable}", hint=hint)


def _folders_above(path: Path) -> Iterator[Path]:
    """Yield the folders in which a path, and every link on the way to it, has its name, and these links."""
    seen: set[Path] = set()
    ways = [Path(os.path.abspath(path))]  # noqa: PTH100  (links must stay)
    while ways:
        way = ways.pop()
        for part in (way, *way.parents):
            if part not in seen:
                seen.add(part)
                if part.is_symlink():
                    ways.append(part.parent / part.readlink())
                if part.is_symlink() or part != way:
                    yield part


def _is_own_group(group: int, owner: int) -> bool:
    """Return whether nobody but its owner, and root, is in the group of a folder."""
    import grp
    import pwd

    if group == 0:
        return True
    users = {user.pw_name: user for user in pwd.getpwall()}
    owners = {name for name, user in users.items() if user.pw_uid in (0, owner)}
    members = {name for name, user in users.items() if user.pw_gid == group}
    with suppress(KeyError):  # the group has no name
        members |= set(grp.getgrgid(group).gr_mem)
    return members <= owners


@cache
def _unknown_user() -> int:
    """Return the id that the system shows for all users whom a container does not know, as root of the machine.

    Where all are known it is that of a user: then this returns 0.
    """
    with suppress(OSError, ValueError):
        if Path("/proc/self/uid_map").read_text().split()[2:] != [str(2**32 - 1)]:
            return int(Path("/proc/sys/kernel/overflowuid").read_text())
    return 0


def check_private_file(file: Path) -> None:
    """Check that a file that is written in place belongs to this user alone, and that it is no link.

    :param file: an existing file of the cache. On Windows only its kind is checked.
    :raises InbedderError: when it is a link or no file, has a second name, or is not this user's alone.
    """
    state = file.lstat()
    hint = f"remove it, or {OTHER_FOLDER}"
    if not stat.S_ISREG(state.st_mode):
        kind = "a link" if stat.S_ISLNK(state.st_mode) else "not a regular file"
        raise InbedderError(f"{file} is {kind}", hint=hint)
    if sys.platform == "win32":
        return
    if state.st_uid != os.geteuid():
        raise _of_another(file, state)
    if state.st_nlink > 1:
        raise InbedderError(f"{file} has a second name elsewhere (a hard link)", hint=hint)
    if state.st_mode & OTHERS_CAN_WRITE:
        raise _writable(file, state, hint)


def _of_another(path: Path, state: os.stat_result) -> InbedderError:
    return InbedderError(f"{path} belongs to another user (uid {state.st_uid})", hint=OTHER_FOLDER)


def _writable(path: Path, state: os.stat_result, hint: str) -> InbedderError:
    return InbedderError(f"other users can write to {path} (mode {stat.S_IMODE(state.st_mode):o})", hint=hint)


def parquet_batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield a Parquet file in small batches, for a few of its bytes may stand for gigabytes.

    :param path: the file.
    :param columns: their names, in the order of the batches.
    :yield: batches of rows.
    :raises InputError: when the rows take very much more memory than the file has bytes.
    :raises OSError: when it cannot be opened.
    """
    import pyarrow.parquet as pq

    size, most = 0, max(SMALL_BYTES, MAX_RATIO * check_regular(path, follow_links=True))
    too_large = InputError(f"becomes more than {most / 1e6:,.0f} MB when it is read", source=str(path))
    with pq.ParquetFile(str(path), page_checksum_verification=True) as file:  # where it has any
        if unpacked_bytes(path, file.metadata) > most:
            raise too_large
        for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
            size += batch.nbytes
            if size > most:
                raise too_large
            yield batch.select(list(columns))
