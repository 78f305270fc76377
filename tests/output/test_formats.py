"""Tables in every format, and formats that others add."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.corpus.jsonl import JSON_CELLS
from inbedder_cli.errors import UsageError
from inbedder_cli.options import EXCEL_STYLE, CsvStyle
from inbedder_cli.output.cells import rows_as_text
from inbedder_cli.output.formats import (
    CONTROL,
    FORMATS,
    Format,
    check_format,
    format_names,
    format_of,
    markdown_table,
    register_format,
    write_table,
)

few_examples = settings(deadline=None, max_examples=30)
awkward = st.text(st.sampled_from("ab ,;\t\"'\n|<>\\é☺#`&"), max_size=8)
ROWS = [
    {"id": "007", "text": 'say "hi", all\nof you', "cluster": 3, "share": 0.25},
    {"id": "1.50", "text": "", "cluster": None, "share": None},
    {"id": "NA", "text": "tab\there; | < é☺ \\n", "cluster": -1, "share": 1e-7},
]


def table_of(rows=ROWS):
    kinds = [("id", pa.string()), ("text", pa.string()), ("cluster", pa.int64()), ("share", pa.float64())]
    return pa.Table.from_pylist(rows, pa.schema(kinds))


def written(table, wanted, **options):
    stream = io.BytesIO()
    write_table(table, stream, wanted, **options)
    assert not stream.closed
    return stream.getvalue()


def read_delimited(data, delimiter):
    return list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter, strict=True))


@pytest.mark.parametrize(
    ("wanted", "asked", "delimiter"),
    [
        ("csv", None, ","),
        ("csv", ";", ";"),
        ("tsv", None, "\t"),
        ("tsv", ";", "\t"),
    ],
)
def test_delimited_tables_are_read_back_as_they_were(wanted, asked, delimiter):
    data = written(table_of(), wanted, style=CsvStyle(asked) if asked else None)
    expected = [
        ["id", "text", "cluster", "share"],
        ["007", 'say "hi", all\nof you', "3", "0.25"],
        ["1.50", "", "", ""],
        ["NA", "tab\there; | < é☺ \\n", "-1", "1e-07"],
    ]
    assert read_delimited(data, delimiter) == expected
    assert not data.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in data


@few_examples
@given(cells=st.lists(st.tuples(awkward, awkward), max_size=5), delimiter=st.sampled_from(",;\t|"))
def test_any_text_survives_a_delimited_table(cells, delimiter):
    table = pa.table({"a": pa.array([a for a, _ in cells], pa.string()), "b": [b for _, b in cells]})
    data = written(table, "csv", style=CsvStyle(delimiter))
    assert read_delimited(data, delimiter) == [["a", "b"], *([a, b] for a, b in cells)]


@pytest.mark.parametrize("wanted", ["csv", "tsv"])
def test_a_carriage_return_in_a_cell_survives_a_delimited_table(wanted):
    data = written(pa.table({"a": ["x\ry", "x\r\ny"], "b": ["", "z"]}), wanted)
    delimiter = "," if wanted == "csv" else "\t"
    assert read_delimited(data, delimiter) == [["a", "b"], ["x\ry", ""], ["x\r\ny", "z"]]


def test_an_empty_cell_of_a_single_column_is_still_a_row():
    data = written(pa.table({"a": ["", None, "x"]}), "csv")
    assert read_delimited(data, ",") == [["a"], [""], [""], ["x"]]


def test_json_lines_are_read_back_as_they_were():
    lines = written(table_of(), "jsonl").decode().splitlines()
    assert [json.loads(line) for line in lines] == ROWS
    assert type(json.loads(lines[0])["cluster"]) is int
    assert "é☺" in lines[2]


def test_parquet_is_read_back_as_it_was():
    assert pq.read_table(io.BytesIO(written(table_of(), "parquet"))).equals(table_of())


def json_table(cells):
    field = pa.field("x", pa.string(), metadata=JSON_CELLS)
    return pa.table([pa.array(cells, pa.string())], schema=pa.schema([field]))


def test_json_cells_are_typed_in_parquet():
    found = pq.read_table(io.BytesIO(written(json_table(["1", None]), "parquet")))
    assert found.column("x").to_pylist() == [1, None]


@pytest.mark.parametrize("cell", ["{}", '{"a": {}}', "[{}]"])
def test_empty_json_objects_can_be_written_to_parquet(cell):
    found = pq.read_table(io.BytesIO(written(json_table([cell]), "parquet"))).column("x").to_pylist()
    assert found in ([cell], [json.loads(cell)])


def test_objects_of_different_keys_keep_their_keys_in_parquet():
    cells = ['{"a": 1}', '{"b": 2}']
    found = pq.read_table(io.BytesIO(written(json_table(cells), "parquet"))).column("x").to_pylist()
    assert found in (cells, [json.loads(c) for c in cells])


def test_a_markdown_table_escapes_what_would_break_it():
    text = markdown_table(["a|b", "c"], [["x | y", "<b>\nbold\r\n</b>"], ["back\\slash \\|", " a  b "], ["", ""]])
    assert text == (
        "| a\\|b | c |\n"
        "| --- | --- |\n"
        "| x \\| y | &lt;b> bold &lt;/b> |\n"
        "| back\\\\slash \\\\\\| | a b |\n"
        "|  |  |\n"
    )


def test_a_markdown_table_has_no_link_image_or_code_of_a_cell():
    text = markdown_table(["a"], [["![x](http://tracker/x.png) [y](javascript:z) `|`"]])
    assert text.splitlines()[-1] == r"| !\[x\](http://tracker/x.png) \[y\](javascript:z) \`\|\` |"


def test_a_markdown_table_holds_nothing_that_a_terminal_obeys():
    assert (
        markdown_table(["a"], [["\x1b[31mred\x1b]0;title\x07 \x9b1m"]]).splitlines()[-1]
        == r"| \[31mred \]0;title 1m |"
    )


def unescaped(cell):
    return re.sub(r"\\(.)", r"\1", cell).replace("&lt;", "<")


@few_examples
@given(rows=st.lists(st.lists(awkward, min_size=2, max_size=2), max_size=4))
def test_a_markdown_table_is_read_back_but_for_its_white_space(rows):
    lines = markdown_table(["a", "b"], rows).split("\n")
    assert lines[:2] == ["| a | b |", "| --- | --- |"]
    assert lines[-1] == ""
    assert len(lines) == len(rows) + 3
    for line, row in zip(lines[2:], rows, strict=False):
        cells = re.findall(r"((?:[^|\\]|\\.)*)\|", line)[1:]
        assert [unescaped(c.strip()) for c in cells] == [" ".join(CONTROL.sub(" ", c).split()) for c in row]


def test_a_table_as_markdown():
    lines = written(table_of(), "markdown").decode().splitlines()
    assert lines[0] == "| id | text | cluster | share |"
    assert lines[2] == '| 007 | say "hi", all of you | 3 | 0.25 |'
    assert lines[3] == "| 1.50 |  |  |  |"


@pytest.mark.parametrize("wanted", ["csv", "tsv", "jsonl", "markdown"])
def test_a_table_without_rows_can_be_written(wanted):
    data = written(table_of([]), wanted)
    assert data.count(b"\n") == {"jsonl": 0, "markdown": 2}.get(wanted, 1)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("x.csv", "csv"),
        ("x.TSV", "tsv"),
        ("x.json", "json"),
        ("x.jsonl", "jsonl"),
        ("x.ndjson", "jsonl"),
        ("x.md", "markdown"),
        ("a.b.parquet", "parquet"),
        ("x.pq", "parquet"),
    ],
)
def test_the_suffix_tells_the_format(name, wanted):
    assert format_of(Path(name)) == wanted


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("x", ".parquet"),
        ("x.ods", ".parquet"),
        (".csv", ".parquet"),
        ("x.csv.gz", "| gzip >"),
        ("x.HTML", "--report FILE.html"),
    ],
)
def test_an_unknown_suffix_is_a_usage_problem(name, hint):
    with pytest.raises(UsageError, match="no format has the suffix") as caught:
        format_of(Path(name))
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["ods", "CSV", ""])
def test_an_unknown_name_is_refused_with_those_that_are_right(name):
    with pytest.raises(UsageError, match=f'unknown format "{name}"') as caught:
        check_format(name)
    assert "table, csv, tsv, json, jsonl, markdown, parquet" in caught.value.hint
    assert [check_format(known) for known in format_names()] == ["table", *FORMATS]


def test_json_without_a_document_is_a_list_of_rows():
    assert json.loads(written(table_of(), "json")) == ROWS


def test_json_with_a_document_is_the_document():
    assert json.loads(written(table_of(), "json", document=lambda: {"rows": 3})) == {"rows": 3}


def test_formats_without_documents_write_the_rows():
    for name in ("csv", "tsv", "jsonl", "markdown", "parquet"):
        assert written(table_of(), name, document=lambda: {"rows": 3}) == written(table_of(), name)


# A format from outside the package


def write_psv(table, stream, **_):
    for cells in [table.column_names, *rows_as_text(table)]:
        stream.write("|".join(cells).encode() + b"\n")


@pytest.fixture
def psv():
    """The format "psv", known for the time of one test."""
    register_format(Format("psv", (".psv",), write_psv))
    yield
    FORMATS.unregister("psv")


@pytest.fixture
def four_rows(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("id,text\n1,cold room\n2,kind staff\n3,lovely\n4,broken lock\n")
    np.save(tmp_path / "vectors.npy", np.repeat(np.eye(2, 4, dtype=np.float32), 2, axis=0) + np.eye(4) / 9)
    return ("cluster", path, "--vectors", tmp_path / "vectors.npy", "-k", "2", "--no-stability")


def test_a_registered_format_is_written_by_its_suffix(inbedder, psv, four_rows, tmp_path):
    result = inbedder(*four_rows, "-o", tmp_path / "out.psv", "--clusters", tmp_path / "clusters.PSV")
    assert result.exit_code == 0, result.stderr
    lines = (tmp_path / "out.psv").read_text().splitlines()
    assert lines[0].startswith("id|text|cluster|cluster_label|")
    assert [line.split("|")[:2] for line in lines[1:3]] == [["1", "cold room"], ["2", "kind staff"]]
    assert (tmp_path / "clusters.PSV").read_text().startswith("cluster|label|size|share|")


def test_a_registered_format_is_written_by_its_name(inbedder, psv, four_rows):
    assert inbedder(*four_rows, "--format", "psv").stdout.startswith("id|text|cluster|cluster_label|")


def test_an_unknown_format_is_refused_with_a_suggestion(inbedder, four_rows, psv):
    result = inbedder(*four_rows, "--format", "psvv")
    assert result.exit_code == 2
    assert 'unknown format "psvv"' in result.stderr
    assert 'did you mean "psv"? use one of: table, csv' in result.stderr


def test_a_binary_format_is_refused_on_a_terminal(inbedder, four_rows, monkeypatch):
    from inbedder_cli.cli import destinations

    monkeypatch.setattr(
        destinations.sys, "stdout", type("Terminal", (io.StringIO,), {"isatty": lambda self: True})()
    )
    with pytest.raises(
        UsageError, match="parquet is a binary format and cannot be printed on a terminal"
    ) as caught:
        destinations.check_terminal("parquet", None)
    assert "-o FILE.parquet" in caught.value.hint
    for name, output in (("csv", None), ("table", None), (None, None), ("parquet", Path("x.parquet"))):
        destinations.check_terminal(name, output)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (Format("table", (), write_psv), "format of terminals"),
        (Format("psv", ("psv",), write_psv), "must be in lower case and start with a dot"),
        (Format("psv", (".csv",), write_psv), 'belongs to the format "csv"'),
    ],
)
def test_a_format_that_would_be_ambiguous_is_not_registered(made, reason):
    with pytest.raises(ValueError, match=reason):
        register_format(made)
    assert "psv" not in FORMATS


def test_a_format_can_be_replaced():
    csv_format = FORMATS["csv"]
    try:
        register_format(Format("csv", (".csv",), write_psv))
        assert written(pa.table({"a": ["1"], "b": ["2"]}), "csv") == b"a|b\n1|2\n"
    finally:
        register_format(csv_format)


def test_a_format_whose_package_is_missing_is_refused_before_any_work(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="the format xlsx needs openpyxl") as caught:
        format_of(Path("x.xlsx"))
    assert "pip install" in caught.value.hint


FORMULAS = ["=1+1", "+cmd|x", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "- nice staff", "+49 170 12"]
KEPT = ["-5", "+1.5", "-1,234.50", "-5 %", "-2e-3", "a=b", "", "'=1", "5 - 3"]


@pytest.mark.parametrize("wanted", ["csv", "tsv"])
def test_formulas_are_escaped_only_when_asked_and_numbers_never(wanted):
    table = pa.table({"=text": FORMULAS + KEPT})
    plain = written(table, wanted)
    escaped = written(table, wanted, style=CsvStyle(escapes_formulas=True))
    delimiter = "\t" if wanted == "tsv" else ","
    assert [row[0] for row in read_delimited(plain, delimiter)] == ["=text", *FORMULAS, *KEPT]
    assert [row[0] for row in read_delimited(escaped, delimiter)] == [
        f"'{cell}" for cell in ["=text", *FORMULAS]
    ] + KEPT


def test_csv_for_excel_is_its_unicode_text():
    data = written(table_of(), "csv", style=EXCEL_STYLE)
    assert data.startswith(b"\xff\xfe")
    lines = list(csv.reader(io.StringIO(data.decode("utf-16"), newline=""), delimiter="\t", strict=True))
    assert lines[0] == ["id", "text", "cluster", "share"]
    assert lines[3][1] == ROWS[2]["text"]
    assert data.decode("utf-16").endswith("\r\n")
