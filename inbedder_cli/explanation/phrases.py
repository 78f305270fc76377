"""Answers -> n-grams, ranked by how well they distinguish each cluster."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering import NOISE
from inbedder_cli.explanation.stop_words import NEGATIONS, load_stop_words, repeated_words, words_of
from inbedder_cli.explanation.yes_no import is_yes_no_question
from inbedder_cli.options import ExplainOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

LONGEST_PHRASE = 3  # words
MAX_CHARACTERS = 10_000  # of an answer; of texts, where there are no answers, a model reads about as much
CANDIDATES = 100  # best phrases of a cluster that are compared with each other
PRIOR_SHARE = 0.1  # weight of the corpus as a prior: larger values favor phrases of one cluster only
LEAST_PART = 4  # letters of a part of a hyphenated word that is a phrase by itself
LEAST_WORD = 2  # characters of a word of a text: Chinese words are short
DEGREES = frozenset(["too"])  # stop words that stay before another word: "too small" is not "small"
COVERED = 0.8  # share of a shorter phrase's rows from which a longer phrase replaces it


@dataclass(frozen=True)
class Phrase:
    """An n-gram of answers, and how well it describes a cluster.

    :param text: one to three words.
    :param support: share of the cluster's rows whose answer contains it (recall), 0 to 1.
    :param lift: that share divided by the share in all other rows, with half a row added to each count.
    :param score: z-score of the log-odds against all other rows (`describe_phrases`).
    :param specificity: share of the rows whose answer contains it that are in the cluster (precision), 0 to 1.
    :param n_rows: number of the cluster's rows whose answer contains it.
    :param n_alone: number of these rows whose answer says nothing else.
    """

    text: str
    support: float
    lift: float
    score: float
    specificity: float = 0.0
    n_rows: int = 0
    n_alone: int = 0

    def f_score(self, beta: float) -> float:
        """Return the F-measure of the phrase as a test of which rows are in the cluster.

        :param beta: how many times as much support counts as specificity.
        :return: 0 to 1.
        """
        weight = beta**2
        return (1 + weight) * self.support * self.specificity / (weight * self.specificity + self.support)


def phrases_by_row(
    answers: Sequence[str], instruction: str, options: ExplainOptions | None = None
) -> list[list[str]]:
    """Return the phrases of each answer.

    :param answers: one per row.
    :param instruction: the question, whose own words are left out (`answer_phrases`) unless yes or no answers it.
    :param options: which stop words to use; None takes the defaults.
    :return: one list of phrases per row; rows with the same answer share theirs.
    """
    stop_words = load_stop_words((options or ExplainOptions()).stop_words)
    # "Angry" answers "Is the customer angry?"
    repeated = frozenset() if is_yes_no_question(instruction) else repeated_words(instruction, stop_words)
    return list(map(cache(lambda answer: answer_phrases(answer, stop_words, repeated)), answers))


def text_phrases(texts: Sequence[str], options: ExplainOptions) -> list[list[str]]:
    """Return the words of each text that may say what it is about, which answers leave out.

    :param texts: one per row.
    :param options: which stop words to use, beside a longer list than that of answers.
    :return: one list of words per row, in lower case.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    stop_words = load_stop_words(options.stop_words) | ENGLISH_STOP_WORDS
    return [
        list(dict.fromkeys(w for w in words_of(text) if len(w) >= LEAST_WORD and w not in stop_words))
        for text in texts
    ]


def answer_phrases(answer: str, stop_words: frozenset[str], repeated: frozenset[str]) -> list[str]:
    """Return the different 1- to 3-grams of an answer that neither begin nor end with a stop word.

    Stop words inside a phrase stay, and so does "too" before a word. A negation and the word that it negates are
    kept together. The parts of a hyphenated word are phrases too. Words of the question are left out where the
    answer holds another word that is neither a stop word nor a negation. An answer that consists of stop words
    alone keeps them.

    >>> answer_phrases("The emotion is anger", frozenset({"the", "is"}), frozenset({"emotion"}))
    ['anger']
    >>> answer_phrases("free of charge", frozenset({"of"}), frozenset())
    ['free', 'charge', 'free of charge']
    >>> answer_phrases("e-bike not late", frozenset(), frozenset())
    ['e-bike', 'bike', 'not late', 'e-bike not late']

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
    return _grams(words, dropped, repeated, _negated_words(words, stop_words)) or _grams(
        words, dropped, repeated, set()
    )


def _grams(
    words: Sequence[str], dropped: frozenset[str], repeated: frozenset[str], negated: set[int]
) -> list[str]:
    phrases: dict[str, None] = {}
    for n in range(1, LONGEST_PHRASE + 1):
        for start in range(len(words) - n + 1):
            gram = words[start : start + n]
            begins_empty = gram[0] in dropped and not (n > 1 and gram[0] in DEGREES)
            if begins_empty or gram[-1] in dropped or (n > 1 and repeated.intersection(gram) & dropped):
                continue
            if start in negated or start + n in negated:
                continue
            phrases[" ".join(gram)] = None
            parts = gram[0].split("-") if n == 1 else []
            if len(parts) > 1 and parts[0] not in NEGATIONS:
                phrases |= dict.fromkeys(p for p in parts if len(p) >= LEAST_PART and p not in dropped)
    return list(phrases)


def _negated_words(words: Sequence[str], stop_words: frozenset[str]) -> set[int]:
    """Return the places of words that follow a negation, with nothing but stop words in between."""
    negated: set[int] = set()
    is_open = False
    for i, word in enumerate(words):
        if is_open:
            negated.add(i)
        is_open = word in NEGATIONS or word.endswith("n't") or (is_open and word in stop_words)
    return negated


def describe_phrases(
    phrases_by_row: Sequence[Sequence[str]], labels: npt.NDArray[np.int64]
) -> dict[int, list[Phrase]]:
    """Return all phrases of each cluster, the most distinctive first.

    The score is the z-score of the log-odds with an informative Dirichlet prior (Monroe, Colaresi & Quinn 2008,
    "Fightin' Words", eq. 16-22). It counts rows that contain the phrase, in the cluster against all other rows,
    noise among them. The prior is a tenth of the corpus: every phrase starts with a tenth of its count on both
    sides. So a phrase that occurs once or twice cannot come first by chance, as under c-TF-IDF. Half a row is
    added where odds could be infinite.

    :param phrases_by_row: phrases of each row.
    :param labels: cluster of each row, int64, shape (n_rows,), -1 for noise.
    :return: phrases by cluster; empty if no row has any.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    if not any(phrases_by_row):
        return {}
    counter = CountVectorizer(analyzer=lambda phrases: phrases, binary=True, dtype=np.int64)
    counts = counter.fit_transform(phrases_by_row)
    names = list(map(str, counter.get_feature_names_out()))
    total = np.asarray(counts.sum(axis=0)).ravel()
    alone = Counter(
        (label, max(row, key=len)) for row, label in zip(phrases_by_row, labels.tolist(), strict=True) if row
    )
    described = {}
    for cluster in sorted(set(labels.tolist()) - {NOISE}):
        inside = labels == cluster
        own = np.asarray(counts[inside].sum(axis=0)).ravel()
        said_alone = {name: n for (label, name), n in alone.items() if label == cluster}
        described[cluster] = phrases_of_counts(names, own, total, int(inside.sum()), len(labels), said_alone)
    return described


def phrases_of_counts(
    names: Sequence[str],
    own: npt.NDArray[np.int64],
    total: npt.NDArray[np.int64],
    n_own: int,
    n_rows: int,
    alone: Mapping[str, int],
) -> list[Phrase]:
    """Return the phrases of one cluster, the most distinctive first, from counts of rows (`describe_phrases`).

    :param names: all phrases.
    :param own: rows of the cluster that contain each, int64, shape (n_phrases,).
    :param total: rows of all clusters, and of noise, that contain each, same shape.
    :param n_own: rows of the cluster.
    :param n_rows: rows of all clusters, and of noise.
    :param alone: rows of the cluster that say nothing but a phrase, by phrase.
    """
    prior, prior_rows, n_others = PRIOR_SHARE * total, PRIOR_SHARE * n_rows, n_rows - n_own
    others = total - own
    odds_in = (own + prior) / (n_own + prior_rows - own - prior + 0.5)
    odds_out = (others + prior) / (n_others + prior_rows - others - prior + 0.5)
    with np.errstate(divide="ignore", invalid="ignore"):  # of a phrase that no row contains
        score = (np.log(odds_in) - np.log(odds_out)) / np.sqrt(1 / (own + prior) + 1 / (others + prior))
    lift = ((own + 0.5) / (n_own + 1)) / ((others + 0.5) / (n_others + 1))
    found = [
        Phrase(
            text=names[j],
            support=float(own[j] / n_own),
            lift=float(lift[j]),
            score=float(score[j]),
            specificity=float(own[j] / total[j]),
            n_rows=int(own[j]),
            n_alone=alone.get(names[j], 0),
        )
        for j in np.flatnonzero(own).tolist()
    ]
    return sorted(found, key=lambda p: (-p.score, -len(p.text), p.text))


def distinctive_phrases(phrases: Sequence[Phrase]) -> list[Phrase]:
    """Return the phrases that set a cluster apart, without overlaps, at most 100.

    Phrases that are rarer in the cluster than elsewhere are left out, unless there are no others.

    :param phrases: of one cluster, as `describe_phrases` returns them.
    :return: some of them, in their order.
    """
    more_frequent = [p for p in phrases if p.score > 0]
    return _drop_overlaps((more_frequent or list(phrases))[:CANDIDATES])


def _drop_overlaps(phrases: list[Phrase]) -> list[Phrase]:
    """Drop overlapping phrases: keep the longer one if it covers at least 80 % of the shorter one's rows.

    :param phrases: best first.
    :return: those that are kept, in their order.
    """
    kept: list[Phrase] = []
    for phrase in phrases:
        rivals = [p for p in kept if contains_phrase(p.text, phrase.text) or contains_phrase(phrase.text, p.text)]
        if any(not _replaces(phrase, rival) for rival in rivals):
            continue
        place = min((kept.index(rival) for rival in rivals), default=len(kept))
        kept = [p for p in kept if p not in rivals]
        kept.insert(place, phrase)
    return kept


def _replaces(phrase: Phrase, rival: Phrase) -> bool:
    """Return whether a phrase is kept rather than its rival, where one of them is part of the other."""
    if contains_phrase(phrase.text, rival.text):
        return phrase.support >= COVERED * rival.support
    return rival.support < COVERED * phrase.support


def contains_phrase(phrase: str, part: str) -> bool:
    """Return whether a phrase contains another one, as words or as parts of a hyphenated word.

    :param phrase: the longer phrase.
    :param part: the shorter one; a phrase does not contain itself.
    """
    return phrase != part and f" {part.replace('-', ' ')} " in f" {phrase.replace('-', ' ')} "
