"""What encoding texts gives: an encoded text, all of them as arrays, and the buffer that collects them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from inbedder_cli.errors import InbedderError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from inbedder_cli.encoders.next_words import NextWords
    from inbedder_cli.options import EncodeOptions


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

    :param vector: float32, shape (n_features,).
    :param answer: None when answers were not decoded.
    :param truncated: whether the text was truncated to fit the longest prompt.
    """

    vector: npt.NDArray[np.float32]
    answer: Answer | None
    truncated: bool


@dataclass(frozen=True, eq=False)
class Encoded:
    """Texts encoded under one instruction.

    :param vectors: float32, shape (n_texts, n_features).
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

    def encoded(self, vector_size: int = 0) -> Encoded:
        """Return the result, once every text has been added.

        :param vector_size: for the shape of the result when there are no texts.
        :return: rows in the order of the texts.
        :raises InbedderError: when a text has not been added.
        """
        import numpy as np

        from inbedder_cli.encoders.next_words import next_words

        if missing := len(self.texts) - self.n_done:
            raise InbedderError(f"the encoder returned nothing for {missing:,} of {len(self.texts):,} texts")
        vectors, answers = self._vectors, self._answers
        if vectors is None:
            vectors = np.empty((0, vector_size), np.float32)
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
