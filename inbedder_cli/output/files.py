"""Output streams: files, which are written atomically, and standard output."""

from __future__ import annotations

import errno
import io
import itertools
import json
import os
import re
import stat
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast
from unicodedata import normalize

from inbedder_cli.errors import InbedderError, UsageError
from inbedder_cli.output.temporary import temporary_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from typing_extensions import Buffer

# Control characters but tabs and line breaks, and those that change the direction of a text.
ACTING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
READER_SECONDS = 5.0  # how long a named pipe without a reader is waited for


def check_target(path: Path | None, *, force: bool) -> None:
    """Check, before any work is done, that a file can be written.

    :param path: the file; None is standard output, which needs no check.
    :param force: whether an existing file may be replaced.
    :raises UsageError: when the file exists and may not be replaced, or is no file that can be written.
    :raises InbedderError: when its folder is missing or read-only.
    """
    if path is None:
        return
    there = _status(path)
    if there is None:
        _check_new(path, force=force)
    elif stat.S_ISDIR(there.st_mode):
        raise UsageError(f"{path} is a folder", hint="name a file in it")
    elif _is_stream(there):
        if not os.access(path, os.W_OK):
            raise InbedderError(f"cannot write {path}: Permission denied")
        return
    elif not stat.S_ISREG(there.st_mode):
        raise UsageError(f"{path} is neither a file nor a pipe", hint="choose another name")
    elif not force:
        raise UsageError(f"{path} exists already", hint="add --force to replace it, or choose another name")
    folder = _resolve(path).parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InbedderError(f"cannot write {path}: the folder {folder} is not writable")


def _check_new(path: Path, *, force: bool) -> None:
    """Refuse a new file in no folder, and a link to no file: in a folder of others it may lead anywhere."""
    target = _resolve(path) if path.is_symlink() else path
    if path.is_symlink() and not force:
        raise UsageError(
            f"{path} is a link to {target}, which does not exist",
            hint="remove it, or add --force to make that file",
        )
    if not target.parent.is_dir():
        raise InbedderError(
            f"cannot write {path}: there is no folder {target.parent}", hint=f"make it: mkdir -p {target.parent}"
        )


def check_distinct(outputs: Mapping[str, Path | None], inputs: Iterable[str | Path | None] = ()) -> None:
    """Check, before any work is done, that no output replaces another one, or an input.

    Links are followed, and names that differ only in case are the same: on some disks they name one file.

    :param outputs: files and folders by option; None where it is not given.
    :param inputs: files, folders or patterns that are read, "-" for standard input; None where one is not given.
    :raises UsageError: when two of them are one file, or one lies in the folder that another one is.
    """
    given = {option: path for option, path in outputs.items() if path is not None}
    places = {option: _places(path) for option, path in given.items()}
    for one, other in itertools.permutations(given, 2):
        if places[one][0] == places[other][0]:
            raise UsageError(f"{one} and {other} both name {given[other]}", hint="use two different names")
        if places[one][0] in places[other]:
            raise UsageError(
                f"{other} lies in the folder of {one}: {given[other]}", hint="write it to another folder"
            )
    for path in _files(inputs):
        here: list[tuple[object, ...]] = []
        with suppress(InbedderError):  # the reader will report it
            here = _places(path)
        for option in given:
            if here[:1] == places[option][:1]:
                raise UsageError(f"{option} names the input {given[option]}", hint="choose another name")
            if places[option][0] in here:
                raise UsageError(f"the input {path} lies in the folder of {option}", hint="choose another folder")


def _files(inputs: Iterable[str | Path | None]) -> Iterator[str | Path]:
    """Yield the local files that inputs are, which may be patterns or folders."""
    from inbedder_cli.corpus.locations import is_remote
    from inbedder_cli.corpus.several_files import files_of

    for each in inputs:
        with suppress(InbedderError):  # the reader will report it
            found = [each] if isinstance(each, Path) else [] if each is None or is_remote(each) else files_of(each)
            yield from found


def _places(path: str | Path) -> list[tuple[object, ...]]:
    """Return what identifies a file and the folders above it, whatever they are called; missing ones too."""
    if str(path) == "-":
        status = os.fstat(0)
        return [(status.st_dev, status.st_ino)]
    own = _resolve(Path(path))
    return [_place(folder) for folder in (own, *own.parents)]


def _place(path: Path) -> tuple[object, ...]:
    if status := _status(path):
        return status.st_dev, status.st_ino
    return *(_place(path.parent) if path != path.parent else ()), normalize("NFC", path.name).casefold()


def _status(path: Path) -> os.stat_result | None:
    """Return the status of a file or what it links to; None where there is none.

    :raises InbedderError: for a name that no file can have.
    """
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:  # a name that is too long, a loop of links, a file in place of a folder
        raise InbedderError(f"cannot write {path}: {error.strerror}", hint="choose another name") from error


def _resolve(path: Path) -> Path:
    """Return the file that a path names, with links followed."""
    return Path(os.path.realpath(path))  # Path.resolve raises RuntimeError for a loop of links


def _is_stream(status: os.stat_result) -> bool:
    """Return whether bytes are passed on: a device such as /dev/null, a named pipe."""
    return stat.S_ISCHR(status.st_mode) or stat.S_ISFIFO(status.st_mode)


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Yield a stream that replaces the file when the block ends without an error (an atomic write).

    A link stays, and the file that it names is replaced. A replaced file keeps its mode and owner, a new one gets
    those that the umask leaves. A pipe or a device is written to directly.

    :param path: the file.
    :yield: a binary stream.
    :raises InbedderError: when it cannot be written, for example on a full disk.
    """
    hint: str | None = "nothing was written"
    try:
        before = _status(path)
        if before is not None and _is_stream(before):
            hint = None
            with _open_stream(path) as stream:
                yield stream
            return
        target = _resolve(path)
        with temporary_file(target.parent) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            temporary = Path(stream.name)
            set_rights(temporary, like=target)
            if sys.platform == "win32":  # elsewhere its lock is kept until it has its name
                stream.close()
            temporary.replace(target)
    except OSError as error:
        raise InbedderError(f"cannot write {path}: {error.strerror or error}", hint=hint) from error


def set_rights(path: Path, like: Path) -> None:
    """Give a new file or folder the mode and owner of the one that it replaces, or the mode that the umask leaves.

    :param path: the new one.
    :param like: the one that it replaces, which may be missing.
    """
    if not like.exists():
        path.chmod((0o777 if path.is_dir() else 0o666) & ~_umask())
        return
    before = like.stat()
    if hasattr(os, "chown"):
        with suppress(OSError):  # only root can give files away
            os.chown(path, before.st_uid, before.st_gid)
    path.chmod(before.st_mode & 0o777)


def _umask() -> int:
    """Return the rights that new files do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _open_stream(path: Path) -> IO[bytes]:
    """Open a device or a named pipe, whose reader may come some seconds later."""
    deadline = time.monotonic() + READER_SECONDS
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > deadline:
                raise OSError(errno.ENXIO, "nobody reads this pipe") from error
            time.sleep(0.05)
        else:
            os.set_blocking(descriptor, True)
            return os.fdopen(descriptor, "wb")


class _Terminal(io.RawIOBase):
    """Text for a terminal, on which the characters of a cell must not act.

    :param stream: receives the text, as UTF-8.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream

    def write(self, data: Buffer, /) -> int:
        text = bytes(data).decode("utf-8", "replace")
        self.stream.write(ACTING.sub(lambda c: f"\\u{ord(c[0]):04x}", text).encode())
        return memoryview(data).nbytes


@contextmanager
def standard_output() -> Iterator[IO[bytes]]:
    """Yield standard output as bytes; on a terminal, control characters in the data are escaped.

    :yield: a binary stream.
    :raises InbedderError: when it cannot be written, for example on a full disk.
    :raises BrokenPipeError: when its reader has closed it, as `head` does.
    """
    try:
        yield cast("IO[bytes]", _Terminal(sys.stdout.buffer)) if sys.stdout.isatty() else sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InbedderError(f"cannot write to standard output: {error.strerror or error}") from error


@contextmanager
def open_output(path: Path | None) -> Iterator[IO[bytes]]:
    """Yield a stream to a file, which is written atomically, or to standard output.

    :param path: the file; None means standard output.
    :yield: a binary stream.
    """
    with atomic_write(path) if path is not None else standard_output() as stream:
        yield stream


def write_json(document: dict[str, Any] | list[Any], stream: IO[bytes]) -> None:
    """Write one JSON document; lone surrogates, which UTF-8 cannot encode, are replaced.

    :param document: plain values without NaN or infinity.
    :param stream: where to write it; it stays open.
    :raises ValueError: for a number that JSON does not have.
    """
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    stream.write(text.encode("utf-8", "replace") + b"\n")
