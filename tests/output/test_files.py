"""Tables and documents on disk and on standard output: whole, or not at all."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import stat
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.corpus.jsonl import JSON_CELLS
from inbedder_cli.errors import InbedderError, UsageError
from inbedder_cli.options import TableFormat
from inbedder_cli.output.files import (
    check_target,
    format_of,
    markdown_table,
    open_output,
    standard_output,
    whole_file,
    write_json,
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


def listing(folder):
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize(
    ("wanted", "asked", "delimiter"),
    [
        (TableFormat.csv, None, ","),
        (TableFormat.csv, ";", ";"),
        (TableFormat.tsv, None, "\t"),
        (TableFormat.tsv, ";", "\t"),
    ],
)
def test_delimited_tables_are_read_back_as_they_were(wanted, asked, delimiter):
    data = written(table_of(), wanted, delimiter=asked)
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
    data = written(table, TableFormat.csv, delimiter=delimiter)
    assert read_delimited(data, delimiter) == [["a", "b"], *([a, b] for a, b in cells)]


@pytest.mark.parametrize("wanted", [TableFormat.csv, TableFormat.tsv])
def test_a_carriage_return_in_a_cell_survives_a_delimited_table(wanted):
    data = written(pa.table({"a": ["x\ry", "x\r\ny"], "b": ["", "z"]}), wanted)
    delimiter = "," if wanted is TableFormat.csv else "\t"
    assert read_delimited(data, delimiter) == [["a", "b"], ["x\ry", ""], ["x\r\ny", "z"]]


def test_an_empty_cell_of_a_single_column_is_still_a_row():
    data = written(pa.table({"a": ["", None, "x"]}), TableFormat.csv)
    assert read_delimited(data, ",") == [["a"], [""], [""], ["x"]]


def test_json_lines_are_read_back_as_they_were():
    lines = written(table_of(), TableFormat.jsonl).decode().splitlines()
    assert [json.loads(line) for line in lines] == ROWS
    assert type(json.loads(lines[0])["cluster"]) is int
    assert "é☺" in lines[2]


def test_parquet_is_read_back_as_it_was():
    assert pq.read_table(io.BytesIO(written(table_of(), TableFormat.parquet))).equals(table_of())


def json_table(cells):
    field = pa.field("x", pa.string(), metadata=JSON_CELLS)
    return pa.table([pa.array(cells, pa.string())], schema=pa.schema([field]))


def test_json_cells_are_typed_in_parquet():
    found = pq.read_table(io.BytesIO(written(json_table(["1", None]), TableFormat.parquet)))
    assert found.column("x").to_pylist() == [1, None]


@pytest.mark.parametrize("cell", ["{}", '{"a": {}}', "[{}]"])
def test_empty_json_objects_can_be_written_to_parquet(cell):
    found = pq.read_table(io.BytesIO(written(json_table([cell]), TableFormat.parquet))).column("x").to_pylist()
    assert found in ([cell], [json.loads(cell)])


def test_objects_of_different_keys_keep_their_keys_in_parquet():
    cells = ['{"a": 1}', '{"b": 2}']
    found = pq.read_table(io.BytesIO(written(json_table(cells), TableFormat.parquet))).column("x").to_pylist()
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
        assert [unescaped(c.strip()) for c in cells] == [" ".join(c.split()) for c in row]


def test_a_table_as_markdown():
    lines = written(table_of(), TableFormat.markdown).decode().splitlines()
    assert lines[0] == "| id | text | cluster | share |"
    assert lines[2] == '| 007 | say "hi", all of you | 3 | 0.25 |'
    assert lines[3] == "| 1.50 |  |  |  |"


@pytest.mark.parametrize("wanted", [TableFormat.csv, TableFormat.tsv, TableFormat.jsonl, TableFormat.markdown])
def test_a_table_without_rows_can_be_written(wanted):
    data = written(table_of([]), wanted)
    assert data.count(b"\n") == {TableFormat.jsonl: 0, TableFormat.markdown: 2}.get(wanted, 1)


def test_a_document_is_one_line_ended_json_value():
    stream = io.BytesIO()
    write_json({"a": "é", "b": [1, None]}, stream)
    assert stream.getvalue().endswith(b"}\n")
    assert "é".encode() in stream.getvalue()
    assert json.loads(stream.getvalue()) == {"a": "é", "b": [1, None]}


def test_a_document_never_holds_what_is_not_json():
    with pytest.raises(ValueError, match="JSON"):
        write_json({"a": float("nan")}, io.BytesIO())


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
    assert format_of(Path(name)) == TableFormat(wanted)


@pytest.mark.parametrize("name", ["x", "x.xlsx", "x.csv.gz", ".csv"])
def test_an_unknown_suffix_is_a_usage_problem(name):
    with pytest.raises(UsageError, match="no format has the suffix") as caught:
        format_of(Path(name))
    assert ".parquet" in caught.value.hint


def test_a_target_is_checked_before_any_work(tmp_path):
    there = tmp_path / "there.csv"
    there.touch()
    check_target(None, force=False)
    check_target(tmp_path / "new.csv", force=False)
    check_target(there, force=True)
    with pytest.raises(UsageError, match="exists already") as caught:
        check_target(there, force=False)
    assert "--force" in caught.value.hint
    with pytest.raises(UsageError, match="is a folder"):
        check_target(tmp_path, force=True)
    with pytest.raises(InbedderError, match="there is no folder") as missing:
        check_target(tmp_path / "gone" / "x.csv", force=False)
    assert "mkdir -p" in missing.value.hint


def test_a_target_in_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InbedderError, match="is not writable"):
        check_target(tmp_path / "x.csv", force=False)


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "x.csv"
    with whole_file(path) as stream:
        stream.write(b"a,b\n")
        stream.flush()
        assert not path.exists()
    assert path.read_bytes() == b"a,b\n"
    assert listing(tmp_path) == ["x.csv"]


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), InbedderError("bad")])
@pytest.mark.parametrize("before", [None, b"old"])
def test_an_exception_leaves_nothing_behind_and_an_existing_file_as_it_was(tmp_path, error, before):
    path = tmp_path / "x.csv"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(type(error)) as caught, whole_file(path) as stream:
        stream.write(b"new")
        raise error
    assert caught.value is error
    assert listing(tmp_path) == ([] if before is None else ["x.csv"])
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("step", ["fsync", "replace", "write"])
@pytest.mark.parametrize("before", [None, b"old"])
def test_a_full_disk_leaves_nothing_behind_and_an_existing_file_as_it_was(tmp_path, monkeypatch, step, before):
    path = tmp_path / "x.csv"
    if before is not None:
        path.write_bytes(before)

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if step != "write":
        monkeypatch.setattr(*{"fsync": (os, "fsync", full), "replace": (Path, "replace", full)}[step])
    with pytest.raises(InbedderError, match=r"cannot write .*: No space left on device") as caught:
        with whole_file(path) as stream:
            stream.write(b"new")
            if step == "write":
                full()
    assert caught.value.exit_code == 1
    assert caught.value.hint == "nothing was written"
    monkeypatch.undo()
    assert listing(tmp_path) == ([] if before is None else ["x.csv"])
    assert before is None or path.read_bytes() == before


def test_a_folder_that_went_away_is_told(tmp_path):
    with pytest.raises(InbedderError, match="cannot write"):
        with whole_file(tmp_path / "gone" / "x.csv") as stream:
            stream.write(b"new")


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_a_new_file_gets_the_rights_that_the_umask_leaves(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        with whole_file(tmp_path / "x.csv") as stream:
            stream.write(b"new")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.csv").stat().st_mode) == mode


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no devices here")
def test_a_device_is_written_to_and_stays_a_device():
    with whole_file(Path("/dev/null")) as stream:
        stream.write(b"new")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_a_full_device_is_told_like_a_full_disk():
    with pytest.raises(InbedderError, match="cannot write /dev/full: No space left on device"):
        with whole_file(Path("/dev/full")) as stream:
            stream.write(b"new")


def test_without_a_path_standard_output_is_written_and_stays_open(capfdbinary):
    with open_output(None) as stream:
        write_table(table_of(), stream, TableFormat.csv)
    with open_output(None) as stream:
        stream.write(b"more\n")
    assert capfdbinary.readouterr().out == written(table_of(), TableFormat.csv) + b"more\n"


def test_with_a_path_a_file_is_written(tmp_path):
    with open_output(tmp_path / "x.json") as stream:
        write_json({"a": 1}, stream)
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": 1}


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, InbedderError), (errno.EPIPE, BrokenPipeError)])
def test_standard_output_that_cannot_be_written_is_told_but_a_closed_pipe_passes(monkeypatch, number, kind):
    def refuse():
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=SimpleNamespace(flush=refuse)))
    with pytest.raises(kind), standard_output():
        pass
