"""Workbooks that Excel, and openpyxl, can read again."""

from __future__ import annotations

import io

import openpyxl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
