from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbedder_cli.encoders.next_words import LIKELY, lens, next_words

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


def test_the_lens_of_a_cluster_is_what_its_answers_would_rather_begin_with():
    # anger: 0.45 there, 0.225 everywhere; annoyance 0.25 and 0.125; joy 0.1 and 0.45
    assert lens(next_words(ANSWERS), LABELS, 5) == {0: ["anger", "annoyance"], 1: ["joy", "love"]}


def test_only_so_many_words_are_told():
    assert lens(next_words(ANSWERS), LABELS, 1) == {0: ["anger"], 1: ["joy"]}


def test_one_cluster_has_no_more_of_a_word_than_all_rows():
    assert lens(next_words(ANSWERS), np.zeros(4, np.int64), 5) == {0: []}


@pytest.mark.parametrize("answers", [[], [[]], [[], []]])
def test_answers_without_words(answers):
    words = next_words(answers)
    assert words.ids.shape == (len(answers), LIKELY)
    assert words.means().tolist() == []
    assert all(told == [] for told in lens(words, np.zeros(len(answers), np.int64), 5).values())


@given(some_answers, st.data())
def test_neither_the_order_of_rows_nor_the_numbers_of_clusters_matter(answers, data):
    labels = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(answers), max_size=len(answers))))
    order = data.draw(st.permutations(range(len(answers))))
    found = next_words([answers[i] for i in order])
    means = dict(zip(found.words, found.means(), strict=True))
    expected = next_words(answers)
    assert means == pytest.approx(dict(zip(expected.words, expected.means(), strict=True)))
    renamed = lens(expected, labels + 5, 5)
    assert {c - 5: told for c, told in renamed.items()} == lens(expected, labels, 5)


@given(some_answers, st.data())
def test_rows_keep_their_words_among_rows_that_have_none(answers, data):
    n = len(answers) + 3
    rows = data.draw(st.permutations(range(n)))[: len(answers)]
    words = next_words(answers)
    back = words.spread(rows, n).of(rows)
    np.testing.assert_array_equal(back.ids, words.ids)
    np.testing.assert_array_equal(back.probabilities, words.probabilities)
    assert words.spread(rows, n).probabilities.sum() == pytest.approx(words.probabilities.sum())
