"""A backend that is registered from outside the package is a full member: Python, cache and command line."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from inbedder_cli.encoders import encoder_backends, load_encoder
from inbedder_cli.encoders.backends import default_model
from inbedder_cli.encoders.base import describe
from inbedder_cli.encoders.cache.cached_encoder import CachedEncoder
from inbedder_cli.encoders.cache.row_cache import RowCache
from inbedder_cli.encoders.transformers import device
from inbedder_cli.encoders.transformers.lazy_encoder import LazyEncoder
from inbedder_cli.errors import ModelError
from inbedder_cli.models.manifest import bundled_manifests
from inbedder_cli.models.store import base_folder
from inbedder_cli.options import DEFAULT_MODEL, GPU_MODEL, EncodeOptions
from tests.encoders.toy import ToyEncoder

QUESTION = "What is it about?"
TEXTS = ["room cold", "bed hard", "room loud", "room cold"]


@pytest.fixture
def toy():
    """Every encoder that the backend has made."""
    made = []

    def load(reference, **options):
        made.append(ToyEncoder(reference, **options))
        made[-1].options = options
        return made[-1]

    encoder_backends.register("toy", load)
    yield made
    encoder_backends.unregister("toy")


def test_a_registered_backend_is_loaded_by_its_name(toy):
    encoder = load_encoder("toy:x", template="paper", device="cpu", offline=True)
    assert encoder.description == describe(encoder) == "toy x, float32 on cpu"
    asked = {"template": "paper", "device": "cpu", "dtype": "auto", "offline": True}
    assert asked.items() <= toy[0].options.items()
    encoded = encoder.encode(TEXTS, QUESTION)
    assert encoded.answers == ["room", "bed", "room", "room"]
    assert encoded.n_unique == 3
    record = encoder.record
    assert (record.reference, record.template, record.dtype) == ("toy:x", "paper", "auto")
    assert record.identity == encoder.identity == "toy 1 x"
    assert load_encoder(record.reference, template=record.template, dtype=record.dtype).identity == record.identity


def test_any_encoder_is_cached(toy):
    first = load_encoder("toy:x").encode(TEXTS, QUESTION)
    assert toy[0].n_encoded == 3
    second = load_encoder("toy:x").encode(TEXTS, QUESTION)
    assert toy[1].n_encoded == 0
    np.testing.assert_array_equal(second.vectors, first.vectors)
    assert second.answers == first.answers
    load_encoder("toy:y").encode(TEXTS, QUESTION)
    load_encoder("toy:x", cache=False).encode(TEXTS, QUESTION)
    load_encoder("toy:x", refresh=True).encode(TEXTS, QUESTION)
    assert [encoder.n_encoded for encoder in toy[2:]] == [3, 3, 3]


def test_a_cache_may_be_given(toy, tmp_path):
    cache = RowCache(tmp_path / "mine.sqlite")
    load_encoder("toy:x", cache=cache).encode(TEXTS, QUESTION)
    assert cache.info().rows == 3
    load_encoder("toy:x", cache=cache).encode(TEXTS, QUESTION)
    assert toy[1].n_encoded == 0


def test_the_cache_wraps_an_encoder_that_no_name_has(tmp_path):
    cache = RowCache(tmp_path / "mine.sqlite")
    CachedEncoder(ToyEncoder("x"), cache).encode(TEXTS, QUESTION)
    other = ToyEncoder("x")
    again = CachedEncoder(other, cache)
    again.encode(TEXTS, QUESTION)
    assert other.n_encoded == 0
    assert again.record is None


def test_no_texts_and_previews(toy):
    encoder = load_encoder("toy:x")
    assert len(encoder.encode([], QUESTION).vectors) == 0
    preview = encoder.preview(TEXTS, QUESTION, EncodeOptions())
    assert (preview.n_unique, preview.n_truncated) == (3, 0)
    assert "room cold" in preview.prompt


def test_everything_else_is_for_transformers(tiny):
    assert isinstance(load_encoder(tiny, cache=False, workers=1), LazyEncoder)
    assert isinstance(load_encoder(tiny, cache=False).encoder, LazyEncoder)
    assert load_encoder(f"transformers:{tiny}").identity == load_encoder(tiny).identity
    with pytest.raises(ModelError, match='unknown model "toys:x"'):
        load_encoder("toys:x")


def test_on_a_gpu_the_larger_model_is_the_default_once_it_is_on_the_machine(monkeypatch, tmp_path):
    import torch

    monkeypatch.setenv("INBEDDER_CACHE", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(device, "has_gpu_driver", lambda: True)
    assert default_model("auto") == default_model("cuda") == DEFAULT_MODEL
    base_folder(bundled_manifests()[GPU_MODEL]).mkdir(parents=True)
    assert default_model("auto") == default_model("cuda") == GPU_MODEL
    assert default_model("cpu") == DEFAULT_MODEL
    with pytest.raises(ModelError, match="has no cuda:1"):
        default_model("cuda:1")


def test_without_a_gpu_the_small_model_is_the_default(monkeypatch, tmp_path):
    import torch

    monkeypatch.setenv("INBEDDER_CACHE", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    base_folder(bundled_manifests()[GPU_MODEL]).mkdir(parents=True)
    monkeypatch.setattr(device, "has_gpu_driver", lambda: True)
    assert default_model("auto") == DEFAULT_MODEL


def test_without_the_driver_of_a_gpu_torch_is_not_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("INBEDDER_CACHE", str(tmp_path))
    monkeypatch.setattr(device, "choose_device", lambda name: pytest.fail("importing torch takes a second"))
    monkeypatch.setattr(device, "has_gpu_driver", lambda: False)
    base_folder(bundled_manifests()[GPU_MODEL]).mkdir(parents=True)
    assert default_model() == DEFAULT_MODEL


def test_the_driver_of_a_gpu_is_there_where_torch_finds_one():
    import torch

    assert device.has_gpu_driver() or not (torch.cuda.is_available() or torch.backends.mps.is_available())


def test_the_command_line_takes_a_registered_backend(toy, inbedder, reviews, tmp_path):
    run = ("cluster", reviews, "-i", QUESTION, "-m", "toy:x", "-k", "2", "-f", "csv")
    result = inbedder(*run, "--save", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    assert "model: toy x, float32 on cpu" in result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {row["cluster"] for row in rows} == {"0", "1", ""}
    assert "The" in {row["answer"] for row in rows}
    n_encoded = sum(encoder.n_encoded for encoder in toy)
    assert inbedder(*run).stdout == result.stdout
    assert sum(encoder.n_encoded for encoder in toy) == n_encoded
    assigned = inbedder("assign", tmp_path / "run", reviews, "-f", "csv")
    assert assigned.exit_code == 0, assigned.stderr
