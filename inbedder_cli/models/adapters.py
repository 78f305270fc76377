"""Merge a LoRA adapter (PEFT's file layout) into a model's weights, in plain torch and float32.

W <- W + s B A with s = alpha / r, or alpha / sqrt(r) for rank-stabilized LoRA (Hu et al. 2021, section 4.1;
Kalajdzievski 2023). The merged model is as fast as its base, and peft is not needed to use an adapter.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from inbedder_cli.errors import ModelError
from inbedder_cli.models.folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS, read_settings, read_shapes

if TYPE_CHECKING:
    from pathlib import Path

    import torch

PREFIX = "base_model.model."
MAX_RANK = 65_536
# All that a plain LoRA adapter's configuration says, and what has no effect on a merge into a model that is there.
# Any other setting that is on changes what the matrices mean, loads something, or is unknown.
UNDERSTOOD = {
    "peft_type",
    "r",
    "lora_alpha",
    "use_rslora",
    "bias",
    "init_lora_weights",
    "task_type",
    "inference_mode",
    "lora_dropout",
    "target_modules",
    "exclude_modules",
    "layers_to_transform",
    "layers_pattern",
    "base_model_name_or_path",
    "revision",
    "auto_mapping",
    "peft_version",
    "megatron_core",
    "qalora_group_size",
}


def read_lora(folder: Path) -> dict[str, Any]:
    """Return the configuration of a plain LoRA adapter.

    :param folder: contains adapter_config.json and adapter_model.safetensors.
    :return: its settings.
    :raises ModelError: when it is damaged, or another kind of adapter.
    """
    config = read_settings(folder / ADAPTER_CONFIG)
    used = [key for key, value in config.items() if value and key not in UNDERSTOOD]
    if config.get("init_lora_weights", True) not in (True, False, "gaussian"):  # others change the base's weights
        used.append("init_lora_weights")
    if config.get("peft_type") != "LORA" or used or config.get("bias", "none") != "none":
        reason = ", ".join(key[:40] for key in used[:5]) or "other type or bias"
        raise ModelError(f"the adapter in {folder} is not a plain LoRA adapter ({reason})")
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if type(rank) is not int or not 0 < rank <= MAX_RANK:
        raise ModelError(f"the adapter in {folder} is damaged: r is {str(rank)[:40]}", hint="fetch it again")
    if not isinstance(alpha, int | float) or not math.isfinite(alpha):
        raise ModelError(
            f"the adapter in {folder} is damaged: lora_alpha is {str(alpha)[:40]}", hint="fetch it again"
        )
    read_shapes(folder / ADAPTER_WEIGHTS)
    return config


def _untied(model: torch.nn.Module, name: str, weight: torch.Tensor) -> torch.Tensor:
    """Return the weight of a module; an output layer that shares it with the input embeddings gets its own."""
    import torch

    module: Any = model.get_submodule(name)
    shared: Any = model
    if module is shared.get_output_embeddings() and weight is shared.get_input_embeddings().weight:
        module.weight = torch.nn.Parameter(weight.clone(), requires_grad=weight.requires_grad)
        shared.config.tie_word_embeddings = False
        return module.weight  # type: ignore[no-any-return]
    return weight


def merge_adapter(model: torch.nn.Module, folder: Path) -> None:
    """Add the adapter's low-rank updates to the model's weights, in place.

    :param model: in float32.
    :param folder: contains adapter_config.json and adapter_model.safetensors.
    :raises ModelError: for another kind of adapter, or one of another model.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    config = read_lora(folder)
    try:
        tensors = load_file(folder / ADAPTER_WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"cannot read the adapter in {folder}: {error}") from error
    rank = config["r"]
    scale = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
    down = {k.removesuffix(".lora_A.weight"): v for k, v in tensors.items() if k.endswith(".lora_A.weight")}
    up = {k.removesuffix(".lora_B.weight"): v for k, v in tensors.items() if k.endswith(".lora_B.weight")}
    if down.keys() != up.keys() or len(down) + len(up) != len(tensors):
        raise ModelError(f"the adapter in {folder} contains tensors that are not pairs of LoRA matrices")
    with torch.no_grad():
        for name in sorted(down):
            try:
                weight: torch.Tensor = model.get_parameter(name.removeprefix(PREFIX) + ".weight")
                if (*up[name].shape, *down[name].shape) != (weight.shape[0], rank, rank, *weight.shape[1:]):
                    shapes = [tuple(tensor.shape) for tensor in (up[name], down[name], weight)]
                    raise ValueError("shapes {} and {}, rank {rank}, weight {}".format(*shapes, rank=rank))
                weight = _untied(model, name.removeprefix(PREFIX), weight)
                weight.add_(up[name].float() @ down[name].float(), alpha=scale)
            except (AttributeError, RuntimeError, ValueError) as error:
                raise ModelError(f"the adapter in {folder} does not fit this model at {name}: {error}") from error
