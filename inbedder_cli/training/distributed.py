"""Runs of several processes started by torchrun: rank, number of processes, and device."""

from __future__ import annotations

import os

from inbedder_cli.errors import UsageError


def is_first_process() -> bool:
    """Return whether this process is the one that prints and writes; true for a single process.

    :return: True for the first or only process.
    """
    return os.environ.get("RANK", "0") == "0"


def n_processes() -> int:
    """Return the number of processes.

    :return: 1 unless torchrun started several.
    """
    return int(os.environ.get("WORLD_SIZE", "1"))


def device_of_process(device: str) -> str:
    """Return the device of this process: of several processes, each has a GPU of its own.

    :param device: the requested device.
    :return: the device, as `choose_device` takes it.
    :raises UsageError: for a GPU by number, because Trainer would use another one.
    """
    if device.startswith("cuda:"):
        number = device.removeprefix("cuda:")
        raise UsageError(
            f"training does not take --device {device}",
            hint=f"choose the GPU in the environment: CUDA_VISIBLE_DEVICES={number} inbedder train",
        )
    rank = os.environ.get("LOCAL_RANK")
    if rank is None or device == "cpu":
        return device
    import torch

    return f"cuda:{rank}" if torch.cuda.is_available() else device
