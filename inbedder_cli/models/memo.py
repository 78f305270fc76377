"""Small persistent cache of values that are slow to compute: the fastest dtype, the hash of a file, ...

The file is disposable: if its checksum is wrong, or another user could have written it, it counts as empty.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import tempfile
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inbedder_cli.errors import InbedderError
from inbedder_cli.paths import cache_dir, make_private_folder
from inbedder_cli.untrusted import check_folders_above, check_private, check_private_file

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = "memo.json"
MAX_VALUES = 200  # the most recent ones: old ones belong to files that have changed


def cached_value(key: str, compute: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Return a cached value; compute and store it on first use.

    :param key: its name, with everything that it depends on.
    :param compute: returns the value, as JSON types.
    :return: the value.
    """
    if (known := recall(key)) is not None:
        return known
    remember(key, value := compute())
    return value


def recall(key: str) -> Any:  # noqa: ANN401
    """Return a cached value, or None.

    :param key: its name.
    :return: the value, or None if it is not cached.
    """
    return _read().get(key)


def remember(key: str, value: Any) -> None:  # noqa: ANN401
    """Cache a value; the oldest one is dropped above 200.

    If the folder is not writable, or others can write to it, nothing is cached.

    :param key: its name.
    :param value: as JSON types.
    """
    if recall(key) == value:
        return
    with contextlib.suppress(OSError, InbedderError):
        others = [known for known in _read().items() if known[0] != key]
        _write(dict([*others[1 - MAX_VALUES :], (key, value)]))


def machine() -> str:
    """Return a string that identifies the hardware and torch version, on which speed depends.

    :return: a part of keys.
    """
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
    """Return a string of the names, sizes and times of a folder's files, which changes when they do.

    :param folder: its subfolders do not count.
    :return: a part of keys.
    """
    files = sorted(file for file in folder.iterdir() if file.is_file())
    states = [(file, file.stat()) for file in files]
    return f"{folder.resolve()} " + " ".join(f"{f.name} {s.st_size} {s.st_mtime_ns}" for f, s in states)


def _read() -> dict[str, Any]:
    file = cache_dir() / FILE
    try:
        check_private(file.parent)
        check_folders_above(file.parent)
        check_private_file(file)
        stored = json.loads(file.read_text(encoding="utf-8"))
        values = stored["values"]
        return values if isinstance(values, dict) and stored["checksum"] == _checksum(values) else {}
    except (OSError, InbedderError, ValueError, TypeError, KeyError, RecursionError):
        return {}


def _write(values: dict[str, Any]) -> None:
    folder = cache_dir()
    make_private_folder(folder)
    check_private(folder)
    check_folders_above(folder)
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix=FILE, delete=False, encoding="utf-8") as file:
        try:
            json.dump({"checksum": _checksum(values), "values": values}, file, indent=1)
            file.close()
            Path(file.name).replace(folder / FILE)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _checksum(values: Any) -> int:  # noqa: ANN401
    return zlib.crc32(json.dumps(values).encode())
