"""Hypothesis strategies for damaged bytes, JSON, tables and archives."""

from __future__ import annotations

import bz2
import copy
import gzip
import json
import lzma
from functools import cache
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypothesis.strategies import SearchStrategy

NUMBERS = [0, 1, -1, 2, 127, 255, 1000, 65_535, 10_000_000, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 10**30]
TOKENS = [
    b"\0",
    b'"',
    b"'",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b",",
    b";",
    b"\t",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
]
TOKENS += [
    b"\x1b[31m",
    b"\xe2\x80\xae",
    b"\xe2\x80\x8b",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\\ud800",
    b"\\u0000",
    b"{",
    b"[",
]
TOKENS += [b"9" * 5000, b"[" * 100_000, b'{"a":' * 20_000, b"-1e400", b"NaN", b"\x00\x00\x00\x80", b"\xff" * 8]
STRINGS = [
    "",
    " ",
    "a",
    "0",
    "none",
    "auto",
    "\0",
    "\ud800",
    "\x1b]0;x\x07",
    "\u202ex",
    "é" * 300,
    "x" * 100_000,
    "\n",
]
STRINGS += [
    ".",
    "..",
    "../..",
    "/",
    "/dev/zero",
    "/dev/stdin",
    "~",
    "~nouser",
    "model",
    "run",
    "a/b",
    "a/b@c",
    "${HOME}",
]
STRINGS += [
    "evil.Evil",
    "evil @ file:///tmp/evil.tar.gz",
    "file:///etc/passwd",
    "http://127.0.0.1:9/x",
    "{text",
    "{x.y}",
]
STRINGS += [
    "{{ 'a' * 10**9 }}",
    "{% for i in range(10**10) %}x{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
]
STRINGS += ["{{ ''.__class__.__mro__[1].__subclasses__() }}", "{% include '/etc/passwd' %}", "{{ messages"]
VALUES: list[Any] = [None, True, False, *NUMBERS, 0.5, -0.0, 1e308, float("nan"), float("inf"), *STRINGS]
VALUES += [[], {}, [None], [[]], [0] * 5000, {"a": {}}, ["a", 1, None], {"": ""}, {"AutoConfig": "evil.Evil"}]


def damaged(data: bytes, tokens: Sequence[bytes] = ()) -> SearchStrategy[bytes]:
    """Some bytes with a few places cut, repeated, overwritten or inserted.

    :param data: the whole bytes.
    :param tokens: what this kind of file is sensitive to.
    """
    known = [*TOKENS, *tokens]
    kinds = st.sampled_from(["cut", "end", "repeat", "set", "insert", "flip", "number"])
    edit = st.tuples(kinds, st.floats(0, 1), st.integers(0, 64), st.integers(0, len(known) * len(NUMBERS) - 1))
    return st.lists(edit, min_size=1, max_size=4).map(lambda edits: _edited(data, edits, known))


def _edited(data: bytes, edits: Sequence[tuple[str, float, int, int]], tokens: Sequence[bytes]) -> bytes:
    for kind, where, size, which in edits:
        place, token = int(where * len(data)), tokens[which % len(tokens)]
        piece = data[place : place + size]
        match kind:
            case "cut":
                data = data[:place] + data[place + size :]
            case "end":
                data = data[:place]
            case "repeat":
                data = data[:place] + piece * (1 + which) + data[place:]
            case "set":
                data = data[:place] + token + data[place + len(token) :]
            case "insert":
                data = data[:place] + token + data[place:]
            case "flip" if piece:
                data = data[:place] + bytes([data[place] ^ (1 << which % 8)]) + data[place + 1 :]
            case "number":
                width = (1, 2, 4, 8)[size % 4]
                number = NUMBERS[which % len(NUMBERS)] % 2 ** (8 * width)
                data = data[:place] + number.to_bytes(width, "little") + data[place + width :]
    return data


def changed(value: Any, keys: Sequence[str] = (), values: Sequence[Any] = ()) -> SearchStrategy[Any]:
    """A JSON value with a few of its parts replaced, removed, renamed, repeated or nested.

    :param value: the whole value.
    :param keys: keys that may be added.
    :param values: values to put in, besides the usual ones.
    """
    known_values = [*values, *VALUES] if not values else [*values] * max(1, len(VALUES) // len(values)) + VALUES
    kinds = st.sampled_from(["replace"] * 4 + ["remove", "rename", "add", "add", "wrap", "deep", "many"])
    edit = st.tuples(kinds, st.integers(0, 100_000), st.integers(0, len(known_values) - 1), st.integers(0, 1000))
    return st.lists(edit, min_size=1, max_size=3).map(lambda edits: _changed(value, edits, keys, known_values))


def _changed(
    value: Any, edits: Sequence[tuple[str, int, int, int]], keys: Sequence[str], values: Sequence[Any]
) -> Any:
    holder = {"": copy.deepcopy(value)}
    for kind, place, which, key in edits:
        places = list(_places(holder))
        parent, name = places[place % len(places)]
        new, name_of_new = (
            copy.deepcopy(values[which]),
            [*keys, *map(str, STRINGS)][key % (len(keys) + len(STRINGS))],
        )
        inner = parent[name]
        match kind:
            case "remove" if parent is not holder:
                del parent[name]
            case "rename" if isinstance(parent, dict) and parent is not holder:
                parent[name_of_new] = parent.pop(name)
            case "add" if isinstance(inner, dict):
                inner[name_of_new] = new
            case "add" if isinstance(inner, list):
                inner.append(new)
            case "wrap":
                parent[name] = [inner]
            case "deep":
                parent[name] = _deep(inner, 1 + key * 3)
            case "many" if isinstance(inner, list):
                parent[name] = inner * (1 + key)
            case _:
                parent[name] = new
    return holder[""]


def _places(value: Any, depth: int = 0) -> Any:
    """Yield (parent, key) of every part, not more than the first 300 of a list, nor deeper than 50."""
    if depth > 50:
        return
    pairs = value.items() if isinstance(value, dict) else enumerate(value[:300]) if isinstance(value, list) else ()
    for key, part in list(pairs):
        yield value, key
        yield from _places(part, depth + 1)


def _deep(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = [value]
    return value


def as_json(value: Any) -> bytes:
    """Return JSON, with NaN and halves of surrogate pairs, of values of any depth.

    :param value: the value.
    """
    try:
        return json.dumps(value).encode()
    except RecursionError:
        return b"[" * 3000 + b"]" * 3000


def damaged_json(data: bytes, keys: Sequence[str] = (), values: Sequence[Any] = ()) -> SearchStrategy[bytes]:
    """A JSON file, more often changed in its values than in its bytes.

    :param data: the whole file.
    :param keys: keys that may be added.
    :param values: values to put in.
    """
    whole = changed(json.loads(data), keys, values).map(as_json)
    return st.one_of(whole, whole, whole, damaged(data))


def damaged_lines(data: bytes) -> SearchStrategy[bytes]:
    """JSON lines, of which one is changed.

    :param data: the whole file.
    """
    lines = data.splitlines()

    def with_line(place: int) -> SearchStrategy[bytes]:
        new = changed(json.loads(lines[place])).map(as_json)
        return new.map(lambda line: b"\n".join([*lines[:place], line, *lines[place + 1 :]]) + b"\n")

    return st.one_of(st.integers(0, len(lines) - 1).flatmap(with_line), damaged(data))


def damaged_tensors(data: bytes) -> SearchStrategy[bytes]:
    """A safetensors file, with its header changed, or its bytes.

    :param data: the whole file.
    """
    size = int.from_bytes(data[:8], "little")
    header, rest = json.loads(data[8 : 8 + size]), data[8 + size :]
    values = ["F64", "F16", "BF16", "I64", "U8", "F8_E4M3", [0], [1], [2**40], [0, 2**40], [8, 2], [-1, 4]]

    def packed(new: Any) -> bytes:
        head = as_json(new)
        return len(head).to_bytes(8, "little") + head + rest

    whole = changed(header, ["vectors", "__metadata__"], values).map(packed)
    return st.one_of(whole, whole, damaged(data))


def grown_csv() -> SearchStrategy[bytes]:
    """Tables that are well-formed, but wide, long, or of long cells."""
    size = st.sampled_from([1, 100, 5000, 20_000])

    def build(kind: str, n: int) -> bytes:
        match kind:
            case "columns":
                return (",".join(f"c{i}" for i in range(n)) + "\n" + ",".join(["word " * 3] * n) + "\n").encode()
            case "blank":
                return b"id,text\n1,a b\n" + b"\n" * n * 20
            case "leading":
                return b"\n" * n * 20 + b"id,text\n1,a b\n"
            case "rows":
                return b"text\n" + b"cold room\n" * n
            case "cell":
                return b"text\n" + b'"' + b'cold\n""room ' * n * 20 + b'"\n'
            case "fields":
                return b"id,text\n1,a b" + b"," * n * 20 + b"\n"
            case _:
                return b"id,text\n1," + b"'" * n * 20 + b"\n"

    kinds = st.sampled_from(["columns", "blank", "leading", "rows", "cell", "fields", "quotes"])
    return st.builds(build, kinds, size)


def grown_jsonl() -> SearchStrategy[bytes]:
    """JSON lines with new keys in each row, many keys, deep values."""

    def build(kind: str, n: int) -> bytes:
        match kind:
            case "keys per row":
                return b"".join(b'{"text":"a b","k%d":1}\n' % i for i in range(n))
            case "keys":
                return b'{"text":"a b",' + b",".join(b'"k%d":"w w"' % i for i in range(n)) + b"}\n"
            case "deep":
                return b'{"text":"a b","x":' + b"[" * n + b"]" * n + b"}\n"
            case _:
                return b'{"text":"a b"}\n' + b"\n" * n * 20

    return st.builds(
        build, st.sampled_from(["keys per row", "keys", "deep", "blank"]), st.sampled_from([900, 5000, 20_000])
    )


CODECS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def zstd(data: bytes) -> bytes:
    """Return data as a zstd frame."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


CODECS["zst"] = zstd


@cache
def bomb(codec: str, megabytes: int, kind: str) -> bytes:
    """Return a small archive of very many bytes: one member, many times.

    :param codec: a key of `CODECS`.
    :param megabytes: its size when it is unpacked.
    :param kind: "cell", one line, or "rows".
    """
    content = (b"x" * 16 if kind == "cell" else b"cold room ro\n  ") * (10 * 2**20 // 16)
    return CODECS[codec](b"text\nhello ") + CODECS[codec](content) * (megabytes // 10)


def archives(inner: SearchStrategy[bytes]) -> SearchStrategy[tuple[str, bytes]]:
    """Codec and archive: of a damaged file, damaged itself, in pieces, or a bomb.

    :param inner: what is packed.
    """
    codec = st.sampled_from(sorted(CODECS))
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"

    def build(name: str, data: bytes, kind: str) -> SearchStrategy[tuple[str, bytes]]:
        packed = CODECS[name](data)
        match kind:
            case "damaged":
                return damaged(packed, [packed[:8], skippable]).map(lambda d: (name, d))
            case "members":
                return st.just((name, CODECS[name](data[:7]) + CODECS[name](data[7:])))
            case "skippable":
                return st.just((name, skippable + packed + skippable))
            case "twice":
                return st.just((name, CODECS[name](packed)))
            case "bomb":
                sizes = st.sampled_from([50, 400, 1500])
                return st.builds(lambda n, k: (name, bomb(name, n, k)), sizes, st.sampled_from(["cell", "rows"]))
            case _:
                return st.just((name, packed))

    kinds = st.sampled_from(
        ["whole", "damaged", "damaged", "damaged", "members", "skippable", "twice"] * 4 + ["bomb"]
    )
    return st.tuples(codec, inner, kinds).flatmap(lambda drawn: build(*drawn))


def parquet_tables() -> SearchStrategy[bytes]:
    """Parquet files that are whole, but hold odd types, values, names, or very much in few bytes."""
    import pyarrow as pa

    texts = pa.array(["cold room", None, "kind staff"])
    odd = {
        "text": texts,
        "far": pa.array([2**62, None, -(2**62)], pa.timestamp("us")),
        "zone": pa.array([0, 1, None], pa.timestamp("us", "Nowhere/Land")),
        "date": pa.array([2**31 - 1, None, -(2**31)], pa.int32()).cast(pa.date32()),
        "span": pa.array([2**62, None, 1], pa.duration("ns")),
        "time": pa.array([0, None, 86_399_999_999_999], pa.time64("ns")),
        "decimal": pa.array([None, 1, 2], pa.decimal128(38, 0)),
        "bytes": pa.array([b"\xff\xfe", None, b""]),
        "broken": pa.Array.from_buffers(pa.string(), 3, pa.array([b"\xff\xfe", None, b"a"]).buffers()),
        "struct": pa.array([{"a": 1}, None, {"a": None}]),
        "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        "null": pa.nulls(3),
        "float": pa.array([float("nan"), float("inf"), None]),
        "large": texts.cast(pa.large_string()),
        "words": texts.dictionary_encode(),
        "half": pa.array([None, 1, 2], pa.uint64()),
        "lists": pa.array([[["a"], None], None, [[]]]),
    }
    names = ["text", "id", "", " ", "cluster", "\x1b[31m", "\u202ex", "a" * 5000, "text", "vector"]

    def build(columns: list[str], renamed: list[str | None], n: int, width: int) -> bytes:
        used = [new or name for name, new in zip(columns, renamed, strict=True)]
        if width:
            bulk = pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int32()), pa.array(["x " * width]))
            return _parquet(pa.table([bulk], names=["text"]))
        return _parquet(pa.table([odd[name] for name in columns], names=used))

    chosen = st.lists(st.sampled_from(sorted(odd)), min_size=1, max_size=4)
    bulk = st.one_of(
        *[st.just((1, 0))] * 9, st.tuples(st.sampled_from([10, 500]), st.sampled_from([1000, 2 * 10**6]))
    )
    return st.tuples(chosen, bulk).flatmap(
        lambda drawn: st.tuples(*[st.sampled_from([None, None, *names])] * len(drawn[0])).map(
            lambda renamed: build(["text", *drawn[0]], [None, *renamed], *drawn[1])
        )
    )


def _parquet(table: Any) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()
