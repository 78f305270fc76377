"""Load the base model and prepare it for training, with low-rank adapters or with all its weights."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from inbedder_cli.encoders.transformers.device import choose_device, choose_dtype
from inbedder_cli.encoders.transformers.loading import cast_parameters, encoder_from_files
from inbedder_cli.encoders.transformers.pooling import check_pooling, resolve_layer
from inbedder_cli.errors import ModelError, UsageError
from inbedder_cli.models import resolve_model
from inbedder_cli.options import Architecture, Dtype
from inbedder_cli.training.distributed import device_of_process

if TYPE_CHECKING:
    from pathlib import Path

    from inbedder_cli.encoders.transformers.model_encoder import ModelEncoder
    from inbedder_cli.models import ModelFiles
    from inbedder_cli.progress import Reporter
    from inbedder_cli.training.recipes import TrainOptions

RANK = 32
LAYER_NAME = re.compile(r"(.*?)\.(\d+)\.")  # name of a stack, number of a layer


@dataclass(frozen=True)
class Learner:
    """A model that is ready to be trained.

    :param encoder: the model, with the layer and pooling of the result.
    :param files: files of the base, and of the adapter that training starts from, if any.
    :param adapters: peft's wrapper of the model; None when all weights are trained.
    :param layer: hidden state that the contrastive term is computed on.
    :param bf16: whether the model computes in bfloat16.
    """

    encoder: ModelEncoder
    files: ModelFiles
    adapters: Any
    layer: int
    bf16: bool

    @property
    def dtype(self) -> str:
        """The dtype in which the model computes."""
        return "bfloat16" if self.bf16 else "float32"


def load_learner(model: str, options: TrainOptions, *, device: str, offline: bool, reporter: Reporter) -> Learner:
    """Return the base model, ready for training. Its adapter, if any, is trained further, or merged with `full`.

    :param model: reference of the base.
    :param options: settings of the run.
    :param device: "auto", "cpu", "cuda", "mps".
    :param offline: use the local cache only.
    :param reporter: shows downloads.
    :return: the model, in training mode.
    :raises UsageError: when peft is missing, or the base's adapter does not match the options.
    :raises ModelError: when the base cannot be loaded.
    """
    if not options.full and importlib.util.find_spec("peft") is None:
        raise UsageError("training an adapter needs peft", hint="pip install 'inbedder[train]', or use --full")
    if options.dtype is Dtype.float16:
        raise UsageError("training in float16 is not stable", hint="use --dtype bfloat16 or float32")
    target = choose_device(device_of_process(device))
    files = resolve_model(model, offline=offline, reporter=reporter)
    initial = None if options.full else files.adapter
    if initial and (options.rank or options.top_layers):
        raise UsageError(
            f"{model} has an adapter, whose rank and layers cannot change",
            hint="leave out --rank and --top-layers, or train from its base",
        )
    bare = files if options.full else replace(files, adapter=None)
    encoder = encoder_from_files(bare, template=options.template, device=str(target), dtype=Dtype.float32)
    encoder.pooling = check_pooling(options.pooling or encoder.pooling, encoder.poolings, encoder.architecture)
    requested = options.layer if options.layer is not None else encoder.layer
    layer = resolve_layer(requested, encoder.n_layers)
    # By default a masked model uses its head, which is none of the hidden states.
    if encoder.architecture is not Architecture.masked or requested is not None:
        encoder.layer = layer
    chosen = choose_dtype(options.dtype, target, int(encoder.config.hidden_size))
    bf16 = str(chosen) == "torch.bfloat16"
    adapters = None if options.full else add_adapters(encoder, options, initial, bf16=bf16)
    encoder.model.train()
    if options.checkpointing:
        encoder.model.activation_checkpointing_enable({"use_reentrant": False})
    return Learner(encoder, files, adapters, layer, bf16)


def add_adapters(encoder: ModelEncoder, options: TrainOptions, initial: Path | None, *, bf16: bool) -> Any:  # noqa: ANN401
    """Add low-rank adapters (LoRA, Hu et al. 2021) to the linear layers of an encoder, in place; freeze all else.

    :param encoder: the model to change.
    :param options: rank, layers and seed.
    :param initial: folder of an adapter to start from; None starts with a new one, which changes nothing yet.
    :param bf16: compute in bfloat16; the adapters stay in float32.
    :return: peft's wrapper of the model.
    :raises ModelError: when the model has no linear layers.
    """
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model

    torch.manual_seed(options.seed)
    if bf16:  # peft keeps the adapters in float32
        cast_parameters(encoder.model, torch.bfloat16)
    if initial:
        return PeftModel.from_pretrained(encoder.model, initial, is_trainable=True)
    targets = linear_names(encoder.model, options.top_layers)
    if not targets:
        raise ModelError(
            f"{encoder.name} has no linear layers to put adapters on", hint="train all weights with --full"
        )
    rank = options.rank or RANK
    config = LoraConfig(r=rank, lora_alpha=rank, lora_dropout=0.0, target_modules=targets)
    return get_peft_model(encoder.model, config)


def linear_names(lm: Any, top_layers: int | None) -> list[str]:  # noqa: ANN401
    """Return the names of the linear modules in the model's layers.

    Modules outside the layers (embeddings, the head) are left out.

    :param lm: a language model of transformers.
    :param top_layers: only the last layers of each stack (encoder, decoder); None takes all.
    :return: names as in `named_modules`.
    """
    import torch

    layers = [
        (match[1], int(match[2]), name)
        for name, module in lm.named_modules()
        if isinstance(module, torch.nn.Linear) and (match := LAYER_NAME.match(name))
    ]
    last = {stack: max(i for s, i, _ in layers if s == stack) for stack in {s for s, _, _ in layers}}
    return [name for stack, i, name in layers if top_layers is None or i > last[stack] - top_layers]
