"""Which column holds the texts: by its name, by its words, or not guessed at all."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from inbedder_cli import read_corpus
from inbedder_cli.corpus.jsonl import JSON_CELLS
from inbedder_cli.corpus.text_guess import guess_text_column
from inbedder_cli.errors import InputError

LONG = ["the room was cold and loud", "staff ignored us the whole evening"]
SHORT = ["cold", "rude"]


def table(**columns: list[str | None]) -> pa.Table:
    return pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()})


@pytest.mark.parametrize("name", ["text", "Text", " REVIEW ", "comments", "body", "feedback", "answer"])
def test_a_column_is_guessed_by_its_name(name: str) -> None:
    assert guess_text_column(table(**{"id": ["1", "2"], "title": LONG, name: SHORT}), "x.csv") == name


def test_a_column_is_guessed_by_its_words_when_no_name_helps() -> None:
    assert guess_text_column(table(id=["1", "2"], where=["Room 12", "bar"], what=LONG), "x.csv") == "what"


def test_a_single_column_is_the_text_however_short() -> None:
    assert guess_text_column(table(words=SHORT), "x.csv") == "words"


def test_the_only_column_with_words_is_the_text() -> None:
    assert guess_text_column(table(n=["1", "2.5"], day=["2024-01-05", ""], w=["cold room", "x y"]), "x") == "w"


def test_numbers_under_a_text_name_are_passed_over() -> None:
    assert guess_text_column(table(answer=["1", "2"], what=LONG), "x.csv") == "what"


@pytest.mark.parametrize(
    "columns",
    [
        {"text": LONG, "comment": LONG},
        {"left": LONG, "right": LONG},
        {"left": SHORT, "right": SHORT},
        {"a": ["one two three", "four five six"], "b": ["one", "two"]},
    ],
)
def test_two_candidates_are_refused_with_the_list_of_columns(columns: dict[str, list[str | None]]) -> None:
    with pytest.raises(InputError, match=r"^x\.csv: more than one column could be the text") as caught:
        guess_text_column(table(**columns), "x.csv")
    assert f"columns: {', '.join(columns)}" in (caught.value.hint or "")
    assert "--text" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "columns",
    [
        {"n": ["1", "2"], "m": ["3", "4"]},
        {"day": ["2024-01-05", "2024-01-05T10:00:00Z"], "share": ["5%", "1,000.5"]},
        {"text": [None, ""], "n": ["1", "2"]},
        {"code": ["A", "B"], "n": ["1", "2"]},
    ],
)
def test_no_candidate_is_refused_with_the_list_of_columns(columns: dict[str, list[str | None]]) -> None:
    with pytest.raises(InputError, match=r"^x\.csv: no text column found") as caught:
        guess_text_column(table(**columns), "x.csv")
    assert f"columns: {', '.join(columns)}" in (caught.value.hint or "")


@pytest.mark.parametrize("moment", ["2026/01/31 3:12:01 PM GMT+1", "31.01.2026 15:12", "1/31/2026, 3:12 PM"])
def test_times_with_words_in_them_are_no_texts(moment: str) -> None:
    assert (
        guess_text_column(table(Timestamp=[moment, moment], words=["it was cold", "we liked it"]), "x") == "words"
    )


def nested(*cells: object, **columns: list[str]) -> pa.Table:
    field = pa.field("row", pa.string(), metadata=JSON_CELLS)
    made = pa.table([pa.array([json.dumps(cell) for cell in cells])], schema=pa.schema([field]))
    for name, values in columns.items():
        made = made.append_column(name, pa.array(values))
    return made


def test_texts_in_objects_are_guessed_where_nothing_else_is_a_text() -> None:
    tweets = [{"id": str(i), "lang": "en", "full_text": text} for i, text in enumerate(LONG)]
    assert guess_text_column(nested(*tweets), "x") == "row.full_text"
    assert guess_text_column(nested(*tweets, index=["reviews", "reviews"]), "x") == "row.full_text"
    assert guess_text_column(nested({"id": "a", "what": LONG[0]}, {"id": "b", "what": LONG[1]}), "x") == "row.what"
    assert guess_text_column(nested(*tweets, title=LONG), "x") == "title"
    with pytest.raises(InputError, match="no text column") as caught:
        guess_text_column(nested({"a": LONG[0], "b": LONG[1]}), "x")
    assert "row.a, row.b" in (caught.value.hint or "")


def test_lines_above_the_header_are_suspected(tmp_path):
    path = tmp_path / "export.csv"
    path.write_text("Customer survey 2024,,\n,,\nid,text,score\n0,Cold,5\n1,Nice,5\n")
    with pytest.raises(InputError) as refused:
        read_corpus(path)
    assert refused.value.hint.startswith("is the header further down (skip_rows)? or name a column")
