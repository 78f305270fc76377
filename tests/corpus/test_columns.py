from __future__ import annotations

import pyarrow as pa
import pytest

from inbedder_cli.corpus.columns import (
    column_values,
    fill_text_template,
    join_texts,
    row_ids,
    text_values,
)
from inbedder_cli.corpus.jsonl import JSON_CELLS
from inbedder_cli.errors import InputError, UsageError

LONG = ["the room was cold and loud", "staff ignored us the whole evening"]
SHORT = ["cold", "rude"]


def table(**columns: list[str | None]) -> pa.Table:
    return pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()})


def json_table(**columns: list[str | None]) -> pa.Table:
    fields = [pa.field(name, pa.string(), metadata=JSON_CELLS) for name in columns]
    return pa.table([pa.array(cells, pa.string()) for cells in columns.values()], schema=pa.schema(fields))


def test_an_unknown_column_lists_the_known_and_the_nearest() -> None:
    with pytest.raises(InputError, match='no column "txt"') as caught:
        column_values(table(id=SHORT, text=LONG), "txt", "x.csv")
    assert caught.value.hint == 'did you mean "text"? columns: id, text'


@pytest.mark.parametrize(
    "cells",
    [["1", "2"], ["007", ""], ["1.50", "-3e5"], ["1,000,000", "+.5"], ["true", "FALSE"], ["2024-01-05", "7"]],
)
def test_a_column_of_numbers_or_dates_is_no_text(cells: list[str | None]) -> None:
    with pytest.raises(InputError, match='column "n": holds numbers or dates') as caught:
        text_values(table(n=cells, text=["a", "b"]), "n", "x.csv")
    assert "n, text" in (caught.value.hint or "")


@pytest.mark.parametrize("cells", [["1", "fine"], ["5 stars", "4 stars"], ["NA", "1"], ["1-2", "3-4"], ["", None]])
def test_a_column_with_any_words_is_text(cells: list[str | None]) -> None:
    assert text_values(table(n=cells), "n", "x.csv") == cells


def test_several_columns_are_joined_by_a_line_break_without_the_empty_ones() -> None:
    columns = table(a=[" cold ", "", None, " "], b=["room\n", "loud", "x", ""])
    assert join_texts(columns, ["a", "b"], "x.csv") == ["cold\nroom", "loud", "x", ""]
    assert join_texts(columns, ["b", "a"], "x.csv")[0] == "room\ncold"


def test_json_strings_are_text_and_other_values_are_refused_with_their_row() -> None:
    columns = json_table(a=['"cold"', "null", None], b=['"x"', "2", "3"], c=['"x"', "[1]", '"z"'])
    assert join_texts(columns, ["a"], "x.jsonl") == ["cold", "", ""]
    with pytest.raises(InputError, match='row 2, column "b": holds a number'):
        join_texts(columns, ["b"], "x.jsonl")
    with pytest.raises(InputError, match='row 2, column "c": holds a list or object'):
        join_texts(columns, ["c"], "x.jsonl")


def test_a_template_is_filled_per_row() -> None:
    columns = table(title=[" Cold ", "", None], body=["the room", "loud", " "])
    texts, names = fill_text_template(columns, "{title}. {body}", "x.csv")
    assert texts == ["Cold. the room", ". loud", ""]
    assert names == ("title", "body")


def test_a_template_may_name_a_column_twice_and_hold_braces() -> None:
    texts, names = fill_text_template(table(a=["x", "{b}"]), "{{{a}}} {a} {{a}}", "x.csv")
    assert texts == ["{x} x {a}", "{{b}} {b} {a}"]
    assert names == ("a",)


def test_a_template_may_name_columns_of_numbers() -> None:
    columns = pa.table({"stars": [5, None], "text": ["good", "bad"]})
    assert fill_text_template(columns, "{stars}: {text}", "x.parquet")[0] == ["5: good", ": bad"]


def test_a_template_shows_json_values_as_the_csv_output_does() -> None:
    columns = json_table(a=['"x"', "1.5", "null", None], b=["true", "7", '"y"', "[1, null]"])
    assert fill_text_template(columns, "{a}/{b}", "x.jsonl")[0] == ["x/true", "1.5/7", "/y", "/[1, null]"]


def test_column_names_with_spaces_and_dots_can_be_named() -> None:
    columns = pa.table({"my title": ["x"], "a.b": ["y"], "n°": ["z"]})
    assert fill_text_template(columns, "{my title}-{a.b}-{n°}", "x.csv")[0] == ["x-y-z"]


def test_an_unknown_column_in_a_template_is_named() -> None:
    with pytest.raises(InputError, match='no column "titel"') as caught:
        fill_text_template(table(title=SHORT, body=LONG), "{titel}. {body}", "x.csv")
    assert 'did you mean "title"?' in (caught.value.hint or "")


@pytest.mark.parametrize(
    "template",
    ["{a:>10}", "{a!r}", "{a:{b}}", "no column", "{{a}}", "", "{a", "a}", "{a!}", "{a} {b:d}", "{a!s:5}"],
)
def test_a_template_that_is_more_or_less_than_column_names_is_refused(template: str) -> None:
    with pytest.raises(UsageError, match="--text-template") as caught:
        fill_text_template(table(a=SHORT, b=LONG), template, "x.csv")
    assert "{title}" in (caught.value.hint or "")


@pytest.mark.parametrize("template", ["{}", "{0}", "{a} {}"])
def test_a_template_without_a_name_in_its_braces_is_refused(template: str) -> None:
    with pytest.raises((UsageError, InputError)):
        fill_text_template(table(a=SHORT), template, "x.csv")


def test_ids_are_row_numbers_of_the_file_or_cells() -> None:
    columns = table(id=["a", "007", None])
    assert row_ids(columns, None, "x.csv", range(3)) == ["1", "2", "3"]
    assert row_ids(columns, None, "x.csv", [4, 7, 9]) == ["5", "8", "10"]
    assert row_ids(columns, "id", "x.csv", range(3)) == ["a", "007", ""]


def test_an_unknown_id_column_is_named() -> None:
    with pytest.raises(InputError, match='no column "ids"') as caught:
        row_ids(table(id=SHORT), "ids", "x.csv", range(2))
    assert 'did you mean "id"?' in (caught.value.hint or "")


def test_bytes_are_texts_wherever_a_column_is_named() -> None:
    stored = pa.table({"key": [b"K0", None], "title": pa.array([b"Caf\xc3\xa9", b"x"]).dictionary_encode()})
    assert row_ids(stored, "key", "x.parquet", range(2)) == ["K0", ""]
    assert fill_text_template(stored, "The {title}", "x.parquet")[0] == ["The Café", "The x"]
    images = pa.table({"image": [b"\xff\xd8", b"K0"]})
    assert row_ids(images, "image", "x.parquet", range(2)) == ["/9g=", "SzA="]
