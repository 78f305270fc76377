"""Greedy decoding of one batch with a key-value cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from inbedder_cli.encoders.next_words import RANKED

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from inbedder_cli.encoders.transformers.pooling import StatePooler


class DecodedAnswer(NamedTuple):
    """One decoded answer.

    :param ids: its tokens, without the end token.
    :param probability: geometric mean of its token probabilities, the end token included, 0 to 1.
    :param first: the most probable first tokens with their probabilities.
    """

    ids: list[int]
    probability: float
    first: list[tuple[int, float]]


NOT_DECODED = DecodedAnswer([], 1.0, [])
TOP_TOKENS = 2 * RANKED  # some tokens spell the same word, or none
COMPACT_SHARE = (
    0.5  # share of unfinished rows at which finished ones leave the batch: copying the cache has a cost
)


def decode_greedily(
    state: torch.Tensor,
    logits: torch.Tensor,
    step: Callable[[torch.Tensor, int], tuple[torch.Tensor, torch.Tensor]],
    keep: Callable[[torch.Tensor], None],
    pooler: StatePooler,
    end_ids: torch.Tensor,
    max_answer_tokens: int,
) -> list[DecodedAnswer]:
    """Return each row's answer, and add the states that predict its tokens to the pooler.

    :param state: s1 of each row, shape (batch, hidden_size).
    :param logits: of the first answer token, shape (batch, vocabulary).
    :param step: (token of each row, number of tokens before it) -> the next state and logits.
    :param keep: reduces the batch to these rows (indices) for the following steps.
    :param pooler: receives the states after the first.
    :param end_ids: the tokens that end an answer, shape (n,).
    :param max_answer_tokens: maximum length of an answer, in tokens.
    :return: one answer per row.
    """
    import torch

    rows = torch.arange(len(state), device=state.device)  # those of the whole batch that are still in it
    alive = torch.ones(len(state), dtype=torch.bool, device=state.device)
    answers: list[list[int]] = [[] for _ in range(len(state))]
    log_probability = torch.zeros(len(state), device=state.device)
    n_tokens = torch.zeros(len(state), device=state.device)
    first = top_tokens(logits)
    for i in range(max_answer_tokens):
        logits = logits.float()
        best, token = logits.max(-1)
        log_probability[rows[alive]] += (best - logits.logsumexp(-1))[alive]
        n_tokens[rows[alive]] += 1
        alive = alive & ~torch.isin(token, end_ids)
        if i > 0:  # the pooler already has s1
            pooler.add(state[alive], rows[alive])
        for row, id_ in zip(rows[alive].tolist(), token[alive].tolist(), strict=True):
            answers[row].append(id_)
        n_alive = int(alive.sum())
        if i + 1 == max_answer_tokens or n_alive == 0:
            break
        if n_alive <= COMPACT_SHARE * len(alive):
            keep(alive.nonzero().flatten())
            rows, token, alive = rows[alive], token[alive], alive[alive]
        state, logits = step(token, i)
    probabilities = (log_probability / n_tokens).exp().tolist()
    return [DecodedAnswer(*answer) for answer in zip(answers, probabilities, first, strict=True)]


def top_tokens(logits: torch.Tensor) -> list[list[tuple[int, float]]]:
    """Return the most probable tokens of each row with their probabilities, the most probable first.

    :param logits: shape (batch, vocabulary).
    :return: (token id, probability) pairs of each row.
    """
    probabilities, ids = logits.float().softmax(-1).topk(min(TOP_TOKENS, logits.shape[-1]))
    return [list(zip(*row, strict=True)) for row in zip(ids.tolist(), probabilities.tolist(), strict=True)]


def find_end_ids(model: Any, tokenizer: Any) -> torch.Tensor:  # noqa: ANN401
    """Return the ids of the tokens that end an answer, shape (n,), on the model's device.

    :param model: a transformers model; its generation config may name several.
    :param tokenizer: its tokenizer.
    :return: int64, shape (n,).
    """
    import torch

    ids = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    end_ids = [ids] if isinstance(ids, int) else list(ids or [])
    if tokenizer.eos_token_id is not None:
        end_ids.append(tokenizer.eos_token_id)
    return torch.tensor(sorted(set(end_ids)), dtype=torch.long, device=model.device)
