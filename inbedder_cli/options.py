"""The options of each step. Nothing heavy is imported here, so that `inbedder --help` starts fast."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from inbedder_cli.errors import UsageError, did_you_mean
from inbedder_cli.parameter_types import check_types
from inbedder_cli.registry import algorithms

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_MODEL = "inbedder-135m"
GPU_MODEL = "inbedder-1.5b"  # the default on a GPU, if it is on the machine
MAX_SEED = 2**32 - 1  # of numpy's generators


class Choice(StrEnum):
    """An option with a fixed set of values. Its plain strings are accepted wherever a member is."""

    @classmethod
    def option_name(cls) -> str:
        """Return the name of the option in messages.

        :return: the name of the class in lower case, such as "table format".
        """
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cls.__name__).lower()

    @classmethod
    def _missing_(cls, value: object) -> Self:
        """Raise a helpful error for an unknown value.

        :param value: the value.
        :return: it never returns.
        :raises UsageError: always; the hint lists the valid values.
        """
        values = [str(member) for member in cls]
        raise UsageError(
            f'unknown {cls.option_name()} "{value}"',
            hint=f"{did_you_mean(str(value), values)}use one of: {', '.join(values)}",
        )


class Architecture(Choice):
    """How a language model generates its answer."""

    causal = "causal"  # a decoder continues the prompt: LLaMA, OPT, Qwen
    masked = "masked"  # an encoder fills masks after the prompt: RoBERTa, BERT, ModernBERT
    seq2seq = "seq2seq"  # an encoder encodes the prompt, a decoder generates the answer: T5, BART


class Pooling(Choice):
    """How hidden states become the vector of a text.

    The names in brackets are those of the InBedder paper (arXiv 2402.09642, section 3.2). For an answer of the
    tokens a1..am, state s1 is the one that predicts a1: that of the last prompt token, or of the decoder's start
    token (seq2seq). State s(i+1) is that of token ai. A masked model predicts all answer tokens at once, at its
    mask tokens.
    """

    first_token = "first-token"  # s1 (1st-gen, best in the paper): one forward pass, no decoding
    answer_mean = "answer-mean"  # mean of s1..sm (avg-gen)
    answer_last = "answer-last"  # sm (last-gen)
    answer_words = "answer-words"  # probabilities of the words that may begin the answer: one pass and the head
    prompt_mean = "prompt-mean"  # mean over the prompt tokens (avg-ppt)
    all_mean = "all-mean"  # mean over the prompt tokens and a1..a(m-1), or the masks (avg-all)
    masks = "masks"  # mean over the mask tokens of a masked model (its avg-gen)

    @property
    def reads_answer(self) -> bool:
        """Whether the vector depends on the decoded answer."""
        return self in (Pooling.answer_mean, Pooling.answer_last, Pooling.all_mean)


class EmptyTexts(Choice):
    """What to do with rows that have no text."""

    skip = "skip"  # such rows get no vector and no cluster
    keep = "keep"  # such rows are embedded like the others
    fail = "fail"  # the first such row is an error

    @classmethod
    def option_name(cls) -> str:
        """Return the name of the option in messages.

        :return: "treatment of empty texts".
        """
        return "treatment of empty texts"


class Dtype(Choice):
    """Dtype of the model's weights and activations; auto takes the fastest that is native to the device."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


@dataclass(frozen=True)
class CsvStyle:
    r"""How a CSV file is written.

    :param delimiter: separator of cells.
    :param line_end: "\n" or "\r\n".
    :param has_mark: whether it begins with a byte-order mark, by which Excel knows UTF-8.
    :param encoding: "utf-8", or "utf-16-le".
    :param escapes_formulas: whether cells that a spreadsheet would run as a formula get an apostrophe.
    """

    delimiter: str = ","
    line_end: str = "\n"
    has_mark: bool = False
    encoding: str = "utf-8"
    escapes_formulas: bool = False


# Excel's own "Unicode text": what a double click opens in columns, whatever the language of the system is.
EXCEL_STYLE = CsvStyle("\t", "\r\n", has_mark=True, encoding="utf-16-le")


class OnBadRow(Choice):
    """What to do with rows that have more cells than the header, and with lines that are no JSON objects."""

    fail = "fail"
    skip = "skip"  # counted; --bad-rows writes them to a file
    pad = "pad"  # join the cells beyond the header to the last one


class EncodingErrors(Choice):
    """What to do with lines that are not of the encoding of their file."""

    fail = "fail"
    substitute = "replace"  # U+FFFD for the bytes
    fallback = "fallback"  # read the line as Windows-1252


@dataclass(frozen=True)
class EncodeOptions:
    """How texts become vectors and answers.

    :param pooling: how hidden states become the vector; None takes the model's own.
    :param layer: index into the hidden states: 0 is the embeddings, N the last layer after the final norm;
        negative numbers count from the end. None takes the model's own, which for the masks of a masked model
        is one step past N: the states transformed by its language-modeling head.
    :param answers: whether answers are decoded.
    :param max_answer_tokens: maximum length of an answer, in tokens.
    :param max_tokens: maximum length of a prompt, in tokens; longer texts are truncated, the instruction never.
    :param batch_tokens: tokens per batch, including padding; None chooses by device.
    """

    pooling: Pooling | None = None
    layer: int | None = None
    answers: bool = True
    max_answer_tokens: int = 8
    max_tokens: int = 512
    batch_tokens: int | None = None

    def __post_init__(self) -> None:
        _check_fields(self)
        if self.pooling is not None:
            object.__setattr__(self, "pooling", Pooling(self.pooling))
        for name in ("max_tokens", "max_answer_tokens"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")


@dataclass(frozen=True)
class ClusterOptions:
    """How vectors become clusters.

    :param algorithm: name of a registered algorithm (`registry.algorithms`), such as kmeans or hdbscan.
    :param k: number of clusters, for algorithms that take one (kmeans); None or "auto" selects it.
    :param k_min: smallest k to try, and the fewest clusters that merging leaves.
    :param k_max: largest k to try.
    :param min_cluster_size: smallest cluster, in rows, for algorithms that take it (hdbscan); None takes 2 % of
        the rows, at least 5.
    :param seed: seed of every random choice.
    :param stability: whether the stability of each cluster and row is measured.
    :param consensus: whether KMeans starts from the consensus of many runs, so that other seeds find the same
        clusters.
    """

    algorithm: str = "kmeans"
    k: int | None = None
    k_min: int = 2
    k_max: int = 20
    min_cluster_size: int | None = None
    seed: int = 0
    stability: bool = True
    consensus: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.k, str) and self.k == "auto":
            object.__setattr__(self, "k", None)
        _check_fields(self)
        algorithms.check(self.algorithm)
        if not 0 <= self.seed <= MAX_SEED:
            raise UsageError(f"seed must be between 0 and {MAX_SEED}, not {self.seed}")


@dataclass(frozen=True)
class UnansweredOptions:
    """Which rows count as unanswered.

    :param flag: whether rows that do not answer the question are kept out of the clusters.
    :param min_confidence: answers below this confidence, 0 to 1, count as unanswered.
    """

    flag: bool = True
    min_confidence: float = 0.1

    def __post_init__(self) -> None:
        _check_fields(self)
        if not 0 <= self.min_confidence <= 1:
            raise UsageError(f"min_confidence must be between 0 and 1, not {self.min_confidence}")


@dataclass(frozen=True)
class ExplainOptions:
    """How clusters are explained.

    :param stop_words: words, a file with one or more of them per line, "none", or None for the English list of the
        package.
    :param phrases: number of phrases (n-grams of answers) kept per cluster.
    :param exemplars: number of example rows kept per cluster.
    """

    stop_words: str | Iterable[str] | None = None
    phrases: int = 8
    exemplars: int = 3

    def __post_init__(self) -> None:
        if self.stop_words is not None and not isinstance(self.stop_words, str):
            object.__setattr__(self, "stop_words", _as_words(self.stop_words))
        _check_fields(self)
        if self.exemplars < 0:
            raise UsageError(f"exemplars must be at least 0, not {self.exemplars}")


@dataclass(frozen=True)
class ReportOptions:
    """What the report shows.

    :param title: its title; None takes the question, or the name of the input for several questions.
    :param texts: whether it holds the texts; ids, answers and labels are always in it.
    :param rows: most rows that the map and the table hold; above it, a sample of each cluster. 0: all rows.
    :param color_by: columns by which the map can be colored, as `by` of `analyze` takes them.
    :param date: column of dates, for the shares of the clusters over time.
    """

    title: str | None = None
    texts: bool = True
    rows: int = 20_000
    color_by: str | tuple[str, ...] = ()
    date: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.color_by, str):
            object.__setattr__(self, "color_by", (self.color_by,))
        _check_fields(self)
        if self.rows < 0:
            raise UsageError(f"rows must be at least 0, not {self.rows}")

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are asked for."""
        return (*self.color_by, *([self.date] if self.date else []))


def _check_fields(options: Any) -> None:  # noqa: ANN401
    """Refuse values of a wrong type, and make those of numpy plain: a saved run holds them as JSON."""
    check_types({field.name: str(field.type) for field in fields(options)}, vars(options))
    for name, value in vars(options).items():
        if type(value).__module__ == "numpy":
            object.__setattr__(options, name, value.item())


def _as_words(given: object) -> tuple[str, ...]:
    if not isinstance(given, (list, tuple, set, frozenset)) or not all(isinstance(word, str) for word in given):
        raise UsageError(f'stop_words must be words, a file, "none" or None, not {given!r}')
    return tuple(sorted(given))
