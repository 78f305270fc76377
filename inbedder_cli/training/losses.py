"""The training loss: cross-entropy of the answer, and a contrastive term on the vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.nn import functional as F
from transformers import DynamicCache

from inbedder_cli.encoders.transformers.output_head import output_head
from inbedder_cli.encoders.transformers.pooling import word_roots
from inbedder_cli.options import Architecture, Pooling
from inbedder_cli.training.recipes import TEACHER_TEMPERATURE

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
        answer = answer_loss(logits.float(), part)
        if "classes" not in part:
            return Losses(answer, None)
        with torch.autocast(vectors.device.type, enabled=False):  # bfloat16 has eight bits, too few for cosines
            if "similar" not in part:
                return Losses(answer, contrastive_loss(vectors.float(), part["classes"], self.temperature))
            targets = soft_targets(part["similar"], part["classes"])
            return Losses(answer, soft_contrastive_loss(vectors.float(), targets, self.temperature))

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
        logits = output_head(self.lm)(out.last_hidden_state[rows, columns])
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


def answer_loss(logits: torch.Tensor, part: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the cross-entropy of the answer tokens, summed.

    Where a teacher's first words are known, the loss of the first token is the mean of this and of the
    cross-entropy between their probabilities and the student's (Hinton et al. 2015).

    :param logits: shape (n_answer_tokens, vocabulary).
    :param part: tensors by name, see `tokens.Collator`.
    :return: a scalar.
    """
    losses = F.cross_entropy(logits, part["targets"], reduction="none")
    if "taught" in part:
        log_shares = logits[part["taught"]].log_softmax(-1).gather(1, part["taught_ids"])
        soft = -(part["taught_shares"] * log_shares).sum(1)
        losses = losses.index_add(0, part["taught"], (soft - losses[part["taught"]]) / 2)
    return losses.sum()


def contrastive_loss(vectors: torch.Tensor, classes: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the supervised contrastive loss (Khosla et al. 2020, eq. 2) of texts under one question.

    Vectors are centered first, as they are before clustering, because the shared prompt dominates them.

    :param vectors: shape (n_texts, hidden_size).
    :param classes: shape (n_texts,); texts of one class have the same answer. A text alone in its class is a
        negative only.
    :param temperature: divides the cosines.
    :return: a scalar; 0 if every text is alone in its class.
    """
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    log_share = _log_shares(vectors, temperature)
    same = (classes[:, None] == classes) & ~itself
    has = same.any(1)
    if not has.any():
        return vectors.sum() * 0.0
    per_text = -log_share.masked_fill(~same, 0.0).sum(1)[has] / same.sum(1)[has]
    return per_text.mean()


def soft_contrastive_loss(vectors: torch.Tensor, targets: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the cross-entropy between target shares of the other texts and those of the vectors.

    With targets that are equal for all texts of one class and 0 for the others, it is `contrastive_loss`.

    :param vectors: shape (n_texts, hidden_size).
    :param targets: shape (n_texts, n_texts), with a diagonal of zeros; rows sum to 1, or to 0 without any.
    :param temperature: divides the cosines.
    :return: a scalar, the mean over the texts with targets.
    """
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    log_share = _log_shares(vectors, temperature).masked_fill(itself, 0.0)
    has = targets.any(1)
    return -(targets * log_share).sum(1)[has].mean() if has.any() else vectors.sum() * 0.0


def soft_targets(similar: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Return for each text how much of the similarity is due to each other text.

    Where a teacher has compared a text with others, this is the softmax of its cosines. Where other texts have
    the same answer in the data, it is equal for all of these. Where both hold, it is the mean of the two.

    :param similar: the teacher's cosines, shape (n_texts, n_texts); NaN where there are none.
    :param classes: shape (n_texts,); texts of one class have the same answer in the data.
    :return: shape (n_texts, n_texts), with a diagonal of zeros; rows sum to 1, or to 0 where neither holds.
    """
    itself = torch.eye(len(similar), dtype=torch.bool, device=similar.device)
    compared = ~similar.isnan() & ~itself
    same = (classes[:, None] == classes) & ~itself
    shares = (similar / TEACHER_TEMPERATURE).masked_fill(~compared, float("-inf")).softmax(1).nan_to_num(0.0)
    equal = same / same.sum(1, keepdim=True).clamp(min=1)
    n_targets = compared.any(1).int() + same.any(1).int()
    return (shares + equal) / n_targets.clamp(min=1)[:, None]


def _log_shares(vectors: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the logarithms of each text's shares of the others by their cosines; -inf on the diagonal."""
    vectors = F.normalize(vectors - vectors.mean(0, keepdim=True), dim=-1)
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    similar = (vectors @ vectors.T / temperature).masked_fill(itself, float("-inf"))
    return similar - similar.logsumexp(1, keepdim=True)
