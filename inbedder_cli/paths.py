"""Where the package keeps files on this machine, whether only this user can change them, and full disks."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import stat
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from inbedder_cli.errors import InbedderError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHERS_CAN_WRITE = stat.S_IWGRP | stat.S_IWOTH
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
OTHER_FOLDER = "set INBEDDER_CACHE to another folder"


def cache_dir() -> Path:
    """Return the cache folder: `INBEDDER_CACHE`, else the platform's cache folder for inbedder.

    :return: the folder, which may not exist yet.
    :raises UsageError: when `INBEDDER_CACHE` begins with the home of a user that does not exist.
    """
    if folder := os.environ.get("INBEDDER_CACHE"):
        return expand(folder, "INBEDDER_CACHE")
    import platformdirs

    return Path(platformdirs.user_cache_dir("inbedder", appauthor=False))


def models_dir() -> Path:
    """Return the folder of converted models, inside the cache folder.

    :return: the folder, which may not exist yet.
    """
    return cache_dir() / "models"


def expand(path: str, name: str = "") -> Path:
    """Return a path with the home folder in place of ~.

    :param path: as the user wrote it.
    :param name: of the setting that holds it, for the error.
    :return: the path.
    :raises UsageError: when it begins with ~ and a name, and there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError(
            f"{name} is {path}: there is no such user" if name else f"{path}: there is no such user",
            hint="write the whole path",
        ) from None


def make_private_folder(folder: Path) -> None:
    """Make a folder, and the missing ones above it, which only this user can enter (mode 0700).

    :param folder: it may exist, and is then left as it is.
    """
    for part in (*reversed(folder.parents), folder):
        if not part.is_dir():
            part.mkdir(0o700, exist_ok=True)


def check_private_folder(folder: Path) -> None:
    """Check that only this user and root can change what is in a folder.

    The folder may be a link of theirs, for example to a larger disk. Nothing is checked on Windows, which has no
    such modes, and where the folders in a user's profile are private.

    :param folder: an existing folder.
    :raises InbedderError: when it belongs to another user, or others can write to it.
    """
    if sys.platform == "win32":
        return
    target = folder.stat()
    for state in (folder.lstat(), target):
        if state.st_uid not in (0, os.geteuid()):
            raise InbedderError(f"{folder} belongs to another user (uid {state.st_uid})", hint=OTHER_FOLDER)
    if target.st_mode & OTHERS_CAN_WRITE:
        raise InbedderError(
            f"other users can write to {folder} (mode {stat.S_IMODE(target.st_mode):o})",
            hint=f"chmod go-w {shlex.quote(str(folder))}, or {OTHER_FOLDER}",
        )


def check_private_file(file: Path) -> None:
    """Check that a file belongs to this user, that nobody else can change it, and that it is no link.

    :param file: an existing file. On Windows only its kind is checked.
    :raises InbedderError: when it is a link or no file, has a second name, or is not this user's alone.
    """
    state = file.lstat()
    if not stat.S_ISREG(state.st_mode):
        kind = "a link" if stat.S_ISLNK(state.st_mode) else "not a regular file"
        raise InbedderError(f"{file} is {kind}", hint=f"remove it, or {OTHER_FOLDER}")
    if sys.platform == "win32":
        return
    if state.st_uid != os.geteuid():
        raise InbedderError(f"{file} belongs to another user (uid {state.st_uid})", hint=OTHER_FOLDER)
    if state.st_nlink > 1:
        raise InbedderError(
            f"{file} has a second name elsewhere (a hard link)", hint=f"remove it, or {OTHER_FOLDER}"
        )
    if state.st_mode & OTHERS_CAN_WRITE:
        raise InbedderError(
            f"other users can write to {file} (mode {stat.S_IMODE(state.st_mode):o})",
            hint=f"remove it, or {OTHER_FOLDER}",
        )


def no_space(path: Path, needed: int | None = None) -> str:
    """Return a message that a disk is full: where, how much is free, and how much is needed.

    :param path: the file or folder that was written to.
    :param needed: number of bytes to be written, if known.
    :return: one line.
    """
    place = next((p for p in (path, *path.absolute().parents) if p.exists()), Path())
    free = shutil.disk_usage(place).free
    missing = "" if needed is None else f", about {needed / 1e6:.1f} MB needed"
    return f"no space left on the disk of {path} ({free / 1e6:.1f} MB free{missing})"


@contextmanager
def explain_full_temp() -> Iterator[None]:
    """Say in which folder there is no space for a temporary file, and what to set.

    :raises InbedderError: when there is no space, or no folder for temporary files.
    """
    hint = "free some space, or set TMPDIR to a folder on another disk"
    try:
        yield
    except FileNotFoundError as error:
        if "temporary directory" not in str(error):
            raise
        raise InbedderError(f"no temporary file can be written: {error.strerror}", hint=hint) from error
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise InbedderError(
            f"cannot write a temporary file: {no_space(Path(tempfile.gettempdir()))}", hint=hint
        ) from error
