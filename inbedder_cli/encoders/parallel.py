"""Reading with several devices: one process each, which leave what they read in the cache that all share."""

from __future__ import annotations

import multiprocessing
import queue
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from inbedder_cli.encoders.batching import canonical_order
from inbedder_cli.errors import InbedderError
from inbedder_cli.talk import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.talk import Talk

WORTH_IT = 64  # texts for each process; below, starting one takes longer
LOOK_AFTER = 0.5  # seconds between looks at whether all processes live


def read_in_parallel(
    settings: dict[str, Any],
    devices: int,
    cache: Path,
    texts: Sequence[str],
    instruction: str,
    options: EncodeOptions,
    talk: Talk,
) -> None:
    """Read different texts with so many processes, each on a device of its own, into a cache.

    :param settings: of each process's `CachedEncoder`; a device "auto" or "cuda" becomes cuda:0, cuda:1, ...
    :raises InbedderError: what a process raised, or that one died.
    """
    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    ordered = [texts[i] for i in canonical_order(texts)]
    processes = []
    for i in range(devices):
        own = settings | {"device": device_of(settings["device"], i)}
        arguments = (own, devices, cache, ordered[i::devices], instruction, options, messages)
        processes.append(context.Process(target=_read, args=arguments, daemon=True))
    try:
        for process in processes:
            process.start()
        done, running = 0, devices
        with talk.task("reading", len(texts), unit="rows") as advance:
            while running:
                try:
                    message = messages.get(timeout=LOOK_AFTER)
                except queue.Empty:
                    if any(process.exitcode for process in processes):
                        raise InbedderError(
                            "a process that was reading died", hint="the same command goes on; try --devices 1"
                        ) from None
                    continue
                match message:
                    case int():
                        done += message
                        advance(done, done)
                    case None:
                        running -= 1
                    case (kind, told, hint):
                        raise kind(told, hint=hint)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def device_of(device: str, i: int) -> str:
    """Return the device of the i-th process.

    >>> device_of("auto", 1), device_of("cpu", 1)
    ('cuda:1', 'cpu')
    """
    return f"cuda:{i}" if device in ("auto", "cuda") else device


class _Counting(Silent):
    """Tells the first process how many rows are done."""

    def __init__(self, messages: Any) -> None:  # noqa: ANN401
        self.messages = messages

    @contextmanager
    def task(
        self, description: str, total: float | None, *, unit: str = ""
    ) -> Iterator[Callable[[float, float], None]]:
        """Pass on what is new since the last time."""
        before = 0

        def advance(_: float, units: float) -> None:
            nonlocal before
            self.messages.put(int(units) - before)
            before = int(units)

        yield advance


def _read(
    settings: dict[str, Any],
    devices: int,
    cache: Path,
    texts: list[str],
    instruction: str,
    options: EncodeOptions,
    messages: Any,  # noqa: ANN401
) -> None:
    """Be one of the processes."""
    import torch

    from inbedder_cli.cache import RowCache
    from inbedder_cli.encoders.cached import CachedEncoder

    torch.set_num_threads(max(1, torch.get_num_threads() // devices))
    try:
        encoder = CachedEncoder(RowCache(cache), **settings)
        encoder.encode(texts, instruction, options, _Counting(messages))
        messages.put(None)
    except InbedderError as error:
        messages.put((type(error), str(error), error.hint))
