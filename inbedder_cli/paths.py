"""Where the package keeps files on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Return the cache folder: `INBEDDER_CACHE`, else the platform's cache folder for inbedder.

    :return: the folder, which may not exist yet.
    """
    if folder := os.environ.get("INBEDDER_CACHE"):
        return Path(folder).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("inbedder", appauthor=False))


def models_dir() -> Path:
    """Return the folder of converted models, inside the cache folder.

    :return: the folder, which may not exist yet.
    """
    return cache_dir() / "models"
