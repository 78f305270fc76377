"""Which of the processes that torchrun started this is, and how many there are; alone, the first of one."""

from __future__ import annotations

import os


def is_first() -> bool:
    """Return whether this is the one that talks and writes."""
    return os.environ.get("RANK", "0") == "0"


def n_processes() -> int:
    """Return how many there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))
