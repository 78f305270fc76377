"""Choose where and in which number format a model computes."""

from __future__ import annotations

import gc
import re
import time
from typing import TYPE_CHECKING

from inbedder_cli.errors import ModelError, UsageError
from inbedder_cli.models.memo import cached_value, machine
from inbedder_cli.options import Dtype

if TYPE_CHECKING:
    import torch

RACE_ROUNDS = 20
RACE_MARGIN = 1.3  # bfloat16 must be so much faster than float32 to be worth its rounding
CPU_BATCH_TOKENS = 1024  # larger batches fall out of the cache of ordinary CPUs
ACCELERATOR_BATCH_TOKENS = 16_384


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of a name: auto, cpu, cuda, cuda:N or mps.

    :raises UsageError: for an unknown name.
    :raises ModelError: for a device that this machine does not have.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise UsageError(f'unknown device "{name}"', hint="use auto, cpu, cuda, cuda:0 or mps")
    device = torch.device(name)
    missing = (device.type == "mps" and not torch.backends.mps.is_available()) or (
        device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()
    )
    if missing:
        raise ModelError(f"this machine (or this build of torch) has no {name}", hint="use --device auto or cpu")
    return device


def choose_dtype(wanted: Dtype, device: torch.device, hidden_size: int) -> torch.dtype:
    """Return the number format: the one asked for, else bfloat16 where it is native, found by a short race."""
    import torch

    if wanted is not Dtype.auto:
        return {
            Dtype.float32: torch.float32,
            Dtype.bfloat16: torch.bfloat16,
            Dtype.float16: torch.float16,
        }[wanted]
    if device.type == "cuda":
        with torch.cuda.device(device):
            return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    fact = f"fast format: {device.type} {hidden_size} {machine()}"
    return (
        torch.bfloat16 if cached_value(fact, lambda: _winner(device, hidden_size)) == "bfloat16" else torch.float32
    )


def _winner(device: torch.device, hidden_size: int) -> str:
    try:
        slow, fast = _race(device, hidden_size)
    except RuntimeError:  # no such kernel on this device
        return "float32"
    return "bfloat16" if fast * RACE_MARGIN < slow else "float32"


def _race(device: torch.device, hidden_size: int) -> tuple[float, float]:
    """Return the best times, in seconds, of float32 and of bfloat16 for a matrix product of the model's own shape.

    They take turns, and the best of many counts: the winner should be the same on a busy machine.
    """
    import torch

    formats = (torch.float32, torch.bfloat16)
    rows = [torch.ones(256, hidden_size, dtype=dtype, device=device) for dtype in formats]
    weights = [torch.ones(hidden_size, 4 * hidden_size, dtype=dtype, device=device) for dtype in formats]
    best = [float("inf"), float("inf")]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several would wait for each other on a busy machine
    try:
        for _ in range(RACE_ROUNDS):
            for i in range(2):
                start = time.perf_counter()
                (rows[i] @ weights[i])[0, 0].item()
                best[i] = min(best[i], time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return best[0], best[1]


def free_memory() -> None:
    """Give back what nothing refers to any more, on GPUs, too."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def default_batch_tokens(device: torch.device) -> int:
    """Return how many padded tokens one batch holds unless the user says otherwise."""
    return CPU_BATCH_TOKENS if device.type == "cpu" else ACCELERATOR_BATCH_TOKENS
