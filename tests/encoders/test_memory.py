"""Too little memory, for every kind of model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inbedder_cli.errors import OutOfMemory
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


def test_a_single_row_that_does_not_fit_is_out_of_memory(encoder, monkeypatch):
    scarce_memory(encoder, monkeypatch, most_rows=0)
    with pytest.raises(OutOfMemory, match="one text"):
        encoder.encode(TEXTS, QUESTION)
    if encoder.kind == "masked":
        assert not encoder.model.get_output_embeddings()._forward_pre_hooks


def scarce_memory(encoder, monkeypatch, most_rows: int) -> list[int]:
    sizes = []
    run = encoder.model.base_model if encoder.kind == "causal" else encoder.model  # what the encoder calls
    forward = run.forward

    def limited(**inputs):
        sizes.append(len(inputs["input_ids"] if "input_ids" in inputs else inputs["attention_mask"]))
        if sizes[-1] > most_rows:
            raise torch.OutOfMemoryError("no memory")
        return forward(**inputs)

    monkeypatch.setattr(run, "forward", limited)
    return sizes
