"""Workbooks that Excel, and openpyxl, can read again."""

from __future__ import annotations

import io
from datetime import datetime

import openpyxl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli import read_corpus
from inbedder_cli.errors import InputError
from inbedder_cli.output.excel import write_workbook


def written(text):
    stream = io.BytesIO()
    write_workbook(pa.table({"text": [text]}), stream)
    return openpyxl.load_workbook(stream).active["A2"].value


@pytest.mark.parametrize("character", ["\uffff", "\ufffe", "\x0b", "\x00"])
def test_what_xml_cannot_hold_is_left_out(character):
    assert written(f"a {character}b") == "a b"


@given(st.text(max_size=30))
@settings(deadline=None, max_examples=50)
def test_any_text_makes_a_workbook_that_can_be_read(text):
    written(text)


def sheet_of(columns):
    stream = io.BytesIO()
    write_workbook(pa.table(columns), stream)
    rows = list(openpyxl.load_workbook(io.BytesIO(stream.getvalue())).active.iter_rows())[1:]
    return [[cell.value for cell in row] for row in rows], [cell.number_format for cell in rows[0]]


def test_columns_of_numbers_and_dates_are_no_texts():
    values, formats = sheet_of(
        {
            "price": ["9.50", "12.00", ""],
            "rating": ["1", "-2", "0"],
            "day": ["2026-01-05", "2026-02-28", None],
            "at": ["2026-01-05 10:30:00", "2026-01-06 11:00:09", ""],
        }
    )
    assert values[0] == [9.5, 1, datetime(2026, 1, 5), datetime(2026, 1, 5, 10, 30)]
    assert values[2] == [None, 0, None, None]
    assert formats == ["0.00", "0", "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"]


@pytest.mark.parametrize(
    "text",
    [
        "007",
        "+49",
        "1e5",
        "1,000",
        "1" * 16,
        "2026-02-30",
        "1899-12-31",
        "٣",
        "nan",
        "-",
        "-0",
        "0.10",
        "2026-01-05T10:00",
    ],
)
def test_a_column_with_one_text_is_text(text):
    values, _ = sheet_of({"n": ["1", text], "day": ["2026-01-05", text]})
    assert values == [["1", "2026-01-05"], [text, text]]


def test_what_excel_would_show_otherwise_is_text():
    for column in (["1.1", "1.10"], ["1.5", "123456789.125"], ["2026-01-05", "2026-01-05 10:00"]):
        assert [value for (value,) in sheet_of({"n": column})[0]] == column
    values, _ = sheet_of({"cluster_label": ["2", "7"], "id": [10**18 + 1, 3], "version": ["1.5", "2"]})
    assert values == [["2", str(10**18 + 1), 1.5], ["7", 3, 2]]


def test_nested_cells_are_json_as_in_csv():
    values, _ = sheet_of({"tags": [["a"], []], "more": [{"a": None}, None]})
    assert values == [['["a"]', '{"a": null}'], ["[]", None]]


def test_names_that_are_one_in_excel_are_refused():
    with pytest.raises(InputError, match="two columns"):
        sheet_of({"a": ["x"], "a\x01": ["y"]})


def test_a_cell_that_its_escapes_make_too_long_is_refused():
    with pytest.raises(InputError, match="does not fit into Excel"):
        sheet_of({"text": [("x" * 48 + "\r\n") * 600]})


@pytest.mark.parametrize("text", ["_x0041_", "a\rb", "a\r\nb", "_x005F_", "x_y"])
def test_escapes_of_excel_are_texts(text, tmp_path):
    path = tmp_path / "x.xlsx"
    with path.open("wb") as stream:
        write_workbook(pa.table({"text": [text, "b c"]}), stream)
    assert read_corpus(path).texts[0] == text


@given(st.lists(st.integers(-(10**14), 10**14) | st.decimals(-1000, 1000, places=3), min_size=1))
@settings(deadline=None, max_examples=30)
def test_numbers_are_written_as_they_were(numbers):
    values, _ = sheet_of({"n": [str(number) for number in numbers]})
    assert [float(value) for (value,) in values] == [pytest.approx(float(number)) for number in numbers]
