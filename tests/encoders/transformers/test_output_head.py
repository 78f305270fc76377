"""Logits as the model's own forward pass computes them."""

from __future__ import annotations

import pytest
import torch
import transformers as t

from inbedder_cli.encoders.transformers.output_head import output_head
from tests.conftest import make_model

SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 60,
    "pad_token_id": 0,
    "initializer_range": 0.5,
}
MODELS = {
    "granite": lambda: t.GraniteForCausalLM(t.GraniteConfig(**SHAPE, logits_scaling=13.0)),
    "cohere": lambda: t.CohereForCausalLM(t.CohereConfig(**SHAPE, logit_scale=0.0625)),
    "gemma2": lambda: t.Gemma2ForCausalLM(t.Gemma2Config(**SHAPE, head_dim=8, final_logit_softcapping=3.0)),
    "llama": lambda: make_model("llama", 60),
}


@pytest.mark.parametrize("kind", MODELS)
def test_logits_are_scaled_and_capped_as_the_model_does(kind):
    torch.manual_seed(0)
    model = MODELS[kind]().eval()
    with torch.inference_mode():
        out = model(input_ids=torch.tensor([[5, 9, 17, 3]]), output_hidden_states=True)
        torch.testing.assert_close(output_head(model)(out.hidden_states[-1]), out.logits)
