"""Open a file or a pipe as seekable, decompressed bytes, and detect its format."""

from __future__ import annotations

import codecs
import io
import lzma
import re
import sys
import zlib
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from inbedder_cli.corpus.compression import decompress, spool
from inbedder_cli.corpus.limits import MAX_CELL, MEGABYTE, cell_too_large
from inbedder_cli.corpus.values import replace_surrogates
from inbedder_cli.errors import InputError
from inbedder_cli.options import EncodingErrors, InputFormat

if TYPE_CHECKING:
    from collections.abc import Iterator


STDIN = "-"
DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError)  # raised for damaged archives
HEAD_BYTES = 64 * 1024  # first bytes, by which format, delimiter and encoding are detected

SUFFIXES = {
    ".csv": InputFormat.csv,
    ".tsv": InputFormat.tsv,
    ".tab": InputFormat.tsv,
    ".json": InputFormat.json,
    ".jsonl": InputFormat.jsonl,
    ".ndjson": InputFormat.jsonl,
    ".parquet": InputFormat.parquet,
    ".xlsx": InputFormat.xlsx,
    ".pq": InputFormat.parquet,
}
COMPRESSION_SUFFIXES = {".gz", ".bz2", ".xz", ".zst"}

LONE_RETURN = re.compile(rb"(?<=\r)(?!\n|\Z)")
WIDE_MARKS = {  # the longer marks first: that of UTF-16 begins that of UTF-32
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
WORKBOOK = re.compile(rb"\[Content_Types\]\.xml|xl/workbook\.xml")
FALLBACK = "cp1252"
STRAY_CONTROLS = 4  # control characters that a text may contain by accident

FOREIGN = {  # first bytes -> kind of file
    b"PK\x03\x04": "a zip archive or a LibreOffice workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"SQLite format 3": "an SQLite database",
    b"ARROW1": "an Arrow/Feather file",
}


@dataclass(frozen=True)
class Opened:
    """A seekable stream of decompressed bytes.

    :param name: name of the input in messages.
    :param stream: the bytes, at position 0.
    :param head: the first 64 KiB that are not blank.
    :param format: the requested format, else that of the suffix, else detected by content.
    :param path: the file that holds exactly these bytes; None for pipes and compressed files.
    :param packed: size of the file as it came, compressed or not, in bytes.
    :param max_cell: largest cell, in bytes.
    :param streams: what `close` closes.
    :param encoding_errors: what to do with lines that are not of the encoding.
    :param undecoded: numbers of such lines, as far as they were read.
    """

    name: str
    stream: IO[bytes]
    head: bytes
    format: InputFormat
    path: str | None = None
    packed: int = 0
    max_cell: int = MAX_CELL * MEGABYTE
    streams: ExitStack = field(default_factory=ExitStack)
    encoding_errors: EncodingErrors = EncodingErrors.fail
    undecoded: list[int] = field(default_factory=list)

    def close(self) -> None:
        """Close all streams that were opened; standard input stays open."""
        self.streams.close()


def open_input(path: str, input_format: InputFormat | None = None, max_cell: int = MAX_CELL) -> Opened:
    """Open a file, or standard input for "-", and detect its format. The caller closes it.

    :param path: path of the file, or "-".
    :param input_format: the format; None detects it.
    :param max_cell: largest cell, in MB.
    :return: the stream and its format.
    :raises InputError: for a missing file, a folder, an empty or a binary file.
    """
    name = "standard input" if path == STDIN else path
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
        detected = input_format or format_of_suffix(path) or _sniff_format(head, name)
        if detected not in (InputFormat.parquet, InputFormat.xlsx):
            _refuse_binary(head, name)
        as_is = path if stream is raw and path != STDIN else None
        limit = max_cell * MEGABYTE
        return Opened(name, stream, head, detected, as_is, packed, limit, streams=streams.pop_all())


def _first_bytes(stream: IO[bytes]) -> bytes:
    """Return the first 64 KiB that are not blank, b"" if there is nothing else."""
    head = stream.read(HEAD_BYTES)
    while head and not head.removeprefix(codecs.BOM_UTF8).strip():
        head = stream.read(HEAD_BYTES)
    return head


def _open_raw(path: str) -> IO[bytes]:
    if path == STDIN:
        if sys.stdin is None:
            raise InputError("is closed", source="standard input", hint="name a file, or pipe one into it")
        return sys.stdin.buffer
    file = Path(path)
    if file.is_dir():
        raise InputError("is a folder, not a file", source=path, hint="name one file inside it")
    try:
        return file.open("rb")
    except FileNotFoundError as error:
        raise InputError(
            "no such file", source=path, hint=_nearest_file(file) or "check the path, or use - to read a pipe"
        ) from error


def _nearest_file(file: Path) -> str:
    from inbedder_cli.errors import did_you_mean

    try:
        return did_you_mean(file.name, (other.name for other in file.parent.iterdir())).strip()
    except OSError:
        return ""


def format_of_suffix(path: str) -> InputFormat | None:
    """Return the format that the name of a file tells, without the suffixes of compression.

    :param path: of the file.
    """
    suffixes = [s.lower() for s in Path(path).suffixes]
    while suffixes and suffixes[-1] in COMPRESSION_SUFFIXES:
        suffixes.pop()
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def _sniff_format(head: bytes, name: str) -> InputFormat:
    if head.startswith(b"PAR1"):
        return InputFormat.parquet
    if head.startswith(b"PK\x03\x04") and WORKBOOK.search(head):
        return InputFormat.xlsx
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start == b"{":
        return InputFormat.jsonl
    if start == b"[":
        return InputFormat.json
    return InputFormat.csv


def _refuse_binary(head: bytes, name: str) -> None:
    if head.startswith(tuple(WIDE_MARKS)):
        return  # UTF-16 or UTF-32: decode_lines gives its own hint
    for magic, kind in FOREIGN.items():
        if head.startswith(magic):
            raise InputError(f"is {kind}, not a text table", source=name, hint="export it as CSV or Parquet")
    if head.startswith(b"PAR1"):
        raise InputError("is a Parquet file", source=name, hint="add --input-format parquet")
    control = sum(head.count(bytes([c])) for c in (*range(1, 9), *range(14, 27), *range(28, 32)))
    if control > max(STRAY_CONTROLS, len(head) // 50):
        raise InputError(
            "holds binary data, not a text table", source=name, hint="give a CSV, TSV, JSON-lines or Parquet file"
        )


def decode_lines(opened: Opened, encoding: str | None) -> Iterator[str]:
    """Yield the lines of a text file, without the byte-order mark.

    :param opened: the file.
    :param encoding: None means UTF-8.
    :yield: each line, with its line end.
    :raises InputError: naming the line of the first byte that is not of the encoding, or is NUL, and the first
        line that is too long.
    """
    used = canonical_encoding(encoding, opened.name)
    number = 0
    try:
        for number, line in enumerate(_lines(opened.stream, used, opened.max_cell), start=1):
            if len(line) > opened.max_cell:
                raise cell_too_large(opened.name, opened.max_cell, line=number)
            try:
                text = line if isinstance(line, str) else line.decode(used)
            except UnicodeDecodeError as error:
                text = _decode_otherwise(error, used, number, opened)
            if "\0" in text:
                raise InputError(
                    "a NUL byte",
                    source=opened.name,
                    line=number,
                    hint=_encoding_hint(opened.head) or "remove it: tr -d '\\000' < FILE",
                )
            if used != "utf-8":
                text = replace_surrogates(text)  # unicode_escape and utf-7 can name halves of pairs
            yield text.removeprefix("\ufeff") if number == 1 else text
            number += 1  # from here on, an error is in the next line
    except UnicodeError as error:
        byte = f"byte 0x{error.object[error.start]:02x}" if isinstance(error, UnicodeDecodeError) else "this"
        raise InputError(
            f"{byte} is not {used.upper()}",
            source=opened.name,
            line=max(number, 1),
            hint=_encoding_hint(opened.head)
            or "name the file's encoding: --encoding cp1252 (or another); "
            "if only some lines are of another: --encoding-errors fallback",
        ) from error
    except DAMAGED as error:
        raise InputError(f"the data breaks off here: {error}", source=opened.name, line=max(number, 1)) from error


def _decode_otherwise(error: UnicodeDecodeError, encoding: str, number: int, opened: Opened) -> str:
    """Return a line that is not of the encoding, as the options say, and note its number."""
    if opened.encoding_errors is EncodingErrors.fail:
        raise error
    opened.undecoded.append(number)
    other = FALLBACK if opened.encoding_errors is EncodingErrors.fallback else encoding
    return error.object.decode(other, "replace")


def _lines(stream: IO[bytes], encoding: str, limit: int) -> Iterator[bytes | str]:
    """Yield lines (of longer ones `limit` + 1 bytes), decoded where a line end is more than one byte."""
    if "\n".encode(encoding) == b"\n":
        yield from _byte_lines(stream, limit)
        return
    wrapper = io.TextIOWrapper(stream, encoding=encoding, newline="")
    try:
        yield from iter(partial(wrapper.readline, limit + 1), "")
    finally:
        wrapper.detach()


def _byte_lines(stream: IO[bytes], limit: int) -> Iterator[bytes]:
    """Yield lines that end with LF, CRLF or, as old Macs and Excel write them, a lone CR."""
    rest = b""
    for chunk in iter(partial(stream.readline, limit + 1), b""):
        if not rest and chunk.endswith(b"\n") and chunk.find(b"\r", 0, -2) < 0:
            yield chunk
            continue
        *lines, last = LONE_RETURN.split(rest + chunk)
        yield from lines
        rest = b""
        if last.endswith(b"\n") or len(last) > limit:
            yield last
        else:
            rest = last
    if rest:
        yield rest


def canonical_encoding(encoding: str | None, name: str) -> str:
    """Return the canonical name of a text encoding.

    :param encoding: any name that Python accepts, such as "latin1"; None means UTF-8.
    :param name: name of the file in messages.
    :return: the name, such as "iso8859-1".
    :raises InputError: for an unknown encoding.
    """
    if encoding is None:
        return "utf-8"
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=encoding).close()  # refuses codecs such as base64
        b"\xff".decode(encoding, errors="replace")  # punycode replaces nothing
        "\n".encode(encoding)
    except (LookupError, ValueError) as error:
        raise InputError(
            f'unknown encoding "{encoding}"', source=name, hint="use utf-8, utf-16, cp1252, latin-1, ..."
        ) from error
    return codecs.lookup(encoding).name


def _encoding_hint(head: bytes) -> str:
    if wide := _wide_encoding(head):
        return f"it looks like {wide[:6].upper()}: add --encoding {wide}"
    if not any(0x81 <= b <= 0x9F and b not in range(0x82, 0x9D) for b in head) and any(b >= 0x80 for b in head):
        is_mixed = any(not line.isascii() and _is_utf8(line) for line in head.splitlines()[:-1])
        mixed = "some lines are UTF-8, others look like Windows text: add --encoding-errors fallback"
        return mixed if is_mixed else "it looks like Windows or Latin-1 text: add --encoding cp1252"
    return ""


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _wide_encoding(head: bytes) -> str | None:
    """Return UTF-16 or UTF-32 if the text seems to be that: by its byte-order mark, else by NUL bytes."""
    for mark, encoding in WIDE_MARKS.items():
        if head.startswith(mark):
            return encoding
    start = head[:200]
    if start.count(b"\0") <= len(start) // 4:
        return None
    if start.count(b"\0") > len(start) // 2:
        return "utf-32-be" if start[:1] == b"\0" else "utf-32-le"
    return "utf-16-be" if start[:1] == b"\0" else "utf-16-le"
