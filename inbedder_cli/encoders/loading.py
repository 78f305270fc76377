"""A model reference -> a loaded encoder."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

from inbedder_cli.encoders.device import choose_device, choose_dtype
from inbedder_cli.errors import ModelError, OutOfMemory
from inbedder_cli.models import DEFAULT_MODEL, resolve_model
from inbedder_cli.models.adapters import merge_adapter
from inbedder_cli.options import NumberFormat, Readout
from inbedder_cli.prompts import template_named
from inbedder_cli.talk import SILENT

if TYPE_CHECKING:
    from inbedder_cli.encoders.causal import CausalEncoder
    from inbedder_cli.models import ModelFiles
    from inbedder_cli.talk import Talk


def load_encoder(
    model: str = DEFAULT_MODEL,
    *,
    template: str | None = None,
    device: str = "auto",
    dtype: NumberFormat = NumberFormat.auto,
    offline: bool = False,
    talk: Talk = SILENT,
) -> CausalEncoder:
    """Load an encoder by model reference.

    :param model: a bundled name, a folder, a GGUF file, or a Hugging Face id with an optional @revision.
    :param template: name or pattern; None takes the model's own.
    :param device: auto, cpu, cuda, cuda:N or mps.
    :param dtype: number format; auto takes bfloat16 where it is native.
    :param offline: never use the network.
    :raises ModelError: when the model cannot be found, fetched, verified or loaded.
    """
    chosen = choose_device(device)
    files = resolve_model(model, offline=offline, talk=talk)
    return encoder_from_files(files, template=template, device=str(chosen), dtype=dtype)


def encoder_from_files(
    files: ModelFiles,
    *,
    template: str | None = None,
    device: str = "cpu",
    dtype: NumberFormat = NumberFormat.auto,
) -> CausalEncoder:
    """Load an encoder from resolved files; safetensors only, and no code from the model's folder is run.

    :raises ModelError: when transformers cannot load the folder.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from inbedder_cli.encoders.causal import CausalEncoder

    quiet_transformers()
    place = choose_device(device)
    try:
        config = AutoConfig.from_pretrained(files.folder, local_files_only=True, trust_remote_code=False)
        number = choose_dtype(dtype, place, config.get_text_config().hidden_size)
        tokenizer = AutoTokenizer.from_pretrained(files.folder, local_files_only=True, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            files.folder,
            dtype=torch.float32 if files.adapter else number,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
    except MemoryError as error:
        raise OutOfMemory(
            f"{files.name} does not fit this machine's memory", hint="use a smaller model"
        ) from error
    except Exception as error:  # whatever transformers raises for a folder that is not a model of ours
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise ModelError(f"cannot load {files.name}: {reason}", hint="is it a causal language model?") from error
    if files.adapter:
        merge_adapter(model, files.adapter)
    try:
        model = model.to(device=place, dtype=number).eval()
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            f"{files.name} does not fit {place}", hint="use --device cpu or a smaller model"
        ) from error
    return CausalEncoder(
        model=model,
        tokenizer=tokenizer,
        template=template_named(template or files.template, tokenizer),
        layer=files.layer,
        readout=files.readout or Readout.first_token,
        name=files.name,
    )


def quiet_transformers() -> None:
    """Keep transformers' bars, advice and future warnings from the user's screen."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
