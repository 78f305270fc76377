"""How many clusters: known groups are found, two and none are told apart, and answers count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inbedder_cli.clustering import KScore, KSelection, sweep
from inbedder_cli.clustering.select_k import _with_totals
from inbedder_cli.options import ClusterOptions
from tests.clustering.test_fit import blobs, cloud

HDBSCAN = ClusterOptions("hdbscan")


@pytest.mark.parametrize("true_k", [2, 4])
def test_at_the_true_k_all_figures_are_at_their_best(true_k):
    vectors, truth = blobs([15] * true_k)
    choice = sweep(vectors, ClusterOptions(k_max=6), [[f"answer {group}"] for group in truth])
    assert isinstance(choice, KSelection)
    best = choice.scores[true_k]
    assert choice.k == true_k
    assert best.stability == pytest.approx(1)
    assert best.agreement == pytest.approx(1)
    assert best.silhouette == max(score.silhouette for score in choice.scores.values())
    assert best.total == max(score.total for score in choice.scores.values()) > 0
    assert sum(score.total for score in choice.scores.values()) == pytest.approx(0, abs=1e-9)


def test_without_structure_no_k_is_apart_or_sure():
    choice = sweep(cloud(200, 20, seed=0), ClusterOptions(k_max=6))
    assert all(score.silhouette < 0.15 and score.stability < 0.6 for score in choice.scores.values())
    assert all(score.agreement is None for score in choice.scores.values())


def test_answers_support_the_clusters_that_they_distinguish():
    vectors, truth = blobs([20] * 4)
    four = sweep(vectors, ClusterOptions(k_max=5), [[f"answer {group}"] for group in truth])
    two = sweep(vectors, ClusterOptions(k_max=5), [["good" if group < 2 else "bad"] for group in truth])
    assert four.scores[4].agreement == pytest.approx(1)
    assert two.scores[4].agreement < 0.8
    chance = sweep(vectors, ClusterOptions(k_max=5), [[f"answer {i % 3}"] for i in range(80)])
    assert all(abs(score.agreement) < 0.1 for score in chance.scores.values())


def test_the_total_counts_standard_deviations_and_small_spreads_little():
    weighed = _with_totals({2: KScore(0.5, 0.9), 3: KScore(0.5, 0.5), 4: KScore(0.501, 0.1)})
    spread = np.std([0.9, 0.5, 0.1])
    silhouette = (0.501 - np.mean([0.5, 0.5, 0.501])) / 0.02
    assert weighed[4].total == pytest.approx((silhouette - 0.4 / spread) / 2)
    assert weighed[3].total == pytest.approx((0.5 - np.mean([0.5, 0.5, 0.501])) / 0.02 / 2)


def test_the_order_of_rows_does_not_matter():
    vectors, truth = blobs((12, 12, 12), seed=3)
    said = [[str(group)] for group in truth]
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


def test_answers_that_have_nothing_to_do_with_any_clusters_do_not_choose():
    scores = {2: KScore(0.3, 0.5, -0.04), 3: KScore(0.9, 1.0, -0.08), 4: KScore(0.6, 0.7, 0.09)}
    weighed = _with_totals(scores)
    without = _with_totals({k: replace(score, agreement=None) for k, score in scores.items()})
    assert [score.total for score in weighed.values()] == [score.total for score in without.values()]
    assert max(weighed, key=lambda k: weighed[k].total) == 3
