from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.corpus import read_corpus
from inbedder_cli.corpus.delimited import read_csv
from inbedder_cli.corpus.delimiters import guess_delimiter
from inbedder_cli.corpus.layout import Layout
from inbedder_cli.corpus.opening import HEAD_BYTES, Opened
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import CsvStyle
from inbedder_cli.output.formats import write_table

if TYPE_CHECKING:
    from pathlib import Path

QUICK = settings(deadline=None, max_examples=50)
ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=10)
PRINTABLE = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), include_characters="\r\n\t") | st.sampled_from('",;|\r\n'),
    max_size=10,
)
NAMES = st.lists(ANY_TEXT, min_size=1, max_size=4, unique=True).filter(
    lambda n: not n[0].startswith("\ufeff") and all(map(str.strip, n))
)


def opened(content: str | bytes) -> Opened:
    raw = content.encode() if isinstance(content, str) else content
    return Opened("x.csv", io.BytesIO(raw), raw[:HEAD_BYTES])


def rows_of(table: pa.Table) -> list[list[str]]:
    return [list(row.values()) for row in table.to_pylist()]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    header = draw(NAMES)
    width = len(header)
    return header, draw(st.lists(st.lists(ANY_TEXT, min_size=width, max_size=width), min_size=1, max_size=5))


@pytest.mark.parametrize(
    "cell",
    [
        *("NA", "N/A", "null", "NULL", "None", "nan", "007", "+1", "1.50", "1e5", "-0", "true", "TRUE"),
        *(
            "12345678901234567890123",
            "2024-01-05",
            "05/01/2024",
            " padded ",
            "0x1F",
            "=1+1",
            "'",
            "\\N",
            "é\u2028x",
        ),
    ],
)
def test_cells_stay_the_strings_they_were(cell: str) -> None:
    table = read_csv(opened(f"id,cell\n1,{cell}\n")).table
    assert rows_of(table) == [["1", cell]]
    assert table.schema.field("cell").type == pa.string()


def test_an_empty_cell_is_an_empty_string_not_null() -> None:
    table = read_csv(opened('a,b\n,""\n')).table
    assert rows_of(table) == [["", ""]]


def test_quoted_line_breaks_and_quotes_are_kept() -> None:
    table = read_csv(opened('a,b\r\n1,"one\r\ntwo\rthree\nfour ""five"""\r\n')).table
    assert rows_of(table) == [["1", 'one\r\ntwo\rthree\nfour "five"']]


def test_the_last_line_needs_no_line_end() -> None:
    table = read_csv(opened("a,b\n1,2\n3,4")).table
    assert rows_of(table) == [["1", "2"], ["3", "4"]]


def test_blank_lines_of_a_one_column_file_are_rows_without_text() -> None:
    table, notes, *_ = read_csv(opened("text\ngood\n\nbad\n\n"))
    assert rows_of(table) == [["good"], [""], ["bad"], [""]]
    assert notes == []


def test_blank_lines_of_a_wider_file_are_skipped_and_counted() -> None:
    table, notes, *_ = read_csv(opened("a,b\n\n1,2\n\r\n3,4\n\n"))
    assert rows_of(table) == [["1", "2"], ["3", "4"]]
    assert notes == ["3 blank lines skipped"]


def test_skipped_blank_lines_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,text\n1,good day\n\n2,bad day\n")
    corpus = read_corpus(str(path))
    assert corpus.ids == ["1", "2"]
    assert any("1 blank" in note and "skipped" in note for note in corpus.notes)


def test_a_blank_line_before_the_header_does_not_become_the_header() -> None:
    try:
        table = read_csv(opened("\nid,text\n1,good\n")).table
    except InputError as error:
        assert "line 1" in str(error) or "header" in str(error)
        assert "fields where the header has 0" not in str(error)
    else:
        assert rows_of(table) == [["1", "good"]]


def test_two_byte_order_marks_are_dropped() -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        table = read_csv(opened("\ufeffid,text\n1,good\n".encode(encoding))).table
        assert table.column_names == ["id", "text"]


def test_excels_own_delimiter_line_is_obeyed_and_skipped() -> None:
    table, _, _, used, _ = read_csv(opened("sep=;\nid;text\n1;good, indeed\n"))
    assert (used.delimiter, rows_of(table)) == (";", [["1", "good, indeed"]])
    with pytest.raises(InputError, match=r"row 1 \(line 3\)"):
        read_csv(opened("sep=;\nid;text\n1;good;bad\n"))


def test_a_byte_order_mark_is_not_part_of_the_header() -> None:
    table = read_csv(opened(b"\xef\xbb\xbfid,text\n1,good\n")).table
    assert table.column_names == ["id", "text"]
    quoted = read_csv(opened(b'\xef\xbb\xbf"id","text"\n1,good\n')).table
    assert quoted.column_names == ["id", "text"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "UTF_16", "utf-32"])
def test_utf_16_is_read_when_named(encoding: str) -> None:
    raw = 'id;text\r\n1;"über\r\nalles"\r\n2;漢字\u0a0d\u0d0a\r\n'.encode(encoding)
    table, _, _, used, _ = read_csv(opened(raw), Layout(encoding=encoding))
    assert used.delimiter == ";"
    assert rows_of(table) == [["1", "über\r\nalles"], ["2", "漢字\u0a0d\u0d0a"]]


@pytest.mark.parametrize("encoding", ["utf16", "U16", "utf32"])
def test_other_spellings_of_utf_16_and_32_mean_the_same(encoding: str) -> None:
    table = read_csv(opened("id,text\n1,über\n2,gut\n".encode(encoding)), Layout(encoding=encoding)).table
    assert rows_of(table) == [["1", "über"], ["2", "gut"]]


def test_utf_16_without_a_byte_order_mark_is_no_crash() -> None:
    raw = "id,text\n1,über\n".encode("utf-16-le")
    try:
        table = read_csv(opened(raw), Layout(encoding="utf-16")).table
    except InputError as error:
        assert "utf-16" in f"{error} {error.hint}".lower()
    else:
        assert rows_of(table) == [["1", "über"]]


def test_utf_16_is_known_by_its_mark_and_the_hint_names_it_without_one(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("id\ttext\r\n1\tschön, ja\r\n".encode("utf-16"))
    corpus = read_corpus(path)
    assert corpus.texts == ["schön, ja"]
    assert any("UTF-16 (by its byte-order mark)" in note for note in corpus.notes)
    assert corpus.style == CsvStyle("\t", "\r\n", has_mark=True)
    with pytest.raises(InputError) as caught:
        read_csv(opened("id,text\n1,good\n".encode("utf-16-le")))
    assert "--encoding utf-16-le" in (caught.value.hint or "")


def test_an_utf_8_file_named_utf_16_is_refused_without_a_crash() -> None:
    with pytest.raises(InputError):
        read_csv(opened("id,text\n1,good\n"), Layout(encoding="utf-16"))


def test_cp1252_is_read_when_named_and_hinted_at_when_not() -> None:
    raw = "id,text\n1,“café” – 5 €\n".encode("cp1252")
    table = read_csv(opened(raw), Layout(encoding="cp1252")).table
    assert rows_of(table) == [["1", "“café” – 5 €"]]
    with pytest.raises(InputError) as caught:
        read_csv(opened(raw))
    assert "--encoding cp1252" in (caught.value.hint or "")
    assert "line 2" in str(caught.value)


@pytest.mark.parametrize("encoding", ["klingon", "base64"])
def test_an_unknown_encoding_is_named(encoding: str) -> None:
    with pytest.raises(InputError) as caught:
        read_csv(opened("id,text\n1,good\n"), Layout(encoding=encoding))
    assert encoding in str(caught.value)


@pytest.mark.parametrize(("delimiter", "shown"), [(";", '";"'), ("\t", "tab"), ("|", '"|"')])
def test_other_delimiters_are_guessed_and_noted(tmp_path: Path, delimiter: str, shown: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f'id{delimiter}text\n1{delimiter}good, but; "late"\n2{delimiter}fine\n'.replace('; "', ' "'))
    corpus = read_corpus(str(path))
    assert corpus.delimiter == delimiter
    assert corpus.texts == ['good, but "late"', "fine"]
    assert any(f"delimiter {shown}" in note for note in corpus.notes)


def test_a_comma_is_not_worth_a_note(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,text\n1,good; really\n")
    corpus = read_corpus(str(path))
    assert corpus.delimiter == ","
    assert not any("delimiter" in note for note in corpus.notes)


def test_a_named_delimiter_is_taken_and_not_noted(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id:text\n1:good, really\n")
    corpus = read_corpus(str(path), delimiter=":")
    assert corpus.texts == ["good, really"]
    assert not any("delimiter" in note for note in corpus.notes)


@pytest.mark.parametrize("delimiter", ["", "ab", "\\t"])
def test_a_delimiter_of_another_length_than_one_is_refused(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,text\n1,good\n")
    with pytest.raises(UsageError):
        read_corpus(str(path), delimiter=delimiter)


@pytest.mark.parametrize("delimiter", ['"', "\n", "\r"])
def test_a_delimiter_that_means_something_else_in_csv_is_refused(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,text\n1,good\n")
    with pytest.raises((UsageError, InputError)):
        read_corpus(str(path), delimiter=delimiter, text=["text"])


def test_tsv_is_read_with_tabs_and_not_noted(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text("id\ttext\n1\tgood, really; fine\n")
    corpus = read_corpus(str(path))
    assert (corpus.format, corpus.delimiter) == ("tsv", "\t")
    assert corpus.texts == ["good, really; fine"]
    assert not any("delimiter" in note for note in corpus.notes)


def test_guessing_survives_a_head_that_ends_within_a_record() -> None:
    head = 'id;text\n1;"one, two, three\n' + "a, b, c, d\n" * 3
    assert guess_delimiter(head) == ";"


def test_guessing_looks_past_delimiters_inside_quotes() -> None:
    assert guess_delimiter('a,b\n1,"x;y;z"\n2,"p|q"\n') == ","
    assert guess_delimiter('text\n"a;b"\nc;d\n') == ","


def test_limit_reads_no_further_than_asked() -> None:
    table = read_csv(opened(b"a,b\n1,2\n3,4\n\xff,\0,\n"), limit=2).table
    assert rows_of(table) == [["1", "2"], ["3", "4"]]


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        ("a,b\n1,2\n3,4,5\n", "row 2 (line 3)", "3 fields where the header has 2"),
        ('a,b\n1,"x\ny"\n3,4,5\n', "row 2 (line 4)", "3 fields"),
        ("a,b\n\n\n1,2,3\n", "row 1 (line 4)", "3 fields"),
        ('a,b\n1,2\n3,"open\n4,5\n', "row 2 (line 3)", "never closes"),
        ('a,b\n1,"x" y\n', "row 1 (line 2)", "closing double quote"),
        ('a,"b\n1,2\n', "line 1", "never closes"),
        ("a,b\n1,2\n3,\0\n", "row 2", "NUL"),
        ("a,b\n1,2\n3,\0\n", "line 3", "NUL"),
    ],
)
def test_what_is_broken_is_named_with_its_place(content: str, place: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_csv(opened(content))
    assert str(caught.value).startswith("x.csv")
    assert place in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("content", "line"), [(b"3,\xff\n", 5), (b"3,\0\n", 5), (b'3,"open\n', 5), (b'3,"x\n\xff"\n', 6)]
)
def test_skipped_blank_lines_do_not_count_as_rows_in_messages(content: bytes, line: int) -> None:
    with pytest.raises(InputError) as caught:
        read_csv(opened(b"a,b\n1,x\n\n2,y\n" + content))
    assert "row 3" in str(caught.value)
    assert f"line {line}" in str(caught.value)


def test_a_header_without_rows_is_refused() -> None:
    with pytest.raises(InputError, match="no rows"):
        read_csv(opened("a,b\n"))


def test_a_cell_longer_than_the_usual_limit_is_read() -> None:
    long = "x" * 200_000
    table = read_csv(opened(f"a,b\n1,{long}\n")).table
    assert rows_of(table) == [["1", long]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@QUICK
@given(tables())
def test_any_table_written_by_the_csv_module_is_read_back(
    delimiter: str, table: tuple[list[str], list[list[str]]]
) -> None:
    header, rows = table
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([header, *rows])
    read = read_csv(opened(text.getvalue()), Layout(delimiter=delimiter)).table
    assert read.column_names == header
    assert rows_of(read) == rows


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@QUICK
@given(st.lists(st.lists(ANY_TEXT, min_size=2, max_size=2), min_size=1, max_size=6))
def test_the_delimiter_is_guessed_whatever_the_cells_hold(delimiter: str, rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([["id", "body"], *rows])
    read, _, _, used, _ = read_csv(opened(text.getvalue()))
    assert used.delimiter == delimiter
    assert rows_of(read) == rows


@QUICK
@given(st.lists(st.lists(PRINTABLE, min_size=2, max_size=2), min_size=1, max_size=6))
def test_a_corpus_keeps_every_column_as_it_came(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("table") / "x.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text", "a", "b"], *(["some words here", *row] for row in rows)])
    corpus = read_corpus(str(path), text=["text"])
    assert rows_of(corpus.table) == [["some words here", *row] for row in rows]
    assert corpus.texts == ["some words here"] * len(rows)


@pytest.mark.parametrize(("wanted", "delimiter"), [("csv", ","), ("csv", ";"), ("tsv", "\t")])
@QUICK
@given(tables())
def test_any_table_written_by_the_package_is_read_back(
    wanted: str, delimiter: str, table: tuple[list[str], list[list[str]]]
) -> None:
    header, rows = table
    columns = [pa.array(cells, pa.string()) for cells in zip(*rows, strict=True)]
    stream = io.BytesIO()
    write_table(pa.table(columns, names=header), stream, wanted, style=CsvStyle(delimiter))
    read = read_csv(opened(stream.getvalue()), Layout(delimiter=delimiter)).table
    assert read.column_names == header
    assert rows_of(read) == rows


@pytest.mark.parametrize("cell", ["a\rb", "\r", "a\r\nb", "\n", "\t", '"', "", " "])
def test_awkward_cells_survive_writing_and_reading(cell: str) -> None:
    stream = io.BytesIO()
    write_table(pa.table({"a": ["1"], "b": [cell]}), stream, "csv")
    read = read_csv(opened(stream.getvalue())).table
    assert rows_of(read) == [["1", cell]]
