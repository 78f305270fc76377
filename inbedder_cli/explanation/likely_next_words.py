"""First words of answers that are more probable in a cluster than in all rows.

InBedder decodes a cluster's mean hidden state to describe it. Here the mean is taken over the square roots of
word probabilities instead, in which many rows that find a word somewhat likely weigh more than one that is
certain. This needs no model once texts are encoded, and works for every layer and pooling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from inbedder_cli.encoders.next_words import NextWords

MIN_EXCESS = 0.02  # least difference of a word's mean square root in the cluster and in all rows
MIN_ROWS = 2  # of the cluster that have the word among their likeliest


def likely_next_words(words: NextWords, labels: npt.NDArray[np.int64], n: int) -> dict[int, list[str]]:
    """Return each cluster's words whose mean root of the probability most exceeds that over all rows.

    :param words: the most probable first words of each answer.
    :param labels: the cluster of each answer, shape (n_answers,).
    :param n: largest number of words per cluster.
    :return: the words of each cluster, largest excess first, without those that only one of its rows has.
    """
    everywhere, _ = _mean_roots(words)
    words_by_cluster: dict[int, list[str]] = {}
    for cluster in np.unique(labels).tolist():
        roots, n_rows = _mean_roots(words.of(np.flatnonzero(labels == cluster)))  # type: ignore[arg-type]
        excess = np.where(n_rows >= MIN_ROWS, roots - everywhere, 0)
        best = sorted(range(len(excess)), key=lambda i: (-excess[i], words.words[i]))[:n]
        words_by_cluster[cluster] = [words.words[i] for i in best if excess[i] >= MIN_EXCESS]
    return words_by_cluster


def _mean_roots(words: NextWords) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Return each word's mean square root of the probability over all answers, and the number that have it."""
    roots, n_words = np.sqrt(words.probabilities).ravel(), len(words.words)
    totals = np.bincount(words.ids.ravel(), weights=roots, minlength=n_words)[:n_words]
    n_rows = np.bincount(words.ids.ravel()[roots > 0], minlength=n_words)
    return totals / max(1, len(words.ids)), n_rows
