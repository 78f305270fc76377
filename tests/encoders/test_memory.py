"""Too little memory, for every architecture of model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inbedder_cli.encoders.transformers.fused import FusedPass
from inbedder_cli.errors import OutOfMemoryError
from inbedder_cli.options import EncodeOptions
from tests.encoders.plain import QUESTION, TEXTS, TOLERANCE, load


@pytest.fixture(params=["llama", "opt", "qwen3", "roberta", "t5"])
def encoder(request, tiny_models):
    return load(tiny_models[request.param])


def test_too_little_memory_halves_the_batch_and_goes_on(encoder, monkeypatch):
    expected = encoder.encode(TEXTS, QUESTION)
    sizes = scarce_memory(encoder, monkeypatch, most_rows=2)
    encoded = encoder.encode(TEXTS, QUESTION, EncodeOptions(batch_tokens=10**6))
    np.testing.assert_allclose(encoded.vectors, expected.vectors, atol=TOLERANCE)
    assert encoded.answers == expected.answers
    assert max(sizes) == len(TEXTS)


def test_batches_that_were_planned_before_memory_ran_out_are_no_news(encoder, monkeypatch):
    """Each is halved once, and those that are planned later are as large as fits."""
    texts = [f"text {i} was cold" for i in range(64)]
    costs = [len(ids) for ids in encoder.prompter(QUESTION, 512).encode(texts)[0]]
    sizes = scarce_memory(encoder, monkeypatch, most_rows=5)
    options = EncodeOptions(answers=False, batch_tokens=8 * max(costs))
    encoder.encode(texts, QUESTION, options)
    prompts = [size for size in sizes if size > 1]
    assert max(prompts) >= 4
    assert prompts.count(4) >= 8


@pytest.mark.parametrize(
    "said",
    [
        "[enforce fail at alloc_cpu.cpp:114] . DefaultCPUAllocator: can't allocate memory: you tried",
        "[enforce fail at alloc_cpu.cpp:80] data. DefaultCPUAllocator: not enough memory: you tried",
        "MPS backend out of memory (MPS allocated: 9.05 GB, other allocations: 20 MB, max allowed: 9.07 GB)",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    ],
)
def test_a_device_says_in_words_that_memory_is_too_small(encoder, monkeypatch, said):
    sizes = scarce_memory(encoder, monkeypatch, most_rows=2, error=RuntimeError(said))
    encoder.encode(TEXTS, QUESTION, EncodeOptions(batch_tokens=10**6))
    assert max(sizes) == len(TEXTS)


def test_a_single_row_that_does_not_fit_is_out_of_memory(encoder, monkeypatch):
    scarce_memory(encoder, monkeypatch, most_rows=0)
    with pytest.raises(OutOfMemoryError, match="one text"):
        encoder.encode(TEXTS, QUESTION)
    if encoder.architecture == "masked":
        assert not encoder.model.get_output_embeddings()._forward_pre_hooks


def scarce_memory(encoder, monkeypatch, most_rows: int, error=None) -> list[int]:
    sizes = []
    run = encoder.model.base_model if encoder.architecture == "causal" else encoder.model  # what the encoder calls
    forward = run.forward

    def limited(**inputs):
        sizes.append(len(inputs["input_ids"] if "input_ids" in inputs else inputs["attention_mask"]))
        if sizes[-1] > most_rows:
            raise error or torch.OutOfMemoryError("no memory")
        return forward(**inputs)

    whole = FusedPass.run

    def limited_fused(self, ids, positions, segments, *rest):
        sizes.append(sum(segment.rows.stop - segment.rows.start for segment in segments))
        if sizes[-1] > most_rows:
            raise error or torch.OutOfMemoryError("no memory")
        return whole(self, ids, positions, segments, *rest)

    monkeypatch.setattr(run, "forward", limited)
    monkeypatch.setattr(FusedPass, "run", limited_fused)
    return sizes
