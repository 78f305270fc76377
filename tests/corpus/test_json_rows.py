"""The shapes in which rows stand in JSON documents."""

from __future__ import annotations

import json

import pytest

from inbedder_cli.corpus import read_corpus
from inbedder_cli.corpus.json_rows import JsonRows
from inbedder_cli.errors import InputError

ROWS = [{"id": 1, "text": "late again"}, {"id": 2, "text": "works well"}]
CELLS = [[1, "late again"], [2, "works well"]]


@pytest.mark.parametrize(
    "document",
    [
        ROWS,
        {"data": ROWS},
        {"meta": {"n": 2}, "data": {"items": ROWS}},
        [["id", "text"], *CELLS],
        {"columns": ["id", "text"], "index": [0, 1], "data": CELLS},
        {"id": [1, 2], "text": ["late again", "works well"]},
        {"id": {"0": 1, "1": 2}, "text": {"0": "late again", "1": "works well"}},
        {"schema": {"fields": [{"name": "id"}, {"name": "text"}]}, "data": ROWS},
    ],
)
def test_every_shape_gives_the_rows(document):
    assert JsonRows("x.json").of([document]) == ROWS


def test_rows_by_key_get_a_column_for_it():
    rows = JsonRows("x.json")
    assert rows.of([{"a": ROWS[0], "b": ROWS[1]}]) == [{"key": "a"} | ROWS[0], {"key": "b"} | ROWS[1]]
    assert rows.notes == ['rows by key (column "key")']


def test_several_documents_are_rows_or_pages_of_rows():
    assert JsonRows("x.json").of(ROWS) == ROWS
    assert JsonRows("x.json").of([[ROWS[0]], [ROWS[1]]]) == ROWS
    assert JsonRows("x.json").of([["id", "text"], *CELLS]) == ROWS
    assert JsonRows("x.json", "data").of([{"data": [ROWS[0]]}, {"data": [ROWS[1]]}]) == ROWS


def test_lists_without_names_get_them():
    unnamed = [{"column_1": 1, "column_2": "late again"}, {"column_1": 2, "column_2": "works well"}]
    assert JsonRows("x.json").of([CELLS]) == unnamed
    assert JsonRows("x.json", header=False).of([[["a", "b"]]]) == [{"column_1": "a", "column_2": "b"}]
    with pytest.raises(InputError, match="row 1 has 3 items"):
        JsonRows("x.json").of([[["id", "text"], [1, "late", "again"]]])


def test_one_object_of_texts_is_one_row_and_the_path_may_lead_to_an_object():
    assert JsonRows("x.json").of([{"text": "late again"}]) == [{"text": "late again"}]
    assert JsonRows("x.json", "a.b").of([{"a": {"b": {"text": ["x", "y"]}}}]) == [{"text": "x"}, {"text": "y"}]


@pytest.mark.parametrize("document", [{"a": ROWS, "b": ROWS}, {"n": 1}, 5, None])
def test_what_holds_no_rows_or_several_lists_is_refused(document):
    with pytest.raises(InputError) as caught:
        JsonRows("x.json").of([document])
    assert caught.value.hint


def test_texts_in_objects_are_guessed_where_nothing_else_is_a_text(tmp_path):
    path = tmp_path / "x.json"
    tweets = [
        {"tweet": {"id_str": f"{i}", "lang": "en", "full_text": f"the parcel is late {i}"}} for i in range(3)
    ]
    path.write_text("window.YTD.tweets.part0 = " + json.dumps(tweets, indent=1))
    corpus = read_corpus(path)
    assert corpus.text_columns == ("tweet.full_text",)
    assert corpus.texts[2] == "the parcel is late 2"
    assert any("window.YTD.tweets.part0 =" in note for note in corpus.notes)


def test_texts_in_parts_are_joined_and_said(tmp_path):
    path = tmp_path / "x.json"
    parts = ["see ", {"type": "link", "text": "http://x.de"}, " please"]
    path.write_text(json.dumps({"messages": [{"text": "late"}, {"text": parts}]}))
    corpus = read_corpus(path)
    assert corpus.texts == ["late", "see http://x.de please"]
    assert any('the parts of 1 cell of "text" are joined' in note for note in corpus.notes)
    path.write_text(json.dumps({"messages": [{"text": "late"}, {"text": ["a", {"url": "b"}]}]}))
    with pytest.raises(InputError, match="a list or object"):
        read_corpus(path)
