"""The Encoder protocol, a base class for backends, and the data that encoders return."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from inbedder_cli.errors import InbedderError
from inbedder_cli.options import EncodeOptions
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from inbedder_cli.encoders.next_words import NextWords
    from inbedder_cli.progress import Reporter

PROBE_ROWS = 16  # texts that a preview encodes to estimate the time of a run


class Answer(NamedTuple):
    """A model's answer to one text.

    :param text: the answer.
    :param confidence: geometric mean of its token probabilities, the end token included, 0 to 1.
    :param next_words: the most probable first words with their probabilities, the most probable first.
    """

    text: str
    confidence: float
    next_words: tuple[tuple[str, float], ...] = ()


class EncodedText(NamedTuple):
    """One encoded text.

    :param vector: float32, shape (hidden_size,).
    :param answer: None when answers were not decoded.
    :param truncated: whether the text was truncated to fit the longest prompt.
    """

    vector: npt.NDArray[np.float32]
    answer: Answer | None
    truncated: bool


@dataclass(frozen=True)
class Encoded:
    """Texts encoded under one instruction.

    :param vectors: float32, shape (n_texts, hidden_size).
    :param answers: one per text, or None when answers were not decoded.
    :param confidences: of the answers (see `Answer`), float32, shape (n_texts,), or None.
    :param n_unique: number of distinct texts.
    :param n_truncated: number of distinct texts that were truncated.
    :param next_words: the most probable first words of each answer, or None when answers were not decoded.
    """

    vectors: npt.NDArray[np.float32]
    answers: list[str] | None
    confidences: npt.NDArray[np.float32] | None
    n_unique: int
    n_truncated: int
    next_words: NextWords | None = None

    @classmethod
    def concat(cls, parts: Sequence[Encoded]) -> Encoded:
        """Join consecutive shards of texts that were encoded under one instruction with the same options.

        The counts are summed: a text that occurs in several shards counts once in each.

        :param parts: the encoded shards in the order of their texts, at least one.
        :return: the same as encoding all texts at once, except for the counts.
        :raises ValueError: without shards, or when they differ in the size of vectors, or only some have answers.
        """
        import numpy as np

        from inbedder_cli.encoders.next_words import NextWords

        filled = [part for part in parts if len(part.vectors)] or list(parts[:1])
        if not filled:
            raise ValueError("there are no shards to concatenate")
        sizes = sorted({part.vectors.shape[1] for part in filled})
        if len(sizes) > 1:
            raise ValueError(f"the shards have vectors of different sizes: {sizes}")
        answers = [part.answers for part in filled if part.answers is not None]
        confidences = [part.confidences for part in filled if part.confidences is not None]
        words = [part.next_words for part in filled if part.next_words is not None]
        for name, some in (("answers", answers), ("confidences", confidences), ("next words", words)):
            if len(some) not in (0, len(filled)):
                raise ValueError(f"{len(some)} of {len(filled)} shards have {name}")
        return cls(
            vectors=np.concatenate([part.vectors for part in filled]),
            answers=[answer for part in answers for answer in part] if answers else None,
            confidences=np.concatenate(confidences) if confidences else None,
            n_unique=sum(part.n_unique for part in parts),
            n_truncated=sum(part.n_truncated for part in parts),
            next_words=NextWords.concat(words) if words else None,
        )


class ResultBuffer:
    """Collects encoded texts, in any order, into one preallocated array, so that vectors are in memory only once.

    :param texts: the texts to encode, in the order of the result; equal texts share a row.
    :param options: whether answers are decoded.
    """

    def __init__(self, texts: Sequence[str], options: EncodeOptions) -> None:
        self.texts = list(dict.fromkeys(texts))  # distinct
        self._places = {text: i for i, text in enumerate(self.texts)}
        self._order = None if len(self.texts) == len(texts) else [self._places[text] for text in texts]
        self._wants_answers = options.answers
        self._has_answers = not self.texts  # no texts, no answers: an empty list
        self._done = bytearray(len(self.texts))
        self._answers = [Answer("", 0.0)] * len(self.texts)
        self._n_truncated = 0
        self._vectors: npt.NDArray[np.float32] | None = None

    def __contains__(self, text: object) -> bool:
        """Return whether one of the texts has been added.

        :param text: one of the texts.
        :return: whether it has been added.
        """
        return bool(self._done[self._places[text]])  # type: ignore[index]

    @property
    def n_done(self) -> int:
        """Number of distinct texts that have been added."""
        return sum(self._done)

    def add(self, rows: Mapping[str, EncodedText]) -> None:
        """Add encoded texts.

        :param rows: by text; none of them was added before.
        """
        import numpy as np

        for text, row in rows.items():
            i = self._places[text]
            if self._vectors is None:
                self._vectors = np.empty((len(self.texts), len(row.vector)), np.float32)
            self._vectors[i] = row.vector
            self._done[i] = True
            self._n_truncated += row.truncated
            if row.answer is not None:
                self._answers[i] = row.answer
                self._has_answers = True

    def encoded(self, hidden_size: int = 0) -> Encoded:
        """Return the result, once every text has been added.

        :param hidden_size: size of the vectors, for the shape of the result when there are no texts.
        :return: rows in the order of the texts.
        :raises InbedderError: when a text has not been added.
        """
        import numpy as np

        from inbedder_cli.encoders.next_words import next_words

        if missing := len(self.texts) - self.n_done:
            raise InbedderError(f"the encoder returned nothing for {missing:,} of {len(self.texts):,} texts")
        vectors, answers = self._vectors, self._answers
        if vectors is None:
            vectors = np.empty((0, hidden_size), np.float32)
        if self._order is not None:
            vectors, answers = vectors[self._order], [answers[i] for i in self._order]
        decoded = answers if self._wants_answers and self._has_answers else None
        return Encoded(
            vectors=vectors,
            answers=None if decoded is None else [answer.text for answer in decoded],
            confidences=None if decoded is None else np.array([a.confidence for a in decoded], np.float32),
            n_unique=len(self.texts),
            n_truncated=self._n_truncated,
            next_words=None if decoded is None else next_words(answer.next_words for answer in decoded),
        )


@dataclass(frozen=True)
class Preview:
    """The cost of a run, estimated from a few texts.

    :param prompt: the prompt of the first text.
    :param n_unique: number of distinct texts.
    :param n_tokens: number of prompt tokens over all of them.
    :param n_truncated: number of texts that would be truncated.
    :param seconds: estimated time of the whole run.
    """

    prompt: str
    n_unique: int
    n_tokens: int
    n_truncated: int
    seconds: float


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

    else:
        dtype = "float32"
        device = "cpu"
        hidden_size = 0  # only needed for the shape of no vectors

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
        return buffer.encoded(self.hidden_size)

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
