"""JSON documents that hold a list of rows, and paths into nested cells."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inbedder_cli.corpus import read_corpus
from inbedder_cli.errors import InputError, UsageError

ROWS = [{"id": 1, "text": "The room was cold."}, {"id": 2, "text": "Lovely staff."}]
NESTED = [
    {"id": 1, "ticket": {"description": "The room was cold.", "tags": ["a"]}, "items": [{"text": "one"}]},
    {"id": 2, "ticket": {"description": "Lovely staff."}, "items": []},
]


@pytest.mark.parametrize(
    "document",
    [
        ROWS,
        {"data": ROWS},
        {"meta": {"n": 2, "tags": ["x"]}, "result": {"items": ROWS}},
        {"empty": [], "rows": ROWS},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_the_only_list_of_objects_holds_the_rows(tmp_path, document, indent):
    path = tmp_path / "x.json"
    path.write_text(json.dumps(document, indent=indent))
    corpus = read_corpus(path)
    assert corpus.texts == ["The room was cold.", "Lovely staff."]
    assert corpus.table.column_names == ["id", "text"]


@pytest.mark.parametrize(
    "document",
    [
        {"title": "An export", "reviews": ROWS},
        {"next": None, "hits": {"hits": ROWS}},
        {"title": "x" * 100_000, "reviews": ROWS},  # the first bytes do not hold the rows
    ],
)
def test_a_document_in_one_line_is_read_alike_without_a_suffix(tmp_path, document):
    for name in ("x.json", "x"):
        (tmp_path / name).write_text(json.dumps(document) + "\n")
    assert read_corpus(tmp_path / "x").texts == read_corpus(tmp_path / "x.json").texts == [r["text"] for r in ROWS]


@pytest.mark.parametrize(
    "row", [{"id": 1, "text": "cold room"}, {"text": "cold room", "tags": ["a"], "who": {"n": 1}}]
)
def test_one_object_without_a_suffix_is_a_row_of_json_lines(tmp_path, row):
    path = tmp_path / "x"
    path.write_text(json.dumps(row))
    assert read_corpus(path).texts == ["cold room"]
    assert read_corpus(path).format == "jsonl"


def test_json_lines_with_the_suffix_json_are_read_too(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("\n".join(map(json.dumps, ROWS)))
    assert len(read_corpus(path)) == 2


def test_of_several_lists_one_must_be_named(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"a": ROWS, "b": {"c": [{"text": "Another one here."}]}}))
    with pytest.raises(InputError, match="several lists") as caught:
        read_corpus(path)
    assert "a, b.c" in caught.value.hint
    assert read_corpus(path, json_path="b.c").texts == ["Another one here."]
    with pytest.raises(InputError, match=r'no list at "b\.d"') as caught:
        read_corpus(path, json_path="b.d")
    assert "b.c" in caught.value.hint
    with pytest.raises(UsageError, match="no path"):
        read_corpus(path, json_path="b..c")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "bad JSON"),
        ("[1, 2]", "row 1 is a number"),
        ('{"a": 1}', "no list of rows"),
        ("[]", "no rows"),
        ("[" * 200 + "]" * 200, "nested"),
    ],
)
def test_what_holds_no_rows_is_an_error_with_a_way_out(tmp_path, content, words):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(InputError, match=words) as caught:
        read_corpus(path)
    assert caught.value.hint


def test_texts_of_a_list_are_rows(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('["The room was cold.", "Lovely staff."]')
    assert read_corpus(path).texts == ["The room was cold.", "Lovely staff."]


@pytest.mark.parametrize("suffix", ["jsonl", "json", "parquet"])
def test_paths_lead_into_nested_cells(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(NESTED), path)
    else:
        path.write_text("\n".join(map(json.dumps, NESTED)))
    assert read_corpus(path, text="ticket.description").texts == ["The room was cold.", "Lovely staff."]
    assert read_corpus(path, text="items[0].text").texts == ["one", ""]
    filled = read_corpus(path, text_template="{ticket.description} ({id})", id_column="id")
    assert filled.texts[0] == "The room was cold. (1)"
    with pytest.raises(InputError, match=r'no cell has "ticket\.nothing"'):
        read_corpus(path, text="ticket.nothing")
    with pytest.raises(InputError, match="not text"):
        read_corpus(path, text="ticket")


def test_strings_stored_as_bytes_are_read(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"n": [1, 2], "text": pa.array([b"The room was cold.", "schön".encode()])}), path)
    assert read_corpus(path).texts == ["The room was cold.", "schön"]
    pq.write_table(pa.table({"text": pa.array([b"fine", b"\xff"])}), path)
    with pytest.raises(InputError, match=r"row 2.*not UTF-8"):
        read_corpus(path, text="text")


def test_a_text_column_without_spaces_is_guessed(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(
        "分類,感想\n不満,配送が三日も遅れて、箱も潰れていました。\n満足,とても良い品物で、また買います。\n"
    )
    assert read_corpus(path).text_columns == ("感想",)


@pytest.mark.parametrize("indent", [None, 1])
def test_a_document_is_none_of_json_lines_where_bad_rows_are_skipped(tmp_path, indent):
    path = tmp_path / "x.json"
    rows = [{"text": "good day"}, {"text": "bad day"}]
    path.write_text(json.dumps(rows, indent=indent))
    assert read_corpus(path, on_bad_row="skip").texts == ["good day", "bad day"]
    path.write_text('oops\n{"text": "good day"}\n')
    assert read_corpus(path, on_bad_row="skip").texts == ["good day"]


def test_more_cells_than_columns_are_an_error(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"columns": ["id", "text"], "data": [[1, "good day", "extra"], [2, "bad day"]]}')
    with pytest.raises(InputError, match='row 1 has 3 items, "columns" 2'):
        read_corpus(path)
