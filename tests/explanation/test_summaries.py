"""What a cluster means: phrases by log-odds, unique labels, exemplars."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.clustering import NOISE, Clustering
from inbedder_cli.explanation.phrases import answer_phrases, check_labels, choose_labels, rank_phrases
from inbedder_cli.explanation.stop_words import load_stop_words, words_of
from inbedder_cli.explanation.summaries import explain
from inbedder_cli.options import ClusterOptions, ExplainOptions

few_examples = settings(deadline=None, max_examples=30)
NONE = frozenset()
VOCABULARY = ["anger", "joy", "not", "the", "late delivery", "no refund", "never arrived", "of", "room", ""]


def clustering_of(labels, distances=None):
    labels = np.array(labels, np.int64)
    if distances is None:
        distances = np.where(labels == NOISE, np.nan, np.linspace(0, 1, len(labels)))
    k = int(labels.max(initial=NOISE)) + 1
    zeros = np.zeros((k, 2), np.float32)
    distances = np.array(distances, np.float32)
    return Clustering(labels, distances, labels, distances, zeros, np.zeros(2, np.float32), ClusterOptions(k=k))


def explained(labels, answers, *, texts=None, distances=None, **settings):
    texts = texts or [f"text {i}" for i in range(len(answers))]
    ids = [f"id{i}" for i in range(len(answers))]
    return explain(clustering_of(labels, distances), answers, texts=texts, ids=ids, **settings)


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
    with_noise = rank_phrases([[a] for a in answers], np.array([0, 0, 1, 1, -1, -1]))
    assert set(with_noise) == {0, 1}
    assert with_noise[0][0].lift == pytest.approx((2.5 / 3) / (2.5 / 5))


def test_what_was_said_once_does_not_win_over_what_was_said_often():
    answers = ["anger"] * 9 + ["zebra"] + ["joy"] * 9 + ["anger"]
    assert explained([0] * 10 + [1] * 10, answers)[0].label == "anger"


def test_sizes_and_shares_are_of_the_clustered_rows():
    summaries = explained([0, 0, 0, 1, -1], ["a", "b", "c", "d", "e"])
    assert [(s.cluster, s.size, s.share) for s in summaries] == [(0, 3, 0.6), (1, 1, 0.2), (-1, 1, 0.2)]


def test_no_more_phrases_than_asked_for_best_first():
    answers = ["red apple", "green pear", "blue plum", "red rose"] * 2 + ["grey"] * 8
    summaries = explained([0] * 8 + [1] * 8, answers, options=ExplainOptions(phrases=3))
    scores = [p.score for p in summaries[0].phrases]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)


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


def test_the_questions_own_words_are_left_out_where_another_word_remains():
    repeated = frozenset({"emotion", "expressed"})
    stop = load_stop_words()
    assert answer_phrases("The emotion expressed is anger", stop, repeated) == ["anger"]
    assert answer_phrases("the emotion", stop, repeated) == ["emotion"]
    assert answer_phrases("not emotion", stop, repeated) == ["not", "emotion", "not emotion"]


def test_the_questions_own_words_are_left_out_of_an_explanation():
    answers = ["emotion: anger"] * 4 + ["emotion: joy"] * 4
    summaries = explained([0] * 4 + [1] * 4, answers, instruction="What emotion is expressed?")
    assert [s.label for s in summaries] == ["anger", "joy"]
    assert all("emotion" not in p.text for s in summaries for p in s.phrases)


def test_an_offered_choice_is_not_left_out():
    answers = ["anger mostly"] * 4 + ["joy mostly"] * 4
    summaries = explained([0] * 4 + [1] * 4, answers, instruction="Is it anger or joy?")
    assert [s.label for s in summaries] == ["anger mostly", "joy mostly"]


def test_the_questions_words_stay_where_texts_stand_for_answers():
    summaries = explained(
        [0] * 3 + [1] * 3,
        ["emotion high"] * 3 + ["room cold"] * 3,
        instruction="What emotion is expressed?",
        show_answers=False,
    )
    assert summaries[0].label == "emotion high"
    assert all(e.answer is None for s in summaries for e in s.exemplars)


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


def test_a_file_of_stop_words_is_used(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("anger\n", encoding="utf-8")
    answers = ["the anger"] * 3 + ["joy"] * 3
    options = ExplainOptions(stop_words=str(path))
    assert explained([0] * 3 + [1] * 3, answers, options=options)[0].label == "the"


def test_none_keeps_every_word():
    answers = ["the anger"] * 3 + ["joy"] * 3
    labels = [s.label for s in explained([0] * 3 + [1] * 3, answers, options=ExplainOptions(stop_words="none"))]
    assert labels == ["the anger", "joy"]


def test_a_part_of_a_phrase_of_the_same_rows_is_not_a_phrase_of_its_own():
    summary = explained([0] * 4 + [1] * 4, ["slow wifi"] * 4 + ["kind staff"] * 4)[0]
    assert list(phrases_of(summary)) == ["slow wifi"]


def test_of_ever_longer_phrases_at_least_one_is_kept():
    """Each is most of the shorter one's rows, but the longest is not most of the shortest one's."""
    answers = ["wifi"] * 3 + ["slow wifi"] * 3 + ["terribly slow wifi"] * 14 + ["breakfast"] * 20
    summary = explained([0] * 20 + [1] * 20, answers)[0]
    assert any("wifi" in text for text in phrases_of(summary))
    assert "wifi" in summary.label


def test_exemplars_are_of_different_texts_nearest_first():
    texts = ["far", "near", "near", "middle", "other"]
    summaries = explained(
        [0, 0, 0, 0, 1], ["a", "b", "c", "d", "e"], texts=texts, distances=[0.9, 0.1, 0.05, 0.5, 0.0]
    )
    found = summaries[0].exemplars
    assert [(e.row, e.id, e.answer, e.text) for e in found] == [
        (2, "id2", "c", "near"),
        (3, "id3", "d", "middle"),
        (0, "id0", "a", "far"),
    ]
    assert [e.text for e in summaries[1].exemplars] == ["other"]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_no_more_exemplars_than_asked_for(n):
    summaries = explained([0] * 4 + [1], list("abcde"), options=ExplainOptions(exemplars=n))
    assert [len(s.exemplars) for s in summaries] == [n, min(n, 1)]


def test_of_rows_equally_near_the_first_is_the_exemplar():
    summaries = explained([0, 0, 0, 1], list("abcd"), distances=[0.2, 0.1, 0.1, 0])
    assert [e.row for e in summaries[0].exemplars] == [1, 2, 0]


@pytest.mark.parametrize("answer", ["", " ", "?!"])
def test_clusters_without_any_answers_still_have_labels_of_their_own(answer):
    summaries = explained([0, 0, 1, 1, -1], [answer] * 5)
    assert [s.size for s in summaries] == [2, 2, 1]
    assert [s.phrases for s in summaries] == [[], [], []]
    assert len({s.label for s in summaries}) == 3
    assert all(s.label.strip() for s in summaries)


def test_a_cluster_without_answers_among_others_says_so():
    summaries = explained([0, 0, 1, 1], ["anger", "anger", "", ""])
    assert [s.label for s in summaries] == ["anger", "(no common answer) 1"]


def test_noise_comes_last_without_phrases():
    summaries = explained([-1, 1, 0, 0, -1], ["anger", "joy", "fear", "fear", "anger"])
    assert [s.cluster for s in summaries] == [0, 1, NOISE]
    noise = summaries[-1]
    assert (noise.label, noise.size, noise.phrases) == ("(noise)", 2, [])
    assert [e.row for e in noise.exemplars] == [0, 4]


def test_nothing_but_noise_is_one_summary():
    summaries = explained([-1, -1], ["anger", "joy"])
    assert [(s.cluster, s.label, s.share, s.phrases) for s in summaries] == [(NOISE, "(noise)", 1, [])]


def test_one_cluster_of_all_rows_is_named_by_its_answer():
    assert explained([0, 0, 0], ["anger", "anger", "joy"])[0].label == "anger"


@few_examples
@given(data=st.data())
def test_relabelling_the_clusters_permutes_the_explanation_and_nothing_else(data):
    n = data.draw(st.integers(4, 16))
    k = data.draw(st.integers(1, 4))
    labels = np.array(list(range(k)) + data.draw(st.lists(st.integers(-1, k - 1), min_size=n, max_size=n)))
    vocabulary = st.lists(st.sampled_from(VOCABULARY), max_size=3).map(" ".join)
    answers = data.draw(st.lists(vocabulary, min_size=len(labels), max_size=len(labels)))
    new_number = [*data.draw(st.permutations(range(k))), NOISE]
    before = explained(labels, answers)
    after = {s.cluster: s for s in explained([new_number[c] for c in labels], answers)}
    assert [s.cluster for s in after.values()] == [*range(k), *([NOISE] if NOISE in labels else [])]
    tops = [(s.phrases[0].text, s.phrases[0].score) for s in before if s.phrases]
    for old in before:
        new = after[new_number[old.cluster]]
        assert replace(new, cluster=old.cluster, label=old.label, borderline=old.borderline) == old
        # Clusters without phrases, and of equal claims to one phrase, can only be told apart by their numbers.
        if old.phrases and len(set(tops)) == len(tops):
            assert unnumbered(new.label) == unnumbered(old.label)


def unnumbered(label):
    return re.sub(r"( \(\d+\))+$", "", label)


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


def test_labels_that_are_forms_of_one_word_are_told_apart():
    answers = ["cancel order"] * 6 + ["cancel"] * 4 + ["cancellation fee"] * 5 + ["cancellation"] * 3
    phrases = rank_phrases([answer_phrases(a, NONE, NONE) for a in answers], np.array([0] * 10 + [1] * 8))
    labels = choose_labels(phrases)
    assert labels[0].split(",")[0] == "cancel"
    assert "fee" in labels[1]
    assert choose_labels(rank_phrases([["happy"], ["unhappy"]], np.array([0, 1]))) == {0: "happy", 1: "unhappy"}


def test_diverse_rows_show_other_answers_and_borderline_ones_the_next_cluster():
    labels = np.array([0, 0, 0, 0, 1])
    distances, margins = np.array([0.1, 0.2, 0.3, 0.4, 0.0]), np.array([0.9, 0.1, 0.5, 0.7, 0.8])
    zeros = np.zeros((2, 2), np.float32)
    found = Clustering(
        labels,
        distances.astype(np.float32),
        np.array([1, 1, 1, 1, 0]),
        margins.astype(np.float32),
        zeros,
        np.zeros(2, np.float32),
        ClusterOptions(k=2),
    )
    summary = explain(
        found,
        ["anger", "rage", "rage", "fury", "joy"],
        texts=[f"text {i}" for i in range(5)],
        ids=list("abcde"),
        options=ExplainOptions(exemplars=1),
    )[0]
    assert [e.id for e in summary.exemplars] == ["a"]
    assert [e.id for e in summary.diverse] == ["b"]
    assert [(e.id, e.nearest) for e in summary.borderline] == [("b", 1)]


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


def test_a_cluster_is_named_by_what_most_of_its_rows_say_not_by_what_a_few_say_there_alone():
    inside = [["neutral"]] * 26 + [["curiosity"]] * 10 + [[f"said {i}"] for i in range(24)]
    outside = [["neutral"]] * 60 + [["joy"]] * 140
    ranked = rank_phrases(inside + outside, np.repeat([0, 1], [60, 200]))[0]
    assert [phrase.text for phrase in ranked[:2]] == ["neutral", "curiosity"]
    assert ranked[0].score < ranked[1].score
