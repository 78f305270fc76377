"""The folder of a saved run is replaced as a whole, and the old one is kept until the new one has its name.

A process that is killed between the two renames leaves the old run under another name, where `current` finds it.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from inbedder_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

MANIFEST, TENSORS, ROWS = "run.json", "run.safetensors", "rows.parquet"
LONGEST_NAME = 240  # bytes: the name of the old run is longer, and disks allow 255


def own_files(folder: Path) -> list[Path]:
    """Return the files that belong to a saved run and are not written by the user.

    :param folder: the folder of the run.
    """
    return [folder / name for name in (MANIFEST, TENSORS, ROWS)]


def current(folder: Path) -> Path:
    """Return where the run of a folder is: there, or beside it if a process was killed while it replaced the run.

    :param folder: the folder of the run.
    """
    old = _old(folder)
    return old if old.is_dir() and not folder.exists() else folder


def check_run_folder(folder: Path, *, force: bool) -> None:
    """Check, before any work is done, that a run can be saved to a folder.

    :param folder: the folder to save to.
    :param force: whether an existing run may be replaced.
    :raises UsageError: for a file, a folder that holds anything but a run, and one that cannot be replaced.
    """
    if str(folder) == "-":
        raise UsageError("a run is a folder, which cannot be printed", hint="name one: --save run")
    try:
        target = Path(os.path.realpath(folder))
        there = current(target)
        if there.exists() and not there.is_dir():
            raise UsageError(f"{folder} is a file", hint="choose another name for the folder of the run")
        content = list(there.iterdir()) if there.exists() else []
        if not target.parent.is_dir():
            raise UsageError(
                f"there is no folder {folder.parent}", hint="create it first, or choose another folder"
            )
    except OSError as error:  # a name that is too long, a folder that cannot be read
        raise UsageError(f"{folder} cannot be used: {error.strerror}", hint="choose another folder") from error
    if content and not force:
        raise UsageError(f"{folder} exists already", hint="add --force to replace the run, or choose another name")
    if content and not any(path.exists() for path in own_files(there)):
        raise UsageError(f"{folder} holds files, but no saved run", hint="choose another name for the folder")
    if len(os.fsencode(target.name)) > LONGEST_NAME:
        raise UsageError(f"the name of {folder} is too long", hint="choose a shorter one")
    if Path(os.path.realpath(".")).is_relative_to(target) or target.is_mount():
        raise UsageError(
            f"{folder} cannot be replaced: it is in use", hint="choose a new folder, for example: --save run"
        )
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise UsageError(f"the folder {target.parent} is not writable", hint="choose another folder")


def replace_folder(folder: Path, new: Path) -> None:
    """Give a new folder the name of an old one, which is deleted then.

    :param folder: the old folder, which may be missing.
    :param new: a folder beside it.
    :raises OSError: when it cannot be renamed; the old folder is as it was.
    """
    if not folder.exists():
        new.rename(folder)
        return
    old = _old(folder)
    remove(old)
    folder.rename(old)
    try:
        new.rename(folder)
    except BaseException:
        old.rename(folder)
        raise
    with suppress(OSError):  # the new run is whole
        remove(old)


def restore(folder: Path) -> None:
    """Finish what a process that was killed while it replaced a run has left: give the old run its name back.

    :param folder: the folder of the run.
    """
    if (there := current(folder)) != folder:
        there.rename(folder)


def carry_over(folder: Path, new: Path, without: Sequence[str]) -> None:
    """Put whatever else is in a folder into the one that replaces it: links to the same files where possible.

    :param folder: the old folder.
    :param new: the new folder.
    :param without: names that are left out.
    """
    for path in folder.iterdir() if folder.exists() else ():
        if path.name in without:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, new / path.name, symlinks=True, copy_function=link_or_copy)
        else:
            link_or_copy(path, new / path.name)


def link_or_copy(path: Path | str, to: Path | str) -> None:
    """Give a file a second name, or copy it where that cannot be; a link stays a link, whatever it leads to.

    :param path: the file.
    :param to: its other name, on the same disk.
    """
    try:
        os.link(path, to, follow_symlinks=False)
    except (OSError, NotImplementedError):  # no hard links on this disk
        shutil.copy2(path, to, follow_symlinks=False)


def remove(folder: Path) -> None:
    """Delete a folder if there is one.

    :param folder: the folder.
    """
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)


def _old(folder: Path) -> Path:
    """Return the name of the run that is being replaced."""
    real = Path(os.path.realpath(folder))
    return real.parent / f".{real.name}.old"
