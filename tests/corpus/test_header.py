"""Headers as people have them: none, several rows, empty and repeated names, ragged rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbedder_cli.corpus import read_corpus
from inbedder_cli.corpus.header import column_names
from inbedder_cli.errors import InputError, UsageError

QUALTRICS = """StartDate,Q3,Q4_TEXT
Start Date,How likely?,"What should we
change?"
"{""ImportId"":""startDate""}","{""ImportId"":""QID3""}","{""ImportId"":""QID4_TEXT""}"
2024-05-01,9,Meetings eat half of my week.
2024-05-02,4,Less email please and no calls.
"""
SURVEYMONKEY = """Respondent ID,Collector ID,What should we change?,How likely are you?,,
,,Open-Ended Response,Not likely,Maybe,Very likely
1000,77,Meetings eat half of my week.,Not likely,,
1001,77,Less email please and no calls.,,Maybe,
"""


@pytest.fixture
def read(tmp_path):
    """Read a CSV file of a given content."""

    def of(content: str, name: str = "x.csv", **options):
        path = tmp_path / name
        path.write_bytes(content.encode())
        return read_corpus(path, **options)

    return of


def test_the_header_rows_of_survey_tools_are_recognized_and_said(read):
    corpus = read(QUALTRICS)
    assert corpus.table.column_names == ["StartDate", "Q3", "Q4_TEXT"]
    assert corpus.texts == ["Meetings eat half of my week.", "Less email please and no calls."]
    assert any("3 header rows (recognized" in note for note in corpus.notes)
    corpus = read(SURVEYMONKEY, text="What should we change?")
    assert corpus.table.column_names[3:] == ["How likely are you?", "Maybe", "Very likely"]
    assert len(corpus) == 2
    assert len(read(QUALTRICS, header_rows=1, text="Q4_TEXT")) == 4


@pytest.mark.parametrize(
    "header",
    [
        "StartDate,ResponseId,Q4_TEXT\nStart Date,Response ID,What should we change?",
        "StartDate,EndDate,Q4_TEXT\nStartdatum,Enddatum,Was sollen wir ändern?",  # in another language
        "V1,V8,Q4_TEXT\nResponseID,StartDate,What should we change?",
    ],
)
def test_two_header_rows_of_qualtrics_are_recognized_and_said(read, header):
    corpus = read(f"{header}\n2024-05-01,a,Meetings eat half of my week.\n")
    assert corpus.texts == ["Meetings eat half of my week."]
    assert corpus.table.column_names == header.partition("\n")[0].split(",")
    assert any("2 header rows (recognized" in note for note in corpus.notes)


@pytest.mark.parametrize(
    "content",
    [
        "StartDate,EndDate,Q4_TEXT\n2024-05-01,2024-05-02,Meetings eat half of my week.\n",
        "StartDate,EndDate,Q4_TEXT\n,,Meetings eat half of my week.\n",
        "StartDate,EndDate,Q4_TEXT\nunknown,unknown,Meetings eat half of my week.\n",
        "V1,V2,Q4_TEXT\nResponseID,yes,Meetings eat half of my week.\n",
    ],
)
def test_rows_below_columns_of_qualtrics_are_rows(read, content):
    assert read(content, text="Q4_TEXT").texts == ["Meetings eat half of my week."]


def test_header_rows_can_be_given(read):
    corpus = read("a,\n,comment\n1,The room was cold and dark.\n", header_rows=2)
    assert corpus.table.column_names == ["a", "comment"]
    assert corpus.texts == ["The room was cold and dark."]


def test_lines_above_the_header_can_be_skipped_and_errors_name_the_true_line(read):
    content = 'Export of "today\nall rows\nid;text\n1;The room was cold.\n'
    assert read(content, skip_rows=2).texts == ["The room was cold."]
    with pytest.raises(InputError, match=r"row 2 \(line 5\)"):
        read(content + "2;a;b\n", skip_rows=2)


def test_a_file_may_have_no_header(read):
    corpus = read("1,The room was cold.\n2,Lovely staff and food.\n", header=False)
    assert corpus.table.column_names == ["column_1", "column_2"]
    assert corpus.texts == ["The room was cold.", "Lovely staff and food."]
    with pytest.raises(InputError, match=r"row 2 \(line 2\)"):
        read("1,good\n2,a,b\n", header=False)
    with pytest.raises(UsageError, match="contradict"):
        read("a\nb\n", header=False, header_rows=2)


def test_empty_and_repeated_names_are_made_up_and_said(read):
    corpus = read("id,note,,note\n1,a,The room was cold.,b\n", text="column_3")
    assert corpus.table.column_names == ["id", "note", "column_3", "note_2"]
    assert any("column 3 without a name" in note for note in corpus.notes)
    assert any("named note: note_2" in note for note in corpus.notes)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (
            "id,text,,\n1,The room was cold.,,\n2,Lovely staff.,,\n",
            [["1", "The room was cold."], ["2", "Lovely staff."]],
        ),
        (
            "id,text\n1,The room was cold.,\n2,Lovely staff.,,\n",
            [["1", "The room was cold."], ["2", "Lovely staff."]],
        ),
        (
            "text,n,m\nThe room was cold.,1,2\nLovely staff.\n",
            [["The room was cold.", "1", "2"], ["Lovely staff.", "", ""]],
        ),
    ],
)
def test_empty_cells_that_spreadsheets_add_or_leave_out_do_not_matter(read, content, rows):
    corpus = read(content, text="text")
    assert [list(row.values()) for row in corpus.table.to_pylist()] == rows


def test_rows_with_more_content_than_the_header_fail_or_are_left_out_and_counted(read):
    content = "id,text\n1,The room was cold.\n2,Lovely, warm\n3,Fine food and staff.\n"
    with pytest.raises(InputError, match=r"row 2 \(line 3\): 3 fields") as caught:
        read(content)
    assert "--on-bad-row" in caught.value.hint
    corpus = read(content, on_bad_row="skip")
    assert corpus.texts == ["The room was cold.", "Fine food and staff."]
    assert any("1 row left out" in note and "line 3" in note for note in corpus.notes)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_every_line_end_is_read_also_inside_quotes(read, end):
    content = f'id,text{end}1,"The room{end}was cold."{end}2,Lovely staff.{end}'
    assert read(content).texts == [f"The room{end}was cold.", "Lovely staff."]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("rows", "texts"),
    [
        (["id,text", "1,The room\rwas cold.", "2,Lovely staff."], ["The room\rwas cold.", "Lovely staff."]),
        (["text,id", "The room\rwas\rcold.,1", "Lovely staff.,2"], ["The room\rwas\rcold.", "Lovely staff."]),
        (["text", "The room\rwas cold.", "Lovely staff."], ["The room\rwas cold.", "Lovely staff."]),
        (["id,text", "1,Lovely staff.", "2,The room\r\rwas cold."], ["Lovely staff.", "The room\r\rwas cold."]),
    ],
)
def test_a_lone_cr_in_a_cell_is_part_of_it(read, end, rows, texts):
    corpus = read("".join(row + end for row in rows), text="text")
    assert corpus.texts == texts
    assert any("read as part of the text (first: line" in note for note in corpus.notes)


def test_mixed_line_ends_are_read(read):
    assert read("id,text\r\n1,The room was cold.\r2,Lovely staff.\n3,Good food.\r\n").table.num_rows == 3


def test_escaped_quotes_are_read_when_asked_for(read):
    content = 'id,text\n1,"He said \\"hi, you\\" to me"\n'
    assert read(content, escape="\\").texts == ['He said "hi, you" to me']
    with pytest.raises(InputError, match="closing double quote") as caught:
        read(content)
    assert "--escape" in caught.value.hint


NAMES = st.lists(st.sampled_from(["", " ", "a", "b", "a_2", "column_1", "column_2"]), min_size=1, max_size=6)


@given(NAMES)
def test_names_are_unique_and_given_ones_stay(given_names):
    names, _ = column_names([given_names])
    assert len(set(names)) == len(names) == len(given_names)
    assert all(names)
    for i, name in enumerate(given_names):
        if name.strip() and given_names.index(name) == i:
            assert names[i] == name


def test_the_cases_of_the_readme_of_pipes(inbedder, tiny):
    result = inbedder("cluster", "-", "--no-header", "-i", "What?", "-k", 2, "-m", tiny, "--no-baseline",
                      stdin="1,good food here\n2,bad food there\n3,all is well\n")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[0].startswith("column_1,column_2,cluster")
    assert Path(tiny).exists()
