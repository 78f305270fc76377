"""The registry of formats: detection by content and name, and options that a format does not take."""

from __future__ import annotations

import gzip
import io
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inbedder_cli.corpus import read_corpus
from inbedder_cli.corpus.layout import Layout
from inbedder_cli.corpus.read_table import ReadTable
from inbedder_cli.corpus.readers import READERS, Reader, register_reader
from inbedder_cli.errors import InputError, UsageError

CSV = "id,text\n1,late again\n2,works well\n"
TEXTS = ["late again", "works well"]


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def workbook():
    book = openpyxl.Workbook()
    for row in [["id", "text"], [1, TEXTS[0]], [2, TEXTS[1]]]:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def parquet():
    stream = io.BytesIO()
    pq.write_table(pa.table({"text": TEXTS}), stream)
    return stream.getvalue()


def zipped(*names):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, CSV)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "format_name"),
    [
        ("x.csv", workbook(), "xlsx"),
        ("x.xls", workbook(), "xlsx"),
        ("x.txt", parquet(), "parquet"),
        ("x.csv", gzip.compress(parquet()), "parquet"),
        ("x.xls", CSV, "csv"),
        ("x.dat", CSV.replace(",", "|"), "csv"),
        ("x.zip", zipped("a.csv"), "csv"),
        ("x.csv.zip", zipped("a.csv", "__MACOSX/._a.csv", ".DS_Store"), "csv"),
        ("x", '{"text": "late again"}\n{"text": "works well"}', "jsonl"),
        ("x", '[{"text": "late again"}, {"text": "works well"}]', "json"),
        ("x.csv", '{"text": "late again"}\n{"text": "works well"}', "jsonl"),
        ("x.js", 'window.YTD.tweets.part0 = [{"text": "late again"}, {"text": "works well"}]', "json"),
        ("x", "[10:31] late again\n[10:32] works well\n", "csv"),
    ],
)
def test_the_format_is_known_by_content_where_the_name_does_not_tell_it(write, name, content, format_name):
    corpus = read_corpus(write(name, content))
    assert corpus.format == format_name
    if "[10:" not in str(content):
        assert corpus.texts == TEXTS


@pytest.mark.parametrize(
    ("name", "options", "able"),
    [
        ("x.jsonl", {"delimiter": ";"}, "csv, tsv"),
        ("x.jsonl", {"sheet": "Data"}, "xlsx"),
        ("x.csv", {"json_path": "data"}, "jsonl, json"),
        ("x.csv", {"sheet": "Data"}, "xlsx"),
        ("x.txt", {"header": False}, "xlsx"),
        ("x.parquet", {"encoding": "cp1252"}, "lines"),
        ("x.parquet", {"skip_rows": 1}, "csv"),
    ],
)
def test_an_option_that_a_format_does_not_take_is_refused_and_the_hint_names_those_that_do(
    write, name, options, able
):
    content = {"x.csv": CSV, "x.txt": "late again.\nworks well.\n", "x.parquet": parquet()}
    path = write(name, content.get(name, '{"text": "late again"}\n'))
    with pytest.raises(UsageError, match="is not for") as caught:
        read_corpus(path, **options)
    assert able in caught.value.hint


@pytest.mark.parametrize(
    "options", [{"header": False}, {"skip_rows": 2}, {"on_bad_row": "skip"}, {"encoding_errors": "replace"}]
)
def test_options_of_files_are_refused_for_objects_in_memory(options):
    with pytest.raises(UsageError, match=f"{next(iter(options))} is for files, not for a list"):
        read_corpus(TEXTS, **options)


def test_a_format_can_be_registered(write):
    def read_upper(opened, _, limit):
        rows = opened.stream.read().decode().upper().split()
        return ReadTable(pa.table({"text": rows[:limit]}))

    register_reader(Reader("upper", (".up",), read_upper))
    try:
        assert read_corpus(write("x.up", "late again")).texts == ["LATE", "AGAIN"]
        assert read_corpus(write("x.csv", CSV), input_format="upper", limit=1).texts == ["ID,TEXT"]
        with pytest.raises(UsageError, match="--delimiter is not for upper"):
            read_corpus(write("x.up", "late again"), delimiter=";")
        with pytest.raises(ValueError, match="belongs to the format"):
            register_reader(Reader("other", (".up",), read_upper))
    finally:
        READERS.unregister("upper")


def test_an_unknown_format_is_refused_with_a_suggestion(write):
    with pytest.raises(UsageError, match='unknown input format "jsnol"') as caught:
        read_corpus(write("x.csv", CSV), input_format="jsnol")
    assert 'did you mean "jsonl"?' in caught.value.hint


def test_a_zip_archive_of_several_files_names_them(write):
    with pytest.raises(InputError, match="zip archive of 2 files") as caught:
        read_corpus(write("x.zip", zipped("a.csv", "b.csv")))
    assert "a.csv, b.csv" in caught.value.hint


def test_a_run_reads_the_next_file_with_the_options_that_its_format_takes(write):
    first = read_corpus(write("x.csv", "export\n" + CSV), skip_rows=1, delimiter=",", on_bad_row="skip")
    assert first.reading.layout == Layout(delimiter=",", skip_rows=1, on_bad_row="skip")
    options = first.reading.options()
    assert (options["text"], options["skip_rows"], options["on_bad_row"]) == (("text",), 1, "skip")
    assert "columns" not in options
