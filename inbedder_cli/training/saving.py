"""Write the result of a run: a folder that `--model` takes, with weights, manifest and training card."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from inbedder_cli.encoders.prompts.templates import CHAT, NAMED
from inbedder_cli.errors import UsageError
from inbedder_cli.models.manifest import MANIFEST, SCHEMA
from inbedder_cli.paths import expand
from inbedder_cli.runs.folders import LONGEST_NAME, replace_folder

if TYPE_CHECKING:
    from pathlib import Path

    from inbedder_cli.models import ModelFiles
    from inbedder_cli.training.learner import Learner

ADAPTER = "adapter"
MATRICES = "adapter_model.safetensors"
CARD = "card.json"


def check_output(output: Path, *, force: bool, makes_parent: bool = True) -> None:
    """Check before training that the result can be written.

    :param output: the new folder.
    :param force: allow an existing encoder to be replaced.
    :param makes_parent: whether the folder that is to hold it is made.
    :raises UsageError: when the folder exists (with `force`: when it is not an encoder), or cannot be written.
    """
    try:
        if not output.name or output.is_symlink() or (output.exists() and not output.is_dir()):
            raise UsageError(f"{output} is a file, or not a valid name for a folder", hint="choose another -o")
        if len(os.fsencode(output.name)) > LONGEST_NAME:
            raise UsageError(f"the name of {output} is too long", hint="choose another -o")
        if output.exists() and not force:
            raise UsageError(f"{output} exists already", hint="choose another -o, or replace it with --force")
        if output.exists() and any(output.iterdir()) and not (output / MANIFEST).is_file():
            raise UsageError(
                f"{output} is not an encoder, so --force does not replace it", hint="choose another -o"
            )
        if makes_parent:
            output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{output} cannot be created: {error.strerror}", hint="choose another -o") from error
    if output.parent.exists() and not os.access(output.parent, os.W_OK):
        raise UsageError(f"{output.parent} cannot be written to", hint="choose another -o")


def save_result(
    learner: Learner, model: str, base: dict[str, Any], card: dict[str, Any], staging: Path, output: Path
) -> None:
    """Write everything into `staging`, then rename it to `output` in one step.

    :param learner: the trained model.
    :param model: reference of the base.
    :param base: entry of the base in the manifest, see `base_entry`.
    :param card: the training card.
    :param staging: folder to write into, on the same file system as `output`.
    :param output: the new folder; an existing one is replaced.
    """
    if staging.exists():
        shutil.rmtree(staging)
    staging.mkdir(parents=True)
    if learner.adapters is None:
        learner.encoder.model.save_pretrained(staging)
        learner.encoder.tokenizer.save_pretrained(staging)
    else:
        save_adapter(learner.adapters, staging / ADAPTER)
    _write_json(staging / MANIFEST, _manifest(learner, model, base, output.name))
    _write_json(staging / CARD, card)
    replace_folder(output, staging)  # check_output allows this with --force only


def save_adapter(adapters: Any, folder: Path) -> None:  # noqa: ANN401
    """Write the low-rank matrices in bfloat16, in PEFT's layout but without paths of this machine.

    :param adapters: peft's wrapper of the model.
    :param folder: is created.
    """
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    config = adapters.peft_config["default"]
    settings = {"r": config.r, "lora_alpha": config.lora_alpha, "use_rslora": config.use_rslora}
    names = sorted(config.target_modules)
    _write_json(
        folder / "adapter_config.json",
        {"peft_type": "LORA", "bias": "none", "target_modules": names, "inference_mode": True, **settings},
    )
    tensors = get_peft_model_state_dict(adapters)
    save_file(
        {name: tensor.detach().to("cpu", torch.bfloat16).contiguous() for name, tensor in tensors.items()},
        folder / MATRICES,
    )


def adapter_sha256(folder: Path) -> str:
    """Return the SHA-256 of an adapter's matrices.

    :param folder: of the adapter.
    :return: 64 hexadecimal digits.
    """
    with (folder / MATRICES).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(learner: Learner, model: str, base: dict[str, Any], name: str) -> dict[str, Any]:
    encoder, template = learner.encoder, learner.encoder.template
    manifest = {
        "schema": SCHEMA,
        "name": name,
        "description": f"{model}, trained by inbedder train",
        "license": f"see the licenses of {model} and of the training data",
        "base": {} if learner.adapters is None else base,
        "adapter": None if learner.adapters is None else ADAPTER,
        "template": template.name if template.name in (*NAMED, CHAT) else template.pattern,
        "layer": encoder.layer,
        "pooling": str(encoder.pooling),
    }
    masked = {name: getattr(encoder, name) for name in ("n_masks", "standardize") if hasattr(encoder, name)}
    return manifest | masked


def base_entry(files: ModelFiles, reference: str) -> dict[str, Any]:
    """Return the entry of the base in the manifest: its pinned file (bundled models) or reference, and its hash.

    An encoder that has a base itself passes on the entry of its own manifest.

    :param files: of the base.
    :param reference: of the base, as the user gave it.
    :return: the entry, as `models.manifest` reads it.
    """
    from inbedder_cli.models.convert import weights_sha256
    from inbedder_cli.models.manifest import bundled_manifests, read_manifest

    own = files.adapter.parent if files.adapter is not None else expand(reference)
    if os.path.lexists(own / MANIFEST):
        base = read_manifest(own).base
        if base.pinned or base.model:
            return {name: value for name, value in asdict(base).items() if value}
    known = bundled_manifests().get(reference)
    if known is not None and known.base.pinned:
        return {name: value for name, value in asdict(known.base).items() if value}
    path = expand(reference)
    if path.exists():
        name = str(path.resolve())
    else:
        name = reference if "@" in reference or not files.revision else f"{reference}@{files.revision}"
    return {"model": name, "weights_sha256": weights_sha256(files.folder)}


def _write_json(path: Path, value: dict[str, Any]) -> None:
    content = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    path.write_bytes(
        content.encode("utf-8", "backslashreplace")
    )  # halves of surrogate pairs, as JSON escapes them
