"""Where the package keeps files on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from inbedder_cli.errors import UsageError


def cache_dir() -> Path:
    """Return the cache folder: `INBEDDER_CACHE`, else the platform's cache folder for inbedder.

    :return: the folder, which may not exist yet.
    """
    if folder := os.environ.get("INBEDDER_CACHE"):
        return expand(folder)
    import platformdirs

    return Path(platformdirs.user_cache_dir("inbedder", appauthor=False))


def models_dir() -> Path:
    """Return the folder of converted models, inside the cache folder.

    :return: the folder, which may not exist yet.
    """
    return cache_dir() / "models"


def expand(path: str) -> Path:
    """Return a path with the home folder in place of ~.

    :param path: as the user wrote it.
    :return: the path.
    :raises UsageError: when it begins with ~ and a name, and there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError(
            f"{path}: there is no such user, or no home folder", hint="write the whole path"
        ) from None
