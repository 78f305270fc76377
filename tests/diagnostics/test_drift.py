from __future__ import annotations

import numpy as np
import pytest

from inbedder_cli.diagnostics.drift import DriftReport, drift


def test_drift_shows_wilsons_interval_and_tests_then_against_now():
    moved = drift({0: 50, 1: 50}, {0: 90, 1: 10}, {0: "anger", 1: "joy"}, 100, 100)
    assert [(row.label, row.then, row.now, row.moved) for row in moved] == [
        ("anger", 0.5, 0.9, True),
        ("joy", 0.5, 0.1, True),
    ]
    # Wilson's interval of 90 of 100, from a textbook's calculator.
    assert (moved[0].now_low, moved[0].now_high) == pytest.approx((0.8256, 0.9448), abs=1e-4)
    assert not any(row.moved for row in drift({0: 50, 1: 50}, {0: 30, 1: 30}, {0: "a", 1: "b"}, 100, 60))
    assert not any(row.moved for row in drift({0: 50, 1: 50}, {}, {0: "a", 1: "b"}, 100, 0))
    assert drift({}, {}, {}, 0, 0) == []


def test_without_drift_a_share_seldom_moves():
    rng = np.random.default_rng(0)
    names = {i: str(i) for i in range(7)}
    alarms = 0
    for _ in range(60):
        then, now = rng.integers(0, 7, 300), rng.integers(0, 7, 1000)
        counts = [dict(enumerate(np.bincount(rows, minlength=7).tolist())) for rows in (then, now)]
        moved = drift(*counts, names, 300, 1000)
        alarms += any(row.moved for row in moved)
    assert alarms <= 9  # 5 % of 60, and luck


@pytest.mark.parametrize(
    ("n_novel", "n_rows", "noise", "is_unlike"),
    [(0, 0, 0.0, False), (3, 14, 0.0, True), (1, 14, 0.0, False), (7, 100, 0.0, False), (30, 100, 0.3, False)],
)
def test_rows_are_unlike_where_clearly_more_are_novel_than_should_be(n_novel, n_rows, noise, is_unlike):
    assert DriftReport([], n_rows, n_novel, {}, noise).is_unlike is is_unlike
