"""What every encoder promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from inbedder_cli.encoders.next_words import NextWords
    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.progress import Reporter


class Answer(NamedTuple):
    """What a model said to one text.

    :param confidence: the geometric mean of the probabilities of the answer's tokens, its end among them, 0 to 1.
    :param words: the likeliest first words, with their probabilities (`next_words`).
    """

    text: str
    confidence: float
    words: tuple[tuple[str, float], ...] = ()


class EncodedText(NamedTuple):
    """What reading one text gave.

    :param vector: float32, shape (hidden_size,).
    :param answer: None when none was decoded.
    :param truncated: whether the text was truncated to fit.
    """

    vector: npt.NDArray[np.float32]
    answer: Answer | None
    truncated: bool


@dataclass(frozen=True)
class Encoded:
    """The result of reading texts under one instruction.

    :param vectors: float32, shape (n_texts, hidden_size).
    :param answers: one per text, or None when none were decoded.
    :param confidences: of the answers (see `Answer`), shape (n_texts,), or None.
    :param n_unique: how many different texts were computed.
    :param n_truncated: how many of these were truncated to fit.
    :param next_words: of the answers, where a model decoded them.
    """

    vectors: npt.NDArray[np.float32]
    answers: list[str] | None
    confidences: npt.NDArray[np.float32] | None
    n_unique: int
    n_truncated: int
    next_words: NextWords | None = None


class ResultBuffer:
    """Rows as they come, in one array where their texts stand: 10 million vectors have no room to lie about twice.

    :param texts: in the order that is wanted; those that are alike share a row.
    :param options: whether answers are wanted.
    """

    def __init__(self, texts: Sequence[str], options: EncodeOptions) -> None:
        self.texts = list(dict.fromkeys(texts))  # each once
        self._places = {text: i for i, text in enumerate(self.texts)}
        self._order = None if len(self.texts) == len(texts) else [self._places[text] for text in texts]
        self._wants_answers = options.answers
        self._done = bytearray(len(self.texts))
        self._answers = [Answer("", 0.0)] * len(self.texts)
        self._n_shortened = 0
        self._vectors: npt.NDArray[np.float32] | None = None

    def __contains__(self, text: object) -> bool:
        """Return whether one of the texts has its row."""
        return bool(self._done[self._places[text]])  # type: ignore[index]

    @property
    def n_done(self) -> int:
        """How many of the different texts have their row."""
        return sum(self._done)

    def add(self, rows: Mapping[str, EncodedText]) -> None:
        """Take the rows of some texts that have none."""
        import numpy as np

        for text, row in rows.items():
            i = self._places[text]
            if self._vectors is None:
                self._vectors = np.empty((len(self.texts), len(row.vector)), np.float32)
            self._vectors[i] = row.vector
            self._done[i] = True
            self._n_shortened += row.truncated
            if row.answer is not None:
                self._answers[i] = row.answer

    def encoded(self, hidden_size: int = 0) -> Encoded:
        """Return what came, when every text has its row.

        :param hidden_size: of no vectors at all.
        """
        import numpy as np

        from inbedder_cli.encoders.next_words import next_words

        vectors, answers = self._vectors, self._answers
        if vectors is None:
            vectors = np.empty((0, hidden_size), np.float32)
        if self._order is not None:
            vectors, answers = vectors[self._order], [answers[i] for i in self._order]
        spoken = answers if self._wants_answers else None
        return Encoded(
            vectors=vectors,
            answers=None if spoken is None else [answer.text for answer in spoken],
            confidences=None if spoken is None else np.array([answer.confidence for answer in spoken], np.float32),
            n_unique=len(self.texts),
            n_truncated=self._n_shortened,
            next_words=None if spoken is None else next_words(answer.words for answer in spoken),
        )


@dataclass(frozen=True)
class Preview:
    """What a run would do, from a few rows tried.

    :param prompt: the first text's prompt, as the model reads it.
    :param n_unique: different texts.
    :param n_tokens: prompt tokens over all of them.
    :param n_truncated: texts that would be truncated.
    :param seconds: estimated time of the whole run.
    """

    prompt: str
    n_unique: int
    n_tokens: int
    n_truncated: int
    seconds: float


@dataclass(frozen=True)
class ModelRecord:
    """What a saved run keeps of the encoder that made its vectors: enough to load the same one again.

    :param reference: what `load_encoder` takes; a folder as an absolute path.
    :param description: name, dtype and device, in one line.
    :param identity: another text for other weights, another adapter or another template.
    :param template: the template that was asked for; None: the model's own.
    :param dtype: the dtype that was asked for.
    """

    reference: str
    description: str
    identity: str
    template: str | None = None
    dtype: str = "auto"


class Encoder(Protocol):
    """A loaded language model that answers a question about each text."""

    @property
    def description(self) -> str:
        """One line: model, number format, device."""

    def encode(
        self, texts: Sequence[str], instruction: str, options: EncodeOptions, reporter: Reporter = SILENT
    ) -> Encoded:
        """Return one vector, and one answer, per text, in their order.

        :raises UsageError: for an empty instruction, a layer that the model does not have, or a pooling
            that means nothing for its architecture.
        :raises OutOfMemoryError: when even one text does not fit.
        """

    def preview(self, texts: Sequence[str], instruction: str, options: EncodeOptions) -> Preview:
        """Return what `encode` would do, without doing it."""
