"""How many clusters: known groups are found, two and none are told apart, and answers count."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from inbedder_cli.clustering import KChoice, weigh
from inbedder_cli.clustering.choosing import label_distinctness, phrase_counts
from inbedder_cli.options import Algorithm, ClusterOptions
from tests.clustering.test_fit import blobs, cloud

HDBSCAN = ClusterOptions(Algorithm.hdbscan)


@pytest.mark.parametrize("true_k", [2, 4])
def test_at_the_true_k_all_figures_are_at_their_best(true_k):
    vectors, truth = blobs([15] * true_k)
    choice = weigh(vectors, ClusterOptions(k_max=6), [[f"answer {group}"] for group in truth])
    assert isinstance(choice, KChoice)
    best = choice.scores[true_k]
    assert choice.k == true_k
    assert best.stability == pytest.approx(1)
    assert best.distinctness == pytest.approx(1)
    assert best.silhouette == max(score.silhouette for score in choice.scores.values())
    assert best.total == pytest.approx((best.silhouette + 2) / 3)


def test_without_structure_no_k_is_apart_or_sure():
    choice = weigh(cloud(200, 20, seed=0), ClusterOptions(k_max=6))
    assert all(score.silhouette < 0.15 and score.stability < 0.6 for score in choice.scores.values())
    assert all(score.distinctness is None for score in choice.scores.values())


def test_answers_decide_where_vectors_leave_it_open():
    rng = np.random.default_rng(0)
    four = np.repeat(np.eye(4, 8), 20, axis=0)
    vectors = (four + rng.normal(scale=0.35, size=four.shape)).astype(np.float32)
    said = [["good"] if i < 40 else ["bad"] for i in range(80)]
    named = weigh(vectors, ClusterOptions(k_max=5), said)
    assert named.scores[2].distinctness > named.scores[4].distinctness


def test_distinctness_is_the_best_phrases_f1_by_size():
    labels = np.array([0, 0, 0, 1, -1])
    counts = csr_matrix([[1, 0], [1, 1], [0, 1], [0, 1], [1, 0]])
    # cluster 0: phrase 0 has 2 hits of 3 rows and 3 uses, F1 2/3; phrase 1 as many; cluster 1: phrase 1, 2/4.
    assert label_distinctness(labels, counts) == pytest.approx((3 * 2 / 3 + 1 / 2) / 4)
    assert phrase_counts([[], []]) is None


def test_the_order_of_rows_does_not_matter():
    vectors, truth = blobs((12, 12, 12), seed=3)
    said = [[str(group)] for group in truth]
    order = np.random.default_rng(1).permutation(len(vectors))
    shuffled = weigh(vectors[order], ClusterOptions(k_max=5), [said[i] for i in order])
    assert shuffled == weigh(vectors, ClusterOptions(k_max=5), said)


def test_a_sweep_over_sizes_tells_clusters_noise_and_the_cliff():
    vectors, _ = blobs((60, 60, 20, 20, 20, 20), width=10)
    swept = weigh(vectors, HDBSCAN)
    sizes = [score.min_cluster_size for score in swept]
    assert sizes == sorted(sizes)
    assert sizes[0] == 5
    assert swept[0].k == 6
    assert swept[0].noise < 0.2
    assert swept[-1].k < 6
    assert any(score.cliff for score in swept)
    assert not swept[0].cliff
