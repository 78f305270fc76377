from __future__ import annotations

import numpy as np
import pytest

from inbedder_cli.evaluation import bootstrap
from inbedder_cli.evaluation.metrics import v_measure


def test_a_draws_v_measure_is_that_of_the_drawn_rows():
    rng = np.random.default_rng(3)
    labels = [f"class {i}" for i in rng.integers(0, 5, 60)]
    fits = [rng.integers(0, 4, 60), rng.integers(0, 6, 60)]
    found = bootstrap.v_measure_draws(labels, fits)
    for draw, counts in enumerate(bootstrap.weights(60)[:20]):
        rows = np.repeat(np.arange(60), counts.astype(int))
        drawn = [labels[i] for i in rows]
        expected = np.mean([v_measure(drawn, fitted[rows]) for fitted in fits])
        assert found[draw] == pytest.approx(expected, abs=1e-9)


def test_draws_are_the_same_every_time():
    np.testing.assert_array_equal(bootstrap.weights(30), bootstrap.weights(30))
    assert (bootstrap.weights(30).sum(axis=1) == 30).all()


def test_an_interval_of_a_share_is_about_as_wide_as_the_normal_one():
    values = np.arange(400) % 4 == 0
    low, high = bootstrap.interval(0.25, bootstrap.mean_draws(values))
    assert low < 0.25 < high
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.25 * 0.75 / 400), rel=0.15)


def test_an_interval_holds_its_value_where_draws_are_biased():
    labels = [str(i % 77) for i in range(200)]
    fitted = np.random.default_rng(0).integers(0, 77, 200)
    value = v_measure(labels, fitted)
    draws = bootstrap.v_measure_draws(labels, [fitted])
    assert draws.min() > value  # without the correction the interval would leave out its own value
    low, high = bootstrap.interval(value, draws)
    assert low < value < high


@pytest.mark.parametrize("fitted", [np.zeros(6, int), np.arange(6)])
def test_one_class_has_no_spread(fitted):
    draws = bootstrap.v_measure_draws(["a"] * 6, [fitted])
    assert np.isfinite(draws).all()


def test_nothing_has_no_interval():
    assert bootstrap.interval(None, np.ones(3)) == (None, None)
    assert bootstrap.interval(0.5, None) == (None, None)
