"""Everything that can go wrong, as a tree; each kind has its own exit code.

    InbedderError        1   anything that is none of the below
    ├── UsageError     2   options that cannot work together or make no sense
    ├── ModelError       3   a model that cannot be found, fetched, verified or loaded
    ├── RowsFailedError       4   the run finished, but some rows failed
    ├── InputError       5   a file, row or column that cannot be read as asked
    └── OutOfMemoryError      6   even one row does not fit

An interrupted run (Ctrl-C) ends with 130. Each error says what happened and where, and carries the
next step as its hint:

    try:
        corpus = read_corpus("reviews.csv", text=["body"])
    except InbedderError as error:
        print(error, error.hint, error.exit_code)
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

INTERRUPTED = 130


class InbedderError(Exception):
    """Base of all errors that are the user's to act on.

    :param message: what happened and where, in one line.
    :param hint: what to do next, in one line.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(InbedderError):
    """Options that cannot work together or make no sense. Change the command."""

    exit_code = 2


class ModelError(InbedderError):
    """A model that cannot be found, fetched, verified or loaded."""

    exit_code = 3


class RowsFailedError(InbedderError):
    """The run finished and its output is written, but some rows have no vector (status `failed`)."""

    exit_code = 4


class InputError(InbedderError):
    """A file, row or column that cannot be read as asked. Nothing was written.

    :param source: the file's name as the user gave it.
    :param row: data row, counted from 1 without the header.
    :param line: line of the file, counted from 1.
    :param column: column name.
    """

    exit_code = 5

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        row: int | None = None,
        line: int | None = None,
        column: str | None = None,
        hint: str | None = None,
    ) -> None:
        place = [source] if source else []
        if row is not None:
            place.append(f"row {row}" + (f" (line {line})" if line is not None else ""))
        elif line is not None:
            place.append(f"line {line}")
        if column is not None:
            place.append(f'column "{column}"')
        super().__init__(", ".join(place) + ": " + message if place else message, hint=hint)


class OutOfMemoryError(InbedderError):
    """Even one row at a time does not fit the device's memory."""

    exit_code = 6


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """Return 'did you mean "x"? ' for the nearest option, or nothing.

    >>> did_you_mean("txt", ["id", "text"])
    'did you mean "text"? '
    """
    known = {option.lower(): option for option in options}
    near = get_close_matches(word.lower(), known, n=1, cutoff=0.5)
    return f'did you mean "{known[near[0]]}"? ' if near else ""
