"""The transformers backend: an encoder that loads its model when the first text is encoded."""

from __future__ import annotations

import hashlib
import json
import time
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from inbedder_cli.encoders.base import BaseEncoder
from inbedder_cli.models import resolve_model
from inbedder_cli.models.memo import cached_value, folder_state, machine, recall, remember
from inbedder_cli.models.speed import remember_speed
from inbedder_cli.options import Dtype
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence
    from pathlib import Path

    from inbedder_cli.encoders.base import Preview
    from inbedder_cli.encoders.encoded import EncodedText
    from inbedder_cli.encoders.transformers.model_encoder import ModelEncoder
    from inbedder_cli.models import ModelFiles
    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.progress import Reporter


class LazyEncoder(BaseEncoder):
    """A transformers model. Its dtype and device are cached, so that a run without new texts imports no torch.

    :param reference: a bundled name, a folder, a GGUF file, or a Hugging Face id with an optional @revision.
    :param template: prompt template by name, or as a pattern; None takes the model's own.
    :param device: auto, cpu, cuda, cuda:N or mps.
    :param dtype: dtype of the model; auto takes bfloat16 where it is fast.
    :param offline: never use the network.
    :param reporter: receives the progress of fetching and converting.
    """

    def __init__(
        self,
        reference: str,
        *,
        template: str | None = None,
        device: str = "auto",
        dtype: Dtype | str = Dtype.auto,
        offline: bool = False,
        reporter: Reporter = SILENT,
    ) -> None:
        self.files = resolve_model(reference, offline=offline, reporter=reporter)
        self._template, self._requested_device, self._requested_dtype = template, device, Dtype(dtype)
        self._model: ModelEncoder | None = None
        self._placement = recall(self._placement_key) or self._choose_placement()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_model": None}  # the model is loaded again where it is needed

    @property
    def languages(self) -> tuple[str, ...] | None:
        """ISO 639 codes of the languages that the model reads; None: unknown."""
        return self.files.languages

    @property
    def name(self) -> str:
        """The model reference that the user gave."""
        return self.files.name

    @property
    def dtype(self) -> str:
        """The dtype of the model; loading the model may correct the stored value."""
        return self._placement[0]

    @property
    def device(self) -> str:
        """The device of the model; loading the model may correct the stored value."""
        return self._placement[1]

    @cached_property
    def identity(self) -> str:
        """String that differs between weights and prompts; see `model_identity`.

        :return: a part of cache keys.
        """
        return model_identity(self.files, self._template)

    @property
    def hidden_size(self) -> int:
        """Size of the hidden states."""
        return self.model.hidden_size

    def vector_size(self, options: EncodeOptions) -> int:
        """Return the length of the vectors; see `BaseEncoder`.

        :param options: how texts become vectors.
        """
        return self.model.vector_size(options)

    @property
    def model(self) -> ModelEncoder:
        """The loaded model.

        :raises ModelError: when it cannot be loaded.
        """
        if self._model is None:
            from inbedder_cli.encoders.transformers.loading import encoder_from_files

            self._model = encoder_from_files(
                self.files, template=self._template, device=self._requested_device, dtype=self._requested_dtype
            )
            self._model.fast_paths |= recall(self._fast_paths_key) or {}
            self._placement = [self._model.dtype, self._model.device]
            remember(self._placement_key, self._placement)
        return self._model

    @property
    def weights_bytes(self) -> int:
        """Memory that loading takes at most: those of an adapter are merged in float32, and then cast."""
        weights = sum(file.stat().st_size for file in self.files.folder.glob("*.safetensors"))
        return weights * (3 if self.files.adapter else 1)

    def write_weights(self, path: Path) -> bool:
        """Write the weights to a file, and map them from it; see `BaseEncoder`.

        :param path: the file to make.
        :return: whether it was written: only those on a CPU are.
        """
        from safetensors.torch import save_file

        model = self.model.model
        if model.device.type != "cpu":
            return False
        save_file({name: value.detach().contiguous() for name, value in model.named_parameters()}, path)
        self.map_weights(path)
        return True

    def map_weights(self, path: Path) -> None:
        """Replace the weights by those in a file; see `BaseEncoder`.

        :param path: the file.
        :raises ValueError: when it holds others.
        """
        from safetensors import safe_open

        parameters = dict(self.model.model.named_parameters())
        with safe_open(path, framework="pt") as file:
            mapped = {name: file.get_tensor(name) for name in parameters}
        for name, value in mapped.items():
            if (value.shape, value.dtype) != (parameters[name].shape, parameters[name].dtype):
                raise ValueError(f"{path} holds another {name}")
        for name, value in mapped.items():
            parameters[name].data = value

    def encode_batches(
        self,
        texts: Sequence[str],
        instruction: str,
        options: EncodeOptions | None = None,
        reporter: Reporter = SILENT,
        known: Container[str] = (),
    ) -> Iterator[dict[str, EncodedText]]:
        """Yield encoded texts batch by batch; see `Encoder`.

        :param texts: distinct texts.
        :param instruction: the question to ask about each text.
        :param options: how texts become vectors and answers; None takes the defaults.
        :param reporter: receives progress and warnings.
        :param known: texts to skip.
        :yield: the rows of one batch, by text.
        """
        model, n_rows, seconds = self.model, 0, 0.0
        start = time.perf_counter()
        for rows in model.encode_batches(texts, instruction, options, reporter, known):
            seconds += time.perf_counter() - start
            n_rows += len(rows)
            yield rows
            start = time.perf_counter()
        remember_speed(self.name, n_rows, seconds)
        self._remember_fast_paths()

    def preview(self, texts: Sequence[str], instruction: str, options: EncodeOptions) -> Preview:
        """Return the estimate of `encode`; see `Encoder`.

        :param texts: texts in any order, at least one.
        :param instruction: the question to ask about each text.
        :param options: how texts become vectors and answers.
        :return: the prompt of the first text, counts, and the estimated time.
        """
        preview = self.model.preview(texts, instruction, options)
        self._remember_fast_paths()
        return preview

    def _choose_placement(self) -> list[str]:
        """Return dtype and device of the model, from its configuration alone."""
        from inbedder_cli.encoders.transformers.loading import choose_placement

        device, dtype = choose_placement(self.files, self._requested_device, self._requested_dtype)
        placement = [str(dtype).removeprefix("torch."), str(device)]
        remember(self._placement_key, placement)
        return placement

    def _remember_fast_paths(self) -> None:
        """Store the fast paths that work; the others are checked again, since memory may have been short."""
        if working := {name: True for name, works in self.model.fast_paths.items() if works}:
            remember(self._fast_paths_key, working)

    @property
    def _setting(self) -> str:
        return f"{self.identity} {self._requested_device} {self._requested_dtype} {machine()}"

    @property
    def _placement_key(self) -> str:
        return f"dtype and device: {self._setting}"

    @property
    def _fast_paths_key(self) -> str:
        from inbedder_cli import __version__

        return f"fast paths: {self._setting} transformers {version('transformers')} inbedder {__version__}"


def model_identity(files: ModelFiles, template: str | None) -> str:
    """Return a string that differs between weights, adapters, templates, layers and poolings.

    :param files: the resolved model.
    :param template: the requested template; None takes the model's own.
    :return: a part of cache keys.
    """
    weights, adapter = files.revision, files.adapter
    if not weights:
        weights = cached_value(f"files: {folder_state(files.folder)}", lambda: hash_folder(files.folder))
    added = adapter and cached_value(f"files: {folder_state(adapter)}", lambda: hash_folder(adapter))
    own = {
        name: str(getattr(files, name)) for name in ("layer", "pooling", "architecture", "n_masks", "standardize")
    }
    return json.dumps([weights, added, template or files.template, own])


def hash_folder(folder: Path) -> str:
    """Return the SHA-256 of the files in a folder that vectors and answers depend on.

    :param folder: of a model or an adapter.
    :return: hexadecimal digits.
    """
    from inbedder_cli.models.convert import file_sha256
    from inbedder_cli.models.folder import is_loaded

    files = [file for file in sorted(folder.iterdir()) if file.is_file() and is_loaded(file)]
    lines = "".join(f"{file.name} {file_sha256(file)}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()
