"""Phrases: n-grams of answers, ranked by log-odds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.explanation.labels import choose_phrases
from inbedder_cli.explanation.phrases import answer_phrases, describe_phrases, distinctive_phrases
from inbedder_cli.explanation.stop_words import load_stop_words
from inbedder_cli.options import ExplainOptions
from tests.explanation.test_summaries import explained

few_examples = settings(deadline=None, max_examples=30)
NONE = frozenset()


def phrases_of(summary):
    return {p.text: p for p in summary.phrases}


def test_the_score_is_the_z_score_of_the_log_odds():
    """4 rows, 3 with "anger", against 6 rows, 1 with it; half a row keeps the odds finite."""
    labels = [0] * 4 + [1] * 6
    answers = ["anger", "anger", "anger", "joy", "anger", "joy", "joy", "joy", "joy", "fear"]
    summaries = explained(labels, answers)
    inside, outside, n, m = 3, 1, 4, 6
    prior, prior_rows = 4 / 10, 10 / 10  # a tenth of the corpus: 4 of its 10 rows hold "anger"
    odds_in = (inside + prior) / (n + prior_rows - inside - prior + 0.5)
    odds_out = (outside + prior) / (m + prior_rows - outside - prior + 0.5)
    assert odds_in == pytest.approx(3.4 / 2.1)
    assert odds_out == pytest.approx(1.4 / 6.1)
    variance = 1 / (inside + prior) + 1 / (outside + prior)
    expected = (math.log(odds_in) - math.log(odds_out)) / math.sqrt(variance)
    assert expected == pytest.approx(1.945497, abs=1e-6)
    assert phrases_of(summaries[0])["anger"].score == pytest.approx(expected)
    assert "anger" not in phrases_of(summaries[1])


def test_too_stays_before_the_word_that_it_changes():
    stop_words = frozenset({"too", "is", "it"})
    assert answer_phrases("it is too small", stop_words, NONE) == ["small", "too small"]
    assert answer_phrases("me too", stop_words, NONE) == ["me"]
    assert answer_phrases("not too small", stop_words, NONE) == ["not too small"]


def test_support_and_lift_are_shares_of_rows():
    labels = [0] * 4 + [1] * 6
    answers = ["anger anger", "anger", "anger", "joy", "anger", "joy", "joy", "joy", "joy", "fear"]
    anger = phrases_of(explained(labels, answers)[0])["anger"]
    assert anger.support == pytest.approx(3 / 4)
    assert anger.lift == pytest.approx((3.5 / 5) / (1.5 / 7))
    fear = phrases_of(explained(labels, answers)[1])["fear"]
    assert fear.support == pytest.approx(1 / 6)
    assert fear.lift == pytest.approx((1.5 / 7) / (0.5 / 5))


def test_noise_rows_count_among_the_others():
    answers = ["anger", "anger", "joy", "joy", "anger", "anger"]
    with_noise = describe_phrases([[a] for a in answers], np.array([0, 0, 1, 1, -1, -1]))
    assert set(with_noise) == {0, 1}
    assert with_noise[0][0].lift == pytest.approx((2.5 / 3) / (2.5 / 5))


def test_what_was_said_once_does_not_win_over_what_was_said_often():
    answers = ["anger"] * 9 + ["zebra"] + ["joy"] * 9 + ["anger"]
    assert explained([0] * 10 + [1] * 10, answers)[0].label == "anger"


def test_no_more_phrases_than_asked_for_best_first():
    answers = ["red apple", "green pear", "blue plum", "red rose"] * 2 + ["grey"] * 8
    summaries = explained([0] * 8 + [1] * 8, answers, options=ExplainOptions(phrases=3))
    scores = [p.score for p in summaries[0].phrases]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)


def test_the_questions_own_words_are_left_out_where_another_word_remains():
    repeated = frozenset({"emotion", "expressed"})
    stop = load_stop_words()
    assert answer_phrases("The emotion expressed is anger", stop, repeated) == ["anger"]
    assert answer_phrases("the emotion", stop, repeated) == ["emotion"]
    assert answer_phrases("not emotion", stop, repeated) == ["not emotion"]


@pytest.mark.parametrize(
    ("answer", "phrases"),
    [
        ("not happy", ["not happy"]),
        ("not very happy", ["not very happy"]),
        ("isn't late, good food", ["good", "food", "isn't late", "good food", "isn't late good"]),
        ("no", ["no"]),
        ("not the", ["not"]),
        ("kein Essen", ["kein essen"]),
        ("non-smoking e-bike", ["non-smoking", "e-bike", "bike", "non-smoking e-bike"]),
    ],
)
def test_a_negated_word_is_never_a_phrase_without_its_negation(answer, phrases):
    assert answer_phrases(answer, load_stop_words(), NONE) == phrases


def test_the_questions_own_words_are_left_out_of_an_explanation():
    answers = ["emotion: anger"] * 4 + ["emotion: joy"] * 4
    summaries = explained([0] * 4 + [1] * 4, answers, instruction="What emotion is expressed?")
    assert [s.label for s in summaries] == ["anger", "joy"]
    assert all("emotion" not in p.text for s in summaries for p in s.phrases)


def test_an_offered_choice_is_not_left_out():
    answers = ["anger mostly"] * 4 + ["joy mostly"] * 4
    summaries = explained([0] * 4 + [1] * 4, answers, instruction="Is it anger or joy?")
    assert [s.label for s in summaries] == ["anger mostly", "joy mostly"]


def test_stop_words_inside_a_phrase_stay_and_none_is_jumped_over():
    stop = frozenset({"of", "the"})
    assert answer_phrases("free of charge", stop, NONE) == ["free", "charge", "free of charge"]
    assert answer_phrases("the free of", stop, NONE) == ["free"]
    assert answer_phrases("out of the blue", stop, NONE) == ["out", "blue"]


def test_a_dropped_word_of_the_question_is_not_jumped_over():
    assert answer_phrases("angry emotion today", NONE, frozenset({"emotion"})) == ["angry", "today"]


def test_an_answer_of_stop_words_alone_is_better_than_nothing():
    assert answer_phrases("others", frozenset({"others"}), NONE) == ["others"]


@few_examples
@given(
    words=st.lists(st.sampled_from("the of a not never room staff emotion don't".split()), max_size=8),
    stop=st.sets(st.sampled_from(["the", "of", "a"])).map(frozenset),
    repeated=st.sets(st.sampled_from(["emotion", "room"])).map(frozenset),
)
def test_phrases_are_runs_of_the_answer(words, stop, repeated):
    answer = " ".join(words)
    found = answer_phrases(answer, stop, repeated)
    assert bool(found) == bool(words)
    assert len(found) == len(set(found))
    for phrase in found:
        gram = phrase.split()
        assert 1 <= len(gram) <= 3
        assert f" {phrase} " in f" {answer} "
        if set(words) - stop:
            assert gram[0] not in stop
            assert gram[-1] not in stop


def test_a_part_of_a_phrase_of_the_same_rows_is_not_a_phrase_of_its_own():
    summary = explained([0] * 4 + [1] * 4, ["slow wifi"] * 4 + ["kind staff"] * 4)[0]
    assert list(phrases_of(summary)) == ["slow wifi"]


def test_of_ever_longer_phrases_at_least_one_is_kept():
    """Each is most of the shorter one's rows, but the longest is not most of the shortest one's."""
    answers = ["wifi"] * 3 + ["slow wifi"] * 3 + ["terribly slow wifi"] * 14 + ["breakfast"] * 20
    summary = explained([0] * 20 + [1] * 20, answers)[0]
    assert any("wifi" in text for text in phrases_of(summary))
    assert "wifi" in summary.label


def test_a_cluster_is_named_by_what_most_of_its_rows_say_not_by_what_a_few_say_there_alone():
    inside = [["neutral"]] * 26 + [["curiosity"]] * 10 + [[f"said {i}"] for i in range(24)]
    outside = [["neutral"]] * 60 + [["joy"]] * 140
    described = describe_phrases(inside + outside, np.repeat([0, 1], [60, 200]))
    assert distinctive_phrases(described[0])[0].text == "curiosity"
    assert choose_phrases(described)[0].text == "neutral"


def test_a_text_of_any_length_has_few_phrases():
    words = " ".join(f"w{i}" for i in range(1_000_000))
    phrases = answer_phrases(words, frozenset(), frozenset())
    assert phrases[:2] == ["w0", "w1"]
    assert len(phrases) < 10_000
    assert max(map(len, answer_phrases("a" * 9_000_000, frozenset(), frozenset()))) <= 10_000
