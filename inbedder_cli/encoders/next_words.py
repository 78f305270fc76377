"""What the answers might have begun with: the likeliest first words of each, and what clusters have more of.

InBedder reads a cluster a second time by what its mean state would say. Here the mean is taken over the
probabilities of
words, not over states: it needs no model once the rows are read, and means the same for every layer and pooling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

LIKELY = 8  # words kept of each answer
LEAST_EXCESS = 0.01  # of a word's mean probability in a cluster over that in all rows


@dataclass(frozen=True)
class NextWords:
    """The likeliest first words of many answers, as tables: one row per answer.

    :param words: all that occur, in lower case; a long word may be its beginning, as models spell it.
    :param ids: places in `words`, the likeliest first, int32, shape (n_answers, LIKELY).
    :param probabilities: of these words, 0 to 1 (0 where an answer has fewer), float32, of the same shape.
    """

    words: list[str]
    ids: npt.NDArray[np.int32]
    probabilities: npt.NDArray[np.float32]

    def of(self, rows: Sequence[int]) -> NextWords:
        """Return those of some answers."""
        return NextWords(self.words, self.ids[rows], self.probabilities[rows])

    def spread(self, rows: Sequence[int], n: int) -> NextWords:
        """Return a table of n answers in which these have the places `rows`; the others have no words."""
        ids, probabilities = np.zeros((n, LIKELY), np.int32), np.zeros((n, LIKELY), np.float32)
        ids[rows], probabilities[rows] = self.ids, self.probabilities
        return NextWords(self.words, ids, probabilities)

    def means(self) -> npt.NDArray[np.float64]:
        """Return each word's mean probability over the answers."""
        totals = np.bincount(self.ids.ravel(), weights=self.probabilities.ravel(), minlength=len(self.words))
        return totals[: len(self.words)] / max(1, len(self.ids))


def next_words(answers: Iterable[Sequence[tuple[str, float]]]) -> NextWords:
    """Return the tables for answers given as (word, probability) each, the likeliest first.

    >>> next_words([[("joy", 0.5), ("love", 0.25)]]).means()
    array([0.5 , 0.25])
    """
    places: dict[str, int] = {}
    ids, probabilities = [], []
    for answer in answers:
        some = answer[:LIKELY]
        missing = LIKELY - len(some)
        ids.append([places.setdefault(word, len(places)) for word, _ in some] + [0] * missing)
        probabilities.append([probability for _, probability in some] + [0.0] * missing)
    shape = (len(ids), LIKELY)
    return NextWords(
        list(places), np.array(ids, np.int32).reshape(shape), np.array(probabilities, np.float32).reshape(shape)
    )


def lens(words: NextWords, labels: npt.NDArray[np.int64], n: int) -> dict[int, list[str]]:
    """Return each cluster's words whose mean probability exceeds most that over all rows, the most first.

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
