"""GGUF -> safetensors and tokenizer.json, and hashes of weights and files."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from inbedder_cli.errors import ModelError
from inbedder_cli.paths import explain_full_temp

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK_BYTES = 2**20


def quiet_transformers() -> None:
    """Disable the progress bars, advisory logs and future warnings of transformers."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")


def convert_gguf(file: Path, folder: Path) -> None:
    """Dequantize a GGUF file and write it as bfloat16 safetensors with its tokenizer.

    bfloat16 has 8 bits of precision, far more than the quantization, and halves the file.

    :param file: the GGUF file.
    :param folder: an existing folder to write to.
    :raises ModelError: when transformers cannot read the file.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    quiet_transformers()
    try:
        with contextlib.redirect_stderr(io.StringIO()), _alone(file) as place:  # transformers draws a progress bar
            settings = {"gguf_file": file.name, "local_files_only": True, "trust_remote_code": False}
            loaded = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32, **settings)
            tokenizer = AutoTokenizer.from_pretrained(place, **settings)
    except (ValueError, KeyError, RuntimeError, ImportError, NotImplementedError) as error:
        raise ModelError(f"cannot convert {file.name}: {error}") from error
    config = loaded.config
    # A model that was loaded from GGUF cannot be saved; a new one made from its config can.
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(loaded.state_dict())
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[Path]:
    """Yield a folder that contains this file only: transformers would use, or run, what lies beside it."""
    with explain_full_temp():
        temporary = tempfile.TemporaryDirectory()
    with temporary as folder:
        place = Path(folder)
        try:
            (place / file.name).symlink_to(file.resolve())
        except OSError:  # Windows without the right to make links
            shutil.copyfile(file, place / file.name)
        yield place


def weights_sha256(folder: Path) -> str:
    """Return the SHA-256 of a folder's tensors: of (name, dtype, shape, bytes), in the order of their names.

    It does not depend on how a version of safetensors lays out the file.

    :param folder: contains one or more .safetensors files.
    :return: hexadecimal digits.
    """
    import torch
    from safetensors import safe_open

    digest = hashlib.sha256()
    shards = {}
    for shard in sorted(folder.glob("*.safetensors")):
        with safe_open(shard, framework="pt") as tensors:
            shards.update(dict.fromkeys(tensors.keys(), shard))
    for name in sorted(shards):
        with safe_open(shards[name], framework="pt") as tensors:
            tensor = tensors.get_tensor(name).contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(memoryview(tensor.flatten().view(torch.uint8).numpy()))
    return digest.hexdigest()


def file_sha256(file: Path) -> str:
    """Return the SHA-256 of a file.

    :param file: any file.
    :return: hexadecimal digits.
    """
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
