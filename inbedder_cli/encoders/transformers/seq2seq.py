"""Encoder-decoder language models: T5, FLAN-T5, BART, ...

The encoder runs over the prompt once, and the decoder generates the answer from its start token. The vector is the
decoder's state that predicts the answer (InBedder, section 3.2), as for causal models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from inbedder_cli.encoders.transformers.decoding import (
    NOT_DECODED,
    DecodedAnswer,
    decode_greedily,
    find_special_tokens,
)
from inbedder_cli.encoders.transformers.model_encoder import BatchEncoder, ModelEncoder
from inbedder_cli.encoders.transformers.pooling import StatePooler, mean_over, sum_over
from inbedder_cli.errors import ModelError
from inbedder_cli.options import Architecture, EncodeOptions, Pooling

if TYPE_CHECKING:
    import torch


@dataclass
class Seq2SeqEncoder(ModelEncoder):
    """A model whose encoder encodes each text with the question, and whose decoder answers it.

    A layer is one of the decoder's hidden states; for `prompt-mean`, one of the encoder's. There is no
    `all-mean`, since prompt and answer are in different stacks.
    """

    architecture: ClassVar[Architecture] = Architecture.seq2seq
    poolings: ClassVar[tuple[Pooling, ...]] = (
        Pooling.first_token,
        Pooling.answer_mean,
        Pooling.answer_last,
        Pooling.prompt_mean,
    )

    @property
    def n_layers(self) -> int:
        """Index of the decoder's last hidden state."""
        return int(getattr(self.config, "num_decoder_layers", None) or self.config.num_hidden_layers)

    @property
    def n_encoder_layers(self) -> int:
        """Index of the encoder's last hidden state."""
        return int(self.model.get_encoder().config.num_hidden_layers)

    @property
    def opening(self) -> list[int]:
        """The decoder's tokens before the answer: its start token, and the one that BART is forced to add."""
        start = self._find_setting(
            "decoder_start_token_id", "bos_token_id"
        )  # the order of transformers' own generate
        if start is None:
            raise ModelError(
                f"{self.name} has no start token for its decoder",
                hint="set decoder_start_token_id in its config.json",
            )
        forced = self._find_setting("forced_bos_token_id")
        return [start] if forced is None else [start, forced]

    def _find_setting(self, *names: str) -> int | None:
        """Return the first of these settings that the model has."""
        homes = (self.model.generation_config, self.model.config)
        values = (getattr(home, name, None) for name in names for home in homes)
        return next((int(value) for value in values if value is not None), None)

    def _batch_encoder(self, options: EncodeOptions) -> BatchEncoder:
        pools_prompt = (options.pooling or self.pooling) is Pooling.prompt_mean
        return _Seq2SeqBatchEncoder(self, options, self.n_encoder_layers if pools_prompt else self.n_layers)


class _Seq2SeqBatchEncoder(BatchEncoder):
    def __init__(self, encoder: Seq2SeqEncoder, options: EncodeOptions, n_layers: int) -> None:
        super().__init__(encoder, options, n_layers)
        self.opening = encoder.opening
        self.special_tokens = find_special_tokens(encoder.model, encoder.tokenizer)
        self.pools_prompt = self.pooling is Pooling.prompt_mean
        self.n_layers = n_layers

    def forward(self, prompts: list[list[int]]) -> tuple[torch.Tensor, list[DecodedAnswer]]:
        # The decoder's rows all have the same length, so only the encoder's padding needs a mask: in the encoder,
        # and in the decoder's cross-attention.
        import torch

        ids, real = self.pad_batch(prompts)
        prompt, encoded = self._encode(ids, real)
        if self.pools_prompt and not self.decodes:
            return mean_over(prompt, real), [NOT_DECODED] * len(prompts)
        opening = torch.tensor([self.opening] * len(prompts), device=self.device)
        s1, logits, cache = self._decode(opening, encoded, real)
        pooler = StatePooler(s1, sum_over(prompt, real) if self.pools_prompt else None, self.pooling)
        if not self.decodes:
            return pooler.vectors(), [NOT_DECODED] * len(prompts)

        def step(token: torch.Tensor, _: int) -> tuple[torch.Tensor, torch.Tensor]:
            return self._decode(token[:, None], encoded, real, cache)[:2]

        def keep(rows: torch.Tensor) -> None:
            nonlocal encoded, real
            encoded, real = encoded[rows], real[rows]
            cache.batch_select_indices(rows)

        answers = decode_greedily(s1, logits, step, keep, pooler, self.special_tokens, self.max_answer_tokens)
        return pooler.vectors(), answers

    def _encode(self, ids: torch.Tensor, real: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the encoder's states of the chosen layer, if the prompt is pooled, and of the last layer."""
        inner = self.pools_prompt and self.layer < self.n_layers
        out = self.model.get_encoder()(
            input_ids=ids, attention_mask=real.long(), output_hidden_states=[self.layer] if inner else False
        )
        return (out.hidden_states[self.layer] if inner else out.last_hidden_state), out.last_hidden_state

    def _decode(
        self,
        tokens: torch.Tensor,
        encoded: torch.Tensor,
        real: torch.Tensor,
        cache: Any = None,  # noqa: ANN401
    ) -> tuple[torch.Tensor, torch.Tensor, Any]:
        """Return the last token's state, the logits of the next token, and the cache.

        The logits are those of the whole model, whose head may scale states (T5) or add a bias (BART).
        """
        from transformers.modeling_outputs import BaseModelOutput

        out = self.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=encoded),
            attention_mask=real.long(),
            decoder_input_ids=tokens,
            past_key_values=cache,
            use_cache=self.decodes,
            output_hidden_states=True,
        )
        layer = -1 if self.pools_prompt else self.layer
        return out.decoder_hidden_states[layer][:, -1].float(), out.logits[:, -1], out.past_key_values
