from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inbedder_cli.corpus import read_corpus
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import EmptyTexts

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ["id", "text", "code", "note"]


@pytest.fixture
def numbered(tmp_path: Path) -> str:
    path = tmp_path / "numbered.csv"
    path.write_text("key,text\n" + "".join(f"k{n},text number {n} here\n" for n in range(1, 41)))
    return str(path)


def test_a_file_is_read_with_all_its_columns(reviews: Path) -> None:
    corpus = read_corpus(str(reviews))
    assert len(corpus) == 6
    assert corpus.source == str(reviews)
    assert corpus.table.column_names == COLUMNS
    assert corpus.table.column("code").to_pylist() == [
        "007",
        "12345678901234567890",
        "1.50",
        "2024-01-05",
        "x",
        "y",
    ]
    assert corpus.table.column("note").to_pylist() == ["NA", "null", "None", "", 'say "hi"', "é"]
    assert corpus.texts[:3] == ["The room was cold and loud.", "Lovely breakfast,\nthank you!", ""]
    assert corpus.ids == ["1", "2", "3", "4", "5", "6"]
    assert corpus.text_columns == ("text",)
    assert (corpus.format, corpus.delimiter) == ("csv", ",")


def test_a_guessed_column_is_noted_and_a_named_one_is_not(reviews: Path) -> None:
    assert any('text column "text" (guessed' in note for note in read_corpus(str(reviews)).notes)
    assert read_corpus(str(reviews), text=["note"]).notes == ()
    assert read_corpus(str(reviews), text_template="{note}").notes == ()


def test_several_columns_are_joined(reviews: Path) -> None:
    corpus = read_corpus(str(reviews), text=["note", "text"])
    assert corpus.texts[0] == "NA\nThe room was cold and loud."
    assert corpus.texts[2] == "None"
    assert corpus.text_columns == ("note", "text")


def test_a_template_makes_the_text(reviews: Path) -> None:
    corpus = read_corpus(str(reviews), text_template="{id}: {text} {{{code}}}")
    assert corpus.texts[0] == "a1: The room was cold and loud. {007}"
    assert corpus.text_columns == ("id", "text", "code")


def test_text_and_template_exclude_each_other(reviews: Path) -> None:
    with pytest.raises(UsageError, match="not both"):
        read_corpus(str(reviews), text=["text"], text_template="{text}")


def test_ids_come_from_the_column_named(reviews: Path) -> None:
    assert read_corpus(str(reviews), id_column="id").ids == ["a1", "a2", "a3", "a4", "a5", "a6"]


def test_an_unknown_column_is_named_with_the_file(reviews: Path) -> None:
    with pytest.raises(InputError, match='no column "txt"') as caught:
        read_corpus(str(reviews), text=["txt"])
    assert str(caught.value).startswith(str(reviews))
    assert 'did you mean "text"?' in (caught.value.hint or "")


def test_rows_without_text_are_skipped(reviews: Path) -> None:
    corpus = read_corpus(str(reviews), empty=EmptyTexts.skip)
    assert len(corpus) == 6
    assert corpus.readable == [0, 1, 3, 4, 5]
    assert not corpus.keep_empty


def test_rows_without_text_can_be_kept(reviews: Path) -> None:
    corpus = read_corpus(str(reviews), empty=EmptyTexts.keep)
    assert corpus.readable == [0, 1, 2, 3, 4, 5]
    assert corpus.keep_empty


def test_rows_without_text_can_fail_the_run(reviews: Path) -> None:
    with pytest.raises(InputError, match='row 3, column "text": the text is empty'):
        read_corpus(str(reviews), empty=EmptyTexts.fail)
    assert len(read_corpus(str(reviews), empty=EmptyTexts.fail, limit=2)) == 2


def test_an_empty_row_of_a_sample_is_named_by_its_row_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,text\n" + "".join(f"{n},{'' if n == 20 else 'good day'}\n" for n in range(1, 21)))
    for seed in range(30):
        try:
            read_corpus(str(path), empty=EmptyTexts.fail, sample=5, seed=seed)
        except InputError as error:
            assert "row 20" in str(error)
            return
    raise AssertionError("no sample held row 20")


@pytest.mark.parametrize("empty", list(EmptyTexts))
def test_all_texts_empty_is_refused_whatever_is_asked(tmp_path: Path, empty: EmptyTexts) -> None:
    path = tmp_path / "x.csv"
    path.write_text('id,text\n1,\n2,"  "\n3," \n "\n')
    with pytest.raises(InputError, match='column "text": all texts are empty'):
        read_corpus(str(path), text=["text"], empty=empty)


def test_texts_are_stripped_but_columns_are_not(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('id,text\n1,"  good day \n"\n')
    corpus = read_corpus(str(path))
    assert corpus.texts == ["good day"]
    assert corpus.table.column("text").to_pylist() == ["  good day \n"]


def test_limit_takes_the_first_rows(numbered: str) -> None:
    assert read_corpus(numbered, limit=3).ids == ["1", "2", "3"]
    assert read_corpus(numbered, limit=3, id_column="key").ids == ["k1", "k2", "k3"]
    assert len(read_corpus(numbered, limit=99)) == 40


def test_a_sample_is_the_same_twice_and_in_input_order(numbered: str) -> None:
    first, second = (read_corpus(numbered, sample=10, seed=3) for _ in range(2))
    assert first.ids == second.ids
    assert first.texts == second.texts
    assert len(set(first.ids)) == 10
    assert [int(i) for i in first.ids] == sorted(int(i) for i in first.ids)
    assert first.texts == [f"text number {i} here" for i in first.ids]
    assert first.table.column("key").to_pylist() == [f"k{i}" for i in first.ids]
    assert any("sample of 10 rows (seed 3)" in note for note in first.notes)


def test_another_seed_takes_another_sample(numbered: str) -> None:
    assert read_corpus(numbered, sample=10, seed=1).ids != read_corpus(numbered, sample=10, seed=2).ids


@pytest.mark.parametrize("sample", [40, 99])
def test_a_sample_of_all_rows_is_the_whole_file_without_a_note(numbered: str, sample: int) -> None:
    corpus = read_corpus(numbered, sample=sample)
    assert len(corpus) == 40
    assert not any("sample" in note for note in corpus.notes)


def test_a_sample_is_drawn_from_within_the_limit(numbered: str) -> None:
    corpus = read_corpus(numbered, limit=12, sample=10)
    assert len(corpus) == 10
    assert max(int(i) for i in corpus.ids) <= 12


def test_a_one_column_file_of_lines_is_a_corpus(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("text\nfine\n\nbad\n")
    corpus = read_corpus(str(path))
    assert corpus.texts == ["fine", "", "bad"]
    assert corpus.ids == ["1", "2", "3"]


def test_other_encodings_are_read_when_named(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "latin-1"):
        path.write_bytes("id,text\n1,café crème\n2,thé\n".encode(encoding))
        assert read_corpus(str(path), encoding=encoding).texts == ["café crème", "thé"], encoding


def test_a_byte_order_mark_is_read_without_naming_it(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("text,id\ncafé crème,1\n".encode("utf-8-sig"))
    assert read_corpus(str(path), text=["text"]).texts == ["café crème"]


def test_one_text_column_may_be_named_by_a_plain_string(reviews):
    assert read_corpus(str(reviews), text="text").text_columns == ("text",)
    assert read_corpus(str(reviews), text="note", empty="keep").keep_empty
