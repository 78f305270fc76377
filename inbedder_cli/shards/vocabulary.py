"""What the rows of a sample say: the answers, phrases and next words that are counted over all rows.

Without it each shard would find phrases of its own, and counts of different shards could not be added.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from inbedder_cli.errors import InputError
from inbedder_cli.explanation.likely_next_words import KnownWords
from inbedder_cli.explanation.phrases import phrases_by_row
from inbedder_cli.explanation.variants import normalize_answer
from inbedder_cli.options import ExplainOptions
from inbedder_cli.runs.schema import Count
from inbedder_cli.shards.sharding import VOCABULARY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inbedder_cli.results import ClusteringResult
    from inbedder_cli.shards.stores import Store

MAX_BYTES = 64_000_000
MOST_ANSWERS, MOST_PHRASES, MOST_WORDS = 20_000, 50_000, 5_000
MOST_COUNTS = 20_000_000  # numbers in a table of phrases by clusters
Texts = Annotated[list[str], Meta(max_length=1_000_000)]


class Vocabulary(Struct, frozen=True, dict=True):
    """The most frequent answers, phrases and next words of a sample, the most frequent first.

    :param schema: version of this format.
    :param forms: how an answer in lower case is counted, where it is counted as another one.
    :param answers: whole answers.
    :param phrases: n-grams of answers.
    :param words: first tokens of answers that are words, or begin the only word of an answer that begins so.
    :param stop_words: as `ExplainOptions` takes them.
    :param n_phrases: phrases that are kept per cluster.
    :param n_exemplars: example rows that are kept per cluster.
    """

    schema: Literal[1]
    forms: dict[str, str]
    answers: Texts
    phrases: Texts
    words: Texts
    stop_words: str | list[str] | None
    n_phrases: Count
    n_exemplars: Count

    @cached_property
    def answer_ids(self) -> dict[str, int]:
        """Place of each answer."""
        return {answer: place for place, answer in enumerate(self.answers)}

    @cached_property
    def phrase_ids(self) -> dict[str, int]:
        """Place of each phrase."""
        return {phrase: place for place, phrase in enumerate(self.phrases)}

    @cached_property
    def word_ids(self) -> dict[str, int]:
        """Place of each word."""
        return {word: place for place, word in enumerate(self.words)}

    @property
    def options(self) -> ExplainOptions:
        """How clusters are explained."""
        return ExplainOptions(self.stop_words, phrases=self.n_phrases, exemplars=self.n_exemplars)

    def form_of(self, answer: str) -> str:
        """Return an answer as it is counted.

        :param answer: as it was decoded.
        """
        key = normalize_answer(answer)
        return self.forms.get(key, key)


def vocabulary_of(result: ClusteringResult, options: ExplainOptions) -> Vocabulary:
    """Return the vocabulary of a sample.

    :param result: the clusters of the sample.
    :param options: how they are explained.
    """
    embeddings, k = result.embeddings, max(1, result.clustering.k)
    counted = embeddings.unified_answers or []
    keys = map(normalize_answer, embeddings.clusterable_answers or [])
    forms = {key: form for key, form in zip(keys, counted, strict=True) if key != form}
    unanswered = [
        normalize_answer(embeddings.answers[i] or "") for i in embeddings.unanswered if embeddings.answers
    ]
    phrases = phrases_by_row(counted, result.instruction, options)
    words: list[str] = []
    if embeddings.next_words is not None:
        means = embeddings.next_words.of(embeddings.rows).means()
        best = sorted(range(len(means)), key=lambda i: (-means[i], embeddings.next_words.words[i]))  # type: ignore[union-attr]
        known = KnownWords.of(counted, [result.row_corpus.texts[i] for i in embeddings.rows])
        begun = (embeddings.next_words.words[i] for i in best if means[i] > 0)
        words = list(islice((token for token in begun if known.complete([token])), MOST_WORDS))
    most = min(MOST_PHRASES, MOST_COUNTS // k)
    return Vocabulary(
        1,
        forms,
        _most_frequent([*counted, *unanswered], min(MOST_ANSWERS, most)),
        _most_frequent((phrase for row in phrases for phrase in row), most),
        words,
        options.stop_words
        if options.stop_words is None or isinstance(options.stop_words, str)
        else [*options.stop_words],
        options.phrases,
        options.exemplars,
    )


def _most_frequent(values: Iterable[str], n: int) -> list[str]:
    counts = Counter(values)
    return sorted(counts, key=lambda value: (-counts[value], value))[:n]


def write_vocabulary(work: Store, vocabulary: Vocabulary) -> None:
    """Write vocabulary.json beside the plan.

    :param work: the folder of the plan.
    :param vocabulary: the vocabulary.
    :raises WriteError: when it cannot be written.
    """
    work.write(VOCABULARY, msgspec.json.encode(vocabulary))


def read_vocabulary(work: Store) -> Vocabulary:
    """Return the vocabulary of the sample.

    :param work: the folder of the plan.
    :raises InputError: when it is missing or damaged.
    """
    hint = f"make the clusters: inbedder shards fit {work.location}"
    content = work.read(VOCABULARY, MAX_BYTES)
    if content is None:
        raise InputError("has no clusters yet", source=work.location, hint=hint)
    try:
        return msgspec.json.decode(content, type=Vocabulary)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InputError(f"is damaged: {error}", source=work.shown(VOCABULARY), hint=hint) from error
