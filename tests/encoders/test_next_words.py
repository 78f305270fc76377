from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbedder_cli.encoders.next_words import LIKELY, NextWords, next_words

words_with_probabilities = st.lists(
    st.tuples(st.sampled_from("abcdefghij"), st.floats(0, 1, width=32)), max_size=LIKELY, unique_by=lambda x: x[0]
)
some_answers = st.lists(words_with_probabilities, min_size=1, max_size=12)


@pytest.mark.parametrize("answers", [[], [[]], [[], []]])
def test_answers_without_words(answers):
    words = next_words(answers)
    assert words.ids.shape == (len(answers), LIKELY)
    assert words.means().tolist() == []


@given(some_answers, st.data())
def test_the_order_of_rows_does_not_matter(answers, data):
    order = data.draw(st.permutations(range(len(answers))))
    found = next_words([answers[i] for i in order])
    means = dict(zip(found.words, found.means(), strict=True))
    expected = next_words(answers)
    assert means == pytest.approx(dict(zip(expected.words, expected.means(), strict=True)))


@given(some_answers, st.data())
def test_rows_keep_their_words_among_rows_that_have_none(answers, data):
    n = len(answers) + 3
    rows = data.draw(st.permutations(range(n)))[: len(answers)]
    words = next_words(answers)
    back = words.spread(rows, n).of(rows)
    np.testing.assert_array_equal(back.ids, words.ids)
    np.testing.assert_array_equal(back.probabilities, words.probabilities)
    assert words.spread(rows, n).probabilities.sum() == pytest.approx(words.probabilities.sum())


def spelled(words):
    """Each row's words with their probabilities, without those of probability 0, which pad."""
    return [
        [(words.words[i], p) for i, p in zip(ids, probabilities, strict=True) if p > 0]
        for ids, probabilities in zip(words.ids.tolist(), words.probabilities.tolist(), strict=True)
    ]


@given(st.lists(st.lists(words_with_probabilities, max_size=4), max_size=5))
def test_joined_tables_are_the_table_of_all_answers(shards):
    joined = NextWords.concat([next_words(shard) for shard in shards])
    expected = next_words([answer for shard in shards for answer in shard])
    assert joined.words == expected.words
    assert spelled(joined) == spelled(expected)
    assert joined.ids.dtype == np.int32
    assert joined.probabilities.dtype == np.float32
    np.testing.assert_allclose(joined.means(), expected.means())
