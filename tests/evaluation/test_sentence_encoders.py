from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from inbedder_cli.encoders import load_encoder
from inbedder_cli.errors import ModelError, UsageError
from inbedder_cli.evaluation.models_under_test import model_under_test
from inbedder_cli.evaluation.sentence_encoders import (
    ReEncoder,
    SentenceEncoder,
    encoder_dtype,
    load_sentence_encoder,
    packaged_folder,
)
from inbedder_cli.options import Dtype, EncodeOptions
from tests.evaluation.conftest import WordEncoder

installed = pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is None, reason="the extra st is not installed"
)


class Letters:
    """Stands for a SentenceTransformer: a text's vector is how often it has each of a few letters."""

    max_seq_length = 4
    device = "cpu"

    def encode(self, sentences, batch_size, show_progress_bar):
        return np.array([[s.count(c) for c in "abc?"] for s in sentences], np.float32)

    def tokenizer(self, sentences, truncation, verbose):
        return {"input_ids": [s.split() for s in sentences]}

    def get_embedding_dimension(self):
        return 4

    def parameters(self):
        import torch

        return iter([torch.zeros(1)])


def test_the_text_alone_or_after_the_question():
    texts = ["abc", "b", "abc", "c c c c c"]
    alone = SentenceEncoder(Letters(), "letters").encode(texts, "a?")
    assert alone.vectors.tolist() == [[1, 1, 1, 0], [0, 1, 0, 0], [1, 1, 1, 0], [0, 0, 5, 0]]
    assert (alone.answers, alone.n_unique, alone.n_truncated) == (None, 3, 1)
    asked = SentenceEncoder(Letters(), "letters", with_instruction=True).encode(texts, "a?")
    assert asked.vectors[1].tolist() == [1, 1, 0, 1]
    assert SentenceEncoder(Letters(), "letters").encode([], "a?").vectors.shape == (0, 4)
    preview = SentenceEncoder(Letters(), "letters", with_instruction=True).preview(texts, "a?", EncodeOptions())
    assert (preview.prompt, preview.n_unique) == ("a? abc", 3)
    assert encoder_dtype(SentenceEncoder(Letters(), "letters")) == "float32"


def test_answers_are_re_encoded():
    answering = WordEncoder()
    encoder = ReEncoder(answering, SentenceEncoder(Letters(), "letters"))
    encoded = encoder.encode(["red cat", "green dog"], "Which?", EncodeOptions(layer=3, answers=False))
    assert encoded.answers == ["red cat", "green dog"]
    assert encoded.vectors[0].tolist() == [1, 0, 1, 0]
    assert answering.calls[0][2] == EncodeOptions(answers=True)
    assert encoder.description == "words, float32 on cpu, re-encoded by letters"
    assert (encoder.dtype, encoder.device) == ("float32", "cpu")
    assert SentenceEncoder(Letters(), "letters", with_instruction=True).identity not in encoder.identity


def test_a_missing_extra_is_named_with_its_pip_line(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="sentence-transformers is not installed") as error:
        load_sentence_encoder(tmp_path, "st:x")
    assert error.value.hint == "pip install 'inbedder[st]'"


def test_a_packaged_model_is_found_without_running_the_package(tmp_path, monkeypatch):
    package = tmp_path / "some_embedder"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('run')")
    monkeypatch.syspath_prepend(tmp_path)
    assert packaged_folder("some-embedder") is None
    (package / "model" / "modules.json").write_text("[]")
    assert packaged_folder("some-embedder") == package / "model"
    assert packaged_folder("not there/at all") is None
    assert packaged_folder("json") is None


@pytest.fixture
def sentence_folder(tiny_models, tmp_path):
    """The smallest sentence-transformers model: the tiny language model with mean pooling."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    word = Transformer(str(tiny_models["llama"]), max_seq_length=64)
    model = SentenceTransformer(modules=[word, Pooling(word.get_embedding_dimension())], device="cpu")
    model.save(str(tmp_path / "st"))
    return tmp_path / "st"


@installed
@pytest.mark.filterwarnings("ignore")
def test_a_real_sentence_transformers_folder(sentence_folder):
    known = model_under_test(f"st:{sentence_folder}", device="cpu")
    assert (known.takes_instruction, known.has_layers, known.pooling) == (False, False, "sentence")
    encoder = known.load()
    vectors = encoder.encode(["a room", "a bed", "a room"], "What?").vectors
    assert vectors.shape == (3, 32)
    np.testing.assert_array_equal(vectors[0], vectors[2])
    np.testing.assert_allclose(vectors, encoder.model.encode(["a room", "a bed", "a room"]), atol=1e-5)
    asked = model_under_test(f"st+i:{sentence_folder}", device="cpu").load()
    np.testing.assert_allclose(
        asked.encode(["a room"], "What?").vectors, encoder.model.encode(["What? a room"]), atol=1e-5
    )


@installed
def test_a_folder_that_is_no_sentence_transformers_model(tmp_path):
    (tmp_path / "modules.json").write_text("{")
    with pytest.raises(ModelError, match="cannot load broken"):
        load_sentence_encoder(tmp_path, "broken", device="cpu")


def test_what_identifies_a_model_is_known_before_it_is_loaded(tiny):
    known = model_under_test(tiny, template="question-first", device="cpu", dtype=Dtype.float32)
    assert (known.template, known.layer, known.pooling, known.takes_instruction) == (
        "question-first",
        None,
        "first-token",
        True,
    )
    assert len(known.revision) == 12
    assert known.revision == model_under_test(tiny).revision
    assert encoder_dtype(known.load()) == "float32"


def test_other_weights_and_adapters_are_other_revisions(tiny_models, tmp_path):
    assert (
        model_under_test(str(tiny_models["llama"])).revision != model_under_test(str(tiny_models["opt"])).revision
    )
    manifest = {
        "schema": 2,
        "name": "mine",
        "description": "",
        "license": "",
        "base": {"model": str(tiny_models["llama"])},
        "adapter": "adapter",
        "template": "question-first",
        "layer": 2,
        "pooling": "answer-mean",
    }
    (tmp_path / "adapter").mkdir()
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": ["q_proj"], "bias": "none"}
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(config))
    (tmp_path / "inbedder.json").write_text(json.dumps(manifest))
    revisions = set()
    for weights in (1, 2):
        save_file({"lora": np.full(1, weights, np.float32)}, tmp_path / "adapter" / "adapter_model.safetensors")
        known = model_under_test(str(tmp_path))
        assert (known.template, known.layer, known.pooling) == ("question-first", 2, "answer-mean")
        revisions.add(known.revision)
    assert len(revisions) == 2


@pytest.mark.parametrize("reference", ["re-encode:model", "re-encode:>st", "re-encode:model>"])
def test_re_encoding_needs_two_models(reference):
    with pytest.raises(UsageError, match="does not name two models"):
        model_under_test(reference)


def test_re_encoding_is_identified_by_both_models(tiny, tiny_models):
    known = model_under_test(f"re-encode:{tiny}>{tiny_models['opt']}")
    assert known.revision == ">".join(model_under_test(str(tiny_models[k])).revision for k in ("llama", "opt"))
    assert (known.takes_instruction, known.has_layers, known.pooling) == (True, False, "re-encode")


def test_a_loaded_encoder_is_what_every_command_loads(tiny):
    encoder = model_under_test(tiny, device="cpu").load()
    expected = load_encoder(tiny, device="cpu").encode(["a room"], "What?")
    np.testing.assert_array_equal(encoder.encode(["a room"], "What?").vectors, expected.vectors)
