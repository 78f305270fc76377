"""Clusters that are answered alike: which they are, and that merging leaves everything else in agreement."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.clustering import NOISE, KSelection, fit, fit_clusters
from inbedder_cli.clustering.alike import alike_clusters, group_alike
from inbedder_cli.clustering.predictor import ClusterPredictor
from inbedder_cli.options import ClusterOptions
from tests.clustering.test_fit import assert_same_groups, blobs

few_examples = settings(deadline=None, max_examples=50)


def rows_of(*clusters):
    labels = np.repeat(np.arange(len(clusters)), [len(answers) for answers in clusters])
    return labels, [answer for answers in clusters for answer in answers]


def test_clusters_whose_rows_mostly_have_the_same_answer_are_alike():
    labels, answers = rows_of(["late"] * 7 + ["lost"] * 3, ["late"] * 9 + ["crushed"], ["app"] * 5)
    assert group_alike(labels, answers).tolist() == [0, 0, 1]
    assert alike_clusters(labels, answers) == [[0, 1]]


def test_clusters_that_share_about_half_of_their_answers_are_not_alike():
    labels, answers = rows_of(["late"] * 5 + ["lost"] * 5, ["late"] * 10)
    assert alike_clusters(labels, answers) == []


def test_clusters_with_the_same_mix_of_answers_are_alike():
    labels, answers = rows_of(["late", "lost", "slow"] * 3, ["late", "lost", "slow", "slow"])
    assert alike_clusters(labels, answers) == [[0, 1]]


def test_joining_stops_at_the_smallest_number_and_joins_the_most_alike_first():
    labels, answers = rows_of(["a"] * 7 + ["b"] * 3, ["a"] * 9, ["a"] * 9)
    assert group_alike(labels, answers, min_groups=2).tolist() == [0, 1, 1]
    assert group_alike(labels, answers).tolist() == [0, 0, 0]


def test_noise_does_not_count_and_there_may_be_no_cluster():
    assert group_alike(np.full(3, NOISE), ["a"] * 3).tolist() == []
    assert alike_clusters(np.array([NOISE, 0, 1, NOISE]), ["a", "a", "b", "b"]) == []


@given(
    st.lists(st.tuples(st.integers(-1, 6), st.sampled_from("abcd")), min_size=1, max_size=60), st.integers(1, 4)
)
@few_examples
def test_groups_are_numbered_without_gaps_and_never_fewer_than_asked(rows, least):
    numbers = {label: i for i, label in enumerate(sorted({label for label, _ in rows if label != NOISE}))}
    labels = np.array([numbers.get(label, NOISE) for label, _ in rows])
    groups = group_alike(labels, [answer for _, answer in rows], least)
    assert len(groups) == len(numbers)
    assert sorted(set(groups.tolist())) == list(range(len(set(groups.tolist()))))
    assert len(set(groups.tolist())) >= min(least, len(numbers))


@pytest.fixture(scope="module", params=["kmeans", "hdbscan"])
def merged(request):
    """Five groups of rows, all found, of which three are answered alike."""
    vectors, truth = blobs((20, 20, 20, 20, 20), width=10)
    answers = ["late" if group < 3 else str(group) for group in truth]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "select_n_clusters", lambda points, options, answers: KSelection(5, {}, len(points)))
        found = fit_clusters(vectors, ClusterOptions(request.param), answers)
    assert found.n_before_merging == 5
    return vectors, np.where(truth < 3, 0, truth), found


def test_merged_clusters_are_one_in_everything(merged):
    vectors, truth, found = merged
    assert_same_groups(found.labels, truth)
    assert found.k == 3
    assert found.alike == []
    assert np.bincount(found.labels).tolist() == [60, 20, 20]
    points = vectors - found.mean
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    means = np.array([points[found.labels == cluster].mean(axis=0) for cluster in range(3)])
    np.testing.assert_allclose(found.centroid_norms, np.linalg.norm(means, axis=1), rtol=1e-4)
    np.testing.assert_allclose(found.centroids * found.centroid_norms[:, None], means, atol=1e-4)


def test_merged_clusters_are_as_stable_as_their_parts(merged):
    _, _, found = merged
    assert (found.stability > 0.95).all()
    assert np.nanmean(found.row_stability) > 0.95


def test_new_rows_get_the_number_of_the_merged_cluster_from_a_saved_run_too(merged):
    vectors, _, found = merged
    predictor = ClusterPredictor.of(found)
    assert predictor.predict(vectors).labels.tolist() == found.labels.tolist()
    saved = ClusterPredictor.from_arrays(predictor.to_arrays(), found.options.algorithm)
    assert saved.predict(vectors).labels.tolist() == found.labels.tolist()


def test_clusters_of_a_given_number_are_not_merged_but_named():
    vectors, truth = blobs((20, 20, 20, 20), width=10)
    answers = ["late" if group < 3 else "app" for group in truth]
    found = fit_clusters(vectors, ClusterOptions(k=4, stability=False), answers)
    assert found.k == 4
    assert len(found.alike) == 1
    assert len(found.alike[0]) == 3


def test_merging_keeps_as_many_clusters_as_the_user_wants_at_least():
    vectors, _ = blobs((20, 20, 20, 20), width=10)
    found = fit_clusters(vectors, ClusterOptions(k_min=3, k_max=6, stability=False), ["late"] * 80)
    assert found.k == 3
    assert found.alike == [[0, 1, 2]]


def test_copies_of_one_row_are_a_cluster_and_no_noise():
    rng = np.random.default_rng(0)
    vectors = np.vstack([np.ones((40, 8)), rng.normal(size=(2, 8))]).astype(np.float32)
    found = fit_clusters(vectors, ClusterOptions("hdbscan"))
    assert found.labels.tolist() == [0] * 40 + [NOISE] * 2
    predictor = ClusterPredictor.of(found)
    saved = ClusterPredictor.from_arrays(predictor.to_arrays(), "hdbscan")
    assert saved.predict(vectors).labels.tolist() == found.labels.tolist()
    assert saved.predict(rng.normal(size=(3, 8)).astype(np.float32)).labels.tolist() == [NOISE] * 3
