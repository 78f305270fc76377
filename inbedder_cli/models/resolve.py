"""Model references -> a local folder of safetensors and a tokenizer, ready to load.

A reference is the name of a bundled model, a folder, a GGUF file, or a Hugging Face id with an optional
`@revision`. A folder may contain an `inbedder.json` (see `manifest.py`) with the settings of the model.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from inbedder_cli.errors import ModelError, did_you_mean
from inbedder_cli.models.adapters import read_lora
from inbedder_cli.models.folder import TEMPLATE, TOKENIZER_CONFIG, check_folder, open_file, read_settings
from inbedder_cli.models.manifest import MANIFEST, N_MASKS, Manifest, bundled_manifests, read_manifest
from inbedder_cli.models.store import ensure_base, ensure_gguf
from inbedder_cli.options import Architecture, Pooling
from inbedder_cli.paths import expand
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from inbedder_cli.progress import Reporter

DEFAULT_TEMPLATE = "paper"
CHAT_TEMPLATE = "chat"

SHOWN = 300  # characters of a name in messages
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.jinja", "tokenizer.model", "*.spm"]


class _Checkpoint(TypedDict, total=False):
    """Settings of `ModelFiles`; a layer of None is the last, or the head of a masked model."""

    template: str
    architecture: Architecture
    layer: int | None
    pooling: Pooling
    n_masks: int
    standardize: bool


_CAUSAL: _Checkpoint = {
    "template": "paper",
    "architecture": Architecture.causal,
    "layer": None,
    "pooling": Pooling.first_token,
}
_MASKED: _Checkpoint = {
    "template": "paper",
    "architecture": Architecture.masked,
    "layer": None,
    "pooling": Pooling.masks,
}

# The paper's checkpoints with the settings of its reference code. Its tables use the last layer of
# roberta-large-InBedder (`--layer -1`); its demo, and this table, the standardized states of its head.
PAPER_CHECKPOINTS: dict[str, _Checkpoint] = {
    "BrandonZYW/llama-2-7b-InBedder": _CAUSAL,
    "BrandonZYW/opt-2.7b-InBedder": _CAUSAL,
    "BrandonZYW/opt-1.3b-InBedder": _CAUSAL,
    "BrandonZYW/roberta-large-InBedder": {**_MASKED, "n_masks": 3, "standardize": True},
}


@dataclass(frozen=True)
class ModelFiles:
    """The files of a model and the settings it is used with.

    :param name: the reference that the user gave.
    :param folder: contains config, safetensors and tokenizer.
    :param revision: a commit, or a hash of the weights; "" for a plain folder.
    :param template: name or pattern, see `prompts.templates.find_template`.
    :param layer: index into the hidden states; None takes the last.
    :param pooling: None takes the architecture's own: `first-token`, or `masks` for a masked model.
    :param adapter: folder of a LoRA adapter to merge into the weights.
    :param architecture: None finds it in the config.
    :param n_masks: number of masks after the template (masked models).
    :param standardize: whether each vector is scaled to mean 0 and standard deviation 1 (masked models).
    :param languages: ISO 639 codes of the languages that the model reads; None: unknown.
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
    standardize: bool = False
    languages: tuple[str, ...] | None = None


def resolve_model(reference: str, *, offline: bool = False, reporter: Reporter = SILENT) -> ModelFiles:
    """Return the files of a model, which are fetched or converted on first use.

    :param reference: a bundled name, a folder, a GGUF file, or a Hugging Face id with an optional @revision.
    :param offline: never use the network.
    :param reporter: receives progress.
    :return: where the files are, and the settings of the model.
    :raises ModelError: when the model is unknown, incomplete or cannot be reached, or when its hash is wrong.
    """
    manifests = bundled_manifests()
    if reference in manifests:
        return _with_manifest(reference, manifests[reference], offline=offline, reporter=reporter)
    path = expand(reference)
    try:
        if path.is_dir():
            return _local_folder(reference, path, offline=offline, reporter=reporter)
        if path.is_file():
            return _local_file(reference, path, reporter)
    except OSError as error:  # a name that is too long, a folder without rights
        raise ModelError(
            f"cannot read the model {reference[:SHOWN]}: {error.strerror or error}", hint="check the name"
        ) from error
    if reference.startswith((".", "/", "~")) or path.suffix.lower() == ".gguf":
        raise ModelError(
            f"no such model folder or file: {reference[:SHOWN]}",
            hint="check the path, or see: inbedder models list",
        )
    if HUB_ID.fullmatch(reference):
        return _from_hub(reference, offline=offline)
    raise ModelError(
        f'unknown model "{reference[:SHOWN]}"',
        hint=f"{did_you_mean(reference[:SHOWN], manifests)}use a bundled name ({', '.join(manifests)}), "
        "a Hugging Face id (org/name[@revision]), a folder, or a .gguf file",
    )


def _with_manifest(name: str, manifest: Manifest, *, offline: bool, reporter: Reporter) -> ModelFiles:
    revision = manifest.base.weights_sha256 or ""
    if manifest.base.pinned is not None:
        folder = ensure_base(manifest, offline=offline, reporter=reporter)
    elif manifest.base.model is not None:
        base = _resolve_base(manifest, offline=offline, reporter=reporter)
        folder, revision = base.folder, revision if base.revision else ""  # all files of a plain folder count
        manifest.check_base(folder)
    else:
        folder, revision = manifest.folder, ""  # what it says of its own weights is not believed
        check_folder(name, folder)
    adapter = manifest.folder / manifest.adapter if manifest.adapter else None
    if adapter:
        read_lora(adapter)  # raises where it cannot be merged
    return ModelFiles(
        name=name,
        folder=folder,
        revision=revision,
        template=manifest.template,
        layer=manifest.layer,
        pooling=manifest.pooling,
        adapter=adapter,
        n_masks=manifest.n_masks,
        standardize=manifest.standardize,
        languages=manifest.languages,
    )


def _resolve_base(manifest: Manifest, *, offline: bool, reporter: Reporter) -> ModelFiles:
    """Return the files of a base that another reference names; a base has no base of its own."""
    reference = str(manifest.base.model)
    path = expand(reference)
    if os.path.lexists(path / MANIFEST) and read_manifest(path).base.model is not None:
        raise ModelError(
            f"the base {reference} of {manifest.folder / MANIFEST} has a base of its own",
            hint="name the last base there: a bundled name, a folder with weights, or a Hugging Face id",
        )
    return resolve_model(reference, offline=offline, reporter=reporter)


def _local_folder(reference: str, path: Path, *, offline: bool, reporter: Reporter) -> ModelFiles:
    if os.path.lexists(path / MANIFEST):
        manifest = read_manifest(path)
        _check_pinned(manifest)
        return _with_manifest(reference, manifest, offline=offline, reporter=reporter)
    check_folder(reference, path)
    return ModelFiles(name=reference, folder=path, template=_default_template(path))


def _check_pinned(manifest: Manifest) -> None:
    """Refuse a file that no bundled model pins: a folder from elsewhere must not choose what is fetched."""
    pinned = manifest.base.pinned
    if pinned is not None and pinned not in [model.base.pinned for model in bundled_manifests().values()]:
        raise ModelError(
            f"{manifest.folder / MANIFEST} names a base that no bundled model uses: {pinned.label}",
            hint='name its base by "model" instead: a bundled name, a folder, or a Hugging Face id',
        )


def _local_file(reference: str, path: Path, reporter: Reporter) -> ModelFiles:
    with open_file(path) as file:
        is_gguf = file.read(4) == b"GGUF"
    if not is_gguf:
        hint = "give the folder that contains config.json and model.safetensors, or a .gguf file"
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
        why = "it is not in the local cache" + ("" if offline else ", and the hub cannot be reached")
        raise ModelError(
            f"cannot get {reference}: {why}",
            hint="go online once, give a local folder, or use the bundled model",
        ) from error
    check_folder(reference, folder)
    if repository in PAPER_CHECKPOINTS:
        return ModelFiles(name=reference, folder=folder, revision=folder.name, **PAPER_CHECKPOINTS[repository])
    return ModelFiles(name=reference, folder=folder, revision=folder.name, template=_default_template(folder))


def _default_template(folder: Path) -> str:
    """Return "chat" for a model with a chat template, in one of the two places where transformers keeps it."""
    if (folder / TEMPLATE).is_file():
        return CHAT_TEMPLATE
    file = folder / TOKENIZER_CONFIG
    return CHAT_TEMPLATE if file.is_file() and read_settings(file).get("chat_template") else DEFAULT_TEMPLATE
