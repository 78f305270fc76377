"""Clusters of vectors: known groups are found, whatever the order, scale and origin of the rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from inbedder_cli.clustering import NOISE, center_and_normalize, fit_clusters, preprocess, select_k
from inbedder_cli.clustering import hdbscan as hdbscan_module
from inbedder_cli.clustering import kmeans as kmeans_module
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import ClusterOptions

few_examples = settings(deadline=None, max_examples=30)
HDBSCAN = ClusterOptions("hdbscan")
ALGORITHMS = ["kmeans", "hdbscan"]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads only wait for each other on data this small."""
    with threadpool_limits(1):
        yield


def blobs(sizes, width=12, seed=0):
    """Round groups around different axes, in whole numbers, so that shifts and scales are exact in float32."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    vectors = 1000 * np.eye(width)[truth] + rng.normal(scale=30, size=(len(truth), width))
    shuffled = rng.permutation(len(truth))
    return np.rint(vectors[shuffled]).astype(np.float32), truth[shuffled]


def cloud(n, width, seed):
    """Rows without any structure."""
    return np.random.default_rng(seed).integers(-50, 50, (n, width)).astype(np.float32)


def assert_same_groups(found, expected):
    assert adjusted_rand_score(found, expected) == 1


def test_kmeans_with_the_true_k_finds_the_groups():
    vectors, truth = blobs((20, 20, 20, 20))
    found = fit_clusters(vectors, ClusterOptions(k=4, stability=False))
    assert_same_groups(found.labels, truth)
    assert found.k == 4
    assert found.choice is None


@pytest.mark.parametrize("true_k", [2, 3, 5])
def test_auto_chooses_the_true_k(true_k):
    vectors, truth = blobs([12] * true_k)
    found = fit_clusters(vectors, ClusterOptions(k_max=7, stability=False))
    assert found.k == found.options.k == found.choice.k == true_k
    assert_same_groups(found.labels, truth)
    assert set(found.choice.scores) == set(range(2, 8))
    assert found.choice.best == true_k
    assert (found.choice.close, found.choice.bound) == (None, None)
    assert found.choice.n_rows == len(vectors)


def test_auto_tries_only_the_range_asked_for():
    vectors, _ = blobs((10, 10, 10))
    found = fit_clusters(vectors, ClusterOptions(k_min=4, k_max=5, stability=False))
    assert set(found.choice.scores) == {4, 5}
    assert found.choice.k == found.choice.bound == 4


def test_with_one_k_to_try_no_other_is_close_and_no_bound_is_hit():
    vectors, _ = blobs((10, 10, 10))
    choice = fit_clusters(vectors, ClusterOptions(k_min=3, k_max=3, stability=False)).choice
    assert (choice.k, choice.best, choice.close, choice.bound) == (3, 3, None, None)


def test_a_bound_that_limits_the_choice_is_told():
    vectors, truth = blobs([12] * 6)
    answers = [str(group) for group in truth]
    assert fit_clusters(vectors, ClusterOptions(k_max=4, stability=False), answers).choice.bound == 4
    assert fit_clusters(vectors, ClusterOptions(k_max=8, stability=False), answers).choice.bound is None


def test_auto_chooses_on_a_sample_of_many_rows_but_clusters_them_all(monkeypatch):
    monkeypatch.setattr(select_k, "ROWS", 40)
    vectors, truth = blobs((40, 40, 40))
    found = fit_clusters(vectors, ClusterOptions(k_max=5, stability=False))
    assert found.choice.n_rows == 40
    assert_same_groups(found.labels, truth)


def test_hdbscan_finds_the_groups_and_leaves_scattered_rows_as_noise():
    """Two pairs of tight groups, and four rows far from them and from each other."""
    centroids = np.zeros((4, 10))
    centroids[:, 0] = [1, 1, -1, -1]
    centroids[[0, 1, 2, 3], [1, 1, 2, 2]] = [0.25, -0.25, 0.25, -0.25]
    truth = np.repeat(range(4), 20)
    tight = centroids[truth] + np.random.default_rng(0).normal(scale=0.02, size=(80, 10))
    vectors = np.concatenate([tight, np.eye(10)[3:7]]).astype(np.float32)
    order = np.random.default_rng(1).permutation(84)
    found = fit_clusters(vectors[order], HDBSCAN)
    labels = np.empty(84, int)
    labels[order] = found.labels
    assert found.k == 4
    assert_same_groups(labels[:80], truth)
    assert labels[80:].tolist() == [NOISE] * 4
    assert found.choice is None


def test_hdbscan_works_above_its_number_of_dimensions():
    vectors, truth = blobs((30, 30, 30), width=80)
    found = fit_clusters(vectors, HDBSCAN)
    kept = found.labels != NOISE
    assert kept.mean() > 0.9
    assert_same_groups(found.labels[kept], truth[kept])


@pytest.mark.parametrize(("n", "size"), [(60, 5), (400, 8)])
def test_hdbscan_tells_the_smallest_cluster_it_used(n, size):
    vectors, _ = blobs((n // 2, n // 2))
    assert fit_clusters(vectors, HDBSCAN).options.min_cluster_size == size


def test_hdbscan_may_find_nothing_but_noise():
    found = fit_clusters(cloud(6, 3, seed=0), HDBSCAN)
    assert (found.labels == NOISE).all()
    assert found.k == 0
    assert found.centroids.shape == (0, 3)
    assert np.isnan(found.distances).all()


@few_examples
@given(seed=st.integers(0, 10**6), n=st.integers(6, 24), width=st.integers(2, 12), k=st.integers(2, 4))
def test_the_order_of_rows_does_not_matter_to_kmeans(seed, n, width, k):
    vectors = cloud(n, width, seed)
    order = np.random.default_rng(seed + 1).permutation(n)
    found, moved = (fit_clusters(v, ClusterOptions(k=k, stability=False)) for v in (vectors, vectors[order]))
    np.testing.assert_array_equal(moved.labels, found.labels[order])
    np.testing.assert_array_equal(moved.distances, found.distances[order])
    np.testing.assert_array_equal(moved.centroids, found.centroids)


@few_examples
@given(seed=st.integers(0, 10**6), sizes=st.lists(st.integers(6, 14), min_size=2, max_size=3))
def test_the_order_of_rows_does_not_matter_to_hdbscan(seed, sizes):
    vectors = np.concatenate([blobs(sizes, width=4, seed=seed)[0], 8 * cloud(8, 4, seed)])
    order = np.random.default_rng(seed).permutation(len(vectors))
    found, moved = (fit_clusters(v, ClusterOptions("hdbscan", stability=False)) for v in (vectors, vectors[order]))
    np.testing.assert_array_equal(moved.labels, found.labels[order])
    np.testing.assert_array_equal(moved.distances, found.distances[order])


def test_the_order_of_rows_does_not_matter_to_the_choice_of_k():
    vectors = cloud(40, 5, seed=3)
    order = np.random.default_rng(4).permutation(40)
    found, moved = (fit_clusters(v, ClusterOptions(k_max=6, stability=False)) for v in (vectors, vectors[order]))
    assert moved.choice == found.choice
    np.testing.assert_array_equal(moved.labels, found.labels[order])


def test_the_order_of_rows_does_not_matter_where_their_first_numbers_are_the_same():
    vectors = np.concatenate([np.zeros((60, 8), np.float32), cloud(60, 4, seed=0)], axis=1)
    order = np.random.default_rng(1).permutation(60)
    found, moved = (fit_clusters(v, ClusterOptions(k=5, stability=False)) for v in (vectors, vectors[order]))
    np.testing.assert_array_equal(moved.labels, found.labels[order])
    np.testing.assert_array_equal(moved.distances, found.distances[order])


@few_examples
@given(
    seed=st.integers(0, 10**6),
    power=st.integers(-8, 20),
    shift=st.lists(st.integers(-1000, 1000), min_size=5, max_size=5),
    algorithm=st.sampled_from(ALGORITHMS),
)
def test_scaling_and_shifting_all_vectors_changes_nothing(seed, power, shift, algorithm):
    vectors, _ = blobs((14, 10, 8), width=5, seed=seed)
    options = ClusterOptions(algorithm, k=3, stability=False)
    found = fit_clusters(vectors, options)
    moved = fit_clusters((vectors + np.array(shift, np.float32)) * np.float32(2.0**power), options)
    np.testing.assert_array_equal(moved.labels, found.labels)
    np.testing.assert_allclose(moved.distances, found.distances, atol=1e-5)


def test_very_small_vectors_are_clustered_like_large_ones():
    vectors, truth = blobs((14, 10, 8), width=5)
    found = fit_clusters(vectors * np.float32(2.0**-40), ClusterOptions(k=3, stability=False))
    assert_same_groups(found.labels, truth)


def test_the_mean_is_what_was_subtracted():
    vectors, _ = blobs((6, 6), width=4)
    found = fit_clusters(vectors, ClusterOptions(k=2))
    np.testing.assert_allclose(found.mean, vectors.mean(axis=0), rtol=1e-5)
    points, mean = center_and_normalize(vectors)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(mean, found.mean, rtol=1e-5)


def test_a_row_at_the_mean_stays_zero():
    vectors = np.array([[1, 0], [-1, 0], [0, 0]], np.float32)
    points, _ = center_and_normalize(vectors)
    np.testing.assert_array_equal(points, vectors)


def test_copies_of_a_row_share_its_cluster_and_distance():
    vectors = np.repeat(cloud(12, 4, seed=5), 3, axis=0)
    found = fit_clusters(vectors, ClusterOptions(k=4, stability=False))
    assert (found.labels.reshape(12, 3) == found.labels[::3, None]).all()
    assert (found.distances.reshape(12, 3) == found.distances[::3, None]).all()


def test_there_can_be_as_many_clusters_as_rows():
    found = fit_clusters(cloud(6, 4, seed=2), ClusterOptions(k=6, stability=False))
    assert sorted(found.labels) == list(range(6))
    np.testing.assert_allclose(found.distances, 0, atol=1e-6)


def test_there_can_be_as_many_clusters_as_different_rows():
    vectors = np.repeat(cloud(4, 4, seed=2), 5, axis=0)
    found = fit_clusters(vectors, ClusterOptions(k=4))
    assert found.k == 4
    np.testing.assert_allclose(found.distances, 0, atol=1e-6)


def test_vectors_that_are_all_the_same_are_one_cluster_for_auto():
    found = fit_clusters(np.full((12, 4), 3, np.float32))
    assert found.labels.tolist() == [0] * 12
    assert found.k == found.choice.k == 1
    assert found.choice.scores == {}
    assert (found.choice.best, found.choice.close, found.choice.bound) == (1, None, None)


def test_vectors_that_are_all_the_same_are_too_few_for_a_given_k():
    with pytest.raises(InputError, match="all rows are the same, too few for 2 clusters"):
        fit_clusters(np.full((12, 4), 3, np.float32), ClusterOptions(k=2))


def test_vectors_that_are_all_the_same_go_through_hdbscan_without_a_warning():
    found = fit_clusters(np.full((12, 4), 3, np.float32), HDBSCAN)
    assert len(set(found.labels.tolist())) == 1


def test_a_given_k_is_never_silently_made_smaller():
    """Centred and normalize, rows on a line have but two directions."""
    line = np.arange(10, dtype=np.float32)[:, None] * np.ones((1, 4), np.float32)
    try:
        found = fit_clusters(line, ClusterOptions(k=3))
    except InputError:
        return
    assert found.k == 3


def test_two_rows_are_enough_for_auto():
    assert len(fit_clusters(cloud(2, 3, seed=0)).labels) == 2


@pytest.mark.parametrize("n", [0, 1, 4])
def test_fewer_rows_than_clusters_are_an_input_error(n):
    with pytest.raises(InputError, match=rf"^{n} rows? with text (is|are) too few for 5 clusters") as caught:
        fit_clusters(cloud(n, 3, seed=0), ClusterOptions(k=5))
    assert caught.value.hint


def test_one_row_is_too_few_for_auto():
    with pytest.raises(InputError, match="1 row with text is too few for 2 clusters"):
        fit_clusters(cloud(1, 3, seed=0))


@pytest.mark.parametrize(("n", "size", "least"), [(4, None, 5), (9, 10, 10)])
def test_fewer_rows_than_the_smallest_cluster_are_an_input_error(n, size, least):
    with pytest.raises(InputError, match=f"cannot hold a cluster of {least}"):
        fit_clusters(cloud(n, 3, seed=0), ClusterOptions("hdbscan", min_cluster_size=size))


@pytest.mark.parametrize(
    "options",
    [
        ClusterOptions(k=1),
        ClusterOptions(k=0),
        ClusterOptions(k=-3),
        ClusterOptions(k_min=1),
        ClusterOptions(k_min=6, k_max=5),
        ClusterOptions("hdbscan", min_cluster_size=1),
    ],
)
def test_options_without_sense_are_a_usage_problem(options):
    with pytest.raises(UsageError):
        fit_clusters(cloud(20, 3, seed=0), options)


@pytest.mark.parametrize("options", [ClusterOptions(k=3), HDBSCAN])
def test_clusters_are_numbered_from_the_largest(options):
    vectors, truth = blobs((8, 25, 14))
    found = fit_clusters(vectors, options)
    assert np.bincount(found.labels[found.labels != NOISE]).tolist() == [25, 14, 8]
    assert set(truth[found.labels == 0]) == {1}


@few_examples
@given(seed=st.integers(0, 10**6), n=st.integers(12, 40), algorithm=st.sampled_from(ALGORITHMS))
def test_distances_and_centroids_are_cosines_and_unit_vectors(seed, n, algorithm):
    vectors = np.concatenate([blobs((10, 8), width=4, seed=seed)[0], 10 * cloud(n - 10, 4, seed)])
    found = fit_clusters(vectors, ClusterOptions(algorithm, k=3, stability=False))
    kept = found.labels != NOISE
    assert found.distances.dtype == np.float32
    assert ((found.distances[kept] >= 0) & (found.distances[kept] <= 2)).all()
    assert np.isnan(found.distances[~kept]).all()
    assert found.centroids.shape == (found.labels.max() + 1, 4)
    np.testing.assert_allclose(np.linalg.norm(found.centroids, axis=1), 1, rtol=1e-5)
    points = vectors - vectors.mean(axis=0, dtype=np.float64)
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    expected = 1 - (points[kept] * found.centroids[found.labels[kept]]).sum(axis=1)
    np.testing.assert_allclose(found.distances[kept], expected, atol=1e-5)


@pytest.mark.parametrize("options", [ClusterOptions(k=4, seed=3), ClusterOptions(k_max=5, seed=3), HDBSCAN])
def test_one_seed_gives_one_result(options):
    vectors = cloud(40, 4, seed=8)
    first, second = fit_clusters(vectors, options), fit_clusters(vectors, options)
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_array_equal(first.distances, second.distances)
    np.testing.assert_array_equal(first.centroids, second.centroids)
    assert first.options == second.options
    assert first.choice == second.choice


def test_the_vectors_given_are_left_as_they_were():
    vectors, _ = blobs((8, 8))
    before = vectors.copy()
    fit_clusters(vectors, ClusterOptions(k=2))
    np.testing.assert_array_equal(vectors, before)


def test_kmeans_of_many_rows_goes_by_mini_batches_and_says_so(monkeypatch):
    vectors, truth = blobs((40, 30, 20))
    assert fit_clusters(vectors, ClusterOptions(k=3, consensus=False)).shortcut is None
    monkeypatch.setattr(kmeans_module, "MANY_ROWS", 50)
    assert_same_groups(fit_clusters(vectors, ClusterOptions(k=3)).labels, truth)
    found = fit_clusters(vectors, ClusterOptions(k=3, consensus=False))
    assert "more than 50 rows: KMeans on mini-batches" in found.shortcut
    assert_same_groups(found.labels, truth)
    assert np.isfinite(found.distances).all()


def test_hdbscan_of_many_rows_takes_a_sample_the_others_join_and_it_says_so(monkeypatch):
    vectors, truth = blobs((120, 90, 60))
    monkeypatch.setattr(hdbscan_module, "SAMPLE_ROWS", 150)
    found = fit_clusters(vectors, HDBSCAN)
    assert "more than 150 rows: clusters were found in a sample" in found.shortcut
    assert found.options.min_cluster_size == 5
    kept = found.labels != NOISE
    assert kept.mean() > 0.9
    assert_same_groups(found.labels[kept], truth[kept])


def test_a_sample_that_is_all_noise_leaves_all_rows_noise(monkeypatch):
    monkeypatch.setattr(hdbscan_module, "SAMPLE_ROWS", 30)
    found = fit_clusters(cloud(60, 8, 0), ClusterOptions("hdbscan", min_cluster_size=20))
    assert found.k == 0
    assert set(found.labels) == {NOISE}


@pytest.mark.parametrize("n", [1, 7, 16, 33])
def test_chunks_change_nothing(monkeypatch, n):
    vectors = cloud(n, 5, 1)
    whole = center_and_normalize(vectors)
    monkeypatch.setattr(preprocess, "CHUNK", 8)
    for one, other in zip(center_and_normalize(vectors), whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_second_cluster_is_the_nearest_other_one_and_the_margin_its_distance():
    vectors = np.array([[1, 0, 0]] * 4 + [[0.8, 0.6, 0]] * 3 + [[0, 0, 1]] * 2, np.float32)
    found = fit_clusters(vectors, ClusterOptions(k=3))
    assert found.labels.tolist() == [0] * 4 + [1] * 3 + [2] * 2
    assert found.second_cluster.tolist() == [1] * 4 + [0] * 3 + [0 if found.second_cluster[-1] == 0 else 1] * 2
    points, _ = center_and_normalize(vectors)
    to_all = 1 - points @ found.centroids.T
    own = to_all[np.arange(9), found.labels]
    other = to_all[np.arange(9), found.second_cluster]
    np.testing.assert_allclose(found.margins, (other - own) / other, atol=1e-6)
    assert (found.margins <= 1 + 1e-6).all()


def test_one_cluster_and_noise_have_no_second():
    same = fit_clusters(np.ones((5, 3), np.float32), ClusterOptions(k_max=3))
    assert set(same.second_cluster) == {NOISE}
    assert np.isnan(same.margins).all()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rounding_changes_no_clusters_even_where_there_are_none(algorithm):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(400, 40)).astype(np.float32)
    options = ClusterOptions(algorithm, k=8 if algorithm == "kmeans" else None, stability=False)
    found = fit_clusters(vectors, options).labels
    for _ in range(3):
        rounded = (vectors * (1 + 1e-6 * rng.normal(size=vectors.shape))).astype(np.float32)
        assert (fit_clusters(rounded, options).labels == found).mean() > 0.99


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_named(value):
    vectors = np.eye(8, dtype=np.float32)
    vectors[5, 2] = value
    with pytest.raises(InputError, match="vector 5 holds NaN, infinity"):
        fit_clusters(vectors, ClusterOptions(k=2))


def test_vectors_may_be_lists():
    assert fit_clusters([[1, 0], [0, 1], [1, 0], [0, 1]], ClusterOptions(k=2, stability=False)).k == 2
