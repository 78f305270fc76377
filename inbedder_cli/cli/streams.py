"""The standard streams of the process: closed ones, full disks, readers that have gone or wait, narrow encodings.

Standard error only says what happens, so nothing ends because it cannot be written. Standard output holds results:
what cannot be written there is an error, except that a reader may leave early, as `head` does.
"""

from __future__ import annotations

import io
import locale
import os
import select
import sys
from typing import TYPE_CHECKING

from inbedder_cli.errors import InbedderError

if TYPE_CHECKING:
    from typing import TextIO

    from _typeshed import ReadableBuffer, WriteableBuffer

MAX_SIZE = 10_000  # columns or lines of a terminal
PIPE_CLOSED = 141  # as the shell reports a program that SIGPIPE ended


class _StandardInput(io.FileIO):
    """Standard input that waits for its writer, also where a parent made the pipe non-blocking.

    Python takes a pipe for ended that is only empty at the moment.
    """

    read = io.RawIOBase.read  # type: ignore[assignment]  # these call readinto
    readall = io.RawIOBase.readall

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read some bytes.

        :param buffer: receives them.
        :return: how many were read; 0 at the end.
        """
        while (n := super().readinto(buffer)) is None:
            select.select([self], [], [])
        return n


class _StandardOutput(io.FileIO):
    """Standard output whose failures are errors of the package."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write some bytes.

        :param data: the bytes.
        :return: how many were written.
        :raises InbedderError: when it cannot be written, for example on a full disk.
        :raises SystemExit: when the reader has closed the pipe; the exit code is that of `cat`.
        """
        try:
            while (n := super().write(data)) is None:  # the pipe is full, and a parent made it non-blocking
                select.select([], [self], [])
            return n
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())  # Python writes what is left when it ends
            os.close(nowhere)
            if isinstance(error, BrokenPipeError):
                raise SystemExit(PIPE_CLOSED) from None
            raise InbedderError(f"cannot write to standard output: {error.strerror}") from error


class _StandardError(io.FileIO):
    """Standard error that drops what it cannot write."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write some bytes, if possible.

        :param data: the bytes.
        :return: how many were written, or dropped.
        """
        try:
            while (n := super().write(data)) is None:
                select.select([], [self], [])
            return n
        except OSError:
            return memoryview(data).nbytes


def prepare_streams() -> None:
    """Replace the standard streams by ones that fail as described above, and never for want of a character."""
    # A closed stream is opened the wrong way round: using it fails, and no other file can get its number.
    for number, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_RDONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)
    encoding = (sys.stdin and sys.stdin.encoding) or locale.getencoding()
    stdin = io.BufferedReader(_StandardInput(0, closefd=False))
    sys.stdin = io.TextIOWrapper(stdin, encoding=encoding, errors="replace")
    sys.stdout = _as_text(_StandardOutput(1, "w", closefd=False), sys.stdout)
    sys.stderr = _as_text(_StandardError(2, "w", closefd=False), sys.stderr)


def bound_terminal_size() -> None:
    """Drop sizes of a terminal that are no numbers, and lower those that would fill the memory with blanks."""
    for name in ("COLUMNS", "LINES", "TERMINAL_WIDTH"):  # the last is typer's
        try:
            if int(os.environ.get(name, 0)) > MAX_SIZE:
                os.environ[name] = str(MAX_SIZE)
        except ValueError:
            del os.environ[name]


def _as_text(file: io.FileIO, before: TextIO | None) -> io.TextIOWrapper:
    encoding = (before and before.encoding) or locale.getencoding()
    is_interactive = file.fileno() == 2 or file.isatty()
    buffered = io.BufferedWriter(file)
    return io.TextIOWrapper(buffered, encoding, errors="backslashreplace", line_buffering=is_interactive)
