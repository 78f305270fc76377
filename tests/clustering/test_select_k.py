"""How many clusters: known groups are found, answers decide, and the fewest that are nearly as good are taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inbedder_cli.clustering import KScore, KSelection, fit_clusters, sweep
from inbedder_cli.clustering.select_k import select_from
from inbedder_cli.options import ClusterOptions
from tests.clustering.test_fit import blobs, cloud

HDBSCAN = ClusterOptions("hdbscan")


@pytest.mark.parametrize("true_k", [2, 4])
@pytest.mark.parametrize("consensus", [True, False])
def test_at_the_true_k_all_figures_are_at_their_best(true_k, consensus):
    vectors, truth = blobs([15] * true_k)
    choice = sweep(vectors, ClusterOptions(k_max=6, consensus=consensus), [f"answer {group}" for group in truth])
    assert isinstance(choice, KSelection)
    best = choice.scores[true_k]
    assert (choice.k, choice.best, choice.close) == (true_k, true_k, None)
    assert choice.by_answers
    assert best.stability == pytest.approx(1)
    assert best.agreement == pytest.approx(1)
    assert best.silhouette == max(score.silhouette for score in choice.scores.values())
    assert best.score == 1


@pytest.mark.parametrize("true_k", [2, 3, 5])
def test_without_answers_the_silhouette_decides(true_k):
    vectors, _ = blobs([15] * true_k)
    choice = sweep(vectors, ClusterOptions(k_max=8))
    assert choice.k == true_k
    assert not choice.by_answers


def test_a_single_cloud_gets_the_smallest_k():
    choice = sweep(cloud(200, 20, seed=0), ClusterOptions(k_max=6))
    assert choice.k == 2
    assert all(score.silhouette < 0.15 and score.stability < 0.25 for score in choice.scores.values())
    assert all(score.agreement is None for score in choice.scores.values())


def test_answers_support_the_clusters_that_they_distinguish():
    vectors, truth = blobs([20] * 4)
    four = sweep(vectors, ClusterOptions(k_max=5), [f"answer {group}" for group in truth])
    two = sweep(vectors, ClusterOptions(k_max=5), ["good" if group < 2 else "bad" for group in truth])
    assert four.scores[4].agreement == pytest.approx(1)
    assert two.scores[4].agreement < 0.8
    chance = sweep(vectors, ClusterOptions(k_max=5), [f"answer {i % 3}" for i in range(80)])
    assert all(abs(score.agreement) < 0.1 for score in chance.scores.values())
    assert not chance.by_answers
    assert chance.k == 4


def scores_of(agreements, silhouettes=()):
    silhouettes = silhouettes or [0.1] * len(agreements)
    pairs = zip(agreements, silhouettes, strict=True)
    return {k: KScore(silhouette, 0.5, agreement) for k, (agreement, silhouette) in enumerate(pairs, 2)}


def test_the_smallest_k_that_is_nearly_as_good_as_the_best_is_selected():
    choice = select_from(scores_of([0.3, 0.54, 0.56, 0.6, 0.59]), 40)
    assert (choice.k, choice.best, choice.close) == (4, 5, 3)
    assert choice.scores[3].score == pytest.approx(0.54 / 0.6)
    assert select_from(scores_of([0.3, 0.45, 0.56, 0.6, 0.59]), 40).close is None


def test_where_the_agreement_is_nearly_perfect_a_little_less_is_worse():
    assert select_from(scores_of([0.5, 0.92, 0.98]), 40).k == 4


def test_answers_that_have_nothing_to_do_with_any_clusters_do_not_choose():
    silhouettes = [0.3, 0.9, 0.6]
    without = select_from(scores_of([None] * 3, silhouettes), 40)
    chance = select_from(scores_of([-0.04, -0.08, 0.09], silhouettes), 40)
    few_rows = select_from(scores_of([0.1, 0.1, 0.14], silhouettes), 40)
    assert without.k == chance.k == few_rows.k == 3
    assert not chance.by_answers
    assert not few_rows.by_answers
    assert select_from(scores_of([0.1, 0.1, 0.14], silhouettes), 400).by_answers


@pytest.mark.parametrize("silhouette", [-1.0, 0.0])
def test_where_no_k_is_good_the_smallest_is_selected(silhouette):
    choice = select_from(scores_of([None] * 3, [silhouette] * 3), 9)
    assert (choice.k, choice.best, choice.close) == (2, 2, None)


def test_the_order_of_rows_does_not_matter():
    vectors, truth = blobs((12, 12, 12), seed=3)
    said = [str(group) for group in truth]
    order = np.random.default_rng(1).permutation(len(vectors))
    shuffled = sweep(vectors[order], ClusterOptions(k_max=5), [said[i] for i in order])
    assert shuffled == sweep(vectors, ClusterOptions(k_max=5), said)


def test_a_sweep_over_sizes_tells_clusters_noise_and_the_cliff():
    vectors, _ = blobs((60, 60, 20, 20, 20, 20), width=10)
    swept = sweep(vectors, HDBSCAN)
    sizes = [score.min_cluster_size for score in swept]
    assert sizes == sorted(sizes)
    assert sizes[0] == 5
    assert swept[0].k == 6
    assert swept[0].noise < 0.2
    assert swept[-1].k < 6
    assert any(score.cliff for score in swept)
    assert not swept[0].cliff
    (chosen,) = [score.min_cluster_size for score in swept if score.chosen]
    assert chosen == fit_clusters(vectors, HDBSCAN).options.min_cluster_size


@pytest.mark.parametrize(("n", "k_min", "k"), [(2, 2, 2), (3, 2, 2), (12, 10, 10)])
def test_few_rows_get_as_many_clusters_as_are_asked_for_at_least(n, k_min, k):
    choice = sweep(cloud(n, 20, seed=0), ClusterOptions(k_min=k_min))
    assert choice.k == k
    assert list(choice.scores) == [k]


def test_fewer_different_rows_than_the_smallest_k_leave_nothing_to_compare():
    choice = sweep(np.repeat(cloud(1, 20, seed=0), 3, axis=0), ClusterOptions())
    assert (choice.k, choice.scores) == (1, {})


def test_the_number_of_different_rows_is_no_bound_to_raise():
    vectors, truth = blobs([10] * 4)
    copies = np.repeat([vectors[truth == group][0] for group in range(4)], 10, axis=0)
    choice = sweep(copies, ClusterOptions(k_max=9), [str(i // 10) for i in range(40)])
    assert (choice.k, max(choice.scores), choice.bound) == (4, 4, None)


@pytest.mark.parametrize(("n_rows", "k"), [(1000, 8), (40, 8), (30, 6), (11, 2), (4, 2)])
def test_few_rows_get_one_cluster_for_five(n_rows, k):
    scores = scores_of([0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    choice = replace(select_from(scores, n_rows), k_max=8)
    assert (choice.k, choice.is_capped) == (k, k < 8)
    assert (choice.bound is None) == choice.is_capped  # more clusters than were tried would not be taken
