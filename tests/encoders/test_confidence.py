"""The probability of an answer against the same quantity from `generate`'s own logits, one row at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inbedder_cli.options import EncodeOptions
from tests.encoders.plain import QUESTION, TEXTS, load, load_fresh
from tests.encoders.transformers.test_causal import end_answers_early, more_texts


@pytest.mark.parametrize("architecture", ["llama", "opt", "t5"])
def test_confidence_is_the_geometric_mean_of_the_token_probabilities(tiny_models, architecture):
    encoder = load_fresh(tiny_models[architecture])
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
            probabilities = encoder.model(ids).logits[0, ids[0] == encoder.tokenizer.mask_token_id].softmax(-1)
        assert confidence == pytest.approx(probabilities.max(-1).values.log().mean().exp().item(), rel=1e-3)


def test_without_answers_there_is_neither_confidence_nor_words(tiny_models):
    encoded = load(tiny_models["llama"]).encode(TEXTS, QUESTION, EncodeOptions(answers=False))
    assert encoded.confidences is None
    assert encoded.next_words is None


@pytest.mark.parametrize("architecture", ["llama", "opt", "t5", "roberta"])
def test_first_words_are_the_likeliest_with_their_probabilities(tiny_models, architecture):
    encoder = load(tiny_models[architecture])
    encoded = encoder.encode(TEXTS, QUESTION, EncodeOptions(max_answer_tokens=2))
    found = encoded.next_words
    for row, text in enumerate(TEXTS):
        ids = encoder.tokenizer(
            encoder.template.render(text, QUESTION) + encoder.prompt_ending, return_tensors="pt"
        )
        with torch.no_grad():
            if architecture == "roberta":
                masks = ids["input_ids"][0] == encoder.tokenizer.mask_token_id
                logits = encoder.model(ids["input_ids"]).logits[0, masks][0]
            else:
                start = {"decoder_input_ids": torch.tensor([encoder.opening])} if architecture == "t5" else {}
                logits = encoder.model(ids["input_ids"], **start).logits[0, -1]
        probabilities, tokens = logits.softmax(-1).topk(32)
        expected = {}
        for token, probability in zip(tokens.tolist(), probabilities.tolist(), strict=True):
            word = encoder.tokenizer.decode([token], skip_special_tokens=True).strip().casefold()
            if any(map(str.isalnum, word)):
                expected[word] = expected.get(word, 0) + probability
        likeliest = {
            found.words[i]: c
            for i, c in zip(found.ids[row].tolist(), found.probabilities[row].tolist(), strict=True)
            if c
        }
        best = sorted(expected.values(), reverse=True)[: len(likeliest)]
        assert 0 < len(likeliest) <= 8
        assert sorted(likeliest.values(), reverse=True) == pytest.approx(best, rel=1e-2, abs=2e-5)
        assert all(likeliest[word] == pytest.approx(expected[word], rel=1e-2, abs=2e-5) for word in likeliest)
