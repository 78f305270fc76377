"""Summaries: sizes, shares, exemplars, and what remains where there are no answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.clustering import NOISE, Clustering
from inbedder_cli.encoders.next_words import next_words
from inbedder_cli.explanation.summaries import summarize_clusters
from inbedder_cli.options import ClusterOptions, ExplainOptions

few_examples = settings(deadline=None, max_examples=30)
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
    ids = [f"id{i}" for i in range(len(texts))]
    return summarize_clusters(clustering_of(labels, distances), answers, texts=texts, ids=ids, **settings)


def test_sizes_and_shares_are_of_the_clustered_rows():
    summaries = explained([0, 0, 0, 1, -1], ["a", "b", "c", "d", "e"])
    assert [(s.cluster, s.size, s.share) for s in summaries] == [(0, 3, 0.6), (1, 1, 0.2), (-1, 1, 0.2)]


def test_the_questions_words_stay_where_texts_stand_for_answers():
    summaries = explained(
        [0] * 3 + [1] * 3,
        None,
        texts=["emotion high"] * 3 + ["room cold"] * 3,
        instruction="What emotion is expressed?",
    )
    assert summaries[0].label == "emotion high"
    assert all(e.answer is None for s in summaries for e in s.exemplars)


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


def test_answers_without_a_common_phrase_are_named_by_what_all_of_them_might_have_said():
    answers = ["refund", "invoice", "fee", "joy", "joy", "joy"]
    likely = [[(answer, 0.9), ("payment", 0.05), ("mon", 0.05)] for answer in answers[:3]] + [[("joy", 1.0)]] * 3
    likely[1].append(("refund", 0.01))
    first, other = explained([0] * 3 + [1] * 3, answers, next_words=next_words(likely))
    assert first.label == "(mixed) refund"  # no answer holds the word "payment", and "mon" is none
    assert first.label_is_weak
    answers[2] = "payment fee"
    assert (
        explained([0] * 3 + [1] * 3, answers, next_words=next_words(likely))[0].label == "(mixed) refund / payment"
    )
    assert explained([0] * 3 + [1] * 3, answers)[0].label == "(no common answer)"
    assert (other.label, other.label_is_weak) == ("joy", False)


def test_likely_next_words_are_whole():
    answers = ["disapproval", "dissatisfied", "dissatisfaction", "joy", "joy", "joy"]
    begun = [("disappro", 0.3), ("dissatis", 0.3), ("regret", 0.2), ("bl", 0.1)]
    tokens = next_words([begun] * 3 + [[("joy", 1.0)]] * 3)
    texts = ["I regret that"] * 3 + ["fine"] * 3
    first, other = explained([0] * 3 + [1] * 3, answers, texts=texts, next_words=tokens)
    assert first.likely_next_words == ["disapproval", "regret"]
    assert other.likely_next_words == ["joy"]


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
    assert [s.label for s in summaries] == ["anger", "(no common answer)"]


def test_noise_comes_last_without_phrases():
    summaries = explained([-1, 1, 0, 0, -1], ["anger", "joy", "fear", "fear", "anger"])
    assert [s.cluster for s in summaries] == [0, 1, NOISE]
    noise = summaries[-1]
    assert (noise.label, noise.size, noise.phrases) == ("(noise)", 2, [])
    assert [e.row for e in noise.exemplars] == [0, 4]


def test_nothing_but_noise_is_one_summary():
    summaries = explained([-1, -1], ["anger", "joy"])
    assert [(s.cluster, s.label, s.share, s.phrases) for s in summaries] == [(NOISE, "(noise)", 1, [])]


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
        # Of clusters that have nothing but a phrase in common, the first one may keep it bare.
        if old.phrases and len(set(tops)) == len(tops):
            assert new.label.split(": ")[0] == old.label.split(": ")[0]


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
    summary = summarize_clusters(
        found,
        ["anger", "rage", "rage", "fury", "joy"],
        texts=[f"text {i}" for i in range(5)],
        ids=list("abcde"),
        options=ExplainOptions(exemplars=1),
    )[0]
    assert [e.id for e in summary.exemplars] == ["a"]
    assert [e.id for e in summary.diverse] == ["b"]
    assert [(e.id, e.nearest) for e in summary.borderline] == [("b", 1)]
