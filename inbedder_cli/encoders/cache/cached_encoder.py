"""An encoder that reads no row twice: it looks in the cache first, and loads its model only for what is new."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from inbedder_cli import __version__
from inbedder_cli.encoders.base import Encoded, Preview, ResultBuffer
from inbedder_cli.encoders.cache.workers import WORTH_IT, read_in_parallel
from inbedder_cli.encoders.transformers.device import free_memory
from inbedder_cli.encoders.transformers.loading import load_encoder
from inbedder_cli.errors import InbedderError
from inbedder_cli.models import resolve_model
from inbedder_cli.models.memo import cached_value, folder_state, machine, recall, remember
from inbedder_cli.options import Dtype
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence
    from pathlib import Path

    from inbedder_cli.encoders.base import EncodedText
    from inbedder_cli.encoders.cache.store import RowCache
    from inbedder_cli.encoders.transformers.model_encoder import ModelEncoder
    from inbedder_cli.models import ModelFiles
    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.progress import Reporter

AT_ONCE = 10_000  # rows that are looked up
READING = 3  # raised when the same model and options come to mean other vectors or answers
SHAPING = (".json", ".jinja", ".safetensors", ".model", ".txt")  # files that shape what a model says


@dataclass
class CachedEncoder:
    """A model reference that reads like the encoder it stands for.

    :param cache: where rows are kept.
    :param refresh: read all rows again, and keep them in place of the old ones.
    :param model: and the following as for `load_encoder`.
    :param devices: processes that read, each on a device of its own (`parallel`).
    """

    cache: RowCache
    refresh: bool
    model: str
    template: str | None = None
    device: str = "auto"
    dtype: Dtype = Dtype.auto
    offline: bool = False
    devices: int = 1
    reporter: Reporter = SILENT
    files: ModelFiles = field(init=False)
    _encoder: ModelEncoder | None = field(default=None, init=False)
    _runs_on: list[str] = field(init=False)  # number format and device: torch alone could tell, so they are kept

    def __post_init__(self) -> None:
        self.files = resolve_model(self.model, offline=self.offline, reporter=self.reporter)
        self._runs_on = recall(self._where) or self._try_it()

    @property
    def description(self) -> str:
        """One line: model, number format, device."""
        return f"{self.files.name}, {self._runs_on[0]} on {self._runs_on[1]}"

    def encode(
        self, texts: Sequence[str], instruction: str, options: EncodeOptions, reporter: Reporter = SILENT
    ) -> Encoded:
        """Return one vector, and one answer, per text, in their order; see `Encoder`."""
        found = ResultBuffer(texts, options)
        if not self.refresh:
            self._look_up(found, instruction, options)
        if found.n_done:
            reporter.info(f"{found.n_done:,} of {len(found.texts):,} texts were read before")
        new = [text for text in found.texts if text not in found]
        if self.devices > 1 and len(new) >= self.devices * WORTH_IT:
            settings = self._settings | {"refresh": self.refresh}
            if self.device == "auto":
                settings["device"] = self._runs_on[1].partition(":")[0]
            read_in_parallel(settings, self.devices, self.cache.path, new, instruction, options, reporter)
            self._look_up(found, instruction, options)
        if found.texts and found.n_done == len(found.texts):
            return found.encoded()
        ran_on, encoder = self._runs_on, self._loaded()
        if ran_on != self._runs_on:  # rows of another number format were looked up
            return self.encode(texts, instruction, options, reporter)
        for rows in self._read(found.texts, instruction, options, reporter, found):
            found.add(rows)
        return found.encoded(encoder.hidden_size)

    def fill(
        self, texts: Sequence[str], instruction: str, options: EncodeOptions, reporter: Reporter = SILENT
    ) -> None:
        """Read different texts into the cache.

        :raises InbedderError: where they cannot be kept.
        """
        for _ in self._read(texts, instruction, options, reporter):
            if self.cache.given_up:
                raise InbedderError(
                    f"rows cannot be kept in {self.cache.path}, by which processes share them",
                    hint="make room there, or leave --devices out",
                )

    def preview(self, texts: Sequence[str], instruction: str, options: EncodeOptions) -> Preview:
        """Return what `encode` would do if nothing were known, without doing it."""
        encoder = self._loaded()
        preview = encoder.preview(texts, instruction, options)
        self._remember_shortcuts(encoder)
        return preview

    def _look_up(self, found: ResultBuffer, instruction: str, options: EncodeOptions) -> None:
        """Add the rows that the cache has."""
        key_of = self._key(instruction, options)
        missing = [text for text in found.texts if text not in found]
        for start in range(0, len(missing), AT_ONCE):
            keys = {key_of(text): text for text in missing[start : start + AT_ONCE]}
            found.add({keys[key]: row for key, row in self.cache.get(list(keys)).items()})

    def _read(
        self,
        texts: Sequence[str],
        instruction: str,
        options: EncodeOptions,
        reporter: Reporter,
        known: Container[str] = (),
    ) -> Iterator[dict[str, EncodedText]]:
        """Yield the rows of a batch when they are kept; see `ModelEncoder.read`."""
        encoder = self._loaded()
        key_of = self._key(instruction, options)
        for rows in encoder.read(texts, instruction, options, reporter, known):
            self.cache.put({key_of(text): row for text, row in rows.items()})
            yield rows
        self._remember_shortcuts(encoder)

    def _loaded(self) -> ModelEncoder:
        if self._encoder is None:
            self._encoder = load_encoder(**self._settings, reporter=self.reporter)
            self._encoder.fast_paths |= recall(self._shortcuts) or {}
            model = self._encoder.model
            self._runs_on = [str(model.dtype).removeprefix("torch."), str(model.device)]
            remember(self._where, self._runs_on)
        return self._encoder

    def _try_it(self) -> list[str]:
        """Load the model for the number format and the device that it takes."""
        self._loaded()
        if self.devices > 1:  # other processes will need the memory
            self._encoder = None
            free_memory()
        return self._runs_on

    def _remember_shortcuts(self, encoder: ModelEncoder) -> None:
        """Keep which fast_paths hold; the others are tried again next time, since memory may have been short."""
        if holding := {name: True for name, holds in encoder.fast_paths.items() if holds}:
            remember(self._shortcuts, holding)

    @property
    def _settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("model", "template", "device", "dtype", "offline")}

    @property
    def _identity(self) -> str:
        return model_identity(self.files, self.template)

    @property
    def _setting(self) -> str:
        return f"{self._identity} {self.device} {self.dtype} {machine()}"

    @property
    def _where(self) -> str:
        """Name the fact `_runs_on`."""
        return f"runs on: {self._setting}"

    @property
    def _shortcuts(self) -> str:
        """Name the fact which fast_paths hold (`ModelEncoder.fast_paths`)."""
        return f"fast_paths: {self._setting} transformers {version('transformers')} inbedder {__version__}"

    def _key(self, instruction: str, options: EncodeOptions) -> Any:  # noqa: ANN401
        """Return the function from a text to its key."""
        shaping = {name: value for name, value in asdict(options).items() if name != "batch_tokens"}
        recipe = json.dumps([READING, self._identity, self._runs_on[0], instruction.strip(), shaping])
        digest = hashlib.blake2b(recipe.encode("utf-8", "surrogatepass")).digest()

        def key_of(text: str) -> bytes:
            return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=digest).digest()

        return key_of


def model_identity(files: ModelFiles, template: str | None) -> str:
    """Return a text that is another one for other weights or another way of asking.

    :param template: what is asked for instead of the model's own.
    """
    weights, adapter = files.revision, files.adapter
    if not weights:
        weights = cached_value(f"files: {folder_state(files.folder)}", lambda: content_sha256(files.folder))
    added = adapter and cached_value(f"files: {folder_state(adapter)}", lambda: content_sha256(adapter))
    own = {
        name: str(getattr(files, name)) for name in ("layer", "pooling", "architecture", "n_masks", "standardise")
    }
    return json.dumps([weights, added, template or files.template, own])


def content_sha256(folder: Path) -> str:
    """Return the hash of the files in a folder that shape what its model says."""
    from inbedder_cli.models.convert import file_sha256

    files = sorted(file for file in folder.iterdir() if file.suffix in SHAPING)
    lines = "".join(f"{file.name} {file_sha256(file)}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()
