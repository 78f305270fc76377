"""Counts of all shards -> the summaries of the clusters, over all rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.clustering import NOISE
from inbedder_cli.errors import InputError
from inbedder_cli.explanation.likely_next_words import KnownWords, exceeding
from inbedder_cli.explanation.phrases import distinctive_phrases, phrases_of_counts
from inbedder_cli.explanation.summaries import (
    NOISE_LABEL,
    UNANSWERED,
    UNANSWERED_LABEL,
    AnswerShare,
    ClusterSummary,
    Exemplar,
)
from inbedder_cli.shards.counting import MILLION, Candidate, ShardCounts, merge_candidates, unpack
from inbedder_cli.shards.vocabulary import MOST_COUNTS, MOST_WORDS

if TYPE_CHECKING:
    from inbedder_cli.results import ClusteringResult
    from inbedder_cli.shards.vocabulary import Vocabulary


MOST = 10**15  # of a number in the counts of a shard


class MergedCounts:
    """Adds the counts of shards, in any order; memory depends on clusters and vocabulary, not on rows or shards.

    :param vocabulary: what is counted.
    :param k: number of clusters.
    :raises InputError: for a vocabulary that is larger than any that was made for so many clusters.
    """

    def __init__(self, vocabulary: Vocabulary, k: int) -> None:
        self.vocabulary, self.k = vocabulary, k
        self.statuses, self.sizes, self.novel = Counter[str](), Counter[int](), Counter[int]()
        n_most = max(len(vocabulary.phrases), len(vocabulary.answers), len(vocabulary.words))
        if k * n_most > max(MOST_COUNTS, k * MOST_WORDS):
            raise InputError(f"a vocabulary of {n_most:,} entries is too large for {k:,} clusters")
        shape = k + 2  # the last two rows are of unanswered rows and of noise: -2 and -1 index them
        self.phrases = np.zeros((shape, len(vocabulary.phrases)), np.int64)
        self.alone = np.zeros((shape, len(vocabulary.phrases)), np.int64)
        self.answers = np.zeros((shape, len(vocabulary.answers)), np.int64)
        self.word_roots = np.zeros((shape, len(vocabulary.words)), np.int64)
        self.word_rows = np.zeros((shape, len(vocabulary.words)), np.int64)
        self.known_words = KnownWords.of(vocabulary.answers, vocabulary.words)
        self.central: dict[int, list[Candidate]] = defaultdict(list)
        self.borderline: dict[int, list[Candidate]] = defaultdict(list)

    def add(self, counts: ShardCounts) -> None:
        """Add the counts of a shard.

        :param counts: what `count_rows` returned.
        :raises ValueError: for counts that do not fit the vocabulary, or the number of clusters.
        :raises IndexError: likewise.
        """
        tables = (unpack(counts.phrases, 4), unpack(counts.answers, 3), unpack(counts.words, 4))
        numbers = np.concatenate(
            [[*each.values()] for each in (counts.statuses, counts.sizes, counts.novel)]
            + [table[1:].ravel() for table in tables]
        )
        if np.any((numbers < 0) | (numbers > MOST)):
            raise ValueError("a number is out of range")
        self.statuses.update(counts.statuses)
        self.sizes.update(counts.sizes)
        self.novel.update(counts.novel)
        labels, ids, n_rows, n_alone = unpack(counts.phrases, 4)
        self.phrases[labels, ids] += n_rows
        self.alone[labels, ids] += n_alone
        labels, ids, n_rows = unpack(counts.answers, 3)
        self.answers[labels, ids] += n_rows
        labels, ids, roots, n_rows = unpack(counts.words, 4)
        self.word_roots[labels, ids] += roots
        self.word_rows[labels, ids] += n_rows
        n = self.vocabulary.n_exemplars
        for label, central in counts.central.items():
            self.central[label] = merge_candidates(self.central[label], central, label, n)
        for label, border in counts.borderline.items():
            self.borderline[label] = merge_candidates(self.borderline[label], border, label, n)

    @property
    def n_read(self) -> int:
        """Rows that were encoded: in clusters, noise, and unanswered."""
        return sum(self.sizes.values())

    def summaries(self, of_sample: ClusteringResult) -> list[ClusterSummary]:
        """Return the summaries of all rows, by cluster, noise last.

        Labels, their checks, stability and diverse rows stay those of the sample.

        :param of_sample: the clusters of the sample, with the user's names.
        """
        known = {summary.cluster: summary for summary in of_sample.summaries}
        if self.sizes[NOISE] and NOISE not in known:
            known[NOISE] = ClusterSummary(NOISE, NOISE_LABEL, 0, 0.0)
        clusters = [*sorted(number for number in known if number != NOISE), *([NOISE] if NOISE in known else [])]
        return [self._summary(known[number]) for number in clusters]

    def _summary(self, of_sample: ClusterSummary) -> ClusterSummary:
        number, size, options = of_sample.cluster, self.sizes[of_sample.cluster], self.vocabulary.options
        return replace(
            of_sample,
            size=size,
            share=size / max(1, self.n_read),
            phrases=[] if number == NOISE or not size else self._phrases(number, size)[: options.phrases],
            exemplars=[_exemplar(one) for one in self.central[number]],
            borderline=[replace(_exemplar(one), nearest=one.nearest) for one in self.borderline[number]],
            answers=self._answers(number)[: options.phrases],
            entropy=None,
            likely_next_words=self._likely_words(number)[: options.phrases] if size else [],
        )

    def _phrases(self, number: int, size: int) -> Any:  # noqa: ANN401
        names, total = self.vocabulary.phrases, self.phrases.sum(axis=0)
        n_rows = self.n_read - self.sizes[UNANSWERED]
        alone = {names[i]: int(self.alone[number, i]) for i in np.flatnonzero(self.alone[number])}
        return distinctive_phrases(phrases_of_counts(names, self.phrases[number], total, size, n_rows, alone))

    def _answers(self, number: int) -> list[AnswerShare]:
        counts, size = self.answers[number], max(1, self.sizes[number])
        shares = [AnswerShare(self.vocabulary.answers[i], int(counts[i]) / size) for i in np.flatnonzero(counts)]
        return sorted(shares, key=lambda share: (-share.share, share.text))

    def _likely_words(self, number: int) -> list[str]:
        n_rows = self.n_read - self.sizes[UNANSWERED]
        everywhere = self.word_roots.sum(axis=0) / (MILLION * max(1, n_rows))
        roots = self.word_roots[number] / (MILLION * self.sizes[number])
        words = self.vocabulary.words
        return self.known_words.complete(exceeding(words, roots, everywhere, self.word_rows[number], len(words)))

    def unanswered(self) -> ClusterSummary | None:
        """Return the summary of the unanswered rows; None if there are none."""
        if not self.sizes[UNANSWERED]:
            return None
        shares, size = self._answers(UNANSWERED), self.sizes[UNANSWERED]
        first = {self.vocabulary.form_of(one.answer or ""): one for one in reversed(self.central[UNANSWERED])}
        named = [first[share.text] for share in shares if share.text in first]
        return ClusterSummary(
            UNANSWERED,
            UNANSWERED_LABEL,
            size,
            size / self.n_read,
            exemplars=[_exemplar(one) for one in named[: self.vocabulary.n_exemplars]],
            answers=shares[: self.vocabulary.options.phrases],
        )


def _exemplar(one: Candidate) -> Exemplar:
    return Exemplar(one.row, one.id, one.answer, one.text)


def merged_rows(counts: Counter[str]) -> dict[str, int]:
    """Return the number of rows, in all and by status, as documents have them.

    :param counts: rows by status.
    """
    return {"total": sum(counts.values())} | dict(sorted(counts.items()))
