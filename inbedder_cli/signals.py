"""Signals that stop the process: Ctrl-C, `kill`, a closed terminal. It loads early, so it imports little."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def exit_on_signals() -> None:
    """Let the signals end the process at once, with exit code 128 + their number: nothing is to be cleaned up."""
    _handle(_exit)


@contextmanager
def interrupt_on_signals() -> Iterator[None]:
    """Let the signals raise `KeyboardInterrupt` with their number, so that what was begun is cleaned up.

    A library may turn the interrupt into an error of its own: a module of compiled code that is being imported
    turns it into an ImportError. Such an error is raised as the interrupt that it was.
    """
    came: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        came.append(number)
        raise KeyboardInterrupt(number)

    before = _handle(interrupt)
    try:
        yield
    except Exception as error:
        if came:
            raise KeyboardInterrupt(came[-1]) from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _handle(handler: Callable[[int, FrameType | None], None]) -> dict[int, Any]:
    """Handle the signals that are not ignored, as they are under nohup, and return their handlers before."""
    before = {number: signal.getsignal(number) for number in STOPPING}
    heeded = {number: old for number, old in before.items() if old is not signal.SIG_IGN}
    for number in heeded:
        signal.signal(number, handler)
    return heeded


def _exit(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)
