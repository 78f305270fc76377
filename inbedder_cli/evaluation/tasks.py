"""What a suite is made of: tasks, each with its texts and its questions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self


@dataclass(frozen=True)
class ClusteringTask:
    """Texts that one question is to divide into known classes.

    :param name: of the task.
    :param corpus: what tasks over the same texts share; two of them are two views of it.
    :param texts: none is empty.
    :param labels: one class per text; there are as many clusters as classes.
    :param instruction: the question.
    :param paraphrases: the question in other words.
    :param implicit: questions that only hint at the same division.
    :param incorrect: questions that ask for another division.
    """

    name: str
    corpus: str
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    instruction: str
    paraphrases: tuple[str, ...] = ()
    implicit: tuple[str, ...] = ()
    incorrect: tuple[str, ...] = ()

    @property
    def n_classes(self) -> int:
        """Number of different labels."""
        return len(set(self.labels))

    def limited(self, limit: int) -> Self:
        """Return the first `limit` rows of one fixed shuffle (numpy's `RandomState(0).permutation`)."""
        rows = _shuffled(len(self.texts), limit)
        texts, labels = (tuple(cells[i] for i in rows) for cells in (self.texts, self.labels))
        return replace(self, texts=texts, labels=labels)


class Triplet(NamedTuple):
    """Under its goal's question, the anchor is to be nearer to the positive than to the negative."""

    id: str
    anchor: str
    positive: str
    negative: str


@dataclass(frozen=True)
class Goal:
    """The triplets of one question."""

    name: str
    instruction: str
    triplets: tuple[Triplet, ...]


@dataclass(frozen=True)
class TripletTask:
    """One corpus under several goals that contradict each other: what is alike under one differs under another."""

    name: str
    goals: tuple[Goal, ...]

    def limited(self, limit: int) -> Self:
        """Return the first `limit` triplets of each goal."""
        return replace(self, goals=tuple(replace(g, triplets=g.triplets[:limit]) for g in self.goals))


class Pair(NamedTuple):
    """Two sentences, how alike they are said to be, and under which question."""

    sentence1: str
    sentence2: str
    instruction: str
    score: float


@dataclass(frozen=True)
class PairTask:
    """Pairs of sentences, each with its question and its similarity under it."""

    name: str
    pairs: tuple[Pair, ...]

    def limited(self, limit: int) -> Self:
        """Return the first `limit` pairs: they are ordered so that the questions and scores alternate."""
        return replace(self, pairs=self.pairs[:limit])


@dataclass(frozen=True)
class SimilarityTask(PairTask):
    """Pairs of sentences under one question that asks for no aspect."""

    def limited(self, limit: int) -> Self:
        """Return the first `limit` pairs of one fixed shuffle."""
        return replace(self, pairs=tuple(self.pairs[i] for i in _shuffled(len(self.pairs), limit)))


class Query(NamedTuple):
    """A text, with others that are to be ranked before the rest."""

    text: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...]


@dataclass(frozen=True)
class RerankingTask:
    """Queries under one question."""

    name: str
    instruction: str
    queries: tuple[Query, ...]

    def limited(self, limit: int) -> Self:
        """Return the first `limit` queries of one fixed shuffle."""
        return replace(self, queries=tuple(self.queries[i] for i in _shuffled(len(self.queries), limit)))


@dataclass(frozen=True)
class Suite:
    """Tasks of all kinds, any of which may be missing.

    :param name: what messages call it.
    :param notes: what the user should know about its reading.
    """

    name: str
    clusterings: tuple[ClusteringTask, ...] = ()
    triplets: tuple[TripletTask, ...] = ()
    pairs: tuple[PairTask, ...] = ()
    similarities: tuple[SimilarityTask, ...] = ()
    rerankings: tuple[RerankingTask, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    def limited(self, limit: int | None) -> Suite:
        """Return at most `limit` rows of each clustering task, queries, similarity pairs: of a fixed shuffle.

        Of triplets the first ones of each set and goal, of instruction STS the first ones of each set:
        these come in groups (one anchor under each question) that a shuffle would tear apart.
        """
        if limit is None:
            return self
        return replace(
            self,
            clusterings=tuple(t.limited(limit) for t in self.clusterings),
            triplets=tuple(t.limited(limit) for t in self.triplets),
            pairs=tuple(t.limited(limit) for t in self.pairs),
            similarities=tuple(t.limited(limit) for t in self.similarities),
            rerankings=tuple(t.limited(limit) for t in self.rerankings),
        )


Task = ClusteringTask | TripletTask | PairTask | SimilarityTask | RerankingTask


def fingerprint(task: Task) -> str:
    """Return a hash of everything that a task holds."""
    content = json.dumps(asdict(task), ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def joined(suites: Sequence[Suite]) -> Suite:
    """Return one suite of all tasks."""
    return Suite(
        name=" + ".join(s.name for s in suites),
        clusterings=tuple(t for s in suites for t in s.clusterings),
        triplets=tuple(t for s in suites for t in s.triplets),
        pairs=tuple(t for s in suites for t in s.pairs),
        similarities=tuple(t for s in suites for t in s.similarities),
        rerankings=tuple(t for s in suites for t in s.rerankings),
        notes=tuple(n for s in suites for n in s.notes),
    )


def _shuffled(n: int, limit: int) -> list[int]:
    import numpy as np

    # The legacy generator: its stream is frozen for good, and published figures rest on it.
    return [int(i) for i in np.random.RandomState(0).permutation(n)[:limit]]
