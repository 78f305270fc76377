"""A model reference -> a loaded encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inbedder_cli.encoders.prompts.templates import template_named
from inbedder_cli.encoders.transformers.device import choose_device, choose_dtype
from inbedder_cli.errors import ModelError, OutOfMemoryError
from inbedder_cli.models import DEFAULT_MODEL, resolve_model
from inbedder_cli.models.adapters import merge_adapter
from inbedder_cli.models.quiet import quiet_transformers
from inbedder_cli.options import Architecture, Dtype
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    import torch

    from inbedder_cli.encoders.transformers.model_encoder import ModelEncoder
    from inbedder_cli.models import ModelFiles
    from inbedder_cli.progress import Reporter


def load_encoder(
    model: str = DEFAULT_MODEL,
    *,
    template: str | None = None,
    device: str = "auto",
    dtype: Dtype | str = Dtype.auto,
    offline: bool = False,
    reporter: Reporter = SILENT,
) -> ModelEncoder:
    """Load an encoder by model reference.

    :param model: a bundled name, a folder, a GGUF file, or a Hugging Face id with an optional @revision.
    :param template: name or pattern; None takes the model's own.
    :param device: auto, cpu, cuda, cuda:N or mps.
    :param dtype: number format; auto takes bfloat16 where it is native.
    :param offline: never use the network.
    :raises ModelError: when the model cannot be found, fetched, verified or loaded.
    :raises UsageError: for an unknown device or number format.
    """
    chosen = choose_device(device)
    files = resolve_model(model, offline=offline, reporter=reporter)
    return encoder_from_files(files, template=template, device=str(chosen), dtype=Dtype(dtype))


def encoder_from_files(
    files: ModelFiles,
    *,
    template: str | None = None,
    device: str = "cpu",
    dtype: Dtype = Dtype.auto,
) -> ModelEncoder:
    """Load an encoder from resolved files; safetensors only, and no code from the model's folder is run.

    :raises ModelError: when transformers cannot load the folder, or it lacks a language model's weights.
    """
    import torch
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        AutoModelForMaskedLM,
        AutoModelForSeq2SeqLM,
        AutoTokenizer,
    )

    from inbedder_cli.encoders.transformers.causal import CausalEncoder
    from inbedder_cli.encoders.transformers.masked import MaskedEncoder
    from inbedder_cli.encoders.transformers.seq2seq import Seq2SeqEncoder

    classes: dict[Architecture, tuple[Any, type[ModelEncoder]]] = {
        Architecture.causal: (AutoModelForCausalLM, CausalEncoder),
        Architecture.masked: (AutoModelForMaskedLM, MaskedEncoder),
        Architecture.seq2seq: (AutoModelForSeq2SeqLM, Seq2SeqEncoder),
    }
    quiet_transformers()
    place = choose_device(device)
    try:
        config = AutoConfig.from_pretrained(files.folder, local_files_only=True, trust_remote_code=False)
        number = choose_dtype(dtype, place, config.get_text_config(decoder=True).hidden_size)
        architecture = files.architecture or architecture_of(config)
        model_class, encoder_class = classes[architecture]
        tokenizer = AutoTokenizer.from_pretrained(files.folder, local_files_only=True, trust_remote_code=False)
        model, report = model_class.from_pretrained(
            files.folder,
            dtype=torch.float32 if files.adapter else number,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except ModelError:
        raise
    except MemoryError as error:
        raise OutOfMemoryError(
            f"{files.name} does not fit this machine's memory", hint="use a smaller model"
        ) from error
    except Exception as error:  # whatever transformers raises for a folder that is not a model of ours
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise ModelError(f"cannot load {files.name}: {reason}", hint="is it a language model?") from error
    # transformers fills what is missing with random numbers, which would make vectors of noise
    missing = sorted(set(report["missing_keys"]) & {name for name, _ in model.named_parameters()})
    if missing:
        raise ModelError(
            f"{files.name} lacks weights of a {architecture} language model: {missing[0]}",
            hint="use a model that was saved with its language-model head",
        )
    if files.adapter:
        merge_adapter(model, files.adapter)
    try:
        if files.adapter:  # else it is loaded so, but for what transformers keeps in float32 (T5)
            cast_parameters(model, number)
        model = model.to(place).eval()
    except torch.OutOfMemoryError as error:
        raise OutOfMemoryError(
            f"{files.name} does not fit {place}", hint="use --device cpu or a smaller model"
        ) from error
    own: dict[str, Any] = {"layer": files.layer, "name": files.name}
    if files.pooling:
        own["pooling"] = files.pooling
    if architecture is Architecture.masked:
        own |= {"n_masks": files.n_masks, "standardise": files.standardise}
    return encoder_class(model, tokenizer, template_named(template or files.template, tokenizer), **own)


def cast_parameters(model: torch.nn.Module, number: torch.dtype) -> None:
    """Put a model's parameters into a number format; not its buffers, since rotary frequencies need float32."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(number)


def architecture_of(config: Any) -> Architecture:  # noqa: ANN401
    """Return the architecture that a transformers config describes, by its class names, else by its type.

    :raises ModelError: when it is none that speaks.
    """
    from transformers.models.auto import modeling_auto as auto

    known = {
        Architecture.seq2seq: auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
        Architecture.masked: auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        Architecture.causal: auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    }
    # BART and BERT have models of several kinds.
    excluded = (Architecture.masked, Architecture.causal) if config.is_encoder_decoder else (Architecture.seq2seq,)
    fitting = {architecture: models for architecture, models in known.items() if architecture not in excluded}
    for architecture, models in fitting.items():
        if set(config.architectures or []) & set(models.values()):
            return architecture
    for architecture, models in fitting.items():
        if config.model_type in models and not (
            architecture is Architecture.masked and getattr(config, "is_decoder", False)
        ):
            return architecture
    raise ModelError(
        f"a model of type {config.model_type} does not speak",
        hint="use a causal (LLaMA, Qwen, OPT), masked (RoBERTa, BERT) or seq2seq (T5, BART) language model",
    )
