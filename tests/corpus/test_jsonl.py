from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.corpus import read_corpus
from inbedder_cli.corpus.json_document import read_json_lines
from inbedder_cli.corpus.jsonl import cell_value, has_json_cells
from inbedder_cli.corpus.layout import Layout
from inbedder_cli.corpus.opening import HEAD_BYTES, Opened
from inbedder_cli.errors import InputError
from inbedder_cli.output.cells import rows_as_json, rows_as_text

if TYPE_CHECKING:
    from pathlib import Path

KEYS = st.text(max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def opened(content: str | bytes) -> Opened:
    raw = content.encode() if isinstance(content, str) else content
    return Opened("x.jsonl", io.BytesIO(raw), raw[:HEAD_BYTES])


def round_trip(content: str | bytes) -> list[Any]:
    return [json.loads(row) for row in rows_as_json(read_json_lines(opened(content)).table)]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=4), min_size=1, max_size=5).filter(any), st.booleans())
def test_any_objects_come_out_as_they_came_in(records: list[dict[str, Any]], ascii_only: bool) -> None:
    lines = "".join(json.dumps(record, ensure_ascii=ascii_only) + "\n" for record in records)
    # As JSON texts, since True == 1 and 1 == 1.0 in Python.
    out = [json.dumps(row, sort_keys=True) for row in round_trip(lines)]
    assert out == [json.dumps(record, sort_keys=True) for record in records]


def test_a_missing_key_stays_missing_and_null_stays_null() -> None:
    lines = '{"a": null, "b": 1}\n{"a": "x"}\n{"c": []}\n'
    assert round_trip(lines) == [{"a": None, "b": 1}, {"a": "x"}, {"c": []}]


def test_only_empty_objects_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("{}\n{}\n")
    with pytest.raises(InputError):
        read_corpus(str(path))


def test_cells_are_marked_as_json() -> None:
    table = read_json_lines(opened('{"a": 1, "b": "x"}\n')).table
    assert [has_json_cells(field) for field in table.schema] == [True, True]
    assert [cell_value(cell) for cell in table.column("b").to_pylist()] == ["x"]
    assert cell_value(None) is None


def test_values_that_look_like_others_keep_their_type() -> None:
    lines = '{"a": "007", "b": "NA", "c": 12345678901234567890123, "d": 1.0, "e": true, "f": "true"}\n'
    assert list(rows_as_json(read_json_lines(opened(lines)).table)) == [lines.strip()]


def test_as_text_strings_are_bare_and_null_is_empty() -> None:
    table = read_json_lines(
        opened('{"a": "x", "b": null, "c": true, "d": [1, "y"], "e": 1.5}\n{"a": "z"}\n')
    ).table
    assert list(rows_as_text(table)) == [["x", "", "true", '[1, "y"]', "1.5"], ["z", "", "", "", ""]]


def test_blank_lines_between_objects_are_skipped_but_counted_as_lines() -> None:
    assert round_trip('\n{"a": 1}\n   \n\r\n{"a": 2}') == [{"a": 1}, {"a": 2}]
    with pytest.raises(InputError, match="line 4"):
        read_json_lines(opened('\n{"a": 1}\n\nnope\n'))


def test_a_byte_order_mark_is_not_part_of_the_first_object() -> None:
    assert round_trip(b'\xef\xbb\xbf{"a": 1}\n') == [{"a": 1}]


def test_line_separators_inside_strings_do_not_end_the_line() -> None:
    assert round_trip('{"a": "x\u2028y\x85z"}\n') == [{"a": "x\u2028y\x85z"}]


def test_another_encoding_is_read_when_named() -> None:
    for encoding in ("utf-16", "cp1252"):
        table = read_json_lines(
            opened('{"a": "é"}\r\n{"a": "ü"}\r\n'.encode(encoding)), Layout(encoding=encoding)
        ).table
        assert [json.loads(cell) for cell in table.column("a").to_pylist()] == ["é", "ü"]


def test_half_a_surrogate_pair_is_kept_or_refused_with_its_line() -> None:
    lines = '{"a": "fine"}\n{"a": "cut \\ud83d"}\n'
    try:
        rows = round_trip(lines)
    except InputError as error:
        assert "line 2" in str(error)
    else:
        assert rows == [{"a": "fine"}, {"a": "cut \ud83d"}]


def test_limit_reads_no_further_than_asked() -> None:
    table = read_json_lines(opened('{"a": 1}\n{"a": 2}\nnope\n'), limit=2).table
    assert table.column("a").to_pylist() == ["1", "2"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"a": 1', "bad JSON"),
        ("{'a': 1}", "bad JSON"),
        ('{"a": 1} {"a": 2}', "bad JSON"),
        ('{"a": 1e999}', "1e999"),
        ('{"a": ' + "9" * 5000 + "}", "bad JSON"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "bad JSON"),
        ("[1, 2]", "object is expected"),
        ('"x"', "object is expected"),
        ("null", "object is expected"),
        ('{"a": "\x01"}', "bad JSON"),
    ],
)
def test_a_line_that_is_no_object_is_named(line: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_json_lines(opened('{"a": 1}\n' + line + "\n"))
    assert str(caught.value).startswith("x.jsonl, line 2:")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nesting_that_can_be_read_can_be_written_too() -> None:
    for depth in (500, 900, 950, 990):
        line = '{"a": ' + "[" * depth + "]" * depth + "}\n"
        try:
            rows = list(rows_as_json(read_json_lines(opened(line)).table))
        except InputError as error:
            assert "line 1" in str(error)
        else:
            assert rows == [line.strip()]


def test_nothing_but_blank_lines_is_refused() -> None:
    with pytest.raises(InputError, match="no rows"):
        read_json_lines(opened("\n\n"))


def test_a_value_that_is_no_text_is_named_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    for value in ("[]", "{}"):
        path.write_text('{"id": 1, "text": "fine"}\n{"id": 2, "text": ' + value + "}\n")
        with pytest.raises(InputError) as caught:
            read_corpus(str(path), text=["text"])
        assert 'row 2, column "text"' in str(caught.value)


def test_a_stray_number_among_texts_is_read_as_one_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"text": "fine"}\n{"text": 404}\n{"text": "bad"}\n{"text": true}\n{"text": "good"}\n')
    corpus = read_corpus(str(path), text=["text"])
    assert corpus.texts == ["fine", "404", "bad", "true", "good"]
    assert any('2 cells of "text" not a text' in note and "row 2: 404" in note for note in corpus.notes)
    path.write_text('{"text": "fine"}\n{"text": 404}\n{"text": 405}\n')
    with pytest.raises(InputError, match=r"row 2.*holds a number"):
        read_corpus(str(path), text=["text"])


def test_a_value_that_is_no_text_is_named_with_its_row_in_the_file_even_in_a_sample(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps({"text": [5] if row == 20 else "fine"}) + "\n" for row in range(1, 21)))
    for seed in range(30):
        try:
            read_corpus(str(path), text=["text"], sample=5, seed=seed)
        except InputError as error:
            assert "row 20" in str(error)
            return
    raise AssertionError("no sample held row 20")


def test_null_and_missing_texts_are_rows_without_text(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"id": 7, "text": "fine day"}\n{"id": null, "text": null}\n{"id": "x"}\n{"text": "  "}\n')
    corpus = read_corpus(str(path), id_column="id")
    assert corpus.texts == ["fine day", "", "", ""]
    assert corpus.ids == ["7", "", "x", ""]
    assert corpus.format == "jsonl"
    assert corpus.delimiter is None
