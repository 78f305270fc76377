"""Messages and progress: the interface that steps report to, independent of the terminal."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


class Reporter(Protocol):
    """Receives the messages and the progress of long steps; that of the command line writes to stderr."""

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
    """Reports nothing: the default of the Python API."""

    def info(self, message: str) -> None:
        """Ignore the message.

        :param message: one line.
        """

    def warn(self, message: str) -> None:
        """Ignore the message.

        :param message: one line.
        """

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
