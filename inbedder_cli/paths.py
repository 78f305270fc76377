"""Where the package keeps files on this machine, and what to say when a disk is full."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from inbedder_cli.errors import InbedderError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


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
