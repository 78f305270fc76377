"""Counts of a shard that explain clusters: they can be added over all shards in any order.

Roots of probabilities are counted in millionths, so that sums do not depend on the order either.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec import Struct

from inbedder_cli.clustering import NOISE
from inbedder_cli.errors import InputError
from inbedder_cli.explanation.phrases import phrases_by_row
from inbedder_cli.explanation.summaries import UNANSWERED, first_distinct, sort_by_value
from inbedder_cli.output.tables import EXEMPLAR_CHARACTERS

if TYPE_CHECKING:
    import numpy.typing as npt

    from inbedder_cli.results import ClusteringResult
    from inbedder_cli.shards.vocabulary import Vocabulary

MAX_BYTES = 256_000_000
MILLION = 1_000_000
UNANSWERED_EXEMPLARS = 20  # different answers of unanswered rows of which a row is kept


class Candidate(Struct, frozen=True):
    """A row that may be shown as an example.

    :param value: by which the least come first: the distance to the centroid, or the margin.
    :param row: its number in the input, from 0.
    :param id: its id.
    :param answer: its answer; None where none was decoded.
    :param text: the beginning of its text.
    :param nearest: number of the nearest other cluster; -1 for none.
    """

    value: float
    row: int
    id: str
    answer: str | None
    text: str
    nearest: int = NOISE


class ShardCounts(Struct, frozen=True):
    """Counts of a shard; clusters by number, -1 for noise, -2 for unanswered rows.

    :param digest: of the plan and its clusters (`labels_digest`).
    :param statuses: rows by status.
    :param sizes: rows by cluster.
    :param novel: novel rows by cluster.
    :param phrases: table of cluster, phrase, rows that contain it, rows that say nothing else (`pack`).
    :param answers: table of cluster, answer, rows.
    :param words: table of cluster, word, sum of the roots of its probabilities in millionths, rows that have it.
    :param central: the rows nearest to each centroid, of different texts.
    :param borderline: the rows nearest to another cluster, of different texts.
    """

    digest: str
    statuses: dict[str, int]
    sizes: dict[int, int]
    novel: dict[int, int]
    phrases: bytes
    answers: bytes
    words: bytes
    central: dict[int, list[Candidate]]
    borderline: dict[int, list[Candidate]]


def pack(rows: list[tuple[int, ...]]) -> bytes:
    """Return a table of whole numbers as bytes: int64, little endian, row by row.

    :param rows: of the same length.
    """
    return np.array(rows, "<i8").tobytes()


def unpack(content: bytes, n_columns: int) -> npt.NDArray[np.int64]:
    """Return the columns of a table.

    :param content: what `pack` returned.
    :param n_columns: their number.
    :return: int64, shape (n_columns, n_rows).
    :raises ValueError: for other bytes.
    """
    return np.frombuffer(content, "<i8").reshape(-1, n_columns).T


def encode_counts(counts: ShardCounts) -> bytes:
    """Return counts as bytes.

    :param counts: of a shard.
    """
    return msgspec.msgpack.encode(counts)


def decode_counts(content: bytes, source: str) -> ShardCounts:
    """Return counts from bytes.

    :param content: what `encode_counts` returned.
    :param source: the file, in messages.
    :raises InputError: for anything else.
    """
    try:
        return msgspec.msgpack.decode(content, type=ShardCounts)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InputError(f"is damaged: {error}", source=source, hint="delete it and assign again") from error


def count_rows(
    result: ClusteringResult, novel: list[bool | None], vocabulary: Vocabulary, first_row: int, digest: str
) -> ShardCounts:
    """Return the counts of a shard.

    :param result: its rows in their clusters, from `assign_rows`.
    :param novel: which rows are novel, from `assign_rows`.
    :param vocabulary: what is counted.
    :param first_row: number of its first row, from 0.
    :param digest: of the plan and its clusters.
    """
    labels = result.clustering.labels
    n_novel = Counter(int(label) for label, row in zip(labels, result.rows, strict=True) if novel[row])
    unanswered = result.embeddings.unanswered
    sizes = Counter(labels.tolist()) | ({UNANSWERED: len(unanswered)} if unanswered else {})
    answers = _answer_counts(result, vocabulary)
    return ShardCounts(
        digest,
        dict(sorted(Counter(map(str, result.status)).items())),
        dict(sorted(sizes.items())),
        dict(sorted(n_novel.items())),
        pack(_phrase_counts(answers, vocabulary, result.instruction)),
        pack(_known_answers(answers, vocabulary)),
        pack(_word_counts(result, vocabulary)),
        *_examples(result, vocabulary, first_row),
    )


def _answer_counts(result: ClusteringResult, vocabulary: Vocabulary) -> Counter[tuple[int, str]]:
    """Return the number of rows by cluster and answer."""
    answers = result.embeddings.answers
    if answers is None:
        return Counter()
    labels = [*result.clustering.labels.tolist(), *[UNANSWERED] * len(result.embeddings.unanswered)]
    rows = [*result.rows, *result.embeddings.unanswered]
    forms = {answer: vocabulary.form_of(answer or "") for answer in {answers[row] for row in rows}}
    return Counter((label, forms[answers[row]]) for label, row in zip(labels, rows, strict=True))


def _phrase_counts(
    answers: Counter[tuple[int, str]], vocabulary: Vocabulary, instruction: str
) -> list[tuple[int, ...]]:
    said = sorted({answer for label, answer in answers if label != UNANSWERED})
    phrases = dict(zip(said, phrases_by_row(said, instruction, vocabulary.options), strict=True))
    ids = vocabulary.phrase_ids
    counts: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    for (label, answer), n in answers.items():
        found = phrases.get(answer, []) if label != UNANSWERED else []
        for phrase in found:
            if phrase in ids:
                counts[label, ids[phrase]][0] += n
        if found and (longest := max(found, key=len)) in ids:
            counts[label, ids[longest]][1] += n
    return [(label, phrase, n, alone) for (label, phrase), (n, alone) in sorted(counts.items())]


def _known_answers(answers: Counter[tuple[int, str]], vocabulary: Vocabulary) -> list[tuple[int, ...]]:
    ids = vocabulary.answer_ids
    return sorted((label, ids[answer], n) for (label, answer), n in answers.items() if answer in ids)


def _word_counts(result: ClusteringResult, vocabulary: Vocabulary) -> list[tuple[int, ...]]:
    table = result.embeddings.next_words
    if table is None or not table.words or not vocabulary.words:
        return []
    n_words = len(vocabulary.words)
    places = np.array([vocabulary.word_ids.get(word, n_words) for word in table.words], np.int64)
    labels, rows = result.clustering.labels, np.array(result.rows, np.int64)
    roots = np.sqrt(table.probabilities[rows].astype(np.float64))
    millionths = np.rint(roots * MILLION).astype(np.int64)
    ids = places[table.ids[rows]]
    counts: list[tuple[int, ...]] = []
    for label in np.unique(labels).tolist():
        inside = labels == label
        sums, n_rows = np.zeros(n_words + 1, np.int64), np.zeros(n_words + 1, np.int64)
        np.add.at(sums, ids[inside].ravel(), millionths[inside].ravel())
        np.add.at(n_rows, ids[inside].ravel(), (roots[inside] > 0).ravel())
        words = np.flatnonzero(n_rows[:n_words]).tolist()
        counts += [(label, word, int(sums[word]), int(n_rows[word])) for word in words]
    return counts


def _examples(
    result: ClusteringResult, vocabulary: Vocabulary, first_row: int
) -> tuple[dict[int, list[Candidate]], dict[int, list[Candidate]]]:
    """Return the central and the borderline rows by cluster."""
    clustering, corpus, answers = result.clustering, result.corpus, result.embeddings.answers
    n, texts = vocabulary.n_exemplars, [corpus.texts[row] for row in result.rows]

    def candidate(place: int, value: float) -> Candidate:
        row = result.rows[place]
        answer = answers[row] if answers else None
        nearest = int(clustering.second_cluster[place])
        text = corpus.texts[row][:EXEMPLAR_CHARACTERS]
        return Candidate(value, first_row + row, corpus.ids[row], answer, text, nearest)

    def least(inside: npt.NDArray[np.int64], values: npt.NDArray[np.float32]) -> list[Candidate]:
        chosen = first_distinct(sort_by_value(inside, values), texts, n)
        return [candidate(place, float(np.nan_to_num(values[place], nan=0.0))) for place in chosen]

    central, borderline = {}, {}
    for label in np.unique(clustering.labels).tolist():
        inside = np.flatnonzero(clustering.labels == label)
        central[label] = least(inside, clustering.distances)
        if border := least(inside[~np.isnan(clustering.margins[inside])], clustering.margins):
            borderline[label] = border
    if unanswered := _unanswered_examples(result, vocabulary, first_row):
        central[UNANSWERED] = unanswered
    return central, borderline


def _unanswered_examples(result: ClusteringResult, vocabulary: Vocabulary, first_row: int) -> list[Candidate]:
    """Return the first row with each of the answers that are most frequent in the sample; `value` is its place."""
    corpus, answers, ids = result.corpus, result.embeddings.answers or [], vocabulary.answer_ids
    first: dict[int, int] = {}
    for row in result.embeddings.unanswered:
        if (place := ids.get(vocabulary.form_of(answers[row] or ""))) is not None:
            first.setdefault(place, row)
    return [
        Candidate(place, first_row + row, corpus.ids[row], answers[row], corpus.texts[row][:EXEMPLAR_CHARACTERS])
        for place, row in sorted(first.items())[:UNANSWERED_EXEMPLARS]
    ]


def merge_candidates(one: list[Candidate], other: list[Candidate], label: int, n: int) -> list[Candidate]:
    """Return the first candidates of two shards, or of more that were merged before.

    :param one: candidates of different texts, or of unanswered rows, of different answers.
    :param other: others.
    :param label: number of the cluster.
    :param n: how many to keep; of unanswered rows `UNANSWERED_EXEMPLARS`.
    """
    chosen: dict[str | float, Candidate] = {}
    for each in sorted([*one, *other], key=lambda each: (each.value, each.row)):
        chosen.setdefault(each.value if label == UNANSWERED else each.text, each)
    return list(chosen.values())[: UNANSWERED_EXEMPLARS if label == UNANSWERED else n]
