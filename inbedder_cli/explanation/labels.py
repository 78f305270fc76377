"""Ranked phrases -> one label per cluster, and how well each label fits."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering.preprocess import sample_indices
from inbedder_cli.explanation.phrases import rank_phrases

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from inbedder_cli.explanation.phrases import Phrase

STEM = 4  # minimum length of the common prefix of two forms of a word; it must also be half of the longer one
FOLDS = 5
CHECKED_ROWS = 20_000  # sample on which labels are checked


def choose_labels(phrases: dict[int, list[Phrase]]) -> dict[int, str]:
    """Return a unique label for each cluster: its first phrase, extended where another cluster has the same.

    No two clusters get the same label, or two forms of one ("cancel", "cancellation"). Where two clusters share
    their first phrase, the one with the higher score gets it, and the other adds its next phrase.

    :param phrases: ranked phrases by cluster (`rank_phrases`).
    :return: labels by cluster; clusters without phrases have none.
    """
    claims = sorted(
        ((p.score, cluster, p.text) for cluster, ranked in phrases.items() for p in ranked[:1]),
        key=lambda claim: (-claim[0], claim[1]),
    )
    labels: dict[int, str] = {}
    for _, cluster, text in claims:
        label = text
        others = iter(p.text for p in phrases[cluster][1:])
        while any(_is_similar(label, taken) for taken in labels.values()):
            addition = next(others, None)
            label = f"{label} ({cluster})" if addition is None else f"{text}, {addition}"
        labels[cluster] = label
    return labels


def _is_similar(label: str, other: str) -> bool:
    """Return whether two labels consist of the same words, up to their inflection."""
    one, two = label.split(), other.split()
    return len(one) == len(two) and all(_have_one_stem(a, b) for a, b in zip(one, two, strict=True))


def _have_one_stem(word: str, other: str) -> bool:
    if word == other:
        return True
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(word, other, strict=False)))
    return shared >= STEM and 2 * shared >= max(len(word), len(other))


@dataclass(frozen=True)
class LabelCheck:
    """How well a label fits its cluster, measured by the answers that contain its phrase.

    :param coverage: share of the cluster's rows whose answer contains the phrase (recall), 0 to 1.
    :param specificity: share of the rows whose answer contains the phrase that are in the cluster (precision),
        0 to 1.
    :param f1: harmonic mean of recall and precision on rows that the label was not chosen on (five-fold cross-
        validation), 0 to 1; None for a cluster without rows in the sample.
    """

    coverage: float
    specificity: float
    f1: float | None


def check_labels(
    phrases_by_row: Sequence[Sequence[str]], labels: npt.NDArray[np.int64], chosen: dict[int, str]
) -> dict[int, LabelCheck]:
    """Return coverage, specificity and F1 of each cluster's label.

    For F1, the best phrase of each cluster is found on four fifths of the rows and tested on the others, five
    times; counts are summed. Above 20,000 rows a sample of that size is used. Otherwise the result does not
    depend on the order of the rows.

    :param phrases_by_row: phrases of each row.
    :param labels: cluster of each row, int64, shape (n_rows,), -1 for noise.
    :param chosen: the phrase that names each cluster, by cluster.
    :return: checks by cluster.
    """
    contains = {phrase: np.array([phrase in row for row in phrases_by_row], bool) for phrase in chosen.values()}
    sample = sample_indices(len(labels), CHECKED_ROWS, 0).tolist()
    f1 = _cross_validated_f1([phrases_by_row[i] for i in sample], labels[sample])
    checks = {}
    for cluster, phrase in chosen.items():
        inside = labels == cluster
        hits = int((inside & contains[phrase]).sum())
        checks[cluster] = LabelCheck(
            hits / max(1, int(inside.sum())), hits / max(1, int(contains[phrase].sum())), f1.get(cluster)
        )
    return checks


def _cross_validated_f1(
    phrases_by_row: Sequence[Sequence[str]], labels: npt.NDArray[np.int64]
) -> dict[int, float]:
    """Return F1 by cluster: 2 hits / (rows in the cluster + rows that contain the phrase), summed over folds."""
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
        best = rank_phrases([phrases_by_row[i] for i in training.tolist()], labels[training])
        for i in np.flatnonzero(folds == fold).tolist():
            uses[int(labels[i])] += 1
            for cluster, ranked in best.items():
                if ranked and ranked[0].text in phrases_by_row[i]:
                    uses[cluster] += 1
                    hits[cluster] += int(labels[i] == cluster)
    return {cluster: 2 * hits[cluster] / n for cluster, n in uses.items() if n}
