"""Open a file or a pipe as seekable, decompressed bytes."""

from __future__ import annotations

import codecs
import io
import lzma
import sys
import zlib
from contextlib import ExitStack
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import IO

from inbedder_cli.corpus.compression import decompress, spool
from inbedder_cli.corpus.limits import MAX_CELL, MEGABYTE
from inbedder_cli.errors import InputError

STDIN = "-"
STDIN_NAME = "standard input"
DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError)  # raised for damaged archives
NEAR_STEM = 0.75  # similarity from which a file may be the one that was meant
HEAD_BYTES = 64 * 1024  # first bytes, by which format, delimiter and encoding are detected


@dataclass(frozen=True)
class Opened:
    """A seekable stream of decompressed bytes.

    :param name: name of the input in messages.
    :param stream: the bytes, at position 0.
    :param head: the first 64 KiB that are not blank.
    :param path: the file that holds exactly these bytes; None for pipes and compressed files.
    :param packed: size of the file as it came, compressed or not, in bytes.
    :param max_cell: largest cell, in bytes.
    :param streams: what `close` closes.
    :param undecoded: numbers of lines that are not of the encoding, as far as they were read.
    """

    name: str
    stream: IO[bytes]
    head: bytes
    path: str | None = None
    packed: int = 0
    max_cell: int = MAX_CELL * MEGABYTE
    streams: ExitStack = field(default_factory=ExitStack)
    undecoded: list[int] = field(default_factory=list)

    def close(self) -> None:
        """Close all streams that were opened; standard input stays open."""
        self.streams.close()


def open_input(path: str, max_cell: int = MAX_CELL, name: str | None = None) -> Opened:
    """Open a file, or standard input for "-". The caller closes it.

    :param path: path of the file, or "-".
    :param max_cell: largest cell, in MB.
    :param name: what it is called in messages; None: its path.
    :return: the stream.
    :raises InputError: for a missing file, a folder or an empty file.
    """
    if not path:
        raise InputError("the name of the input is empty", hint="name a file, or use - to read a pipe")
    name = name or (STDIN_NAME if path == STDIN else path)
    with ExitStack() as streams:
        try:
            raw = _open_raw(path)
            if path != STDIN:
                streams.callback(raw.close)
            seekable = raw if raw.seekable() else streams.enter_context(spool(raw))
            packed = seekable.seek(0, io.SEEK_END)
            seekable.seek(0)
            stream = decompress(seekable, packed, name)
            if stream is not seekable:
                streams.callback(stream.close)
            head = _first_bytes(stream)
            stream.seek(0)
        except DAMAGED as error:
            raise InputError(f"cannot be read: {error}", source=name) from error
        if not head:
            raise InputError("is empty", source=name, hint="a table needs a header and at least one row")
        as_is = path if stream is raw and path != STDIN else None
        limit = max_cell * MEGABYTE
        return Opened(name, stream, head, as_is, packed, limit, streams=streams.pop_all())


def _first_bytes(stream: IO[bytes]) -> bytes:
    """Return the first 64 KiB that are not blank, b"" if there is nothing else."""
    head = stream.read(HEAD_BYTES)
    while head and not head.removeprefix(codecs.BOM_UTF8).strip():
        head = stream.read(HEAD_BYTES)
    return head


def _open_raw(path: str) -> IO[bytes]:
    if path == STDIN:
        if sys.stdin is None:
            raise InputError("is closed", source=STDIN_NAME, hint="name a file, or pipe one into it")
        return sys.stdin.buffer
    file = Path(path)
    if file.is_dir():
        raise InputError("is a folder, not a file", source=path, hint="name one file inside it")
    try:
        return file.open("rb")
    except FileNotFoundError as error:
        hint = _nearest_file(file) or "check the path, or use - to read a pipe"
        raise InputError("no such file", source=path, hint=hint) from error


def _nearest_file(file: Path) -> str:
    """Return a hint that names the file of the folder with the most similar stem, or "" if none is similar."""
    try:
        others = sorted(file.parent.iterdir(), key=lambda other: other.suffix == file.suffix)
    except OSError:
        return ""
    names = {other.stem.lower(): other.name for other in others}
    near = get_close_matches(file.stem.lower(), names, n=1, cutoff=NEAR_STEM)
    return f'did you mean "{names[near[0]]}"?' if near else ""
