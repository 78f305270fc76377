"""How many workers to use, with how many threads each: by cores, memory, and a race that is remembered."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from inbedder_cli.errors import UsageError
from inbedder_cli.models.memo import machine
from inbedder_cli.models.speed import speed_of_process

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inbedder_cli.encoders.base import Encoder

START_SECONDS = 10.0  # of one worker: Python, torch, the weights
WORTH = 3  # a worker is started for three times that much work
GUESSED_SPEED = 20.0  # texts per second of a model that has not run on this machine yet
PROCESS_BYTES = 600_000_000  # of a worker without its weights: Python, torch, activations
MEMORY_SHARE = 0.6  # of the available memory that workers may take
MIN_GAIN = 1.1  # of another layout over the first
MAX_DEVICES = 1024


class Layout(NamedTuple):
    """Workers and threads.

    :param n_workers: number of processes.
    :param threads: number of threads of each.
    """

    n_workers: int
    threads: int

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        return f"{self.n_workers} worker process{'es' * (self.n_workers > 1)} of {threads}"


def candidates(cores: int) -> list[Layout]:
    """Return the layouts that race on a machine: one thread a worker, then two.

    The products of a small model are too small to be shared by many threads.

    :param cores: physical cores that this process may use.
    """
    return [Layout(cores, 1), *([Layout(cores // 2, 2)] if cores > 1 else [])]


def fastest(rates: Mapping[Layout, float]) -> Layout:
    """Return the winner of a race: the first layout, unless another is faster for sure.

    :param rates: speed of each layout, in any unit.
    """
    first, best = next(iter(rates)), max(rates, key=rates.__getitem__)
    return best if rates[best] > MIN_GAIN * rates[first] else first


def n_cores() -> int:
    """Return the number of physical cores that this process may use.

    Its container, its affinity, and the user's OMP_NUM_THREADS limit them.
    """
    from joblib import cpu_count

    limit = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    physical = int(cpu_count(only_physical_cores=True))
    return max(1, min(physical, int(limit))) if limit.strip().isdecimal() else physical


def race_key(encoder: Encoder, cores: int) -> str:
    """Return the name under which the winner of a race is remembered.

    :param encoder: the encoder.
    :param cores: physical cores that this process may use.
    """
    return f"workers: {encoder.name} {encoder.dtype} {cores} cores {machine()}"


def n_worth_starting(model: str, n_texts: int) -> int:
    """Return the number of workers for which there is enough to do.

    :param model: its name, by which its last speed on this machine is known.
    :param n_texts: texts to encode.
    """
    seconds = n_texts / (speed_of_process(model) or GUESSED_SPEED)
    return int(seconds / (WORTH * START_SECONDS)) + 1


def n_in_memory(weights_bytes: int) -> int | None:
    """Return the number of workers that the available memory allows, at least 1; None where it is unknown.

    :param weights_bytes: memory that loading the weights takes.
    """
    available = available_bytes()
    return None if available is None else max(1, int(MEMORY_SHARE * available / bytes_of_worker(weights_bytes)))


def bytes_of_worker(weights_bytes: int) -> int:
    """Return the memory that a worker takes at most, while it loads.

    :param weights_bytes: memory that loading the weights takes.
    """
    return PROCESS_BYTES + weights_bytes


def available_bytes() -> int | None:
    """Return the memory that new processes may take; None where the system does not say it as Linux does."""
    found = []
    with suppress(OSError, ValueError, AttributeError):
        line = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"))
        found.append(1024 * int(line[1]))  # type: ignore[index]
    with suppress(OSError, ValueError):  # "max" where the container has no limit
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        found.append(limit - int((group / "memory.current").read_text(encoding="ascii")))
    return max(0, min(found)) if found else None


def parse_devices(devices: str | int | Sequence[str] | None) -> list[str]:
    """Return the device of each worker.

    :param devices: "cuda:0,cuda:1"; a list of such names; a number N, for the first N GPUs; None for none.
    :return: names of devices, each once.
    :raises UsageError: for a name that is no GPU, a number out of range, or a GPU that is named twice.
    """
    if devices is None:
        return []
    if isinstance(devices, str):
        devices = int(devices) if devices.strip().isdecimal() else devices.split(",")
    if isinstance(devices, int):
        if not 1 <= devices <= MAX_DEVICES:
            raise UsageError(f"the number of devices must be between 1 and {MAX_DEVICES}, not {devices}")
        return [f"cuda:{i}" for i in range(devices)]
    names = [name.strip() for name in devices]
    for name in names:
        if not re.fullmatch(r"cuda:\d+", name):
            raise UsageError(f'"{name}" is no GPU', hint="name them as cuda:0,cuda:1")
    if len(set(names)) < len(names):
        raise UsageError("a GPU is named twice", hint="each worker needs a GPU of its own")
    return names
