"""Files that are no tables: called by their name, with a way out."""

from __future__ import annotations

import pickle

import pytest

from inbedder_cli.corpus import read_corpus
from inbedder_cli.errors import InputError


@pytest.mark.parametrize(
    ("content", "kind", "way_out"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "old Excel workbook", ".xlsx"),
        (b"FEA1" + bytes(99), "Feather", "read_feather"),
        (b"\xff\xff\xff\xff\x10\0\0\0", "Arrow stream", "pyarrow"),
        (b"ORC\x0a" + bytes(99), "ORC", "read_orc"),
        (b"$FL2@(#) SPSS" + bytes(99), "SPSS", "read_spss"),
        (b"<stata_dta><header>", "Stata", "read_stata"),
        (bytes(12) + b"\xc2\xea\x81\x60" + bytes(99), "SAS", "read_sas"),
        (b"RDX3\nX\n" + bytes(99), "R data", "readRDS"),
        (b"\x93NUMPY\x01\0", "NumPy", "--vectors"),
        (b"a.csv".ljust(257, b"\0") + b"ustar\0", "tar archive", "tar -xf"),
        (pickle.dumps({"text": ["late"]}), "pickle", "never loaded"),
        (b"<!DOCTYPE html>\n<html><body>Log in</body></html>\n", "HTML page", "download that failed"),
        (b"\xef\xbb\xbf  <html><table><tr><td>x", "HTML page", "spreadsheet"),
        (b'<?xml version="1.0"?><rows/>', "XML document", "export"),
        (b"| id | text |\n|----|:----:|\n| 1 | late |\n", "Markdown document", "export"),
        (rb"{\rtf1\ansi late}", "RTF document", "export"),
    ],
)
@pytest.mark.parametrize("name", ["x", "x.csv", "x.jsonl"])
def test_foreign_kinds_are_named_with_a_way_out(tmp_path, name, content, kind, way_out):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=kind) as caught:
        read_corpus(path)
    assert way_out in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("header", ["ORCID,text", "BZh,text", "BZh9,text", "RDX,text", "ARROW1,text"])
def test_a_header_may_begin_like_a_foreign_file(tmp_path, header):
    path = tmp_path / "x.csv"
    path.write_text(f"{header}\n1,late again\n")
    assert read_corpus(path).texts == ["late again"]


def test_control_characters_that_separate_cells_do_not_make_a_file_binary(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("id\x1ftext\n" + "".join(f"{i}\x1flate again, no {i}\n" for i in range(50)))
    assert read_corpus(path).texts[1] == "late again, no 1"
    path.write_text("id\x02text\n" + "".join(f"{i}\x02late again, no {i}\n" for i in range(50)))
    with pytest.raises(InputError, match="binary"):
        read_corpus(path)
    assert read_corpus(path, delimiter="\x02").texts[1] == "late again, no 1"
