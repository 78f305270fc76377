"""Cells as text, as JSON and as typed columns."""

from __future__ import annotations

import base64
import datetime
import json
import os
import subprocess
import sys
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.corpus.jsonl import JSON_CELLS
from inbedder_cli.output.cells import rows_as_json, rows_as_text, with_typed_columns

few_examples = settings(deadline=None, max_examples=30)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=6,
)


def column(values, kind=None):
    return pa.table({"x": pa.array(values, kind)})


def json_column(cells, name="x"):
    field = pa.field(name, pa.string(), metadata=JSON_CELLS)
    return pa.table([pa.array(cells, pa.string())], schema=pa.schema([field]))


def texts(table):
    return [row[0] for row in rows_as_text(table)]


def parsed(table):
    """The rows' values, read by a parser that knows no NaN."""
    return [json.loads(row, parse_constant=pytest.fail).get("x", "absent") for row in rows_as_json(table)]


DAY = datetime.date(2024, 1, 5)
MOMENT = datetime.datetime(2024, 1, 5, 10, 30)


@pytest.mark.parametrize(
    ("value", "kind", "text", "as_json"),
    [
        (None, pa.string(), "", None),
        (None, pa.int64(), "", None),
        ("", None, "", ""),
        ('a "b"\n|<é☺', None, 'a "b"\n|<é☺', 'a "b"\n|<é☺'),
        (True, None, "true", True),
        (False, None, "false", False),
        (0, None, "0", 0),
        (2**62 + 1, None, str(2**62 + 1), 2**62 + 1),
        (2**64 - 1, pa.uint64(), str(2**64 - 1), 2**64 - 1),
        (0.1, None, "0.1", 0.1),
        (3.0, None, "3.0", 3.0),
        (DAY, None, "2024-01-05", "2024-01-05"),
        (datetime.time(10, 30), None, "10:30:00", "10:30:00"),
        (MOMENT, None, "2024-01-05 10:30:00", "2024-01-05 10:30:00"),
        (Decimal("1.50"), None, "1.50", "1.50"),
        ("é".encode(), None, "é", "é"),
        (b"\x00\xff", None, base64.b64encode(b"\x00\xff").decode(), base64.b64encode(b"\x00\xff").decode()),
        ([1, None, "x"][:2], None, "[1, null]", [1, None]),
        ({"a": [True], "b": None}, None, '{"a": [true], "b": null}', {"a": [True], "b": None}),
        ([DAY], None, '["2024-01-05"]', ["2024-01-05"]),
        ([b"\xff"], None, '["/w=="]', ["/w=="]),
    ],
)
def test_a_cell_as_text_and_as_json(value, kind, text, as_json):
    table = column([value], kind)
    assert texts(table) == [text]
    assert parsed(table) == [as_json]
    assert type(parsed(table)[0]) is type(as_json)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_does_not_know_is_null(value):
    assert parsed(column([value, 1.0])) == [None, 1.0]


@pytest.mark.parametrize("value", [[1.0, float("nan")], {"a": float("inf")}, [[float("-inf")]]])
def test_a_nested_number_that_json_does_not_know_is_null_too(value):
    found = parsed(column([value]))[0]
    assert "null" in json.dumps(found)


@few_examples
@given(values=st.lists(json_values, min_size=1, max_size=4))
def test_json_cells_go_out_as_they_came_in(values):
    cells = [json.dumps(v, ensure_ascii=False) for v in values]
    assert [row.removeprefix('{"x": ').removesuffix("}") for row in rows_as_json(json_column(cells))] == cells
    assert parsed(json_column(cells)) == values


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('"a\\nb"', "a\nb"),
        ("null", ""),
        (None, ""),
        ("true", "true"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1.5", "1.5"),
        ('{"a": [1, "é"]}', '{"a": [1, "é"]}'),
        ('"true"', "true"),
    ],
)
def test_a_json_cell_as_text(cell, text):
    assert texts(json_column([cell])) == [text]


def test_a_key_that_a_row_did_not_have_stays_away_but_a_null_stays():
    assert list(rows_as_json(json_column(["1", None, "null"]))) == ['{"x": 1}', "{}", '{"x": null}']


def test_rows_keep_their_order_over_batches_and_chunks():
    table = pa.concat_tables([column(range(3)), column(range(3, 10))])
    assert [row[0] for row in rows_as_text(table, batch_cells=2)] == [str(i) for i in range(10)]
    assert [json.loads(row)["x"] for row in rows_as_json(table, batch_cells=2)] == list(range(10))


def test_odd_column_names_are_quoted():
    assert list(rows_as_json(pa.table({'a "b"\n': [1]}))) == ['{"a \\"b\\"\\n": 1}']


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", None, "null"], pa.int64(), [1, None, None]),
        (["1", "2.5"], pa.float64(), [1, 2.5]),
        (["true", "false"], pa.bool_(), [True, False]),
        (['"a"', None], pa.string(), ["a", None]),
        (["[1, 2]", "[]"], pa.list_(pa.int64()), [[1, 2], []]),
        (["null", None], pa.null(), [None, None]),
    ],
)
def test_json_cells_of_one_type_become_a_typed_column(cells, kind, values):
    found = with_typed_columns(json_column(cells))
    assert found.schema.field("x").type == kind
    assert found.column("x").to_pylist() == values


@pytest.mark.parametrize(
    "cells",
    [
        ["1", '"a"'],
        ["true", "1"],
        ["2.5", "true"],
        ["[2.5]", "[true]"],
        [str(2**70)],
        [str(2**60 + 1), "0.5"],
        ['[1, "a"]'],
        ["[1]", '{"a": 1}'],
    ],
)
def test_json_cells_of_mixed_types_stay_json_texts(cells):
    assert with_typed_columns(json_column(cells)).column("x").to_pylist() == cells


def test_columns_that_have_a_type_keep_it():
    table = pa.table({"a": pa.array([1, None], pa.int16()), "b": pa.array(["x", None]).dictionary_encode()})
    assert with_typed_columns(table).schema == table.schema
    assert with_typed_columns(table).equals(table)


def test_times_in_nanoseconds_can_be_written_without_pandas(tmp_path):
    """Pandas is not among the package's dependencies."""
    (tmp_path / "pandas.py").write_text('raise ImportError("no pandas here")\n', encoding="utf-8")
    program = """
import pyarrow as pa
from inbedder_cli.output.cells import rows_as_json, rows_as_text
table = pa.table({"x": pa.array([1704450600000000001], pa.timestamp("ns"))})
print(list(rows_as_text(table)), list(rows_as_json(table)))
"""
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("10:30:00") == 2
