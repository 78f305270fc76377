"""Labels: no two alike, negations kept, and checked on rows that they were not chosen on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.explanation.labels import check_labels, choose_labels
from inbedder_cli.explanation.phrases import answer_phrases, rank_phrases
from inbedder_cli.explanation.stop_words import words_of
from tests.explanation.test_summaries import VOCABULARY, explained

few_examples = settings(deadline=None, max_examples=30)
NONE = frozenset()


@pytest.mark.parametrize("answer", ["anger", "not happy", "the of it"])
def test_labels_are_unique_when_every_cluster_says_the_same(answer):
    summaries = explained([0, 0, 1, 1, 2, 2], [answer] * 6)
    assert len({s.label for s in summaries}) == 3


def test_labels_are_unique_when_two_clusters_share_their_best_phrase():
    answers = ["slow room"] * 3 + ["room slow"] * 3 + ["joy"] * 6
    summaries = explained([0] * 3 + [1] * 3 + [2] * 6, answers)
    assert len({s.label for s in summaries}) == 3


def test_the_weaker_claim_gets_its_next_phrase_added():
    answers = ["refund"] * 8 + ["refund", "refund", "parcel", "refund"] + ["joy"] * 20
    summaries = explained([0] * 8 + [1] * 4 + [2] * 20, answers)
    assert [s.label for s in summaries] == ["refund", "refund, parcel", "joy"]


@few_examples
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 3), st.lists(st.sampled_from(VOCABULARY), max_size=4).map(" ".join).map(str.strip)
        ),
        min_size=1,
        max_size=20,
    ).filter(lambda rows: any(words_of(answer) for _, answer in rows))
)
def test_no_two_clusters_get_one_label(rows):
    labels, answers = zip(*rows, strict=True)
    labels = np.unique(labels, return_inverse=True)[1]
    summaries = explained(labels, list(answers))
    assert len({s.label for s in summaries}) == len(summaries) == labels.max() + 1
    assert sum(s.size for s in summaries) == len(rows)
    for summary in summaries:
        assert all(0 < p.support <= 1 and p.lift > 0 for p in summary.phrases)
        assert len({p.score > 0 for p in summary.phrases}) < 2, "rarer phrases only where there are no others"


def test_a_cluster_of_answers_about_noise_is_not_labelled_like_the_noise_rows():
    summaries = explained([0] * 4 + [1] * 4 + [-1] * 2, ["noise"] * 4 + ["breakfast"] * 4 + ["x", "y"])
    assert len({s.label for s in summaries}) == 3


@pytest.mark.parametrize("phrase", ["not happy", "never arrived", "without warning", "no refund", "won't work"])
def test_negations_survive_in_labels(phrase):
    answers = [f"it is {phrase}"] * 5 + ["very pleased"] * 5
    assert explained([0] * 5 + [1] * 5, answers)[0].label == phrase


@pytest.mark.parametrize("answer", ["not", "no", "never", "none", "nothing"])
def test_a_lone_negation_is_an_answer(answer):
    assert explained([0] * 3 + [1] * 3, [answer] * 3 + ["yes"] * 3)[0].label == answer


def test_a_cluster_whose_rows_all_give_one_answer_is_named_by_it():
    labels = [s.label for s in explained([0] * 5 + [1] * 5, ["not happy"] * 5 + ["happy"] * 5)]
    assert labels == ["not happy", "happy"]


def test_a_negated_word_of_the_question_is_an_answer():
    answers = ["not happy"] * 5 + ["very glad"] * 5
    assert explained([0] * 5 + [1] * 5, answers, instruction="How happy is the guest?")[0].label == "not happy"


def test_one_cluster_of_all_rows_is_named_by_its_answer():
    assert explained([0, 0, 0], ["anger", "anger", "joy"])[0].label == "anger"


def test_a_label_is_checked_by_coverage_specificity_and_on_rows_it_was_not_chosen_on():
    answers = ["anger"] * 20 + ["joy"] * 5 + ["joy"] * 20 + ["anger"] * 5
    first, second = explained([0] * 25 + [1] * 25, answers)
    assert (first.label, second.label) == ("anger", "joy")
    assert (first.check.coverage, first.check.specificity) == (0.8, 0.8)
    assert first.check.f1 == pytest.approx(0.8)
    perfect = explained([0] * 10 + [1] * 10, ["anger"] * 10 + ["joy"] * 10)[0].check
    assert (perfect.coverage, perfect.specificity, perfect.f1) == (1, 1, 1)


def test_a_label_of_answers_that_never_come_again_does_not_hold():
    """Each answer is said once: whatever is chosen on some rows is in none of the others."""
    answers = [f"word{chr(97 + i)}" for i in range(20)]
    check = explained([0] * 10 + [1] * 10, answers)[0].check
    assert check.specificity == 1
    assert check.f1 == 0


def test_labels_that_are_forms_of_one_word_are_distinguished():
    answers = ["cancel order"] * 6 + ["cancel"] * 4 + ["cancellation fee"] * 5 + ["cancellation"] * 3
    phrases = rank_phrases([answer_phrases(a, NONE, NONE) for a in answers], np.array([0] * 10 + [1] * 8))
    labels = choose_labels(phrases)
    assert labels[0].split(",")[0] == "cancel"
    assert "fee" in labels[1]
    assert choose_labels(rank_phrases([["happy"], ["unhappy"]], np.array([0, 1]))) == {0: "happy", 1: "unhappy"}


@few_examples
@given(st.lists(st.tuples(st.sampled_from(VOCABULARY), st.integers(0, 2)), min_size=3, max_size=30), st.randoms())
def test_checks_do_not_depend_on_the_order_of_rows(rows, random):
    def checked():
        found = [answer_phrases(answer, NONE, NONE) for answer, _ in rows]
        labels = np.array([label for _, label in rows])
        return check_labels(found, labels, {label: "anger" for label in set(labels.tolist())})

    before = checked()
    random.shuffle(rows)
    assert checked() == before
