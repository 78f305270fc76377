from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inbedder_cli.clustering import NOISE, fit_clusters
from inbedder_cli.clustering import hdbscan as hdbscan_module
from inbedder_cli.clustering import kmeans as kmeans_module
from inbedder_cli.clustering.predictor import ClusterPredictor, distances_to_others, novelty_thresholds
from inbedder_cli.options import ClusterOptions
from tests.clustering.test_fit import blobs


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.integers(2, 5))
@example(54, 4)  # a row that two other clusters are equally near to
def test_the_rows_of_the_run_get_the_clusters_that_they_have(seed, k):
    vectors, _ = blobs([12] * k, seed=seed)
    found = fit_clusters(vectors, ClusterOptions(k=k, stability=False))
    assigned = ClusterPredictor.of(found).predict(vectors)
    np.testing.assert_array_equal(assigned.labels, found.labels)
    np.testing.assert_allclose(assigned.distances, found.distances, atol=1e-5)
    np.testing.assert_allclose(assigned.margins, found.margins, atol=1e-5)  # the second cluster is equally near
    others = assigned.second_cluster != found.second_cluster
    assert others.sum() <= 1
    assert assigned.novel.mean() <= 0.1


@pytest.mark.parametrize("many", [False, True])
def test_hdbscans_clusters_too_even_when_a_sample_made_them(monkeypatch, many):
    if many:
        monkeypatch.setattr(hdbscan_module, "SAMPLE_ROWS", 120)
    vectors, truth = blobs((90, 60, 30))
    found = fit_clusters(vectors, ClusterOptions("hdbscan", stability=False))
    assert found.k == 3
    assigned = ClusterPredictor.of(found).predict(vectors)
    clustered = found.labels != NOISE
    assert (assigned.labels[clustered] == found.labels[clustered]).mean() > 0.98
    fresh, fresh_truth = blobs((9, 9, 9), seed=7)
    again = ClusterPredictor.of(found).predict(fresh).labels
    numbers = {int(t): int(np.bincount(found.labels[(truth == t) & clustered]).argmax()) for t in range(3)}
    hits = again == np.array([numbers[int(t)] for t in fresh_truth])
    assert hits[again != NOISE].all()
    assert (again != NOISE).mean() > 0.5


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.integers(2, 12))
def test_distances_to_the_others_are_those_to_the_mean_without_the_row(seed, n):
    points = np.random.default_rng(seed).normal(size=(n, 5))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    mean = points.mean(0)
    length = np.linalg.norm(mean)
    for i, found in enumerate(distances_to_others(1 - points @ mean / length, float(length))):
        others = np.delete(points, i, axis=0).mean(0)
        assert found == pytest.approx(1 - points[i] @ others / np.linalg.norm(others), abs=1e-6)


def test_fresh_rows_of_the_same_kind_are_seldom_novel():
    rng = np.random.default_rng(0)
    rows, fresh = rng.normal(size=(200, 300)), rng.normal(size=(2000, 300))
    for some in (rows, fresh):
        some[: len(some) // 2, 0] += 8
    found = fit_clusters(rows.astype(np.float32), ClusterOptions(k=2, stability=False))
    assert 0 < ClusterPredictor.of(found).predict(fresh.astype(np.float32)).novel.mean() < 0.04


def test_fresh_rows_of_small_clusters_are_as_seldom_novel():
    centers, spread = 12 * np.eye(300)[:5], (0.3, 0.3, 0.3, 0.6, 1.0)

    def rows(rng, *sizes):
        parts = [centers[i] + spread[i] * rng.normal(size=(n, 300)) for i, n in enumerate(sizes)]
        return np.concatenate(parts).astype(np.float32)

    novel = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        found = fit_clusters(rows(rng, 5, 8, 12, 80, 12), ClusterOptions(k=5, stability=False))
        novel.append(ClusterPredictor.of(found).predict(rows(rng, 20, 20, 20, 20, 20)).novel)
    assert np.mean(novel, axis=0)[:60].mean() <= 0.01
    assert np.mean(novel) <= 0.05


def test_the_threshold_of_a_large_cluster_is_its_own_and_that_of_a_small_one_the_common_one():
    many, few = np.linspace(0, 0.4, 100_000), np.array([0.9])
    large, small = novelty_thresholds([many, few])
    assert large == pytest.approx(0.396, abs=1e-3)
    assert small == pytest.approx((0.9 + 50 * 0.396) / 51, abs=1e-3)
    assert novelty_thresholds([few]).tolist() == pytest.approx([0.9])
    assert novelty_thresholds([]).shape == (0,)


def test_rows_like_none_before_are_novel():
    vectors, _ = blobs((40, 40))
    predictor = ClusterPredictor.of(fit_clusters(vectors, ClusterOptions(k=2)))
    strange = np.zeros((5, 12), np.float32)
    strange[:, 7] = 5000
    assert predictor.predict(strange).novel.all()
    assert predictor.predict(np.empty((0, 12), np.float32)).labels.shape == (0,)


def test_rows_like_none_before_are_novel_to_hdbscan_too():
    vectors, _ = blobs((40, 40))
    found = fit_clusters(vectors, ClusterOptions("hdbscan"))
    strange = 5000 * np.eye(12, dtype=np.float32)[5:9]
    assigned = ClusterPredictor.of(found).predict(strange)
    assert assigned.novel.all()


def test_copies_of_the_runs_rows_are_not_novel_within_rounding():
    rng = np.random.default_rng(0)
    vectors = np.repeat(rng.normal(size=(4, 50)), [40, 30, 20, 1], axis=0).astype(np.float32)
    predictor = ClusterPredictor.of(fit_clusters(vectors, ClusterOptions(k=4, stability=False)))
    near = vectors + 1e-4 * rng.normal(size=vectors.shape).astype(np.float32)
    assert not predictor.predict(vectors).novel.any()
    assert not predictor.predict(near).novel.any()
    assert predictor.predict(rng.normal(size=(10, 50)).astype(np.float32)).novel.all()


def test_after_a_run_of_copies_of_one_row_all_others_are_novel():
    vectors = np.ones((30, 8), np.float32)
    found = fit_clusters(vectors, ClusterOptions(stability=False))
    predictor = ClusterPredictor.of(found)
    assert not predictor.predict(vectors).novel.any()
    assert predictor.predict(np.random.default_rng(0).normal(size=(9, 8)).astype(np.float32)).novel.all()


@pytest.mark.parametrize("steps", [1, 10])
def test_rows_get_their_clusters_again_where_kmeans_has_not_converged(monkeypatch, steps):
    monkeypatch.setattr(kmeans_module, "MANY_ROWS", 100)
    monkeypatch.setattr(kmeans_module, "LAST_STEPS", steps)
    vectors = np.random.default_rng(0).normal(size=(3000, 16)).astype(np.float32)
    found = fit_clusters(vectors, ClusterOptions(k=12, stability=False, consensus=False))
    np.testing.assert_array_equal(ClusterPredictor.of(found).predict(vectors).labels, found.labels)
