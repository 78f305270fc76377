"""Check a model folder from elsewhere before anything in it is loaded."""

from __future__ import annotations

import json
import math
import os
import re
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inbedder_cli.errors import ModelError
from inbedder_cli.untrusted import UnsafeFileError, open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
CONFIG, TOKENIZER_CONFIG, GENERATION_CONFIG = "config.json", "tokenizer_config.json", "generation_config.json"
TEMPLATE = "chat_template.jinja"
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
# What the tokenizers of transformers read, as far as it holds neither settings nor code.
VOCABULARY = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "bpe.codes",
    "spiece.model",
    "spm.model",
    "spm_char.model",
    "sentencepiece.model",
    "sentencepiece.bpe.model",
    "source.spm",
    "target.spm",
    "added_tokens.json",
    "special_tokens_map.json",
)
MAX_JSON = 4 * 2**20  # bytes of a file of settings; a long chat template takes 20 KB
MAX_INDEX = 64 * 2**20
MAX_HEADER = 100 * 2**20  # of safetensors, as its library has it
MAX_VOCABULARY = 128 * 2**20  # the largest in use has 35 MB
MAX_INT = 2**31  # no setting of a language model is larger
MAX_SHARDS = 10_000
LAYERS = re.compile(r"layers$|_layer$|_blocks$|depth$")
SIZES = re.compile(r"size$|dim$|^d_\w+$|^n_embd$|^n_inner$")
MIN_LAYERS, MIN_SIZE, MIN_NUMBER = 1000, 2**18, 2**20  # what any file may ask for
MAX_EXTRA_IDS = 10_000  # tokens that a tokenizer makes up; T5 has 100


@dataclass(frozen=True)
class Weights:
    """What the headers of weight files say.

    :param files: names of the files in the folder.
    :param n_tensors: number of tensors.
    :param n_values: number of values in all tensors.
    """

    files: tuple[str, ...]
    n_tensors: int
    n_values: int


def check_folder(name: str, folder: Path) -> Weights:
    """Check that a folder contains a whole model, without loading it.

    :param name: of the model, for messages.
    :param folder: the folder.
    :return: what its weights' headers say.
    :raises ModelError: when files are missing, damaged, too large, or no files.
    """
    if not (folder / CONFIG).exists():
        raise ModelError(
            f"{name} has no {CONFIG}", hint="give a folder that transformers' save_pretrained has written"
        )
    config = read_settings(folder / CONFIG)
    if not isinstance(config.get("model_type"), str):
        raise ModelError(
            f"{folder / CONFIG} names no model_type", hint="use a config.json that save_pretrained has written"
        )
    if config.get("quantization_config") or config.get("compression_config"):
        raise ModelError(
            f"{name} has quantized weights", hint="use the model that it was made from, or its GGUF file"
        )
    for path in (TOKENIZER_CONFIG, GENERATION_CONFIG):
        if os.path.lexists(folder / path):
            extra = read_settings(folder / path).get("extra_ids", 0)
            if isinstance(extra, int) and extra > MAX_EXTRA_IDS:
                raise ModelError(f"{folder / path}: extra_ids is {extra:,}", hint="fetch the model again")
    for path, limit in [(TEMPLATE, MAX_JSON), *((file, MAX_VOCABULARY) for file in VOCABULARY)]:
        if os.path.lexists(folder / path):
            with open_file(folder / path, limit):
                pass
    weights = read_weights(name, folder)
    _check_shape(name, config, weights)
    return weights


def _check_shape(name: str, config: dict[str, Any], weights: Weights) -> None:
    """Check that no number of layers and no size is far above what the weights can fill."""
    for key, value in config.items():
        if isinstance(value, dict):
            _check_shape(name, value, weights)
        elif isinstance(value, list):
            _check_shape(name, {f"{key}[{i}]": each for i, each in enumerate(value)}, weights)
        elif isinstance(value, int) and (
            (LAYERS.search(key) and value > max(MIN_LAYERS, weights.n_tensors))
            or (SIZES.search(key) and value > max(MIN_SIZE, weights.n_values))
            or value > max(MIN_NUMBER, weights.n_values)  # some classes make lists of that many items
        ):
            raise ModelError(
                f"{name} does not fit its {CONFIG}: {key[:80]} is {value:,}, but the weights are "
                f"{weights.n_tensors:,} tensors of {weights.n_values:,} values",
                hint="config.json and weights must be those of one model; fetch it again",
            )


@contextmanager
def open_file(file: Path, limit: int | None = None) -> Iterator[BufferedReader]:
    """Yield a file of a model; it may be a link, as the cache of the Hugging Face hub has them.

    :param file: the path.
    :param limit: maximum number of bytes; None for any.
    :yield: a binary stream.
    :raises ModelError: for anything but a regular file, for a larger one, and one that cannot be read.
    """
    try:
        with open_regular(file, limit, follow_links=True) as stream:
            yield stream
    except UnsafeFileError as error:
        raise ModelError(str(error), hint="fetch the model again") from error
    except FileNotFoundError as error:
        raise ModelError(f"{file} is missing", hint="fetch the model again") from error
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}", hint="fetch the model again") from error


def read_settings(file: Path, limit: int = MAX_JSON) -> dict[str, Any]:
    """Return the settings in a JSON file.

    :param file: contains one object.
    :param limit: maximum number of bytes.
    :return: the object.
    :raises ModelError: when the file cannot be read, is too large or damaged, or holds something else.
    """
    try:
        with open_file(file, limit) as stream:
            settings = json.loads(stream.read(limit).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file} is damaged: {error}", hint="fetch the model again") from error
    if not isinstance(settings, dict):
        raise ModelError(f"{file} is damaged: it holds no settings", hint="fetch the model again")
    _check_numbers(settings, file)
    return settings


def _check_numbers(value: object, file: Path, key: str = "") -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name != "model_max_length":  # 10 ** 30 stands for no limit
                _check_numbers(inner, file, str(name))
    elif isinstance(value, list):
        for inner in value:
            _check_numbers(inner, file, key)
    elif isinstance(value, int) and abs(value) > MAX_INT:
        raise ModelError(f"{file} is damaged: {key[:80]} is out of range", hint="fetch the model again")
    elif value != value:
        raise ModelError(f"{file} is damaged: {key[:80]} is not a number", hint="fetch the model again")


def read_weights(name: str, folder: Path) -> Weights:
    """Return what the headers of a folder's safetensors say.

    :param name: of the model, for messages.
    :param folder: contains model.safetensors, or an index and its shards.
    :return: files, and numbers of tensors and values.
    :raises ModelError: when weights are missing, or a header does not fit its file.
    """
    if os.path.lexists(folder / WEIGHTS):
        files = [WEIGHTS]
    elif os.path.lexists(folder / INDEX):
        files = _shards(folder)
    else:
        pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
        raise ModelError(
            f"{name} has no weights as safetensors"
            + (" (pickle files are not loaded: they can run code)" if pickled else ""),
            hint="convert them with transformers' save_pretrained, which writes model.safetensors",
        )
    shapes: dict[str, list[int]] = {}
    for file in files:
        shapes |= read_shapes(folder / file)
    return Weights(tuple(files), len(shapes), sum(map(math.prod, shapes.values())))


def _shards(folder: Path) -> list[str]:
    shards = read_settings(folder / INDEX, MAX_INDEX).get("weight_map")
    names = set(shards.values()) if isinstance(shards, dict) and all(map(_is_text, shards.values())) else set()
    if not 0 < len(names) <= MAX_SHARDS or any(Path(shard).name != shard for shard in names):
        raise ModelError(
            f"{folder / INDEX} is damaged: it must name files beside it", hint="fetch the model again"
        )
    return sorted(names)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def read_shapes(file: Path) -> dict[str, list[int]]:
    """Return the shapes of the tensors in a safetensors file, from its header alone.

    :param file: the file.
    :return: shapes by name.
    :raises ModelError: when the header is damaged or does not fit the file.
    """
    try:
        with open_file(file) as stream:  # the library maps the whole file before it looks at the header
            size = os.fstat(stream.fileno()).st_size
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > min(MAX_HEADER, size - 8):
                raise ValueError("its header does not fit into it")
            entries = json.loads(stream.read(length))
        entries.pop("__metadata__", None)
        shapes = {name: [int(n) for n in entry["shape"]] for name, entry in entries.items()}
        places = {name: [int(n) for n in entry["data_offsets"]] for name, entry in entries.items()}
        if 8 + length + max((end for _, end in places.values()), default=0) != size:
            raise ValueError("it has another size than its header says")
        for name, shape in shapes.items():
            begin, end = places[name]
            if not 0 <= begin <= end or min(shape, default=0) < 0 or math.prod(shape) > 2 * (end - begin):
                raise ValueError(f"the shape of {name[:80]} does not fit its place")  # two values per byte at most
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, struct.error) as error:
        raise ModelError(f"{file} is damaged: {error}", hint="fetch the model again") from error
    return shapes


def is_loaded(file: Path) -> bool:
    """Return whether a model depends on a file.

    :param file: in the folder of a model or of an adapter.
    :return: false for what lies beside them.
    """
    if file.suffix == ".safetensors":  # a shard counts where there is no single file
        return file.name == WEIGHTS or not (file.parent / WEIGHTS).exists()
    return file.name in (CONFIG, TOKENIZER_CONFIG, GENERATION_CONFIG, INDEX, TEMPLATE, ADAPTER_CONFIG, *VOCABULARY)
