"""Merge a LoRA adapter (PEFT's file layout) into a model's weights, in plain torch and float32.

W <- W + s B A with s = alpha / r, or alpha / sqrt(r) for rank-stabilized LoRA (Hu et al. 2021, section 4.1;
Kalajdzievski 2023). The merged model is as fast as its base, and peft is not needed to use an adapter.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from inbedder_cli.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    import torch

PREFIX = "base_model.model."
UNSUPPORTED = ("use_dora", "rank_pattern", "alpha_pattern", "fan_in_fan_out", "modules_to_save", "lora_bias")


def merge_adapter(model: torch.nn.Module, folder: Path) -> None:
    """Add the adapter's low-rank updates to the model's weights, in place.

    :param model: in float32.
    :param folder: contains adapter_config.json and adapter_model.safetensors.
    :raises ModelError: for another kind of adapter, or one of another model.
    """
    import torch
    from safetensors.torch import load_file

    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "adapter_model.safetensors")
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read the adapter in {folder}: {error}") from error
    used = [key for key in UNSUPPORTED if config.get(key)]
    if config.get("peft_type") != "LORA" or used or config.get("bias", "none") != "none":
        raise ModelError(
            f"the adapter in {folder} is not a plain LoRA adapter ({', '.join(used) or 'other type or bias'})"
        )
    rank = config["r"]
    scale = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
    down = {k.removesuffix(".lora_A.weight"): v for k, v in tensors.items() if k.endswith(".lora_A.weight")}
    up = {k.removesuffix(".lora_B.weight"): v for k, v in tensors.items() if k.endswith(".lora_B.weight")}
    if down.keys() != up.keys() or len(down) + len(up) != len(tensors):
        raise ModelError(f"the adapter in {folder} contains tensors that are not pairs of LoRA matrices")
    with torch.no_grad():
        for name in sorted(down):
            try:
                weight = model.get_parameter(name.removeprefix(PREFIX) + ".weight")
                weight.add_(up[name].float() @ down[name].float(), alpha=scale)
            except (AttributeError, RuntimeError) as error:
                raise ModelError(f"the adapter in {folder} does not fit this model at {name}: {error}") from error
