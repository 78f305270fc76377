"""Output streams: files, which are written atomically, and standard output."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from inbedder_cli.errors import InbedderError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_target(path: Path | None, *, force: bool) -> None:
    """Check, before any work is done, that a file can be written.

    :param path: the file; None is standard output, which needs no check.
    :param force: whether an existing file may be replaced.
    :raises UsageError: when the file exists and may not be replaced.
    :raises InbedderError: when its folder is missing or read-only.
    """
    if path is None:
        return
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="name a file in it")
    if path.is_file() and not force:
        raise UsageError(f"{path} exists already", hint="add --force to replace it, or choose another name")
    folder = path.parent
    if not folder.is_dir():
        raise InbedderError(
            f"cannot write {path}: there is no folder {folder}", hint=f"make it: mkdir -p {folder}"
        )
    if not os.access(folder, os.W_OK):
        raise InbedderError(f"cannot write {path}: the folder {folder} is not writable")


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Yield a stream that replaces the file when the block ends without an error (an atomic write).

    :param path: the file; devices and named pipes are written directly.
    :yield: a binary stream.
    :raises InbedderError: when writing fails, for example on a full disk.
    """
    temporary: Path | None = None
    try:
        if path.exists() and not path.is_file():  # /dev/null, a named pipe
            with path.open("wb") as stream:
                yield stream
            return
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as partial:
            temporary = Path(partial.name)
            yield partial
            partial.flush()
            os.fsync(partial.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise InbedderError(
            f"cannot write {path}: {error.strerror or error}", hint="nothing was written"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def standard_output() -> Iterator[IO[bytes]]:
    """Yield standard output as bytes.

    :yield: a binary stream.
    :raises InbedderError: when it cannot be written, for example on a full disk.
    :raises BrokenPipeError: when its reader has closed it, as `head` does.
    """
    try:
        yield sys.stdout.buffer
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
