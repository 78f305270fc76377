"""A model reference -> an encoder whose weights, or low-rank additions to them, are to learn."""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from inbedder_cli.encoders.transformers.device import choose_device, choose_dtype
from inbedder_cli.encoders.transformers.loading import cast_parameters, encoder_from_files
from inbedder_cli.encoders.transformers.pooling import check_pooling, resolve_layer
from inbedder_cli.errors import ModelError, UsageError
from inbedder_cli.models import resolve_model
from inbedder_cli.options import Architecture, Dtype

if TYPE_CHECKING:
    from pathlib import Path

    from inbedder_cli.encoders.transformers.model_encoder import ModelEncoder
    from inbedder_cli.models import ModelFiles
    from inbedder_cli.progress import Reporter
    from inbedder_cli.training.recipes import TrainOptions

RANK = 32
NUMBERED = re.compile(r"(.*?)\.(\d+)\.")  # a stack's name, a layer's number


@dataclass(frozen=True)
class Learner:
    """What learns.

    :param encoder: the model as it will be used: its layer and pooling are those of the result.
    :param files: the base's, and the adapter's that learns on, if any.
    :param adapters: peft's model around it; None when all weights learn.
    :param layer: hidden state that the contrastive term shapes.
    :param bf16: whether it computes in bfloat16.
    """

    encoder: ModelEncoder
    files: ModelFiles
    adapters: Any
    layer: int
    bf16: bool

    @property
    def number_format(self) -> str:
        """In which it computes."""
        return "bfloat16" if self.bf16 else "float32"


def load_learner(model: str, options: TrainOptions, *, device: str, offline: bool, reporter: Reporter) -> Learner:
    """Load the base and make it ready to learn; an adapter that it has learns on, or is merged with `full`.

    :raises UsageError: for an adapter without peft, or of another shape than the options ask for.
    :raises ModelError: for a base that cannot be loaded.
    """
    if not options.full and importlib.util.find_spec("peft") is None:
        raise UsageError("training an adapter needs peft", hint="pip install 'inbedder[train]', or use --full")
    if options.dtype is Dtype.float16:
        raise UsageError("training in float16 is not stable", hint="use --dtype bfloat16 or float32")
    place = choose_device(_device_of_rank(device))
    files = resolve_model(model, offline=offline, reporter=reporter)
    learns_on = None if options.full else files.adapter
    if learns_on and (options.rank or options.top_layers):
        raise UsageError(
            f"{model} has an adapter, which learns on with the rank and the layers it has",
            hint="leave out --rank and --top-layers, or train from its base",
        )
    bare = files if options.full else replace(files, adapter=None)
    encoder = encoder_from_files(bare, template=options.template, device=str(place), dtype=Dtype.float32)
    encoder.pooling = check_pooling(options.pooling or encoder.pooling, encoder.poolings, encoder.architecture)
    wanted = options.layer if options.layer is not None else encoder.layer
    layer = resolve_layer(wanted, encoder.n_layers)
    if (
        encoder.architecture is not Architecture.masked or wanted is not None
    ):  # a masked model's own is none of these: its head
        encoder.layer = layer
    chosen = choose_dtype(options.dtype, place, int(encoder.config.hidden_size))
    bf16 = str(chosen) == "torch.bfloat16"
    adapters = None if options.full else add_adapters(encoder, options, learns_on, bf16=bf16)
    encoder.model.train()
    if options.checkpointing:
        encoder.model.activation_checkpointing_enable({"use_reentrant": False})
    return Learner(encoder, files, adapters, layer, bf16)


def _device_of_rank(device: str) -> str:
    """Return the device of this process; of several that torchrun started, each has a GPU of its own.

    :raises UsageError: for a GPU by number, which Trainer would not keep to.
    """
    if device.startswith("cuda:"):
        number = device.removeprefix("cuda:")
        raise UsageError(
            f"training does not take {device}",
            hint=f"choose the GPU outside: CUDA_VISIBLE_DEVICES={number} inbedder train",
        )
    rank = os.environ.get("LOCAL_RANK")
    if rank is None or device == "cpu":
        return device
    import torch

    return f"cuda:{rank}" if torch.cuda.is_available() else device


def add_adapters(encoder: ModelEncoder, options: TrainOptions, learns_on: Path | None, *, bf16: bool) -> Any:  # noqa: ANN401
    """Put low-rank adapters (LoRA, Hu et al. 2021) on an encoder's linear layers, in place; freeze all else.

    :param learns_on: folder of an adapter to begin from; None begins with one that changes nothing.
    """
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model

    torch.manual_seed(options.seed)
    if bf16:  # peft keeps what learns in float32
        cast_parameters(encoder.model, torch.bfloat16)
    if learns_on:
        return PeftModel.from_pretrained(encoder.model, learns_on, is_trainable=True)
    targets = linear_names(encoder.model, options.top_layers)
    if not targets:
        raise ModelError(
            f"{encoder.name} has no linear layers that an adapter fits", hint="train all weights with --full"
        )
    rank = options.rank or RANK
    config = LoraConfig(r=rank, lora_alpha=rank, lora_dropout=0.0, target_modules=targets)
    return get_peft_model(encoder.model, config)


def linear_names(lm: Any, top_layers: int | None) -> list[str]:  # noqa: ANN401
    """Return the names of the linear modules in the model's layers, or in the last ones of each of its stacks.

    What stands outside the layers (embeddings, the head's own transform) stays as it is.
    """
    import torch

    found = [
        (match[1], int(match[2]), name)
        for name, module in lm.named_modules()
        if isinstance(module, torch.nn.Linear) and (match := NUMBERED.match(name))
    ]
    last = {stack: max(i for s, i, _ in found if s == stack) for stack in {s for s, _, _ in found}}
    return [name for stack, i, name in found if top_layers is None or i > last[stack] - top_layers]
