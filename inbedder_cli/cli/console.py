"""The two consoles, results on stdout and messages on stderr, and the display of errors."""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from inbedder_cli.errors import INTERRUPTED, InbedderError, OutOfMemoryError
from inbedder_cli.progress import ConsoleReporter, print_message
from inbedder_cli.wording import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

LIBRARIES = 2  # from this verbosity on, libraries may speak and errors show tracebacks
UNKNOWN_OPTION, EXTRA_ARGUMENT = "No such option", "Got unexpected extra argument"  # so Typer begins messages
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


def stderr_reporter(*, quiet: bool = False) -> ConsoleReporter:
    """Return the reporter of a command; with `--verbose` it says how long steps took.

    :param quiet: report only warnings.
    """
    return ConsoleReporter(quiet=quiet, timings=bool(_verbosity))


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
    except typer.Abort:  # the end of the input, at a question
        _show("stopped at the end of the input", None)
        raise typer.Exit(InbedderError.exit_code) from None
    except OSError as error:  # of a path that no step expected to fail
        _show(f"{error.filename or 'the operating system'}: {error.strerror or error}", None, debug=debug)
        raise typer.Exit(InbedderError.exit_code) from None
    except KeyboardInterrupt as interrupt:  # of Ctrl-C, or of the signal that it names
        _show("interrupted; no partial file was left", None)
        raise typer.Exit(128 + interrupt.args[0] if interrupt.args else INTERRUPTED) from None


def _hint(error: typer.TyperException) -> str | None:
    """Return the range of a number, where an option or a question goes, or where options are listed."""
    option: Any = getattr(error, "param", None)
    if getattr(option, "max", None) is not None:
        return f"give a number from {option.min} to {option.max}"
    context: Any = getattr(error, "ctx", None)
    if context is None:
        return None
    message, options = error.format_message(), {name for each in context.command.params for name in each.opts}
    if message.startswith(UNKNOWN_OPTION) and context.parent is None:
        return "options go behind the command; see: inbedder --help"
    if message.startswith(EXTRA_ARGUMENT):
        question = "a question goes behind -i; several files are named by a pattern in quotes ('reviews/*.csv')"
        return question if "--instruction" in options else "put names with blanks in quotes"
    return f"see: {context.command_path} --help"


def _show(message: str, hint: str | None, *, debug: bool = False) -> None:
    if debug or _verbosity >= LIBRARIES:
        for line in traceback.format_exc().splitlines():
            print_message(line)
    print_message(f"inbedder: {message}")
    if hint:
        print_message(f"  {hint}")
