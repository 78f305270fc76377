"""Rows in batches: the same as those of the whole file, and no more in memory than a batch."""

from __future__ import annotations

import json
import weakref
from contextlib import closing

import pyarrow as pa
import pytest

from inbedder_cli.corpus import grid, jsonl, lines
from inbedder_cli.corpus.layout import Layout
from inbedder_cli.corpus.opening import open_input
from inbedder_cli.corpus.readers import reader_of
from inbedder_cli.errors import InputError

CELLS = 12
OBJECTS = [{"id": i, "text": f"text {i}"} | ({"late": [i]} if i > 30 else {}) for i in range(40)]
FILES = {
    "plain.csv": "id,text\n" + "".join(f'{i},"text, {i}"\n' for i in range(40)),
    "joined.csv": ("id,text\n" + "".join(f"{i},t\n" for i in range(20))) * 3,
    "only headers.csv": "id,text\n" * 20,
    "empty ends.csv": "id,text,,\n" + "".join(f"{i},t,,\n" for i in range(40)),
    "late cell.csv": "id,text,,\n" + "".join(f"{i},t,{'x' if i == 39 else ''},\n" for i in range(40)),
    "joined, a late cell.csv": ("id,text,,\n" + "".join(f"{i},t,{'x' if i == 19 else ''},\n" for i in range(20)))
    * 2,
    "ragged.csv": "id,text\n" + "".join(f"{i}\n\n{i},t,,\n" for i in range(20)),
    "tabs.tsv": "id\ttext\n" + "".join(f"{i}\tt\n" for i in range(40)),
    "one column.csv": "text\n" + "text\n\n" * 20,
    "lines.txt": "".join(f"This is the text number {i}.\n" for i in range(40)),
    "late key.jsonl": "".join(json.dumps(each) + "\n" for each in OBJECTS),
    "lines.json": "".join(json.dumps(each) + "\n" for each in OBJECTS),
    "document.json": json.dumps({"data": OBJECTS}),
}


def read(path, layout=None, *, in_parts):
    with closing(open_input(str(path))) as opened:
        reader, _ = reader_of(opened, layout or Layout())
        if not in_parts:
            return reader.read(opened, layout or Layout(), None)
        rows = reader.stream(opened, layout or Layout())
        batches = list(rows.batches)
        table = pa.concat_tables([rows.finished(batch) for batch in batches])
        return table, rows.notes(), rows.bad_rows, rows.style, batches


@pytest.fixture
def small_batches(monkeypatch):
    make_batches_small(monkeypatch)


def make_batches_small(monkeypatch):
    for module, name in ((grid, "CHUNK_CELLS"), (jsonl, "BATCH_CELLS"), (lines, "BATCH_LINES")):
        monkeypatch.setattr(module, name, CELLS)


@pytest.mark.parametrize("name", FILES)
def test_batches_are_the_rows_of_the_whole_file(tmp_path, monkeypatch, name):
    path = tmp_path / name
    path.write_text(FILES[name])
    whole = read(path, in_parts=False)
    make_batches_small(monkeypatch)
    again = read(path, in_parts=False)
    table, notes, bad_rows, style, batches = read(path, in_parts=True)
    for each in (again.table, table):
        assert each.schema.equals(whole.table.schema, check_metadata=True)
        assert each.to_pylist() == whole.table.to_pylist()
    assert list(notes) == list(again.notes) == list(whole.notes)
    assert (list(bad_rows), style) == (list(whole.bad_rows), whole.style)
    assert len(batches) > 2
    assert max(batch.num_rows * batch.num_columns for batch in batches) <= CELLS + 2


def test_rows_that_are_left_out_are_counted_over_all_batches(tmp_path, small_batches):
    path = tmp_path / "in.csv"
    path.write_text("id,text\n" + "".join(f"{i},t\n{i},t,u\n" for i in range(20)))
    layout = Layout(on_bad_row="skip")
    table, notes, bad_rows, *_ = read(path, layout, in_parts=True)
    assert table.num_rows == len(bad_rows) == 20
    assert "20 rows left out (first: line 3, 3 fields where the header has 2)" in notes


@pytest.mark.parametrize(
    ("name", "last", "where"),
    [("in.csv", "40,t,u\n", "row 41, line 42"), ("in.csv", '40,"t\n', "line 42"), ("in.jsonl", "[]\n", "line 41")],
)
def test_a_bad_row_is_told_with_its_place_in_the_file(tmp_path, small_batches, name, last, where):
    path = tmp_path / name
    csv = "id,text\n" + "".join(f"{i},t\n" for i in range(40))
    path.write_text((csv if name == "in.csv" else "".join(json.dumps(o) + "\n" for o in OBJECTS)) + last)
    with pytest.raises(InputError, match=r"in\.\w+, ") as caught:
        read(path, in_parts=True)
    assert where in str(caught.value).replace(" (line 42)", ", line 42")


@pytest.mark.parametrize("name", ["plain.csv", "late key.jsonl", "lines.txt"])
def test_batches_are_not_kept(tmp_path, small_batches, name):
    path = tmp_path / name
    path.write_text(FILES[name])
    with closing(open_input(str(path))) as opened:
        batches = reader_of(opened, Layout())[0].stream(opened, Layout()).batches
        seen = [weakref.ref(batch) for batch in batches]
    assert len(seen) > 2
    assert [each() for each in seen[:-1]] == [None] * (len(seen) - 1)
