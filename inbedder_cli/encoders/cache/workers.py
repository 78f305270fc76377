"""Reading with several devices: one process each, which leave what they read in the cache that all share."""

from __future__ import annotations

import multiprocessing
import queue
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from inbedder_cli.encoders.transformers.batching import canonical_order
from inbedder_cli.errors import InbedderError
from inbedder_cli.progress import SilentReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.progress import Reporter

WORTH_IT = 64  # texts for each process; below, starting one takes longer
LOOK_AFTER = 0.5  # seconds between looks at whether all processes live


def read_in_parallel(
    settings: dict[str, Any],
    devices: int,
    cache: Path,
    texts: Sequence[str],
    instruction: str,
    options: EncodeOptions,
    reporter: Reporter,
) -> None:
    """Read different texts with so many processes, each on a device of its own, into a cache.

    :param settings: of each process's `CachedEncoder`; the device "cuda" becomes cuda:0, cuda:1, ...
    :raises InbedderError: what a process raised, or that one died.
    """
    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    ordered = [texts[i] for i in canonical_order(texts)]
    processes = []
    for i in range(devices):
        own = settings | {"device": f"cuda:{i}" if settings["device"] == "cuda" else settings["device"]}
        arguments = (own, devices, cache, ordered[i::devices], instruction, options, messages)
        processes.append(context.Process(target=_read, args=arguments, daemon=True))
    try:
        for process in processes:
            process.start()
        done = 0
        with reporter.task("reading", len(texts), unit="rows") as advance:
            for message in _listen(messages, processes):
                if isinstance(message, str):
                    reporter.warn(message)
                else:
                    done += message
                    advance(done, done)
    finally:
        for process in processes:
            if process.pid is not None:  # it has started
                process.terminate()
                process.join()


def _listen(messages: Any, processes: Sequence[Any]) -> Iterator[int | str]:  # noqa: ANN401
    """Yield what the processes tell, rows that are done and lines of warning, until all have ended.

    :raises InbedderError: what a process raised, or that one died.
    """
    running = len(processes)
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
            case None:
                running -= 1
            case (architecture, told, hint):
                raise architecture(told, hint=hint)
            case _:
                yield message


class _Passing(SilentReporter):
    """Tells the first process how many rows are done, and what goes wrong."""

    def __init__(self, messages: Any) -> None:  # noqa: ANN401
        self.messages = messages

    def warn(self, message: str) -> None:
        """Pass on the line."""
        self.messages.put(message)

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

    from inbedder_cli.encoders.cache.cached_encoder import CachedEncoder
    from inbedder_cli.encoders.cache.store import RowCache

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends the others
    torch.set_num_threads(max(1, torch.get_num_threads() // devices))
    reporter = _Passing(messages)
    try:
        encoder = CachedEncoder(RowCache(cache, reporter), **settings)
        encoder.fill(texts, instruction, options, reporter)
        messages.put(None)
    except InbedderError as error:
        messages.put((type(error), str(error), error.hint))
