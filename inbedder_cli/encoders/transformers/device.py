"""Choose the device and the dtype of a model."""

from __future__ import annotations

import ctypes
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from inbedder_cli.errors import ModelError, UsageError
from inbedder_cli.models.memo import cached_value, machine
from inbedder_cli.options import Dtype

if TYPE_CHECKING:
    import torch

TIMING_ROUNDS = 20
LEAST_ROUNDS = 3
TIMING_SECONDS = 1.0  # no further round after them: where bfloat16 is emulated, each takes half a second
MIN_SPEEDUP = 1.3  # of bfloat16 over float32, to make up for its rounding
MAX_TIMED_SIZE = 2048  # larger products have the same ratio, and take seconds
CPU_BATCH_TOKENS = 1024  # larger batches do not fit into the cache of ordinary CPUs
ACCELERATOR_BATCH_TOKENS = 16_384
MIN_ACCELERATOR_TOKENS = 1024
TOKEN_BYTES = 400_000  # of keys, values and activations in a model of a few billion weights, at most


def has_gpu_driver() -> bool:
    """Return whether torch may find a GPU, without importing torch, which takes a second.

    :return: False only where there is none.
    """
    if sys.platform == "darwin" or Path("/dev/kfd").exists():  # Metal; AMD's
        return True
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of a name.

    :param name: auto, cpu, cuda, cuda:N or mps.
    :return: the device of torch.
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


def choose_dtype(requested: Dtype, device: torch.device, hidden_size: int) -> torch.dtype:
    """Return the requested dtype; for "auto", bfloat16 where it is fast on the device.

    On a CPU this is measured once per machine.

    :param requested: the requested dtype.
    :param device: where the model computes.
    :param hidden_size: size of its hidden states.
    :return: the dtype of torch.
    """
    import torch

    if requested is not Dtype.auto:
        return {
            Dtype.float32: torch.float32,
            Dtype.bfloat16: torch.bfloat16,
            Dtype.float16: torch.float16,
        }[requested]
    if device.type == "cuda":
        with torch.cuda.device(device):
            return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    name = f"fast dtype: {device.type} {hidden_size} {machine()}"
    fastest = cached_value(name, lambda: _find_fast_dtype(device, min(hidden_size, MAX_TIMED_SIZE)))
    return torch.bfloat16 if fastest == "bfloat16" else torch.float32


def _find_fast_dtype(device: torch.device, hidden_size: int) -> str:
    try:
        float32, bfloat16 = _time_dtypes(device, hidden_size)
    except RuntimeError:  # the device has no such kernel
        return "float32"
    return "bfloat16" if bfloat16 * MIN_SPEEDUP < float32 else "float32"


def _time_dtypes(device: torch.device, hidden_size: int) -> tuple[float, float]:
    """Return the times, in seconds, of a matrix product of the model's shape in float32 and in bfloat16.

    The two alternate, and the best of many rounds counts, so that the result is the same on a busy machine.
    """
    import torch

    dtypes = (torch.float32, torch.bfloat16)
    rows = [torch.ones(256, hidden_size, dtype=dtype, device=device) for dtype in dtypes]
    weights = [torch.ones(hidden_size, 4 * hidden_size, dtype=dtype, device=device) for dtype in dtypes]
    best = [float("inf"), float("inf")]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several threads would wait for each other on a busy machine
    try:
        begin = time.perf_counter()
        for n_done in range(TIMING_ROUNDS):
            if n_done >= LEAST_ROUNDS and time.perf_counter() - begin > TIMING_SECONDS:
                break
            for i in range(2):
                start = time.perf_counter()
                (rows[i] @ weights[i])[0, 0].item()
                best[i] = min(best[i], time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return best[0], best[1]


def default_batch_tokens(device: torch.device) -> int:
    """Return the default size of a batch, in tokens after padding; on a GPU, fewer where little memory is free.

    :param device: where the model computes; its weights are there already.
    :return: a number of tokens.
    """
    import torch

    if device.type == "cpu":
        return CPU_BATCH_TOKENS
    if device.type != "cuda":
        return ACCELERATOR_BATCH_TOKENS
    free, _ = torch.cuda.mem_get_info(device)
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # of earlier batches
    return max(MIN_ACCELERATOR_TOKENS, min(ACCELERATOR_BATCH_TOKENS, free // TOKEN_BYTES))
