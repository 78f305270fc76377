"""Encoder-decoder models against the plain computation by `generate`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inbedder_cli.encoders.transformers.seq2seq import Seq2SeqEncoder
from inbedder_cli.errors import ModelError, UsageError
from inbedder_cli.options import EncodeOptions, Pooling
from tests.conftest import SEQ2SEQ
from tests.encoders.plain import QUESTION, TEXTS, TOLERANCE, difference, load, load_fresh, plain_seq2seq


@pytest.fixture(params=SEQ2SEQ)
def encoder(request, tiny_models):
    return load(tiny_models[request.param])


@pytest.mark.parametrize("layer", [None, 0, 1, 2])
@pytest.mark.parametrize("pooling", Seq2SeqEncoder.poolings)
def test_poolings_equal_the_plain_computation(encoder, pooling, layer):
    options = EncodeOptions(pooling=pooling, layer=layer, max_answer_tokens=5)
    assert difference(encoder, plain_seq2seq, options) < TOLERANCE


@pytest.mark.parametrize("pooling", Seq2SeqEncoder.poolings)
def test_answers_of_different_lengths_in_one_batch_equal_the_plain_computation(encoder, pooling, monkeypatch):
    monkeypatch.setattr(encoder.model.generation_config, "eos_token_id", list(range(2, 400, 4)))
    options = EncodeOptions(pooling=pooling, max_answer_tokens=6, batch_tokens=10**6)
    assert difference(encoder, plain_seq2seq, options) < TOLERANCE


def test_layers_are_the_decoders_and_for_prompts_the_encoders(tiny_models):
    t5, bart = load(tiny_models["t5"]), load(tiny_models["bart"])
    assert (t5.n_layers, t5.n_encoder_layers) == (2, 3)
    assert (bart.n_layers, bart.n_encoder_layers) == (3, 2)
    with pytest.raises(UsageError, match="no layer 3"):
        t5.encode(["a"], QUESTION, EncodeOptions(layer=3))
    prompts = {Pooling.prompt_mean: 3, Pooling.first_token: 2}
    for pooling, last in prompts.items():
        explicit = t5.encode(TEXTS, QUESTION, EncodeOptions(pooling=pooling, layer=last)).vectors
        np.testing.assert_array_equal(explicit, t5.encode(TEXTS, QUESTION, EncodeOptions(pooling=pooling)).vectors)
    deepest = EncodeOptions(layer=3, pooling=Pooling.answer_mean, max_answer_tokens=4)
    assert difference(bart, plain_seq2seq, deepest) < TOLERANCE


@pytest.mark.parametrize("pooling", [Pooling.first_token, Pooling.prompt_mean])
def test_vectors_are_the_same_with_and_without_answers(encoder, pooling):
    with_answers = encoder.encode(TEXTS, QUESTION, EncodeOptions(pooling=pooling))
    without = encoder.encode(TEXTS, QUESTION, EncodeOptions(pooling=pooling, answers=False))
    np.testing.assert_allclose(with_answers.vectors, without.vectors, atol=TOLERANCE)
    assert without.answers is None


@pytest.fixture
def expected(encoder):
    return encoder.encode(TEXTS, QUESTION, EncodeOptions(pooling=Pooling.answer_mean, max_answer_tokens=3))


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(len(TEXTS))), st.integers(1, 300))
def test_order_and_batch_size_change_nothing(encoder, expected, order, batch_tokens):
    options = EncodeOptions(pooling=Pooling.answer_mean, max_answer_tokens=3, batch_tokens=batch_tokens)
    other = encoder.encode([TEXTS[i] for i in order], QUESTION, options)
    np.testing.assert_allclose(other.vectors, expected.vectors[list(order)], atol=TOLERANCE)
    assert other.answers == [expected.answers[i] for i in order]


@pytest.mark.parametrize("pooling", [Pooling.all_mean, Pooling.masks])
def test_poolings_of_other_architectures_are_refused(encoder, pooling):
    with pytest.raises(UsageError, match="a seq2seq model does not support") as caught:
        encoder.encode(TEXTS, QUESTION, EncodeOptions(pooling=pooling))
    assert "first-token" in caught.value.hint


@pytest.mark.parametrize("name", SEQ2SEQ)
def test_a_decoder_without_a_start_begins_as_texts_do_or_is_refused(tiny_models, name):
    encoder = load_fresh(tiny_models[name])
    settings = (encoder.model.generation_config, encoder.model.config)
    for each in settings:
        each.decoder_start_token_id, each.bos_token_id = None, 2
    assert encoder.opening[0] == 2
    for each in settings:
        each.bos_token_id = None
    with pytest.raises(ModelError, match="no start token for its decoder"):
        encoder.encode(TEXTS, QUESTION)


def test_preview_tells_the_prompt(encoder):
    assert encoder.preview(TEXTS, QUESTION).prompt == encoder.template.render(TEXTS[0], QUESTION)
