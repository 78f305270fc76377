"""Files that once ended a run late, filled the memory or took minutes: each is read, or refused with its place."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import struct
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inbedder_cli.corpus import limits, read_corpus
from inbedder_cli.corpus.jsonl import JSON_CELLS
from inbedder_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from typer.testing import Result

INPUT = 5
FORMATS = ("csv", "tsv", "jsonl", "json", "parquet", "md")
TEXTS = ["The room was cold.", "Staff ignored us.", "Lovely breakfast.", "The lock was broken."]
FAR = 2**62
SKIPPABLE = struct.pack("<II", 0x184D2A50, 5) + b"hello"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    np.save("four.npy", np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32))
    return tmp_path


@pytest.fixture
def cluster(inbedder: Callable[..., Result]) -> Callable[..., Result]:
    def run(file: str, *options: object, output: str = "out.jsonl") -> Result:
        usual = ("-k", 2, "--no-stability", "--vectors", "four.npy", "-o", output, "--force")
        return inbedder("cluster", file, *usual, *options)

    return run


def refused(result: Result, *said: str, hint: str = "") -> None:
    assert result.exit_code == INPUT, result.stderr
    lines = [line for line in result.stderr.splitlines() if line]
    place = next(n for n, line in enumerate(lines) if line.startswith("inbedder: "))
    for words in said:
        assert words in lines[place]
    assert hint in lines[place + 1]
    assert len(lines) == place + 2
    assert not list(Path().glob("out.*"))


def read_back(name: str) -> list[dict[str, Any]]:
    match name.rsplit(".", 1)[1]:
        case "csv" | "tsv" as kind:
            with Path(name).open(encoding="utf-8-sig", newline="") as file:
                header = file.readline()
                file.seek(0)
                delimiter = "\t" if kind == "tsv" else ";" if ";" in header else ","  # CSV keeps that of its input
                return list(csv.DictReader(file, delimiter=delimiter))
        case "jsonl":
            return [json.loads(line) for line in Path(name).read_text(encoding="utf-8").splitlines()]
        case "json":
            rows: list[dict[str, Any]] = json.loads(Path(name).read_text(encoding="utf-8"))["data"]
            return rows
        case "parquet":
            table = pq.read_table(name)
            return [{"text": text} for text in table["text"].to_pylist()]
        case _:
            header, _, *lines = Path(name).read_text(encoding="utf-8").splitlines()
            place = header.removeprefix("| ").split(" | ").index("text")
            return [{"text": line.removeprefix("| ").split(" | ")[place]} for line in lines]


def check_formats(
    cluster: Callable[..., Result], file: str, *options: object, formats: tuple[str, ...] = FORMATS
) -> dict[str, list[Any]]:
    """Cluster a file into each format; return the values of column "x" where the format shows them plainly."""
    shown = {}
    for suffix in formats:
        result = cluster(file, *options, output=f"out.{suffix}")
        assert result.exit_code == 0, (suffix, result.stderr)
        rows = read_back(f"out.{suffix}")
        Path(f"out.{suffix}").unlink()
        assert [row["text"] for row in rows] == TEXTS, suffix
        shown[suffix] = [row.get("x") for row in rows]
    return shown


# Values that Python has no type for


def moments(unit: str, zone: str | None = None) -> pa.Array:
    return pa.array([FAR, 1, -FAR, None], pa.timestamp(unit, tz=zone))


ODD_COLUMNS: dict[str, Callable[[], pa.Array]] = {
    "dates": lambda: pa.array([3_000_000, 0, -3_000_000, 2**31 - 1], pa.int32()).cast(pa.date32()),
    "moments": lambda: moments("us"),
    "seconds": lambda: moments("ms", "Europe/Berlin"),
    "nanoseconds": lambda: moments("ns", "Mars/Phobos"),
    "unknown zone": lambda: pa.array([1, 2, 3, None], pa.timestamp("us", tz="Mars/Phobos")),
    "odd zone": lambda: pa.array([1, 2, 3, None], pa.timestamp("us", tz="../../etc/passwd")),
    "durations": lambda: pa.array([FAR, 1, -FAR, None], pa.duration("s")),
    "fine durations": lambda: pa.array([FAR + 1, 1, -FAR, None], pa.duration("ns")),
    "lists": lambda: pa.array([[FAR], [1], None, []], pa.list_(pa.timestamp("us"))),
    "structs": lambda: pa.array(
        [{"a": FAR}, {"a": 1}, None, {"a": 2}], pa.struct([("a", pa.timestamp("us", "X/Y"))])
    ),
    "maps": lambda: pa.array([[("a", FAR)], [], None, [("b", 1)]], pa.map_(pa.string(), pa.timestamp("us"))),
    "dictionaries": lambda: moments("us").dictionary_encode(),
    "a name twice": lambda: pa.StructArray.from_arrays([pa.array([1] * 4), pa.array([2] * 4)], ["a", "a"]),
    "wide decimals": lambda: pa.array([1, 2, None, 3], pa.decimal256(70, 0)),
    "floats": lambda: pa.array([float("nan"), float("inf"), -float("inf"), 0.0]),
    "halves": lambda: pa.array(np.array([1, 2, np.nan, np.inf], np.float16)),
    "uuids": lambda: pa.array([b"0" * 16] * 4, pa.uuid()),
    "views": lambda: pa.array(["a", None, "b", ""], pa.string_view()),
    "lists of views": lambda: pa.array([["a"], None, [], ["b"]], pa.list_(pa.string_view())),
    "list views": lambda: pa.array([["a"], None, [], ["b"]], pa.list_view(pa.string())),
    "bytes in maps": lambda: pa.array([[(b"\xff", 1)], [], None, []], pa.map_(pa.binary(), pa.int64())),
}


def test_every_value_of_parquet_can_be_written_in_every_format(cluster: Callable[..., Result]) -> None:
    columns = {kind: make() for kind, make in ODD_COLUMNS.items()}
    pq.write_table(pa.table({"text": TEXTS} | columns), "odd.parquet")
    check_formats(cluster, "odd.parquet")
    for kind in ODD_COLUMNS:
        corpus = read_corpus("odd.parquet", id_column=kind, text_template=f"{{text}} {{{kind}}}")
        assert [text.startswith(row) for text, row in zip(corpus.texts, TEXTS, strict=True)] == [True] * 4
    assert cluster("odd.parquet", "--id", "moments", "--by", "structs,unknown zone").exit_code == 0


def test_odd_dates_and_zones_are_text_that_says_what_they_are(cluster: Callable[..., Result]) -> None:
    columns = {"dates": ["10183-09-21"], "unknown zone": ["1970-01-01 00:00:00.000001Z"]}
    for kind, first in columns.items():
        pq.write_table(pa.table({"text": TEXTS, "x": ODD_COLUMNS[kind]()}), "odd.parquet")
        shown = check_formats(cluster, "odd.parquet", formats=("csv", "jsonl"))
        assert shown["csv"][:1] == shown["jsonl"][:1] == first


def test_frames_of_odd_values_can_be_made() -> None:
    from inbedder_cli.output.frames import _frame

    for make in ODD_COLUMNS.values():
        table = pa.table({"x": make(), "n": [1, 2, None, 4]})
        assert list(_frame(table)["n"].dropna()) == [1, 2, 4]


def test_a_parquet_file_cannot_claim_that_its_strings_are_json(cluster: Callable[..., Result]) -> None:
    fields = [pa.field("text", pa.string()), pa.field("x", pa.string(), metadata=JSON_CELLS)]
    pq.write_table(pa.table([pa.array(TEXTS), pa.array(["{bad"] * 4)], schema=pa.schema(fields)), "odd.parquet")
    assert check_formats(cluster, "odd.parquet")["jsonl"] == ["{bad"] * 4


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("store_schema", [False, True])
def test_a_column_name_that_is_not_utf_8_is_refused(
    cluster: Callable[..., Result], nested: bool, store_schema: bool
) -> None:
    column = pa.array([{"xABCx": 1}] * 4) if nested else pa.array([1] * 4)
    name = "outer" if nested else "xABCx"
    pq.write_table(pa.table({"text": TEXTS, name: column}), "odd.parquet", store_schema=store_schema)
    Path("odd.parquet").write_bytes(Path("odd.parquet").read_bytes().replace(b"xABCx", b"x\xff\xfe\xfdx"))
    refused(cluster("odd.parquet"), "odd.parquet", "not UTF-8")


def test_a_text_of_parquet_that_is_not_utf_8_is_named_with_row_and_column(cluster: Callable[..., Result]) -> None:
    texts = [f"text number {n} here" for n in range(5_000)] + ["xABCx"]
    pq.write_table(pa.table({"text": texts}), "odd.parquet", compression="none", use_dictionary=False)
    Path("odd.parquet").write_bytes(Path("odd.parquet").read_bytes().replace(b"xABCx", b"x\xff\xfe\xfdx"))
    refused(cluster("odd.parquet"), "odd.parquet", "row 5001", 'column "text"', "UTF8")


def test_halves_of_surrogate_pairs_in_values_are_written(cluster: Callable[..., Result]) -> None:
    line = '{"text": "%s", "x": "a\\ud83d", "n": ["\\udc00"], "o": {"\\udc00": 1}}\n'
    Path("odd.jsonl").write_text("".join(line % text for text in TEXTS), encoding="utf-8")
    shown = check_formats(cluster, "odd.jsonl")
    assert shown["csv"] == ["a?"] * 4
    assert shown["jsonl"] == ["a\ud83d"] * 4
    assert cluster("odd.jsonl", output="out.parquet").exit_code == 0
    assert pq.read_table("out.parquet")["x"].to_pylist() == ["a?"] * 4


def test_half_of_a_surrogate_pair_in_a_key_is_refused_with_its_line(cluster: Callable[..., Result]) -> None:
    Path("odd.jsonl").write_text('{"text": "good day"}\n{"text": "bad", "k\\ud83d": 1}\n', encoding="utf-8")
    refused(cluster("odd.jsonl"), "odd.jsonl, line 2", "surrogate", hint="rename")


def test_a_file_whose_name_is_not_utf_8(cluster: Callable[..., Result]) -> None:
    name = b"caf\xe9.csv".decode("utf-8", "surrogateescape")
    Path(name).write_text("\n".join(["text", *TEXTS]), encoding="utf-8")
    check_formats(cluster, name)


def test_a_prefix_that_is_not_utf_8_is_refused_before_anything_is_computed(cluster: Callable[..., Result]) -> None:
    Path("good.csv").write_text("\n".join(["text", *TEXTS]), encoding="utf-8")
    result = cluster("good.csv", "--prefix", "\udcff")
    assert result.exit_code == 2, result.stderr
    assert "not Unicode" in result.stderr


# Many columns


def test_five_thousand_columns_are_read_in_linear_time(cluster: Callable[..., Result]) -> None:
    def seconds(n: int) -> float:
        header = ",".join(["text", *(f"c{i}" for i in range(n))])
        rows = [",".join([text, *map(str, range(n))]) for text in TEXTS]
        Path("wide.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
        start = time.process_time()
        assert read_corpus("wide.csv").text_columns == ("text",)
        return time.process_time() - start

    seconds(10)
    assert seconds(5_000) < 40 * max(seconds(500), 0.01)
    assert cluster("wide.csv").exit_code == 0
    result = cluster("wide.csv", "--text", "nope")
    assert result.exit_code == INPUT
    assert "c3, c4" in result.stderr
    assert "more" in result.stderr
    assert len(result.stderr) < 1_000


def test_a_bound_on_columns_is_told(cluster: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"c{i}" for i in range(10_001)]
    Path("wide.csv").write_text(",".join(names) + "\n" + ",".join(names) + "\n", encoding="utf-8")
    refused(cluster("wide.csv"), "wide.csv", "more than 10,000 columns")
    lines = [json.dumps({"text": "good day", f"k{i}": i}) for i in range(10_002)]
    Path("wide.jsonl").write_text("\n".join(lines), encoding="utf-8")
    refused(cluster("wide.jsonl"), "wide.jsonl, line 10000", "more than 10,000 columns", hint="nest")
    pq.write_table(pa.table({name: ["good day"] for name in names}), "wide.parquet")
    refused(cluster("wide.parquet"), "wide.parquet", "more than 10,000 columns")


def test_a_new_key_in_each_row_is_refused_or_read_in_linear_time() -> None:
    lines = [json.dumps({"text": f"the room was cold {i}", f"k{i}": i}) for i in range(2_000)]
    Path("keys.jsonl").write_text("\n".join(lines), encoding="utf-8")
    start = time.process_time()
    table = read_corpus("keys.jsonl").table
    assert time.process_time() - start < 10
    assert table.column("k1999").to_pylist()[-2:] == [None, "1999"]
    assert table.column("k0").null_count == 1_999
    lines = [json.dumps({"text": "good day", f"k{i}": i}) for i in range(6_000)]
    Path("keys.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match="6,001 different keys in 6,000 rows"):
        read_corpus("keys.jsonl")


# Cells and archives that fill the memory


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("big.csv", 'id,text\n1,fine\n2,"' + "a" * 1_100_000 + '"\n'),
        ("big.csv", "id,text\n1,fine\n2," + "a" * 1_100_000 + "\n"),
        ("big.csv", 'id,text\n1,fine\n2,"cold\n' + "3,a loud room\n" * 100_000),  # the quote is never closed
        ("big.tsv", "id\ttext\n1\tfine\n2\t" + "a" * 1_100_000 + "\n"),
        ("big.jsonl", '{"text": "fine"}\n{"text": "' + "a" * 1_100_000 + '"}\n'),
    ],
)
def test_a_cell_or_line_that_is_too_large_is_named(
    cluster: Callable[..., Result], name: str, content: str
) -> None:
    Path(name).write_text(content, encoding="utf-8", newline="")
    refused(cluster(name, "--max-cell", 1), name, "line", "more than 1 MB", hint="--max-cell 10")


def test_a_large_cell_is_read_when_that_is_asked_for() -> None:
    Path("big.csv").write_text("text\n" + "a" * 11_000_000 + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="more than 10 MB"):
        read_corpus("big.csv")
    assert len(read_corpus("big.csv", max_cell=12).texts[0]) == 11_000_000


def test_a_large_cell_of_parquet_is_named(cluster: Callable[..., Result]) -> None:
    pq.write_table(pa.table({"text": [*TEXTS, "ab" * 600_000]}), "big.parquet")
    result = cluster("big.parquet", "--max-cell", 1)
    refused(result, "big.parquet", 'column "text"', "more than 1 MB", hint="--max-cell 10")


def zst(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue().to_pybytes())


def zipped(data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.csv", data)
    return stream.getvalue()


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zst,
}


@pytest.mark.parametrize("line", [b"a b c d\n", b"a"])
@pytest.mark.parametrize("kind", [*COMPRESS, "zip"])
def test_an_archive_that_unpacks_to_too_much_is_refused(
    cluster: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, kind: str, line: bytes
) -> None:
    monkeypatch.setattr(limits, "FREE_TEXT_BYTES", 100_000)
    Path(f"bomb.csv.{kind}").write_bytes(
        (COMPRESS | {"zip": zipped})[kind](b"text\n" + line * (4_000_000 // len(line)))
    )
    refused(cluster(f"bomb.csv.{kind}"), f"bomb.csv.{kind}", "unpacks from", hint="unpack it yourself")


def repeated(value: str, n: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([value]))


PARQUET_BOMBS: dict[str, Callable[[], tuple[dict[str, Any], dict[str, Any]]]] = {  # columns, options of the writer
    "one text, many rows": lambda: ({"text": repeated("a" * 100_000, 5_000)}, {"store_schema": False}),
    "as a dictionary": lambda: ({"text": repeated("a" * 100_000, 5_000)}, {}),
    "long plain texts": lambda: ({"text": ["a" * 9_000_000] * 13}, {"use_dictionary": False}),
    "shared beginnings": lambda: (
        {"text": ["a" * 1_000_000] * 120},
        {"use_dictionary": False, "column_encoding": "DELTA_BYTE_ARRAY"},
    ),
    "in a list": lambda: ({"text": TEXTS, "x": [["b" * 9_000_000] * 3] * 4}, {}),
    "nulls in a list": lambda: (
        {"text": TEXTS, "x": pa.array([[], [], [], [None] * 15_000_000], pa.list_(pa.int64()))},
        {},
    ),
    "many rows": lambda: ({"text": repeated("good day", 16_000_000)}, {"row_group_size": 16_000_000}),
}


@pytest.mark.parametrize("kind", PARQUET_BOMBS)
def test_a_parquet_file_that_unpacks_to_too_much_is_refused(cluster: Callable[..., Result], kind: str) -> None:
    columns, options = PARQUET_BOMBS[kind]()
    pq.write_table(pa.table(columns), "bomb.parquet", compression="zstd", **options)
    refused(cluster("bomb.parquet"), "bomb.parquet", "unpacks from", hint="unpack it yourself")


@pytest.mark.parametrize("depth", [101, 900, 100_000])
def test_deeply_nested_json_is_refused(cluster: Callable[..., Result], depth: int) -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        nested = opening * depth + "1" + closing * depth
        Path("deep.jsonl").write_text('{"text": "a"}\n{"text": "b", "x": ' + nested + "}\n", encoding="utf-8")
        refused(cluster("deep.jsonl"), "deep.jsonl, line 2")


def test_json_nested_as_deep_as_is_allowed_is_written(cluster: Callable[..., Result]) -> None:
    nested = "[" * 98 + "1" + "]" * 98
    lines = [f'{{"text": "{text}", "y": {nested}}}' for text in TEXTS]
    Path("deep.jsonl").write_text("\n".join(lines), encoding="utf-8")
    check_formats(cluster, "deep.jsonl")


@pytest.mark.parametrize("place", ["inbedder_cli.corpus.read_corpus", "inbedder_cli.output.formats.write_table"])
@pytest.mark.parametrize("error", [MemoryError, pa.ArrowMemoryError])
def test_a_full_memory_is_exit_6_with_a_way_out(
    cluster: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, place: str, error: type[MemoryError]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error("realloc failed")

    Path("good.csv").write_text("\n".join(["text", *TEXTS]), encoding="utf-8")
    monkeypatch.setattr(place, fail)
    result = cluster("good.csv")
    assert result.exit_code == 6, result.stderr
    assert "out of memory" in result.stderr
    assert "--limit" in result.stderr
    assert not list(Path().glob("*out.jsonl*"))


def test_a_parquet_file_that_does_not_fit_into_the_memory_is_not_called_damaged(
    cluster: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Iterable[pa.RecordBatch]:
        raise pa.ArrowMemoryError("malloc failed")

    pq.write_table(pa.table({"text": TEXTS}), "good.parquet")
    monkeypatch.setattr("inbedder_cli.corpus.parquet._batches", fail)
    assert cluster("good.parquet").exit_code == 6


# Above the header, and between the frames of archives

ROWS = "".join(f"{n};{text}\n" for n, text in enumerate(TEXTS))


@pytest.mark.parametrize(
    "above",
    ["\n", "\n\r\n\n", "  \n\t\n", ";;\n", "\ufeff\n\n", "\ufeff", "\n" * 70_000, "\nsep=;\n", "sep=;\n\n"],
)
def test_blank_lines_above_the_header_are_skipped(cluster: Callable[..., Result], above: str) -> None:
    Path("blank.csv").write_text(f"{above}id;text\n{ROWS}", encoding="utf-8", newline="")
    assert check_formats(cluster, "blank.csv", "--id", "id", formats=("csv",))
    Path("blank.csv").write_text(f"{above}id;text\n1;fine\n2;bad;row\n", encoding="utf-8", newline="")
    line = above.count("\n") + 3
    refused(cluster("blank.csv"), f"row 2 (line {line}): 3 fields")


@pytest.mark.parametrize("kind", COMPRESS)
def test_members_of_archives_are_read_one_after_the_other(cluster: Callable[..., Result], kind: str) -> None:
    lines = [f"{line}\n".encode() for line in ["text", *TEXTS]]
    Path(f"parts.csv.{kind}").write_bytes(b"".join(map(COMPRESS[kind], lines)))
    check_formats(cluster, f"parts.csv.{kind}", formats=("csv",))


def test_skippable_frames_of_zstd_are_skipped(cluster: Callable[..., Result]) -> None:
    frames = [zst(f"{line}\n".encode()) for line in ["text", *TEXTS]]
    empty = struct.pack("<II", 0x184D2A5F, 0)
    Path("parts.csv.zst").write_bytes(b"".join(SKIPPABLE + empty + frame for frame in frames) + SKIPPABLE)
    check_formats(cluster, "parts.csv.zst", formats=("csv",))
    Path("parts.csv.zst").write_bytes(frames[0] + frames[1] + b"junk junk")
    refused(cluster("parts.csv.zst"), "parts.csv.zst", "zstd")


# Encodings


@pytest.mark.parametrize("mark", [True, False])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_encodings_are_known_by_their_mark_and_else_the_hint_can_be_followed(
    cluster: Callable[..., Result], encoding: str, mark: bool
) -> None:
    start = "\ufeff" if mark else ""
    Path("wide.csv").write_bytes(f"{start}id;text\n{ROWS}".encode(encoding))
    if mark:
        check_formats(cluster, "wide.csv", formats=("csv",))
        return
    result = cluster("wide.csv")
    refused(result, "wide.csv", "line 1", hint="--encoding utf-")
    named = result.stderr.split("--encoding ")[1].split()[0]
    check_formats(cluster, "wide.csv", "--encoding", named, formats=("csv",))


@pytest.mark.parametrize("encoding", ["cp037", "utf-7", "gb18030", "shift_jis"])
def test_other_encodings_are_read_when_named(cluster: Callable[..., Result], encoding: str) -> None:
    Path("odd.csv").write_bytes(f"id,text\n{ROWS.replace(';', ',')}".encode(encoding))
    check_formats(cluster, "odd.csv", "--encoding", encoding, formats=("csv",))


def test_escapes_of_surrogates_cannot_be_smuggled_in_by_an_encoding(cluster: Callable[..., Result]) -> None:
    Path("odd.csv").write_bytes(b"x,text\n" + b"".join(b"\\ud83d,%s\n" % text.encode() for text in TEXTS))
    assert check_formats(cluster, "odd.csv", "--encoding", "unicode_escape")["csv"] == ["?"] * 4


@pytest.mark.parametrize("encoding", ["idna", "punycode", "base64", "undefined", "klingon", "a\0b"])
def test_codecs_that_are_no_encodings_of_texts_are_no_crash(cluster: Callable[..., Result], encoding: str) -> None:
    Path("odd.csv").write_text(f"id,text\n{ROWS}".replace(";", ","), encoding="utf-8")
    assert cluster("odd.csv", "--encoding", encoding).exit_code in (0, INPUT)


def test_mixed_encodings_are_named_with_row_and_line(cluster: Callable[..., Result]) -> None:
    Path("mixed.csv").write_bytes('id,text\n1,"é\nb"\n'.encode() + b"2,caf\xe9\n")
    refused(cluster("mixed.csv"), "mixed.csv", "row 2", "line 4", "0xe9", hint="--encoding-errors fallback")
    Path("mixed.jsonl").write_bytes('{"text": "é"}\n'.encode() + b'{"text": "caf\xe9"}\n')
    refused(cluster("mixed.jsonl"), "mixed.jsonl, line 2", "0xe9", hint="--encoding-errors fallback")


def test_invisible_characters_of_column_names_are_shown_in_hints(cluster: Callable[..., Result]) -> None:
    Path("odd.csv").write_text("id,te\u200bxt\u202e\n1,cold\n", encoding="utf-8")
    result = cluster("odd.csv", "--text", "text")
    assert "columns: id, te\\u200bxt\\u202e" in result.stderr
    assert "\u202e" not in result.stderr


# Any damage


def seed_files() -> dict[str, bytes]:
    table = pa.table({"text": TEXTS * 20, "n": pa.array(range(80)), "x": [[1, None], None, [], [2]] * 20})
    files = {}
    for options in ({"compression": "zstd"}, {"compression": "none", "use_dictionary": False}):
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, row_group_size=30, **options)
        files[f"{options['compression']}.parquet"] = bytes(sink.getvalue().to_pybytes())
    plain = f"id,text\n{ROWS}".replace(";", ",").encode()
    files["x.csv"] = plain
    files["x.jsonl"] = b"".join(b'{"text": "%s", "n": [1, {"a": null}]}\n' % text.encode() for text in TEXTS)
    return files | {f"x.csv.{kind}": compress(plain) for kind, compress in COMPRESS.items()}


SEEDS = seed_files()
edits = st.lists(
    st.tuples(st.integers(0, 10**6), st.binary(max_size=4), st.integers(0, 6)), min_size=1, max_size=4
)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(SEEDS)), changes=edits)
def test_any_damaged_file_is_read_or_refused(name: str, changes: list[tuple[int, bytes, int]]) -> None:
    from inbedder_cli.output.cells import rows_as_json, rows_as_text, with_typed_columns

    data = SEEDS[name]
    for place, inserted, removed in changes:
        place %= len(data) + 1
        data = data[:place] + inserted + data[place + removed :]
    Path(name).write_bytes(data)
    try:
        corpus = read_corpus(name)
    except InputError as error:
        assert name in str(error)
        return
    assert len(list(rows_as_text(corpus.table))) == len(list(rows_as_json(corpus.table))) == len(corpus)
    with_typed_columns(corpus.table)


@pytest.mark.parametrize("field", [(6, 99), (10, 98)], ids=["of a later version", "of an unknown method"])
def test_a_zip_archive_that_python_cannot_read_is_an_input_error(inbedder, tmp_path, field):
    data = bytearray(zipped(b"text\nthe room was cold\n"))
    place, value = field
    data[data.rindex(b"PK\x01\x02") + place] = value
    (tmp_path / "x.csv.zip").write_bytes(data)
    result = inbedder("cluster", tmp_path / "x.csv.zip", "-i", "What?")
    assert result.exit_code == 5
    assert "x.csv.zip: not a readable zip archive" in result.stderr
