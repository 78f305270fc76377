"""The training loss: cross-entropy of the answer, and a contrastive term on the vectors."""

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
    """The losses of one part of a batch.

    :param answer: cross-entropy of the answer tokens, summed.
    :param contrast: contrastive term, mean over the texts; None for an ordinary batch.
    """

    answer: torch.Tensor
    contrast: torch.Tensor | None


class AnsweringModel(torch.nn.Module):
    """The language model of an encoder in training: maps the tensors of `tokens.Collator` to `Losses`.

    :param encoder: the encoder.
    :param layer: hidden state that the contrastive term is computed on, unless the pooling is `answer-words`.
    :param temperature: of the contrastive term.
    """

    def __init__(self, encoder: ModelEncoder, layer: int, temperature: float) -> None:
        super().__init__()
        self.lm = encoder.model
        self.architecture = encoder.architecture
        self.layer = layer
        self.pools_words = encoder.pooling is Pooling.answer_words
        self.is_last = layer == encoder.n_layers or self.pools_words
        self.temperature = temperature

    def forward(self, part: dict[str, torch.Tensor]) -> Losses:
        """Return the losses of one part.

        :param part: tensors by name, see `tokens.Collator`.
        :return: the losses, not yet divided by the number of answer tokens.
        """
        logits, vectors = (
            self._causal(part) if self.architecture is Architecture.causal else self._run_whole_model(part)
        )
        answer = F.cross_entropy(logits.float(), part["targets"], reduction="sum")
        if "classes" not in part:
            return Losses(answer, None)
        with torch.autocast(vectors.device.type, enabled=False):  # bfloat16 has eight bits, too few for cosines
            return Losses(answer, contrastive_loss(vectors.float(), part["classes"], self.temperature))

    def trained_parameters(self) -> dict[str, torch.nn.Parameter]:
        """Return the parameters that are trained, by name.

        :return: parameters as in `named_parameters`.
        """
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def _causal(self, part: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Run a causal model; the head, a quarter of a small model's work, runs at answer tokens only.

        Rows are padded on the right, where no real token attends, so there is no attention mask.
        """
        cache = self._prefix_cache(part)
        out = self.lm.base_model(
            input_ids=part["input_ids"],
            past_key_values=cache,
            output_hidden_states=False if self.is_last else [self.layer],
            use_cache=cache is not None,
        )
        rows, columns = part["places"].T
        logits = self.lm.get_output_embeddings()(out.last_hidden_state[rows, columns])
        if self.pools_words:
            return logits, word_roots(logits[columns == part["first"][rows]])
        states = out.last_hidden_state if self.is_last else out.hidden_states[self.layer]
        return logits, _first(states, part)

    def _prefix_cache(self, part: dict[str, torch.Tensor]) -> Any:  # noqa: ANN401
        """Run the common prefix of all prompts once, and return its key-value cache repeated for each row."""
        if "prefix" not in part:
            return None
        cache = DynamicCache()
        self.lm.base_model(input_ids=part["prefix"], past_key_values=cache, use_cache=True)
        cache.batch_repeat_interleave(len(part["input_ids"]))
        return cache

    def _run_whole_model(self, part: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Run a masked model or an encoder-decoder as a whole, since its head is more than one layer."""
        names = ("input_ids", "attention_mask", "decoder_input_ids")
        out = self.lm(**{name: part[name] for name in names if name in part}, output_hidden_states=True)
        rows, columns = part["places"].T
        if self.architecture is Architecture.seq2seq:
            return out.logits[rows, columns], _first(out.decoder_hidden_states[self.layer], part)
        states = out.hidden_states[self.layer]
        at_masks = states[rows, columns].view(len(states), -1, states.shape[-1])
        return out.logits[rows, columns], at_masks.mean(1)


def _first(states: torch.Tensor, part: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the state of each row that predicts the first answer token."""
    return states[torch.arange(len(states), device=states.device), part["first"]]


def contrastive_loss(vectors: torch.Tensor, classes: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the supervised contrastive loss (Khosla et al. 2020, eq. 2) of texts under one question.

    Vectors are centered first, as they are before clustering, because the shared prompt dominates them.

    :param vectors: shape (n_texts, hidden_size).
    :param classes: shape (n_texts,); texts of one class have the same answer. A text alone in its class is a
        negative only.
    :param temperature: divides the cosines.
    :return: a scalar; 0 if every text is alone in its class.
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
