"""First words of answers that are more probable in a cluster than in all rows.

InBedder decodes a cluster's mean hidden state to describe it. Here the mean is taken over word probabilities
instead: this needs no model once texts are encoded, and works for every layer and pooling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from inbedder_cli.encoders.next_words import NextWords

MIN_EXCESS = 0.01  # least difference of a word's mean probability in the cluster and in all rows


def likely_next_words(words: NextWords, labels: npt.NDArray[np.int64], n: int) -> dict[int, list[str]]:
    """Return each cluster's words whose mean probability most exceeds that over all rows, largest excess first.

    :param words: the most probable first words of each answer.
    :param labels: the cluster of each answer, shape (n_answers,).
    :param n: largest number of words per cluster.
    :return: the words of each cluster.
    """
    everywhere = words.means()
    words_by_cluster: dict[int, list[str]] = {}
    for cluster in np.unique(labels).tolist():
        excess = words.of(np.flatnonzero(labels == cluster)).means() - everywhere  # type: ignore[arg-type]
        best = sorted(range(len(excess)), key=lambda i: (-excess[i], words.words[i]))[:n]
        words_by_cluster[cluster] = [words.words[i] for i in best if excess[i] >= MIN_EXCESS]
    return words_by_cluster
