"""Masked models: vectors and answers from the masks, against the plain computation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inbedder_cli.encoders.prompts.prompter import Prompter
from inbedder_cli.encoders.transformers.masked import MaskedEncoder
from inbedder_cli.errors import ModelError, UsageError
from inbedder_cli.options import EncodeOptions, Pooling
from tests.conftest import MASKED
from tests.encoders.plain import QUESTION, TEXTS, TOLERANCE, difference, load, plain_masked


@pytest.fixture(params=MASKED)
def encoder(request, tiny_models):
    return load(tiny_models[request.param])


@pytest.mark.parametrize("layer", [None, 0, 2, 3])
@pytest.mark.parametrize("pooling", MaskedEncoder.poolings)
def test_poolings_equal_the_plain_computation(encoder, pooling, layer):
    assert difference(encoder, plain_masked, EncodeOptions(pooling=pooling, layer=layer)) < TOLERANCE


def test_the_head_is_the_default_and_not_the_last_layer(encoder):
    own = encoder.encode(TEXTS, QUESTION).vectors
    np.testing.assert_array_equal(
        own, encoder.encode(TEXTS, QUESTION, EncodeOptions(pooling=Pooling.masks)).vectors
    )
    assert np.abs(own - encoder.encode(TEXTS, QUESTION, EncodeOptions(layer=-1)).vectors).max() > 0.1


def test_the_answers_differ_from_text_to_text(encoder):
    assert len(set(encoder.encode(TEXTS, QUESTION).answers)) > 1


@pytest.mark.parametrize("n_masks", [1, 5])
def test_the_number_of_masks_is_the_models_setting(tiny_models, n_masks):
    encoder = load(tiny_models["roberta"], n_masks=n_masks)
    encoded = encoder.encode(TEXTS, QUESTION)
    for text, vector, answer in zip(TEXTS, encoded.vectors, encoded.answers, strict=True):
        expected, answer_ids = plain_masked(encoder, text, Pooling.masks, None, n_masks)
        np.testing.assert_allclose(vector, expected, atol=TOLERANCE)
        assert answer == encoder.clean(answer_ids)
    preview = encoder.preview(TEXTS, QUESTION)
    assert preview.prompt == encoder.template.render(TEXTS[0], QUESTION) + "<mask>" * n_masks


def test_vectors_are_standardized_as_in_the_papers_demo(tiny_models):
    raw = load(tiny_models["roberta"]).encode(TEXTS, QUESTION).vectors
    made = load(tiny_models["roberta"], standardize=True).encode(TEXTS, QUESTION).vectors
    expected = (raw - raw.mean(1, keepdims=True)) / raw.std(1, ddof=1, keepdims=True)
    np.testing.assert_allclose(made, expected, atol=TOLERANCE)


@pytest.fixture
def expected(encoder):
    return encoder.encode(TEXTS, QUESTION)


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(len(TEXTS))), st.integers(1, 300))
def test_order_and_batch_size_change_nothing(encoder, expected, order, batch_tokens):
    other = encoder.encode([TEXTS[i] for i in order], QUESTION, EncodeOptions(batch_tokens=batch_tokens))
    np.testing.assert_allclose(other.vectors, expected.vectors[list(order)], atol=TOLERANCE)
    assert other.answers == [expected.answers[i] for i in order]


def test_the_text_is_truncated_but_never_the_question_or_the_masks(encoder):
    long = "The hotel was wonderful and the staff were architecture. " * 50
    prompter = Prompter(encoder.tokenizer, encoder.template, QUESTION, 120, encoder.prompt_ending)
    (ids,), truncated = prompter.encode([long])
    prompt = encoder.tokenizer.decode(ids)
    assert truncated == {0}
    assert 100 < len(ids) <= 120
    assert QUESTION in prompt
    assert prompt.replace(" ", "").endswith("Response:<mask><mask><mask></s>")
    assert encoder.encode([long, "short"], QUESTION, EncodeOptions(max_tokens=120)).n_truncated == 1


def test_a_prompt_may_fill_every_position(encoder):
    """RoBERTa's positions begin after its padding's, so that the last of them are not to be had."""
    long = "The hotel was wonderful and the staff were architecture. " * 100
    assert np.isfinite(encoder.encode([long], QUESTION, EncodeOptions(max_tokens=10_000)).vectors).all()


def test_masks_in_a_text_are_only_text(encoder):
    encoded = encoder.encode(["good <mask> bad", "good"], f"{QUESTION} <mask>")
    assert np.isfinite(encoded.vectors).all()


def test_repeated_words_and_special_tokens_are_left_out(encoder):
    ids = encoder.tokenizer("joy", add_special_tokens=False)["input_ids"]
    capital = encoder.tokenizer("JOY", add_special_tokens=False)["input_ids"]
    assert encoder.distinct([0, *ids, 2, 3, *ids]) == list(dict.fromkeys(ids))
    assert encoder.distinct([*capital[:1], *encoder.tokenizer("j", add_special_tokens=False)["input_ids"]]) == [
        capital[0]
    ]


def test_the_longest_answer_is_the_users_choice(encoder):
    answers = encoder.encode(TEXTS, QUESTION, EncodeOptions(max_answer_tokens=1)).answers
    expected = [plain_masked(encoder, text, Pooling.masks, None)[1][:1] for text in TEXTS]
    assert answers == [encoder.clean(ids) for ids in expected]


@pytest.mark.parametrize("pooling", [Pooling.first_token, Pooling.answer_mean, Pooling.answer_last])
def test_poolings_of_other_architectures_are_refused_with_those_that_fit(encoder, pooling):
    with pytest.raises(UsageError, match=f"a masked model does not support the pooling {pooling}") as caught:
        encoder.encode(TEXTS, QUESTION, EncodeOptions(pooling=pooling))
    assert "masks | prompt-mean | all-mean" in caught.value.hint


def test_a_layer_that_the_model_lacks_is_refused(encoder):
    with pytest.raises(UsageError, match="no layer 4"):
        encoder.encode(TEXTS, QUESTION, EncodeOptions(layer=4))


def test_a_tokenizer_without_a_mask_is_refused(tiny_models, encoder):
    causal = load(tiny_models["llama"])
    with pytest.raises(ModelError, match="no mask token"):
        MaskedEncoder(encoder.model, causal.tokenizer, encoder.template)


def test_a_head_of_another_shape_is_refused(encoder, monkeypatch):
    monkeypatch.setattr(encoder.model, "get_output_embeddings", lambda: encoder.model.base_model.embeddings)
    monkeypatch.setattr(encoder.model.base_model.embeddings, "register_forward_pre_hook", Unheard)
    with pytest.raises(ModelError, match="is not supported"):
        encoder.encode(TEXTS, QUESTION)


class Unheard:
    """A hook that is never called."""

    def __init__(self, hook) -> None:
        pass

    def remove(self) -> None:
        pass
