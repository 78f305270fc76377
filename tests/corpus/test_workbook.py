"""Excel workbooks: read as texts, written without formulas, and CSV that keeps the dialect of its input."""

from __future__ import annotations

import datetime
import io
import zipfile

import openpyxl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.corpus import limits, read_corpus
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.output.formats import write_table

ROWS = [["id", "day", "text"], [1, datetime.date(2024, 1, 5), "The room was cold."], [2, None, "Lovely staff."]]


@pytest.fixture
def book(tmp_path):
    """Write a workbook of some sheets."""

    def write(name="x.xlsx", **sheets):
        made = openpyxl.Workbook()
        made.remove(made.active)
        for title, rows in (sheets or {"Sheet1": ROWS}).items():
            sheet = made.create_sheet(title)
            for row in rows:
                sheet.append(row)
        made.save(tmp_path / name)
        return tmp_path / name

    return write


def test_a_sheet_is_read_as_texts(book):
    corpus = read_corpus(book())
    assert corpus.texts == ["The room was cold.", "Lovely staff."]
    assert corpus.table.column_names == ["id", "day", "text"]
    assert corpus.table.to_pylist()[0] == {"id": "1", "day": "2024-01-05 00:00:00", "text": "The room was cold."}
    assert corpus.table.column("day").to_pylist()[1] == ""


def test_a_workbook_is_known_by_its_content(book, tmp_path):
    path = book()
    path.rename(tmp_path / "export")
    assert len(read_corpus(tmp_path / "export")) == 2


def test_the_first_of_several_sheets_is_read_and_said(book):
    path = book(Info=[["text"], ["About this very file"]], Answers=ROWS)
    corpus = read_corpus(path)
    assert corpus.texts == ["About this very file"]
    assert any('sheet "Info", the first of 2' in note for note in corpus.notes)
    assert len(read_corpus(path, sheet="Answers")) == 2
    with pytest.raises(UsageError, match='no sheet "Other"') as caught:
        read_corpus(path, sheet="Other")
    assert "Info, Answers" in caught.value.hint


def test_a_hidden_sheet_is_not_read_unless_it_is_named(book):
    path = book(Old=[["text"], ["last year"]], Answers=ROWS)
    hidden = openpyxl.load_workbook(path)
    hidden["Old"].sheet_state = "hidden"
    hidden.save(path)
    assert len(read_corpus(path)) == 2
    assert read_corpus(path, sheet="Old").texts == ["last year"]


def test_headers_of_sheets_are_read_as_those_of_csv(book):
    path = book(Sheet1=[["Export of today"], [], ["id", "", "text", None], [1, "a", "The room was cold."]])
    corpus = read_corpus(path, skip_rows=1)
    assert corpus.table.column_names == ["id", "column_2", "text"]
    assert len(read_corpus(book(Sheet1=[["The room was cold."], ["Lovely staff here."]]), header=False)) == 2


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"PK\x03\x04[Content_Types].xml" + b"x" * 99, b"text\nfine\n"])
def test_a_damaged_workbook_is_an_error_of_the_input(tmp_path, content):
    path = tmp_path / "x.xlsx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.xlsx.*not a readable workbook"):
        read_corpus(path)


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path, book, monkeypatch):
    monkeypatch.setattr(limits, "FREE_BYTES", 100_000)
    path = book()
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/other.xml", b"a" * 9_000_000)
    with pytest.raises(InputError, match="unpacks from"):
        read_corpus(path)


def test_parts_that_are_read_whole_are_bounded(tmp_path, book):
    path = book()
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/styles2.xml", b"<a/>" * 9_000_000)
    with pytest.raises(InputError, match="unpacks from"):
        read_corpus(path)


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)


@settings(deadline=None, max_examples=30)
@given(st.lists(TEXTS.filter(str.strip), min_size=1, max_size=5))
def test_any_text_survives_and_none_becomes_a_formula(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("book") / "x.xlsx"
    shown = ["=1+1", "@x", *texts]
    stream = io.BytesIO()
    write_table(pa.table({"text": shown, "n": list(range(len(shown)))}), stream, "xlsx")
    path.write_bytes(stream.getvalue())
    assert read_corpus(path, text="text").table.column("text").to_pylist() == shown
    cells = list(openpyxl.load_workbook(path).active.iter_rows(min_row=2))
    assert all(row[0].data_type == "s" for row in cells)
    assert [row[1].value for row in cells] == list(range(len(shown)))


def test_a_text_too_long_for_excel_is_refused():
    with pytest.raises(InputError, match="40,000 characters"):
        write_table(pa.table({"text": ["a" * 40_000]}), io.BytesIO(), "xlsx")


def test_rows_go_from_a_workbook_to_a_workbook(inbedder, tiny, book, tmp_path):
    rows = [["text"], *[[f"the room was cold and loud {i}"] for i in range(6)]]
    target = tmp_path / "out.xlsx"
    result = inbedder("cluster", book(S=rows), "-i", "What?", "-k", 2, "-m", tiny, "--no-baseline", "-o", target)
    assert result.exit_code == 0, result.stderr
    header = [cell.value for cell in next(openpyxl.load_workbook(target).active.iter_rows())]
    assert header[:3] == ["text", "cluster", "cluster_label"]


def test_csv_keeps_the_dialect_of_its_input(inbedder, tiny, tmp_path):
    file, target = tmp_path / "x.csv", tmp_path / "out.csv"
    file.write_bytes(
        b"\xef\xbb\xbfid;text\r\n" + b"".join(b"%d;the room, cold and loud %d\r\n" % (i, i) for i in range(6))
    )
    result = inbedder("cluster", file, "-i", "What?", "-k", 2, "-m", tiny, "--no-baseline", "-o", target)
    assert result.exit_code == 0, result.stderr
    written = target.read_bytes()
    assert written.startswith(b"\xef\xbb\xbfid;text;cluster;")
    assert written.count(b"\r\n") == written.count(b"\n") == 7


def test_formulas_without_a_stored_value_are_counted(book):
    rows = [["id", "text", "note"], [1, "The room was cold.", "=A2"], [2, '=CONCATENATE("a", "b")', None]]
    notes = read_corpus(book(Sheet1=rows), text="text").notes
    assert any('1 cell of "text" without text: a formula whose value is not stored' in note for note in notes)
    assert any('1 cell of "note" without text' in note for note in notes)
    assert not any("formula" in note for note in read_corpus(book()).notes)


@pytest.mark.parametrize("options", [{}, {"text": "text"}])
def test_texts_that_are_all_formulas_are_an_error_that_says_it(book, options):
    with pytest.raises(InputError) as caught:
        read_corpus(book(Sheet1=[["id", "text"], [1, '="a"&"b"'], [2, '="c"&"d"']]), **options)
    assert '2 cells of "text" without text: a formula' in caught.value.hint
    assert "LibreOffice" in caught.value.hint


def rewrite(path, part, change):
    """Change one part of a workbook."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[part] = change(parts[part])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def test_stored_values_of_formulas_are_read_also_empty_texts(book):
    path = book(Sheet1=[["text"], ['="a"&"b"'], ['=""']])
    stored = iter([b"<v>late again</v>", b"<v></v>"])

    def store(sheet):
        for value in stored:
            sheet = sheet.replace(b"<v/>", value, 1).replace(b"<v />", value, 1)
        return sheet.replace(b'r="A2"', b'r="A2" t="str"').replace(b'r="A3"', b'r="A3" t="str"')

    rewrite(path, "xl/worksheets/sheet1.xml", store)
    corpus = read_corpus(path)
    assert corpus.texts[0] == "late again"
    assert not any("formula" in note for note in corpus.notes)


def test_hidden_sheets_are_read_last_and_said(book):
    def hide(path, *titles):
        made = openpyxl.load_workbook(path)
        for title in titles:
            made[title].sheet_state = "hidden"
        made.save(path)
        return path

    path = hide(book(Codes=[["text"], ["A list of codes"]], Answers=ROWS), "Codes")
    corpus = read_corpus(path)
    assert corpus.texts[0] == "The room was cold."
    assert any('sheet "Answers", the first that is not hidden of 2' in note for note in corpus.notes)
    assert read_corpus(path, sheet="Codes").texts == ["A list of codes"]
    path = hide(book(Codes=ROWS, Empty=[]), "Codes")
    assert any('sheet "Codes", which is hidden' in note for note in read_corpus(path).notes)


def test_a_sheet_that_holds_a_title_only_is_passed_over(book):
    corpus = read_corpus(book(Cover=[["Survey 2026"]], Answers=ROWS))
    assert corpus.texts[0] == "The room was cold."
    assert any('sheet "Answers", the first with rows of 2' in note for note in corpus.notes)
    assert read_corpus(book(Cover=[["Survey 2026"]], Empty=[]), header=False).texts == ["Survey 2026"]


def test_columns_without_a_name_at_the_end_of_the_header_are_named(book):
    rows = [["id", "text"], ["1", "The room was cold.", "x"], ["2", "A kind host.", "y"]]
    corpus = read_corpus(book(Answers=rows))
    assert corpus.table.column_names == ["id", "text", "column_3"]
    assert corpus.table["column_3"].to_pylist() == ["x", "y"]


def test_a_strict_workbook_is_called_so(book, recwarn):
    path = book()
    old, new = (
        b"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
        b"http://purl.oclc.org/ooxml/spreadsheetml/main",
    )
    rewrite(path, "xl/workbook.xml", lambda part: part.replace(old, new))
    with pytest.raises(InputError, match="Strict Open XML"):
        read_corpus(path)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("rest", "kind"), [(b"", "old workbook"), ("EncryptedPackage".encode("utf-16-le"), "by a password")]
)
def test_a_workbook_with_a_password_is_called_so(tmp_path, rest, kind):
    path = tmp_path / "x.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + rest)
    with pytest.raises(InputError, match=kind):
        read_corpus(path)
