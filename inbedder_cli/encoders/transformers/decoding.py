"""Greedy decoding of one batch, each token from the key-value cache of those before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from inbedder_cli.encoders.next_words import LIKELY

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from inbedder_cli.encoders.transformers.pooling import StatePooler


class DecodedAnswer(NamedTuple):
    """One decoded answer.

    :param ids: its tokens, without an end mark.
    :param probability: the geometric mean of the probabilities of what was chosen, the end mark among it, 0 to 1.
    :param first: the likeliest first tokens, with their probabilities.
    """

    ids: list[int]
    probability: float
    first: list[tuple[int, float]]


UNSPOKEN = DecodedAnswer([], 1.0, [])  # where nothing is decoded
TOKENS = 2 * LIKELY  # some spell the same word, or none
CROWD = 0.5  # share of a batch that still speaks, below which the others leave it: copying the cache has a price


def decode_greedily(
    state: torch.Tensor,
    logits: torch.Tensor,
    step: Callable[[torch.Tensor, int], tuple[torch.Tensor, torch.Tensor]],
    keep: Callable[[torch.Tensor], None],
    reading: StatePooler,
    end_ids: torch.Tensor,
    max_answer_tokens: int,
) -> list[DecodedAnswer]:
    """Return each row's answer, and give the states that spoke it to `reading`.

    :param state: s1 of each row, shape (batch, hidden_size).
    :param logits: of the first answer token, shape (batch, vocabulary).
    :param step: (token of each row, how many came before it) -> the next state and logits.
    :param keep: leaves only these rows (indices) in the batch, for the steps that follow.
    :param end_ids: the tokens that end an answer.
    :param max_answer_tokens: longest answer.
    """
    import torch

    rows = torch.arange(len(state), device=state.device)  # of the whole batch, that are still in it
    alive = torch.ones(len(state), dtype=torch.bool, device=state.device)
    answers: list[list[int]] = [[] for _ in range(len(state))]
    log_chance = torch.zeros(len(state), device=state.device)
    choices = torch.zeros(len(state), device=state.device)
    first = likeliest(logits)
    for i in range(max_answer_tokens):
        logits = logits.float()
        best, token = logits.max(-1)
        log_chance[rows[alive]] += (best - logits.logsumexp(-1))[alive]
        choices[rows[alive]] += 1
        alive = alive & ~torch.isin(token, end_ids)
        if i > 0:  # s1 is in the reading already
            reading.add(state[alive], rows[alive])
        for row, id_ in zip(rows[alive].tolist(), token[alive].tolist(), strict=True):
            answers[row].append(id_)
        n_alive = int(alive.sum())
        if i + 1 == max_answer_tokens or n_alive == 0:
            break
        if n_alive <= CROWD * len(alive):
            keep(alive.nonzero().flatten())
            rows, token, alive = rows[alive], token[alive], alive[alive]
        state, logits = step(token, i)
    probabilities = (log_chance / choices).exp().tolist()
    return [DecodedAnswer(*spoken) for spoken in zip(answers, probabilities, first, strict=True)]


def likeliest(logits: torch.Tensor) -> list[list[tuple[int, float]]]:
    """Return the likeliest tokens of each row, with their probabilities.

    :param logits: shape (batch, vocabulary).
    """
    probabilities, ids = logits.float().softmax(-1).topk(min(TOKENS, logits.shape[-1]))
    return [list(zip(*row, strict=True)) for row in zip(ids.tolist(), probabilities.tolist(), strict=True)]


def end_ids_of(model: Any, tokenizer: Any) -> torch.Tensor:  # noqa: ANN401
    """Return the ids of the tokens that end an answer."""
    import torch

    ids = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    found = [ids] if isinstance(ids, int) else list(ids or [])
    if tokenizer.eos_token_id is not None:
        found.append(tokenizer.eos_token_id)
    return torch.tensor(sorted(set(found)), dtype=torch.long, device=model.device)
