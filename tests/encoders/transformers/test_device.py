from __future__ import annotations

import pytest
import torch

from inbedder_cli.encoders.transformers import device
from inbedder_cli.errors import ModelError, UsageError
from inbedder_cli.options import Dtype


def test_unknown_devices_are_refused():
    with pytest.raises(UsageError, match="gpu"):
        device.choose_device("gpu")


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert device.choose_device("cuda:0").index == 0
    with pytest.raises(ModelError, match="cuda:3"):
        device.choose_device("cuda:3")


@pytest.mark.parametrize(
    ("float32_seconds", "bfloat16_seconds", "winner"),
    [(1.0, 0.3, torch.bfloat16), (1.0, 0.9, torch.float32), (1.0, 20.0, torch.float32)],
)
def test_bfloat16_is_chosen_only_where_it_is_clearly_faster(
    monkeypatch, float32_seconds, bfloat16_seconds, winner
):
    monkeypatch.setattr(device, "_time_dtypes", lambda *_: (float32_seconds, bfloat16_seconds))
    assert device.choose_dtype(Dtype.auto, torch.device("cpu"), 64) == winner


def test_a_dtype_that_is_asked_for_is_taken():
    assert device.choose_dtype(Dtype.float16, torch.device("cpu"), 64) == torch.float16


@pytest.mark.parametrize(("seconds", "rounds"), [(0.001, device.TIMING_ROUNDS), (0.5, device.LEAST_ROUNDS)])
def test_timing_ends_early_where_a_product_is_slow(monkeypatch, seconds, rounds):
    calls = []

    def clock():
        calls.append(None)
        return len(calls) * seconds

    monkeypatch.setattr(device.time, "perf_counter", clock)
    assert device._time_dtypes(torch.device("cpu"), 16) == pytest.approx((seconds, seconds))
    starts_and_ends = 4 * rounds
    assert starts_and_ends <= len(calls) <= starts_and_ends + device.TIMING_ROUNDS


def test_dtypes_are_timed_here():
    assert device.choose_dtype(Dtype.auto, torch.device("cpu"), 64) in (torch.float32, torch.bfloat16)


@pytest.mark.parametrize(
    ("free", "reserved", "tokens"), [(80e9, 0, 16_384), (2e9, 0, 5000), (1e9, 1e9, 5000), (0, 0, 1024)]
)
def test_batches_of_a_gpu_are_as_large_as_its_free_memory_allows(monkeypatch, free, reserved, tokens):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (int(free), 10**11))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: int(reserved))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 0)
    assert device.default_batch_tokens(torch.device("cuda:0")) == tokens
    assert device.default_batch_tokens(torch.device("cpu")) == device.CPU_BATCH_TOKENS
