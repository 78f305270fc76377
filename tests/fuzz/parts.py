"""Folders of shards and reviews of runs: what is in them, damaged, with hashes that are made to fit."""

from __future__ import annotations

import io
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.fuzz import mutations as m
from tests.fuzz.cases import ROWS, TOY, Case, special

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

STATUS = [["shards", "status", "work"], ["shards", "status", "work", "--json"]]
RUN, FIT = ["shards", "run", "work", "--offline", "-q"], ["shards", "fit", "work", "-k", "2", "-q"]
ASSIGN = ["shards", "assign", "work", "-o", "work/out", "-q"]
FAILED, NAMES = "failed/part-00000.json", "run/names.txt"
READ_BY = {"plan.json": [*STATUS, RUN, FIT, ASSIGN], "vocabulary.json": [ASSIGN], FAILED: STATUS, NAMES: [ASSIGN]}
READ_BY |= {"vectors": [ASSIGN, ASSIGN, RUN, FIT], "sample": [FIT], "out": [ASSIGN], "input": [RUN, ASSIGN]}
KEYS = ["files", "starts", "columns", "origin", "digest", "path", "rows", "model", "encoding", "layout", "schema"]
PATHS = [
    "../../etc/passwd",
    "/dev/zero",
    "file:///dev/zero",
    "memory://x",
    "reference://x",
    "simplecache://x",
    "input",
]
PATHS += [
    "http://127.0.0.1:9/x",
    "ssh://127.0.0.1/x",
    "local:///etc",
    "s3://x/y?endpoint_override=127.0.0.1:9",
    ".",
]
CLUSTER = ["cluster", "in.parquet", *TOY, "-k", "2", "--engine", "local", "-o", "out", "-q"]


def shard_cases(made: Path) -> SearchStrategy[Case]:
    """A folder of shards of which a file is damaged, and the command that reads it; or a new input for one."""
    folder = made / "work" / "work"
    members = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    def content(name: str) -> SearchStrategy[bytes | str]:
        data = members[name]
        new: SearchStrategy[bytes]
        if name.endswith(".json"):
            new = m.damaged_json(data, KEYS, PATHS)
        elif name.endswith(".parquet"):
            new = st.one_of(odd_tables(data), odd_tables(data), m.damaged(data), m.parquet_tables())
        elif "_counts" in name:
            new = st.one_of(odd_counts(data), odd_counts(data), m.damaged(data))
        else:
            new = m.damaged(data)
        return st.one_of(*[new] * 8, special())

    def build(name: str, new: bytes | str, command: list[str]) -> Case:
        files = {f"work/{name}": new}
        if command is ASSIGN and not name.startswith("out/"):
            files |= {"work/out": "@gone"}  # what is written already is not read again
        elif command is RUN and name.startswith("input/"):
            files |= {"work/vectors": "@gone"}
        return Case(files, {}, command)

    members |= {FAILED: m.as_json({"shard": 0, "error": "x", "at": "2026"}), NAMES: b"0 = cold\n"}
    names = st.sampled_from([name for name in members if not name.startswith("run/") or name == NAMES])
    one = names.flatmap(
        lambda name: st.builds(
            build,
            st.just(name),
            content(name),
            st.sampled_from(READ_BY.get(name) or READ_BY.get(name.partition("/")[0], STATUS)),
        )
    )
    plan = json.loads(members["plan.json"])
    other = m.changed(plan, KEYS, PATHS).map(
        lambda new: Case(
            {"work/plan.json": m.as_json(new), "work/vectors": "@gone", "work/sample": "@gone"}, {}, RUN
        )
    )
    inputs = st.one_of(odd_tables(seed_table()), m.damaged(seed_table()), m.parquet_tables(), grown_footers())
    clustered = inputs.map(lambda data: Case({"in.parquet": data}, {}, CLUSTER))
    return st.one_of(one, one, one, one, other, clustered)


@cache
def seed_table() -> bytes:
    """A whole Parquet file of two row groups."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    texts = [f"text {i} {('cold', 'kind')[i % 2]} room" for i in range(12)]
    pq.write_table(pa.table({"id": [f"a{i}" for i in range(12)], "text": texts}), sink, row_group_size=6)
    return sink.getvalue()


def grown_footers() -> SearchStrategy[bytes]:
    """Parquet files whose footer claims other numbers of rows."""
    numbers = st.sampled_from([-1, 0, 13, 10**9, 10**13, 2**62])
    return st.builds(changed_footer, st.just(seed_table()), numbers, st.sampled_from([12, 6]))


def changed_footer(data: bytes, n: int, old: int = 6) -> bytes:
    """Return a Parquet file whose footer claims another number of rows.

    :param data: the whole file.
    :param n: the number.
    :param old: what it is put in place of: 12, the rows of `seed_table`, or 6, those of its row groups.
    """
    size = int.from_bytes(data[-8:-4], "little")
    new = data[-8 - size : -8].replace(_thrift_i64(old), _thrift_i64(n))
    return data[: -8 - size] + new + len(new).to_bytes(4, "little") + b"PAR1"


def _thrift_i64(n: int) -> bytes:
    """Return a field of Thrift's compact protocol, the next one of its struct."""
    rest, parts = (n << 1) ^ (n >> 63), bytearray()
    while rest > 0x7F:
        parts.append(rest & 0x7F | 0x80)
        rest >>= 7
    return b"\x16" + bytes([*parts, rest])


def odd_tables(data: bytes) -> SearchStrategy[bytes]:
    """A Parquet file whose footer keeps what it says of the plan, while its columns or rows are others.

    :param data: the whole file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(data))
    n = table.num_rows
    vectors = pa.array([[0.5] * 7] * n, pa.list_(pa.float16(), 7))
    odd = [
        pa.nulls(n),
        pa.array(["\x1b[31m\u202e"] * n),
        pa.array([-1] * n, pa.int64()),
        pa.array([2**62] * n, pa.int64()),
        pa.array([float("nan")] * n),
        pa.array([[1.0]] * n),
        vectors,
        pa.array([[float("nan")] * 16] * n, pa.list_(pa.float16(), 16)),
        pa.array([[65504.0] * 16] * n, pa.list_(pa.float16(), 16)),
        pa.array([["a", None]] * n),
        pa.array(["ok"] * n),
        pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int32()), pa.array(["x " * 10**6])),
    ]
    metadata = table.schema.metadata or {}

    def build(kind: str, column: int, value: int) -> bytes:
        new, place = table, column % table.num_columns
        match kind:
            case "value":
                new = table.set_column(place, table.column_names[place], odd[value % len(odd)])
            case "drop":
                new = table.drop_columns([table.column_names[place]])
            case "rename":
                names = [
                    ["\x1b[2J", "x", "text", ""][value % 4] if i == place else c
                    for i, c in enumerate(table.column_names)
                ]
                new = table.rename_columns(names)
            case "rows":
                new = [
                    table.slice(0, 0),
                    table.slice(1),
                    pa.concat_tables([table] * 2),
                    pa.concat_tables([table] * 900),
                ][value % 4]
            case "bulk":
                fill = pa.array([0] * 3000, pa.int32())
                text = pa.DictionaryArray.from_arrays(fill, pa.array(["x " * 10**6]))
                bulk = pa.concat_tables([table] * 9000).slice(0, 3000)
                new = bulk.set_column(place, table.column_names[place], text)
            case _:
                key = sorted(metadata)[value % len(metadata)] if metadata else b"x"
                other = metadata | {key: [b"", b"x", b"9" * 5000, b"-1"][column % 4]}
                return _written(table.replace_schema_metadata(other))
        return _written(new.replace_schema_metadata(metadata))

    kinds = st.sampled_from(["value"] * 4 + ["drop", "rename", "rows", "bulk", "said"])
    return st.builds(build, kinds, st.integers(0, 20), st.integers(0, 50))


def _written(table: Any) -> bytes:
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def odd_counts(data: bytes) -> SearchStrategy[bytes]:
    """Counts of a shard with other values.

    :param data: the whole file.
    """
    import msgspec

    whole = msgspec.msgpack.decode(data, strict=False)
    tables = [b"", b"\0" * 7, b"\xff" * 32, b"\0" * 3200, (2**62).to_bytes(8, "little") * 4]
    values = [
        *tables,
        *m.NUMBERS,
        -3,
        {},
        {5: []},
        {-2: 2**62},
        {"ok": -1},
        {"\x1b[31m": 1},
        float("nan"),
        "x" * 5000,
        None,
    ]

    def build(key: int, value: int, depth: int) -> bytes:
        new = msgspec.msgpack.decode(data, strict=False)
        place = new
        name: Any = sorted(whole)[key % len(whole)]
        while depth and isinstance(place[name], (dict, list)) and place[name]:
            place, depth = place[name], depth - 1
            name = list(place)[key % len(place)] if isinstance(place, dict) else key % len(place)
        chosen = values[value % len(values)]
        place[name] = min(chosen, 2**64 - 1) if isinstance(chosen, int) else chosen
        return msgspec.msgpack.encode(new)

    return st.builds(build, st.integers(0, 40), st.integers(0, 60), st.integers(0, 4))


SHEET_VALUES = [
    b"y",
    b"n",
    b"yes",
    b"maybe",
    b"",
    b"0",
    b"-1",
    b"99999999999999999999",
    b"1e3",
    b"\x1b[2J",
    b"fits",
]


def review_cases(made: Path) -> SearchStrategy[Case]:
    """Sheets that were filled in, and reviews that were kept, damaged, and what reads them."""
    folder = made / "reviewed" / "reviewed"
    lines = (folder / "sheet.csv").read_bytes().splitlines()
    filled = b"\n".join([lines[0], *[line + (b"y", b"n")[i % 2] for i, line in enumerate(lines[1:])]]) + b"\n"
    rows = json.loads((folder / "run.json").read_bytes())["files"]["rows.parquet"]
    said = [{"question": "", "row": i, "label": "cold", "fits": True} for i in range(4)]
    kept = m.as_json({"schema": 1, "rows_sha256": rows, "judgments": said})
    sheet = st.one_of(
        *[m.damaged(filled, SHEET_VALUES)] * 4, st.sampled_from([filled, filled * 300]), m.parquet_tables()
    )
    reviews = st.one_of(
        *[m.damaged_json(kept, ["judgments", "row", "label", "fits"], ["y", "cold"])] * 8, special()
    )
    verbs = [["review", "reviewed", "--from", "sheet.csv"], ["review", "reviewed", "--sheet", "new.csv"]]
    verbs += [["review", "reviewed", "0"], ["show", "reviewed"], ["show", "reviewed", "-f", "json"]]
    verbs += [["report", "reviewed", "-o", "page.html"], ["review", "reviewed", "--from", "sheet.csv", "-f", "md"]]

    def build(new: bytes, judged: bytes | str, command: list[str]) -> Case:
        return Case({"sheet.csv": new, "reviewed/reviews.json": judged, "rows.csv": ROWS}, {}, command)

    from_sheet = st.builds(build, sheet, st.just(kept), st.sampled_from([verbs[0], verbs[0], verbs[-1]]))
    return st.one_of(from_sheet, st.builds(build, st.just(filled), reviews, st.sampled_from(verbs)))
