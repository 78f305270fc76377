"""Several files as one input: patterns, folders, and addresses."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inbedder_cli import read_corpus
from inbedder_cli.errors import InputError, UsageError

ROWS = {"feb": [("3", "late"), ("4", "kind")], "jan": [("1", "warm"), ("2", "cold")]}


@pytest.fixture
def exports(tmp_path):
    """Write a file per month, and return the folder."""

    def write(suffix):
        for month, rows in ROWS.items():
            path, (ids, texts) = tmp_path / f"{month}.{suffix}", zip(*rows, strict=True)
            if suffix == "parquet":
                pq.write_table(pa.table({"id": ids, "text": texts}), path)
            elif suffix == "jsonl":
                path.write_text("".join(json.dumps({"id": one, "text": text}) + "\n" for one, text in rows))
            else:
                path.write_text("id,text\n" + "".join(f"{one},{text}\n" for one, text in rows))
        return tmp_path

    return write


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_pattern_and_a_folder_are_the_rows_of_their_files(exports, suffix):
    folder = exports(suffix)
    (folder / "_notes.txt").write_text("not a table")
    for source in (folder, f"{folder}/*.{suffix}", f"{folder}/"):
        corpus = read_corpus(source, text="text", id_column="id")
        assert corpus.texts == ["late", "kind", "warm", "cold"]
        assert corpus.ids == ["3", "4", "1", "2"]
        assert corpus.source == str(source)
        assert corpus.format == suffix
        assert "2 files" in corpus.notes
    assert read_corpus(folder / f"*.{suffix}", text="text", limit=3).texts == ["late", "kind", "warm"]
    assert read_corpus(folder / f"jan.{suffix}", text="text").texts == ["warm", "cold"]


def test_a_name_with_a_sign_of_patterns_is_a_file_if_there_is_one(exports):
    folder = exports("csv")
    (folder / "copy[1].csv").write_text("text\nmine\n")
    assert read_corpus(folder / "copy[1].csv").texts == ["mine"]


@pytest.mark.parametrize(
    ("content", "column"),
    [("id,note,text\n5,x,odd\n", "note"), ("text,id\nodd,5\n", None), ('{"id": "5", "text": "odd"}\n', None)],
)
def test_files_of_other_columns_are_refused_by_name(exports, content, column):
    folder = exports("csv")
    (folder / "mar.csv").write_text(content)
    with pytest.raises(InputError, match="has other columns than") as caught:
        read_corpus(folder / "*.csv")
    assert str(folder / "mar.csv") in str(caught.value)
    assert "must have the same columns" in caught.value.hint
    assert column is None or f'column "{column}"' in str(caught.value)


def test_json_lines_may_lack_keys_as_rows_may(exports):
    folder = exports("jsonl")
    (folder / "mar.jsonl").write_text('{"text": "odd", "stars": 5}\n')
    corpus = read_corpus(folder, text="text")
    assert corpus.texts[-1] == "odd"
    assert corpus.table.column_names == ["id", "text", "stars"]
    assert corpus.table.column("stars").to_pylist() == [None] * 4 + ["5"]


def test_notes_and_rows_that_were_left_out_name_their_file(exports):
    folder = exports("csv")
    (folder / "mar.csv").write_text("id;text\n5;odd;more\n6;fine\n")
    corpus = read_corpus(folder / "*.csv", on_bad_row="skip")
    mar = str(folder / "mar.csv")
    assert any(note.startswith(f"{mar}: delimiter ") for note in corpus.notes)
    assert [(row.line, row.reason.startswith(f"{mar}: ")) for row in corpus.bad_rows] == [(2, True)]
    assert corpus.texts[-1] == "fine"


def test_a_bad_row_is_told_with_its_file(exports):
    folder = exports("csv")
    (folder / "mar.csv").write_text("id,text\n5,odd,more\n")
    with pytest.raises(InputError, match=r"mar\.csv, row 1 \(line 2\)"):
        read_corpus(folder)


def test_what_stands_for_no_file_is_an_error(tmp_path):
    for source in (tmp_path / "*.csv", tmp_path / "none", "memory://none/*.csv"):
        with pytest.raises(InputError, match="no such file"):
            read_corpus(source)
    with pytest.raises(UsageError, match="wildcard in a folder"):
        read_corpus(tmp_path / "*" / "x.csv")
    with pytest.raises(InputError, match="has no files"):
        read_corpus(tmp_path)
    (tmp_path / "month=1").mkdir()
    (tmp_path / "month=1" / "0.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="has no files") as caught:
        read_corpus(tmp_path)
    assert "read_parquet" in caught.value.hint


def test_an_address_is_a_file_or_a_pattern(exports):
    filesystem = fsspec.filesystem("memory")
    try:
        for path in exports("csv").glob("*.csv"):
            filesystem.pipe(f"/bucket/{path.name}", path.read_bytes())
        assert read_corpus("memory://bucket/*.csv", text="text").texts == ["late", "kind", "warm", "cold"]
        assert read_corpus("memory://bucket/jan.csv", text="text").source == "memory://bucket/jan.csv"
        filesystem.pipe("/bucket/mar.csv", b"id,text\n5,odd,more\n")
        with pytest.raises(InputError, match=r"memory://bucket/mar\.csv, row 1 \(line 2\)"):
            read_corpus("memory://bucket/mar.csv")
    finally:
        filesystem.store.clear()
        filesystem.pseudo_dirs[:] = [""]


def test_lock_files_are_left_out(exports):
    folder = exports("csv")
    (folder / "~$jan.csv").write_bytes(b"\x05Anna" + bytes(50))
    for source in (folder, f"{folder}/*.csv"):
        assert len(read_corpus(source, text="text")) == 4


def test_a_link_to_a_file_that_is_not_there_is_an_error(exports):
    folder = exports("csv")
    (folder / "mar.csv").symlink_to(folder / "moved.csv")
    for source in (folder, f"{folder}/*.csv"):
        with pytest.raises(InputError, match=r"mar\.csv: is a link to a file that is not there"):
            read_corpus(source, text="text")
    assert len(read_corpus(f"{folder}/j*.csv", text="text")) == 2


def test_a_folder_may_have_wildcards_in_its_name(tmp_path):
    folder = tmp_path / "[proj] a"
    folder.mkdir()
    (folder / "x.csv").write_text("text\ngood day\n")
    assert read_corpus(folder / "x.csv").texts == ["good day"]


def test_a_pattern_leaves_hidden_files_out(tmp_path):
    (tmp_path / "x.csv").write_text("text\ngood day\n")
    (tmp_path / "._x.csv").write_bytes(bytes(range(30)))
    assert read_corpus(tmp_path / "*.csv").texts == ["good day"]


def test_a_file_that_vanishes_while_its_folder_is_listed_is_left_out(tmp_path, monkeypatch):
    from inbedder_cli.corpus import locations

    (tmp_path / "x.csv").write_text("text\ngood day\n")
    scandir = os.scandir

    class Listing:
        def __init__(self, folder):
            self.entries = list(scandir(folder))

        def __enter__(self):
            gone = SimpleNamespace(name=".tmp", is_file=lambda: True, stat=(tmp_path / "gone").stat)
            return [gone, *self.entries]

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(locations.os, "scandir", Listing)
    assert list(locations.Location(str(tmp_path)).states()) == ["x.csv"]
