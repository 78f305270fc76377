from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inbedder_cli.corpus import read_corpus
from inbedder_cli.corpus.layout import Layout
from inbedder_cli.corpus.opening import open_input
from inbedder_cli.corpus.readers import reader_of
from inbedder_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CSV = b"id,text\n1,good day\n2,bad day\n"
JSONL = b'{"id": 1, "text": "good day"}\n{"id": 2, "text": "bad day"}\n'


def parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"id": [1, 2], "text": ["good day", "bad day"]}), sink)
    return sink.getvalue().to_pybytes()


def zst(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


COMPRESS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zst}
CONTENT = {"csv": CSV, "tsv": CSV.replace(b",", b"\t"), "jsonl": JSONL, "parquet": parquet()}


def format_of(path: str | Path) -> str:
    with closing(open_input(str(path))) as opened:
        return reader_of(opened, Layout())[0].name


def path_of(path: str | Path) -> str | None:
    with closing(open_input(str(path))) as opened:
        return opened.path


@pytest.fixture
def standard_input(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def fill(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return fill


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("kind", CONTENT)
def test_compressed_files_are_read_by_suffix(tmp_path: Path, kind: str, compression: str) -> None:
    path = tmp_path / f"x.{kind}.{compression}"
    path.write_bytes(COMPRESS[compression](CONTENT[kind]))
    corpus = read_corpus(str(path))
    assert corpus.format == kind
    assert corpus.texts == ["good day", "bad day"]


@pytest.mark.parametrize("compression", COMPRESS)
def test_compression_is_detected_by_content_not_by_name(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(COMPRESS[compression](CSV))
    assert read_corpus(str(path)).texts == ["good day", "bad day"]
    plain = tmp_path / f"y.csv.{compression}"
    plain.write_bytes(CSV)
    assert read_corpus(str(plain)).texts == ["good day", "bad day"]


@pytest.mark.parametrize("compression", COMPRESS)
def test_a_compressed_file_without_another_suffix_is_sniffed(tmp_path: Path, compression: str) -> None:
    path = tmp_path / f"x.{compression}"
    path.write_bytes(COMPRESS[compression](JSONL))
    assert format_of(path) == "jsonl"


@pytest.mark.parametrize("compression", COMPRESS)
def test_compressed_files_larger_than_the_head_are_read_whole(tmp_path: Path, compression: str) -> None:
    data = b"id,text\n" + b"".join(b"%d,text number %d here\n" % (n, n) for n in range(10_000))
    path = tmp_path / f"x.csv.{compression}"
    path.write_bytes(COMPRESS[compression](data))
    corpus = read_corpus(str(path))
    assert len(corpus) == 10_000
    assert corpus.texts[-1] == "text number 9999 here"


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_an_archive_cut_short_is_refused_not_half_read(tmp_path: Path, kind: str, compression: str) -> None:
    rows = [os.urandom(12).hex() for _ in range(4_000)]
    if kind == "parquet":
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"text": rows}), sink)
        data = sink.getvalue().to_pybytes()
    else:
        lines = [f'{{"text": "{row}"}}' for row in rows] if kind == "jsonl" else ["text", *rows]
        data = "\n".join(lines).encode()
    raw = COMPRESS[compression](data)
    path = tmp_path / f"x.{kind}.{compression}"
    for keep in (len(raw) // 2, len(raw) - 4, 12):
        path.write_bytes(raw[:keep])
        with pytest.raises(InputError, match=path.name):
            read_corpus(str(path), text=["text"])


def test_a_zip_archive_with_a_password_or_damage_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.csv", CSV)
    raw = bytearray(stream.getvalue())
    path = tmp_path / "x.csv.zip"
    for place in (6, raw.rindex(b"PK\x01\x02") + 8):
        raw[place] |= 1  # encrypted, it says
    path.write_bytes(raw)
    with pytest.raises(InputError, match="encrypted") as caught:
        read_corpus(path)
    assert "unzip it" in (caught.value.hint or "")
    path.write_bytes(stream.getvalue()[:-30])
    with pytest.raises(InputError, match="zip archive"):
        read_corpus(path)
    damaged = bytearray(stream.getvalue())
    damaged[45] ^= 255  # within the data
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"x\.csv\.zip.*not a readable zip archive"):
        read_corpus(path)


@pytest.mark.parametrize("compression", ["gz", "bz2", "xz"])  # zstd as Arrow writes it has no checksum
@pytest.mark.parametrize("place", [0.1, 0.9])
def test_a_damaged_archive_is_refused(tmp_path: Path, compression: str, place: float) -> None:
    data = b"text\n" + b"".join(os.urandom(12).hex().encode() + b" x\n" for _ in range(8_000))
    raw = bytearray(COMPRESS[compression](data))
    start = int(len(raw) * place)
    raw[start : start + 400] = b"\xff" * 400
    path = tmp_path / f"x.csv.{compression}"
    path.write_bytes(bytes(raw))
    with pytest.raises(InputError, match=path.name):
        read_corpus(str(path))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_standard_input_is_sniffed(standard_input: Callable[[bytes], None], kind: str) -> None:
    standard_input(CONTENT[kind])
    corpus = read_corpus("-")
    assert corpus.format == kind
    assert corpus.source == "standard input"
    assert corpus.texts == ["good day", "bad day"]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("compression", [None, *COMPRESS])
def test_a_real_pipe_is_read(monkeypatch: pytest.MonkeyPatch, kind: str, compression: str | None) -> None:
    data = COMPRESS[compression](CONTENT[kind]) if compression else CONTENT[kind]
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as stream:
        stream.write(data)
    with os.fdopen(reading, encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        corpus = read_corpus("-")
    assert corpus.format == kind
    assert corpus.texts == ["good day", "bad day"]


def test_a_pipe_in_utf_16_is_read_when_named(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as stream:
        stream.write(CSV.decode().encode("utf-16"))
    with os.fdopen(reading, encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert read_corpus("-", encoding="utf-16").texts == ["good day", "bad day"]


def test_tabs_on_standard_input_are_guessed_or_asked_for(standard_input: Callable[[bytes], None]) -> None:
    standard_input(CONTENT["tsv"])
    assert read_corpus("-").delimiter == "\t"
    standard_input(CONTENT["tsv"])
    assert read_corpus("-", input_format="tsv").format == "tsv"


def test_json_lines_are_sniffed_past_a_byte_order_mark_and_blank_lines(
    standard_input: Callable[[bytes], None],
) -> None:
    standard_input(b"\xef\xbb\xbf\n  " + JSONL)
    assert read_corpus("-").format == "jsonl"


def test_a_json_array_is_known_by_its_content(standard_input: Callable[[bytes], None]) -> None:
    standard_input(b'[{"text": "good day"}]')
    assert read_corpus("-").texts == ["good day"]


def test_empty_standard_input_is_refused(standard_input: Callable[[bytes], None]) -> None:
    standard_input(b"")
    with pytest.raises(InputError, match="standard input: is empty"):
        read_corpus("-")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.csv", "csv"),
        ("x.TSV", "tsv"),
        ("x.tab", "tsv"),
        ("x.jsonl", "jsonl"),
        ("x.ndjson", "jsonl"),
        ("x.v2.csv", "csv"),
        ("x.txt", "csv"),
        ("x", "csv"),
        (".csv", "csv"),
    ],
)
def test_the_format_goes_by_the_suffix(tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / name).write_bytes(CSV)
    assert format_of(tmp_path / name) is expected


def test_the_format_asked_for_wins_over_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(JSONL)
    assert read_corpus(str(path), input_format="jsonl").texts == ["good day", "bad day"]


def test_only_plain_files_have_a_path(tmp_path: Path, standard_input: Callable[[bytes], None]) -> None:
    (tmp_path / "x.csv").write_bytes(CSV)
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(CSV))
    standard_input(CSV)
    assert path_of(tmp_path / "x.csv") == str(tmp_path / "x.csv")
    assert path_of(tmp_path / "x.csv.gz") is None
    assert path_of("-") is None


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"PK\x03\x04", "zip"),
        (b"\xd0\xcf\x11\xe0", "Excel"),
        (b"%PDF-1.7", "PDF"),
        (b"\x89PNG\r\n", "picture"),
        (b"SQLite format 3\0", "SQLite"),
        (b"ARROW1\0\0", "Arrow"),
    ],
)
def test_foreign_files_are_called_by_their_name(tmp_path: Path, start: bytes, kind: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(start + CSV)
    with pytest.raises(InputError, match=kind) as caught:
        read_corpus(path)
    assert caught.value.hint


def test_a_stray_control_character_does_not_make_a_small_file_binary(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"id,text\n1,good\x08 day\n2,bad day\n")
    assert read_corpus(str(path)).texts == ["good\x08 day", "bad day"]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"  \r\n\t"])
def test_nothing_but_space_is_empty(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is empty"):
        open_input(str(path))


def test_nothing_but_a_byte_order_mark_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"\xef\xbb\xbf\n")
    with pytest.raises(InputError, match=r"empty|no rows"):
        read_corpus(str(path))


@pytest.mark.parametrize("compression", COMPRESS)
def test_an_archive_of_nothing_is_empty(tmp_path: Path, compression: str) -> None:
    path = tmp_path / f"x.csv.{compression}"
    path.write_bytes(COMPRESS[compression](b""))
    with pytest.raises(InputError, match="is empty"):
        open_input(str(path))


def test_a_missing_file_is_likened_to_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_bytes(CSV)
    with pytest.raises(InputError, match="no such file") as caught:
        open_input(str(tmp_path / "review.csv"))
    assert 'did you mean "reviews.csv"?' in (caught.value.hint or "")
    with pytest.raises(InputError, match="no such file") as caught:
        open_input(str(tmp_path / "no" / "folder.csv"))
    assert caught.value.hint


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        open_input(str(tmp_path))


def test_a_file_used_as_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(CSV)
    with pytest.raises(InputError, match="cannot be read"):
        open_input(str(tmp_path / "x.csv" / "y.csv"))


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        open_input(str(tmp_path / ("x" * 300 + ".csv")))


def test_lines_of_another_encoding_fail_or_are_read_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("id,text\n1,das schöne Zimmer\n".encode() + "2,das kühle Zimmer\n".encode("cp1252"))
    with pytest.raises(InputError, match="line 3") as caught:
        read_corpus(path)
    assert "--encoding-errors fallback" in (caught.value.hint or "")
    corpus = read_corpus(path, encoding_errors="fallback")
    assert corpus.texts == ["das schöne Zimmer", "das kühle Zimmer"]
    assert any("1 line not UTF-8" in note and "first: 3" in note for note in corpus.notes)
    assert read_corpus(path, encoding_errors="replace").texts[1] == "das k\ufffdhle Zimmer"
