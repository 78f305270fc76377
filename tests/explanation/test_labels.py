"""Labels: no two alike, negations kept, and checked on rows that they were not chosen on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.explanation.labels import check_labels, choose_phrases
from inbedder_cli.explanation.phrases import answer_phrases, describe_phrases
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


def test_clusters_of_one_answer_are_told_apart_by_the_rest_of_their_answers():
    answers = ["late delivery"] * 8 + ["late"] * 2 + ["late refund"] * 8 + ["late"] * 2 + ["joy"] * 20
    summaries = explained([0] * 10 + [1] * 10 + [2] * 20, answers)
    assert [s.label for s in summaries] == ["late delivery", "late refund", "joy"]
    answers = ["late delivery"] * 5 + ["late"] * 5 + ["late"] * 10 + ["joy"] * 20
    summaries = explained([0] * 10 + [1] * 10 + [2] * 20, answers)
    assert [s.label for s in summaries] == ["late: delivery", "late", "joy"]


def test_clusters_of_one_answer_are_told_apart_by_words_of_their_texts():
    texts = ["Where is my parcel today?"] * 6 + ["The refund is not here."] * 6 + ["All is well."] * 6
    summaries = explained([0] * 6 + [1] * 6 + [2] * 6, ["late"] * 12 + ["happy"] * 6, texts=texts)
    assert [s.label for s in summaries] == ["late: parcel", "late: refund", "happy"]


def test_the_same_answers_to_texts_without_a_word_apart_are_told_apart_by_a_central_text():
    texts = [":-)", ":-))", ":-(", ":-(("]
    labels = [s.label for s in explained([0, 0, 1, 1], ["neutral"] * 4, texts=texts)]
    assert labels == ["neutral", "neutral: “:-(”"]


def test_a_text_in_a_label_steers_no_terminal():
    texts = ["\x1b[31m!!\n\ud800!", "\x1b[31m??"]
    labels = [s.label for s in explained([0, 1], ["neutral"] * 2, texts=texts)]
    assert labels == ["neutral", "neutral: “[31m??”"]


def test_clusters_of_one_answer_are_told_apart_by_their_other_answers():
    answers = ["neutral"] * 19 + ["fear"] + ["neutral"] * 15 + ["fear"] * 5
    assert [s.label for s in explained([0] * 20 + [1] * 20, answers)] == ["neutral", "neutral / fear"]


def test_a_label_holds_several_answers_where_no_answer_is_that_of_most_rows():
    answers = ["coffee"] * 4 + ["espresso"] * 3 + ["brew"] * 2 + ["tank"] + ["joy"] * 10
    first, second = explained([0] * 10 + [1] * 10, answers)
    assert (first.label, second.label) == ("coffee / espresso", "joy")
    assert (first.check.coverage, first.check.specificity) == (0.7, 1)
    answers[:10] = ["coffee", "coffee", "espresso", "espresso", "brew", "brew", "tank", "tank", "noise", "water"]
    first = explained([0] * 10 + [1] * 10, answers)[0]
    assert (first.label, first.check.coverage) == ("espresso / tank / coffee", 0.6)


def test_a_further_answer_may_be_in_two_labels_but_not_the_first_one_of_another_cluster():
    answers = ["sadness"] * 4 + ["regret"] * 3 + list("abc") + ["disgust"] * 4 + ["regret"] * 2 + list("defg")
    summaries = explained([0] * 10 + [1] * 10 + [2] * 10, answers + ["joy"] * 10)
    assert [s.label for s in summaries] == ["sadness / regret", "disgust / regret", "joy"]
    answers = ["sadness"] * 4 + ["anger"] * 3 + list("abc") + ["anger"] * 8 + list("de") + ["joy"] * 30
    summaries = explained([0] * 10 + [1] * 10 + [2] * 30, answers)
    assert [s.label for s in summaries] == ["sadness", "anger", "joy"]


def test_an_answer_that_is_as_frequent_elsewhere_does_not_join_a_label():
    answers = ["coffee"] * 4 + ["good"] * 3 + list("abc") + ["good"] * 6 + ["bed"] * 14
    assert [s.label for s in explained([0] * 10 + [1] * 20, answers)] == ["coffee", "bed"]


def test_a_label_is_what_most_of_the_answers_say_though_other_clusters_say_it_too():
    """Once "neutral" named a cluster of which 98 % answer "angry"."""
    answers = ["angry"] * 49 + ["neutral"] + ["angry"] * 30
    first, second = explained([0] * 50 + [1] * 30, answers)
    assert first.label.split(":")[0] == second.label.split(":")[0] == "angry"
    assert first.answers[0].text == "angry"


def test_a_label_has_the_most_frequent_answer_though_another_cluster_is_named_by_it():
    answers = ["noise"] * 4 + ["loud music"] * 3 + ["dog", "tram", "test"] + ["noise"] * 18 + ["dust"] * 2
    assert [s.label for s in explained([0] * 10 + [1] * 20, answers)] == ["noise / loud music", "noise"]


def test_a_label_that_fits_the_other_rows_as_well_is_weak():
    answers = ["angry"] * 10 + ["calm"] * 2 + ["angry"] * 6 + ["calm"] * 4
    weak = [s.label_is_weak for s in explained([0] * 12 + [1] * 10, answers)]
    assert weak == [False, True]
    assert not any(s.label_is_weak for s in explained([0] * 5 + [1] * 5, ["yes"] * 5 + ["no"] * 5))


def test_a_part_of_a_hyphenated_word_may_be_what_answers_have_in_common():
    answers = ["e-bike"] * 3 + ["bike", "bike", "bicycle"] + ["bank"] * 6
    first = explained([0] * 6 + [1] * 6, answers)[0]
    assert (first.label, round(first.check.coverage, 2)) == ("bike", 0.83)


def test_answers_that_mean_the_same_are_counted_together():
    answers = ["Mattress", "mattresses", "matress", "the mattress", "mattress"] + ["refund"] * 5
    first = explained([0] * 5 + [1] * 5, answers)[0]
    assert [(a.text, a.share) for a in first.answers] == [("mattress", 1.0)]


@pytest.mark.parametrize("answers", [["Yes, very.", "yes"], ["yes", "angry"]])
def test_the_answers_to_a_yes_no_question_are_yes_and_no(answers):
    both = answers * 4 + ["no", "not angry"] * 4
    summaries = explained([0] * 8 + [1] * 8, both, instruction="Is the customer angry?")
    assert [s.label for s in summaries] == ["yes", "no"]


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


def test_answers_that_never_come_again_have_nothing_in_common():
    answers = [f"word{chr(97 + i)}" for i in range(20)]
    summaries = explained([0] * 10 + [1] * 10, answers)
    assert [s.label for s in summaries] == ["(no common answer)", "(no common answer): “text 10”"]
    assert [s.label_is_weak for s in summaries] == [True, True]


def test_a_label_of_few_rows_is_an_example():
    other = [chr(97 + i) * 5 for i in range(20)]
    mixed, clear = explained([0] * 20 + [1] * 5, ["robot"] * 3 + other[:17] + ["joy"] * 5)
    assert (mixed.label, mixed.check.coverage, mixed.check.is_mixed) == ("(mixed) robot", 0.15, True)
    assert clear.label == "joy"
    assert explained([0] * 20 + [1] * 5, ["robot"] * 4 + other[:16] + ["joy"] * 5)[0].label == "robot"


def test_labels_that_are_forms_of_one_word_are_distinguished():
    answers = ["cancel order"] * 6 + ["cancel"] * 4 + ["cancellation fee"] * 5 + ["cancellation"] * 3
    labels = [s.label for s in explained([0] * 10 + [1] * 8, answers)]
    assert labels == ["cancel: order", "cancellation: fee"]
    chosen = choose_phrases(describe_phrases([["happy"], ["unhappy"]], np.array([0, 1])))
    assert {cluster: phrase.text for cluster, phrase in chosen.items()} == {0: "happy", 1: "unhappy"}


@few_examples
@given(st.lists(st.tuples(st.sampled_from(VOCABULARY), st.integers(0, 2)), min_size=3, max_size=30), st.randoms())
def test_checks_do_not_depend_on_the_order_of_rows(rows, random):
    def checked():
        found = [answer_phrases(answer, NONE, NONE) for answer, _ in rows]
        labels = np.array([label for _, label in rows])
        return check_labels(found, labels, {label: ("anger",) for label in set(labels.tolist())})

    before = checked()
    random.shuffle(rows)
    assert checked() == before
