from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from inbedder_cli.errors import ModelError
from inbedder_cli.models.adapters import merge_adapter
from tests.conftest import make_model

TARGET = "model.layers.1.mlp.up_proj"
RANK, ALPHA = 4, 6


def adapter(folder, tensors=None, **config):
    torch.manual_seed(1)
    down, up = torch.randn(RANK, 32), torch.randn(64, RANK)
    tensors = tensors or {
        f"base_model.model.{TARGET}.lora_A.weight": down,
        f"base_model.model.{TARGET}.lora_B.weight": up,
    }
    save_file(tensors, folder / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(settings | config))
    return down, up


@pytest.mark.parametrize(("rank_stabilized", "scale"), [(False, ALPHA / RANK), (True, ALPHA / RANK**0.5)])
def test_merging_adds_the_scaled_product_to_its_weight_alone(tmp_path, rank_stabilized, scale):
    model = make_model("llama", 50)
    before = {name: p.clone() for name, p in model.named_parameters()}
    down, up = adapter(tmp_path, use_rslora=rank_stabilized)
    merge_adapter(model, tmp_path)
    for name, parameter in model.named_parameters():
        expected = before[name] + (scale * up @ down if name == f"{TARGET}.weight" else 0)
        torch.testing.assert_close(parameter, expected)


@pytest.mark.parametrize(
    "config",
    [
        {"use_dora": True},
        {"peft_type": "IA3"},
        {"bias": "all"},
        {"loftq_config": {"bits": 4}},
        {"layer_replication": [[0, 9]]},
        {"new_kind": 1},
    ],
)
def test_adapters_of_another_kind_are_refused(tmp_path, config):
    adapter(tmp_path, **config)
    with pytest.raises(ModelError, match="not a plain LoRA"):
        merge_adapter(make_model("llama", 50), tmp_path)


def test_an_adapter_of_another_model_is_refused(tmp_path):
    adapter(tmp_path)
    with pytest.raises(ModelError, match="does not fit"):
        merge_adapter(make_model("opt", 50), tmp_path)


def test_a_half_adapter_is_refused(tmp_path):
    adapter(tmp_path, {f"base_model.model.{TARGET}.lora_A.weight": torch.zeros(RANK, 32)})
    with pytest.raises(ModelError, match="not pairs"):
        merge_adapter(make_model("llama", 50), tmp_path)


def test_a_missing_adapter_is_an_error_of_the_model(tmp_path):
    with pytest.raises(ModelError, match=r"adapter_config\.json is missing"):
        merge_adapter(make_model("llama", 50), tmp_path)


@pytest.mark.parametrize(
    "shapes", [((RANK, 32), (1, RANK)), ((3, 32), (64, 3)), ((32,), (32,)), ((RANK, 33), (64, RANK))]
)
def test_matrices_of_other_shapes_are_refused_not_broadcast(tmp_path, shapes):
    names = [f"base_model.model.{TARGET}.lora_{letter}.weight" for letter in "AB"]
    adapter(tmp_path, {name: torch.ones(shape) for name, shape in zip(names, shapes, strict=True)})
    with pytest.raises(ModelError, match="does not fit"):
        merge_adapter(make_model("llama", 50), tmp_path)


@pytest.mark.parametrize(
    "config", [{"r": 0}, {"r": "4"}, {"r": None}, {"lora_alpha": "x"}, {"lora_alpha": 10**300}]
)
def test_damaged_settings_are_an_error_of_the_model(tmp_path, config):
    adapter(tmp_path, **config)
    with pytest.raises(ModelError, match="damaged"):
        merge_adapter(make_model("llama", 50), tmp_path)


def test_an_adapter_of_an_output_layer_leaves_the_embeddings_it_shares_as_they_are(tmp_path):
    torch.manual_seed(1)
    model = make_model("llama", 50)
    model.config.tie_word_embeddings = True
    model.tie_weights()
    before = model.get_input_embeddings().weight.clone()
    down, up = torch.randn(RANK, 32), torch.randn(50, RANK)
    names = {f"base_model.model.lm_head.lora_{part}.weight": w for part, w in (("A", down), ("B", up))}
    adapter(tmp_path, names)
    merge_adapter(model, tmp_path)
    torch.testing.assert_close(model.get_input_embeddings().weight, before)
    torch.testing.assert_close(model.get_output_embeddings().weight, before + ALPHA / RANK * up @ down)
