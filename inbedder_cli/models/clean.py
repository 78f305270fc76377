"""A clean copy of a model folder, which is all that transformers gets to see.

transformers reads whatever lies in a folder: adapters, code, other templates, names of files and kernels. It gets
a folder of links to weights and tokenizer instead, with settings of which only the harmless ones are kept.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inbedder_cli.errors import ModelError
from inbedder_cli.models.folder import (
    CONFIG,
    GENERATION_CONFIG,
    INDEX,
    TEMPLATE,
    TOKENIZER_CONFIG,
    VOCABULARY,
    read_settings,
)
from inbedder_cli.paths import explain_full_temp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inbedder_cli.models.folder import Weights

# Settings that choose code, kernels, other files or a number format, or that hold what no answer depends on.
IGNORED = {
    "auto_map",
    "attn_implementation",
    "experts_implementation",
    "transformers_weights",
    "transformers_version",
    "fusion_config",
    "distributed_config",
    "kernel_config",
    "use_kernels",
    "use_mamba_kernels",
    "per_layer_config",
    "custom_generate",
    "custom_pipelines",
    "tokenizer_file",
    "vocab_file",
    "name_or_path",
    "torchscript",
    "gradient_checkpointing",
    "output_hidden_states",
    "output_attentions",
    "return_dict",
    "chunk_size_feed_forward",
    "dtype",
    "torch_dtype",
    "id2label",
    "label2id",
    "num_labels",
    "problem_type",
}
GENERATION_SETTINGS = (
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "decoder_start_token_id",
    "forced_bos_token_id",
)
TOKENIZER_SETTINGS = re.compile(
    r"(bos|eos|unk|sep|pad|cls|mask|image|audio|video|boi|eoi|\w+_special)_tokens?|add_(bos|eos)_token"
    r"|added_tokens_decoder|(additional|extra|model_specific)_special_tokens|chat_template|tokenizer_class"
    r"|model_max_length|model_input_names|(padding|truncation)_side|errors|legacy|extra_ids|trim_offsets"
    r"|add_(prefix_space|dummy_prefix)|clean_up_tokenization_spaces|spaces_between_special_tokens"
    r"|split_special_tokens|use_default_system_prompt|do_(lower_case|basic_tokenize)|never_split|strip_accents"
    r"|tokenize_chinese_chars|normalization|keep_accents|(src|tgt)_lang|language_codes"
)
TOKENIZER_CLASS = re.compile(r"\w*Tokenizer(Fast)?|TokenizersBackend")


@contextmanager
def clean_copy(folder: Path, weights: Weights) -> Iterator[Path]:
    """Yield a folder of links to a model's weights and tokenizer, with the settings that are safe to load.

    :param folder: of a model, checked with `check_folder`.
    :param weights: what `check_folder` returned.
    :yield: a temporary folder.
    :raises ModelError: when a setting chooses what must not be chosen.
    """
    with scratch_folder() as copy:
        for file in (*weights.files, INDEX, TEMPLATE, *VOCABULARY):
            if (folder / file).is_file():
                link(folder / file, copy / file)
        _write(copy / CONFIG, _clean_config(read_settings(folder / CONFIG)))
        for file, clean in ((TOKENIZER_CONFIG, _clean_tokenizer), (GENERATION_CONFIG, _clean_generation)):
            if (folder / file).is_file():
                _write(copy / file, clean(read_settings(folder / file)))
        yield copy


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a temporary folder, and delete it afterwards.

    :yield: the folder.
    :raises InbedderError: when there is no room for one.
    """
    with explain_full_temp():
        place = tempfile.TemporaryDirectory(prefix="inbedder-", ignore_cleanup_errors=True)
    with place as folder:
        yield Path(folder)


def link(file: Path, place: Path) -> None:
    """Make a file appear in another place, without a copy where the system can do that.

    :param file: the file.
    :param place: a path that does not exist.
    """
    for make in (place.symlink_to, place.hardlink_to):  # Windows makes links only with a certain right
        try:
            return make(file.resolve())
        except OSError:
            continue
    with explain_full_temp():
        shutil.copyfile(file, place)
    return None


def _write(file: Path, settings: dict[str, Any]) -> None:
    with explain_full_temp():
        file.write_text(json.dumps(settings), encoding="utf-8")


def _clean_config(config: dict[str, Any]) -> dict[str, Any]:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    model_type = config["model_type"]
    if model_type not in CONFIG_MAPPING:
        raise ModelError(
            f'transformers has no models of type "{model_type[:80]}"',
            hint="update transformers, if it is a new one",
        )
    return {"model_type": model_type} | _clean(config, CONFIG_MAPPING[model_type])


def _clean(config: dict[str, Any], config_class: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the settings that a class of configurations declares, and numbers and RoPE settings of older files.

    An undeclared setting becomes an attribute, so only one that can name no file and hide no method is kept.
    """
    from dataclasses import fields

    declared = {field.name for field in fields(config_class)} | config_class.attribute_map.keys()
    nested: dict[str, Any] = config_class.sub_configs_defaults
    kept: dict[str, Any] = {}
    for key, value in config.items():
        if key.startswith("_") or key in IGNORED:
            continue
        if key in nested:
            kept[key] = _clean_nested(value, nested[key])
        elif key in declared or (
            not hasattr(config_class, key) and (_is_number(value) or key.startswith("rope_"))
        ):
            kept[key] = value
    return kept


def _clean_nested(value: Any, spec: Any) -> Any:  # noqa: ANN401
    from transformers import PreTrainedConfig

    if not isinstance(value, dict):
        return value
    inner = spec.config_class
    if not issubclass(inner, PreTrainedConfig):  # AutoConfig: the file names the type
        inner = spec.get_config_class(value.get("model_type", spec.model_type))
    kept = _clean(value, inner)
    return kept | {"model_type": value["model_type"]} if "model_type" in value else kept


def _is_number(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float)


def _clean_tokenizer(settings: dict[str, Any]) -> dict[str, Any]:
    name = settings.get("tokenizer_class")
    if name is not None and not (isinstance(name, str) and TOKENIZER_CLASS.fullmatch(name)):
        raise ModelError(f"tokenizer_class in {TOKENIZER_CONFIG} is no tokenizer: {str(name)[:80]!r}")
    return {key: value for key, value in settings.items() if TOKENIZER_SETTINGS.fullmatch(key)}


def _clean_generation(settings: dict[str, Any]) -> dict[str, Any]:
    kept = {key: settings[key] for key in GENERATION_SETTINGS if key in settings}
    for key, value in kept.items():
        if not all(type(id_) is int for id_ in (value if isinstance(value, list) else [value or 0])):
            raise ModelError(
                f"{key} in {GENERATION_CONFIG} is no token id: {str(value)[:80]!r}", hint="fetch the model again"
            )
    return kept
