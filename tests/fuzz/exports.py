"""What other programs hand out: zip archives of tables, and JSON as chats and web interfaces write it."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.fuzz import mutations as m
from tests.fuzz.cases import seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import SearchStrategy

MEMBERS = ["reviews.csv", "reviews.jsonl", "reviews.parquet", "document.json", "book.xlsx", "lines.txt"]
NAMES = ["rows.csv", "../rows.csv", "/etc/passwd", "a\x1b[2Jb.csv", "x\u202e.csv", "", "folder/", "n" * 65_000]
NAMES += ["__MACOSX/._rows.csv", ".DS_Store", "rows.csv\0.exe", "C:\\rows.csv", "[Content_Types].xml", "é" * 9]
STORED, DEFLATED, BZIP2, LZMA = 0, 8, 12, 14  # methods of compression that Python reads
HEADER, ENTRY = b"PK\x03\x04", b"PK\x01\x02"
FIELDS = {"version": 6, "flags": 8, "method": 10, "packed": 20, "unpacked": 24, "name": 28, "offset": 42}
TELEGRAM = {
    "name": "Neighbors",
    "type": "public_supergroup",
    "id": 1,
    "messages": [
        {"id": 1, "type": "service", "actor": "A", "action": "create_group", "text": ""},
        {"id": 2, "type": "message", "date": "2024-01-01T00:00:00", "from": "A", "text": "the room was cold"},
        {"id": 3, "type": "message", "from": "B", "text": ["see ", {"type": "link", "text": "x.org"}, " please"]},
        {"id": 4, "type": "message", "from": None, "text": [{"type": "bold", "text": "kind staff"}]},
    ],
}
ORIENTS: list[Any] = [
    {"columns": ["id", "text"], "index": [0, 1], "data": [[1, "cold room"], [2, "kind staff"]]},
    {"id": {"0": 1, "1": 2}, "text": {"0": "cold room", "1": "kind staff"}},
    {"0": {"id": 1, "text": "cold room"}, "1": {"id": 2, "text": "kind staff"}},
    {"schema": {"fields": [{"name": "text"}]}, "data": [{"text": "cold room"}, {"text": "kind staff"}]},
    {"id": [1, 2], "text": ["cold room", "kind staff"]},
    [["id", "text"], [1, "cold room"], [2, "kind staff"]],
    [{"tweet": {"id": "1", "full_text": "cold room"}}, {"tweet": {"id": "2", "full_text": "kind staff"}}],
    {"data": {"items": [{"text": "cold room"}], "next": [{"text": "kind staff"}]}},
]
PREFIXES = [
    b"window.YTD.tweets.part0 = ",
    b"callback(",
    b"var rows = ",
    b")]}',\n",
    b"// rows\n",
    b"\x1e",
    b"a" * 10**5,
]


def zip_files() -> SearchStrategy[tuple[str, bytes]]:
    """Zip archives of one or several files, whole and damaged, and with entries that lie."""
    content = st.one_of(st.sampled_from(MEMBERS).map(seed), m.damaged(seed("reviews.csv")))
    member = st.tuples(st.sampled_from(["rows.csv", *NAMES]), content)
    members = st.lists(member, min_size=1, max_size=3)
    whole = st.builds(zipped, members, st.sampled_from([STORED, DEFLATED, BZIP2, LZMA]))
    values = st.sampled_from([0, 1, 8, 9, 99, 2**15, 2**16 - 1, 2**31, 2**32 - 1])
    lying = st.builds(with_field, whole, st.sampled_from(sorted(FIELDS)), values)
    marks = [HEADER, ENTRY, b"PK\x05\x06", b"PK\x06\x06", b"\x01\0"]
    damaged = whole.flatmap(lambda data: m.damaged(data, marks))
    bombs = st.builds(bomb, st.sampled_from([1, 30, 3000]), st.sampled_from([DEFLATED, BZIP2, LZMA]))
    nested = whole.map(lambda data: zipped([("inner.zip", data)], DEFLATED))
    return st.tuples(
        st.sampled_from(["rows.zip", "rows.csv", "rows.csv.zip", "rows"]),
        st.one_of(whole, lying, lying, damaged, damaged, nested, bombs),
    )


def zipped(members: Sequence[tuple[str, bytes]], method: int) -> bytes:
    """Return a zip archive.

    :param members: name and content of each file.
    :param method: of compression.
    """
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name or "empty"), content, method)
    return sink.getvalue()


def with_field(data: bytes, name: str, value: int) -> bytes:
    """Return an archive whose list of contents says something else about its first file.

    :param data: the archive.
    :param name: a key of `FIELDS`.
    :param value: is cut to the width of the field.
    """
    place, width = data.index(ENTRY) + FIELDS[name], 4 if name in ("packed", "unpacked", "offset") else 2
    return data[:place] + struct.pack("<Q", value)[:width] + data[place + width :]


def bomb(n: int, method: int) -> bytes:
    """Return an archive of a file that is small when it is packed.

    :param n: its size is 100,000 times as many bytes, but is listed as 1.
    :param method: of compression.
    """
    return with_field(
        zipped([("rows.csv", b"text\n" + b"cold room\n" * 10_000 * min(n, 300))], method), "unpacked", 1
    )


def export_files() -> SearchStrategy[tuple[str, bytes]]:
    """Chats, archives of social networks, pages of an interface joined to one file, tables of pandas."""
    shapes = [TELEGRAM, *ORIENTS]
    keys = ["text", "messages", "data", "columns", "schema", "tweet", "0", ""]
    values = [[{"text": "a b"}], {"type": "bold"}, [{"type": "bold", "text": ["a", {"text": "b"}]}], [["a"], "b"]]
    one = st.sampled_from(shapes).flatmap(lambda shape: m.changed(shape, keys, values)).map(m.as_json)
    whole = st.sampled_from(shapes).map(lambda shape: json.dumps(shape, indent=1).encode())
    between = st.sampled_from([b"", b"\n", b"\n\n", b",", b"\x1e", b" // next\n", b"/* " + b"*" * 10**5])
    joined = st.builds(lambda parts, mark: mark.join(parts), st.lists(st.one_of(one, whole), max_size=4), between)
    wrapped = st.builds(
        lambda start, data, end: start + data + end,
        st.sampled_from(PREFIXES),
        st.one_of(one, whole),
        st.sampled_from([b"", b";", b")", b");\n", b",]", b"\n" + b"/" * 10**5]),
    )
    damaged = whole.flatmap(
        lambda data: m.damaged(data, [b'"text": [', b"NaN", b"//", b"/*", b"undefined", b",]"])
    )
    grown = st.builds(
        _grown, st.sampled_from(["parts", "pages", "orient", "comments"]), st.sampled_from([90, 20_000])
    )
    names = st.sampled_from(["result.json", "tweets.js", "rows.jsonl", "rows"])
    return st.tuples(names, st.one_of(one, one, joined, joined, wrapped, damaged, grown))


def _grown(kind: str, n: int) -> bytes:
    match kind:
        case "parts":
            return json.dumps([{"text": ["a ", {"type": "bold", "text": "b"}] * n}] * 3).encode()
        case "pages":
            return b'{"rows": [{"text": "a b"}]}\n' * n + b"{"
        case "orient":
            return json.dumps({f"c{i}": {"0": "a b"} for i in range(n)}).encode()
        case _:
            return b'[{"text": "a b"' + b" /* x */" * n + b"}" + b",\n//" * n + b"]"
