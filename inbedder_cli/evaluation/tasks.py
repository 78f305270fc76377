"""Suites and their tasks, each with its texts and questions."""

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
    """Texts with known classes, and the question that asks for these classes.

    :param name: of the task.
    :param corpus: name of the texts; tasks with the same corpus are views of it.
    :param texts: none is empty.
    :param labels: one class per text; the number of classes is the number of clusters.
    :param instruction: the question.
    :param paraphrases: the same question in other words.
    :param implicit: questions that only imply the classes.
    :param incorrect: questions that ask for something else.
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

    def subset(self, limit: int) -> Self:
        """Return the first `limit` rows of one fixed shuffle (numpy's `RandomState(0).permutation`).

        :param limit: number of rows.
        :return: the smaller task.
        """
        rows = _shuffle_indices(len(self.texts), limit)
        texts, labels = (tuple(cells[i] for i in rows) for cells in (self.texts, self.labels))
        return replace(self, texts=texts, labels=labels)


class Triplet(NamedTuple):
    """Three texts: under the goal's question the anchor should be nearer to the positive than to the negative.

    :param id: the same for one anchor under each goal.
    :param anchor: a text.
    :param positive: a text with the same answer.
    :param negative: a text with another answer.
    """

    id: str
    anchor: str
    positive: str
    negative: str


@dataclass(frozen=True)
class Goal:
    """The triplets of one question.

    :param name: of the goal, for example "emotion".
    :param instruction: the question.
    :param triplets: in the order of the file.
    """

    name: str
    instruction: str
    triplets: tuple[Triplet, ...]


@dataclass(frozen=True)
class TripletTask:
    """One corpus under goals that contradict each other: texts alike under one goal differ under another.

    :param name: of the set.
    :param goals: each with its question.
    """

    name: str
    goals: tuple[Goal, ...]

    def subset(self, limit: int) -> Self:
        """Return the first `limit` triplets of each goal.

        :param limit: number of triplets per goal.
        :return: the smaller task.
        """
        return replace(self, goals=tuple(replace(g, triplets=g.triplets[:limit]) for g in self.goals))


class Pair(NamedTuple):
    """Two sentences, and how similar they are under a question.

    :param sentence1: a text.
    :param sentence2: a text.
    :param instruction: the question.
    :param score: gold similarity, on any scale.
    """

    sentence1: str
    sentence2: str
    instruction: str
    score: float


@dataclass(frozen=True)
class PairTask:
    """Pairs of sentences, each with its own question (instruction STS).

    :param name: of the set.
    :param pairs: in the order of the file.
    """

    name: str
    pairs: tuple[Pair, ...]

    def subset(self, limit: int) -> Self:
        """Return the first `limit` pairs; files are ordered so that questions and scores alternate.

        :param limit: number of pairs.
        :return: the smaller task.
        """
        return replace(self, pairs=self.pairs[:limit])


@dataclass(frozen=True)
class SimilarityTask(PairTask):
    """Pairs of sentences under one general question (plain STS)."""

    def subset(self, limit: int) -> Self:
        """Return the first `limit` pairs of one fixed shuffle.

        :param limit: number of pairs.
        :return: the smaller task.
        """
        return replace(self, pairs=tuple(self.pairs[i] for i in _shuffle_indices(len(self.pairs), limit)))


class Query(NamedTuple):
    """A text, and others to be ranked by their similarity to it.

    :param text: the query.
    :param positives: texts that belong to it.
    :param negatives: texts that do not.
    """

    text: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...]


@dataclass(frozen=True)
class RerankingTask:
    """Queries under one question.

    :param name: of the task.
    :param instruction: the question.
    :param queries: each with the texts to be ranked.
    """

    name: str
    instruction: str
    queries: tuple[Query, ...]

    def subset(self, limit: int) -> Self:
        """Return the first `limit` queries of one fixed shuffle.

        :param limit: number of queries.
        :return: the smaller task.
        """
        return replace(self, queries=tuple(self.queries[i] for i in _shuffle_indices(len(self.queries), limit)))


@dataclass(frozen=True)
class Suite:
    """Tasks of all kinds, any of which may be missing.

    :param name: name of the suite in messages.
    :param clusterings: clustering tasks.
    :param triplets: sets of triplets.
    :param pairs: sets of instruction STS.
    :param similarities: sets of plain STS.
    :param rerankings: reranking tasks.
    :param notes: warnings for the user, such as rows that were left out.
    """

    name: str
    clusterings: tuple[ClusteringTask, ...] = ()
    triplets: tuple[TripletTask, ...] = ()
    pairs: tuple[PairTask, ...] = ()
    similarities: tuple[SimilarityTask, ...] = ()
    rerankings: tuple[RerankingTask, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    def subset(self, limit: int | None) -> Suite:
        """Return the suite with at most `limit` rows per task.

        Rows of clustering tasks, queries and similarity pairs are the first of a fixed shuffle. Triplets (of each
        set and goal) and instruction STS (of each set) are the first of the file, because a shuffle would separate
        an anchor from its other questions.

        :param limit: rows per task; None keeps all.
        :return: the smaller suite.
        """
        if limit is None:
            return self
        return replace(
            self,
            clusterings=tuple(t.subset(limit) for t in self.clusterings),
            triplets=tuple(t.subset(limit) for t in self.triplets),
            pairs=tuple(t.subset(limit) for t in self.pairs),
            similarities=tuple(t.subset(limit) for t in self.similarities),
            rerankings=tuple(t.subset(limit) for t in self.rerankings),
        )


Task = ClusteringTask | TripletTask | PairTask | SimilarityTask | RerankingTask


def fingerprint(task: Task) -> str:
    """Return a hash of everything that a task holds: texts, labels and questions.

    :param task: any task.
    :return: 16 hexadecimal digits.
    """
    content = json.dumps(asdict(task), ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def join_suites(suites: Sequence[Suite]) -> Suite:
    """Return one suite with the tasks of several.

    :param suites: in the order of their tasks.
    :return: the suite.
    """
    return Suite(
        name=" + ".join(s.name for s in suites),
        clusterings=tuple(t for s in suites for t in s.clusterings),
        triplets=tuple(t for s in suites for t in s.triplets),
        pairs=tuple(t for s in suites for t in s.pairs),
        similarities=tuple(t for s in suites for t in s.similarities),
        rerankings=tuple(t for s in suites for t in s.rerankings),
        notes=tuple(n for s in suites for n in s.notes),
    )


def _shuffle_indices(n: int, limit: int) -> list[int]:
    import numpy as np

    # The legacy generator: its stream never changes, and published scores depend on it.
    return [int(i) for i in np.random.RandomState(0).permutation(n)[:limit]]
