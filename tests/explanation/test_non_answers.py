"""Texts that say nothing, in the forms that surveys bring."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbedder_cli.explanation.non_answers import is_non_answer

OPEN = "What should be improved?"


NON_ANSWERS = """
-|.|...|??|_ _ __|x|XX|xxxx|n/a|N/A.|NIL|None.|none|Nothing!|nope|no
Nothing, all good.|nothing comes to mind|I can't think of anything right now|no idea, sorry|N/A for me, thanks
Don’t know|I have no idea|not sure tbh|Not applicable to me|see above|same as before|nothing really
k.A.|keine Angabe|Weiß ich leider nicht|s.o.|rien|Je ne sais pas.|nada|No sé|niente|geen idee|n.v.t.|yok
не знаю|特になし。|没有|없음|لا شيء
asdf|asdfghj|qwertz|asdf will write later|hhhh|see my other review|Please see my comment on Q2
N.A.|n.a|n / a|n/a.|K.A.|s.o|dk|same|/
edit: ordered the wrong item, pls delete|Please delete this review
HHHH|hh|XXX|жжжж|wrote this under the wrong article, please delete|delete this
[deleted]|[removed by moderator]|[Comment removed]|#N/A|#REF!|nan|undefined
"""
ANSWERS = """
None of the lights work|Nothing works|No way to cancel online.|no parking|the search finds nothing
7|5/5|😡|⭐⭐|:(|€|C|K|ok|price|Preis|keine Heizung|rien ne marche|nada funciona
wert|The value (Wert) is wrong|please delete my account|I ordered the wrong item, please remove it
see the manual|the qwerty layout|no more meetings|没有电|なしのつぶて|were you there|poor
Nothing, but the price is too high|no idea why it is so slow|all good
いい|妈妈|はは|AA|AAA|II|Edit or delete post|edit/delete|Delete|Edit my photo and remove
I wish I could change what I posted, or delete it|remove review photos
deleted|removed|U.S.|a.b.|I/O|9/10|My account was [deleted] by you|#1
"""


def entries(lines: str) -> list[str]:
    return [entry for line in lines.strip().splitlines() for entry in line.split("|")]


@pytest.mark.parametrize("text", entries(NON_ANSWERS))
def test_non_answers(text):
    assert is_non_answer(text, OPEN)


@pytest.mark.parametrize("text", entries(ANSWERS))
def test_answers(text):
    assert not is_non_answer(text, OPEN)


def test_no_answers_a_question_for_yes_or_no():
    for question in ("Would you buy it again?", "Is it good, yes or no?", "did it arrive?"):
        assert not is_non_answer("No.", question)
        assert is_non_answer("no comment", question)
    assert is_non_answer("No.", OPEN)


def test_nothing_of_what_is_asked_for_is_no_answer():
    assert is_non_answer("No complaints", "What is the complaint about?")
    assert not is_non_answer("No complaints", "What emotion is expressed?")


@given(st.text())
def test_any_text_can_be_checked_and_case_and_marks_do_not_matter(text):
    assert is_non_answer(f"None{'.' * (len(text) % 3)}", OPEN)
    assert is_non_answer(text, OPEN) in (True, False)


@given(st.text(alphabet=" .-_?!\t\n…"))
def test_marks_alone_are_never_an_answer(text):
    assert is_non_answer(text, OPEN) == bool(text.strip())
