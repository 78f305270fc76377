"""Rows -> units, one per answer, and back: how `multi` finds several answers in one text.

A small model names one thing, however it is asked. So a text is split into its parts, and each is asked the same
question. A part may say something else than what was asked ("We came for a wedding"). Its answer is told by those
of whole texts: a word that hardly ever begins the answer to a whole text is no answer to the question. A unit is a
row with one of its answers; everything between encoding and output works on units as it does on rows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from inbedder_cli.clustering.preprocess import sample_indices
from inbedder_cli.embeddings import RowStatus
from inbedder_cli.encoders.cache.cached_encoder import n_new_texts
from inbedder_cli.encoders.encoded import Encoded
from inbedder_cli.encoders.next_words import NextWords, next_words
from inbedder_cli.errors import UsageError
from inbedder_cli.explanation.parts import MOST_PARTS, split_text
from inbedder_cli.explanation.stop_words import load_stop_words, words_of
from inbedder_cli.explanation.unanswered import is_unanswered
from inbedder_cli.explanation.variants import unify_answers
from inbedder_cli.progress import SILENT
from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.embeddings import Embeddings
    from inbedder_cli.encoders import Encoder
    from inbedder_cli.explanation.summaries import ClusterSummary
    from inbedder_cli.options import UnansweredOptions
    from inbedder_cli.progress import Reporter

T = TypeVar("T")

# The first two were chosen on four small corpora with gold answers (benchmarks/several_answers.py).
LEAST_MEAN = 0.002  # mean probability of a word as the first of the answer to a whole text: one text in 500
LEAST_RATIO = 0.1  # of that probability to the one of parts of texts
LONGEST_WORD = 100  # characters
DIGITS = 9  # of ratios, whose last digits depend on the order of the rows
SECOND = 0.1  # probability of another likely word, as a share of that of the most likely one, from which it counts
COMMON = 0.01  # share of the rows whose likeliest first word it is, at least two rows
# Share of the rows from which a run without `multi` says that there is one: lists of features have 0.36 and more,
# lists of symptoms 0.30; sample reviews and tickets, which have one answer, at most 0.07.
SEVERAL = 0.15
SAMPLE = 2000  # rows on which that is measured


@dataclass(frozen=True)
class Units:
    """The answers of a corpus: one unit for each row and answer.

    :param rows: the corpus that was given.
    :param corpus: one row per unit: the cells and the id of its row, and as its text the part that answers.
    :param row_of: the row of each unit, in the order of the rows; every row has a unit.
    :param words: the words with which answers may begin (`answer_words`).
    """

    rows: Corpus
    corpus: Corpus
    row_of: list[int]
    words: frozenset[str]

    def by_row(self, values: Sequence[Any]) -> list[list[Any]]:
        """Return values of the units as a list for each row.

        :param values: one per unit.
        """
        lists: list[list[Any]] = [[] for _ in range(len(self.rows))]
        for row, value in zip(self.row_of, values, strict=True):
            lists[row].append(value)
        return lists

    def n_rows(self, units: Sequence[int]) -> int:
        """Return the number of different rows that units belong to.

        :param units: indices of units.
        """
        return len({self.row_of[unit] for unit in units})

    def count_by_row(
        self,
        summaries: Sequence[ClusterSummary],
        labels: npt.NDArray[np.int64],
        clustered: Sequence[int],
        n_read: int,
    ) -> list[ClusterSummary]:
        """Return summaries with sizes and shares by rows, so that the shares may add up to more than 1.

        :param summaries: of clusters of units.
        :param labels: cluster of each clustered unit, int64, shape (len(clustered),), -1 for noise.
        :param clustered: the units that were clustered.
        :param n_read: number of rows that shares refer to.
        """
        counted = []
        for summary in summaries:
            size = self.n_rows([clustered[i] for i in np.flatnonzero(labels == summary.cluster).tolist()])
            counted.append(replace(summary, size=size, share=size / max(1, n_read)))
        return counted


def embed_units(
    corpus: Corpus,
    whole: Embeddings,
    encoder: Encoder,
    unanswered_options: UnansweredOptions | None = None,
    reporter: Reporter = SILENT,
    words: frozenset[str] | None = None,
) -> Embeddings:
    """Return the embeddings of the units of a corpus: of the parts that answer, or of the whole text if none does.

    Of the parts of a row whose answers mean the same, the one with the most confident answer is kept.

    :param corpus: the rows.
    :param whole: the embeddings of its texts, from `embed`.
    :param encoder: what encoded them.
    :param unanswered_options: which answers count as unanswered.
    :param reporter: receives messages and progress.
    :param words: the words with which answers may begin, for new rows of a saved run; None finds them.
    :return: embeddings with one row per unit, whose `units` say which row each belongs to.
    :raises UsageError: for an encoder without answers.
    """
    if whole.answers is None:
        raise UsageError("multi needs answers, which this model does not give", hint="use another model")
    instruction = whole.instruction or ""
    read = [row for row in corpus.readable if whole.status[row] is RowStatus.ok]
    split = {row: split_text(corpus.texts[row]) for row in read}
    if n_long := sum(len(parts) == MOST_PARTS for parts in split.values()):
        reporter.warn(
            f"{n_long:,} texts have {MOST_PARTS} parts or more: what follows these is not asked for answers"
        )
    asked = [(row, part) for row, parts in split.items() if len(parts) > 1 for part in parts]
    texts = [part for _, part in asked]
    encoded = Encoded(whole.vectors[:0], [], None, 0, 0)
    if asked:
        if n_new := n_new_texts(encoder, texts, instruction, whole.options):
            n_texts = len({row for row, _ in asked})
            reporter.info(f"asking {n_new:,} different parts of {count_of(n_texts, 'text')} for answers")
        encoded = encoder.encode(texts, instruction, whole.options, reporter if n_new else SILENT)
    answers = encoded.answers or []
    first = _first_words(answers, encoded.next_words)
    if words is None:
        words = answer_words(whole, encoded, read, [row for row in read if len(split[row]) < 2])
    flags = is_unanswered(answers, texts, instruction, encoded.confidences, unanswered_options)
    kept = [
        i
        for i, flag in enumerate(flags)
        if not flag and _likeliest(first, i) in words and np.isfinite(encoded.vectors[i]).all()
    ]
    confidences = encoded.confidences if encoded.confidences is not None else np.zeros(len(asked), np.float32)
    best: dict[tuple[int, str], int] = {}
    meanings = unify_answers([answers[i] for i in kept], instruction, encoded.vectors[kept])
    for i, meaning in zip(kept, meanings, strict=True):
        key = asked[i][0], meaning
        if key not in best or confidences[i] > confidences[best[key]]:
            best[key] = i
    chosen: dict[int, list[int]] = {row: [] for row in range(len(corpus))}
    for (row, _), i in best.items():
        chosen[row].append(i)
    # Rows come first in the joined arrays, then parts.
    units = [(row, place) for row, parts in chosen.items() for place in [len(corpus) + i for i in parts] or [row]]
    return _take(corpus, whole, encoded, texts, units, words)


def answer_words(
    whole: Embeddings, parts: Encoded, read: Sequence[int], undivided: Sequence[int]
) -> frozenset[str]:
    """Return the words with which answers to whole texts begin, and not only answers to parts of texts.

    :param whole: the embeddings of whole texts.
    :param parts: their parts, encoded under the same question.
    :param read: the rows with a vector.
    :param undivided: those of them that have no parts, and count as their own.
    """
    table = _first_words([answer or "" for answer in whole.answers or ()], whole.next_words)
    of_texts = table.of(read)
    of_parts = NextWords.concat([table.of(undivided), _first_words(parts.answers or [], parts.next_words)])
    means = dict(zip(of_parts.words, of_parts.means().tolist(), strict=True))
    return frozenset(
        word
        for word, mean in zip(of_texts.words, of_texts.means().tolist(), strict=True)
        if round(mean - LEAST_MEAN, DIGITS) >= 0 and round(mean - LEAST_RATIO * means.get(word, 0.0), DIGITS) >= 0
    )


def suggest_multi(corpus: Corpus, embeddings: Embeddings, reporter: Reporter) -> None:
    """Say that there is `multi` where many texts seem to hold several answers.

    :param corpus: the rows.
    :param embeddings: the embeddings of its texts.
    :param reporter: receives the message.
    """
    if (share := share_of_several(corpus, embeddings)) >= SEVERAL:
        reporter.info(
            f"at least {100 * share:.0f} % of the texts seem to hold several answers: see cluster --multi"
        )


def share_of_several(corpus: Corpus, embeddings: Embeddings) -> float:
    """Return the share of the answered rows that are seen to have several answers, 0 to 1; there may be more.

    An answer may be a list; or two of the words that may begin it stand in different parts of the text, and each
    begins the answers of other rows, too.

    :param corpus: the rows.
    :param embeddings: the embeddings of its texts, with answers.
    """
    rows = embeddings.rows
    rows = [rows[i] for i in sample_indices(len(rows), SAMPLE, 0)]
    if embeddings.answers is None or not rows:
        return 0.0
    stop_words, table = load_stop_words(), embeddings.next_words
    likely = {row: {} if table is None else _likely(table, row) for row in rows}
    counts = Counter(next(iter(words), "") for words in likely.values())
    common = {w for w, n in counts.items() if n >= max(2, COMMON * len(rows)) and w not in stop_words}
    several = 0
    for row in rows:
        least = SECOND * max(likely[row].values(), default=0)
        parts = [words_of(part) for part in split_text(corpus.texts[row])]
        places = {
            next((i for i, part in enumerate(parts) if any(w.startswith(word) for w in part)), None)
            for word, probability in likely[row].items()
            if probability >= least and word in common
        }
        several += len(places - {None}) > 1 or len(split_text(embeddings.answers[row] or "")) > 1
    return several / len(rows)


def _first_words(answers: Sequence[str], table: NextWords | None) -> NextWords:
    """Return the likely first words of answers, or of an encoder that does not give them, the first words."""
    if table is not None and table.words:
        return table
    return next_words([[(word[:LONGEST_WORD], 1.0) for word in words_of(answer)[:1]] for answer in answers])


def _likely(table: NextWords, row: int) -> Mapping[str, float]:
    pairs = zip(table.ids[row].tolist(), table.probabilities[row].tolist(), strict=True)
    return {table.words[i]: p for i, p in pairs if p > 0}


def _likeliest(table: NextWords, row: int) -> str:
    return next(iter(_likely(table, row)), "")


def _take(
    corpus: Corpus,
    whole: Embeddings,
    encoded: Encoded,
    parts: Sequence[str],
    units: Sequence[tuple[int, int]],
    words: frozenset[str],
) -> Embeddings:
    """Return the embeddings of units, given as rows with places in the rows and the parts that follow these."""
    import pyarrow as pa

    row_of, places = [row for row, _ in units], [place for _, place in units]
    texts = [*corpus.texts, *parts]
    answers = [*(whole.answers or ()), *(encoded.answers or ())]
    status = [*whole.status, *[RowStatus.ok] * len(parts)]
    vectors, confidences, table = whole.vectors, whole.confidences, whole.next_words
    if parts:
        vectors = np.concatenate([vectors, encoded.vectors])
        confidences = _joined(np.concatenate, confidences, encoded.confidences)
        table = _joined(NextWords.concat, table, encoded.next_words)
    own = replace(
        corpus,
        table=corpus.table.take(pa.array(row_of, pa.int64())),
        texts=[texts[place] for place in places],
        ids=[corpus.ids[row] for row in row_of],
        index=None if corpus.index is None else corpus.index[row_of],
    )
    return replace(
        whole,
        vectors=vectors[places],
        answers=[answers[place] for place in places],
        status=[status[place] for place in places],
        confidences=None if confidences is None else confidences[places],
        next_words=table and table.of(places),
        units=Units(corpus, own, row_of, words),
    )


def _joined(join: Callable[[list[T]], T], one: T | None, other: T | None) -> T | None:
    return None if one is None or other is None else join([one, other])
