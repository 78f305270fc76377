"""Algorithms: scikit-learn's common checks hold, and one from outside the package works everywhere."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from inbedder_cli.clustering import NOISE, ClusterAlgorithm, algorithms, fit_clusters, sweep
from inbedder_cli.clustering.hdbscan import HDBSCANClusterer
from inbedder_cli.clustering.kmeans import KMeansClusterer
from inbedder_cli.clustering.predictor import ClusterPredictor
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import ClusterOptions
from tests.clustering.test_fit import blobs, cloud


@parametrize_with_checks(
    [KMeansClusterer(3, n_runs=5), KMeansClusterer(3, n_runs=0, n_init=1), HDBSCANClusterer()]
)
def test_scikit_learns_common_checks(estimator, check):
    check(estimator)


class Halves(ClusterAlgorithm):
    """Splits points by the sign of their first principal direction."""

    @classmethod
    def from_options(cls, options, *, quick=False):
        return cls()

    @classmethod
    def min_rows(cls, options):
        return 2

    def fit(self, X, y=None):
        self.direction_ = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[2][0]
        self.direction_ *= np.sign(self.direction_[np.abs(self.direction_).argmax()])
        self.labels_ = self.predict(X)
        return self

    def predict(self, X):
        return (X @ self.direction_ > 0).astype(np.int64)

    def to_arrays(self):
        return {"direction": self.direction_}

    @classmethod
    def from_arrays(cls, arrays):
        fitted = cls()
        fitted.direction_ = arrays["direction"]
        return fitted


def test_an_algorithm_that_lacks_a_method_is_refused_at_once():
    class Half(ClusterAlgorithm):
        from_options, fit = Halves.from_options, Halves.fit
        to_arrays, from_arrays = Halves.to_arrays, Halves.from_arrays

    with pytest.raises(TypeError, match="predict"):
        Half()


@pytest.fixture
def toy():
    algorithms.register("toy", Halves)
    yield "toy"
    algorithms.unregister("toy")


def test_an_algorithm_from_outside_the_package_clusters(toy):
    vectors, truth = blobs((30, 20))
    found = fit_clusters(vectors, ClusterOptions(algorithm=toy))
    assert np.bincount(found.labels).tolist() == [30, 20]
    assert found.labels.tolist() == truth.tolist()
    assert (found.stability > 0.9).all()
    assert (found.distances < 0.5).all()
    order = np.random.default_rng(0).permutation(50)
    moved = fit_clusters(vectors[order], ClusterOptions(algorithm=toy))
    np.testing.assert_array_equal(moved.labels, found.labels[order])


def test_it_says_how_many_rows_it_needs_and_that_there_is_nothing_to_tune(toy):
    with pytest.raises(InputError, match="1 row with text is too few: toy needs 2"):
        fit_clusters(cloud(1, 3, 0), ClusterOptions(algorithm=toy))
    with pytest.raises(UsageError, match="toy has no setting to tune"):
        sweep(cloud(9, 3, 0), ClusterOptions(algorithm=toy))


def test_tuning_it_is_refused_before_any_work(toy, inbedder, reviews):
    result = inbedder("tune", reviews, "-i", "Which room?", "-m", "no-such-model", "-a", toy)
    assert result.exit_code == 2
    assert "toy has no setting to tune" in result.stderr


def test_its_name_is_unknown_once_it_is_unregistered(toy):
    algorithms.unregister(toy)
    with pytest.raises(UsageError, match='unknown algorithm "toy"') as refused:
        ClusterOptions(algorithm=toy)
    assert "kmeans, hdbscan" in refused.value.hint


def test_the_command_line_clusters_vectors_with_it(toy, inbedder, tmp_path):
    vectors, truth = blobs((30, 20))
    texts, path = tmp_path / "x.csv", tmp_path / "v.npy"
    texts.write_text("text\n" + "".join(f"text {i}\n" for i in range(50)))
    np.save(path, vectors)
    result = inbedder("cluster", texts, "--vectors", path, "--algorithm", toy)
    assert result.exit_code == 0, result.stderr
    labels = [int(row["cluster"]) for row in csv.DictReader(io.StringIO(result.stdout))]
    assert labels == truth.tolist()
    table = inbedder("cluster", texts, "--vectors", path, "--algorithm", toy, "-f", "table")
    assert "2 clusters found by toy" in table.stdout
    wrong = inbedder("cluster", texts, "--vectors", path, "--algorithm", toy, "-k", "3")
    assert wrong.exit_code == 2
    assert "-k is for kmeans, and has no effect with --algorithm toy" in wrong.stderr


def test_runs_are_saved_with_it_and_new_rows_assigned(toy, inbedder, tiny, tmp_path):
    texts, run = tmp_path / "x.csv", tmp_path / "run"
    texts.write_text("text\n" + "".join(f"text {i} {'cold' if i % 2 else 'kind'} room\n" for i in range(12)))
    asked = (
        "-i",
        "Which room?",
        "-m",
        tiny,
        "--device",
        "cpu",
        "--no-flag-unanswered",
        "--no-baseline",
        "-a",
        toy,
    )
    saved = inbedder("cluster", texts, *asked, "--save", run)
    assert saved.exit_code == 0, saved.stderr
    again = inbedder("assign", run, texts, "--device", "cpu")
    assert again.exit_code == 0, again.stderr
    then, now = ([row["cluster"] for row in csv.DictReader(io.StringIO(r.stdout))] for r in (saved, again))
    assert now == then
    assert set(then) == {"0", "1"}
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["settings"][""]["algorithm"] == "toy"


@pytest.mark.parametrize("name", ["kmeans", "hdbscan"])
def test_saved_arrays_predict_what_the_algorithm_does(name):
    vectors, _ = blobs((40, 30, 20))
    fresh = np.concatenate([vectors, blobs((9, 9, 9), seed=7)[0]])
    predictor = ClusterPredictor.of(fit_clusters(vectors, ClusterOptions(name, k=3, stability=False)))
    arrays = predictor.to_arrays()
    assert all(array.dtype.kind in "fi" for array in arrays.values())
    loaded = ClusterPredictor.from_arrays(arrays, name)
    np.testing.assert_array_equal(loaded.predict(fresh).labels, predictor.predict(fresh).labels)


def test_a_clustering_without_clusters_is_saved_and_all_new_rows_are_noise():
    noise = fit_clusters(cloud(6, 3, seed=0), ClusterOptions("hdbscan"))
    predictor = ClusterPredictor.from_arrays(ClusterPredictor.of(noise).to_arrays(), "hdbscan")
    assert predictor.predict(cloud(4, 3, seed=1)).labels.tolist() == [NOISE] * 4


def test_names_are_listed_without_loading_scikit_learn():
    script = """
import sys
import inbedder_cli.options
from inbedder_cli.registry import algorithms
assert list(algorithms) == ["kmeans", "hdbscan"], list(algorithms)
loaded = {"numpy", "sklearn", "hdbscan", "scipy"} & set(sys.modules)
assert not loaded, loaded
import inbedder_cli.clustering
assert not {"sklearn", "hdbscan", "scipy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_kmeans_on_many_points_of_its_own_copies_none_of_them():
    import tracemalloc

    from inbedder_cli.clustering.kmeans import MANY_ROWS, KMeansClusterer

    points = np.random.default_rng(0).normal(size=(MANY_ROWS + 1, 200)).astype(np.float32)
    before = points.copy()
    peaks = {}
    for copy_x in (True, False):
        tracemalloc.start()
        KMeansClusterer(3, n_runs=0, n_init=1, copy_x=copy_x).fit(points)
        peaks[copy_x] = tracemalloc.get_traced_memory()[1] / points.nbytes
        tracemalloc.stop()
    np.testing.assert_allclose(points, before, atol=1e-6)
    assert peaks[False] < 0.8  # a sample to start from
    assert peaks[True] > 1


def test_many_clusters_have_no_consensus():
    points = np.random.default_rng(0).normal(size=(220, 4)).astype(np.float32)
    few, many = KMeansClusterer(200, n_runs=2).fit(points), KMeansClusterer(201, n_runs=2).fit(points)
    assert few.runs_ is not None
    assert few.shortcut_ is None
    assert many.runs_ is None
    assert many.memberships(points) is None
    assert many.shortcut_ == "more than 200 clusters: no consensus of many runs"
    assert len(many.cluster_centers_) == 201
    assert KMeansClusterer(201, n_runs=0, n_init=1).fit(points).shortcut_ is None
