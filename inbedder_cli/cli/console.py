"""The two consoles, results on stdout and messages on stderr, and the display of errors."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from inbedder_cli.errors import INTERRUPTED, InbedderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

PLAIN_SECONDS = 5.0  # between progress lines where there is no terminal
PIPE_WIDTH = 120  # of tables that do not go to a terminal, unless COLUMNS is set


class TerminalReporter:
    """Reporter that prints to standard error (see `progress.Reporter`).

    :param quiet: print only warnings and errors.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    def info(self, message: str) -> None:
        """Print one line, unless quiet.

        :param message: the line.
        """
        if not self.quiet:
            self._line(message)

    def warn(self, message: str) -> None:
        """Print a warning, even when quiet.

        :param message: the line.
        """
        self._line(f"warning: {message}")

    def _line(self, message: str) -> None:
        from inbedder_cli.report.view import printable

        print(printable(message), file=sys.stderr, flush=True)  # noqa: T201

    @contextmanager
    def task(
        self, description: str, total: float | None, *, unit: str = ""
    ) -> Iterator[Callable[[float, float], None]]:
        """Show a progress bar on a terminal, a plain line every few seconds elsewhere.

        :param description: what is done.
        :param total: amount of work; None when unknown.
        :param unit: what is counted per second; "" shows no rate.
        """
        if self.quiet:
            yield lambda done, units: None
        elif sys.stderr.isatty():
            with self._bar(description, total, unit) as advance:
                yield advance
        else:
            yield self._plain(description, total, unit)

    @contextmanager
    def _bar(self, description: str, total: float | None, unit: str) -> Iterator[Callable[[float, float], None]]:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = [TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()]
        rate = TextColumn("{task.fields[rate]}")
        started = time.monotonic()
        with Progress(*columns, rate, console=stderr_console(), transient=True) as progress:
            task = progress.add_task(description, total=total, rate="")

            def advance(done: float, units: float) -> None:
                shown = f"{units / max(1e-9, time.monotonic() - started):.1f} {unit}/s" if unit else ""
                progress.update(task, completed=done, rate=shown)

            yield advance

    def _plain(self, description: str, total: float | None, unit: str) -> Callable[[float, float], None]:
        started = last = time.monotonic()

        def advance(done: float, units: float) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last < PLAIN_SECONDS or not total or not done:
                return
            last = now
            left = (now - started) * (total - done) / done
            rate = f", {units / (now - started):.1f} {unit}/s" if unit else ""
            self._line(f"{description}: {100 * done / total:.0f} %{rate}, {left:.0f} s left")

        return advance


def stderr_console() -> Console:
    """Return a rich console on standard error."""
    from rich.console import Console

    return Console(stderr=True)


def print_line(line: str) -> None:
    """Write one line of data to stdout.

    :param line: the line, without a line break.
    """
    sys.stdout.write(line + "\n")


def stdout_console() -> Console:
    """Return a rich console on standard output, 120 columns wide off a terminal so that few cells are cut."""
    from rich.console import Console

    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH
    return Console(width=width, highlight=False)


@contextmanager
def show_errors(*, debug: bool) -> Iterator[None]:
    """Print errors as one line and a hint on standard error, and exit with their exit code.

    :param debug: raise errors with their traceback instead.
    """
    try:
        yield
    except InbedderError as error:
        if debug:
            raise
        _show(str(error), error.hint)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        _show("interrupted; no partial file was left", None)
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:  # the reader closed the pipe, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except MemoryError:
        if debug:
            raise
        _show("out of memory", "use fewer rows: --limit or --sample")
        raise typer.Exit(6) from None


def _show(message: str, hint: str | None) -> None:
    from inbedder_cli.report.view import printable

    print(f"inbedder: {printable(message)}", file=sys.stderr)  # noqa: T201
    if hint:
        print(f"  {printable(hint)}", file=sys.stderr, flush=True)  # noqa: T201
