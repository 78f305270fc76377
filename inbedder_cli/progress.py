"""How the steps tell a person what goes on, without knowing about terminals."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


class Reporter(Protocol):
    """What a step may say: single lines, and progress through a known amount of work."""

    def info(self, message: str) -> None:
        """Tell one plain line."""

    def warn(self, message: str) -> None:
        """Tell one line that deserves attention."""

    def task(
        self, description: str, total: float | None, *, unit: str = ""
    ) -> AbstractContextManager[Callable[[float, float], None]]:
        """Show progress; the function it yields takes (work done so far, units done so far).

        :param total: amount of work, of any measure; None when unknown.
        :param unit: name of what is counted per second, for example "rows"; "" shows no rate.
        """


class SilentReporter:
    """Says nothing (the default of the Python API)."""

    def info(self, message: str) -> None:
        """Ignore the line."""

    def warn(self, message: str) -> None:
        """Ignore the line."""

    @contextmanager
    def task(
        self, description: str, total: float | None, *, unit: str = ""
    ) -> Iterator[Callable[[float, float], None]]:
        """Ignore the progress."""
        yield lambda done, units: None


SILENT = SilentReporter()
