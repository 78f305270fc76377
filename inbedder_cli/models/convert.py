"""GGUF -> safetensors and tokenizer.json, once; and the hash that says which weights a folder holds."""

from __future__ import annotations

import contextlib
import hashlib
import io
from typing import TYPE_CHECKING

from inbedder_cli.errors import ModelError
from inbedder_cli.models.quiet import quiet_transformers

if TYPE_CHECKING:
    from pathlib import Path

CHUNK_BYTES = 2**20


def convert_gguf(file: Path, folder: Path) -> None:
    """Dequantise a GGUF file and write it as bfloat16 safetensors with its tokenizer.

    bfloat16 rounds to 8 bits of precision, far finer than the quantisation itself, and halves the file.

    :param file: the GGUF file.
    :param folder: an existing folder to write to.
    :raises ModelError: when transformers cannot read the file.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    quiet_transformers()
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # the reader draws a bar of its own
            read = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
            tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    except (ValueError, KeyError, RuntimeError, ImportError, NotImplementedError) as error:
        raise ModelError(f"cannot convert {file.name}: {error}") from error
    config = read.config
    # A model that was read from GGUF refuses to be saved: only a clean one made from its config will.
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(read.state_dict())
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def weights_sha256(folder: Path) -> str:
    """Return the hash of a folder's tensors: of (name, type, shape, bytes) in order of their names.

    It does not depend on how a version of safetensors lays out the file.
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
    """Return a file's SHA-256."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
