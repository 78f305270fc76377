"""Small tables that would become very large, or take very long: workbooks, wide headers, short rows."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inbedder_cli.corpus import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

INPUT = 5
SHEET, SHARED = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
BOOK = Path(__file__).parents[1] / "fuzz" / "seeds" / "book.xlsx"
TEXT = '<c r="{}" t="inlineStr"><is><t>{}</t></is></c>'
ENTITIES = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(9))
LAUGHS = f'<!DOCTYPE x [<!ENTITY e0 "{"ha" * 50}">{ENTITIES}]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY e9 SYSTEM "file:///etc/passwd">]>'


@pytest.fixture
def read(
    inbedder: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(limits, "FREE_BYTES", 1_000_000)
    monkeypatch.setattr(limits, "MAX_EMPTY_CELLS", 100_000)
    monkeypatch.setattr(limits, "MAX_EMPTY_RATIO", 20)

    def run(file: str, content: bytes, *options: object) -> Result:
        Path(file).write_bytes(content)
        return inbedder("embed", file, "--text", "text", "-i", "What?", "-m", "nowhere", "--offline", *options)

    return run


def workbook(rows: str, shared: str = "<si><t>text</t></si>", doctype: str = "") -> bytes:
    """A workbook with these rows, as Excel writes it."""
    sink = io.BytesIO()
    with zipfile.ZipFile(BOOK) as source, zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in source.namelist():
            content = source.read(name).decode()
            if name == SHEET:
                start, end = content.index("<sheetData>") + len("<sheetData>"), content.index("</sheetData>")
                content = content[:start] + rows + content[end:]
            elif name == SHARED:
                content = doctype + content[: content.index("<si>")] + shared + "</sst>"
            archive.writestr(name, content)
    return sink.getvalue()


def row(number: int, *cells: tuple[str, str]) -> str:
    return f'<row r="{number}">' + "".join(TEXT.format(f"{c}{number}", text) for c, text in cells) + "</row>"


def refused(result: Result, words: str) -> None:
    assert result.exit_code == INPUT, result.stderr
    assert words in result.stderr
    assert "passwd" not in result.stderr
    assert "root:" not in result.stderr


def test_rows_beyond_what_a_sheet_says_of_its_size_are_read(
    inbedder: Callable[..., Result], tiny: str, tmp_path: Path
) -> None:
    rows = row(1, ("A", "text")) + "".join(row(i, ("A", f"room {i}")) for i in range(2, 30))
    (tmp_path / "b.xlsx").write_bytes(workbook(rows))  # which says A1:E8
    result = inbedder("answer", tmp_path / "b.xlsx", "-i", "What?", "-m", tiny, "-q")
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 28


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (row(1, ("A", "text")) + row(99_999_999, ("A", "far")), "a row beyond the 1,048,576"),
        (row(1, ("A", "text")) + row(2, ("XFD", "far")), "more than 10,000 columns"),
        (
            row(1, ("A", "text"), ("NTF", "x")) + "".join(row(i, ("NTF", "far")) for i in range(2, 40)),
            "cells empty",
        ),
        (row(1, ("A", "text"), ("NTF", "x")) + "".join(row(i, ("A", "a b")) for i in range(2, 40)), "cells empty"),
    ],
)
def test_cells_far_out_do_not_fill_the_memory(read: Callable[..., Result], rows: str, words: str) -> None:
    refused(read("b.xlsx", workbook(rows)), words)


def test_a_text_that_all_cells_share_counts_each_time(read: Callable[..., Result]) -> None:
    cells = "".join('<row><c t="s"><v>1</v></c></row>' for _ in range(4000))
    shared = f"<si><t>text</t></si><si><t>{'x ' * 2000}</t></si>"
    refused(read("b.xlsx", workbook('<row><c t="s"><v>0</v></c></row>' + cells, shared)), "unpacks from")


@pytest.mark.parametrize("doctype", [LAUGHS, OUTSIDE])
def test_entities_neither_unfold_nor_read_files(read: Callable[..., Result], doctype: str) -> None:
    cells = '<row><c t="s"><v>0</v></c></row><row><c t="s"><v>1</v></c></row>'
    shared = "<si><t>text</t></si><si><t>&e9;</t></si>"
    refused(read("b.xlsx", workbook(cells, shared, doctype)), "not a readable workbook")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000), "is an old workbook (.xls), or has a password"),
        (b"text\ncold room\n", "not a readable workbook"),
        (b"PK\x03\x04", "not a readable workbook"),
    ],
)
def test_what_is_only_called_a_workbook_is_refused(
    read: Callable[..., Result], content: bytes, words: str
) -> None:
    refused(read("b.xlsx", content), words)


def test_rows_shorter_than_a_wide_header_do_not_fill_the_memory(read: Callable[..., Result]) -> None:
    header = ",".join(["text", *(f"c{i}" for i in range(9000))])
    refused(read("b.csv", f"{header}\n{'a b' + chr(10)}".encode() + b"a b\n" * 2000), "cells empty")


@pytest.mark.parametrize("name", ["", "a"])
def test_a_header_of_very_many_alike_columns_is_refused_at_once(read: Callable[..., Result], name: str) -> None:
    refused(read("b.csv", f"text{f',{name}' * 1_000_000}\na b\n".encode()), "more than 10,000 columns")


def test_thousands_of_columns_of_one_name_are_numbered(read: Callable[..., Result]) -> None:
    result = read("b.csv", f"text{',a' * 9000}\na b{',x' * 9000}\n".encode(), "-q")
    assert "nowhere" in result.stderr  # the model comes after the table


@pytest.mark.parametrize("encoding", ["nonsense", "rot13", "base64", "punycode"])
@pytest.mark.parametrize("file", ["b.txt", "b.csv", "b.jsonl", "b.json"])
def test_an_unknown_encoding_is_named(read: Callable[..., Result], file: str, encoding: str) -> None:
    refused(
        read(file, "Der Raum war kühl.\nStaff ignored us.\n".encode(), "--encoding", encoding), "unknown encoding"
    )


@pytest.mark.parametrize("file", ["b.csv", "b.jsonl"])
def test_what_excel_cannot_hold_is_told_before_anything_is_computed(
    inbedder: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.chdir(tmp_path)
    long = "room " * 8000
    rows = [f"kind {i} staff" for i in range(8)]
    if file == "b.csv":
        Path(file).write_text(
            "text,more\n" + "".join(f"{row},{long if i == 5 else i}\n" for i, row in enumerate(rows))
        )
    else:
        every = [{"text": row, "more": long if i == 5 else {"i": [i]}} for i, row in enumerate(rows)]
        Path(file).write_text("".join(json.dumps(row) + "\n" for row in every))
    result = inbedder(
        "cluster", file, "--text", "text", "-i", "What?", "-m", "nowhere", "--offline", "-o", "out.xlsx"
    )
    refused(result, "does not fit into Excel")
    assert "row 6" in result.stderr
    assert '"more"' in result.stderr
