"""A shared beginning read once, and a stop at the layer that is read: never at the price of other vectors.

That the vectors are right, test_causal.py says of every architecture and both orders of the prompt. Of the fused
forward pass, which comes before these where a model has one, test_fused.py.
"""

from __future__ import annotations

import numpy as np
import pytest

from inbedder_cli.encoders.transformers import causal, fast_paths
from inbedder_cli.encoders.transformers.fast_paths import find_prefix
from inbedder_cli.options import EncodeOptions, Pooling
from inbedder_cli.progress import SilentReporter
from tests.conftest import KINDS
from tests.encoders.plain import QUESTION, TEXTS, TOLERANCE, load, load_fresh, plain_causal

pytestmark = pytest.mark.filterwarnings("ignore:.*fast paths disabled")

VECTORS = EncodeOptions(answers=False)


@pytest.fixture(autouse=True)
def own_forward_pass(monkeypatch):
    monkeypatch.setattr(causal, "is_fusable", lambda _: False)


class Recorder(SilentReporter):
    def __init__(self):
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


def tokens_read(encoder):
    """Count the tokens that go through each layer from now on."""
    counts = [0] * encoder.n_layers
    for i, layer in enumerate(layers_of(encoder)):

        def count(_, args, out, i=i):
            counts[i] += args[0].shape[:2].numel()

        layer.register_forward_hook(count)
    return counts


def layers_of(encoder):
    import torch

    return next(
        m for m in encoder.model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == encoder.n_layers
    )


@pytest.mark.parametrize("architecture", KINDS)
def test_the_shared_beginning_is_read_once(tiny_models, architecture):
    encoder = load_fresh(tiny_models[architecture], "question-first")
    encoder.encode(TEXTS, QUESTION, VECTORS)  # tries whether it may
    assert all(encoder.fast_paths.values())
    assert encoder.fast_paths
    counts = tokens_read(encoder)
    encoder.encode(TEXTS, QUESTION, VECTORS)
    prompts = encoder.prompter(QUESTION, 512).encode(TEXTS)[0]
    n_shared = len(find_prefix(encoder.prompter(QUESTION, 512)))
    assert n_shared > 10
    own = [len(ids) - n_shared for ids in prompts]
    assert sum(own) + n_shared <= counts[0] <= max(own) * len(own) + n_shared


@pytest.mark.parametrize("architecture", KINDS)
def test_layers_above_the_one_that_is_read_are_not_run(tiny_models, architecture):
    encoder = load_fresh(tiny_models[architecture])
    options = EncodeOptions(answers=False, layer=1)
    encoder.encode(TEXTS, QUESTION, options)
    counts = tokens_read(encoder)
    encoder.encode(TEXTS, QUESTION, options)
    assert counts[0] > 0
    assert counts[1:] == [0, 0]


def test_a_prompt_that_begins_otherwise_is_read_whole(tiny_models, monkeypatch):
    monkeypatch.setattr(fast_paths, "BEGINNINGS", ("The hotel was cold", "The hotel was old"))
    encoder = load(tiny_models["llama"], "question-first")
    prompts = encoder.prompter(QUESTION, 512).encode(TEXTS)[0]
    beginning = find_prefix(encoder.prompter(QUESTION, 512))
    assert beginning
    assert not any(ids[: len(beginning)] == beginning for ids in prompts[1:])
    vectors = encoder.encode(TEXTS, QUESTION).vectors
    for text, vector in zip(TEXTS, vectors, strict=True):
        expected, _ = plain_causal(encoder, text, Pooling.first_token, 3, 8)
        np.testing.assert_allclose(vector, expected, atol=TOLERANCE)


@pytest.mark.parametrize("architecture", ["opt", "llama"])
def test_what_holds_at_one_layer_is_tried_at_another(tiny_models, architecture):
    encoder = load(tiny_models[architecture], "question-first")
    for layer in (2, 0):  # below the first layer no key of the shared beginning is kept
        vectors = encoder.encode(TEXTS, QUESTION, EncodeOptions(answers=False, layer=layer)).vectors
        for text, vector in zip(TEXTS, vectors, strict=True):
            expected, _ = plain_causal(encoder, text, Pooling.first_token, layer, 1)
            np.testing.assert_allclose(vector, expected, atol=TOLERANCE)


def test_a_fast_path_that_gives_other_vectors_is_disabled(tiny_models, monkeypatch):
    expected = load(tiny_models["llama"], "question-first").encode(TEXTS, QUESTION).vectors
    right = fast_paths.SharedPrefix.for_rows

    def wrong(self, n):
        cache = right(self, n)
        cache.layers[0].values *= -1
        return cache

    monkeypatch.setattr(fast_paths.SharedPrefix, "for_rows", wrong)
    encoder, recorder = load(tiny_models["llama"], "question-first"), Recorder()
    found = encoder.encode(TEXTS, QUESTION, reporter=recorder).vectors
    assert not any(encoder.fast_paths.values())
    assert "fast paths disabled" in recorder.warnings[0]
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_a_fast_path_that_a_model_does_not_support_is_disabled(tiny_models, monkeypatch):
    def cannot(self, n):
        raise NotImplementedError

    expected = load(tiny_models["opt"], "question-first").encode(TEXTS, QUESTION)
    monkeypatch.setattr(fast_paths.SharedPrefix, "for_rows", cannot)
    encoder = load(tiny_models["opt"], "question-first")
    found = encoder.encode(TEXTS, QUESTION)
    assert not any(encoder.fast_paths.values())
    np.testing.assert_allclose(found.vectors, expected.vectors, atol=TOLERANCE)
    assert found.answers == expected.answers
    assert any(found.answers)
