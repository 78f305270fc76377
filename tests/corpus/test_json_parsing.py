"""JSON as programs write it, and nothing that is run."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.corpus import read_corpus
from inbedder_cli.corpus.json_parsing import JsonParser
from inbedder_cli.errors import InputError

ROWS = [{"text": "see http://x.de, ok // no /* comment */ ,]"}, {"text": 'he said "late"'}]
TEXTS = [row["text"] for row in ROWS]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
@pytest.mark.parametrize(
    "content",
    [
        LINES,
        "\n\n" + LINES.replace("\n", "\n\n"),
        LINES.replace("}\n", "},\n"),
        LINES.replace('{"', '\x1e{"'),
        LINES.replace("\n", ""),
        "\n".join(json.dumps(row, indent=2) for row in ROWS),
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        json.dumps(ROWS)[:-1] + ", ]",
        "[\n" + LINES.replace("}\n", "}, // a row\n") + "]\n/* the end",
        "// an export\n" + json.dumps(ROWS),
        ")]}',\n" + json.dumps(ROWS),
        "var data = " + json.dumps(ROWS) + ";\n",
        "window['YTD'] = " + json.dumps(ROWS),
        "callback(" + json.dumps(ROWS) + ");",
        "\ufeff" + json.dumps(ROWS),
        json.dumps(TEXTS),
        "".join(json.dumps(text) + "\n" for text in TEXTS),
    ],
)
def test_json_as_programs_write_it_is_read(tmp_path, suffix, content):
    path = tmp_path / f"x.{suffix}"
    path.write_text(content, encoding="utf-8")
    assert read_corpus(path, text="text").texts == TEXTS


def test_nan_and_infinity_are_missing_and_counted(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"text": "late", "n": NaN}\n{"text": "fine", "n": -Infinity}\n')
    corpus = read_corpus(path)
    assert corpus.table.column("n").to_pylist() == ["null", "null"]
    assert any("2 times NaN or Infinity" in note for note in corpus.notes)


@pytest.mark.parametrize(
    "content", ["[{'text': 'late'}]", '[{"text": alert(1)}]', '[{"text": "late"', "f(x)([1])"]
)
def test_what_is_no_json_is_refused_by_its_own_error(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(InputError, match="bad JSON"):
        read_corpus(path)


def test_python_is_told_from_json(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("{'text': 'late'}\n{'text': 'fine'}\n")
    with pytest.raises(InputError, match="bad JSON") as caught:
        read_corpus(path)
    assert "literal_eval" in caught.value.hint


def test_lines_that_are_no_objects_are_left_out_when_asked_and_kept_as_they_were(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"text": "late"}\n{"text": "fi\n[1]\n{"text": "fine"}\n')
    with pytest.raises(InputError, match="line 2"):
        read_corpus(path)
    corpus = read_corpus(path, on_bad_row="skip")
    assert corpus.texts == ["late", "fine"]
    assert [(bad.line, bad.content) for bad in corpus.bad_rows] == [(2, '{"text": "fi'), (3, "[1]")]
    assert "object is expected" in corpus.bad_rows[1].reason
    assert any("2 rows left out (first: line 2" in note for note in corpus.notes)


@pytest.mark.parametrize("piece", ['"', '"\\"', "/*", "//", ",", ",\n", "[,", "a.", "a['b']", "\\"])
def test_a_long_text_that_is_no_json_is_refused_in_no_time(piece):
    start = time.perf_counter()
    with pytest.raises(InputError):
        JsonParser("x").values("[" + piece * 100_000, "")
    assert time.perf_counter() - start < 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(JSON, min_size=1, max_size=4), st.sampled_from(["\n", " ", ",\n", ""]))
def test_values_between_comments_are_what_was_written(values, separator):
    texts = [json.dumps(value, ensure_ascii=False) for value in values]
    if separator == "" or " " in separator:  # 12 and "a" cannot touch
        texts = [f"[{text}]" for text in texts]
        values = [[value] for value in values]
    document = "// a comment, [\n" + separator.join(texts) + "/* another ]"
    assert JsonParser("x").values(document, "") == values


@pytest.mark.parametrize(
    ("name", "content", "where"),
    [
        ("x.jsonl", '{"text": "late"}\n{"text": "lost", "text": "kept"}\n', '"text", line 2'),
        ("x.jsonl", '{"text": "lost", "text": "kept"}\n{"text": "late"}\n', '"text", line 1'),
        ("x.json", '[{"text": "lost", "text": "kept"}, // a remark\n{"text": "late"}]', '"text")'),
    ],
)
def test_a_key_that_an_object_has_more_than_once_is_said(tmp_path, name, content, where):
    path = tmp_path / name
    path.write_text(content)
    corpus = read_corpus(path)
    assert sorted(corpus.texts) == ["kept", "late"]
    (note,) = [note for note in corpus.notes if "more than once" in note]
    assert note.startswith("1 object with a key more than once")
    assert where in note
