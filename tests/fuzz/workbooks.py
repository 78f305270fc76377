"""Hypothesis strategies for damaged Excel workbooks, and for files that only bear their name."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.fuzz import mutations as m
from tests.fuzz.cases import seed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import SearchStrategy

SHEET, SHARED = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
ENTITIES = b'<!DOCTYPE x [<!ENTITY a "%s">' % (b"ha" * 50)
ENTITIES += b"".join(b'<!ENTITY %c "%s">' % (c, b"&%c;" % (c - 1) * 10) for c in range(98, 108)) + b"]>"
OUTSIDE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd"><!ENTITY % b SYSTEM "http://127.0.0.1:9/x">%b;]>'
MARKS = [
    *[
        b'r="A1048576"',
        b'r="XFD1"',
        b'r="XFD1048576"',
        b'r="A0"',
        b'r="0"',
        b'r="1048576"',
        b'r="-1"',
        b'r="9999999999"',
    ],
    *[b't="s"', b't="d"', b't="e"', b't="b"', b't="n"', b't="inlineStr"', b't="str"', b't="x"', b's="99999"'],
    *[
        b"<v>99999999999</v>",
        b"<v>-1</v>",
        b"<v>1e999</v>",
        b"<v>nan</v>",
        b"<v>1e300</v>",
        b"<v>60</v>",
        b"<f>1</f>",
    ],
    *[
        b'ref="A1:XFD1048576"',
        b'ref="A1"',
        b'ref=":"',
        b"&a;",
        b"&k;",
        b"]]>",
        b"<!--",
        b"<![CDATA[",
        b"<is><t>x</t></is>",
    ],
    *[
        b'numFmtId="14"',
        b'numFmtId="46"',
        b'formatCode="[h]:mm"',
        b'date1904="1"',
        b'state="veryHidden"',
        b"</row>",
    ],
    *[b"../../../etc/passwd", b"Target=", b"TargetMode=", b"rId1", b"utf-16", b"<row", b"<c", b"<si>", b"_x0000_"],
]
ROW = b'<row r="%d"><c r="A%d" t="inlineStr"><is><t>%s</t></is></c></row>'


@cache
def members() -> Mapping[str, bytes]:
    """The files in the seed."""
    with zipfile.ZipFile(io.BytesIO(seed("book.xlsx"))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return a zip archive.

    :param files: contents by name.
    """
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


def workbooks() -> SearchStrategy[bytes]:
    """Workbooks with damage in one of their files, or in the archive; grown ones; and other files."""
    inner = st.sampled_from([SHEET, SHEET, SHARED, *sorted(members())]).flatmap(
        lambda name: st.tuples(st.just(name), st.one_of(m.damaged(members()[name], MARKS), _declared(name)))
    )
    changed = st.lists(inner, min_size=1, max_size=2).map(lambda new: packed({**members(), **dict(new)}))
    without = st.sampled_from(sorted(members())).map(
        lambda name: packed({other: content for other, content in members().items() if other != name})
    )
    outside = m.damaged(
        seed("book.xlsx"), [b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"\x09\x00"]
    )
    return st.one_of(*[changed] * 6, outside, outside, without, grown(), other_files())


def _declared(name: str) -> SearchStrategy[bytes]:
    """XML whose entities unfold, or lie outside."""
    content = members()[name]
    place = content.find(b"?>") + 2 if content.startswith(b"<?xml") else 0
    uses = content.replace(b"cold room", b"&k;").replace(b"reviews", b"&a;")
    return st.sampled_from([ENTITIES, OUTSIDE]).map(lambda declared: uses[:place] + declared + uses[place:])


def grown() -> SearchStrategy[bytes]:
    """Small files of very many rows, columns or characters."""

    def build(kind: str, n: int) -> bytes:
        sheet, shared = members()[SHEET], members()[SHARED]
        start, end = sheet.index(b"<sheetData>") + 11, sheet.index(b"</sheetData>")
        match kind:
            case "gap":
                rows = ROW % (1, 1, b"text") + ROW % (n * 50, n * 50, b"cold room")
            case "gap of columns":
                rows = b"".join(
                    b'<row r="%d"><c r="%s%d"><v>1</v></c></row>' % (i, (b"A", b"XFD")[i > 1], i)
                    for i in range(1, n)
                )
            case "columns":
                cells = b"".join(b'<c t="inlineStr"><is><t>c%d</t></is></c>' % i for i in range(n))
                rows = b"<row>" + cells + b"</row>" + b'<row><c t="inlineStr"><is><t>x</t></is></c></row>' * n
            case "cell":
                rows = ROW % (1, 1, b"text") + ROW % (2, 2, b"cold room " * n * 100)
            case "shared":
                n = min(n, 3000)
                shared = shared[: shared.index(b"<si>")] + b"<si><t>" + b"x " * n * 50 + b"</t></si></sst>"
                rows = b"".join(b'<row><c t="s"><v>0</v></c></row>' for _ in range(n))
            case "blank":
                rows = ROW % (1, 1, b"text") + b"<row/>" * n * 20 + ROW % (n * 20 + 2, n * 20 + 2, b"a b")
            case _:
                rows = ROW % (1, 1, b"text") + b"".join(ROW % (i, i, b"cold room") for i in range(2, n))
        return packed({**members(), SHEET: sheet[:start] + rows + sheet[end:], SHARED: shared})

    kinds = ["gap", "gap of columns", "columns", "cell", "shared", "blank", "rows"]
    return st.builds(build, st.sampled_from(kinds), st.sampled_from([3, 900, 20_000]))


@cache
def _bomb() -> bytes:
    return packed({**members(), SHARED: bytes(300 * 2**20)})


def other_files() -> SearchStrategy[bytes]:
    """What is called .xlsx but is none: an old or encrypted workbook, another archive, a table, a bomb."""
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1024) + "EncryptedPackage".encode("utf-16-le")
    document = packed({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b"<x/>"})
    every = [
        old,
        _bomb(),
        document,
        seed("reviews.csv"),
        seed("reviews.parquet"),
        packed({}),
        b"PK\x03\x04",
        b"PK",
    ]
    return st.sampled_from(every)
