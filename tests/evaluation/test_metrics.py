from __future__ import annotations

import numpy as np
import pytest

from inbedder_cli.evaluation import metrics
from inbedder_cli.evaluation.metrics import CLUSTER_METRICS

HALVES = ["a", "a", "b", "b"]


@pytest.mark.parametrize("metric", CLUSTER_METRICS.values())
def test_a_perfect_division_scores_one_whatever_its_numbers(metric):
    assert metric(HALVES, np.array([7, 7, 3, 3])) == pytest.approx(1)


@pytest.mark.parametrize(("name", "value"), [("V-measure", 0), ("ARI", 0), ("NMI", 0), ("purity", 0.5)])
def test_one_cluster_for_two_classes_says_nothing(name, value):
    assert CLUSTER_METRICS[name](HALVES, np.zeros(4, int)) == pytest.approx(value)


@pytest.mark.parametrize("name", CLUSTER_METRICS)
def test_one_class_in_one_cluster_is_trivially_perfect(name):
    assert CLUSTER_METRICS[name](["a"] * 3, np.zeros(3, int)) == pytest.approx(1)


def test_values_worked_out_by_hand():
    fitted = np.array([0, 0, 0, 1])  # homogeneity 0.3113, completeness 0.3837, mutual information 0.3113 bits
    labels_bits, fitted_bits, shared = 1.0, 0.8113, 0.3113
    assert metrics.v_measure(HALVES, fitted) == pytest.approx(2 * shared / (labels_bits + fitted_bits), abs=1e-4)
    geometric = shared / np.sqrt(labels_bits * fitted_bits)
    assert metrics.normalized_mutual_information(HALVES, fitted) == pytest.approx(geometric, abs=1e-4)
    assert metrics.purity(HALVES, fitted) == pytest.approx(0.75)
    assert metrics.adjusted_rand(HALVES, fitted) == pytest.approx(0.0)


def test_every_row_its_own_cluster_is_pure_but_not_adjusted():
    assert metrics.purity(HALVES, np.arange(4)) == 1
    assert metrics.adjusted_rand(HALVES, np.arange(4)) == 0
    assert metrics.v_measure(HALVES, np.arange(4)) == pytest.approx(2 / 3)


def test_cosines_of_zero_vectors_are_zero():
    one = np.array([[1, 0], [0, 0], [1, 1]], np.float32)
    other = np.array([[2, 0], [1, 0], [-1, -1]], np.float32)
    np.testing.assert_allclose(metrics.cosines(one, other), [1, 0, -1])


def test_a_tie_between_positive_and_negative_is_a_failure():
    anchor = np.array([[1, 0]] * 3, np.float32)
    near, far = np.array([1, 0.1]), np.array([0, 1])
    positives = np.array([near, far, near], np.float32)
    negatives = np.array([far, near, near], np.float32)
    assert metrics.triplet_successes(anchor, positives, negatives).tolist() == [True, False, False]


def test_constant_vectors_never_succeed():
    same = np.ones((5, 3), np.float32)
    assert not metrics.triplet_successes(same, same, same).any()


def test_spearman_of_order_reversed_order_and_ties():
    gold = np.array([1.0, 2, 3, 4])
    assert metrics.spearman(np.array([0.1, 0.5, 0.6, 9]), gold) == pytest.approx(1)
    assert metrics.spearman(-gold, gold) == pytest.approx(-1)
    assert metrics.spearman(np.array([0.0, 0, 1, 1]), np.array([0.0, 1, 0, 1])) == pytest.approx(0)


def test_spearman_without_an_order():
    assert metrics.spearman(np.ones(4), np.arange(4.0)) == 0
    assert metrics.spearman(np.arange(4.0), np.ones(4)) is None
    assert metrics.spearman(np.ones(1), np.ones(1)) is None


def test_average_precision_by_hand():
    relevant = np.array([True, False, True, False])
    assert metrics.average_precision(np.array([4.0, 3, 2, 1]), relevant) == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.average_precision(np.ones(4), relevant) == pytest.approx(0.5)  # ties share a rank
    assert metrics.average_precision(np.arange(2.0), np.array([True, True])) is None
    assert metrics.average_precision(np.arange(2.0), np.array([False, False])) is None


def test_harmonic_mean():
    assert metrics.harmonic_mean([0.9, 0.1]) == pytest.approx(0.18)
    assert metrics.harmonic_mean([0.5, 0.0]) == 0
    assert metrics.harmonic_mean([0.5, -0.2]) == 0
    assert metrics.harmonic_mean([0.5, None]) is None
    assert metrics.harmonic_mean([]) is None
