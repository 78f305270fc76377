"""Causal (decoder-only) language models: LLaMA, OPT, Qwen, SmolLM, ...

The vector is the hidden state from which the answer would be spoken (InBedder, section 3.2): for the default
readout that of the last prompt token, so one forward pass over the prompt gives it, and the answer is decoded
greedily from the key-value cache of that same pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from inbedder_cli.encoders.greedy import decode_greedily, end_ids_of
from inbedder_cli.encoders.reading import BatchReader, ModelEncoder
from inbedder_cli.encoders.readout import Reading, word_vectors
from inbedder_cli.errors import UsageProblem
from inbedder_cli.options import EncodeOptions, Kind, Readout

if TYPE_CHECKING:
    import torch


@dataclass
class CausalEncoder(ModelEncoder):
    """A decoder-only model that answers a question about each text."""

    kind: ClassVar[Kind] = Kind.causal
    readouts: ClassVar[tuple[Readout, ...]] = (
        Readout.first_token,
        Readout.answer_mean,
        Readout.answer_last,
        Readout.answer_words,
        Readout.prompt_mean,
        Readout.all_mean,
    )

    def _reader(self, options: EncodeOptions) -> BatchReader:
        return _CausalReader(self, options)

    def _reserved(self, options: EncodeOptions) -> int:
        return options.max_answer_tokens


class _CausalReader(BatchReader):
    def __init__(self, encoder: CausalEncoder, options: EncodeOptions) -> None:
        super().__init__(encoder, options)
        self.body = encoder.model.base_model  # without the LM head, which is needed only where an answer is spoken
        self.head = encoder.model.get_output_embeddings()
        if self.readout is Readout.answer_words and options.layer is not None:
            raise UsageProblem(
                "answer-words reads no layer", hint="leave --layer out, or add --readout first-token"
            )
        self.inner = self.layer < encoder.n_layers
        self.end_ids = end_ids_of(encoder.model, encoder.tokenizer)

    def forward(self, prompts: list[list[int]]) -> tuple[torch.Tensor, list[list[int]]]:
        """Read one batch: prompts in, vectors and answer ids out.

        No real token of a causal model sees what follows it, so the prefill of prompts padded on the right
        needs no mask. Decoding does: explicit positions, and a mask over the padding in the cache.
        """
        import torch
        from transformers import DynamicCache

        ids, real = self.padded(prompts)
        lengths, rows = real.sum(1), torch.arange(len(prompts), device=self.device)
        cache = DynamicCache() if self.decodes else None
        states, final = self._states(input_ids=ids, past_key_values=cache, use_cache=self.decodes)
        s1 = states[rows, lengths - 1].float()
        of_words = self.readout is Readout.answer_words
        scores: Any = self.head(final[rows, lengths - 1]) if of_words or self.decodes else None
        reading = Reading(word_vectors(scores) if of_words else s1, states, real, self.readout)
        if not self.decodes:
            return reading.vectors(), [[] for _ in prompts]

        spoken = torch.ones(len(prompts), self.max_answer_tokens, dtype=torch.bool, device=self.device)
        seen = torch.cat([real, spoken], dim=1).long()

        def step(token: torch.Tensor, i: int) -> tuple[torch.Tensor, torch.Tensor]:
            states, final = self._states(
                input_ids=token[:, None],
                attention_mask=seen[:, : real.shape[1] + i + 1],
                position_ids=(lengths + i)[:, None],
                past_key_values=cache,
                use_cache=True,
            )
            return states[:, 0].float(), self.head(final[:, 0])

        answers = decode_greedily(s1, scores, step, reading, self.end_ids, self.max_answer_tokens)
        return reading.vectors(), answers

    def _states(self, **inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401
        """Return the states of the chosen layer and of the last, each (batch, tokens, hidden_size)."""
        wanted = [self.layer] if self.inner else False
        out = self.body(**inputs, output_hidden_states=wanted)
        return (out.hidden_states[self.layer] if self.inner else out.last_hidden_state), out.last_hidden_state
