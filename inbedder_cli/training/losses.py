"""What is learned: to say the answer, and to be in the same state for the same answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.nn import functional as F
from transformers import DynamicCache

from inbedder_cli.encoders.transformers.pooling import word_roots
from inbedder_cli.options import Architecture, Pooling

if TYPE_CHECKING:
    from inbedder_cli.encoders.transformers.model_encoder import ModelEncoder


class Losses(NamedTuple):
    """Of one part of a batch.

    :param answer: cross-entropy of its answer tokens, summed.
    :param contrast: mean over its texts; None where they are not contrasted.
    """

    answer: torch.Tensor
    contrast: torch.Tensor | None


class AnsweringModel(torch.nn.Module):
    """An encoder's language model as it learns: from the tensors of `tokens.Collator` to `Losses`.

    :param layer: hidden state that the contrastive term shapes, unless the encoder reads words.
    :param temperature: of that term.
    """

    def __init__(self, encoder: ModelEncoder, layer: int, temperature: float) -> None:
        super().__init__()
        self.lm = encoder.model
        self.architecture = encoder.architecture
        self.layer = layer
        self.reads_words = encoder.pooling is Pooling.answer_words
        self.is_last = layer == encoder.n_layers or self.reads_words
        self.temperature = temperature

    def forward(self, part: dict[str, torch.Tensor]) -> Losses:
        """Return the losses of one part."""
        logits, vectors = self._causal(part) if self.architecture is Architecture.causal else self._whole(part)
        answer = F.cross_entropy(logits.float(), part["targets"], reduction="sum")
        if "classes" not in part:
            return Losses(answer, None)
        with torch.autocast(vectors.device.type, enabled=False):  # bfloat16 would leave cosines eight bits
            return Losses(answer, contrastive_loss(vectors.float(), part["classes"], self.temperature))

    def learned(self) -> dict[str, torch.nn.Parameter]:
        """Return the parameters that learn, by name."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def _causal(self, part: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Score words only where an answer is spoken: elsewhere a head is a quarter of a small model's work.

        Rows are padded on the right, where no real token looks, so there is no mask.
        """
        cache = self._shared(part)
        out = self.lm.base_model(
            input_ids=part["input_ids"],
            past_key_values=cache,
            output_hidden_states=False if self.is_last else [self.layer],
            use_cache=cache is not None,
        )
        rows, columns = part["places"].T
        logits = self.lm.get_output_embeddings()(out.last_hidden_state[rows, columns])
        if self.reads_words:
            return logits, word_roots(logits[columns == part["first"][rows]])
        states = out.last_hidden_state if self.is_last else out.hidden_states[self.layer]
        return logits, _first(states, part)

    def _shared(self, part: dict[str, torch.Tensor]) -> Any:  # noqa: ANN401
        """Read what all prompts of a contrastive part begin with once, and return its cache for each row."""
        if "prefix" not in part:
            return None
        cache = DynamicCache()
        self.lm.base_model(input_ids=part["prefix"], past_key_values=cache, use_cache=True)
        cache.batch_repeat_interleave(len(part["input_ids"]))
        return cache

    def _whole(self, part: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Run a masked model or an encoder-decoder whole: their heads have parts of their own."""
        names = ("input_ids", "attention_mask", "decoder_input_ids")
        out = self.lm(**{name: part[name] for name in names if name in part}, output_hidden_states=True)
        rows, columns = part["places"].T
        if self.architecture is Architecture.seq2seq:
            return out.logits[rows, columns], _first(out.decoder_hidden_states[self.layer], part)
        states = out.hidden_states[self.layer]
        at_masks = states[rows, columns].view(len(states), -1, states.shape[-1])
        return out.logits[rows, columns], at_masks.mean(1)


def _first(states: torch.Tensor, part: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return each row's state from which its answer begins."""
    return states[torch.arange(len(states), device=states.device), part["first"]]


def contrastive_loss(vectors: torch.Tensor, classes: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the supervised contrastive loss (Khosla et al. 2020, eq. 2) of texts under one question.

    Vectors are centred first, as they are before they are clustered, since what all prompts share dominates them.

    :param vectors: shape (n, size).
    :param classes: shape (n,); texts of one class have the same answer. Those alone in theirs only push.
    """
    vectors = F.normalize(vectors - vectors.mean(0, keepdim=True), dim=-1)
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    similar = (vectors @ vectors.T / temperature).masked_fill(itself, float("-inf"))
    log_share = similar - similar.logsumexp(1, keepdim=True)
    same = (classes[:, None] == classes) & ~itself
    has = same.any(1)
    if not has.any():
        return vectors.sum() * 0.0
    per_text = -log_share.masked_fill(~same, 0.0).sum(1)[has] / same.sum(1)[has]
    return per_text.mean()
