"""Answers -> n-grams, ranked by how well they distinguish each cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering import NOISE
from inbedder_cli.explanation.stop_words import load_stop_words, repeated_words, words_of
from inbedder_cli.options import ExplainOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

LONGEST_PHRASE = 3  # words
MAX_CHARACTERS = 10_000  # of an answer; of texts, where there are no answers, a model reads about as much
CANDIDATES = 100  # best phrases of a cluster that are compared with each other
PRIOR_SHARE = 0.1  # weight of the corpus as a prior: larger values favor phrases of one cluster only
COVERED = 0.8  # share of a shorter phrase's rows from which a longer phrase replaces it
NEGATIONS = frozenset("not no never nothing nobody none nor neither nowhere cannot without".split())


@dataclass(frozen=True)
class Phrase:
    """An n-gram of answers, and how well it distinguishes a cluster.

    :param text: one to three words.
    :param support: share of the cluster's rows whose answer contains it, 0 to 1.
    :param lift: that share divided by the share in all other rows, with half a row added to each count.
    :param score: z-score of the log-odds against all other rows (`rank_phrases`).
    """

    text: str
    support: float
    lift: float
    score: float


def phrases_by_row(
    answers: Sequence[str], instruction: str, options: ExplainOptions | None = None
) -> list[list[str]]:
    """Return the phrases of each answer.

    :param answers: one per row.
    :param instruction: the question, whose own words are left out (`answer_phrases`).
    :param options: which stop words to use; None takes the defaults.
    :return: one list of phrases per row.
    """
    stop_words = load_stop_words((options or ExplainOptions()).stop_words)
    repeated = repeated_words(instruction, stop_words)
    return [answer_phrases(answer, stop_words, repeated) for answer in answers]


def answer_phrases(answer: str, stop_words: frozenset[str], repeated: frozenset[str]) -> list[str]:
    """Return the different 1- to 3-grams of an answer that neither begin nor end with a stop word.

    Stop words inside a phrase stay. Words of the question are left out where the answer holds another word that is
    neither a stop word nor a negation. An answer that consists of stop words alone keeps them.

    >>> answer_phrases("The emotion is anger", frozenset({"the", "is"}), frozenset({"emotion"}))
    ['anger']
    >>> answer_phrases("free of charge", frozenset({"of"}), frozenset())
    ['free', 'charge', 'free of charge']

    :param answer: the answer as it was decoded.
    :param stop_words: words that carry no answer.
    :param repeated: words of the question that the answer may merely repeat (`repeated_words`).
    :return: phrases in lower case, the shorter first.
    """
    words = words_of(answer[:MAX_CHARACTERS])
    content = [w for w in words if w not in stop_words and w not in repeated and w not in NEGATIONS]
    dropped = stop_words | repeated if content else stop_words
    if all(w in stop_words for w in words):
        dropped = frozenset()
    phrases = {}
    for n in range(1, LONGEST_PHRASE + 1):
        for start in range(len(words) - n + 1):
            gram = words[start : start + n]
            if gram[0] in dropped or gram[-1] in dropped or (n > 1 and repeated.intersection(gram) & dropped):
                continue
            phrases[" ".join(gram)] = True
    return list(phrases)


def rank_phrases(
    phrases_by_row: Sequence[Sequence[str]], labels: npt.NDArray[np.int64]
) -> dict[int, list[Phrase]]:
    """Return the phrases of each cluster: first the best label, then the others by score.

    The score is the z-score of the log-odds with an informative Dirichlet prior (Monroe, Colaresi & Quinn 2008,
    "Fightin' Words", eq. 16-22). It counts rows that contain the phrase, in the cluster against all other rows,
    noise among them. The prior is a tenth of the corpus: every phrase starts with a tenth of its count on both
    sides. So a phrase that occurs once or twice cannot come first by chance, as under c-TF-IDF. Half a row is
    added where odds could be infinite. Phrases that are rarer in the cluster than elsewhere are left out, unless
    there are no others.

    The best label is the phrase with the highest F1 as a classifier of the cluster's rows. The phrase with the
    highest score may occur in only a tenth of the rows, if it is rare elsewhere.

    :param phrases_by_row: phrases of each row.
    :param labels: cluster of each row, int64, shape (n_rows,), -1 for noise.
    :return: phrases by cluster, at most 100 each; empty if no row has any.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    if not any(phrases_by_row):
        return {}
    counter = CountVectorizer(analyzer=lambda phrases: phrases, binary=True, dtype=np.int64)
    counts = counter.fit_transform(phrases_by_row)
    names = counter.get_feature_names_out()
    total = np.asarray(counts.sum(axis=0)).ravel()
    prior, prior_rows = PRIOR_SHARE * total, PRIOR_SHARE * len(labels)
    ranked = {}
    for cluster in sorted(set(labels.tolist()) - {NOISE}):
        inside = labels == cluster
        n, m = int(inside.sum()), int((~inside).sum())
        a = np.asarray(counts[inside].sum(axis=0)).ravel()
        b = total - a
        odds_in = (a + prior) / (n + prior_rows - a - prior + 0.5)
        odds_out = (b + prior) / (m + prior_rows - b - prior + 0.5)
        score = (np.log(odds_in) - np.log(odds_out)) / np.sqrt(1 / (a + prior) + 1 / (b + prior))
        lift = ((a + 0.5) / (n + 1)) / ((b + 0.5) / (m + 1))
        candidates = [
            Phrase(str(names[j]), float(a[j] / n), float(lift[j]), float(score[j]))
            for j in np.flatnonzero((a > 0) & (score > 0) if (score[a > 0] > 0).any() else a > 0)
        ]
        candidates.sort(key=lambda p: (-p.score, -len(p.text), p.text))
        kept = _drop_overlaps(candidates[:CANDIDATES])
        rows_with = dict(zip(names.tolist(), total.tolist(), strict=True))
        best = max(kept, key=lambda p: 2 * p.support * n / (n + rows_with[p.text]), default=None)  # F1
        ranked[cluster] = sorted(kept, key=lambda p: p is not best)
    return ranked


def _drop_overlaps(phrases: list[Phrase]) -> list[Phrase]:
    """Drop overlapping phrases: keep the longer one if it covers at least 80 % of the shorter one's rows.

    :param phrases: best first.
    :return: those that are kept, in their order.
    """
    kept: list[Phrase] = []
    for phrase in phrases:
        rivals = [p for p in kept if _contains(p.text, phrase.text) or _contains(phrase.text, p.text)]
        if any(not _replaces(phrase, rival) for rival in rivals):
            continue
        place = min((kept.index(rival) for rival in rivals), default=len(kept))
        kept = [p for p in kept if p not in rivals]
        kept.insert(place, phrase)
    return kept


def _replaces(phrase: Phrase, rival: Phrase) -> bool:
    """Return whether a phrase is kept rather than its rival, where one of them is part of the other."""
    if _contains(phrase.text, rival.text):
        return phrase.support >= COVERED * rival.support
    return rival.support < COVERED * phrase.support


def _contains(phrase: str, part: str) -> bool:
    return phrase != part and f" {part} " in f" {phrase} "
