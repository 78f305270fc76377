from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.explanation.unanswered import is_unanswered
from inbedder_cli.options import UnansweredOptions

QUESTION = "What emotion is expressed?"


def unanswered(answer, text="The room was cold and the staff ignored us.", question=QUESTION):
    return is_unanswered([answer], [text], question)[0]


@pytest.mark.parametrize(
    "answer", ["", "  ", "?!", "Not mentioned", "not mentioned.", "UNKNOWN", "I don’t know", "n/a", "cannot  tell"]
)
def test_answers_that_say_nothing_are_none(answer):
    assert unanswered(answer)


@pytest.mark.parametrize(
    "answer", ["anger", "none", "nothing", "neutral", "not happy", "unknown caller", "others"]
)
def test_answers_that_say_something_are_answers(answer):
    assert not unanswered(answer)


def test_the_question_said_again_is_no_answer_but_a_choice_that_it_offers_is():
    assert unanswered("emotion")
    assert unanswered("The emotion expressed")
    assert not unanswered("emotion of joy")
    assert not unanswered("good", question="Is the feeling good or bad?")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Classify the sentiment: positive, negative, neutral", "positive"),
        ("What is the sentiment (positive, negative, neutral)?", "negative"),
        ("How satisfied is the customer?", "satisfied"),
        ("Is the customer happy?", "happy"),
        ("Does the customer want a refund?", "refund"),
        ("Ist der Kunde zufrieden oder unzufrieden?", "zufrieden"),
    ],
)
def test_words_of_a_question_that_may_be_its_answer_are_answers(question, answer):
    assert not unanswered(answer, question=question)


def test_a_copy_of_a_long_text_is_no_answer_but_a_short_text_may_be_its_own():
    assert unanswered("the room was cold and")
    assert not unanswered("the room was cold")
    assert not unanswered("anger", text="Anger")


def test_a_text_that_says_nothing_has_no_answer():
    assert unanswered("neutral", text="N/A")
    assert not unanswered("neutral", text="N/A for me, the lid is broken")


def test_doubtful_answers_are_none_and_missing_confidence_is_no_doubt():
    confidences = np.array([0.04, 0.9, np.nan], np.float32)
    answers = ["anger", "joy", "fear"]
    options = UnansweredOptions(min_confidence=0.05)
    assert is_unanswered(answers, answers, QUESTION, confidences, options) == [True, False, False]
    assert is_unanswered(answers, answers, QUESTION, None, options) == [False] * 3


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=40))), st.randoms())
def test_each_row_is_checked_by_itself(rows, random):
    flag_unanswered = dict(
        zip(rows, is_unanswered([a for a, _ in rows], [t for _, t in rows], QUESTION), strict=True)
    )
    random.shuffle(rows)
    assert is_unanswered([a for a, _ in rows], [t for _, t in rows], QUESTION) == [
        flag_unanswered[row] for row in rows
    ]
