from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbedder_cli.encoders.next_words import LIKELY, next_words
from inbedder_cli.explanation.likely_next_words import KnownWords, exceeding, likely_next_words

ANSWERS = [
    [("anger", 0.6), ("joy", 0.2)],
    [("annoyance", 0.5), ("anger", 0.3)],
    [("joy", 0.9)],
    [("joy", 0.7), ("love", 0.3)],
]
LABELS = np.array([0, 0, 1, 1])

some_answers = st.lists(
    st.lists(st.tuples(st.sampled_from("abcdefghij"), st.floats(0, 1)), max_size=LIKELY, unique_by=lambda x: x[0]),
    min_size=1,
    max_size=12,
)


def test_words_are_those_with_which_the_answers_of_a_cluster_are_likelier_to_begin():
    assert likely_next_words(next_words(ANSWERS), LABELS, 5) == {0: ["anger"], 1: ["joy"]}


def test_many_rows_that_find_a_word_somewhat_likely_weigh_more_than_one_that_is_certain():
    answers = [[("battery", 0.95)], [("sofa", 0.95)], *([("refund", 0.1)] for _ in range(4)), [("joy", 1.0)]]
    answers[1] = [("sofa", 0.9), ("battery", 0.001)]
    found = likely_next_words(next_words(answers), np.array([0] * 6 + [1]), 5)
    assert found[0] == ["refund", "battery"]  # only one row thinks of a sofa


def test_there_are_at_most_n_words():
    assert likely_next_words(next_words(ANSWERS), LABELS, 1) == {0: ["anger"], 1: ["joy"]}


def test_one_cluster_has_no_more_of_a_word_than_all_rows():
    assert likely_next_words(next_words(ANSWERS), np.zeros(4, np.int64), 5) == {0: []}


@pytest.mark.parametrize("answers", [[], [[]], [[], []]])
def test_answers_without_words(answers):
    found = likely_next_words(next_words(answers), np.zeros(len(answers), np.int64), 5)
    assert all(words == [] for words in found.values())


@given(some_answers, st.data())
def test_the_numbers_of_clusters_do_not_matter(answers, data):
    labels = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(answers), max_size=len(answers))))
    words = next_words(answers)
    renamed = likely_next_words(words, labels + 5, 5)
    assert {c - 5: found for c, found in renamed.items()} == likely_next_words(words, labels, 5)


@pytest.mark.parametrize(
    ("token", "word"),
    [
        ("disappro", "disapproval"),  # the only word that begins so
        ("disap", ""),  # disapproval or disappointment
        ("joy", "joy"),  # though "joyful" begins so too
        ("annoy", ""),
        ("delight", "delight"),  # of the texts alone
        ("over", "overwhelmed"),  # a word of the texts, but an answer begins so
        ("le", ""),  # too short for a word that no answer holds
        ("sw", ""),
        ("c", "c++"),
        ("\u00e9m", "\u00e9motion"),
    ],
)
def test_tokens_are_completed_or_left_out_by_the_words_that_are_known(token, word):
    answers = ["Disapproval!", "disappointment", "joy", "joyful, overwhelmed", "C++", "\u00c9motion"]
    texts = ["A delight, le p\u00e8re was over it."]
    assert KnownWords.of(answers, texts).complete([token]) == ([word] if word else [])


def test_tokens_of_one_word_are_shown_once():
    assert KnownWords.of(["disapproval", "anger"], []).complete(["disap", "ang", "disappro"]) == [
        "disapproval",
        "anger",
    ]
    assert KnownWords.of([], []).complete(["joy"]) == []


def test_the_rarest_words_are_those_of_two_rows():
    words, everywhere = ["joy", "love", "rain"], np.zeros(3)
    roots, n_rows = np.array([0.3, 0.5, 0.01]), np.array([2, 1, 9])
    assert exceeding(words, roots, everywhere, n_rows, 5) == ["joy"]
