"""Hidden states -> vectors: which states a pooling takes, and from which layer (InBedder, section 3.2)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from inbedder_cli.errors import UsageError
from inbedder_cli.options import Pooling

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch


WORDS_SIZE = 1024
SOFTENING = 2.0  # softmax temperature, so that words other than the best count too


class StatePooler:
    """Collects the hidden states of one batch that a pooling needs (see `options.Pooling` for s1..sm).

    :param first: s1 of each row, shape (batch, hidden_size); for `answer-words` its `word_vectors`.
    :param prompt: the sum of each prompt's states, shape (batch, hidden_size), and their number, shape (batch, 1);
        None where the pooling needs neither.
    :param pooling: any but `masks`.
    """

    def __init__(
        self, first: torch.Tensor, prompt: tuple[torch.Tensor, torch.Tensor] | None, pooling: Pooling
    ) -> None:
        self.pooling = pooling
        self.first = first
        self.last = first.clone()
        self.sum = first.clone()
        self.count = first.new_ones(len(first), 1)
        if prompt is not None:
            self.prompt_sum, self.prompt_count = prompt

    def add(self, state: torch.Tensor, rows: torch.Tensor) -> None:
        """Add the states that predict an answer token after the first.

        :param state: shape (n, hidden_size).
        :param rows: their rows in the batch, shape (n,).
        """
        if self.pooling.reads_answer:
            self.sum[rows] += state
            self.count[rows] += 1
            self.last[rows] = state

    def vectors(self) -> torch.Tensor:
        """Return the vectors, shape (batch, hidden_size).

        :return: one vector per row.
        """
        match self.pooling:
            case Pooling.first_token | Pooling.answer_words:
                return self.first
            case Pooling.answer_mean:
                return self.sum / self.count
            case Pooling.answer_last:
                return self.last
            case Pooling.prompt_mean:
                return self.prompt_sum / self.prompt_count
            case Pooling.all_mean:  # s1 is in both sums
                return (self.prompt_sum + self.sum - self.first) / (self.prompt_count + self.count - 1)
            case Pooling.masks:
                raise AssertionError("only a masked model has masks")


def word_vectors(logits: torch.Tensor) -> torch.Tensor:
    """Return the probabilities of the answer's first word as vectors of shape (batch, WORDS_SIZE).

    They are the square roots of the word probabilities, so that the cosine of two vectors is the overlap of their
    distributions (Bhattacharyya coefficient), hashed with random signs (Weinberger et al. 2009), which keeps
    cosines up to about 1 / sqrt(WORDS_SIZE). PromptReps (EMNLP 2024) uses next-word logits for the same purpose.

    :param logits: of the first answer token, shape (batch, vocabulary).
    :return: one vector per row.
    """
    import torch

    roots = word_roots(logits)
    places, signs = (torch.from_numpy(array).to(logits.device) for array in _hash_words(logits.shape[-1]))
    return roots.new_zeros(len(roots), WORDS_SIZE).index_add_(1, places, roots * signs)


def word_roots(logits: torch.Tensor) -> torch.Tensor:
    """Return the square roots of the softened word probabilities, shape (batch, vocabulary): unit vectors.

    Computed from logarithms, so that a probability that underflows still has a gradient.

    :param logits: shape (batch, vocabulary).
    :return: one unit vector per row.
    """
    return (logits.float() / SOFTENING).log_softmax(-1).div(2).exp()


@cache
def _hash_words(vocabulary: int) -> tuple[Any, Any]:
    """Return each word's place and sign; Philox gives the same bits in every version and on every machine."""
    import numpy as np

    bits = np.random.Philox(key=0).random_raw(vocabulary)
    return (bits % WORDS_SIZE).astype(np.int64), ((bits >> np.uint64(63)) * 2.0 - 1.0).astype(np.float32)


def mean_over(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean of the selected states, shape (batch, hidden_size).

    :param states: shape (batch, tokens, hidden_size).
    :param mask: which are selected, boolean, shape (batch, tokens).
    :return: one mean per row.
    """
    total, count = sum_over(states, mask)
    return total / count


def sum_over(states: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sum of the selected states, shape (batch, hidden_size), and their number, shape (batch, 1).

    :param states: shape (batch, tokens, hidden_size).
    :param mask: which are selected, boolean, shape (batch, tokens).
    :return: one sum and one number per row.
    """
    return (states.float() * mask[..., None]).sum(1), mask.sum(1, keepdim=True)


def check_pooling(requested: Pooling, supported: Sequence[Pooling], architecture: str) -> Pooling:
    """Return the requested pooling if the architecture supports it.

    :param requested: the requested pooling.
    :param supported: the poolings of the architecture.
    :param architecture: for the message.
    :return: the requested pooling.
    :raises UsageError: when the architecture does not support the pooling.
    """
    if requested not in supported:
        raise UsageError(
            f"a {architecture} model does not support the pooling {requested}",
            hint=f"choose another: --pooling {' | '.join(supported)}",
        )
    return requested


def resolve_layer(requested: int | None, n_layers: int) -> int:
    """Return the index of a layer's hidden state.

    :param requested: None for the last; negative indices count from the end.
    :param n_layers: index of the last hidden state.
    :return: an index from 0 to `n_layers`.
    :raises UsageError: when the model has no such layer.
    """
    if requested is None:
        return n_layers
    layer = requested + n_layers + 1 if requested < 0 else requested
    if not 0 <= layer <= n_layers:
        raise UsageError(
            f"there is no layer {requested}",
            hint=f"this model has hidden states 0 (embeddings) to {n_layers} (after the final norm)",
        )
    return layer
