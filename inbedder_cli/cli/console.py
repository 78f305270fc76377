"""The two consoles, results on stdout and messages on stderr, and the display of errors."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from inbedder_cli.errors import INTERRUPTED, InbedderError, OutOfMemoryError
from inbedder_cli.report.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import Console

PLAIN_SECONDS = 5.0  # between progress lines where there is no terminal
MAX_MESSAGE = 5000  # characters: it may quote what a file holds
LIBRARIES = 2  # from this verbosity on, libraries may speak and errors show tracebacks
PIPE_WIDTH = 120  # of tables that do not go to a terminal, unless COLUMNS is set


_verbosity = 0


def set_console(*, verbose: int = 0, color: bool | None = None) -> None:
    """Set what holds for everything that this process prints.

    :param verbose: 1 prints how long steps take, 2 also tracebacks and the messages of libraries.
    :param color: whether tables and messages are colored; None: on a terminal, unless NO_COLOR is set.
    """
    global _verbosity
    _verbosity = verbose
    if color is not None:  # rich reads these, whichever part of the program asks it
        os.environ.pop("FORCE_COLOR" if not color else "NO_COLOR", None)
        os.environ["FORCE_COLOR" if color else "NO_COLOR"] = "1"
    if verbose >= LIBRARIES:
        import logging

        logging.basicConfig(level=logging.INFO, stream=sys.stderr)


class TerminalReporter:
    """Reporter that prints to standard error (see `progress.Reporter`).

    :param quiet: print only warnings and errors.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self._warnings: set[str] = set()

    def info(self, message: str) -> None:
        """Print one line, unless quiet.

        :param message: the line.
        """
        if not self.quiet:
            self._line(message)

    def warn(self, message: str) -> None:
        """Print a warning, even when quiet; once, though several questions may give it.

        :param message: the line.
        """
        if message not in self._warnings:
            self._warnings.add(message)
            self._line(f"warning: {message}")

    def _line(self, message: str) -> None:
        _print(message)

    @contextmanager
    def task(
        self, description: str, total: float | None, *, unit: str = ""
    ) -> Iterator[Callable[[float, float], None]]:
        """Show a progress bar on a terminal, a plain line every few seconds elsewhere.

        :param description: what is done.
        :param total: amount of work; None when unknown.
        :param unit: what is counted per second; "" shows no rate.
        """
        started = time.monotonic()
        with self._task(description, total, unit) as advance:
            yield advance
        if _verbosity:
            self.info(f"{description}: {time.monotonic() - started:.1f} s")

    @contextmanager
    def _task(self, description: str, total: float | None, unit: str) -> Iterator[Callable[[float, float], None]]:
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

        name = TextColumn("{task.description}", markup=False)
        columns = [name, BarColumn(), TaskProgressColumn(), TimeRemainingColumn()]
        rate = TextColumn("{task.fields[rate]}", markup=False)
        started = time.monotonic()
        with Progress(*columns, rate, console=stderr_console(), transient=True) as progress:
            task = progress.add_task(visible(description), total=total, rate="")

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

    return Console(stderr=True, markup=False, emoji=False)


def print_line(line: str) -> None:
    """Write one line of data to stdout, in UTF-8 as all data; a terminal gets it without control characters.

    :param line: the line, without a line break; tabs separate its cells.
    """
    if sys.stdout.isatty():
        sys.stdout.write("\t".join(map(visible, line.split("\t"))) + "\n")
    else:
        sys.stdout.buffer.write(line.encode("utf-8", "surrogateescape") + b"\n")


def print_values(values: Mapping[str, object], *, as_json: bool) -> None:
    """Write values by name to stdout: a line each, with a tab after the name, or one JSON object.

    :param values: by name.
    :param as_json: whether to write JSON.
    """
    if as_json:
        print_line(json.dumps(values, ensure_ascii=False, indent=2, default=str))
    else:
        for name, value in values.items():
            print_line(f"{name}\t{value}")


def stdout_console() -> Console:
    """Return a rich console on standard output, 120 columns wide off a terminal so that few cells are cut."""
    from rich.console import Console

    width = shutil.get_terminal_size((PIPE_WIDTH, 0)).columns  # unlike rich it takes COLUMNS=0 for unset
    return Console(width=width, highlight=False, markup=False, emoji=False)


@contextmanager
def show_errors(*, debug: bool) -> Iterator[None]:
    """Print errors as one line and a hint on standard error, and exit with their exit code.

    :param debug: print their traceback too.
    """
    try:
        yield
    except InbedderError as error:
        _show(str(error), error.hint, debug=debug)
        raise typer.Exit(error.exit_code) from None
    except MemoryError:
        _show("out of memory", "use fewer rows: --limit or --sample", debug=debug)
        raise typer.Exit(OutOfMemoryError.exit_code) from None
    except typer.TyperException as error:  # the arguments cannot be parsed
        if message := error.format_message():  # else the help was printed
            _show(message, _hint(error))
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt as interrupt:  # of Ctrl-C, or of the signal that it names
        _show("interrupted; no partial file was left", None)
        raise typer.Exit(128 + interrupt.args[0] if interrupt.args else INTERRUPTED) from None


def _hint(error: typer.TyperException) -> str | None:
    """Return the range of the option that got a wrong value, else where options are listed."""
    option: Any = getattr(error, "param", None)
    if getattr(option, "max", None) is not None:
        return f"give a number from {option.min} to {option.max}"
    context = getattr(error, "ctx", None)
    return f"see: {context.command_path} --help" if context else None


def _show(message: str, hint: str | None, *, debug: bool = False) -> None:
    if debug or _verbosity >= LIBRARIES:
        traceback.print_exc()
    _print(f"inbedder: {message}")
    if hint:
        _print(f"  {hint}")


def _print(line: str) -> None:
    shown = line if len(line) <= MAX_MESSAGE else f"{line[:MAX_MESSAGE]}..."
    print(visible(shown), file=sys.stderr, flush=True)  # noqa: T201
