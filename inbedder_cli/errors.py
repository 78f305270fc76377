"""Errors that the user can act on; their classes have exit codes.

    InbedderError               1   any other error
    ├── WriteError              1   a file that cannot be written
    ├── UsageError              2   invalid or contradictory options (also a ValueError)
    ├── ModelError              3   a model that cannot be found, downloaded, verified or loaded
    ├── RowsFailedError         4   the run finished, but some rows failed
    ├── InputError              5   a file, row or column that cannot be read (also a ValueError)
    └── OutOfMemoryError        6   not even one row fits into memory

A run that a signal stops exits with 128 + its number, as in a shell: 130 for Ctrl-C, 143 for `kill`, 129 for a
closed terminal, 141 when the reader of standard output has gone.

The message says what happened and where; `hint` says what to do next:

    try:
        corpus = read_corpus("reviews.csv", text="body")
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
    """Base class of all errors of the package.

    :param message: what happened and where, in one line.
    :param hint: what to do next, in one line; None where there is nothing to suggest.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def hint(self) -> str | None:
        """What to do next; a traceback shows it as a note."""
        return self._hint

    @hint.setter
    def hint(self, hint: str | None) -> None:
        self._hint = hint
        self.__notes__ = [hint] if hint else []


class UsageError(InbedderError, ValueError):
    """Invalid or contradictory options: the command or the arguments must change.

    It is a `ValueError` too, as users of scikit-learn expect.
    """

    exit_code = 2


class ModelError(InbedderError):
    """A model that cannot be found, downloaded, verified or loaded."""

    exit_code = 3


class WriteError(InbedderError):
    """A file that cannot be written, for example on a full disk: no shard could be."""


class RowsFailedError(InbedderError):
    """The run finished and its output is written, but some rows have no vector (status `failed`)."""

    exit_code = 4


class InputError(InbedderError, ValueError):
    """A file, row or column that cannot be read. Nothing was written.

    It is a `ValueError` too, as users of scikit-learn expect.

    :param message: what is wrong, in one line; source, row, line and column are put before it.
    :param source: the file as the user named it, or the kind of object that was passed ("DataFrame").
    :param row: row of data, counted from 1 without the header.
    :param line: line of the file, counted from 1.
    :param column: name of the column.
    :param hint: what to do next, in one line; None where there is nothing to suggest.
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
    """Not even one row at a time fits into the memory of the device."""

    exit_code = 6


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """Return the beginning of a hint that names the option most similar to a word.

    :param word: what the user wrote; case does not matter.
    :param options: the valid options.
    :return: 'did you mean "x"? ', or "" if no option is similar.

    >>> did_you_mean("txt", ["id", "text"])
    'did you mean "text"? '
    """
    known = {option.lower(): option for option in options}
    near = get_close_matches(word.lower(), known, n=1, cutoff=0.5)
    return f'did you mean "{known[near[0]]}"? ' if near else ""
