"""No text is encoded twice, and whatever a vector depends on is part of its key."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from inbedder_cli.encoders import load_encoder
from inbedder_cli.encoders.cache.row_cache import RowCache
from inbedder_cli.encoders.transformers.causal import _CausalBatchEncoder
from inbedder_cli.encoders.transformers.model_encoder import BatchEncoder
from inbedder_cli.options import Dtype, EncodeOptions, Pooling
from tests.encoders.plain import QUESTION, TEXTS, TOLERANCE

pytestmark = pytest.mark.filterwarnings("ignore:.*fast paths disabled")

OPTIONS = EncodeOptions(max_answer_tokens=3)


@pytest.fixture
def sizes(monkeypatch):
    """The number of prompts in each batch that a model encodes."""
    batches = []
    whole = BatchEncoder.encode

    def counting(self, prompts):
        batches.append(len(prompts))
        return whole(self, prompts)

    monkeypatch.setattr(BatchEncoder, "encode", counting)
    return batches


@pytest.fixture
def encoder(tmp_path, tiny):
    def make(refresh=False, **chosen):
        settings = {"model": tiny, "device": "cpu", "dtype": Dtype.float32} | chosen
        return load_encoder(**({"cache": RowCache(tmp_path / "rows.sqlite"), "refresh": refresh} | settings))

    return make


def same(one, other):
    np.testing.assert_allclose(one.vectors, other.vectors, atol=TOLERANCE)
    assert one[1:] == other[1:] if isinstance(one, tuple) else one.answers == other.answers
    assert (one.n_unique, one.n_truncated) == (other.n_unique, other.n_truncated)


@pytest.mark.parametrize("answers", [True, False])
def test_encoding_again_computes_nothing_and_gives_the_same(encoder, sizes, tiny, answers):
    options = replace(OPTIONS, answers=answers, max_tokens=100)
    texts = [*TEXTS, TEXTS[0], "long " * 200]
    plain = load_encoder(tiny, device="cpu", dtype=Dtype.float32, cache=False).encode(texts, QUESTION, options)
    first = encoder().encode(texts, QUESTION, options)
    del sizes[:]
    second = encoder().encode(texts, QUESTION, options)
    assert sizes == []
    same(first, plain)
    same(second, first)
    np.testing.assert_array_equal(second.vectors, first.vectors)


def test_the_model_is_not_loaded_for_what_is_known(encoder, monkeypatch):
    encoder().encode(TEXTS, QUESTION, OPTIONS)
    monkeypatch.setattr("inbedder_cli.encoders.transformers.loading.encoder_from_files", None)
    again = encoder()
    assert again.description.endswith("float32 on cpu")
    again.encode(TEXTS[::-1], QUESTION, OPTIONS)


def test_fast_paths_are_checked_once_for_prompts_of_like_lengths(encoder, sizes, monkeypatch):
    tried = []
    whole = _CausalBatchEncoder._matches_reference

    def counting(self, forward_pass, parts):
        tried.append(parts)
        return whole(self, forward_pass, parts)

    monkeypatch.setattr(_CausalBatchEncoder, "_matches_reference", counting)
    encoder(template="question-first").encode(TEXTS, QUESTION, OPTIONS)
    assert len(tried) == 1
    encoder(template="question-first", refresh=True).encode(TEXTS, QUESTION, OPTIONS)
    encoder(template="question-first").encode([f"{text} Again." for text in TEXTS], QUESTION, OPTIONS)
    assert len(tried) == 1
    encoder(template="question-first").encode([*TEXTS, "much longer " * 100], QUESTION, OPTIONS)
    assert len(tried) == 2
    encoder(template="question-first").encode(
        [*TEXTS, "much longer " * 100], QUESTION, replace(OPTIONS, answers=False)
    )
    assert len(tried) == 3


@pytest.mark.filterwarnings("ignore:.*padding")
def test_fast_paths_that_do_not_work_are_checked_again(encoder, monkeypatch):
    monkeypatch.setattr(_CausalBatchEncoder, "_matches_reference", lambda *_: False)
    encoder(template="question-first").encode(TEXTS, QUESTION, OPTIONS)
    tried = []
    monkeypatch.setattr(_CausalBatchEncoder, "_matches_reference", lambda *given: not tried.append(given))
    encoder(template="question-first", refresh=True).encode(TEXTS, QUESTION, OPTIONS)
    assert tried


def test_only_new_texts_are_encoded(encoder, sizes):
    encoder().encode(TEXTS[:4], QUESTION, OPTIONS)
    del sizes[:]
    more = encoder().encode(TEXTS, QUESTION, OPTIONS)
    assert sum(sizes) == 2
    del sizes[:]
    fresh = encoder(refresh=True).encode(TEXTS, QUESTION, OPTIONS)
    assert sum(sizes) == 6
    same(more, fresh)


CHANGES = [
    {"instruction": "Which product?"},
    {"options": replace(OPTIONS, layer=1)},
    {"options": replace(OPTIONS, pooling=Pooling.answer_mean)},
    {"options": replace(OPTIONS, answers=False)},
    {"options": replace(OPTIONS, max_answer_tokens=4)},
    {"options": replace(OPTIONS, max_tokens=300)},
    {"template": "question-first"},
    {"dtype": Dtype.bfloat16},
    {"model": "opt"},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: "-".join(map(str, change)))
def test_whatever_shapes_a_row_makes_it_another_row(encoder, sizes, tiny_models, change):
    encoder().encode(TEXTS, QUESTION, OPTIONS)
    del sizes[:]
    change = dict(change)
    instruction, options = change.pop("instruction", QUESTION), change.pop("options", OPTIONS)
    if "model" in change:
        change["model"] = str(tiny_models[change["model"]])
    encoder(**change).encode(TEXTS, instruction, options)
    assert sum(sizes) == len(TEXTS)


def test_what_shapes_no_row_makes_no_other(encoder, sizes):
    encoder().encode(TEXTS, QUESTION, OPTIONS)
    del sizes[:]
    encoder().encode(TEXTS, f" {QUESTION}\n", replace(OPTIONS, batch_tokens=64))
    assert sizes == []


def test_other_weights_in_the_same_folder_are_noticed(encoder, sizes, tiny, tmp_path):
    import shutil

    from tests.conftest import make_model, make_tokenizer

    folder = tmp_path / "model"
    shutil.copytree(tiny, folder)
    encoder(model=str(folder)).encode(TEXTS, QUESTION, OPTIONS)
    del sizes[:]
    make_model("llama", len(make_tokenizer()), seed=1).save_pretrained(folder)
    encoder(model=str(folder)).encode(TEXTS, QUESTION, OPTIONS)
    assert sum(sizes) == len(TEXTS)


def test_what_was_encoded_before_an_interruption_is_not_encoded_again(encoder, sizes, monkeypatch):
    options = replace(OPTIONS, batch_tokens=16)
    whole = BatchEncoder.encode

    def stopping(self, prompts):
        if len(sizes) == 3:
            raise KeyboardInterrupt
        return whole(self, prompts)

    monkeypatch.setattr(BatchEncoder, "encode", stopping)
    with pytest.raises(KeyboardInterrupt):
        encoder().encode(TEXTS, QUESTION, options)
    done = sum(sizes)
    assert 0 < done < len(TEXTS)
    del sizes[:]
    monkeypatch.setattr(BatchEncoder, "encode", whole)
    encoder().encode(TEXTS, QUESTION, options)
    assert sum(sizes) == len(TEXTS) - done


def test_another_dtype_than_the_last_time_is_noticed(encoder, sizes, monkeypatch):
    """As on the nodes of a cluster that share a home and have different GPUs."""
    monkeypatch.setattr("inbedder_cli.encoders.transformers.loading.choose_dtype", lambda *_: torch.bfloat16)
    encoder(dtype=Dtype.auto).encode(TEXTS, QUESTION, OPTIONS)
    monkeypatch.setattr("inbedder_cli.encoders.transformers.loading.choose_dtype", lambda *_: torch.float32)
    other = encoder(dtype=Dtype.auto)
    assert "bfloat16" in other.description
    other.encode([*TEXTS, "new"], QUESTION, OPTIONS)
    assert "float32" in other.description
    del sizes[:]
    encoder(dtype=Dtype.float32).encode([*TEXTS, "new"], QUESTION, OPTIONS)
    assert sizes == []


def test_a_preview_leaves_out_the_time_of_cached_texts(encoder):
    first = encoder().preview(TEXTS, QUESTION, OPTIONS)
    assert first.n_cached == 0
    encoder().encode(TEXTS[:2], QUESTION, OPTIONS)
    assert encoder().preview([*TEXTS, TEXTS[0]], QUESTION, OPTIONS).n_cached == 2
    assert encoder(refresh=True).preview(TEXTS, QUESTION, OPTIONS).n_cached == 0
    encoder().encode(TEXTS, QUESTION, OPTIONS)
    assert encoder().preview(TEXTS, QUESTION, OPTIONS).seconds == 0


def test_a_preview_checks_fast_paths_before_it_looks_at_the_clock(encoder, monkeypatch):
    tried, moments = [], []
    monkeypatch.setattr(_CausalBatchEncoder, "_matches_reference", lambda *given: not tried.append(given))
    monkeypatch.setattr("time.perf_counter", lambda: float(len(moments.append(len(tried)) or moments)))
    texts = [f"text {i} was {'very ' * i}cold" for i in range(40)]
    encoder(template="question-first").preview(texts, QUESTION, OPTIONS)
    assert len(tried) == 1
    assert moments == [1, 1]


def test_texts_are_not_kept(encoder, tmp_path):
    secret = "a secret that nobody should find in any file"
    encoder().encode([secret], QUESTION, OPTIONS)
    assert (tmp_path / "rows.sqlite").is_file()
    for file in tmp_path.glob("rows.sqlite*"):
        assert b"secret" not in file.read_bytes()
