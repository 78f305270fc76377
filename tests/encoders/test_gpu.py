"""What only a GPU shows. `pytest -m gpu tests/encoders` runs these tests on a machine that has one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inbedder_cli.encoders import load_encoder
from inbedder_cli.encoders.transformers import device
from inbedder_cli.options import EncodeOptions
from tests.encoders.plain import QUESTION

pytestmark = pytest.mark.gpu
TEXTS = [f"text {i} was {'very ' * (i % 9)}cold" for i in range(600)]


@pytest.mark.parametrize("kind", ["llama", "opt", "qwen3", "roberta", "t5"])
def test_a_gpu_gives_what_a_cpu_gives(tiny_models, kind):
    folder = str(tiny_models[kind])
    cpu, gpu = (
        load_encoder(folder, device=name, dtype="float32", cache=False, workers=1).encode(TEXTS[:60], QUESTION)
        for name in ("cpu", "cuda")
    )
    np.testing.assert_allclose(gpu.vectors, cpu.vectors, atol=1e-3)
    assert np.mean([one == other for one, other in zip(gpu.answers, cpu.answers, strict=True)]) > 0.95


def test_the_native_half_precision_is_chosen(tiny):
    encoder = load_encoder(tiny, device="cuda", cache=False, workers=1)
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    assert encoder.dtype == ("bfloat16" if native else "float16")
    assert np.isfinite(encoder.encode(TEXTS[:60], QUESTION).vectors).all()


def test_a_batch_has_a_size_that_fits():
    assert 1024 <= device.default_batch_tokens(torch.device("cuda:0")) <= 16_384


def test_workers_on_all_gpus_give_what_one_process_gives(tiny):
    """On a machine with one GPU, two workers share it."""
    names = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    one = load_encoder(tiny, device="cuda:0", dtype="float32", cache=False, workers=1).encode(TEXTS, QUESTION)
    settings = {"devices": names} if len(names) > 1 else {"device": "cuda:0", "workers": 2}
    encoder = load_encoder(tiny, dtype="float32", cache=False, **settings)
    found = encoder.encode(TEXTS, QUESTION, EncodeOptions(batch_tokens=512))
    np.testing.assert_allclose(found.vectors, one.vectors, atol=1e-3)
    encoder.close()
