"""Any table, in any format that can hold it, is read back the same: names, values, order, missing cells."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from inbedder_cli.corpus import read_corpus
from inbedder_cli.options import EXCEL_STYLE, CsvStyle
from inbedder_cli.output.cells import records
from inbedder_cli.output.formats import write_table

QUICK = settings(deadline=None, max_examples=40)
ALL = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
AWKWARD = st.sampled_from(
    ["", " ", '"', "'", ",", ";", "\t", "\r", "\n", "\r\n", "=1+1", "007", "NA", "null", "{", "é\u2028"]
)
VISIBLE = st.characters(exclude_categories=["Cs", "Cc"])  # many control characters make a text file binary
TEXTS = st.lists(st.text(ALL, max_size=6) | AWKWARD, max_size=3).map("".join)
CELLS = st.lists(st.text(VISIBLE, max_size=6) | AWKWARD, max_size=3).map("".join)
NAMES = st.lists(st.text(VISIBLE, min_size=1, max_size=6).filter(str.strip), max_size=3, unique=True).map(
    lambda names: ["text", *(name for name in names if name != "text")]
)
STYLES = {
    "csv": CsvStyle(),
    "semicolons": CsvStyle(";", "\r\n", has_mark=True),
    "bars": CsvStyle("|"),
    "tsv": CsvStyle("\t"),
    "excel": EXCEL_STYLE,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
ARROW = st.one_of(
    st.lists(st.none() | TEXTS, min_size=3, max_size=3).map(lambda values: pa.array(values, pa.string())),
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3).map(
        lambda values: pa.array(values, pa.int64())
    ),
    st.lists(st.none() | st.floats(), min_size=3, max_size=3).map(lambda values: pa.array(values, pa.float64())),
    st.lists(st.none() | st.booleans(), min_size=3, max_size=3).map(lambda values: pa.array(values, pa.bool_())),
    st.lists(st.none() | st.dates(), min_size=3, max_size=3).map(lambda values: pa.array(values, pa.date32())),
    st.lists(st.none() | st.lists(st.none() | TEXTS, max_size=2), min_size=3, max_size=3).map(
        lambda values: pa.array(values, pa.list_(pa.string()))
    ),
)


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Write a table to a file, and read it."""
    folder = tmp_path_factory.mktemp("tables")

    def read(table, name, format_name, style=None, **options):
        with (folder / name).open("wb") as stream:
            write_table(table, stream, format_name, style=style)
        return read_corpus(folder / name, text_template="{text}", require_text=False, **options)

    return read


@st.composite
def cells(draw):
    """Names, and rows of texts."""
    names = draw(NAMES)
    return names, draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), min_size=1, max_size=5))


def table_of(names, rows):
    return pa.table([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], names=names)


@pytest.mark.parametrize("style", STYLES)
@QUICK
@given(cells())
def test_csv(read, style, drawn):
    names, rows = drawn
    used = STYLES[style]
    suffix = "tsv" if style == "tsv" else "csv"
    corpus = read(table_of(names, rows), f"x.{suffix}", suffix, used, delimiter=used.delimiter)
    assert corpus.table.column_names == names
    assert [list(row.values()) for row in corpus.table.to_pylist()] == rows
    assert corpus.texts == [row[0].strip() for row in rows]


@QUICK
@given(cells().filter(lambda drawn: not ILLEGAL_CHARACTERS_RE.search(json.dumps(drawn, ensure_ascii=False))))
def test_xlsx(read, drawn):
    names, kept = drawn
    blank = [not any(row) for row in kept]
    if any(ILLEGAL_CHARACTERS_RE.search(cell) for row in [names, *kept] for cell in row) or all(blank):
        return
    corpus = read(table_of(names, kept), "x.xlsx", "xlsx")
    assert corpus.table.column_names == names
    expected = (
        kept if len(names) == 1 else [row for row, is_blank in zip(kept, blank, strict=True) if not is_blank]
    )
    while expected and not any(expected[-1]):  # a sheet ends with its last cell
        expected.pop()
    got = [list(row.values()) for row in corpus.table.to_pylist()]
    while got and not any(got[-1]):
        got.pop()
    assert got == expected


@pytest.mark.parametrize("format_name", ["jsonl", "json"])
@QUICK
@given(
    st.lists(
        st.dictionaries(TEXTS, JSON, max_size=3).map(lambda row: {"text": "fine"} | row), min_size=1, max_size=4
    )
)
def test_json(read, tmp_path_factory, format_name, rows):
    path = tmp_path_factory.mktemp("json") / f"x.{format_name}"
    lines = [json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) if format_name == "jsonl" else f"[{','.join(lines)}]")
    first = read_corpus(path, text_template="{text}", require_text=False)
    assert records(first.table) == rows  # keys that a row did not have stay away
    again = read(first.table, f"y.{format_name}", format_name)
    assert records(again.table) == rows


@QUICK
@given(st.dictionaries(TEXTS.filter(bool), ARROW, max_size=3))
def test_parquet(read, columns):
    table = pa.table({"text": pa.array(["fine", None, ""])} | columns)
    corpus = read(table, "x.parquet", "parquet")
    assert corpus.table.schema.equals(table.schema)
    assert repr(corpus.table.to_pylist()) == repr(table.to_pylist())  # NaN is NaN


@QUICK
@given(st.lists(st.text(VISIBLE, max_size=8).map(lambda text: "".join(text.splitlines())), min_size=1, max_size=6))
def test_lines(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("lines") / "x.txt"
    path.write_text("\n".join(texts) + "\n.\n", newline="", encoding="utf-8")
    corpus = read_corpus(path, input_format="lines", require_text=False)
    first = texts[0].lstrip("\ufeff")
    assert corpus.table.column("text").to_pylist() == [first, *texts[1:], "."]
