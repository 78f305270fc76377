"""A worker process: `python -m inbedder_cli.encoders.workers.child` encodes what it reads from standard input.

It is started as a program of its own, not forked or by multiprocessing, so that it never runs the user's script
again. It ends when its input ends: no worker outlives the process that started it, however that dies.
"""

from __future__ import annotations

import _thread
import os
import queue
import signal
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from inbedder_cli.encoders.workers.messages import (
    Done,
    Encode,
    Failed,
    Loaded,
    Shared,
    ShareWeights,
    Start,
    ToWorker,
    Warned,
    pack_rows,
    read_message,
    unpack_text,
    write_message,
)
from inbedder_cli.errors import InbedderError
from inbedder_cli.options import EncodeOptions
from inbedder_cli.progress import SilentReporter
from inbedder_cli.signals import interrupt_on_signals

if TYPE_CHECKING:
    from inbedder_cli.encoders.base import BaseEncoder

IDLE_SECONDS = 60.0  # without work, after which a worker gives its memory back
GRACE_SECONDS = 2.0  # to clean up in, after the input has ended


def main() -> None:
    """Encode until the input ends, or until there is nothing to do for a minute."""
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent too, which ends its workers
    source, sink = _private_streams()
    messages: queue.Queue[Any] = queue.Queue()
    try:
        with interrupt_on_signals():
            threading.Thread(target=_receive, args=(source, messages), daemon=True).start()
            _work(messages, sink)
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(1)  # torch may still be computing in threads of its own


def _private_streams() -> tuple[BinaryIO, BinaryIO]:
    """Return the pipes, and put others in their place: whatever a library prints is no message."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    return source, sink


def _receive(source: BinaryIO, messages: queue.Queue[Any]) -> None:
    """Queue messages. At the end of the input, interrupt the main thread, and then end the process in any case."""
    decoder = msgspec.msgpack.Decoder(ToWorker)
    try:
        while (message := read_message(source, decoder)) is not None:
            messages.put(message)
    finally:
        messages.put(None)
        _thread.interrupt_main(signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        os._exit(1)


def _work(messages: queue.Queue[Any], sink: BinaryIO) -> None:
    encoder: BaseEncoder | None = None
    problem = Failed("InbedderError", "no encoder was named", None)
    while True:
        try:
            message = messages.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            return
        match message:
            case Start():
                try:
                    encoder = _load(message, sink)
                except InbedderError as error:
                    problem = _failure(error)
            case Encode() if encoder is not None:
                _encode(encoder, message, sink)
            case Encode():
                write_message(sink, problem)
            case ShareWeights() if encoder is not None:
                _share(encoder, message, sink)
            case None:
                return


def _load(start: Start, sink: BinaryIO) -> BaseEncoder:
    module, _, name = start.backend.partition(":")
    backend = import_module(module)
    for part in name.split("."):
        backend = getattr(backend, part)
    return backend(start.reference, **start.settings, reporter=_Reporter(sink))  # type: ignore[operator,no-any-return]


def _encode(encoder: BaseEncoder, message: Encode, sink: BinaryIO) -> None:
    try:
        _set_threads(message.threads)
        texts = [unpack_text(text) for text in message.texts]
        places = {text: i for i, text in enumerate(texts)}
        options = EncodeOptions(**message.options)
        batches = encoder.encode_batches(texts, unpack_text(message.instruction), options, _Reporter(sink))
        for i, rows in enumerate(batches):
            if i == 0:
                write_message(sink, Loaded(encoder.identity, encoder.dtype))
            write_message(sink, pack_rows(rows, places))
    except BrokenPipeError:
        raise
    except InbedderError as error:
        write_message(sink, _failure(error))
    except Exception as error:  # a worker that lives can encode other texts
        write_message(sink, Failed("InbedderError", f"{type(error).__name__}: {error}", None))
    else:
        write_message(sink, Done())


def _failure(error: InbedderError) -> Failed:
    return Failed(type(error).__name__, str(error), error.hint)


def _set_threads(n: int) -> None:
    """Limit the threads of a product; the environment has set them for libraries that were not loaded yet."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(n)


def _share(encoder: BaseEncoder, message: ShareWeights, sink: BinaryIO) -> None:
    """Write or map weights. Where that fails, the worker keeps its own copy."""
    path = Path(message.path)
    try:
        if message.write:
            is_written = encoder.write_weights(path)
        else:
            encoder.map_weights(path)
    except Exception:  # no space, no rights, ...
        is_written = False
    if message.write:
        write_message(sink, Shared(is_written))


class _Reporter(SilentReporter):
    """Sends warnings to the parent process."""

    def __init__(self, sink: BinaryIO) -> None:
        self.sink = sink

    def warn(self, message: str) -> None:
        write_message(self.sink, Warned(message))


if __name__ == "__main__":
    main()
