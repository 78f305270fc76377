"""Decompress an input, and make a pipe seekable."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import shutil
import tempfile
import zipfile
from typing import IO, TYPE_CHECKING, cast

from inbedder_cli.corpus.limits import bound_stream
from inbedder_cli.errors import InputError
from inbedder_cli.paths import explain_full_temp

if TYPE_CHECKING:
    from typing_extensions import Buffer

SPOOL_BYTES = 256 * 2**20  # a pipe is kept in memory up to this size, then on disk
XZ = b"\xfd7zXZ\0"
XZ_MEMORY = 256 * 2**20  # bytes; files of xz -9 need 65 MB
BZIP2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")  # its size, and its first block or its end
BZIP2_BYTES = 10
ZSTD = b"\x28\xb5\x2f\xfd"
ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # after a byte 50 to 5F; pzstd begins its files so
ZIP = b"PK\x03\x04"
NO_DATA = re.compile(r"/$|^__MACOSX/|(?:^|/)\.")  # folders, and what systems add
OFFICE = {"[Content_Types].xml", "mimetype"}  # in workbooks and documents; those of Apple have .iwa files
LISTED = 5  # files that a message names
CHUNK_BYTES = 64 * 1024


def spool(raw: IO[bytes]) -> IO[bytes]:
    """Return a seekable copy of a stream, in memory up to 256 MB, then on disk.

    :param raw: the stream, read to its end.
    :return: the copy, at position 0.
    """
    copy = cast("IO[bytes]", tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES))
    try:
        with explain_full_temp():
            shutil.copyfileobj(raw, copy)
    except BaseException:
        copy.close()
        raise
    copy.seek(0)
    return copy


def decompress(raw: IO[bytes], packed: int, name: str) -> IO[bytes]:
    """Return the decompressed bytes of a gzip, bzip2, xz or zstd stream, or of the only file in a zip archive.

    Another stream is returned as it is, and so are workbooks, which are zip archives too.

    :param raw: the stream, at position 0.
    :param packed: its size, in bytes.
    :param name: name of the input in messages.
    :return: a stream that ends with an error where it unpacks to too much.
    :raises InputError: for damaged zstd data, and for a zip archive of several files or with a password.
    """
    magic = raw.read(max(len(XZ), BZIP2_BYTES))
    raw.seek(0)
    if magic.startswith(XZ):
        return spool(bound_stream(cast("IO[bytes]", io.BufferedReader(_XzReader(raw))), packed, name))
    if BZIP2.match(magic):
        return bound_stream(bz2.BZ2File(raw), packed, name)
    magic = magic[:4]
    if magic.startswith(b"\x1f\x8b"):
        return bound_stream(cast("IO[bytes]", gzip.GzipFile(fileobj=raw, mode="rb")), packed, name)
    if magic == ZSTD or (magic[1:] == ZSTD_SKIPPABLE and magic[0] >> 4 == 5):
        import pyarrow as pa

        try:
            unpacked = cast("IO[bytes]", pa.CompressedInputStream(raw, "zstd"))
            return spool(bound_stream(unpacked, packed, name))
        except OSError as error:
            hint = "compress the file again, or fetch it again"
            raise InputError(f"damaged zstd data ({error})", source=name, hint=hint) from error
    if magic == ZIP:
        return _unzip(raw, packed, name)
    return raw


def _unzip(raw: IO[bytes], packed: int, name: str) -> IO[bytes]:
    try:
        archive = zipfile.ZipFile(raw)
    except zipfile.BadZipFile:  # readers say what it is
        raw.seek(0)
        return raw
    except (NotImplementedError, ValueError) as error:  # of a later version, names that are not UTF-8
        raise _not_readable(error, name) from error
    with archive:
        members = [each for each in archive.namelist() if not NO_DATA.search(each)]
        if OFFICE.intersection(members) or any(each.endswith(".iwa") for each in members):
            raw.seek(0)
            return raw
        if len(members) != 1:
            listed = ", ".join(members[:LISTED]) or "nothing"
            hint = f"unzip it, and name one of its files: {listed}"
            raise InputError(f"is a zip archive of {len(members)} files", source=name, hint=hint)
        try:
            with archive.open(members[0]) as member:
                return spool(bound_stream(member, packed, name))
        except (zipfile.BadZipFile, RuntimeError) as error:  # damage, a password, an unknown method
            raise _not_readable(error, name) from error


def _not_readable(error: Exception, name: str) -> InputError:
    hint = "unzip it, and name the file that was in it"
    return InputError(f"not a readable zip archive: {error}", source=name, hint=hint)


class _XzReader(io.RawIOBase):
    """Decompressed bytes of an xz file, in which a dictionary may not take more than `XZ_MEMORY`."""

    def __init__(self, raw: IO[bytes]) -> None:
        self.raw, self.packed = raw, b""
        self.decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        data = b""
        while not data:
            if self.decoder.eof:  # another stream may follow, after padding
                self.packed = self.decoder.unused_data.lstrip(b"\0")
                if not self.packed and not self._read_more():
                    return 0
                self.decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
            if self.decoder.needs_input and not self.packed and not self._read_more():
                raise EOFError("the xz archive is cut short")
            data = self.decoder.decompress(self.packed, len(view))
            self.packed = b""
        view[: len(data)] = data
        return len(data)

    def _read_more(self) -> bool:
        self.packed = self.raw.read(CHUNK_BYTES)
        return bool(self.packed)
