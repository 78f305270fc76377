"""Stability: apart groups are found again, arbitrary cuts are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.clustering import UNSTABLE, fit_clusters, stability
from inbedder_cli.clustering.preprocess import center_and_normalize
from inbedder_cli.clustering.stability import match_clusters, partition_stability, row_agreement
from inbedder_cli.options import ClusterOptions
from tests.clustering.test_fit import blobs, cloud


@pytest.mark.parametrize("options", [ClusterOptions(k=3), ClusterOptions("hdbscan")])
def test_groups_that_are_there_are_found_again(options):
    vectors, _ = blobs((40, 40, 40))
    found = fit_clusters(vectors, options)
    assert found.stability.shape == (3,)
    assert (found.stability > 0.9).all()


def test_cuts_through_a_cloud_are_not():
    found = fit_clusters(cloud(200, 20, seed=0), ClusterOptions(k=8))
    assert (found.stability < UNSTABLE).all()


def test_of_one_group_cut_in_two_and_one_apart_the_cut_ones_are_unstable():
    vectors, truth = blobs((80, 40), seed=2)
    found = fit_clusters(vectors, ClusterOptions(k=3))
    apart = np.bincount(found.labels[truth == 1]).argmax()
    assert found.stability[apart] > 0.9
    assert found.stability[[i for i in range(3) if i != apart]].mean() < 0.75


def test_of_many_rows_a_sample_is_enough(monkeypatch):
    vectors, _ = blobs((100, 100))
    monkeypatch.setattr(stability, "ROWS", 50)
    assert (fit_clusters(vectors, ClusterOptions(k=2)).stability > 0.9).all()


def test_noise_is_no_cluster_and_the_order_does_not_matter():
    labels, memberships = np.repeat([0, -1], 20), np.repeat([[0, -1], [1, 0]], 20, axis=0)
    stability, matches = match_clusters(labels, memberships)
    assert stability.tolist() == [0.5]  # found in one run, noise in the other
    rows = row_agreement(labels, memberships, matches)
    assert (rows[:20] == 0.5).all()
    assert np.isnan(rows[20:]).all()
    vectors, _ = blobs((20, 15, 10))
    order = np.random.default_rng(0).permutation(45)
    one, other = (fit_clusters(v, ClusterOptions(k=4)) for v in (vectors, vectors[order]))
    np.testing.assert_array_equal(one.stability, other.stability)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6), n=st.integers(6, 24), algorithm=st.sampled_from(["kmeans", "hdbscan"]))
def test_of_any_clusters_it_is_a_share_and_does_not_depend_on_the_order(seed, n, algorithm):
    vectors = np.concatenate([blobs((6, 8), width=4, seed=seed)[0], 8 * cloud(n, 4, seed)])
    order = np.random.default_rng(seed).permutation(len(vectors))
    found, moved = (fit_clusters(v, ClusterOptions(algorithm, k=3)).stability for v in (vectors, vectors[order]))
    np.testing.assert_array_equal(moved, found)
    assert ((found >= 0) & (found <= 1)).all()


def test_parts_of_groups_that_are_there_are_clustered_alike():
    points, _ = center_and_normalize(blobs((30, 30, 30))[0])
    assert partition_stability(points, ClusterOptions(k=3), 4) == pytest.approx(1)
    assert partition_stability(points, ClusterOptions(k=7), 4) < 0.9


def test_it_can_be_left_out():
    assert fit_clusters(blobs((9, 9))[0], ClusterOptions(k=2, stability=False)).stability is None
