"""The chance of an answer against the same quantity from `generate`'s own scores, one row at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inbedder_cli.options import EncodeOptions
from tests.encoders.plain import QUESTION, TEXTS, load
from tests.encoders.test_causal import end_answers_early, more_texts


@pytest.mark.parametrize("kind", ["llama", "opt", "t5"])
def test_confidence_is_the_geometric_mean_of_the_chances_of_what_was_said(tiny_models, kind):
    encoder = load(tiny_models[kind])
    end_answers_early(encoder)
    texts = more_texts(16)
    encoded = encoder.encode(texts, QUESTION, EncodeOptions(max_answer_tokens=6, batch_tokens=10**6))
    for text, confidence in zip(texts, encoded.confidences, strict=True):
        ids = encoder.tokenizer(encoder.template.render(text, QUESTION), return_tensors="pt")["input_ids"]
        out = encoder.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=6,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
            pad_token_id=0,
        )
        chosen = [logits.log_softmax(-1).max().item() for logits in out.logits]
        assert confidence == pytest.approx(np.exp(np.mean(chosen)), rel=1e-3)


def test_a_masked_model_is_as_sure_as_its_masks(tiny_models):
    encoder = load(tiny_models["roberta"])
    encoded = encoder.encode(TEXTS, QUESTION)
    for text, confidence in zip(TEXTS, encoded.confidences, strict=True):
        prompt = encoder.template.render(text, QUESTION) + encoder.prompt_ending
        ids = encoder.tokenizer(prompt, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            chances = encoder.model(ids).logits[0, ids[0] == encoder.tokenizer.mask_token_id].softmax(-1)
        assert confidence == pytest.approx(chances.max(-1).values.log().mean().exp().item(), rel=1e-3)


def test_without_answers_there_is_no_confidence(tiny_models):
    assert load(tiny_models["llama"]).encode(TEXTS, QUESTION, EncodeOptions(answers=False)).confidences is None
