"""The comparison with the plain computation is worth something: readers with classic mistakes fail it.

One mutant drops the attention mask, so that padding is read; the other moves the positions of some tokens by one.
Both spoil the model's own forward pass and the fused one.
"""

from __future__ import annotations

import pytest
import torch

from inbedder_cli.encoders.transformers import fused
from inbedder_cli.options import EncodeOptions, Pooling
from tests.conftest import KINDS, MASKED, SEQ2SEQ
from tests.encoders.plain import TOLERANCE, difference, load, load_fresh, plain_causal, plain_masked, plain_seq2seq

SPOKEN = EncodeOptions(pooling=Pooling.answer_mean, layer=-1, max_answer_tokens=5, batch_tokens=10**6)
FILLED = EncodeOptions(pooling=Pooling.masks, batch_tokens=10**6)
CASES = [
    *((architecture, plain_causal, SPOKEN) for architecture in KINDS),
    *((architecture, plain_masked, FILLED) for architecture in MASKED),
    *((architecture, plain_seq2seq, SPOKEN) for architecture in SEQ2SEQ),
]


def wrap(monkeypatch, module, change, after=lambda out: out) -> None:
    """Let `change` spoil what a module is called with, and `after` what it returns."""
    forward = module.forward
    monkeypatch.setattr(module, "forward", lambda *args, **inputs: after(forward(*args, **change(inputs))))


def without_mask(inputs: dict) -> dict:
    return {name: value for name, value in inputs.items() if name != "attention_mask"}


def causal_shifted(inputs: dict) -> dict:
    if "position_ids" in inputs:
        inputs["position_ids"] = inputs["position_ids"] + 1
    return inputs


def masked_shifted(inputs: dict) -> dict:
    """From the sixth token on; a move of all at once is none for rotary positions."""
    ids = inputs["input_ids"]
    positions = torch.arange(ids.shape[1]).expand_as(ids)
    return inputs | {"position_ids": positions + (positions > 4).long() + 1}


def drop_mask(monkeypatch, encoder) -> None:
    for name in ("causal_mask", "padding_mask"):
        monkeypatch.setattr(fused, name, lambda *_: None)
    if encoder.architecture == "seq2seq":
        wrap(monkeypatch, encoder.model.get_encoder(), without_mask)
        wrap(monkeypatch, encoder.model, without_mask)
    else:
        wrap(monkeypatch, encoder.model.base_model, without_mask)


def shift_positions(monkeypatch, encoder) -> None:
    if encoder.architecture == "causal":
        wrap(monkeypatch, encoder.model.base_model, causal_shifted)
        shift_fused(monkeypatch)
    elif encoder.architecture == "masked":
        wrap(monkeypatch, encoder.model, masked_shifted)
    elif encoder.model.config.model_type == "bart":
        positions = encoder.model.get_decoder().embed_positions
        wrap(monkeypatch, positions, dict, after=lambda embedded: embedded.roll(1, -1))
    else:  # T5 knows distances only: the decoder takes each of its tokens for one further on
        attention = encoder.model.get_decoder().block[0].layer[0].SelfAttention
        compute_bias = attention.compute_bias
        monkeypatch.setattr(
            attention,
            "compute_bias",
            lambda *args, past_seen_tokens=0, **rest: compute_bias(
                *args, past_seen_tokens=past_seen_tokens + 1, **rest
            ),
        )


def shift_fused(monkeypatch) -> None:
    """Move the tokens of answers, which come one at a time, by one."""
    run = fused.FusedPass.run

    def shifted(self, ids, positions, segments, *rest):
        return run(self, ids, positions + (segments[0].n_tokens == 1), segments, *rest)

    monkeypatch.setattr(fused.FusedPass, "run", shifted)


@pytest.mark.parametrize(("architecture", "plain", "options"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("mutate", [drop_mask, shift_positions])
def test_a_mutant_is_found(tiny_models, monkeypatch, architecture, plain, options, mutate):
    """The plain computation goes through an untouched copy of the model."""
    encoder, untouched = load_fresh(tiny_models[architecture]), load(tiny_models[architecture])

    def plainly(_, *arguments):
        return plain(untouched, *arguments)

    assert difference(encoder, plainly, options) < TOLERANCE
    mutate(monkeypatch, encoder)
    assert difference(encoder, plainly, options) > 10 * TOLERANCE
