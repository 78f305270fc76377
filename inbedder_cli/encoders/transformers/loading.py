"""Model files -> a loaded encoder of the right architecture."""

from __future__ import annotations

import re
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from inbedder_cli.encoders.prompts.templates import find_template
from inbedder_cli.encoders.prompts.tokenizers import PANIC, check_tokenizer, check_tokenizer_file
from inbedder_cli.encoders.transformers.device import choose_device, choose_dtype
from inbedder_cli.errors import InbedderError, ModelError, OutOfMemoryError, UsageError
from inbedder_cli.models.adapters import merge_adapter
from inbedder_cli.models.bounds import bounded_construction
from inbedder_cli.models.clean import clean_copy
from inbedder_cli.models.convert import quiet_transformers
from inbedder_cli.models.folder import check_folder
from inbedder_cli.models.manifest import MANIFEST
from inbedder_cli.options import Architecture, Dtype

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import torch

    from inbedder_cli.encoders.transformers.model_encoder import ModelEncoder
    from inbedder_cli.models import ModelFiles
    from inbedder_cli.models.folder import Weights


def choose_placement(files: ModelFiles, device: str, dtype: Dtype) -> tuple[torch.device, torch.dtype]:
    """Return the device and the dtype of a model, from its configuration alone.

    :param files: the resolved model.
    :param device: auto, cpu, cuda, cuda:N or mps.
    :param dtype: the requested dtype.
    :return: device and dtype of torch.
    :raises UsageError: for an unknown device.
    :raises ModelError: when the model has no usable configuration, or this machine no such device.
    """
    import torch

    place = choose_device(device)
    place = torch.empty(0, device=place).device  # "cuda" -> "cuda:0"
    with _clean_folder(files) as (folder, _):
        config = _load_config(folder)
        if files.architecture is None:
            architecture_of(config)  # raises for models that are not language models
        return place, choose_dtype(dtype, place, config.get_text_config(decoder=True).hidden_size)


def _load_config(folder: Path) -> Any:  # noqa: ANN401
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


@contextmanager
def _clean_folder(files: ModelFiles) -> Iterator[tuple[Path, Weights]]:
    """Yield a clean copy of a model's folder, and convert any exception that it causes into a `ModelError`."""
    quiet_transformers()
    folder = files.folder
    try:
        weights = check_folder(files.name, folder)
        with clean_copy(folder, weights) as folder:
            yield folder, weights
    except (InbedderError, KeyboardInterrupt, GeneratorExit):
        raise
    except MemoryError as error:
        raise OutOfMemoryError(
            f"{files.name} does not fit into this machine's memory", hint="use a smaller model"
        ) from error
    except BaseException as error:  # anything, depending on what is wrong; a tokenizer panics below Exception
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        lines = (str(error).strip() or repr(error)).splitlines()
        reason = lines[0].replace(str(folder), str(files.folder))
        raise ModelError(f"cannot load {files.name}: {reason}", hint="is it a language model?") from error


def encoder_from_files(
    files: ModelFiles,
    *,
    template: str | None = None,
    device: str = "cpu",
    dtype: Dtype = Dtype.auto,
) -> ModelEncoder:
    """Return a loaded encoder. Only safetensors are read, and no code from the model's folder is run.

    :param files: the resolved model.
    :param template: prompt template by name, or as a pattern; None takes the model's own.
    :param device: auto, cpu, cuda, cuda:N or mps.
    :param dtype: dtype of the model; auto takes bfloat16 where it is fast.
    :return: the loaded model with its tokenizer and template.
    :raises ModelError: when transformers cannot load the folder, or weights of the language model are missing.
    :raises OutOfMemoryError: when the model does not fit into memory.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM, AutoTokenizer

    from inbedder_cli.encoders.transformers.causal import CausalEncoder
    from inbedder_cli.encoders.transformers.masked import MaskedEncoder
    from inbedder_cli.encoders.transformers.seq2seq import Seq2SeqEncoder

    classes: dict[Architecture, tuple[Any, type[ModelEncoder]]] = {
        Architecture.causal: (AutoModelForCausalLM, CausalEncoder),
        Architecture.masked: (AutoModelForMaskedLM, MaskedEncoder),
        Architecture.seq2seq: (AutoModelForSeq2SeqLM, Seq2SeqEncoder),
    }
    place = choose_device(device)
    with _clean_folder(files) as (folder, weights):
        config = _load_config(folder)
        chosen = choose_dtype(dtype, place, config.get_text_config(decoder=True).hidden_size)
        architecture = files.architecture or architecture_of(config)
        model_class, encoder_class = classes[architecture]
        check_tokenizer_file(files.name, folder / "tokenizer.json")
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        check_tokenizer(files.name, tokenizer)
        with _own_settings(files.name) if template is None else nullcontext():
            pattern = find_template(template or files.template, tokenizer)
        with bounded_construction(files.name, weights.n_tensors, weights.n_values):
            model, report = model_class.from_pretrained(
                folder,
                dtype=torch.float32 if files.adapter else chosen,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
        model.name_or_path = model.config.name_or_path = tokenizer.name_or_path = str(files.folder)
    check_weights(files.name, architecture, model, report)
    if files.adapter:
        merge_adapter(model, files.adapter)
    check_finite(files.name, model)
    try:
        if files.adapter:  # else it is loaded in this dtype, but for what transformers keeps in float32 (T5)
            cast_parameters(model, chosen)
        model = model.to(place).eval()
    except torch.OutOfMemoryError as error:
        raise OutOfMemoryError(
            f"{files.name} does not fit into the memory of {place}", hint="use --device cpu or a smaller model"
        ) from error
    own: dict[str, Any] = {"layer": files.layer, "name": files.name}
    if files.pooling:
        own["pooling"] = files.pooling
    if architecture is Architecture.masked:
        own |= {"n_masks": files.n_masks, "standardize": files.standardize}
    encoder = encoder_class(model, tokenizer, pattern, **own)
    with _own_settings(files.name):
        encoder.check_settings()
    return encoder


@contextmanager
def _own_settings(name: str) -> Iterator[None]:
    """Blame the model for settings that are its own: no option can mend them."""
    try:
        yield
    except UsageError as error:
        raise ModelError(
            f"{name} names a setting of its own that does not fit it: {error}",
            hint=f"correct template, layer and pooling in its {MANIFEST}",
        ) from error


def check_weights(name: str, architecture: str, model: Any, report: dict[str, Any]) -> None:  # noqa: ANN401
    """Check that every weight comes from the files, and every layer of the files is used.

    transformers fills missing weights with random numbers, and leaves out layers that the configuration does not
    count.

    :param name: of the model, for the message.
    :param architecture: for the message.
    :param model: of transformers.
    :param report: its loading info.
    :raises ModelError: when weights are missing, or layers are left out.
    """
    missing = sorted(set(report["missing_keys"]) & {key for key, _ in model.named_parameters()})
    if missing:
        raise ModelError(
            f"{name} lacks weights of a {architecture} language model: {missing[0]}",
            hint="use a model that was saved with its language-model head",
        )
    own = {_kind(key) for key, _ in model.named_parameters()}
    surplus = sorted(key for key in report["unexpected_keys"] if _kind(key) in own)
    if surplus:
        raise ModelError(
            f"{name} has more layers than its config.json says: {surplus[0]} would not be used",
            hint="config.json and weights must be those of one model; fetch it again",
        )


def _kind(parameter: str) -> str:
    """Return the name of a parameter without the number of its layer."""
    return re.sub(r"\d+", "#", parameter)


def check_finite(name: str, model: torch.nn.Module) -> None:
    """Check that no weight is infinite or not a number.

    :param name: of the model, for the message.
    :param model: any module.
    :raises ModelError: when one is.
    """
    import torch

    for key, parameter in model.named_parameters():
        if parameter.numel() and not torch.stack(parameter.detach().aminmax()).isfinite().all():
            raise ModelError(f"{name} is damaged: {key} holds values that are no numbers", hint="fetch it again")


def cast_parameters(model: torch.nn.Module, dtype: torch.dtype) -> None:
    """Cast a model's parameters in place; not its buffers, since rotary frequencies need float32.

    :param model: any module.
    :param dtype: the new dtype.
    """
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)


def architecture_of(config: Any) -> Architecture:  # noqa: ANN401
    """Return the architecture that a configuration describes, by its class names, else by its model type.

    :param config: of transformers.
    :return: the architecture.
    :raises ModelError: when it is not that of a language model.
    """
    from transformers.models.auto import modeling_auto as auto

    known = {
        Architecture.seq2seq: auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
        Architecture.masked: auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        Architecture.causal: auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    }
    # BART and BERT have models of several architectures.
    excluded = (Architecture.masked, Architecture.causal) if config.is_encoder_decoder else (Architecture.seq2seq,)
    candidates = {architecture: models for architecture, models in known.items() if architecture not in excluded}
    for architecture, models in candidates.items():
        if set(config.architectures or []) & set(models.values()):
            return architecture
    for architecture, models in candidates.items():
        if config.model_type in models and not (
            architecture is Architecture.masked and getattr(config, "is_decoder", False)
        ):
            return architecture
    raise ModelError(
        f"a model of type {config.model_type} is not a language model",
        hint="use a causal (LLaMA, Qwen, OPT), masked (RoBERTa, BERT) or seq2seq (T5, BART) language model",
    )
