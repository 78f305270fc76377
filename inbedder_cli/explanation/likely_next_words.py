"""First words of answers that are more probable in a cluster than in all rows.

InBedder decodes a cluster's mean hidden state to describe it. Here the mean is taken over the square roots of
word probabilities instead, in which many rows that find a word somewhat likely weigh more than one that is
certain. This needs no model once texts are encoded, and works for every layer and pooling.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.explanation.stop_words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from inbedder_cli.encoders.next_words import NextWords

MIN_EXCESS = 0.02  # least difference of a word's mean square root in the cluster and in all rows
MIN_ROWS = 2  # of the cluster that have the word among their likeliest
MIN_LETTERS = 3  # of a word that only texts hold: a shorter one is likelier the beginning of another one
TEXT_CHARACTERS = 1000  # of a text that are read for its words


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
        words_by_cluster[cluster] = exceeding(words.words, roots, everywhere, n_rows, n)
    return words_by_cluster


def exceeding(
    words: Sequence[str],
    roots: npt.NDArray[np.float64],
    everywhere: npt.NDArray[np.float64],
    n_rows: npt.NDArray[np.intp],
    n: int,
) -> list[str]:
    """Return the words of a cluster that are likelier in it than in all rows, the largest excess first.

    :param words: the vocabulary.
    :param roots: mean square root of each word's probability in the cluster, shape (n_words,).
    :param everywhere: the same over all rows.
    :param n_rows: rows of the cluster that have the word, same shape.
    :param n: largest number of words.
    """
    excess = np.where(n_rows >= MIN_ROWS, roots - everywhere, 0)
    best = sorted(range(len(words)), key=lambda i: (-excess[i], words[i]))[:n]
    return [words[i] for i in best if excess[i] >= MIN_EXCESS]


def _mean_roots(words: NextWords) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Return each word's mean square root of the probability over all answers, and the number that have it."""
    roots, n_words = np.sqrt(words.probabilities).ravel(), len(words.words)
    totals = np.bincount(words.ids.ravel(), weights=roots, minlength=n_words)[:n_words]
    n_rows = np.bincount(words.ids.ravel()[roots > 0], minlength=n_words)
    return totals / max(1, len(words.ids)), n_rows


@dataclass(frozen=True)
class KnownWords:
    """The words of answers and texts, which tell a word from the first token of a longer one.

    A tokenizer cannot: with or without a mark of the space before it, a token may be a part of a word.

    :param answers: words of answers, sorted.
    :param texts: words of texts.
    """

    answers: list[str]
    texts: frozenset[str]

    @classmethod
    def of(cls, answers: Iterable[str], texts: Iterable[str]) -> KnownWords:
        """Return the words of answers and texts.

        :param answers: in any order.
        :param texts: likewise.
        """
        return cls(sorted(_words(answers)), frozenset(_words(text[:TEXT_CHARACTERS] for text in texts)))

    def complete(self, tokens: Iterable[str]) -> list[str]:
        """Return the words that tokens are, or begin; without those of which neither is known.

        :param tokens: first tokens of answers, in lower case.
        :return: different words, in the order of the tokens.
        """
        return [word for word in dict.fromkeys(map(self._word_of, tokens)) if word]

    def _word_of(self, token: str) -> str:
        """Return the token if it is a word, the only word of an answer that begins with it, or else ""."""
        following = islice(self.answers, bisect_left(self.answers, token), None)
        begun = list(islice(takewhile(lambda word: word.startswith(token), following), 2))
        if token in begun or len(begun) == 1:
            return token if token in begun else begun[0]
        return token if not begun and len(token) >= MIN_LETTERS and token in self.texts else ""


def _words(texts: Iterable[str]) -> set[str]:
    return {word.casefold() for text in texts for word in words_of(text)}
