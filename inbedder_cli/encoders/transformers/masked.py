"""Masked language models: RoBERTa, BERT, ModernBERT, ...

The prompt ends in masks, and the model fills them with its answer, all at once (InBedder, section 3.2 and its
RoBERTa model). One forward pass gives the vector, the mean of the masks' states, and the answer, the best word at
each mask.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from inbedder_cli.encoders.transformers.decoding import DecodedAnswer, top_tokens
from inbedder_cli.encoders.transformers.model_encoder import BatchEncoder, ModelEncoder
from inbedder_cli.encoders.transformers.pooling import mean_over
from inbedder_cli.errors import ModelError
from inbedder_cli.models.manifest import N_MASKS
from inbedder_cli.options import Architecture, EncodeOptions, Pooling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch

TURN = threading.Lock()  # of one forward pass: while it runs, the head belongs to its masks


@dataclass
class MaskedEncoder(ModelEncoder):
    """A model that fills the masks after the question about each text.

    The pooling `masks` takes, unless a layer is given, the states that the LM head computes last before the
    vocabulary: dense, activation, LayerNorm. The prompt is everything before the masks.

    :param n_masks: number of masks after the template.
    :param standardize: whether each vector is scaled to mean 0 and standard deviation 1, as in the paper's demo.
    """

    pooling: Pooling = Pooling.masks
    n_masks: int = N_MASKS
    standardize: bool = False

    architecture: ClassVar[Architecture] = Architecture.masked
    poolings: ClassVar[tuple[Pooling, ...]] = (Pooling.masks, Pooling.prompt_mean, Pooling.all_mean)

    def __post_init__(self) -> None:
        if self.tokenizer.mask_token is None or self.model.get_output_embeddings() is None:
            raise ModelError(
                f"{self.name} has no mask token or no language-model head",
                hint="use a masked language model, saved with its head and tokenizer",
            )

    @property
    def prompt_ending(self) -> str:
        """The masks."""
        return str(self.tokenizer.mask_token) * self.n_masks

    def _reserved_positions(self, options: EncodeOptions) -> int:
        # RoBERTa and its relatives do not use the positions up to that of their padding.
        embeddings = getattr(self.model.base_model, "embeddings", None)
        padding = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
        return 0 if padding is None else padding + 1

    def _batch_encoder(self, options: EncodeOptions) -> BatchEncoder:
        return _MaskedBatchEncoder(self, options)

    def distinct(self, ids: Sequence[int]) -> list[int]:
        """Return an answer's ids without special tokens and without repeated words.

        Masks are filled independently of each other, so that neighbors often get the same word.

        :param ids: the best token at each mask.
        :return: token ids.
        """
        special = set(self.tokenizer.all_special_ids)
        pieces: dict[str, int] = {}
        for id_ in ids:
            if id_ not in special:
                pieces.setdefault(self.tokenizer.decode([id_]).strip().casefold(), id_)
        return list(pieces.values())


class _MaskedBatchEncoder(BatchEncoder):
    def __init__(self, encoder: MaskedEncoder, options: EncodeOptions) -> None:
        super().__init__(encoder, options)
        self.mask_id = encoder.tokenizer.mask_token_id
        self.standardize = encoder.standardize
        self.distinct = encoder.distinct
        self.from_head = self.pooling is Pooling.masks and self.requested_layer is None

    def forward(self, prompts: list[list[int]]) -> tuple[torch.Tensor, list[DecodedAnswer]]:
        ids, real = self.pad_batch(prompts)
        masks = ids == self.mask_id
        layers = False if self.from_head else [self.layer]
        with TURN, self._head_at(masks) as head_states:
            out = self.model(input_ids=ids, attention_mask=real.long(), output_hidden_states=layers)
        if self.from_head:
            vectors = head_states[0].float().view(len(prompts), -1, head_states[0].shape[-1]).mean(1)
        else:
            vectors = mean_over(out.hidden_states[self.layer], self._selected(masks, real))
        logits = out.logits.float()
        best, chosen = logits.max(-1)
        answers = chosen.view(len(prompts), -1).tolist()
        probabilities = (best - logits.logsumexp(-1)).view(len(prompts), -1).mean(1).exp().tolist()
        first = top_tokens(logits.view(len(prompts), -1, logits.shape[-1])[:, 0])
        return (
            _standardize(vectors) if self.standardize else vectors,
            [
                DecodedAnswer(self.distinct(answer)[: self.max_answer_tokens], probability, likely)
                for answer, probability, likely in zip(answers, probabilities, first, strict=True)
            ],
        )

    def _selected(self, masks: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Return which tokens the pooling takes the mean over, boolean, shape (batch, tokens)."""
        match self.pooling:
            case Pooling.masks:
                return masks
            case Pooling.prompt_mean:
                return real & (masks.cumsum(1) == 0)
            case _:
                return real

    @contextmanager
    def _head_at(self, masks: torch.Tensor) -> Iterator[list[torch.Tensor]]:
        """Let the output layer of the head compute logits at the masks only, and collect its input there.

        The heads of RoBERTa, BERT and ModernBERT name and nest their parts differently, but each ends in one layer
        from states to the vocabulary. Its input is collected, shape (batch x masks, hidden_size). Logits at all
        other tokens would take a sixth of the computation, and gigabytes.
        """
        collected: list[torch.Tensor] = []

        def keep(_: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:  # noqa: ANN401
            collected.append(inputs[0][masks])
            return collected[-1], *inputs[1:]

        hook = self.model.get_output_embeddings().register_forward_pre_hook(keep)
        try:
            yield collected
        finally:
            hook.remove()
        if not collected:
            raise ModelError(
                f"the head of {type(self.model).__name__} is not supported",
                hint="use a RoBERTa, BERT or ModernBERT model",
            )


def _standardize(vectors: torch.Tensor) -> torch.Tensor:
    """Return each vector minus its mean, divided by its standard deviation (unbiased, as in the paper's demo)."""
    spread = vectors.std(1, keepdim=True).clamp_min(1e-12)  # a constant vector becomes zero
    return (vectors - vectors.mean(1, keepdim=True)) / spread
