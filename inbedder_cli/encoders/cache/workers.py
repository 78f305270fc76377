"""Encode on several devices: one process each, all writing to the same cache."""

from __future__ import annotations

import multiprocessing
import queue
import signal
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inbedder_cli.encoders.transformers.batching import canonical_order
from inbedder_cli.errors import InbedderError
from inbedder_cli.progress import SilentReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from inbedder_cli.encoders.base import Encoder
    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.progress import Reporter

MIN_TEXTS = 64  # per process; for fewer, starting one takes longer than it saves
CHECK_SECONDS = 0.5  # between checks that all processes are alive


@dataclass(frozen=True)
class Workers:
    """The processes that encode.

    :param load: loads the encoder: load(device=..., reporter=...); it must be picklable.
    :param n: number of processes.
    :param device: the requested device.
    """

    load: Callable[..., Encoder]
    n: int
    device: str = "auto"

    def devices(self, chosen: str) -> list[str]:
        """Return the device of each process; "cuda" becomes cuda:0, cuda:1, ...

        :param chosen: the type of device that "auto" resolves to.
        :return: one device per process.
        """
        device = chosen if self.device == "auto" else self.device
        return [f"cuda:{i}" if device == "cuda" else device for i in range(self.n)]


def encode_in_parallel(
    workers: Workers,
    device: str,
    cache: Path,
    texts: Sequence[str],
    instruction: str,
    options: EncodeOptions,
    reporter: Reporter,
) -> None:
    """Encode texts into a cache with several processes.

    :param workers: the processes.
    :param device: the type of device that "auto" resolves to, for example "cuda".
    :param cache: the file of the cache.
    :param texts: distinct texts.
    :param instruction: the question to ask about each text.
    :param options: how texts become vectors and answers.
    :param reporter: receives progress and warnings of all processes.
    :raises InbedderError: when a process raises it or dies.
    """
    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    ordered = [texts[i] for i in canonical_order(texts)]
    processes = []
    for i, own_device in enumerate(workers.devices(device)):
        own_texts = ordered[i :: workers.n]
        arguments = (workers.load, own_device, workers.n, cache, own_texts, instruction, options, messages)
        processes.append(context.Process(target=_work, args=arguments, daemon=True))
    try:
        for process in processes:
            process.start()
        done = 0
        with reporter.task("encoding", len(texts), unit="rows") as advance:
            for message in _receive(messages, processes):
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


def _receive(messages: Any, processes: Sequence[Any]) -> Iterator[int | str]:  # noqa: ANN401
    """Yield the messages of the processes, counts of encoded texts and warnings, until all have finished.

    :raises InbedderError: when a process raises it or dies.
    """
    running = len(processes)
    while running:
        try:
            message = messages.get(timeout=CHECK_SECONDS)
        except queue.Empty:
            if any(process.exitcode for process in processes):
                raise InbedderError(
                    "a worker process died",
                    hint="run the same command again, which continues from the cache, or use --devices 1",
                ) from None
            continue
        match message:
            case None:
                running -= 1
            case (error, text, hint):
                raise error(text, hint=hint)
            case _:
                yield message


class _ForwardingReporter(SilentReporter):
    """Sends progress and warnings to the parent process.

    :param messages: the queue to send them through.
    """

    def __init__(self, messages: Any) -> None:  # noqa: ANN401
        self.messages = messages

    def warn(self, message: str) -> None:
        self.messages.put(message)

    @contextmanager
    def task(
        self, description: str, total: float | None, *, unit: str = ""
    ) -> Iterator[Callable[[float, float], None]]:
        before = 0  # texts reported to the parent process

        def advance(_: float, units: float) -> None:
            nonlocal before
            self.messages.put(int(units) - before)
            before = int(units)

        yield advance


def _work(
    load: Callable[..., Encoder],
    device: str,
    n_processes: int,
    cache: Path,
    texts: list[str],
    instruction: str,
    options: EncodeOptions,
    messages: Any,  # noqa: ANN401
) -> None:
    """Encode a share of the texts in a child process."""
    import torch

    from inbedder_cli.encoders.cache.cached_encoder import CachedEncoder
    from inbedder_cli.encoders.cache.row_cache import RowCache

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process terminates the children
    torch.set_num_threads(max(1, torch.get_num_threads() // n_processes))
    reporter = _ForwardingReporter(messages)
    try:
        encoder = CachedEncoder(load(device=device, reporter=reporter), RowCache(cache, reporter))
        encoder.fill(texts, instruction, options, reporter)
        messages.put(None)
    except InbedderError as error:
        messages.put((type(error), str(error), error.hint))
