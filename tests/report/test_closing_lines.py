"""The lines below the table of clusters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import settings

from inbedder_cli import ClusterOptions, cluster, explain, read_corpus
from inbedder_cli.clustering import NOISE, KScore, KSelection
from inbedder_cli.diagnostics.baseline import BaselineAgreement
from inbedder_cli.embeddings import Embeddings, RowStatus
from inbedder_cli.report.closing_lines import baseline_line, closing_lines
from inbedder_cli.report.view import cluster_views
from tests.report.results import a_result, doubtful_result

few_examples = settings(deadline=None, max_examples=30)


def test_the_last_lines_tell_what_was_left_out():
    lines = closing_lines(a_result())
    assert lines[0] == "4 clusters found by HDBSCAN (min_cluster_size 5)"
    assert lines[-1] == "32 of 40 rows are in clusters; 1 empty, 6 noise, 1 failed"


def test_nothing_left_out_is_not_mentioned():
    result = replace(a_result(), status=[RowStatus.ok] * 40)
    assert closing_lines(result)[-1] == "40 rows, all in clusters"


def test_the_last_lines_tell_that_k_was_given():
    assert closing_lines(a_result(algorithm="kmeans"))[0] == "k = 4 as asked"


def test_the_last_lines_tell_why_k_was_chosen_and_what_is_doubtful():
    scores = {3: KScore(0.6, 0.8, 0.7, 0.87), 4: KScore(0.7, 0.9, 0.73, 0.91), 5: KScore(0.6, 0.8, 0.8, 1)}
    lines = closing_lines(a_result(algorithm="kmeans", choice=KSelection(4, scores, 38, True, k_max=5)))
    assert lines[:3] == [
        "k = 4 chosen from 2 to 20: the fewest near the best score, that of k = 5; "
        "silhouette 0.70, stability 0.90, agreement with the answers 0.73 (see them all: inbedder tune)",
        "k = 4 is hardly better than 3: see also -k 3",
        "k = 5 is the largest that was tried, and the best may lie beyond it: raise --k-max",
    ]


def test_the_last_lines_tell_which_k_is_the_best_without_answers():
    choice = KSelection(4, {3: KScore(0.5, 0.8, None, 0.71), 4: KScore(0.7, 0.9, None, 1)}, 38)
    line = closing_lines(a_result(algorithm="kmeans", choice=choice))[0]
    why = "the best score; silhouette 0.70, stability 0.90 (see them all: inbedder tune)"
    assert line == f"k = 4 chosen from 2 to 20: {why}"


def test_the_last_lines_tell_of_much_noise_and_of_clusters_answered_alike():
    result = a_result()
    merged = replace(result.clustering, numbers=np.array([0, 1, 2, 2, 3]))
    summaries = [replace(s, share=0.5) if s.cluster == NOISE else s for s in result.summaries]
    lines = closing_lines(replace(result, clustering=merged, summaries=summaries))
    assert lines[:3] == [
        "5 clusters found by HDBSCAN (min_cluster_size 5)",
        "50% of the rows are noise: lower --min-cluster-size (now 5), or use kmeans",
        "5 clusters became 4: clusters answered alike were merged",
    ]
    alike = a_result(algorithm="kmeans")
    alike = replace(alike, clustering=replace(alike.clustering, alike=[[0, 2, 3]]))
    assert closing_lines(alike)[:2] == [
        "k = 4 as asked",
        "clusters 0, 2 and 3 are answered alike: a smaller k would join them",
    ]


def test_the_share_of_noise_is_the_one_of_the_table():
    # Of 40 rows 13 do not answer; 14 of the 27 that were clustered are noise.
    noise = replace(a_result().summaries[-1], label="(noise)", size=14, share=14 / 40)
    clustering = replace(a_result().clustering, labels=np.array([0] * 13 + [-1] * 14))
    result = replace(a_result(), clustering=clustering, summaries=[*a_result().summaries[:-1], noise])
    shown = cluster_views(result)[-1].share
    assert shown == "35%"
    assert f"{shown} of the rows are noise: lower --min-cluster-size (now 5), or use kmeans" in closing_lines(
        result
    )


def test_the_last_lines_tell_when_no_k_stands_out():
    choice = KSelection(4, {3: KScore(0.04, 0.9), 4: KScore(0.05, 0.9, score=1)}, 38)
    lines = closing_lines(a_result(algorithm="kmeans", choice=choice))
    assert any("no k stands out" in line for line in lines)


def test_the_last_lines_tell_when_there_was_no_choice():
    line = closing_lines(a_result(algorithm="kmeans", choice=KSelection(4, {}, 38)))[0]
    assert line == "k = 4 chosen from 2 to 20: too few different rows to compare"


def test_the_last_lines_tell_how_many_clusters_are_unstable():
    lines = closing_lines(doubtful_result())
    line = "1 of 4 clusters is unstable: it is not found again in random halves of the data (1: in all of them)"
    assert line in lines
    several = [replace(s, stability=0.4) for s in a_result().summaries[:2]]
    result = replace(a_result(), summaries=[*several, *a_result().summaries[2:]])
    assert any(line.startswith("2 of 4 clusters are unstable: they are not") for line in closing_lines(result))
    assert not any("unstable" in line for line in closing_lines(a_result()))


def test_the_last_lines_tell_what_the_figure_of_a_weak_label_means():
    (line,) = (line for line in closing_lines(doubtful_result()) if "weak" in line)
    assert line.startswith("1 of 4 labels is weak: it hardly tells its rows from others (0: not at all, 1: fully)")
    assert not any("weak" in line for line in closing_lines(a_result()))


def test_one_row_is_told_in_the_singular():
    few = replace(a_result().corpus, texts=["a", "b"], ids=["0", "1"])
    result = replace(a_result(), corpus=few, status=[RowStatus.ok, RowStatus.noise])
    assert closing_lines(result)[-1] == "1 of 2 rows is in clusters; 1 noise"
    one = replace(few, texts=["a"], ids=["0"])
    assert closing_lines(replace(result, corpus=one, status=[RowStatus.ok]))[-1] == "1 row, all in clusters"


def test_where_all_rows_are_noise_a_way_out_is_named():
    everything = replace(a_result().summaries[-1], size=38, share=1.0)
    assert "every row is noise: lower --min-cluster-size (now 5), or use kmeans" in closing_lines(
        replace(a_result(), summaries=[everything])
    )


@pytest.mark.parametrize(("ami", "shown"), [(-0.01, "0.00"), (0.3, "0.30"), (0.5, "0.50"), (1, "1.00")])
def test_the_agreement_with_a_neutral_question_is_reported(ami, shown):
    line = baseline_line(BaselineAgreement(ami, 1500))
    assert f"agreement with the clusters of a neutral question: {shown}" in line
    assert "1,500 rows" in line
    assert ("the question changed little" in line) == (ami >= 0.5)
    assert line in closing_lines(replace(a_result(), baseline=BaselineAgreement(ami, 1500)))


def test_a_question_is_not_called_useless_where_the_texts_divide_by_its_answers_anyway():
    assert baseline_line(BaselineAgreement(1.0, 60, 0.9)).startswith(
        "the question changed little, as the texts divide"
    )
    assert baseline_line(BaselineAgreement(1.0, 60, 0.1)).startswith("the question changed little: ")
    assert baseline_line(BaselineAgreement(0.2, 60, 0.9)).startswith("agreement with the clusters")


def test_that_all_clusters_are_answered_alike_is_not_said_by_their_numbers():
    result = a_result(algorithm="kmeans")
    alike = replace(result, clustering=replace(result.clustering, alike=[[0, 1, 2, 3]]))
    assert closing_lines(alike)[1] == "all clusters are answered alike"


@pytest.mark.parametrize(("n", "told"), [(0, False), (1, False), (6, True)])
def test_rows_that_say_the_opposite_of_their_cluster_are_told(n, told):
    corpus = read_corpus([f"text {i}" for i in range(40)])
    vectors = np.repeat(np.eye(2, dtype=np.float32), 20, axis=0) + 0.01
    answers = ["yes, very"] * 20 + ["yes"] * n + ["no"] * (20 - n)
    embeddings = Embeddings(vectors, answers, [RowStatus.ok] * 40, instruction="Was it good?")
    result = explain(corpus, embeddings, cluster(embeddings, ClusterOptions(k=2, stability=False)))
    assert [summary.label for summary in result.summaries] == ["yes", "no"]
    lines = [line for line in closing_lines(result) if "the other way round" in line]
    assert len(lines) == told
    assert not told or lines[0].startswith("6 rows answer yes in the cluster named no")
    nothing = replace(embeddings, answers=["n/a"] * 40, status=[RowStatus.no_answer] * 40)
    empty = explain(corpus, nothing, cluster(nothing, ClusterOptions(k=2, stability=False)))
    assert not any("the other way round" in line for line in closing_lines(empty))
    other = replace(result, instruction="Which word is it?")
    assert not any("the other way round" in line for line in closing_lines(other))
