"""Causal (decoder-only) language models: LLaMA, OPT, Qwen, SmolLM, ...

The vector is the hidden state that predicts the answer (InBedder, section 3.2). For the default pooling it is that
of the last prompt token, so it takes one forward pass over the prompt, and the answer is decoded greedily from the
key-value cache of the same pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from inbedder_cli.encoders.transformers.batching import split
from inbedder_cli.encoders.transformers.decoding import NOT_DECODED, DecodedAnswer, decode_greedily, find_end_ids
from inbedder_cli.encoders.transformers.fast_paths import (
    Prefill,
    SharedPrefix,
    find_prefix,
    join_prefills,
    states_before,
)
from inbedder_cli.encoders.transformers.model_encoder import BatchEncoder, ModelEncoder, is_out_of_memory
from inbedder_cli.encoders.transformers.pooling import StatePooler, sum_over, word_vectors
from inbedder_cli.errors import UsageError
from inbedder_cli.options import Architecture, EncodeOptions, Pooling

if TYPE_CHECKING:
    import torch

    from inbedder_cli.encoders.prompts.prompter import Prompter
    from inbedder_cli.progress import Reporter

# Maximum distance of fast-path vectors from the reference, as a share of the distance between texts (or of their
# norm, if all texts are alike), by whether the dtype is float32.
TOLERANCE = {True: 0.01, False: 0.2}
ALIKE = 0.01
PASSES = 4  # prefills whose answers a CPU decodes together
CHECKED_TOKENS = 3  # of an answer
CHECKED_PROMPTS = 3
UNSUPPORTED = (MemoryError, RuntimeError, ValueError, AttributeError, TypeError, LookupError, NotImplementedError)


@dataclass
class CausalEncoder(ModelEncoder):
    """A decoder-only model that answers a question about each text."""

    architecture: ClassVar[Architecture] = Architecture.causal
    poolings: ClassVar[tuple[Pooling, ...]] = (
        Pooling.first_token,
        Pooling.answer_mean,
        Pooling.answer_last,
        Pooling.answer_words,
        Pooling.prompt_mean,
        Pooling.all_mean,
    )

    def _batch_encoder(self, options: EncodeOptions) -> BatchEncoder:
        return _CausalBatchEncoder(self, options)

    def _reserved_positions(self, options: EncodeOptions) -> int:
        return options.max_answer_tokens


class _CausalBatchEncoder(BatchEncoder):
    def __init__(self, encoder: CausalEncoder, options: EncodeOptions) -> None:
        super().__init__(encoder, options)
        self.encoder = encoder
        self.body = encoder.model.base_model  # without the LM head, which is only needed to decode
        self.head = encoder.model.get_output_embeddings()
        self.pools_words = self.pooling is Pooling.answer_words
        if self.pools_words and options.layer is not None:
            raise UsageError(
                "the pooling answer-words uses no layer", hint="leave out --layer, or add --pooling first-token"
            )
        self.pools_prompt = self.pooling in (Pooling.prompt_mean, Pooling.all_mean)
        self.inner = self.layer < encoder.n_layers and not self.pools_words
        self.end_ids = find_end_ids(encoder.model, encoder.tokenizer)
        self.prefix: SharedPrefix | None = None
        self.exits_early = False  # at the layer that is used

    def prepare(self, prompter: Prompter, prompts: list[list[int]], reporter: Reporter) -> None:
        # The options allow some fast paths: a shared prefix, joined prefills, an early exit. Whether they work for
        # this model and these options is checked once for prompts up to a length: three prompts together are
        # compared with each alone without fast paths. Below three prompts the check costs more than it saves.
        # Where each text is encoded by itself, its vector may not depend on how many others there are.
        import torch

        if len(prompts) < CHECKED_PROMPTS or self.batch_tokens == 1:
            self._disable_fast_paths()
            return
        checked = self.encoder.fast_paths
        self.exits_early = self.inner and not self.decodes
        self.passes = PASSES if self.decodes and self.device.type == "cpu" else 1
        ids = [] if self.pools_prompt else find_prefix(prompter)
        chosen = {"shared prefix": bool(ids), "early exit": self.exits_early, "joined prefills": self.passes > 1}
        sample = [prompts[0], prompts[len(prompts) // 2], prompts[-1]]
        lengths = {len(prompt) for prompt in sample}
        compared = f"{len(lengths)} lengths below {1 << max(lengths).bit_length()} tokens"
        output = f"{self.pooling} of layer {self.layer}{' and answers' if self.decodes else ''}"
        key = ", ".join([*(name for name, is_chosen in chosen.items() if is_chosen), output, compared])
        with torch.inference_mode():
            try:
                self.prefix = self._encode_prefix(ids) if ids else None
                if any(chosen.values()) and key not in checked:
                    checked[key] = self._matches_reference(sample)
            except UNSUPPORTED as error:
                if is_out_of_memory(error):  # says nothing about the fast paths
                    self._disable_fast_paths()
                    return
                checked[key] = False
        if not checked.get(key, True):
            self._disable_fast_paths()
            reporter.warn(
                f"{self.encoder.name}: fast paths disabled: their outputs differ from the reference; "
                "encoding will be slower"
            )

    def _disable_fast_paths(self) -> None:
        self.prefix, self.exits_early, self.passes = None, False, 1

    def cost(self, prompt: list[int]) -> int:
        if self.prefix is None or not self.prefix.begins([prompt]):
            return len(prompt)
        n_shared = len(self.prefix.ids)  # these need memory, but no computation
        return len(prompt) - n_shared + n_shared // 8

    def forward(self, prompts: list[list[int]]) -> tuple[torch.Tensor, list[DecodedAnswer]]:
        import torch

        parts = split([self.cost(ids) for ids in prompts], self.batch_tokens)
        state, logits, prompt, real, cache = join_prefills([self._prefill(prompts[part]) for part in parts])
        pooler = StatePooler(word_vectors(logits) if self.pools_words else state, prompt, self.pooling)
        if not self.decodes:
            return pooler.vectors(), [NOT_DECODED] * len(prompts)

        n_positions, n_real = real.shape[1], real.sum(1)
        mask = torch.cat([real, real.new_ones(len(real), self.max_answer_tokens)], dim=1).long()

        def step(token: torch.Tensor, i: int) -> tuple[torch.Tensor, torch.Tensor]:
            states, final = self._states(
                input_ids=token[:, None],
                attention_mask=mask[:, : n_positions + i + 1],
                position_ids=(n_real + i)[:, None],
                past_key_values=cache,
                use_cache=True,
            )
            return states[:, 0].float(), self.head(final[:, 0])

        def keep(rows: torch.Tensor) -> None:
            nonlocal n_real, mask
            n_real, mask = n_real[rows], mask[rows]
            cache.batch_select_indices(rows)

        answers = decode_greedily(state, logits, step, keep, pooler, self.end_ids, self.max_answer_tokens)
        return pooler.vectors(), answers

    def _prefill(self, prompts: list[list[int]]) -> Prefill:
        """Return the states, logits and cache of one forward pass over prompts.

        No token of a causal model attends to what follows it, so prompts padded on the right need no mask here.
        Decoding does: explicit positions, and a mask over the padding in the cache.
        """
        import torch
        from transformers import DynamicCache

        shared = self.prefix if self.prefix and self.prefix.begins(prompts) else None
        n_shared = len(shared.ids) if shared else 0
        ids, real = self.pad_batch([prompt[n_shared:] for prompt in prompts])
        rows, last = torch.arange(len(prompts), device=self.device), real.sum(1) - 1
        cache: Any = shared.for_rows(len(prompts)) if shared else DynamicCache() if self.decodes else None
        states, final = self._states(input_ids=ids, past_key_values=cache, use_cache=cache is not None)
        return Prefill(
            states[rows, last].float(),
            self.head(final[rows, last]) if self.pools_words or self.decodes else None,
            sum_over(states, real) if self.pools_prompt else None,
            torch.cat([real.new_ones(len(prompts), n_shared), real], dim=1),
            cache,
        )

    def _states(self, **inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401
        """Return the states of the chosen layer and, without an early exit, of the last: (batch, tokens, size)."""
        if self.exits_early:
            states = states_before(self.body, self.layer, self.encoder.n_layers, inputs)
            return states, states
        layers = [self.layer] if self.inner else False
        out = self.body(**inputs, output_hidden_states=layers)
        return (out.hidden_states[self.layer] if self.inner else out.last_hidden_state), out.last_hidden_state

    def _encode_prefix(self, ids: list[int]) -> SharedPrefix:
        import torch
        from transformers import DynamicCache

        cache = DynamicCache()
        self._states(input_ids=torch.tensor([ids], device=self.device), past_key_values=cache, use_cache=True)
        return SharedPrefix(ids, cache)

    def _matches_reference(self, prompts: list[list[int]]) -> bool:
        """Return whether encoding prompts together with fast paths matches encoding each alone without them.

        Where answers are decoded, two prefills are joined, and in float32 the answers are compared too. In other
        dtypes rounding may swap words of nearly the same probability.
        """
        import torch

        kept = self.prefix, self.exits_early, self.passes, self.batch_tokens, self.max_answer_tokens
        self.max_answer_tokens = min(CHECKED_TOKENS, self.max_answer_tokens)
        try:
            if self.passes > 1:
                self.batch_tokens = 2 * max(map(self.cost, prompts))
            together, answers = self.forward(prompts)
            self._disable_fast_paths()
            reference = [self.forward([prompt]) for prompt in prompts]
        finally:
            self.prefix, self.exits_early, self.passes, self.batch_tokens, self.max_answer_tokens = kept
        exact = self.model.dtype == torch.float32
        if exact and [answer.ids for answer in answers] != [answer.ids for _, (answer,) in reference]:
            return False
        alone = torch.cat([vectors for vectors, _ in reference]).float()
        spread = (alone - alone.mean(0)).norm() + ALIKE * alone.norm()
        return bool((alone - together.float()).norm() <= TOLERANCE[exact] * spread)
