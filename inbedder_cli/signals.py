"""Signals that stop the process: Ctrl-C, `kill`, a closed terminal. It loads early, so it imports little."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
ALARM = hasattr(signal, "setitimer")  # not on Windows
AGAIN = 0.1  # seconds


def exit_on_signals() -> None:
    """Let the signals end the process at once, with exit code 128 + their number: nothing is to be cleaned up."""
    _handle(_exit)


@contextmanager
def interrupt_on_signals() -> Iterator[None]:
    """Let the signals raise `KeyboardInterrupt` with their number, so that what was begun is cleaned up.

    Libraries lose an interrupt, above all while they are imported: compiled modules turn it into an error of their
    own or go on, and Python itself goes on when it came to a destructor. So an error after an interrupt is raised
    as the interrupt, and one that nobody is handling any more is raised again, ten times a second. It waits while
    torch is being imported: its C++ would abort the process.
    """
    interrupts = _Interrupts()
    before = _handle(interrupts.begin)
    report_before, sys.unraisablehook = sys.unraisablehook, interrupts.report
    alarm_before = signal.getsignal(signal.SIGALRM) if ALARM else None
    try:
        yield
    except Exception as error:
        if interrupts.raised:
            raise KeyboardInterrupt(*interrupts.raised[-1].args) from error
        raise
    finally:
        if ALARM and interrupts.raised:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, alarm_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = report_before


class _Interrupts:
    """Interrupts of the program that belong together: what a signal raises, and raises again if it was lost."""

    def __init__(self) -> None:
        self.raised: list[KeyboardInterrupt] = []
        self._report = sys.unraisablehook

    def begin(self, number: int, _: FrameType | None) -> None:
        """Handle a signal that stops the process."""
        self.raised.append(KeyboardInterrupt(number))
        if ALARM:
            signal.signal(signal.SIGALRM, self.insist)
            signal.setitimer(signal.ITIMER_REAL, AGAIN, AGAIN)
        if not (ALARM and _imports_torch()):
            raise self.raised[-1]

    def insist(self, _: int, __: FrameType | None) -> None:
        """Raise the interrupt again, unless one is being handled: what it ends is cleaned up."""
        error = sys.exception()
        while error is not None and error not in self.raised:
            error = error.__cause__ or error.__context__
        if error is None and not _imports_torch():
            self.raised.append(KeyboardInterrupt(*self.raised[-1].args))
            raise self.raised[-1]

    def report(self, unraisable: Any) -> None:  # noqa: ANN401
        """Report an exception that came to a destructor, unless it is one of the interrupts."""
        if unraisable.exc_value not in self.raised:
            self._report(unraisable)


def _imports_torch() -> bool:
    return getattr(getattr(sys.modules.get("torch"), "__spec__", None), "_initializing", False)


def _handle(handler: Callable[[int, FrameType | None], None]) -> dict[int, Any]:
    """Handle the signals that are not ignored, as they are under nohup, and return their handlers before."""
    before = {number: signal.getsignal(number) for number in STOPPING}
    heeded = {number: old for number, old in before.items() if old is not signal.SIG_IGN}
    for number in heeded:
        signal.signal(number, handler)
    return heeded


def _exit(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)
