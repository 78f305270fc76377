"""Facts that take long to find out, kept in the cache folder: which number format is fast, a file's hash."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inbedder_cli.models.store import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = "facts.json"
KEPT = 200  # facts, those that were found last: old ones are of files that have changed


def cached_value(fact: str, find: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Return a fact, finding it out the first time.

    :param fact: its name, with all that it depends on.
    :param find: returns what JSON can hold.
    """
    if (known := recall(fact)) is not None:
        return known
    remember(fact, found := find())
    return found


def recall(fact: str) -> Any:  # noqa: ANN401
    """Return a fact, or None."""
    return _read().get(fact)


def remember(fact: str, value: Any) -> None:  # noqa: ANN401
    """Keep a fact, in place of the oldest where there are many.

    Where the folder cannot be written to, it is found out again next time.
    """
    if recall(fact) == value:
        return
    folder = cache_folder()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder, prefix=FILE, delete=False, encoding="utf-8") as file:
            others = [known for known in _read().items() if known[0] != fact]
            json.dump(dict([*others[1 - KEPT :], (fact, value)]), file, indent=1)
        Path(file.name).replace(folder / FILE)


def machine() -> str:
    """Return what speeds depend on: the processor, the GPUs that torch may see, and its version."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "flags")):
                name += line.partition(":")[2]
            if line.startswith("flags"):
                break
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    n_gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    return f"{digest} torch {version('torch')} {n_gpus} GPUs {os.environ.get('CUDA_VISIBLE_DEVICES', '')}"


def folder_state(folder: Path) -> str:
    """Return a text that changes when a file of the folder does: names, sizes, times."""
    files = sorted(file for file in folder.iterdir() if file.is_file())
    states = [(file, file.stat()) for file in files]
    return f"{folder.resolve()} " + " ".join(f"{f.name} {s.st_size} {s.st_mtime_ns}" for f, s in states)


def _read() -> dict[str, Any]:
    try:
        found = json.loads((cache_folder() / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
