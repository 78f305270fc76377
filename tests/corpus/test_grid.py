"""Rows that do not fit their header: failed, left out with their lines kept, or padded without loss."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.corpus import read_corpus
from inbedder_cli.errors import InputError

LONG = 'id,text\n1,good enough\n2,"late\nagain", sad,,\n3,works well\n4,no, not, "so"\n'


@pytest.fixture
def read(tmp_path):
    def read(content, name="x.csv", **options):
        path = tmp_path / name
        path.write_bytes(content.encode())
        return read_corpus(path, **options)

    return read


def test_bad_rows_are_kept_as_they_were_in_the_file(read):
    corpus = read(LONG, on_bad_row="skip")
    assert corpus.texts == ["good enough", "works well"]
    assert [(bad.line, bad.content) for bad in corpus.bad_rows] == [
        (3, '2,"late\nagain", sad,,'),
        (6, '4,no, not, "so"'),
    ]
    assert corpus.bad_rows[0].reason == "5 fields where the header has 2"


def test_bad_rows_right_below_the_header_are_kept_too(read):
    corpus = read("id,text\r\n1,a,b\r\n2,c,d\r\n3,e,f\r\n4,fine so far\r\n", on_bad_row="skip")
    assert [bad.content for bad in corpus.bad_rows] == ["1,a,b", "2,c,d", "3,e,f"]
    assert [bad.line for bad in corpus.bad_rows] == [2, 3, 4]


def test_padding_joins_what_is_beyond_the_header_to_the_last_cell(read):
    corpus = read(LONG, on_bad_row="pad")
    assert corpus.texts == ["good enough", "late\nagain, sad", "works well", 'no, not, "so"']
    assert any("joined to the last in 2 rows (first: line 3)" in note for note in corpus.notes)


def test_padding_reads_unquoted_texts_of_one_column_whole(read):
    texts = ["late, again", "fine", "so, so, so"]
    assert read("text\n" + "\n".join(texts), on_bad_row="pad", delimiter=",").texts == texts


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("Survey export\n2026-01-01\n\nid,text,n\n1,late,2\n", "--skip-rows 3"),
        ("text\nlate, again\n", "--input-format lines"),
        ("id,text\n1,'late, again'\n", "--quote"),
        ("id,text\n1,late, again\n", "--on-bad-row"),
    ],
)
def test_a_row_that_is_too_long_names_the_ways_out(read, content, hint):
    with pytest.raises(InputError, match="fields where the header has") as caught:
        read(content)
    assert hint in caught.value.hint


def test_a_header_that_is_probably_none_is_noted(read):
    assert any(
        "--skip-rows" in note for note in read("Export,,\n,,\nid,text,n\n1,late again,2\n", text="column_2").notes
    )
    assert any("--no-header" in note for note in read("The parcel came late.\nIt works.\n").notes)


def test_a_file_of_bad_rows_alone_says_so(read):
    with pytest.raises(InputError, match=r"all rows are left out \(first: line 2, 3 fields"):
        read("id,text\n1,late, so\n2,a,b\n", on_bad_row="skip")


def test_quotes_may_be_other_characters_or_none(read):
    assert read("id,text\n1,'late, again'\n", quote="'").texts == ["late, again"]
    assert read('id\ttext\n1\t5" pipe\n2\t"open\n', "x.tsv", quote="").texts == ['5" pipe', '"open']


def test_headers_of_joined_files_are_no_rows(read):
    corpus = read("\ufeffid,text\n1,late again\n\ufeffid,text\n2,works well\n")
    assert corpus.texts == ["late again", "works well"]
    assert any("1 row left out that repeat" in note for note in corpus.notes)


def test_the_end_of_file_character_of_dos_is_no_row(read):
    assert read("id,text\r\n1,late again\r\n\x1a").texts == ["late again"]


CELL = st.text(st.sampled_from('ab,"\n ;'), max_size=5)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(CELL, min_size=1, max_size=5), min_size=1, max_size=6))
def test_no_content_is_lost_by_padding(tmp_path_factory, rows):
    import csv

    path = tmp_path_factory.mktemp("grid") / "x.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["first", "second"], ["1", "text"], *rows])
    corpus = read_corpus(path, text="second", on_bad_row="pad", delimiter=",")
    padded = [row for row in corpus.table.to_pylist()[1:] if any(row.values())]
    joined = [",".join(row) for row in rows]
    filled = [text.rstrip(" \n,") for text in joined if text.strip(", \n")]
    read = [",".join(row.values()).rstrip(" \n,") for row in padded]
    assert [text for text in read if text.strip(", \n")] == filled


def test_a_header_of_a_joined_file_with_a_mark_and_quotes_is_no_row(tmp_path):
    part = '\ufeff"id","text"\r\n"1","good day"\r\n'
    (tmp_path / "x.csv").write_bytes((part * 2).encode())
    corpus = read_corpus(tmp_path / "x.csv")
    assert corpus.texts == ["good day", "good day"]
    assert any("repeat the header" in note for note in corpus.notes)


@pytest.mark.parametrize(
    "rows", ['"id,text"\n"1,""good day, all"""\n"2,""bad day"""\n', '"id;text"\n"1;good day, all"\n']
)
def test_lines_in_quotes_as_a_whole_are_told(tmp_path, rows):
    (tmp_path / "x.csv").write_text(rows)
    assert any("in double quotes as a whole" in note for note in read_corpus(tmp_path / "x.csv").notes)


def test_padding_keeps_the_blanks_after_delimiters(tmp_path):
    (tmp_path / "x.csv").write_text('id, text\n1, "a, b"\n2, good, but late\n')
    assert read_corpus(tmp_path / "x.csv", on_bad_row="pad").texts == ["a, b", "good, but late"]
