from __future__ import annotations

import numpy as np
import pytest
import torch

from inbedder_cli.encoders.transformers.pooling import SOFTENING, WORDS_SIZE, word_vectors
from inbedder_cli.errors import UsageError
from inbedder_cli.options import EncodeOptions, Pooling
from tests.encoders.plain import load

TEXTS = [
    "The room was cold.",
    "Lovely breakfast, thank you!",
    "The lock was broken, and nobody came all night.",
    "no",
]
QUESTION = "What emotion is expressed?"
WORDS = EncodeOptions(pooling=Pooling.answer_words, max_answer_tokens=3)


@pytest.mark.parametrize("architecture", ["llama", "opt", "qwen3"])
def test_the_vector_is_what_the_next_word_may_be(tiny_models, architecture):
    encoder = load(tiny_models[architecture])
    read = encoder.encode(TEXTS, QUESTION, WORDS)
    assert read.vectors.shape == (len(TEXTS), WORDS_SIZE)
    for text, vector in zip(TEXTS, read.vectors, strict=True):
        ids = encoder.prompter(QUESTION, 512).encode([text])[0]
        with torch.no_grad():
            logits = encoder.model(input_ids=torch.tensor(ids)).logits[:, -1]
        np.testing.assert_allclose(vector, word_vectors(logits)[0].numpy(), atol=1e-4)
    only_vectors = encoder.encode(TEXTS, QUESTION, EncodeOptions(pooling=Pooling.answer_words, answers=False))
    np.testing.assert_allclose(only_vectors.vectors, read.vectors, atol=1e-5)
    first = EncodeOptions(pooling=Pooling.first_token, max_answer_tokens=3)
    assert encoder.encode(TEXTS, QUESTION, first).answers == read.answers


def test_cosines_are_the_overlap_of_the_distributions():
    logits = 3 * torch.randn(20, 5000, generator=torch.Generator().manual_seed(0))
    roots = (logits / SOFTENING).softmax(-1).sqrt()
    vectors = word_vectors(logits)
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    assert (unit @ unit.T - roots @ roots.T).abs().max() < 6 / WORDS_SIZE**0.5


def test_the_hashing_is_the_same_everywhere():
    vectors = word_vectors(torch.log(torch.eye(4) + 1e-9))
    places = vectors.abs().argmax(1).tolist()
    assert places == [155, 434, 633, 220], places
    assert torch.sign(vectors[range(4), places]).tolist() == [-1.0, -1.0, -1.0, 1.0]


def test_a_layer_means_nothing_for_words(tiny_models):
    encoder = load(tiny_models["llama"])
    with pytest.raises(UsageError, match="no layer"):
        encoder.encode(TEXTS, QUESTION, EncodeOptions(pooling=Pooling.answer_words, layer=1))


@pytest.mark.parametrize("architecture", ["roberta", "t5"])
def test_other_architectures_do_not_support_it(tiny_models, architecture):
    encoder = load(tiny_models[architecture])
    with pytest.raises(UsageError, match="answer-words"):
        encoder.encode(TEXTS, QUESTION, WORDS)
