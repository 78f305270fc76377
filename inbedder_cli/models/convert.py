"""GGUF -> safetensors and tokenizer.json, and hashes of weights and files."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import warnings
from typing import TYPE_CHECKING

from inbedder_cli.errors import InbedderError, ModelError
from inbedder_cli.models.bounds import bounded_construction
from inbedder_cli.models.clean import link, scratch_folder
from inbedder_cli.models.folder import read_shapes
from inbedder_cli.models.gguf_file import check_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK_BYTES = 2**20
GGUF_NAME = "model.gguf"


def quiet_transformers() -> None:
    """Disable the progress bars, advisory logs and future warnings of transformers."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ["USE_HUB_KERNELS"] = "NO"  # code for a GPU, fetched from the hub
    os.environ["RUST_BACKTRACE"] = "0"  # of a tokenizer that panics
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")


def convert_gguf(file: Path, folder: Path) -> None:
    """Dequantize a GGUF file and write it as bfloat16 safetensors with its tokenizer.

    bfloat16 has 8 bits of precision, far more than the quantization, and halves the file.

    :param file: the GGUF file.
    :param folder: an existing folder to write to.
    :raises ModelError: when the file is damaged, or transformers cannot read it.
    """
    n_tensors, n_values = check_gguf(file)
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    quiet_transformers()
    try:
        with (
            contextlib.redirect_stderr(io.StringIO()),  # transformers draws a progress bar
            _alone(file) as place,
            bounded_construction(file.name, n_tensors, n_values),
        ):
            loaded, report = AutoModelForCausalLM.from_pretrained(
                place,
                dtype=torch.float32,
                gguf_file=GGUF_NAME,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
            tokenizer = AutoTokenizer.from_pretrained(
                place, gguf_file=GGUF_NAME, local_files_only=True, trust_remote_code=False
            )
    except (InbedderError, MemoryError, OSError):
        raise
    except Exception as error:  # anything, depending on what is wrong with the file
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise ModelError(
            f"cannot convert {file.name}: {reason}", hint="is it a causal language model? else fetch it again"
        ) from error
    missing = sorted(set(report["missing_keys"]) & {key for key, _ in loaded.named_parameters()})
    if missing:  # transformers filled them with random numbers
        raise ModelError(f"cannot convert {file.name}: it lacks {missing[0]}", hint="fetch it again")
    config = loaded.config
    # A model that was loaded from GGUF cannot be saved; a new one made from its config can.
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(loaded.state_dict())
    try:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except SafetensorError as error:  # a full disk is no OSError there
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(*((int(number[1]), os.strerror(int(number[1]))) if number else (str(error),))) from error


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[Path]:
    """Yield a folder that contains this file only: transformers would use, or run, what lies beside it."""
    with scratch_folder() as folder:
        link(file, folder / GGUF_NAME)
        yield folder


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
        read_shapes(shard)
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
