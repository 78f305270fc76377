"""The map: what is alike is near, it does not depend on the order, and it is the same twice."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from inbedder_cli import projection
from inbedder_cli.clustering.preprocess import center_and_normalize
from inbedder_cli.projection import RowMap


def blobs(n_rows: int, n_blobs: int = 5, size: int = 24):
    rng = np.random.default_rng(0)
    centers = 3 * rng.normal(size=(n_blobs, size))
    labels = np.arange(n_rows) % n_blobs
    vectors = (centers[labels] + rng.normal(size=(n_rows, size))).astype(np.float32)
    return vectors, labels, [f"text {i}" for i in range(n_rows)]


def test_what_is_alike_is_near():
    vectors, labels, texts = blobs(300)
    places = RowMap.fit(vectors, texts).place(vectors, texts)
    assert trustworthiness(center_and_normalize(vectors)[0], places, n_neighbors=10) > 0.9
    assert np.abs(places).max() <= 1
    own = np.linalg.norm(places - np.stack([places[labels == c].mean(axis=0) for c in labels]), axis=1)
    assert own.mean() < 0.3


def test_the_order_of_the_rows_and_a_second_run_change_nothing():
    vectors, _, texts = blobs(120)
    places = RowMap.fit(vectors, texts).place(vectors, texts)
    order = np.random.default_rng(1).permutation(120)
    shuffled = [texts[i] for i in order]
    again = RowMap.fit(vectors[order], shuffled).place(vectors[order], shuffled)
    assert (again == places[order]).all()


def test_rows_beyond_the_anchors_lie_with_what_they_resemble(monkeypatch):
    monkeypatch.setattr(projection, "ANCHORS", 100)
    vectors, labels, texts = blobs(400)
    row_map = RowMap.fit(vectors, texts)
    assert row_map.anchors.shape[0] == 100
    places = row_map.place(vectors, texts)
    middles = np.stack([places[labels == c].mean(axis=0) for c in range(5)])
    nearest = np.linalg.norm(places[:, None] - middles, axis=2).argmin(axis=1)
    assert (nearest == labels).mean() > 0.97
    assert trustworthiness(center_and_normalize(vectors)[0], places, n_neighbors=10) > 0.85


def test_new_rows_are_placed_by_themselves_and_copies_apart():
    vectors, _, texts = blobs(60)
    row_map = RowMap.fit(vectors, texts)
    whole = row_map.place(vectors, texts)
    assert (row_map.place(vectors[7:8], texts[7:8]) == whole[7]).all()
    copies = row_map.place(vectors[[7, 7, 7]], [texts[7]] * 3)
    assert (copies[0] == whole[7]).all()
    steps = np.linalg.norm(copies[1:] - copies[0], axis=1)
    assert (steps > 0).all()
    assert (steps <= 1.1 * projection.JITTER).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_rows", [1, 2, 3, 7, 8, 9])
def test_few_rows(n_rows):
    vectors, _, texts = blobs(n_rows)
    places = RowMap.fit(vectors, texts).place(vectors, texts)
    assert places.shape == (n_rows, 2)
    assert np.isfinite(places).all()
    assert len(np.unique(places, axis=0)) == n_rows


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_texts", [1, 20])
def test_rows_that_are_all_the_same_lie_in_the_middle(n_texts):
    vectors, texts = np.ones((20, 8), np.float32), [f"{i % n_texts}" for i in range(20)]
    row_map = RowMap.fit(vectors, texts)
    assert np.abs(row_map.place(vectors, texts)).max() <= 1.1 * projection.JITTER * (n_texts == 1)
    assert len(RowMap.from_arrays(row_map.to_arrays()).anchors) == n_texts


def test_a_saved_map_places_rows_alike_and_a_damaged_one_is_refused():
    vectors, _, texts = blobs(60)
    row_map = RowMap.fit(vectors, texts)
    arrays = row_map.to_arrays()
    assert (RowMap.from_arrays(arrays).place(vectors, texts) == row_map.place(vectors, texts)).all()
    for damaged in (
        {"places": arrays["places"][:-1]},
        {"components": arrays["components"][:, :-1]},
        {"anchors": arrays["anchors"].astype(np.float64)},
        {"mean": arrays["mean"] * np.float32("nan")},
        {"anchors": arrays["anchors"][:0], "places": arrays["places"][:0]},
    ):
        with pytest.raises(ValueError, match="the map"):
            RowMap.from_arrays(arrays | damaged)
    with pytest.raises(KeyError):
        RowMap.from_arrays({"mean": arrays["mean"]})
