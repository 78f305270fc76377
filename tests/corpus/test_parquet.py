from __future__ import annotations

import datetime
import decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inbedder_cli.corpus import read_corpus
from inbedder_cli.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ["The room was cold.", None, "Lovely breakfast, thanks!"]


def written(path: Path, table: pa.Table, **options: object) -> str:
    pq.write_table(table, path, **options)
    return str(path)


def test_every_column_stays_as_it_came(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array([7, 2**62, None], pa.int64()),
            "text": pa.array(TEXTS, pa.string()),
            "code": pa.array(["NA", "null", "007"]),
            "when": pa.array([datetime.date(2024, 1, 5), None, datetime.date(1, 1, 1)]),
            "price": pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("-0.01")]),
            "tags": pa.array([["a", "b"], [], None]),
            "nested": pa.array([{"x": 1, "y": "z"}, None, {"x": None, "y": None}]),
            "raw": pa.array([b"\x00\xff", None, b""]),
        }
    )
    corpus = read_corpus(written(tmp_path / "x.parquet", table), id_column="id")
    assert corpus.format == "parquet"
    assert corpus.delimiter is None
    assert corpus.table.equals(table)
    assert corpus.texts == ["The room was cold.", "", "Lovely breakfast, thanks!"]
    assert corpus.ids == ["7", str(2**62), ""]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_every_kind_of_string_is_text(tmp_path: Path, kind: pa.DataType) -> None:
    column = pa.array(TEXTS, pa.string())
    column = column.dictionary_encode() if pa.types.is_dictionary(kind) else column.cast(kind)
    corpus = read_corpus(written(tmp_path / "x.parquet", pa.table({"text": column, "n": [1, 2, 3]})))
    assert corpus.texts == ["The room was cold.", "", "Lovely breakfast, thanks!"]


@pytest.mark.parametrize("name", ["x.parquet", "x.pq", "x.PARQUET", "no_suffix", "x.dat"])
def test_parquet_is_detected_by_suffix_or_content(tmp_path: Path, name: str) -> None:
    corpus = read_corpus(written(tmp_path / name, pa.table({"text": TEXTS})))
    assert corpus.format == "parquet"
    assert len(corpus) == 3


def test_parquet_named_csv_is_read_and_said(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", pa.table({"text": TEXTS}))
    corpus = read_corpus(path)
    assert (len(corpus), corpus.format) == (3, "parquet")
    assert any("parquet by its content" in note for note in corpus.notes)
    assert len(read_corpus(path, input_format="parquet")) == 3


@pytest.mark.parametrize("limit", [1, 3, 4, 7, 10, 99])
def test_limit_takes_the_first_rows_over_row_groups(tmp_path: Path, limit: int) -> None:
    table = pa.table({"id": list(range(10)), "text": [f"text number {n} here" for n in range(10)]})
    path = written(tmp_path / "x.parquet", table, row_group_size=3)
    corpus = read_corpus(path, limit=limit, id_column="id")
    assert corpus.ids == [str(n) for n in range(min(limit, 10))]
    assert corpus.table.equals(table.slice(0, limit))


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "x.parquet", pa.table({"text": pa.array([], pa.string())}))
    with pytest.raises(InputError, match="no rows"):
        read_corpus(path)


def test_a_column_of_numbers_is_no_text(tmp_path: Path) -> None:
    path = written(tmp_path / "x.parquet", pa.table({"n": [1.5], "text": ["good day"]}))
    with pytest.raises(InputError, match="double") as caught:
        read_corpus(path, text=["n"])
    assert 'column "n"' in str(caught.value)
    assert "n, text" in (caught.value.hint or "")


def test_a_column_of_nothing_but_nulls_has_no_texts(tmp_path: Path) -> None:
    path = written(tmp_path / "x.parquet", pa.table({"text": pa.nulls(2), "n": [1, 2]}))
    with pytest.raises(InputError, match="all texts are empty"):
        read_corpus(path, text=["text"])


def test_columns_of_the_same_name_are_no_crash(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["good day"]), pa.array(["bad day"])], names=["text", "text"])
    with pytest.raises(InputError, match="more than once"):
        read_corpus(written(tmp_path / "x.parquet", table), text=["text"])


@pytest.mark.parametrize("cut", [4, 20, -9, -1])
def test_a_cut_file_is_refused(tmp_path: Path, cut: int) -> None:
    whole = tmp_path / "whole.parquet"
    written(whole, pa.table({"text": TEXTS}))
    path = tmp_path / "x.parquet"
    path.write_bytes(whole.read_bytes()[:cut])
    with pytest.raises(InputError, match="not a readable Parquet file") as caught:
        read_corpus(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_damaged_inside_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = pa.table({"text": [f"text number {n} here" for n in range(500)]})
    written(path, table, compression="zstd", use_dictionary=False)
    raw = bytearray(path.read_bytes())
    raw[60:200] = b"\xaa" * 140
    path.write_bytes(bytes(raw))
    with pytest.raises(InputError, match="not a readable Parquet file"):
        read_corpus(str(path))


def test_a_column_that_the_schema_has_not_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"text": ["a", "b"], "tags": [["x"], ["y"]]}), path)
    before, _, after = path.read_bytes().rpartition(b"element")
    path.write_bytes(before + b"elemenu" + after)
    with pytest.raises(InputError, match="not a readable Parquet file"):
        read_corpus(str(path))


def test_text_that_is_not_utf_8_inside_parquet_is_no_crash(tmp_path: Path) -> None:
    bad = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\x05\0\0\0"), pa.py_buffer(b"caf\xe9s")]
    )
    path = written(tmp_path / "x.parquet", pa.table({"text": bad}))
    with pytest.raises(InputError):
        read_corpus(path, text=["text"])
