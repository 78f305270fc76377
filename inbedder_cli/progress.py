"""Messages and progress: the interface that steps report to, with a reporter for people and a silent one."""

from __future__ import annotations

import sys
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from inbedder_cli.python_terms import python_terms
from inbedder_cli.wording import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import FrameType

    from rich.console import Console

PACKAGE = __name__.partition(".")[0]
PLAIN_SECONDS = 5.0  # between progress lines where no bar can be drawn
MAX_MESSAGE = 5000  # characters: it may quote what a file holds


class Reporter(Protocol):
    """Receives the messages and the progress of long steps."""

    def info(self, message: str) -> None:
        """Report what is being done.

        :param message: one line.
        """

    def warn(self, message: str) -> None:
        """Report a problem that the user may have to act on.

        :param message: one line.
        """

    def task(
        self, description: str, total: float | None, *, unit: str = ""
    ) -> AbstractContextManager[Callable[[float, float], None]]:
        """Return a context manager that reports the progress of a step.

        :param description: what is being done, in a few words.
        :param total: amount of work in any measure, for example prompt tokens; None if unknown.
        :param unit: what is counted per second, for example "rows"; "" reports no rate.
        :return: a context manager that yields a function to call with the work and the units done so far.
        """


class SilentReporter:
    """Shows no progress, and gives warnings as Python's own: the default of the Python API."""

    def info(self, message: str) -> None:
        """Ignore the message.

        :param message: one line.
        """

    def warn(self, message: str) -> None:
        """Warn, so that filters of `warnings` apply; the line that is shown is the user's.

        :param message: one line.
        """
        frame: FrameType | None = sys._getframe()
        level = 1
        while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == PACKAGE:
            frame, level = frame.f_back, level + 1
        warnings.warn(python_terms(message), UserWarning, stacklevel=level)

    @contextmanager
    def task(
        self, description: str, total: float | None, *, unit: str = ""
    ) -> Iterator[Callable[[float, float], None]]:
        """Ignore the progress.

        :param description: what is being done.
        :param total: amount of work.
        :param unit: what is counted per second.
        :yield: a function that does nothing.
        """
        yield lambda done, units: None


SILENT = SilentReporter()


@dataclass(frozen=True)
class NamedReporter:
    """Puts the name of a question before the messages about it, where several are asked.

    Warnings stay as they are: what concerns all questions is then given once (`ConsoleReporter.warn`).

    :param reporter: receives the messages.
    :param name: name of the question; "" for the only one.
    """

    reporter: Reporter
    name: str

    def info(self, message: str) -> None:
        """Report what is being done.

        :param message: one line.
        """
        self.reporter.info(self._named(message))

    def warn(self, message: str) -> None:
        """Report a problem that the user may have to act on.

        :param message: one line.
        """
        self.reporter.warn(message)

    def task(
        self, description: str, total: float | None, *, unit: str = ""
    ) -> AbstractContextManager[Callable[[float, float], None]]:
        """Report the progress of a step.

        :param description: what is being done.
        :param total: amount of work; None when unknown.
        :param unit: what is counted per second; "" shows no rate.
        :return: as `Reporter.task` returns.
        """
        return self.reporter.task(self._named(description), total, unit=unit)

    def _named(self, message: str) -> str:
        return f"{self.name}: {message}" if self.name else message


class ConsoleReporter:
    """Prints messages and warnings to standard error, and draws progress bars on a terminal and in a notebook.

    A notebook draws them where ipywidgets is installed. Elsewhere progress is a line every few seconds.

    :param quiet: print only warnings.
    :param timings: say how long each step took.
    :param wording: makes each message out of the one given, which names options of the command line.
    """

    def __init__(self, *, quiet: bool = False, timings: bool = False, wording: Callable[[str], str] = str) -> None:
        self.quiet, self.wording = quiet, wording
        self.timings = timings
        self._warnings: set[str] = set()

    def info(self, message: str) -> None:
        """Print one line, unless quiet.

        :param message: the line.
        """
        if not self.quiet:
            print_message(self.wording(message))

    def warn(self, message: str) -> None:
        """Print a warning, even when quiet; once, though several questions may give it.

        :param message: the line.
        """
        if message not in self._warnings:
            self._warnings.add(message)
            print_message(f"warning: {self.wording(message)}")

    @contextmanager
    def task(
        self, description: str, total: float | None, *, unit: str = ""
    ) -> Iterator[Callable[[float, float], None]]:
        """Show how far a step is.

        :param description: what is done.
        :param total: amount of work; None when unknown.
        :param unit: what is counted per second; "" shows no rate.
        :yield: a function to call with the work and the units done so far.
        """
        started = time.monotonic()
        with self._task(description, total, unit) as advance:
            yield advance
        if self.timings:
            self.info(f"{description}: {time.monotonic() - started:.1f} s")

    @contextmanager
    def _task(self, description: str, total: float | None, unit: str) -> Iterator[Callable[[float, float], None]]:
        if self.quiet:
            yield lambda done, units: None
            return
        console = stderr_console()
        if sys.stderr.isatty() or (console.is_jupyter and find_spec("ipywidgets")):
            with _bar(console, description, total, unit) as advance:
                yield advance
        else:
            yield _lines(description, total, unit)


def stderr_console() -> Console:
    """Return a rich console on standard error."""
    from rich.console import Console

    return Console(stderr=True, markup=False, emoji=False)


def print_message(message: str) -> None:
    """Print one line to standard error, without the control characters that it may quote.

    :param message: the line.
    """
    shown = message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}..."
    print(visible(shown), file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def _bar(
    console: Console, description: str, total: float | None, unit: str
) -> Iterator[Callable[[float, float], None]]:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    name = TextColumn("{task.description}", markup=False)
    columns = [name, BarColumn(), TaskProgressColumn(), TimeRemainingColumn()]
    rate = TextColumn("{task.fields[rate]}", markup=False)
    started = time.monotonic()
    with Progress(*columns, rate, console=console, transient=True) as progress:
        task = progress.add_task(visible(description), total=total, rate="")

        def advance(done: float, units: float) -> None:
            shown = f"{units / max(1e-9, time.monotonic() - started):.1f} {unit}/s" if unit else ""
            progress.update(task, completed=done, rate=shown)

        yield advance


def _lines(description: str, total: float | None, unit: str) -> Callable[[float, float], None]:
    started = last = time.monotonic()

    def advance(done: float, units: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < PLAIN_SECONDS or not total or not done:
            return
        last = now
        left = (now - started) * (total - done) / done
        rate = f", {units / (now - started):.1f} {unit}/s" if unit else ""
        print_message(f"{description}: {100 * done / total:.0f} %{rate}, {left:.0f} s left")

    return advance
