"""The fused forward pass of LLaMA-like models: vectors and answers of the model's own pass, or it is not used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers

from inbedder_cli.encoders.transformers import causal, fused
from inbedder_cli.encoders.transformers.fast_paths import find_prefix
from inbedder_cli.encoders.transformers.fused import FusedPass, is_fusable
from inbedder_cli.options import EncodeOptions, Pooling
from tests.encoders.plain import QUESTION, TEXTS, TOLERANCE, load_fresh
from tests.encoders.transformers.test_fast_paths import Recorder

SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "initializer_range": 0.2,
    "max_position_embeddings": 600,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
MODELS = {
    "llama": lambda **shape: transformers.LlamaForCausalLM(transformers.LlamaConfig(**shape)),
    "llama, biases": lambda **shape: transformers.LlamaForCausalLM(
        transformers.LlamaConfig(**shape, attention_bias=True, mlp_bias=True, tie_word_embeddings=True)
    ),
    "llama, one head": lambda **shape: transformers.LlamaForCausalLM(
        transformers.LlamaConfig(**shape | {"num_key_value_heads": 1, "head_dim": 16})
    ),
    "llama, scaled positions": lambda **shape: transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            **shape, rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 1e4}
        )
    ),
    "qwen2": lambda **shape: transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**shape)),
    "qwen2, tied": lambda **shape: transformers.Qwen2ForCausalLM(
        transformers.Qwen2Config(**shape, tie_word_embeddings=True)
    ),
    "mistral": lambda **shape: transformers.MistralForCausalLM(
        transformers.MistralConfig(**shape, sliding_window=None)
    ),
}
OPTIONS = [
    EncodeOptions(pooling=Pooling.first_token, layer=2, max_answer_tokens=4),
    EncodeOptions(pooling=Pooling.first_token, layer=1, answers=False),
    EncodeOptions(pooling=Pooling.answer_words, max_answer_tokens=4),
    EncodeOptions(pooling=Pooling.answer_mean, max_answer_tokens=4, batch_tokens=60),
    EncodeOptions(pooling=Pooling.prompt_mean, answers=False),
]


def make_encoder(tiny_models, kind, dtype=torch.float32, template="question-first"):
    encoder = load_fresh(tiny_models["llama"], template)
    torch.manual_seed(0)
    model = MODELS[kind](**SHAPE, vocab_size=encoder.config.vocab_size)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias") or "norm" in name:  # else zeros and ones
                parameter += 0.2 * torch.randn(parameter.shape)
    model.generation_config.eos_token_id = list(range(2, 400, 4))  # answers of differing lengths
    return replace(encoder, model=model.to(dtype).eval())


@pytest.fixture(params=MODELS)
def encoder(request, tiny_models):
    return make_encoder(tiny_models, request.param)


def encode_unfused(encoder, options, texts=TEXTS):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(causal, "is_fusable", lambda _: False)
        return replace(encoder).encode(texts, QUESTION, options)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: str(options.pooling))
def test_vectors_and_answers_are_those_of_the_models_own_pass(encoder, options):
    expected = encode_unfused(encoder, options)
    found = encoder.encode(TEXTS, QUESTION, options)
    assert encoder.fast_paths
    assert all("fused" in name and works for name, works in encoder.fast_paths.items())
    np.testing.assert_allclose(found.vectors, expected.vectors, atol=1e-5)
    assert found.answers == expected.answers
    if options.answers:
        np.testing.assert_allclose(found.confidences, expected.confidences, atol=1e-5)
        assert len({len(answer) for answer in found.answers}) > 1


@pytest.mark.parametrize("block", [3, 10**6])
def test_attention_in_blocks_rounds_like_bfloat16(tiny_models, monkeypatch, block):
    monkeypatch.setattr(fused, "BLOCK", block)
    options = OPTIONS[0]
    exact = make_encoder(tiny_models, "qwen2").encode(TEXTS, QUESTION, options).vectors
    encoder = make_encoder(tiny_models, "qwen2", torch.bfloat16)
    plain = encode_unfused(encoder, options).vectors
    found = encoder.encode(TEXTS, QUESTION, options).vectors
    assert any("fused" in name for name in encoder.fast_paths)
    assert np.linalg.norm(found - exact) < 1.5 * np.linalg.norm(plain - exact)


def test_only_what_is_needed_is_computed(tiny_models, monkeypatch):
    encoder = make_encoder(tiny_models, "llama")
    options = EncodeOptions(pooling=Pooling.first_token, layer=1, answers=False)
    encoder.encode(TEXTS, QUESTION, options)
    tokens, norms = [], []
    whole, norm = FusedPass.run, fused.rms_norm
    monkeypatch.setattr(
        FusedPass, "run", lambda self, ids, *rest: tokens.append(len(ids)) or whole(self, ids, *rest)
    )
    monkeypatch.setattr(
        fused, "rms_norm", lambda states, weights: norms.append(len(states)) or norm(states, weights)
    )
    encoder.encode(TEXTS, QUESTION, options)
    prompts = encoder.prompter(QUESTION, 512).encode(TEXTS)[0]
    n_shared = len(find_prefix(encoder.prompter(QUESTION, 512)))
    n_own = sum(len(ids) - n_shared for ids in prompts)
    assert n_shared > 10
    assert tokens == [n_shared, n_own]  # no padding
    assert norms == [n_shared, 1, n_own, len(TEXTS)]  # one layer, above its keys only the last token of each row


def test_a_fused_pass_that_gives_other_vectors_is_not_used(tiny_models, monkeypatch):
    encoder, recorder = make_encoder(tiny_models, "llama"), Recorder()
    expected = encode_unfused(encoder, OPTIONS[0])
    monkeypatch.setattr(fused, "rotate", lambda rows, _, head_dim: rows.view(len(rows), -1, head_dim))
    found = encoder.encode(TEXTS, QUESTION, OPTIONS[0], recorder)
    assert [works for name, works in encoder.fast_paths.items() if "fused" in name] == [False]
    assert [works for name, works in encoder.fast_paths.items() if "fused" not in name] == [True]
    assert "fused forward pass disabled" in recorder.warnings[0]
    np.testing.assert_allclose(found.vectors, expected.vectors, atol=TOLERANCE)
    assert found.answers == expected.answers


def test_texts_that_are_encoded_by_themselves_take_the_models_own_pass(tiny_models, monkeypatch):
    encoder = make_encoder(tiny_models, "llama")
    monkeypatch.setattr(causal, "FusedPass", None)
    encoder.encode(TEXTS, QUESTION, EncodeOptions(batch_tokens=1))
    assert not encoder.fast_paths


def test_other_models_are_not_fused(tiny_models):
    for kind in ("opt", "qwen3"):
        assert not is_fusable(load_fresh(tiny_models[kind]).model.base_model)
    window = transformers.MistralForCausalLM(transformers.MistralConfig(**SHAPE, vocab_size=99, sliding_window=8))
    assert not is_fusable(window.base_model)
    gelu = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SHAPE, vocab_size=99, hidden_act="gelu"))
    assert not is_fusable(gelu.base_model)


def test_a_product_with_an_adapter_is_not_fused(tiny_models):
    class WithAdapter(torch.nn.Linear):
        pass

    model = load_fresh(tiny_models["llama"]).model
    assert is_fusable(model.base_model)
    model.base_model.layers[1].mlp.up_proj = WithAdapter(32, 64)
    assert not is_fusable(model.base_model)
