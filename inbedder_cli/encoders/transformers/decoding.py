"""Greedy decoding of one batch with a key-value cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from inbedder_cli.encoders.next_words import RANKED
from inbedder_cli.encoders.prompts.tokenizers import run_tokenizer

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


class SpecialTokens(NamedTuple):
    """Tokens that decoding looks for.

    :param end: those that end an answer, int64, shape (n,).
    :param refusal: the first ones of `NOT_MENTIONED`, int64, shape (n,).
    """

    end: torch.Tensor
    refusal: torch.Tensor


NOT_DECODED = DecodedAnswer([], 1.0, [])
TOP_TOKENS = 2 * RANKED  # some tokens spell the same word, or none
COMPACT_SHARE = (
    0.5  # share of unfinished rows at which finished ones leave the batch: copying the cache has a cost
)
NOT_MENTIONED = "not mentioned"  # what a trained model says where the text does not answer
SURE = 0.15  # least probability at which it may say so: below, nearly all texts do answer (benchmarks/encoder.md)


def decode_greedily(
    state: torch.Tensor,
    logits: torch.Tensor,
    step: Callable[[torch.Tensor, int], tuple[torch.Tensor, torch.Tensor]],
    keep: Callable[[torch.Tensor], None],
    pooler: StatePooler,
    special: SpecialTokens,
    max_answer_tokens: int,
) -> list[DecodedAnswer]:
    """Return each row's answer, and add the states that predict its tokens to the pooler.

    A row whose likeliest answer is that the text does not say, but not surely so, gets its second answer.

    :param state: s1 of each row, shape (batch, hidden_size).
    :param logits: of the first answer token, shape (batch, vocabulary).
    :param step: (token of each row, number of tokens before it) -> the next state and logits.
    :param keep: reduces the batch to these rows (indices) for the following steps.
    :param pooler: receives the states after the first.
    :param special: the tokens that end an answer, and those that refuse one.
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
        best, token = logits.max(-1) if i else _first_tokens(logits, special.refusal)
        log_probability[rows[alive]] += (best - logits.logsumexp(-1))[alive]
        n_tokens[rows[alive]] += 1
        alive = alive & ~torch.isin(token, special.end)
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


def find_special_tokens(model: Any, tokenizer: Any) -> SpecialTokens:  # noqa: ANN401
    """Return the tokens that end an answer, and those that refuse one, on the model's device.

    :param model: a transformers model; its generation config may name several end tokens.
    :param tokenizer: its tokenizer.
    :return: their ids.
    """
    import torch

    ids = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    end_ids = [ids] if isinstance(ids, int) else list(ids or [])
    if tokenizer.eos_token_id is not None:
        end_ids.append(tokenizer.eos_token_id)
    word = NOT_MENTIONED.split()[0]
    forms = (form for text in (NOT_MENTIONED, NOT_MENTIONED.capitalize()) for form in (text, f" {text}"))
    encoded = run_tokenizer(lambda: [tokenizer.encode(form, add_special_tokens=False) for form in forms])
    openings = {ids[0] for ids in encoded if ids}
    refusal_ids = [id_ for id_ in openings if tokenizer.decode([id_]).strip().lower() == word]
    end, refusal = (
        torch.tensor(sorted(set(found)), dtype=torch.long, device=model.device) for found in (end_ids, refusal_ids)
    )
    return SpecialTokens(end, refusal)


def _first_tokens(logits: torch.Tensor, refusal: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logit and the id of each row's first token: no refusal that the model is unsure of."""
    import torch

    best, token = logits.max(-1)
    refused = torch.isin(token, refusal)
    if not refused.any():
        return best, token
    unsure = refused & ((best - logits.logsumexp(-1)).exp() < SURE)
    second, other = logits.index_fill(-1, refusal, float("-inf")).max(-1)
    return torch.where(unsure, second, best), torch.where(unsure, other, token)
