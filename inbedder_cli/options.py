"""The settings of each step, as plain values: no heavy imports, so the command line can show them at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from inbedder_cli.errors import UsageError, did_you_mean
from inbedder_cli.registry import algorithms


class Choice(StrEnum):
    """An option with a fixed set of values; the plain string is as good as the member."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        """Refuse any other value.

        :raises UsageError: always, with the values that there are.
        """
        values = [str(member) for member in cls]
        raise UsageError(
            f'"{value}" is no {cls.__name__}',
            hint=f"{did_you_mean(str(value), values)}use one of: {', '.join(values)}",
        )


class Architecture(Choice):
    """How a language model says an answer, which is how it is read."""

    causal = "causal"  # one stack goes on from the prompt: LLaMA, OPT, Qwen
    masked = "masked"  # one stack fills masks after the prompt: RoBERTa, BERT, ModernBERT
    seq2seq = "seq2seq"  # an encoder reads, a decoder speaks: T5, BART


class Pooling(Choice):
    """Which hidden states become a text's vector (InBedder, section 3.2, in the paper's names in brackets).

    With answer tokens a1..am, state s1 is that of the last prompt token (seq2seq: of the decoder's start), from
    which a1 is spoken, and s(i+1) is that of token ai, from which the next one is spoken. A masked model speaks
    its whole answer at once, from its masks.
    """

    first_token = "first-token"  # s1 (1st-gen, the paper's best): one forward pass, no decoding
    answer_mean = "answer-mean"  # mean of s1..sm (avg-gen)
    answer_last = "answer-last"  # sm (last-gen)
    answer_words = "answer-words"  # the words that a1 may be, with their chances: one forward pass and the head
    prompt_mean = "prompt-mean"  # mean over the prompt's tokens (avg-ppt)
    all_mean = "all-mean"  # mean over the prompt's tokens and a1..a(m-1), or the masks (avg-all)
    masks = "masks"  # mean over the masks of a masked model (its avg-gen)

    @property
    def reads_answer(self) -> bool:
        """Whether the vector depends on the decoded answer."""
        return self in (Pooling.answer_mean, Pooling.answer_last, Pooling.all_mean)


class EmptyTexts(Choice):
    """What to do with rows that have no text."""

    skip = "skip"
    keep = "keep"
    fail = "fail"


class Dtype(Choice):
    """The format in which the model computes."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class TableFormat(Choice):
    """How results are written."""

    table = "table"
    csv = "csv"
    tsv = "tsv"
    json = "json"
    jsonl = "jsonl"
    markdown = "markdown"
    parquet = "parquet"


class InputFormat(Choice):
    """How the input is read."""

    csv = "csv"
    tsv = "tsv"
    jsonl = "jsonl"
    parquet = "parquet"


@dataclass(frozen=True)
class EncodeOptions:
    """How texts become vectors and answers.

    :param pooling: which hidden states become the vector; None takes the model's own.
    :param layer: index into the hidden states, 0 = embeddings, N = after the final norm, negative counts
        from the end; None takes the model's own. A masked model's own is, at its masks, one step past N: what
        its head computes before it chooses words.
    :param answers: whether answers are decoded at all.
    :param max_answer_tokens: longest answer, in tokens.
    :param max_tokens: longest prompt, in tokens; longer texts are shortened, the instruction never.
    :param batch_tokens: padded tokens that are read at a time; None chooses by device.
    """

    pooling: Pooling | None = None
    layer: int | None = None
    answers: bool = True
    max_answer_tokens: int = 8
    max_tokens: int = 512
    batch_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.pooling is not None:
            object.__setattr__(self, "pooling", Pooling(self.pooling))


@dataclass(frozen=True)
class ClusterOptions:
    """How vectors become clusters.

    :param algorithm: name of a registered algorithm (`registry.algorithms`), such as kmeans or hdbscan.
    :param k: number of clusters, for algorithms that take one (kmeans); None selects it.
    :param k_min: smallest k that is tried.
    :param k_max: largest k that is tried.
    :param min_cluster_size: smallest cluster, in rows, for algorithms that take it (hdbscan); None takes 2 % of
        the rows, at least 5.
    :param seed: seed of every random choice.
    :param stability: whether the stability of each cluster is measured, which takes seconds.
    """

    algorithm: str = "kmeans"
    k: int | None = None
    k_min: int = 2
    k_max: int = 20
    min_cluster_size: int | None = None
    seed: int = 0
    stability: bool = True

    def __post_init__(self) -> None:
        algorithms.check(self.algorithm)


@dataclass(frozen=True)
class UnansweredOptions:
    """Which rows count as unanswered.

    :param flag: whether rows that do not answer the question are kept out of the clusters.
    :param min_confidence: answers below this confidence, 0 to 1, count as unanswered.
    """

    flag: bool = True
    min_confidence: float = 0.1


@dataclass(frozen=True)
class ExplainOptions:
    """How clusters are explained.

    :param stop_words: a file with one or more words a line, "none", or None for the package's English list.
    :param phrases: answer n-grams kept per cluster.
    :param exemplars: example rows kept per cluster.
    """

    stop_words: str | None = None
    phrases: int = 8
    exemplars: int = 3
