from __future__ import annotations

import numpy as np
import pytest

from inbedder_cli.diagnostics.drift import drift


def test_drift_shows_wilsons_interval_and_tests_then_against_now():
    moved = drift({0: 50, 1: 50}, [0] * 90 + [1] * 10, {0: "anger", 1: "joy"})
    assert [(row.label, row.then, row.now, row.moved) for row in moved] == [
        ("anger", 0.5, 0.9, True),
        ("joy", 0.5, 0.1, True),
    ]
    # Wilson's interval of 90 of 100, from a textbook's calculator.
    assert (moved[0].now_low, moved[0].now_high) == pytest.approx((0.8256, 0.9448), abs=1e-4)
    assert not any(row.moved for row in drift({0: 50, 1: 50}, [0, 1] * 30, {0: "a", 1: "b"}))
    assert not any(row.moved for row in drift({0: 50, 1: 50}, [], {0: "a", 1: "b"}))
    assert drift({}, [], {}) == []


def test_without_drift_a_share_seldom_moves():
    rng = np.random.default_rng(0)
    names = {i: str(i) for i in range(7)}
    alarms = 0
    for _ in range(60):
        then, now = rng.integers(0, 7, 300), rng.integers(0, 7, 1000)
        moved = drift(dict(enumerate(np.bincount(then, minlength=7).tolist())), now.tolist(), names)
        alarms += any(row.moved for row in moved)
    assert alarms <= 9  # 5 % of 60, and luck
