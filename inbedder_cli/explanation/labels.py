"""Phrases -> a label per cluster that is true of it, and how well each label fits."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering.preprocess import NOISE, sample_indices
from inbedder_cli.explanation.phrases import COVERED, contains_phrase, describe_phrases
from inbedder_cli.wording import printable, truncate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy.typing as npt

    from inbedder_cli.explanation.phrases import Phrase

    Labels = npt.NDArray[np.int64]
    PhrasesOf = Callable[[Sequence[int]], list[list[str]]]

MAJORITY = 0.5  # share of a cluster's rows from which a phrase is what most of them answer
CLAIMS = 20  # best phrases of a cluster that may name it
BETA = 2.0  # of answers: a label that covers its cluster is worth more than one that is rare elsewhere
BETA_OF_TEXTS = 1.0  # the words that most texts have in common say little
STEM = 4  # minimum length of the common prefix of two forms of a word; it must also be half of the longer one
MORE_FREQUENT = 1.25  # least lift of a phrase that names a cluster without being its majority's
LEAST_OWN = 0.3  # support of a phrase of its own, as a share of that of the best, which names another cluster
MOST_PHRASES = 3  # of a label
OR = " / "  # between them
LEAST_TOP = 0.25  # share of a cluster's rows from which its most frequent phrase is part of its label
LEAST_MORE = 0.07  # share of a cluster's rows that a further phrase must add to its label
LEAST_LIFT = 2.0  # of what is added to a label, against the clusters of the same label
LEAST_ADDED = 0.15  # share of a cluster's rows that have what is added to its label
LEAST_SCORE = 2.5  # z-score of a word of the texts that is added: many are tried
EXCERPT = 30  # characters of a central text
LONGEST_CENTER = 300  # characters of a text from which they are taken, and of an id
FOLDS = 5
CHECKED_ROWS = 20_000  # sample on which labels are checked
LEAST_COVERAGE = 0.2  # share of a cluster's rows below which its label is an example of what they say
WEAK_F1 = 0.3  # on held-out rows, below which a label hardly describes its cluster


def choose_phrases(described: Mapping[int, Sequence[Phrase]], beta: float = BETA) -> dict[int, Phrase]:
    """Return the phrase that names each cluster.

    If phrases are in the answers of at least half of its rows, it is one of them. Otherwise it is one of several
    rows: one that is more frequent here than elsewhere, if there is any, and that names no other cluster which it
    fits better, if there is another one that is not much rarer. Of these it is the one with the best F measure,
    in which coverage counts `beta` times as much as specificity. A longer phrase replaces a part of itself if it
    covers at least 80 % of the part's rows.

    :param described: phrases by cluster (`describe_phrases`).
    :param beta: `BETA`, or `BETA_OF_TEXTS` where the phrases are of texts.
    :return: phrases by cluster, the best fitting first; clusters whose rows have none in common are left out.
    """
    claims = {cluster: found for cluster, phrases in described.items() if (found := _claims(phrases, beta))}
    chosen: dict[int, Phrase] = {}
    for cluster in sorted(claims, key=lambda c: (-claims[c][0].f_score(beta), -claims[c][0].support, c)):
        best, *others = claims[cluster]
        free = [
            p
            for p in (best, *others)
            if p.support >= LEAST_OWN * best.support and not _is_taken(p, chosen.values(), beta)
        ]
        chosen[cluster] = free[0] if free and best.support < MAJORITY else best
    return chosen


def choose_labels(
    phrases_by_row: Sequence[Sequence[str]], labels: Labels, beta: float = BETA
) -> dict[int, tuple[str, ...]]:
    """Return the phrases that name each cluster: one (`choose_phrases`), or up to three.

    Where the first phrase is in the answers of less than half of the rows, or names another cluster too, others
    join it. Each of them adds rows, is more frequent here than elsewhere, is not the first phrase of a cluster
    which it fits better, and improves the F measure of the label.

    :param phrases_by_row: phrases of each row.
    :param labels: cluster of each row, int64, shape (n_rows,), -1 for noise.
    :param beta: see `choose_phrases`.
    :return: phrases by cluster, in the order of `choose_phrases`; those of a cluster the best first.
    """
    described = describe_phrases(phrases_by_row, labels)
    first = choose_phrases(described, beta)
    further = _further_phrases(described, first, beta)
    used = {p.text for phrases in (first.values(), *further.values()) for p in phrases}
    rows_with = _rows_with(phrases_by_row, used)
    joined = {
        cluster: _join_phrases(
            phrase.text,
            [p.text for p in further.get(cluster, [])],
            rows_with,
            set(np.flatnonzero(labels == cluster).tolist()),
            beta,
        )
        for cluster, phrase in first.items()
    }
    return {cluster: _with_top(phrases, described[cluster]) for cluster, phrases in joined.items()}


def _with_top(label: tuple[str, ...], phrases: Sequence[Phrase]) -> tuple[str, ...]:
    """Return a label that says what most rows say, even where another cluster's says so too."""
    most = max(phrases, key=lambda p: (p.support, p.score, p.text))
    top = _complete(most, phrases).text
    said = any(contains_phrase(p, most.text) or contains_phrase(top, p) or _is_similar(p, top) for p in label)
    return label if said or most.support < LEAST_TOP else (top, *label)[:MOST_PHRASES]


def _further_phrases(
    described: Mapping[int, Sequence[Phrase]], first: Mapping[int, Phrase], beta: float
) -> dict[int, list[Phrase]]:
    """Return the phrases that may join the first one of each cluster that needs more than one."""
    further: dict[int, list[Phrase]] = {}
    for cluster, phrase in first.items():
        others = [p for c, p in first.items() if c != cluster]
        if phrase.support < MAJORITY or any(_is_similar(phrase.text, p.text) for p in others):
            fitting = [
                p
                for p in described[cluster]
                if p.support >= LEAST_MORE and p.n_rows > 1 and p.score > 0 and p.lift >= MORE_FREQUENT
            ]
            complete = dict.fromkeys(_complete(p, fitting) for p in fitting)
            further[cluster] = [p for p in complete if not _is_taken(p, others, beta)]
    return further


def _join_phrases(
    first: str, further: Sequence[str], rows_with: Mapping[str, set[int]], inside: set[int], beta: float
) -> tuple[str, ...]:
    """Return the first phrase and those that improve the F measure of all together.

    :param inside: the rows of the cluster.
    """

    def fit(rows: set[int]) -> float:
        return (1 + beta**2) * len(rows & inside) / (beta**2 * len(inside) + len(rows))

    label, rows = [first], rows_with[first]
    while len(label) < MOST_PHRASES:
        better = [
            (fit(rows | rows_with[p]), p)
            for p in further
            if fit(rows | rows_with[p]) > fit(rows)
            and len((rows_with[p] - rows) & inside) >= max(2, LEAST_MORE * len(inside))
            and not any(contains_phrase(p, q) or contains_phrase(q, p) or _is_similar(p, q) for q in label)
        ]
        if not better or (len(label) > 1 and len(rows & inside) >= MAJORITY * len(inside)):
            break
        label.append(max(better)[1])
        rows = rows | rows_with[label[-1]]
    return tuple(label)


def _rows_with(phrases_by_row: Sequence[Sequence[str]], names: Iterable[str]) -> dict[str, set[int]]:
    """Return the rows of each phrase."""
    rows: dict[str, set[int]] = {name: set() for name in names}
    for i, phrases in enumerate(phrases_by_row):
        for phrase in phrases:
            if phrase in rows:
                rows[phrase].add(i)
    return rows


def _is_taken(phrase: Phrase, taken: Iterable[Phrase], beta: float) -> bool:
    fit = phrase.f_score(beta)
    return any(_is_similar(phrase.text, other.text) and other.f_score(beta) > fit for other in taken)


def _claims(phrases: Sequence[Phrase], beta: float) -> list[Phrase]:
    """Return the phrases that may name a cluster, the best first."""
    common = [p for p in phrases if p.n_rows > 1]
    candidates = (
        [p for p in phrases if p.support >= MAJORITY]
        or [p for p in common if p.score > 0 and p.lift >= MORE_FREQUENT]
        or common
    )
    ranked = sorted(candidates, key=lambda p: _fit(p, beta), reverse=True)[:CLAIMS]
    return list(dict.fromkeys(_complete(p, phrases) for p in ranked))


def _fit(phrase: Phrase, beta: float) -> tuple[float, int, float, int, str]:
    """Return how well a phrase fits; of phrases that fit equally well, one that answers by itself is best."""
    f_score = round(phrase.f_score(beta), 9)
    return round(f_score, 2), phrase.n_alone, f_score, len(phrase.text), phrase.text


def _complete(best: Phrase, phrases: Sequence[Phrase]) -> Phrase:
    longer = [p for p in phrases if p.support >= COVERED * best.support and contains_phrase(p.text, best.text)]
    return max(longer, key=lambda p: (p.support, len(p.text), p.text), default=best)


def name_clusters(
    chosen: Mapping[int, tuple[str, ...]],
    phrases_by_row: Sequence[Sequence[str]],
    labels: Labels,
    phrases_of_texts: PhrasesOf,
    centers: Mapping[int, tuple[str, str]],
) -> dict[int, str]:
    """Return a unique label for each cluster: its phrases, and what sets it apart from clusters of the same ones.

    "late" and "late", or two forms of one word ("cancel", "cancellation"), become "late: parcel" and
    "late: refund". What is added is the rest of the answers that hold the phrase, or else a word of the texts, if
    it is much more frequent than in the other clusters of this phrase; or else, if the bare phrase is taken, the
    beginning of the most central text, or its id.

    :param chosen: the phrases of each cluster (`choose_labels`), the best fitting first.
    :param phrases_by_row: phrases of each row's answer.
    :param labels: cluster of each row, int64, shape (n_rows,), -1 for noise.
    :param phrases_of_texts: returns the phrases of the texts of some rows.
    :param centers: the most central text of each cluster, and its id.
    :return: labels by cluster.
    """
    joined = {cluster: OR.join(phrases) for cluster, phrases in chosen.items()}
    names: dict[int, str] = {}
    for group in _groups_alike(joined):
        if len(group) == 1:
            names[group[0]] = joined[group[0]]
            continue
        rows = np.flatnonzero(np.isin(labels, group)).tolist()
        own = [
            [p for p in phrases_by_row[i] if any(contains_phrase(p, part) for part in chosen[c])]
            for i, c in zip(rows, labels[rows].tolist(), strict=True)
        ]
        additions = _additions(own, labels[rows], joined, 0)
        if missing := set(group) - set(additions):
            found = _additions(phrases_of_texts(rows), labels[rows], joined, LEAST_SCORE)
            additions |= {c: text for c, text in found.items() if c in missing}
        for cluster in group:
            options = _label_options(joined[cluster], additions.get(cluster), centers.get(cluster), cluster)
            names[cluster] = next(option for option in options if option not in names.values())
    return names


def _groups_alike(labels: Mapping[int, str]) -> list[list[int]]:
    groups: list[list[int]] = []
    for cluster, label in labels.items():
        alike = [group for group in groups if any(_is_similar(label, labels[other]) for other in group)]
        groups = [group for group in groups if group not in alike]
        groups.append([*(other for group in alike for other in group), cluster])
    return groups


def _is_similar(label: str, other: str) -> bool:
    """Return whether two labels consist of the same words, up to their inflection."""
    one, two = label.split(), other.split()
    return len(one) == len(two) and all(_have_one_stem(a, b) for a, b in zip(one, two, strict=True))


def _have_one_stem(word: str, other: str) -> bool:
    if word == other:
        return True
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(word, other, strict=False)))
    return shared >= STEM and 2 * shared >= max(len(word), len(other))


def _additions(
    phrases_by_row: Sequence[Sequence[str]], labels: Labels, names: Mapping[int, str], least_score: float
) -> dict[int, str]:
    """Return the phrase that sets each cluster apart, without the words of its label; only where there is one."""
    found = {}
    for cluster, phrases in describe_phrases(phrases_by_row, labels).items():
        known = names[cluster].split()
        fitting = [
            p
            for p in phrases
            if p.support >= LEAST_ADDED
            and p.lift >= LEAST_LIFT
            and p.score > least_score
            and set(p.text.split()) - set(known)
        ]
        if fitting:
            best = _complete(max(fitting, key=lambda p: _fit(p, 1)), fitting)
            found[cluster] = " ".join(word for word in best.text.split() if word not in known)
    return found


def _label_options(
    phrase: str, addition: str | None, center: tuple[str, str] | None, cluster: int
) -> Iterable[str]:
    """Return labels for a cluster, the best first; the last resort, where ids repeat too, is its number."""
    if addition is not None:
        yield f"{phrase}: {addition}"
    yield phrase
    if center is not None:
        text, row_id = (printable(part[:LONGEST_CENTER]) for part in center)
        yield f"{phrase}: “{truncate(text, EXCERPT)}”"
        yield f"{phrase}: {row_id}"
    yield f"{phrase} ({cluster})"


@dataclass(frozen=True)
class LabelCheck:
    """How well a label fits its cluster, measured by the answers that contain its phrases.

    :param coverage: share of the cluster's rows whose answer contains a phrase of it (recall), 0 to 1.
    :param specificity: share of the rows whose answer contains one that are in the cluster (precision), 0 to 1.
    :param f1: harmonic mean of recall and precision on rows that the label was not chosen on (five-fold cross-
        validation), 0 to 1; None for a cluster without rows in the sample.
    :param elsewhere: share of the other rows whose answer contains one, 0 to 1.
    """

    coverage: float
    specificity: float
    f1: float | None
    elsewhere: float = 0.0

    @property
    def is_mixed(self) -> bool:
        """Whether the cluster's answers have so little in common that its label is an example of them."""
        return round(self.coverage, 2) < LEAST_COVERAGE

    @property
    def is_weak(self) -> bool:
        """Whether the label hardly describes the cluster, or describes the other rows as well."""
        return (self.f1 is not None and round(self.f1, 2) < WEAK_F1) or self.coverage <= self.elsewhere


def check_labels(
    phrases_by_row: Sequence[Sequence[str]],
    labels: Labels,
    chosen: Mapping[int, Sequence[str]],
    beta: float = BETA,
) -> dict[int, LabelCheck]:
    """Return coverage, specificity and F1 of each cluster's label.

    For F1, the phrases of each cluster are chosen on four fifths of the rows and tested on the others, five times;
    counts are summed. Above 20,000 rows a sample of that size is used. Otherwise the result does not depend on the
    order of the rows.

    :param phrases_by_row: phrases of each row.
    :param labels: cluster of each row, int64, shape (n_rows,), -1 for noise.
    :param chosen: the phrases that name each cluster, by cluster.
    :param beta: what they were chosen by.
    :return: checks by cluster.
    """
    rows_with = _rows_with(phrases_by_row, {phrase for phrases in chosen.values() for phrase in phrases})
    sample = sample_indices(len(labels), CHECKED_ROWS, 0).tolist()
    f1 = _cross_validated_f1([phrases_by_row[i] for i in sample], labels[sample], beta)
    checks = {}
    for cluster, phrases in chosen.items():
        inside, rows = labels == cluster, sorted(set().union(*(rows_with[phrase] for phrase in phrases)))
        hits = int(inside[rows].sum())
        checks[cluster] = LabelCheck(
            hits / max(1, int(inside.sum())),
            hits / max(1, len(rows)),
            f1.get(cluster),
            (len(rows) - hits) / max(1, int((~inside).sum())),
        )
    return checks


def _cross_validated_f1(phrases_by_row: Sequence[Sequence[str]], labels: Labels, beta: float) -> dict[int, float]:
    """Return F1 by cluster: 2 hits / (rows in the cluster + rows that hold the label), summed over folds."""
    # Folds depend on answers alone, not on the order of rows, and spread rows of the same answer evenly.
    n_dealt = Counter[tuple[str, int]]()
    folds = np.empty(len(labels), np.int64)
    for i, (row, label) in enumerate(zip(phrases_by_row, labels.tolist(), strict=True)):
        answer = "\n".join(row)
        folds[i] = (zlib.crc32(answer.encode("utf-8", "surrogatepass")) + n_dealt[answer, label]) % FOLDS
        n_dealt[answer, label] += 1
    hits, uses = Counter[int](), Counter[int]()
    for fold in range(FOLDS):
        training = np.flatnonzero(folds != fold)
        best = choose_labels([phrases_by_row[i] for i in training.tolist()], labels[training], beta)
        for i in np.flatnonzero(folds == fold).tolist():
            uses[int(labels[i])] += 1
            held = set(phrases_by_row[i])
            for cluster, phrases in best.items():
                if not held.isdisjoint(phrases):
                    uses[cluster] += 1
                    hits[cluster] += int(labels[i] == cluster)
    return {cluster: 2 * hits[cluster] / n for cluster, n in uses.items() if n and cluster != NOISE}
