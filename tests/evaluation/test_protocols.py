from __future__ import annotations

import numpy as np
import pytest

from inbedder_cli.evaluation.metrics import v_measure
from inbedder_cli.evaluation.protocols import Protocol, protocol_of
from inbedder_cli.evaluation.settings import EvaluateOptions, ProtocolName

LABELS = [str(i % 3) for i in range(60)]


def blobs(shift=0.0):
    rng = np.random.default_rng(0)
    centroids = np.eye(3, 8) * 5 + shift
    return (centroids[np.arange(60) % 3] + rng.normal(0, 0.1, (60, 8))).astype(np.float32)


@pytest.mark.parametrize("name", ProtocolName)
def test_clear_groups_are_found_and_runs_repeat(name):
    protocol = protocol_of(EvaluateOptions(protocol=name, seeds=3, n_init=2))
    fits = protocol.fits(blobs(), 3)
    assert len(fits) == (3 if name == "ours" else 1)
    for fitted, again in zip(fits, protocol.fits(blobs(), 3), strict=True):
        assert v_measure(LABELS, fitted) == pytest.approx(1)
        np.testing.assert_array_equal(fitted, again)


def test_only_ours_takes_away_what_all_rows_share():
    shared = blobs(shift=100.0)
    points = Protocol().points(shared)
    np.testing.assert_allclose(points, Protocol().points(blobs()), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(Protocol(ProtocolName.paper).points(shared), shared)


@pytest.mark.parametrize("name", ProtocolName)
def test_constant_vectors_make_one_cluster_without_a_word(name):
    for fitted in Protocol(name, seeds=2, n_init=1).fits(np.ones((20, 4), np.float32), 3):
        assert v_measure(["a", "b"] * 10, fitted) == pytest.approx(0)


def test_the_papers_protocol_is_one_run_whatever_is_asked():
    assert protocol_of(EvaluateOptions(protocol=ProtocolName.paper, seeds=7)).seeds == 1
