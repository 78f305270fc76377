"""Rows that an open quote has swallowed are named; texts of several lines are not taken for them."""

from __future__ import annotations

import pytest

from inbedder_cli import read_corpus

OPEN_QUOTE = """id,text
1,parcel late
2,"I love it
3,Support slow
4,Refund took
5,screen is 6"
6,crash
"""
FOUND = "3 lines inside quoted cells look like rows (cells that begin on line 3); if a quote does not close there"


def notes(tmp_path, content):
    path = tmp_path / "x.csv"
    path.write_text(content, encoding="utf-8")
    return [note for note in read_corpus(path, text="text").notes if "quoted cells" in note]


def test_rows_in_a_cell_are_named(tmp_path):
    assert notes(tmp_path, OPEN_QUOTE) == [f"{FOUND}: --quote ''"]


@pytest.mark.parametrize(
    "text",
    [
        "Dear team,\nthe room was cold, and loud.\nRegards, Ann",
        "12 High Street,\n7 Low Road, Leeds\nEngland",
        "one\ntwo\nthree",
        "to buy:\n1, milk\n2, bread",
        "yes,no\nfoo,bar",
        "12,5\n13,7",
        "I ordered\n4,really",
        "Liked:\n- the food, the view\n- the pool, the bar\nDisliked: nothing",
    ],
)
def test_texts_of_several_lines_are_texts(tmp_path, text):
    assert notes(tmp_path, f'id,text\n1,fine\n2,"{text}"\n3,good\n') == []


def test_many_columns_need_no_ids(tmp_path):
    rows = 'date,city,text,score\nmonday,Rome,"nice,4\ntuesday,Paris,late,2\nmay,Oslo,cold"er,3\n'
    assert len(notes(tmp_path, rows.replace('d"er', 'd"'))) == 1


@pytest.mark.parametrize(
    "content",
    [
        'id,text\n1,ok\n2,"I love it\n3,screen is 6"\n',  # one row, of the next number
        'text,id\nok,1\n"I love it,2\nSupport slow,3\nscreen is 6",4\n',
        'day,text\n2024-05-01,"I love it\n2024-05-01,slow\n2024-05-04,screen is 6"\n',
        'id,text\r\n1,"I love it\r\n2,slow\r\n3,screen is 6"\r\n',
    ],
)
def test_rows_of_other_columns_are_named(tmp_path, content):
    assert len(notes(tmp_path, content)) == 1
