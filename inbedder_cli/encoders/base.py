"""The Encoder protocol, a base class for backends, and the data that encoders return."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from inbedder_cli.encoders.encoded import ResultBuffer
from inbedder_cli.options import EncodeOptions
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence
    from pathlib import Path

    from inbedder_cli.encoders.encoded import Encoded, EncodedText
    from inbedder_cli.progress import Reporter

PROBE_ROWS = 16  # texts that a preview encodes to estimate the time of a run


@dataclass(frozen=True)
class Preview:
    """The cost of a run, estimated from a few texts.

    :param prompt: the prompt of the first text.
    :param n_unique: number of distinct texts.
    :param n_tokens: number of prompt tokens over all of them.
    :param n_truncated: number of texts that would be truncated.
    :param seconds: estimated time of the whole run.
    :param n_cached: number of distinct texts that are cached, and need no time.
    """

    prompt: str
    n_unique: int
    n_tokens: int
    n_truncated: int
    seconds: float
    n_cached: int = 0


@dataclass(frozen=True)
class ModelRecord:
    """How to load an encoder again; stored in saved runs.

    :param reference: model reference for `load_encoder`; a folder as an absolute path.
    :param description: name, dtype and device, in one line.
    :param identity: see `Encoder.identity`.
    :param template: the requested template; None takes the model's own.
    :param dtype: the requested dtype, which may be "auto".
    """

    reference: str
    description: str
    identity: str
    template: str | None = None
    dtype: str = "auto"


class Encoder(Protocol):
    """Turns texts and an instruction into vectors and answers.

    A new backend derives from `BaseEncoder`, which provides most of this.
    """

    @property
    def name(self) -> str:
        """Name of the model in messages."""

    @property
    def dtype(self) -> str:
        """The dtype it computes in, for example "bfloat16"."""

    @property
    def device(self) -> str:
        """The device it computes on, for example "cpu" or "cuda:0"."""

    @property
    def identity(self) -> str:
        """String that differs between weights, adapters, templates, layers and poolings; part of cache keys."""

    @property
    def languages(self) -> tuple[str, ...] | None:
        """ISO 639 codes of the languages that it reads; None: unknown."""

    @property
    def record(self) -> ModelRecord | None:
        """How to load it again; None when it was not loaded by `load_encoder`."""

    @property
    def description(self) -> str:
        """Name, dtype and device in one line, for display; see `describe`."""

    def encode(
        self,
        texts: Sequence[str],
        instruction: str,
        options: EncodeOptions | None = None,
        reporter: Reporter = SILENT,
    ) -> Encoded:
        """Return one vector, and one answer, per text.

        :param texts: texts in any order; equal ones are encoded once.
        :param instruction: the question to ask about each text.
        :param options: how texts become vectors and answers; None takes the defaults.
        :param reporter: receives progress and warnings.
        :return: rows in the order of the texts.
        :raises UsageError: for an empty instruction, a layer that the model does not have, or a pooling that its
            architecture does not support.
        :raises OutOfMemoryError: when even one text does not fit into memory.
        """

    def encode_batches(
        self,
        texts: Sequence[str],
        instruction: str,
        options: EncodeOptions | None = None,
        reporter: Reporter = SILENT,
        known: Container[str] = (),
    ) -> Iterator[dict[str, EncodedText]]:
        """Yield encoded texts batch by batch, in any order; raises what `encode` does.

        :param texts: distinct texts.
        :param instruction: the question to ask about each text.
        :param options: how texts become vectors and answers; None takes the defaults.
        :param reporter: receives progress and warnings.
        :param known: texts to skip. They must not change the other texts' numbers by more than rounding.
        :return: an iterator over the rows of each batch, by text.
        """

    def preview(self, texts: Sequence[str], instruction: str, options: EncodeOptions) -> Preview:
        """Return the prompt, the counts and the estimated time of `encode`.

        :param texts: texts in any order, at least one.
        :param instruction: the question to ask about each text.
        :param options: how texts become vectors and answers.
        :return: the prompt of the first text, counts, and the estimated time.
        """


class BaseEncoder:
    """Base class of encoders: a subclass sets `name` and `identity`, and defines `encode_batches`.

    Both may be attributes or properties, like `dtype`, `device` and `hidden_size`, which have defaults. `identity`
    must differ between models that return different vectors or answers; see `Encoder`. A subclass that is never
    cached may define `encode` instead of `encode_batches`.
    """

    loaded_as: tuple[str, str | None, str] | None = None  # reference, template and dtype; set by `load_encoder`

    if TYPE_CHECKING:  # read-only, so that subclasses may define attributes or properties

        @property
        def name(self) -> str: ...  # noqa: D102

        @property
        def identity(self) -> str: ...  # noqa: D102

        @property
        def dtype(self) -> str: ...  # noqa: D102

        @property
        def device(self) -> str: ...  # noqa: D102

        @property
        def hidden_size(self) -> int: ...  # noqa: D102

        @property
        def languages(self) -> tuple[str, ...] | None: ...  # noqa: D102

        @property
        def weights_bytes(self) -> int: ...  # noqa: D102

    else:
        dtype = "float32"
        device = "cpu"
        hidden_size = 0  # only needed for the shape of no vectors
        languages = None
        weights_bytes = 0  # memory that loading the weights takes, if it is known

    def __deepcopy__(self, memo: object) -> Self:
        return self  # an encoder does not change: scikit-learn's clone need not copy the weights

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
        :return: an iterator over the rows of each batch, by text.
        """
        raise NotImplementedError(f"{type(self).__name__} does not encode in batches, which caching needs")

    def encode(
        self,
        texts: Sequence[str],
        instruction: str,
        options: EncodeOptions | None = None,
        reporter: Reporter = SILENT,
    ) -> Encoded:
        """Return one vector, and one answer, per text; see `Encoder`.

        :param texts: texts in any order; equal ones are encoded once.
        :param instruction: the question to ask about each text.
        :param options: how texts become vectors and answers; None takes the defaults.
        :param reporter: receives progress and warnings.
        :return: rows in the order of the texts.
        """
        options = options or EncodeOptions()
        buffer = ResultBuffer(texts, options)
        for rows in self.encode_batches(buffer.texts, instruction, options, reporter):
            buffer.add(rows)
        return buffer.encoded(self.vector_size(options))

    def vector_size(self, options: EncodeOptions) -> int:
        """Return the length of the vectors: that of the hidden states, unless the pooling has one of its own.

        :param options: how texts become vectors.
        """
        return self.hidden_size

    def preview(self, texts: Sequence[str], instruction: str, options: EncodeOptions) -> Preview:
        """Return counts and the time of `encode`, estimated from a few texts; words are counted as tokens.

        :param texts: texts in any order, at least one.
        :param instruction: the question to ask about each text.
        :param options: how texts become vectors and answers.
        :return: counts and the estimated time.
        """
        unique = sorted(set(texts), key=len)
        probe = unique[:: max(1, len(unique) // PROBE_ROWS)]
        start = time.perf_counter()
        encoded = self.encode(probe, instruction, options)
        seconds = (time.perf_counter() - start) * len(unique) / max(1, len(probe))
        n_tokens = sum(len(text.split()) + len(instruction.split()) for text in unique)
        return Preview(f"{instruction}\n\n{texts[0]}", len(unique), n_tokens, encoded.n_truncated, seconds)

    def write_weights(self, path: Path) -> bool:
        """Write the weights to a file that other processes map, so that they are in memory once.

        :param path: the file to make.
        :return: whether it was written; the default writes none.
        """
        return False

    def map_weights(self, path: Path) -> None:
        """Replace the weights by those in a file of `write_weights`, which must be the same.

        :param path: the file; it is mapped into memory, and must stay as it is.
        """

    @property
    def record(self) -> ModelRecord | None:
        """How to load it again; None when it was not loaded by `load_encoder`."""
        if self.loaded_as is None:
            return None
        reference, template, dtype = self.loaded_as
        return ModelRecord(reference, self.description, self.identity, template, dtype)

    @property
    def description(self) -> str:
        """Name, dtype and device in one line, for display."""
        return describe(self)


def describe(encoder: Encoder) -> str:
    """Return an encoder's name, dtype and device in one line, for display.

    :param encoder: any encoder.
    :return: for example "inbedder-135m, bfloat16 on cpu".
    """
    return f"{encoder.name}, {encoder.dtype} on {encoder.device}"
