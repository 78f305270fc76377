"""Embeddings: the vectors and answers of a corpus, and which of its rows can be clustered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from inbedder_cli.clustering import NOISE
from inbedder_cli.explanation.variants import unify_answers
from inbedder_cli.options import EncodeOptions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from inbedder_cli.encoders.base import ModelRecord
    from inbedder_cli.encoders.next_words import NextWords
    from inbedder_cli.units import Units


class RowStatus(StrEnum):
    """Whether a row was clustered, and if not, why."""

    ok = "ok"
    empty = "empty"  # it has no text
    noise = "noise"  # the algorithm put it into no cluster
    no_answer = "no-answer"  # its answer does not answer the question
    failed = "failed"  # its vector is not finite


@dataclass(frozen=True, eq=False, repr=False)
class Embeddings:
    """Vectors and answers of a whole corpus, one per row, in its order.

    :param vectors: float32, shape (n_rows, n_features), NaN where a row has no vector; n_features is 1,024 with
        the pooling `answer-words`, else the hidden size of the model.
    :param answers: one per row, None where a row has none; or None when none were decoded.
    :param status: one per row: ok, empty, failed, or (after `flag_unanswered`) no-answer.
    :param n_unique: different texts that were encoded.
    :param n_truncated: how many of them were truncated to fit.
    :param instruction: the question, if known.
    :param model: the encoder in one line, if known.
    :param confidences: of the answers, 0 to 1, shape (n_rows,), NaN where a row has none; or None.
    :param next_words: the most probable first words of each answer; None if not computed.
    :param record: how to load the encoder again; None if it was not loaded by name.
    :param options: how the texts were encoded.
    :param unread_languages: languages of texts that the encoder does not read, as shares of the texts, 0 to 1, by
        ISO 639 code (`diagnostics.languages`); empty if it reads them, or this is not known.
    :param units: which row each answer belongs to, where a row may have several answers; then "row" means a unit
        in all of the above, which is a row of `units.corpus`. None: every row has one answer.
    """

    vectors: npt.NDArray[np.float32]
    answers: list[str | None] | None
    status: list[RowStatus]
    n_unique: int = 0
    n_truncated: int = 0
    instruction: str | None = None
    model: str | None = None
    confidences: npt.NDArray[np.float32] | None = None
    next_words: NextWords | None = None
    record: ModelRecord | None = None
    options: EncodeOptions = field(default_factory=EncodeOptions)
    unread_languages: dict[str, float] = field(default_factory=dict)
    units: Units | None = None

    def __repr__(self) -> str:
        counts = ", ".join(f"{n:,} {status}" for status, n in Counter(map(str, self.status)).items())
        return f"<Embeddings {' x '.join(map(str, self.vectors.shape))}: {counts}>"

    @property
    def rows(self) -> list[int]:
        """Indices of the rows that can be clustered: those with a vector, without the unanswered ones."""
        return [i for i, status in enumerate(self.status) if status is RowStatus.ok]

    @property
    def clusterable(self) -> npt.NDArray[np.float32]:
        """Vectors of these rows, copied only where rows are left out: a copy takes as much memory again."""
        rows = self.rows
        return self.vectors if len(rows) == len(self.vectors) else self.vectors[rows]

    @property
    def clusterable_answers(self) -> list[str] | None:
        """Answers of the rows that can be clustered; None if none were decoded."""
        return None if self.answers is None else [self.answers[i] or "" for i in self.rows]

    @cached_property
    def unified_answers(self) -> list[str] | None:
        """These answers, in which those that mean the same are the same; or None."""
        answers = self.clusterable_answers
        return None if answers is None else unify_answers(answers, self.instruction or "", self.clusterable)

    @property
    def unanswered(self) -> list[int]:
        """Indices of the rows that were flagged as unanswered."""
        return [i for i, status in enumerate(self.status) if status is RowStatus.no_answer]

    @property
    def n_read(self) -> int:
        """Number of rows that have a vector: those that shares refer to. Several units of one row are one."""
        read = [*self.rows, *self.unanswered]
        return self.units.n_rows(read) if self.units else len(read)

    def status_with_noise(self, labels: npt.NDArray[np.int64]) -> list[RowStatus]:
        """Return the status of every row after clustering.

        :param labels: clusters of the rows that can be clustered, shape (len(rows),), -1 for noise.
        """
        status = list(self.status)
        for row, label in zip(self.rows, labels.tolist(), strict=True):
            if label == NOISE:
                status[row] = RowStatus.noise
        return status
