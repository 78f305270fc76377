"""Clusters and answers -> a summary of each cluster: label, phrases, whole answers, example rows."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering import NOISE, Clustering
from inbedder_cli.clustering.preprocess import sample_indices
from inbedder_cli.explanation.labels import (
    BETA,
    BETA_OF_TEXTS,
    MOST_PHRASES,
    LabelCheck,
    check_labels,
    choose_labels,
    name_clusters,
)
from inbedder_cli.explanation.likely_next_words import KnownWords, likely_next_words
from inbedder_cli.explanation.phrases import (
    Phrase,
    describe_phrases,
    distinctive_phrases,
    phrases_by_row,
    text_phrases,
)
from inbedder_cli.explanation.variants import normalize_answer, unify_answers
from inbedder_cli.options import ExplainOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.encoders.next_words import NextWords
    from inbedder_cli.explanation.precision import Precision

TEXTS = 20_000  # sample of texts whose words explain clusters where there are no answers: they hold many phrases
NEXT_WORDS = 20  # likely words of a cluster among which are those that name it
NO_LABEL = "(no common answer)"
MIXED = "(mixed)"  # before a label that is an example of what the answers of its cluster say
NOISE_LABEL = "(noise)"  # no phrase contains brackets
UNANSWERED = -2  # number of the summary of unanswered rows, which are in no cluster
UNANSWERED_LABEL = "(no clear answer)"


@dataclass(frozen=True)
class Exemplar:
    """A row that is shown as an example of a cluster.

    :param row: its index in the corpus, from 0.
    :param id: its id.
    :param answer: its answer; None where none was decoded.
    :param text: its text.
    :param nearest: for a borderline row, the number of the nearest other cluster.
    """

    row: int
    id: str
    answer: str | None
    text: str
    nearest: int | None = None


@dataclass(frozen=True)
class AnswerShare:
    """A whole answer and how frequent it is in a cluster.

    :param text: the answer in lower case, in the most frequent of the forms that mean the same.
    :param share: share of the cluster's rows that have it, 0 to 1.
    """

    text: str
    share: float


@dataclass(frozen=True)
class ClusterSummary:
    """Explanation of one cluster.

    :param cluster: its number; -1 for noise, -2 for unanswered rows. Neither has phrases.
    :param label: its name, unique among the clusters.
    :param size: number of rows.
    :param share: share of all rows that were encoded, 0 to 1.
    :param phrases: n-grams that distinguish it (`distinctive_phrases`).
    :param exemplars: central rows, the most central first; of noise, the first ones; of unanswered rows,
        the first one with each frequent answer.
    :param answers: whole answers, the most frequent first; empty where none were decoded.
    :param entropy: entropy of the distribution of whole answers, in bits: 0 when all are the same; None where none
        were decoded.
    :param stability: mean Jaccard similarity with the cluster found again in half of the rows, 0 to 1; None if not
        measured.
    :param diverse: the most central row of each other frequent answer.
    :param borderline: the rows nearest to another cluster, the nearest first.
    :param check: how well the label fits; None without phrases.
    :param label_is_weak: whether the label hardly describes the cluster, or describes other rows as well; None for
        noise and unanswered rows.
    :param likely_next_words: first words of an answer that are likelier in this cluster than in all rows: whole
        words of answers or texts.
    :param precision: what people said of the label, in a saved run that was reviewed.
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
    diverse: list[Exemplar] = field(default_factory=list)
    borderline: list[Exemplar] = field(default_factory=list)
    check: LabelCheck | None = None
    label_is_weak: bool | None = None
    likely_next_words: list[str] = field(default_factory=list)
    precision: Precision | None = None


def summarize_clusters(
    clustering: Clustering,
    answers: Sequence[str] | None,
    *,
    texts: Sequence[str],
    ids: Sequence[str],
    rows: Sequence[int] | None = None,
    instruction: str = "",
    options: ExplainOptions | None = None,
    n_read: int | None = None,
    counted: Sequence[str] | None = None,
    next_words: NextWords | None = None,
) -> list[ClusterSummary]:
    """Return summaries that explain each cluster by what most of its answers say, and what sets them apart.

    :param clustering: the clusters of the rows.
    :param answers: one per row; None where none were decoded: then the words of the texts explain the clusters.
    :param texts: one per row.
    :param ids: one per row, for exemplars.
    :param rows: each row's index in the corpus, for exemplars; None: the rows are the whole corpus.
    :param instruction: the question; its own words are left out of answers that hold other words too.
    :param options: stop words, and how many phrases and exemplars; None takes the defaults.
    :param n_read: number of rows that shares refer to; None: the rows given.
    :param counted: the answers in the form in which they are counted (`variants.unify_answers`); None: letters
        alone decide which of them mean the same.
    :param next_words: the most probable first words of each answer, if known.
    :return: one summary per cluster, by number, noise last.
    """
    options = options or ExplainOptions()
    if answers is None:
        counted, instruction, beta = texts, "", BETA_OF_TEXTS
        sample = sample_indices(len(texts), TEXTS, 0)
    else:
        counted, beta = unify_answers(answers, instruction) if counted is None else counted, BETA
        sample = np.arange(len(answers))
    sample_labels = clustering.labels[sample]
    row_phrases = phrases_by_row([counted[i] for i in sample], instruction, options)
    described = describe_phrases(row_phrases, sample_labels)
    chosen = choose_labels(row_phrases, sample_labels, beta)
    checks = check_labels(row_phrases, sample_labels, chosen, beta)
    words = likely_next_words(next_words, clustering.labels, NEXT_WORDS) if next_words else {}
    known_texts = [texts[i] for i in sample_indices(len(texts), TEXTS, 0)] if words else []
    known_words = KnownWords.of(counted if words else [], known_texts)
    named = _with_likely_words(chosen, words, row_phrases, sample_labels)
    labels = _labels(named, row_phrases, sample, clustering, texts, ids, options)
    if answers is not None:
        mixed = {c for c, check in checks.items() if check.is_mixed} | (named.keys() - chosen.keys())
        labels |= {c: f"{MIXED} {labels[c]}" for c in mixed - {NOISE}}
    every = range(len(texts)) if rows is None else rows
    rows_shown = _Rows(clustering, answers, counted, texts, ids, every)
    summaries = []
    for cluster in [*range(clustering.k), NOISE]:
        inside = np.flatnonzero(clustering.labels == cluster)
        if not len(inside):
            continue
        shares, entropy = ([], None) if answers is None else answer_shares([counted[i] for i in inside.tolist()])
        central = rows_shown.central(inside, options.exemplars)
        diverse = [] if cluster == NOISE or answers is None else rows_shown.diverse(inside, central, shares)
        summaries.append(
            ClusterSummary(
                cluster=cluster,
                label=NOISE_LABEL if cluster == NOISE else labels[cluster],
                size=len(inside),
                share=len(inside) / (n_read or len(clustering.labels)),
                phrases=distinctive_phrases(described.get(cluster, []))[: options.phrases],
                exemplars=rows_shown.exemplars(central),
                diverse=rows_shown.exemplars(diverse[: options.exemplars]),
                borderline=rows_shown.borderline(inside, options.exemplars),
                answers=shares[: options.phrases],
                entropy=entropy,
                stability=_stability_of(cluster, clustering),
                check=checks.get(cluster),
                label_is_weak=None if cluster == NOISE else cluster not in checks or checks[cluster].is_weak,
                likely_next_words=known_words.complete(words.get(cluster, []))[: options.phrases],
            )
        )
    return summaries


@dataclass(frozen=True)
class _Rows:
    """The clustered rows, of which each cluster shows some; see `summarize_clusters`."""

    clustering: Clustering
    answers: Sequence[str] | None
    counted: Sequence[str]
    texts: Sequence[str]
    ids: Sequence[str]
    rows: Sequence[int]

    def exemplars(self, places: Sequence[int]) -> list[Exemplar]:
        return [
            Exemplar(self.rows[i], self.ids[i], self.answers[i] if self.answers else None, self.texts[i])
            for i in places
        ]

    def central(self, inside: npt.NDArray[np.int64], n: int) -> list[int]:
        """Return the n rows nearest to the center that have different texts."""
        return first_distinct(sort_by_value(inside, self.clustering.distances), self.texts, n)

    def diverse(
        self, inside: npt.NDArray[np.int64], central: Sequence[int], shares: Sequence[AnswerShare]
    ) -> list[int]:
        """Return the most central row of each answer that no central row has, the frequent answers first."""
        first: dict[str, int] = {}
        for row in sort_by_value(inside, self.clustering.distances):
            first.setdefault(normalize_answer(self.counted[row]), row)
        shown = {normalize_answer(self.counted[row]) for row in central}
        return [first[share.text] for share in shares if share.text not in shown]

    def borderline(self, inside: npt.NDArray[np.int64], n: int) -> list[Exemplar]:
        """Return the n rows nearest to another cluster that have different texts."""
        margins = self.clustering.margins
        near = [i for i in sort_by_value(inside, margins) if not math.isnan(margins[i])]
        places = first_distinct(near, self.texts, n)
        return [
            replace(exemplar, nearest=int(self.clustering.second_cluster[i]))
            for i, exemplar in zip(places, self.exemplars(places), strict=True)
        ]


def _with_likely_words(
    chosen: Mapping[int, tuple[str, ...]],
    words: Mapping[int, Sequence[str]],
    row_phrases: Sequence[Sequence[str]],
    labels: npt.NDArray[np.int64],
) -> dict[int, tuple[str, ...]]:
    """Return the phrases that name each cluster, and of one without a common answer its rows' likely words.

    Only words that its own answers hold are taken: others may be pieces of words, or say nothing of it.
    """
    likely = {}
    for cluster in words.keys() - chosen.keys():
        known = {phrase for i in np.flatnonzero(labels == cluster).tolist() for phrase in row_phrases[i]}
        likely[cluster] = tuple(word for word in words[cluster] if word in known)[:MOST_PHRASES]
    return {cluster: found for cluster, found in likely.items() if found and cluster != NOISE} | dict(chosen)


def _labels(
    chosen: Mapping[int, tuple[str, ...]],
    row_phrases: Sequence[Sequence[str]],
    sample: npt.NDArray[np.int64],
    clustering: Clustering,
    texts: Sequence[str],
    ids: Sequence[str],
    options: ExplainOptions,
) -> dict[int, str]:
    """Return a unique label for each cluster (`name_clusters`)."""
    centers = {}
    for cluster in range(clustering.k):
        inside = np.flatnonzero(clustering.labels == cluster)
        if len(inside):
            row = sort_by_value(inside, clustering.distances)[0]
            centers[cluster] = (texts[row], ids[row])
    return name_clusters(
        dict(chosen) | {cluster: (NO_LABEL,) for cluster in centers if cluster not in chosen},
        row_phrases,
        clustering.labels[sample],
        lambda rows: text_phrases([texts[sample[i]] for i in rows], options),
        centers,
    )


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
    """Return a summary of the unanswered rows: their whole answers, with the first row of each as an exemplar.

    :param corpus: all rows.
    :param answers: one per row of the corpus.
    :param rows: indices of the unanswered rows, at least one.
    :param n_read: number of rows that were encoded, for the share.
    :param options: how many answers and exemplars; None takes the defaults.
    :return: a summary with number -2.
    """
    options = options or ExplainOptions()
    decoded = {row: answers[row] or "" for row in rows}
    shares, entropy = answer_shares(list(decoded.values()))
    first = dict(reversed([(normalize_answer(answer), row) for row, answer in decoded.items()]))
    chosen = [first[share.text] for share in shares[: options.exemplars]]
    return ClusterSummary(
        UNANSWERED,
        UNANSWERED_LABEL,
        len(rows),
        len(rows) / n_read,
        exemplars=[Exemplar(row, corpus.ids[row], decoded[row], corpus.texts[row]) for row in chosen],
        answers=shares[: options.phrases],
        entropy=entropy,
    )


def answer_shares(answers: Sequence[str]) -> tuple[list[AnswerShare], float]:
    """Return the different answers, the most frequent first, and the entropy of their distribution in bits.

    >>> answer_shares(["Anger", "anger", "joy", "joy"])
    ([AnswerShare(text='anger', share=0.5), AnswerShare(text='joy', share=0.5)], 1.0)

    :param answers: at least one; case and white space do not matter.
    :return: the shares and the entropy.
    """
    counts = Counter(normalize_answer(answer) for answer in answers)
    shares = [AnswerShare(text, n / len(answers)) for text, n in counts.items()]
    shares.sort(key=lambda s: (-s.share, s.text))
    return shares, abs(-sum(s.share * math.log2(s.share) for s in shares))


def sort_by_value(rows: npt.NDArray[np.int64], values: npt.NDArray[np.float32]) -> list[int]:
    """Return rows by their values, the smallest first, NaN last.

    :param rows: indices, int64.
    :param values: one per index that there may be.
    """
    return [int(row) for row in rows[np.lexsort((rows, np.nan_to_num(values[rows], nan=np.inf)))]]


def first_distinct(rows: Sequence[int], texts: Sequence[str], n: int) -> list[int]:
    """Return the first rows that have different texts.

    :param rows: indices.
    :param texts: one per index that there may be.
    :param n: most of them.
    """
    first: dict[str, int] = {}
    for row in rows:
        if len(first) == n:
            break
        first.setdefault(texts[row], row)
    return list(first.values())
