"""What the answers might have begun with: the likeliest first words of each, and what clusters have more of.

InBedder reads a cluster a second time by what its mean state would say. Here the mean is taken over the chances of
words, not over states: it needs no model once the rows are read, and means the same for every layer and readout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

LIKELY = 8  # words kept of each answer
LEAST_EXCESS = 0.01  # of a word's mean chance in a cluster over that in all rows


@dataclass(frozen=True)
class FirstWords:
    """The likeliest first words of many answers, as tables: one row per answer.

    :param words: all that occur, in lower case; a long word may be its beginning, as models spell it.
    :param ids: places in `words`, the likeliest first, int32, shape (n_answers, LIKELY).
    :param chances: of these words, 0 to 1 (0 where an answer has fewer), float32, of the same shape.
    """

    words: list[str]
    ids: npt.NDArray[np.int32]
    chances: npt.NDArray[np.float32]

    def of(self, rows: Sequence[int]) -> FirstWords:
        """Return those of some answers."""
        return FirstWords(self.words, self.ids[rows], self.chances[rows])

    def spread(self, rows: Sequence[int], n: int) -> FirstWords:
        """Return a table of n answers in which these have the places `rows`; the others have no words."""
        ids, chances = np.zeros((n, LIKELY), np.int32), np.zeros((n, LIKELY), np.float32)
        ids[rows], chances[rows] = self.ids, self.chances
        return FirstWords(self.words, ids, chances)

    def means(self) -> npt.NDArray[np.float64]:
        """Return each word's mean chance over the answers."""
        totals = np.bincount(self.ids.ravel(), weights=self.chances.ravel(), minlength=len(self.words))
        return totals[: len(self.words)] / max(1, len(self.ids))


def first_words(answers: Iterable[Sequence[tuple[str, float]]]) -> FirstWords:
    """Return the tables for answers given as (word, chance) each, the likeliest first.

    >>> first_words([[("joy", 0.5), ("love", 0.25)]]).means()
    array([0.5 , 0.25])
    """
    places: dict[str, int] = {}
    ids, chances = [], []
    for answer in answers:
        some = answer[:LIKELY]
        missing = LIKELY - len(some)
        ids.append([places.setdefault(word, len(places)) for word, _ in some] + [0] * missing)
        chances.append([chance for _, chance in some] + [0.0] * missing)
    shape = (len(ids), LIKELY)
    return FirstWords(
        list(places), np.array(ids, np.int32).reshape(shape), np.array(chances, np.float32).reshape(shape)
    )


def lens(words: FirstWords, labels: npt.NDArray[np.int64], n: int) -> dict[int, list[str]]:
    """Return for each cluster the words whose mean chance there exceeds most that over all rows, the most first.

    :param labels: the cluster of each answer.
    :param n: words of a cluster, at most.
    """
    everywhere = words.means()
    found: dict[int, list[str]] = {}
    for cluster in np.unique(labels).tolist():
        excess = words.of(np.flatnonzero(labels == cluster)).means() - everywhere  # type: ignore[arg-type]
        best = sorted(range(len(excess)), key=lambda i: (-excess[i], words.words[i]))[:n]
        found[cluster] = [words.words[i] for i in best if excess[i] >= LEAST_EXCESS]
    return found
