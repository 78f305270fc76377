"""The lines of a text file, and its encoding."""

from __future__ import annotations

import codecs
import io
import unicodedata
from collections import Counter
from functools import partial
from itertools import chain
from typing import IO, TYPE_CHECKING

from inbedder_cli.corpus.layout import Layout
from inbedder_cli.corpus.limits import cell_too_large
from inbedder_cli.corpus.opening import DAMAGED, Opened
from inbedder_cli.corpus.values import replace_surrogates
from inbedder_cli.errors import InputError
from inbedder_cli.options import EncodingErrors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BLOCK_BYTES = 64 * 1024  # whose lines are decoded together
WIDE_MARKS = {  # the longer marks first: that of UTF-16 begins that of UTF-32
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
MARK = "\ufeff"  # once decoded; two of them where a program adds one to a file that has it
FALLBACK = "cp1252"
OTHERS = {  # encodings of other scripts, which a hint names if they can decode the file
    "cp1251": "Cyrillic",
    "gb18030": "Chinese",
    "big5": "Chinese, traditional",
    "shift_jis": "Japanese",
    "euc_kr": "Korean",
}
MAIN_SCRIPTS = 4  # of a language, as Japanese with Latin words has
TEXT_SHARE = 0.9  # of characters that can be seen, and of letters in the main scripts, in what is a text
CONTROL_SHARE = 0.02  # of control characters, which a text may have by accident
FOREIGN_SHARE = 0.5  # of the letters that are not ASCII, from which a text is hardly in Latin script


def encoding_of(opened: Opened, layout: Layout | None = None) -> str:
    """Return the encoding of a text file: the given one, that of its byte-order mark, or UTF-8.

    :param opened: the file.
    :param layout: as it was given.
    :return: the canonical name.
    :raises InputError: for an unknown encoding.
    """
    given = layout.encoding if layout else None
    if given is None:
        return next((name for mark, name in WIDE_MARKS.items() if opened.head.startswith(mark)), "utf-8")
    return canonical_encoding(given, opened.name)


def has_mark(opened: Opened) -> bool:
    """Return whether a text file begins with a byte-order mark.

    :param opened: the file.
    """
    return opened.head.startswith((codecs.BOM_UTF8, *WIDE_MARKS))


def head_text(opened: Opened, layout: Layout | None = None) -> str:
    """Return the first characters of a text file, without its mark; they may end within a line.

    :param opened: the file.
    :param layout: as it was given.
    """
    text = opened.head.decode(encoding_of(opened, layout), errors="replace")
    return text.lstrip(MARK)


def decode_lines(opened: Opened, layout: Layout | None = None) -> Iterator[str]:
    """Return an iterator over the lines of a text file, without the byte-order mark.

    :param opened: the file.
    :param layout: names the encoding, and what to do with lines of another one; None: UTF-8, which all must have.
    :return: each line, with its line end.
    :raises InputError: naming the line of the first byte that is not of the encoding, or is NUL, and the first
        line that is too long.
    """
    return chain.from_iterable(_decoded_blocks(opened, layout or Layout()))


def _decoded_blocks(opened: Opened, layout: Layout) -> Iterator[Sequence[str]]:
    encoding = encoding_of(opened, layout)
    number = 0  # of lines before the block
    try:
        for lines in _blocks(opened.stream, encoding, opened.max_cell):
            try:
                decoded = [line.decode(encoding) if isinstance(line, bytes) else line for line in lines]
                is_plain = not any("\0" in text for text in decoded)
                is_plain = is_plain and len(max(lines, key=len)) <= opened.max_cell
            except UnicodeDecodeError:
                is_plain = False
            if not is_plain:
                for place, line in enumerate(lines, start=number + 1):
                    yield (_checked(line, encoding, place, opened, layout),)
            else:
                if encoding != "utf-8":  # unicode_escape and utf-7 can name halves of pairs
                    decoded = list(map(replace_surrogates, decoded))
                if not number:
                    decoded[0] = decoded[0].lstrip(MARK)
                yield decoded
            number += len(lines)
    except UnicodeError as error:
        raise _not_of_encoding(error, encoding, number + 1, opened) from error
    except DAMAGED as error:
        raise InputError(f"the data breaks off here: {error}", source=opened.name, line=max(number, 1)) from error


def _checked(line: bytes | str, encoding: str, number: int, opened: Opened, layout: Layout) -> str:
    """Return a line of a block in which something is wrong with at least one."""
    if len(line) > opened.max_cell:
        raise cell_too_large(opened.name, opened.max_cell, line=number)
    try:
        text = line if isinstance(line, str) else line.decode(encoding)
    except UnicodeDecodeError as error:
        if layout.encoding_errors is EncodingErrors.fail:
            raise _not_of_encoding(error, encoding, number, opened) from error
        opened.undecoded.append(number)
        other = FALLBACK if layout.encoding_errors is EncodingErrors.fallback else encoding
        text = error.object.decode(other, "replace")
    if "\0" in text:
        wide = wide_encoding(opened.head)
        hint = f"it looks like {wide[:6].upper()}: add --encoding {wide}" if wide else None
        raise InputError(
            "a NUL byte", source=opened.name, line=number, hint=hint or "remove it: tr -d '\\000' < FILE"
        )
    text = text if encoding == "utf-8" else replace_surrogates(text)
    return text.lstrip(MARK) if number == 1 else text


def _blocks(stream: IO[bytes], encoding: str, limit: int) -> Iterator[Sequence[bytes | str]]:
    """Yield lists of lines (of longer ones `limit` + 1 bytes), decoded where a line end is more than one byte."""
    if "\n".encode(encoding) == b"\n":
        yield from _blocks_of_bytes(stream, limit)
        return
    wrapper = io.TextIOWrapper(stream, encoding=encoding, newline="")
    try:
        yield from ((line,) for line in iter(partial(wrapper.readline, limit + 1), ""))
    finally:
        if not stream.closed:  # by who stopped reading in the middle
            wrapper.detach()


def _blocks_of_bytes(stream: IO[bytes], limit: int) -> Iterator[Sequence[bytes]]:
    """Yield lines that end with LF, CRLF or, as old Macs and Excel write them, a lone CR."""
    rest: list[bytes] = []  # of the last line, which may go on
    for block in iter(partial(stream.read, BLOCK_BYTES), b""):
        cut = block.rfind(b"\n") + 1 or block.rfind(b"\r", 0, -1) + 1
        if not cut:
            rest.append(block)
            if sum(map(len, rest)) > limit:
                yield [b"".join(rest)]
                rest = []
            continue
        yield b"".join([*rest, block[:cut]]).splitlines(keepends=True)
        rest = [block[cut:]] if cut < len(block) else []
    if rest:
        yield b"".join(rest).splitlines(keepends=True)


def _not_of_encoding(error: UnicodeError, encoding: str, line: int, opened: Opened) -> InputError:
    if opened.head.startswith(tuple(WIDE_MARKS)) and encoding.startswith(("utf-16", "utf-32")):
        hint = "is the file cut short? export it again"
        return InputError(f"this is not {encoding.upper()}", source=opened.name, line=line, hint=hint)
    byte = f"byte 0x{error.object[error.start]:02x}" if isinstance(error, UnicodeDecodeError) else "this"
    return InputError(
        f"{byte} is not {encoding.upper()}",
        source=opened.name,
        line=line,
        hint=_encoding_hint(opened.head)
        or "name the file's encoding: --encoding cp1252 (or another); "
        "if only some lines are of another: --encoding-errors fallback",
    )


def canonical_encoding(encoding: str, name: str) -> str:
    """Return the canonical name of a text encoding.

    :param encoding: any name that Python accepts, such as "latin1".
    :param name: name of the file in messages.
    :return: the name, such as "iso8859-1".
    :raises InputError: for an unknown encoding.
    """
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
    if wide := wide_encoding(head):
        return f"it looks like {wide[:6].upper()}: add --encoding {wide}"
    lines = [line for line in head.splitlines() if not line.isascii()]
    if any(map(_is_utf8, lines)):
        return "some lines are UTF-8, others look like Windows text: add --encoding-errors fallback"
    foreign = b"\n".join(lines)
    letters = [letter for letter in foreign.decode(FALLBACK, "replace") if letter.isalpha()]
    if sum(not letter.isascii() for letter in letters) > FOREIGN_SHARE * len(letters):
        able = [f"{name} ({script})" for name, script in OTHERS.items() if _decodes(foreign, name)]
        return f"it is hardly Latin script: add --encoding with the right one, perhaps {', '.join(able)}"
    if not any(0x81 <= b <= 0x9F and b not in range(0x82, 0x9D) for b in head) and lines:
        return "it looks like Windows or Latin-1 text: add --encoding cp1252"
    return ""


def _is_utf8(line: bytes) -> bool:
    return _decodes(line, "utf-8")


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def wide_encoding(head: bytes) -> str | None:
    """Return UTF-16 or UTF-32 if a text seems to be that: by its byte-order mark, its letters, or NUL bytes.

    :param head: its first bytes.
    """
    for mark, encoding in WIDE_MARKS.items():
        if head.startswith(mark):
            return encoding
    for encoding in ("utf-16-le", "utf-16-be"):
        if _is_wide_text(head, encoding):
            return encoding
    start = head[:200]
    if start.count(b"\0") <= len(start) // 4:
        return None
    width = 4 if start.count(b"\0") > len(start) // 2 else 2
    guess = f"utf-{8 * width}-{'be' if start[:1] == bytes(1) else 'le'}"
    return guess if _decodes(head[: len(head) // width * width], guess) else None


def _is_wide_text(head: bytes, encoding: str) -> bool:
    """Return whether bytes are lines of letters of few scripts in an encoding of two bytes, of any language."""
    whole = head[: head.rfind(b"\n")] or head
    controls = sum(whole.count(bytes([byte])) for byte in range(1, 32) if not bytes([byte]).isspace())
    if _is_utf8(whole) and controls < CONTROL_SHARE * len(whole):  # with a NUL byte or some
        return False
    text = head[: len(head) // 2 * 2].decode(encoding, "replace")
    scripts = Counter(unicodedata.name(c, "").partition(" ")[0] for c in text if c.isalpha())
    n_letters = sum(scripts.values())
    n_shown = sum((c.isprintable() or c.isspace()) and c != "\ufffd" for c in text)
    n_main = sum(n for _, n in scripts.most_common(MAIN_SCRIPTS))
    return (
        not {"\n", "\r"}.isdisjoint(text)
        and n_shown >= TEXT_SHARE * len(text)
        and n_main >= TEXT_SHARE * n_letters > 0
        and "\0" not in text
    )
