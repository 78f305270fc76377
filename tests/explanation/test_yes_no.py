"""Yes/no questions, and what counts as yes and no."""

from __future__ import annotations

import pytest

from inbedder_cli.explanation.yes_no import is_yes_no_question, merge_yes_no


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Is the customer angry?", True),
        ("is it angry or not?", True),
        ("Would the customer buy again, yes or no?", True),
        ("Tell whether the guest is happy.", True),
        ("Doesn't it work?", True),
        ("Positive? yes/no", True),
        ("Is it positive or negative?", False),
        ("Did they like it or dislike it?", False),
        ("What is the emotion?", False),
        ("Name the island.", False),
        ("Can you name the product?", False),
        ("Could you please tell me the product?", False),
        ("Do you know what it costs?", False),
        ("Is", False),
        ("", False),
    ],
)
def test_a_yes_no_question_is_recognized(question, expected):
    assert is_yes_no_question(question) is expected


def test_answers_that_begin_with_yes_or_no_are_yes_and_no():
    answers = ["Yes, very.", "yeah", "No.", "no, he is not", "no refund", "calm", ""]
    assert merge_yes_no(answers, "Is he angry?") == ["yes", "yes", "no", "no", "no refund", "calm", ""]


def test_words_of_the_question_say_yes_where_other_answers_say_yes_or_no():
    answers = ["no", "angry", "not angry", "isn't angry", "customer", "neutral"]
    found = merge_yes_no(answers, "Is the customer angry?")
    assert found == ["no", "yes", "no", "no", "customer", "neutral"]


@pytest.mark.parametrize(
    "question",
    ["Yes or no: is the customer angry?", "Is the customer angry? Answer yes or no.", "Say whether he is angry."],
)
def test_yes_and_no_may_be_named_before_or_after_what_is_asked(question):
    assert merge_yes_no(["yes", "angry", "not angry"], question) == ["yes", "yes", "no"]


def test_nothing_is_certain_where_no_answer_says_yes_or_no():
    assert merge_yes_no(["angry", "neutral"], "Is the customer angry?") == ["angry", "neutral"]


def test_other_questions_keep_their_answers_unless_most_say_yes_or_no():
    answers = ["no money", "no", "refund"]
    assert merge_yes_no(answers, "What is the complaint?") == answers
    assert merge_yes_no(["Yes.", "NO", "yes"], "Angry customer") == ["yes", "no", "yes"]
