"""Answers -> what a cluster means: n-grams with support and lift, a label, exemplars."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering import NOISE, Clustering
from inbedder_cli.options import ExplainOptions
from inbedder_cli.stop_words import folded, load_stop_words, repeated_words, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from inbedder_cli.corpus import Corpus

LONGEST_PHRASE = 3
CANDIDATES = 100  # best phrases of a cluster that are compared with each other
PRIOR_SHARE = 0.1  # weight of the whole corpus as a prior: more favours what is said in one cluster only
SWALLOW = 0.8  # a longer phrase with this share of a shorter one's rows stands for it
NO_LABEL = "(no common answer)"
NOISE_LABEL = "(noise)"  # in brackets, as no phrase can be
UNANSWERED = -2  # the number of the summary of rows that do not answer, which are in no cluster
UNANSWERED_LABEL = "(no clear answer)"
NEGATIONS = frozenset("not no never nothing nobody none nor neither nowhere cannot without".split())


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


@dataclass(frozen=True)
class Exemplar:
    """A row that shows what a cluster is: its index in the corpus, id, answer and text."""

    row: int
    id: str
    answer: str | None
    text: str


@dataclass(frozen=True)
class AnswerShare:
    """A whole answer, in lower case, and the share of the cluster's rows that have it, 0 to 1."""

    text: str
    share: float


@dataclass(frozen=True)
class ClusterSummary:
    """What one cluster means. Noise (HDBSCAN) has number -1, no phrases, and exemplars without rank.

    :param share: of all rows that were read, 0 to 1.
    :param answers: the most frequent whole answers; empty where none were decoded.
    :param entropy: of the distribution of whole answers, in bits: 0 when all are the same.
    :param stability: how surely the cluster is found again in half of the rows, 0 to 1, where it was measured.
    """

    cluster: int
    label: str
    size: int
    share: float
    phrases: list[Phrase] = field(default_factory=list)
    exemplars: list[Exemplar] = field(default_factory=list)
    answers: list[AnswerShare] = field(default_factory=list)
    entropy: float | None = None
    stability: float | None = None


def explain(
    clustering: Clustering,
    answers: Sequence[str],
    *,
    texts: Sequence[str],
    ids: Sequence[str],
    instruction: str = "",
    options: ExplainOptions | None = None,
    show_answers: bool = True,
    n_read: int | None = None,
) -> list[ClusterSummary]:
    """Explain each cluster by the n-grams that are frequent in its answers and rare in the others'.

    :param answers: one per row; or, where none were decoded, the texts themselves.
    :param texts: one per row, for exemplars.
    :param ids: one per row, for exemplars.
    :param instruction: its own words are left out of answers that hold other words too.
    :param show_answers: whether `answers` really are answers.
    :param n_read: rows of which shares are shares; None: those given.
    :return: clusters by number, noise last.
    """
    options = options or ExplainOptions()
    found = phrases_by_row(answers, instruction if show_answers else "", options)
    phrases = rank_phrases(found, clustering.labels)
    labels = choose_labels(phrases)
    summaries = []
    for cluster in [*range(clustering.k), NOISE]:
        rows = np.flatnonzero(clustering.labels == cluster)
        if not len(rows):
            continue
        shares, entropy = answer_shares([answers[row] for row in rows.tolist()]) if show_answers else ([], None)
        summaries.append(
            ClusterSummary(
                cluster=cluster,
                label=NOISE_LABEL if cluster == NOISE else labels.get(cluster, f"{NO_LABEL} {cluster}"),
                size=len(rows),
                share=len(rows) / (n_read or len(clustering.labels)),
                phrases=phrases.get(cluster, [])[: options.phrases],
                exemplars=[
                    Exemplar(row, ids[row], answers[row] if show_answers else None, texts[row])
                    for row in _central_rows(rows, clustering.distances, texts, options.exemplars)
                ],
                answers=shares[: options.phrases],
                entropy=entropy,
                stability=_stability_of(cluster, clustering),
            )
        )
    return summaries


def _stability_of(cluster: int, clustering: Clustering) -> float | None:
    if clustering.stability is None or cluster == NOISE or math.isnan(clustering.stability[cluster]):
        return None
    return float(clustering.stability[cluster])


def summary_of_unanswered(
    corpus: Corpus,
    answers: Sequence[str | None],
    rows: Sequence[int],
    n_read: int,
    options: ExplainOptions | None = None,
) -> ClusterSummary:
    """Return what the rows that do not answer say instead, with the first of each as exemplars.

    :param answers: one per row of the corpus.
    :param rows: those that do not answer.
    """
    options = options or ExplainOptions()
    said = {row: answers[row] or "" for row in rows}
    shares, entropy = answer_shares(list(said.values()))
    first = dict(reversed([(_as_compared(answer), row) for row, answer in said.items()]))
    chosen = [first[share.text] for share in shares[: options.exemplars]]
    return ClusterSummary(
        UNANSWERED,
        UNANSWERED_LABEL,
        len(rows),
        len(rows) / n_read,
        exemplars=[Exemplar(row, corpus.ids[row], said[row], corpus.texts[row]) for row in chosen],
        answers=shares[: options.phrases],
        entropy=entropy,
    )


def answer_shares(answers: Sequence[str]) -> tuple[list[AnswerShare], float]:
    """Return the different answers, most frequent first, and the entropy of their distribution in bits.

    >>> answer_shares(["Anger", "anger", "joy", "joy"])
    ([AnswerShare(text='anger', share=0.5), AnswerShare(text='joy', share=0.5)], 1.0)
    """
    counts = Counter(_as_compared(answer) for answer in answers)
    shares = [AnswerShare(text, n / len(answers)) for text, n in counts.items()]
    shares.sort(key=lambda s: (-s.share, s.text))
    return shares, abs(-sum(s.share * math.log2(s.share) for s in shares))


def _as_compared(answer: str) -> str:
    return " ".join(folded(answer).split())


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
    """Return each cluster's phrases, best first, by log-odds with an informative Dirichlet prior.

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
        ranked[cluster] = _without_fragments(found[:CANDIDATES])
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

    No two clusters get one label.
    """
    claims = sorted(
        ((p.score, cluster, p.text) for cluster, ranked in phrases.items() for p in ranked[:1]),
        key=lambda claim: (-claim[0], claim[1]),
    )
    labels: dict[int, str] = {}
    for _, cluster, text in claims:
        label = text
        others = iter(p.text for p in phrases[cluster][1:])
        while label in labels.values():
            addition = next(others, None)
            label = f"{label} ({cluster})" if addition is None else f"{text}, {addition}"
        labels[cluster] = label
    return labels


def _central_rows(
    rows: npt.NDArray[np.int64], distances: npt.NDArray[np.float32], texts: Sequence[str], n: int
) -> list[int]:
    """Return the n rows of different texts nearest to the cluster's centre."""
    found: dict[str, int] = {}
    ranked = rows[np.lexsort((rows, np.nan_to_num(distances[rows], nan=np.inf)))]
    for row in ranked:
        if len(found) == n:
            break
        found.setdefault(texts[row], int(row))
    return list(found.values())
