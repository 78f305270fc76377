"""The first word of an answer: a refusal counts only where the model is fairly sure of it."""

from __future__ import annotations

import pytest
import torch

from inbedder_cli.encoders.transformers.decoding import (
    SURE,
    SpecialTokens,
    decode_greedily,
    find_special_tokens,
)
from inbedder_cli.encoders.transformers.pooling import StatePooler
from inbedder_cli.options import Pooling
from tests.encoders.plain import load

NOT, NOT_AGAIN, TAKEOFF, LANDING, END = range(5)
SPECIAL = SpecialTokens(torch.tensor([END]), torch.tensor([NOT, NOT_AGAIN]))


def first_token(*probabilities: float) -> tuple[int, float]:
    """The first token of an answer that ends after it, and its probability.

    What the given probabilities lack is spread over a large vocabulary.
    """
    n_more = 200
    rest = (1 - sum(probabilities)) / n_more
    first = torch.tensor([[*probabilities, *[rest] * n_more]]).log()
    ending = torch.full_like(first, -100.0)
    ending[0, END] = 0.0
    state = torch.zeros(1, 2)
    pooler = StatePooler(state, None, Pooling.first_token)
    [answer] = decode_greedily(state, first, lambda *_: (state, ending), lambda _: None, pooler, SPECIAL, 3)
    return answer.ids[0], answer.probability**2


@pytest.mark.parametrize("share", [SURE + 0.01, 0.5, 0.9])
def test_a_sure_refusal_stays(share):
    token, probability = first_token(share, 0.05, 0.02, 0.01, 0.0)
    assert token == NOT
    assert probability == pytest.approx(share, rel=1e-3)


def test_an_unsure_refusal_gives_way_to_the_second_answer():
    token, probability = first_token(0.12, 0.11, 0.1, 0.05, 0.0)
    assert token == TAKEOFF
    assert probability == pytest.approx(0.1, rel=1e-3)


def test_any_other_first_word_may_be_unsure():
    assert first_token(0.01, 0.01, 0.1, 0.12, 0.0)[0] == LANDING


@pytest.mark.parametrize("architecture", ["llama", "opt", "t5"])
def test_only_the_word_itself_is_a_refusal(tiny_models, architecture):
    """A tokenizer without the word, whose first token is a space or a letter, has none."""
    encoder = load(tiny_models[architecture])
    special = find_special_tokens(encoder.model, encoder.tokenizer)
    assert {encoder.tokenizer.decode([i]).strip().lower() for i in special.refusal.tolist()} <= {"not"}
    assert encoder.tokenizer.eos_token_id in special.end.tolist()
