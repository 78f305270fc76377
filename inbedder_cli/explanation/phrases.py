"""Answers -> n-grams that mark clusters, and labels made of them."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering import NOISE
from inbedder_cli.clustering.preprocess import sample_indices
from inbedder_cli.explanation.stop_words import load_stop_words, repeated_words, words_of
from inbedder_cli.options import ExplainOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

LONGEST_PHRASE = 3
CANDIDATES = 100  # best phrases of a cluster that are compared with each other
PRIOR_SHARE = 0.1  # weight of the whole corpus as a prior: more favours what is said in one cluster only
SWALLOW = 0.8  # a longer phrase with this share of a shorter one's rows stands for it
NEGATIONS = frozenset("not no never nothing nobody none nor neither nowhere cannot without".split())
STEM = 4  # letters that two forms of a word share at least, half of the longer one's
FOLDS = 5
CHECKED_ROWS = 20_000  # on which labels are checked


@dataclass(frozen=True)
class Phrase:
    """An n-gram of answers and how it marks a cluster.

    :param text: one to three words.
    :param support: share of the cluster's rows whose answer contains it, 0 to 1.
    :param lift: that share over the share in all other rows (with half a row added to each count).
    :param score: z-score of the log-odds against the other rows.
    """

    text: str
    support: float
    lift: float
    score: float


def phrases_by_row(
    answers: Sequence[str], instruction: str, options: ExplainOptions | None = None
) -> list[list[str]]:
    """Return each answer's phrases (see `answer_phrases`)."""
    stop_words = load_stop_words((options or ExplainOptions()).stop_words)
    repeated = repeated_words(instruction, stop_words)
    return [answer_phrases(answer, stop_words, repeated) for answer in answers]


def answer_phrases(answer: str, stop_words: frozenset[str], repeated: frozenset[str]) -> list[str]:
    """Return the answer's different 1- to 3-grams that neither begin nor end with a stop word.

    They are runs of the answer as it was spoken: stop words inside stay. The question's own words are left
    out where another word remains that says something by itself.

    >>> answer_phrases("The emotion is anger", frozenset({"the", "is"}), frozenset({"emotion"}))
    ['anger']
    >>> answer_phrases("free of charge", frozenset({"of"}), frozenset())
    ['free', 'charge', 'free of charge']
    """
    words = words_of(answer)
    told = [w for w in words if w not in stop_words and w not in repeated and w not in NEGATIONS]
    dropped = stop_words | repeated if told else stop_words
    if all(w in stop_words for w in words):  # "others", "you": better than nothing
        dropped = frozenset()
    found = {}
    for n in range(1, LONGEST_PHRASE + 1):
        for start in range(len(words) - n + 1):
            gram = words[start : start + n]
            if gram[0] in dropped or gram[-1] in dropped or (n > 1 and repeated.intersection(gram) & dropped):
                continue
            found[" ".join(gram)] = True
    return list(found)


def rank_phrases(
    phrases_by_row: Sequence[Sequence[str]], labels: npt.NDArray[np.int64]
) -> dict[int, list[Phrase]]:
    """Return each cluster's phrases: first the one that names it best, then by how they mark it.

    What names it best has the highest F1 as a test of who is in the cluster: a word that a tenth of the rows
    says, though hardly another cluster's, marks it and is no name for it. Marks are ranked by log-odds with an
    informative Dirichlet prior.

    The score is the z-score of Monroe, Colaresi & Quinn 2008 ("Fightin' Words", eq. 16-22), counting rows that
    hold the phrase, cluster against all other rows. The prior is a tenth of the whole corpus: every phrase
    starts with a tenth of its corpus count on both sides. What was said once or twice cannot win by chance,
    as it can under c-TF-IDF. Half a row is added where odds could be infinite. Phrases that are rarer here than
    elsewhere are left out, unless there are no others.
    Noise rows count among the others.
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
        found = [
            Phrase(str(names[j]), float(a[j] / n), float(lift[j]), float(score[j]))
            for j in np.flatnonzero((a > 0) & (score > 0) if (score[a > 0] > 0).any() else a > 0)
        ]
        found.sort(key=lambda p: (-p.score, -len(p.text), p.text))
        kept = _without_fragments(found[:CANDIDATES])
        holding = dict(zip(names.tolist(), total.tolist(), strict=True))
        naming = max(kept, key=lambda p: 2 * p.support * n / (n + holding[p.text]), default=None)
        ranked[cluster] = sorted(kept, key=lambda p: p is not naming)
    return ranked


def _without_fragments(phrases: list[Phrase]) -> list[Phrase]:
    """Of a phrase and a part of it keep one: the longer if it has most of the shorter's rows, else the shorter.

    :param phrases: best first.
    """
    kept: list[Phrase] = []
    for phrase in phrases:
        rivals = [p for p in kept if _contains(p.text, phrase.text) or _contains(phrase.text, p.text)]
        if any(not _stands_for(phrase, rival) for rival in rivals):
            continue
        place = min((kept.index(rival) for rival in rivals), default=len(kept))
        kept = [p for p in kept if p not in rivals]
        kept.insert(place, phrase)
    return kept


def _stands_for(phrase: Phrase, rival: Phrase) -> bool:
    """Whether the phrase is to be kept rather than its rival, one of them being part of the other."""
    if _contains(phrase.text, rival.text):
        return phrase.support >= SWALLOW * rival.support
    return rival.support < SWALLOW * phrase.support


def _contains(phrase: str, part: str) -> bool:
    return phrase != part and f" {part} " in f" {phrase} "


def choose_labels(phrases: dict[int, list[Phrase]]) -> dict[int, str]:
    """Give each cluster its best phrase; where another cluster claims it more strongly, the next phrase is added.

    No two clusters get one label, or two forms of one ("cancel", "cancellation").
    """
    claims = sorted(
        ((p.score, cluster, p.text) for cluster, ranked in phrases.items() for p in ranked[:1]),
        key=lambda claim: (-claim[0], claim[1]),
    )
    labels: dict[int, str] = {}
    for _, cluster, text in claims:
        label = text
        others = iter(p.text for p in phrases[cluster][1:])
        while any(_alike(label, taken) for taken in labels.values()):
            addition = next(others, None)
            label = f"{label} ({cluster})" if addition is None else f"{text}, {addition}"
        labels[cluster] = label
    return labels


def _alike(label: str, other: str) -> bool:
    """Whether two labels are the same but for the forms of their words: each pair begins alike."""
    one, two = label.split(), other.split()
    return len(one) == len(two) and all(_one_stem(a, b) for a, b in zip(one, two, strict=True))


def _one_stem(word: str, other: str) -> bool:
    if word == other:
        return True
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(word, other, strict=False)))
    return shared >= STEM and 2 * shared >= max(len(word), len(other))


@dataclass(frozen=True)
class LabelCheck:
    """How well a label fits its cluster, by the answers that hold its phrase.

    :param coverage: share of the cluster's rows whose answer holds it (recall), 0 to 1.
    :param specificity: share of the rows whose answer holds it that are in the cluster (precision), 0 to 1.
    :param f1: harmonic mean of the two on rows that the label was not chosen on (five folds), 0 to 1; None for a
        cluster that the sample misses.
    """

    coverage: float
    specificity: float
    f1: float | None


def check_labels(
    phrases_by_row: Sequence[Sequence[str]], labels: npt.NDArray[np.int64], chosen: dict[int, str]
) -> dict[int, LabelCheck]:
    """Return how well each cluster's label fits.

    For the held-out F1 the best phrase is found on four fifths of the rows and tried on the last; counts are
    summed over the five. Of more than 20,000 rows a sample is enough; otherwise their order does not matter.

    :param chosen: the phrase that each cluster is named by.
    """
    holding = {phrase: np.array([phrase in row for row in phrases_by_row], bool) for phrase in chosen.values()}
    sample = sample_indices(len(labels), CHECKED_ROWS, 0).tolist()
    held_out = _held_out([phrases_by_row[i] for i in sample], labels[sample])
    checks = {}
    for cluster, phrase in chosen.items():
        inside, holds = labels == cluster, holding[phrase]
        hits = int((inside & holds).sum())
        checks[cluster] = LabelCheck(
            hits / max(1, int(inside.sum())), hits / max(1, int(holds.sum())), held_out.get(cluster)
        )
    return checks


def _held_out(phrases_by_row: Sequence[Sequence[str]], labels: npt.NDArray[np.int64]) -> dict[int, float]:
    """Return each cluster's F1 over five folds: 2 hits / (rows inside + rows that hold the phrase)."""
    dealt = Counter[tuple[str, int]]()
    folds = np.empty(len(labels), np.int64)
    for i, (row, label) in enumerate(zip(phrases_by_row, labels.tolist(), strict=True)):
        answer = "\n".join(row)
        folds[i] = (zlib.crc32(answer.encode("utf-8", "surrogatepass")) + dealt[answer, label]) % FOLDS
        dealt[answer, label] += 1
    hits, uses = Counter[int](), Counter[int]()
    for fold in range(FOLDS):
        training = np.flatnonzero(folds != fold)
        best = rank_phrases([phrases_by_row[i] for i in training.tolist()], labels[training])
        for i in np.flatnonzero(folds == fold).tolist():
            uses[int(labels[i])] += 1
            for cluster, ranked in best.items():
                if ranked and ranked[0].text in phrases_by_row[i]:
                    uses[cluster] += 1
                    hits[cluster] += int(labels[i] == cluster)
    return {cluster: 2 * hits[cluster] / n for cluster, n in uses.items() if n}
