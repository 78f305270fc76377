"""What every encoder promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from inbedder_cli.talk import SILENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from inbedder_cli.first_words import FirstWords
    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.talk import Talk


class Answer(NamedTuple):
    """What a model said to one text.

    :param confidence: the geometric mean of the chances of the answer's tokens, its end among them, 0 to 1.
    :param words: the likeliest first words, with their chances (`first_words`).
    """

    text: str
    confidence: float
    words: tuple[tuple[str, float], ...] = ()


class Row(NamedTuple):
    """What reading one text gave.

    :param vector: float32, shape (hidden_size,).
    :param answer: None when none was decoded.
    :param shortened: whether the text was shortened to fit.
    """

    vector: npt.NDArray[np.float32]
    answer: Answer | None
    shortened: bool


@dataclass(frozen=True)
class Encoded:
    """The result of reading texts under one instruction.

    :param vectors: float32, shape (n_texts, hidden_size).
    :param answers: one per text, or None when none were decoded.
    :param confidences: of the answers (see `Answer`), shape (n_texts,), or None.
    :param n_unique: how many different texts were computed.
    :param n_shortened: how many of these were shortened to fit.
    :param first_words: of the answers, where a model decoded them.
    """

    vectors: npt.NDArray[np.float32]
    answers: list[str] | None
    confidences: npt.NDArray[np.float32] | None
    n_unique: int
    n_shortened: int
    first_words: FirstWords | None = None


def encoded_from(
    texts: Sequence[str], read: Mapping[str, Row], options: EncodeOptions, hidden_size: int = 0
) -> Encoded:
    """Return the result for texts from what reading each different one of them gave.

    :param hidden_size: of no vectors at all.
    """
    import numpy as np

    from inbedder_cli.first_words import first_words

    rows = [read[text] for text in texts]
    answers = [row.answer or Answer("", 0.0) for row in rows]
    return Encoded(
        vectors=np.stack([row.vector for row in rows]) if rows else np.empty((0, hidden_size), np.float32),
        answers=[answer.text for answer in answers] if options.answers else None,
        confidences=np.array([answer.confidence for answer in answers], np.float32) if options.answers else None,
        n_unique=len(read),
        n_shortened=sum(row.shortened for row in read.values()),
        first_words=first_words(answer.words for answer in answers) if options.answers else None,
    )


@dataclass(frozen=True)
class Preview:
    """What a run would do, from a few rows tried.

    :param prompt: the first text's prompt, as the model reads it.
    :param n_unique: different texts.
    :param n_tokens: prompt tokens over all of them.
    :param n_shortened: texts that would be shortened.
    :param seconds: estimated time of the whole run.
    """

    prompt: str
    n_unique: int
    n_tokens: int
    n_shortened: int
    seconds: float


class Encoder(Protocol):
    """A loaded language model that answers a question about each text."""

    @property
    def description(self) -> str:
        """One line: model, number format, device."""

    def encode(
        self, texts: Sequence[str], instruction: str, options: EncodeOptions, talk: Talk = SILENT
    ) -> Encoded:
        """Return one vector, and one answer, per text, in their order.

        :raises UsageProblem: for an empty instruction, a layer that the model does not have, or a readout
            that means nothing for its kind.
        :raises OutOfMemory: when even one text does not fit.
        """

    def preview(self, texts: Sequence[str], instruction: str, options: EncodeOptions) -> Preview:
        """Return what `encode` would do, without doing it."""
