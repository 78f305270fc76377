"""The most probable first words of each answer, with their probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

LIKELY = 8  # words of each answer in a table
RANKED = 16  # words of each answer that an encoder returns and caches: a teacher's labels hold them all


@dataclass(frozen=True, eq=False)
class NextWords:
    """The most probable first words of many answers, as tables with one row per answer.

    :param words: the vocabulary, in lower case; a long word may be cut where the model's tokens are.
    :param ids: indices into `words`, the most probable first, int32, shape (n_answers, LIKELY).
    :param probabilities: of these words, 0 to 1, float32, same shape; 0 pads answers with fewer words.
    """

    words: list[str]
    ids: npt.NDArray[np.int32]
    probabilities: npt.NDArray[np.float32]

    def of(self, rows: Sequence[int]) -> NextWords:
        """Return the words of some answers.

        :param rows: indices of the answers.
        :return: a table with these rows and the same vocabulary.
        """
        return NextWords(self.words, self.ids[rows], self.probabilities[rows])

    def spread(self, rows: Sequence[int], n: int) -> NextWords:
        """Return a table of n answers, in which these answers take the given rows; other rows have no words.

        :param rows: the row of each answer in the new table.
        :param n: number of rows of the new table.
        :return: a table of n rows.
        """
        ids, probabilities = np.zeros((n, LIKELY), np.int32), np.zeros((n, LIKELY), np.float32)
        ids[rows], probabilities[rows] = self.ids, self.probabilities
        return NextWords(self.words, ids, probabilities)

    def means(self) -> npt.NDArray[np.float64]:
        """Return the mean probability of each word over all answers, shape (n_words,).

        :return: float64, shape (n_words,).
        """
        totals = np.bincount(self.ids.ravel(), weights=self.probabilities.ravel(), minlength=len(self.words))
        return totals[: len(self.words)] / max(1, len(self.ids))

    @classmethod
    def concat(cls, parts: Sequence[NextWords]) -> NextWords:
        """Join tables of consecutive answers; their vocabularies are merged.

        :param parts: the tables, in the order of their answers.
        :return: one table with the rows of all parts.

        >>> parts = [next_words([[("joy", 0.5)]]), next_words([[("love", 0.5), ("joy", 0.25)]])]
        >>> joined = NextWords.concat(parts)
        >>> joined.words, joined.ids[:, :2].tolist()
        (['joy', 'love'], [[0, 0], [1, 0]])
        """
        places: dict[str, int] = {}
        ids = [np.zeros((0, LIKELY), np.int32)]
        for part in parts:
            renumbered = np.array([places.setdefault(word, len(places)) for word in part.words] or [0], np.int32)
            ids.append(np.where(part.probabilities > 0, renumbered[part.ids], np.int32(0)))
        probabilities = [np.zeros((0, LIKELY), np.float32), *(part.probabilities for part in parts)]
        return cls(list(places), np.concatenate(ids), np.concatenate(probabilities))


def next_words(answers: Iterable[Sequence[tuple[str, float]]]) -> NextWords:
    """Return the table of answers that are given as (word, probability) pairs, the most probable first.

    :param answers: the pairs of each answer; those after the first `LIKELY` are dropped.
    :return: a table with one row per answer.

    >>> next_words([[("joy", 0.5), ("love", 0.25)]]).means()
    array([0.5 , 0.25])
    """
    places: dict[str, int] = {}
    ids, probabilities = [], []
    for answer in answers:
        kept = answer[:LIKELY]
        missing = LIKELY - len(kept)
        ids.append([places.setdefault(word, len(places)) for word, _ in kept] + [0] * missing)
        probabilities.append([probability for _, probability in kept] + [0.0] * missing)
    shape = (len(ids), LIKELY)
    return NextWords(
        list(places), np.array(ids, np.int32).reshape(shape), np.array(probabilities, np.float32).reshape(shape)
    )
