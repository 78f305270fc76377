"""Each pooling against the same quantity computed the slow, plain way: one row at a time, with `generate`."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inbedder_cli.encoders.transformers.causal import CausalEncoder
from inbedder_cli.errors import UsageError
from inbedder_cli.options import EncodeOptions, Pooling
from tests.conftest import KINDS
from tests.encoders.plain import QUESTION, TEXTS, TOLERANCE, load, load_fresh, plain_causal


@pytest.fixture(
    params=[(architecture, template) for architecture in KINDS for template in ("paper", "question-first")],
    ids="-".join,
)
def encoder(request, tiny_models):
    architecture, template = request.param
    return load(tiny_models[architecture], template)


@pytest.fixture
def fresh(encoder, tiny_models):
    """The same with a model and a tokenizer of its own."""
    return load_fresh(tiny_models[encoder.config.model_type], encoder.template.name)


@pytest.mark.parametrize("layer", [0, 2, 3])
@pytest.mark.parametrize("pooling", [r for r in CausalEncoder.poolings if r is not Pooling.answer_words])
def test_poolings_equal_the_plain_computation(encoder, pooling, layer):
    encoded = encoder.encode(TEXTS, QUESTION, EncodeOptions(pooling=pooling, layer=layer, max_answer_tokens=5))
    for text, vector, answer in zip(TEXTS, encoded.vectors, encoded.answers, strict=True):
        expected, answer_ids = plain_causal(encoder, text, pooling, layer, 5)
        np.testing.assert_allclose(vector, expected, atol=TOLERANCE)
        assert answer == encoder.clean(answer_ids)


@pytest.mark.parametrize("pooling", CausalEncoder.poolings)
def test_no_texts_have_vectors_of_the_same_length(encoder, pooling):
    options = EncodeOptions(pooling=pooling, answers=False)
    some, none = (encoder.encode(texts, QUESTION, options).vectors for texts in (TEXTS[:1], []))
    assert none.shape == (0, some.shape[1])


def more_texts(n: int) -> list[str]:
    rng = random.Random(0)
    words = "cold architecture never parcel joy anger 12 é room ! wonderful about".split()
    return [" ".join(rng.choices(words, k=rng.randint(1, 30))) for _ in range(n)]


@pytest.mark.parametrize("pooling", [Pooling.answer_mean, Pooling.all_mean])
@pytest.mark.parametrize(
    ("template", "batch_tokens"), [("paper", 10**6), ("paper", 300), ("question-first", 300), ("paper", 1)]
)
def test_answers_of_different_lengths_in_one_batch_equal_the_plain_computation(
    tiny_models, pooling, template, batch_tokens
):
    encoder = load_fresh(tiny_models["llama"], template)
    end_answers_early(encoder)
    texts = more_texts(24)
    options = EncodeOptions(pooling=pooling, max_answer_tokens=6, batch_tokens=batch_tokens)
    encoded = encoder.encode(texts, QUESTION, options)
    lengths = set()
    for text, vector, answer in zip(texts, encoded.vectors, encoded.answers, strict=True):
        expected, answer_ids = plain_causal(encoder, text, pooling, 3, 6)
        lengths.add(len(answer_ids))
        np.testing.assert_allclose(vector, expected, atol=TOLERANCE)
        assert answer == encoder.clean(answer_ids)
    assert len(lengths) > 2


def end_answers_early(encoder) -> None:
    """Make every fourth token an end mark, so that answers end after differing numbers of tokens."""
    encoder.model.generation_config.eos_token_id = list(range(2, 400, 4))


@pytest.fixture
def expected(encoder):
    return encoder.encode(TEXTS, QUESTION, EncodeOptions(pooling=Pooling.answer_mean, max_answer_tokens=3))


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(len(TEXTS))), st.integers(1, 300))
def test_order_and_batch_size_change_nothing(encoder, expected, order, batch_tokens):
    other = encoder.encode(
        [TEXTS[i] for i in order],
        QUESTION,
        EncodeOptions(pooling=Pooling.answer_mean, max_answer_tokens=3, batch_tokens=batch_tokens),
    )
    np.testing.assert_allclose(other.vectors, expected.vectors[list(order)], atol=TOLERANCE)
    assert other.answers == [expected.answers[i] for i in order]


def test_row_order_alone_changes_not_a_bit(encoder):
    forwards = encoder.encode(TEXTS, QUESTION)
    backwards = encoder.encode(TEXTS[::-1], QUESTION)
    np.testing.assert_array_equal(forwards.vectors, backwards.vectors[::-1])


def test_vectors_are_the_same_with_and_without_answers(encoder):
    with_answers = encoder.encode(TEXTS, QUESTION)
    without = encoder.encode(TEXTS, QUESTION, EncodeOptions(answers=False))
    np.testing.assert_allclose(with_answers.vectors, without.vectors, atol=TOLERANCE)
    assert without.answers is None


def test_identical_texts_are_computed_once(encoder):
    encoded = encoder.encode(["joy", "cold", "joy"], QUESTION)
    assert encoded.n_unique == 2
    np.testing.assert_array_equal(encoded.vectors[0], encoded.vectors[2])


def test_long_texts_are_truncated_and_the_question_is_kept(encoder, monkeypatch):
    from inbedder_cli.encoders.prompts.prompter import Prompter

    prompter = Prompter(encoder.tokenizer, encoder.template, QUESTION, 120)
    long = "The hotel was wonderful and the staff were architecture. " * 50
    (ids,), truncated = prompter.encode([long])
    prompt = encoder.tokenizer.decode(ids)
    assert truncated == {0}
    assert 100 < len(ids) <= 120
    assert QUESTION in prompt
    assert prompt.endswith("### Response:")
    assert encoder.encode([long, "short"], QUESTION, EncodeOptions(max_tokens=120)).n_truncated == 1


def test_control_tokens_in_a_text_are_only_text(encoder):
    from inbedder_cli.encoders.prompts.prompter import Prompter

    (ids,), _ = Prompter(encoder.tokenizer, encoder.template, QUESTION, 500).encode(["good</s>bad"])
    assert 2 not in ids


def test_an_instruction_without_room_for_a_text_is_refused(encoder):
    with pytest.raises(UsageError, match="no room"):
        encoder.encode(["a"], QUESTION * 20, EncodeOptions(max_tokens=64))


@pytest.mark.parametrize("instruction", ["", "  \n"])
def test_an_empty_instruction_is_refused(encoder, instruction):
    with pytest.raises(UsageError, match="empty"):
        encoder.encode(["a"], instruction)


def test_layers_count_from_either_end_and_others_are_refused(encoder):
    last = encoder.encode(["a text"], QUESTION, EncodeOptions(layer=3)).vectors
    np.testing.assert_array_equal(last, encoder.encode(["a text"], QUESTION, EncodeOptions(layer=-1)).vectors)
    with pytest.raises(UsageError, match="no layer 4"):
        encoder.encode(["a text"], QUESTION, EncodeOptions(layer=4))


def test_answers_are_one_clean_line(encoder):
    ids = encoder.tokenizer('\n "Cold & loud". \nMore', add_special_tokens=False)["input_ids"]
    assert encoder.clean(ids) == "Cold & loud"
    assert encoder.clean([]) == ""


def test_preview_tells_what_a_run_would_do(encoder):
    preview = encoder.preview([*TEXTS, TEXTS[0]], QUESTION)
    assert preview.prompt == encoder.template.render(TEXTS[0], QUESTION)
    assert preview.n_unique == len(TEXTS)
    assert preview.n_tokens == sum(
        len(encoder.tokenizer(encoder.template.render(t, QUESTION))["input_ids"]) for t in TEXTS
    )
    assert preview.seconds > 0


def test_no_texts_give_no_vectors(encoder):
    assert encoder.encode([], QUESTION).vectors.shape == (0, 32)


def test_left_padded_batches_of_generate_give_the_same(fresh):
    """Transformers' own way to batch pads on the left; the vectors and answers must not care."""
    encoder = fresh
    tokenizer, texts = encoder.tokenizer, more_texts(8)
    tokenizer.padding_side = "left"
    prompts = [encoder.template.render(text, QUESTION) for text in texts]
    batch = tokenizer(prompts, return_tensors="pt", padding=True)
    assert batch["attention_mask"].min() == 0
    out = encoder.model.generate(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        max_new_tokens=4,
        eos_token_id=399,
        do_sample=False,
        output_hidden_states=True,
        return_dict_in_generate=True,
        pad_token_id=0,
    )
    steps = torch.stack([step[3][:, -1] for step in out.hidden_states])
    encoder.model.generation_config.eos_token_id = tokenizer.eos_token_id = 399
    options = EncodeOptions(pooling=Pooling.answer_last, max_answer_tokens=4, batch_tokens=10**6)
    encoded = encoder.encode(texts, QUESTION, options)
    for row, answer_ids in enumerate(out.sequences[:, batch["input_ids"].shape[1] :].tolist()):
        assert 399 not in answer_ids
        np.testing.assert_allclose(encoded.vectors[row], steps[-1, row], atol=TOLERANCE)
        assert encoded.answers[row] == encoder.clean(answer_ids)


@pytest.mark.filterwarnings("ignore:.*(disabled|padding)")
@pytest.mark.parametrize("n_texts", [2, len(TEXTS)])
def test_models_that_padding_changes_read_texts_one_by_one(tmp_path, n_texts):
    import transformers

    from tests.conftest import make_tokenizer

    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    config = transformers.MistralConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=8,
        pad_token_id=0,
        eos_token_id=2,
        initializer_range=0.2,
    )
    transformers.MistralForCausalLM(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    texts = TEXTS[:n_texts]
    encoded = load(tmp_path).encode(texts, QUESTION, EncodeOptions(max_answer_tokens=6))
    alone = [load(tmp_path).encode([text], QUESTION, EncodeOptions(max_answer_tokens=6)) for text in texts]
    assert encoded.answers == [one.answers[0] for one in alone]


def test_a_padding_token_that_the_model_does_not_have_is_not_used(fresh):
    fresh.config.pad_token_id = -1
    assert fresh.pad_id == fresh.tokenizer.pad_token_id
