"""Causal (decoder-only) language models: LLaMA, OPT, Qwen, SmolLM, ...

The vector is the hidden state from which the answer would be spoken (InBedder, section 3.2): for the default
pooling that of the last prompt token, so one forward pass over the prompt gives it, and the answer is decoded
greedily from the key-value cache of that same pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from inbedder_cli.encoders.transformers.batching import cut
from inbedder_cli.encoders.transformers.decoding import UNSPOKEN, DecodedAnswer, decode_greedily, end_ids_of
from inbedder_cli.encoders.transformers.early_exit import states_before
from inbedder_cli.encoders.transformers.model_encoder import BatchReader, ModelEncoder, is_out_of_memory
from inbedder_cli.encoders.transformers.pooling import StatePooler, sum_over, word_vectors
from inbedder_cli.encoders.transformers.prefill import Prefill, joined
from inbedder_cli.encoders.transformers.shared_prefix import SharedPrefix, prefix_of
from inbedder_cli.errors import UsageError
from inbedder_cli.options import Architecture, EncodeOptions, Pooling

if TYPE_CHECKING:
    import torch

    from inbedder_cli.encoders.prompts.prompter import Prompter
    from inbedder_cli.progress import Reporter

# How far vectors may lie from those read the plain way, as a share of how far texts lie apart (or of their length,
# where texts are all alike): in float32, and in formats that round.
TOLERANCE = {True: 0.01, False: 0.2}
ALIKE = 0.01
PASSES = 4  # over prompts, whose answers a CPU decodes together
TRIED_TOKENS = 3  # of an answer
TRIED_PROMPTS = 3
NOT_THIS_WAY = (MemoryError, RuntimeError, ValueError, AttributeError, TypeError, LookupError, NotImplementedError)


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

    def _reader(self, options: EncodeOptions) -> BatchReader:
        return _CausalReader(self, options)

    def _reserved(self, options: EncodeOptions) -> int:
        return options.max_answer_tokens


class _CausalReader(BatchReader):
    def __init__(self, encoder: CausalEncoder, options: EncodeOptions) -> None:
        super().__init__(encoder, options)
        self.encoder = encoder
        self.body = encoder.model.base_model  # without the LM head, which is needed only where an answer is spoken
        self.head = encoder.model.get_output_embeddings()
        self.of_words = self.pooling is Pooling.answer_words
        if self.of_words and options.layer is not None:
            raise UsageError("answer-words reads no layer", hint="leave --layer out, or add --pooling first-token")
        self.of_prompt = self.pooling in (Pooling.prompt_mean, Pooling.all_mean)
        self.inner = self.layer < encoder.n_layers and not self.of_words
        self.end_ids = end_ids_of(encoder.model, encoder.tokenizer)
        self.prefix: SharedPrefix | None = None
        self.stops = False  # at the layer that is read

    def prepare(self, prompter: Prompter, prompts: list[list[int]], reporter: Reporter) -> None:
        """Take the fast_paths that these options allow: `SharedPrefix`, `joined` passes, a stop at the layer read.

        Whether they hold for this model and these options is tried once for prompts up to so long: three together
        against each alone the plain way. Fewer prompts are not worth it.
        """
        import torch

        if len(prompts) < TRIED_PROMPTS:
            self._go_plain()
            return
        known = self.encoder.fast_paths
        self.stops = self.inner and not self.decodes
        self.passes = PASSES if self.decodes and self.device.type == "cpu" else 1
        ids = [] if self.of_prompt else prefix_of(prompter)
        chosen = {"shared prefix": bool(ids), "early stop": self.stops, "joined passes": self.passes > 1}
        some = [prompts[0], prompts[len(prompts) // 2], prompts[-1]]
        lengths = {len(prompt) for prompt in some}
        trial = f"{len(lengths)} lengths below {1 << max(lengths).bit_length()} tokens"
        read = f"{self.pooling} of layer {self.layer}{' and answers' if self.decodes else ''}"
        taken = ", ".join([*(name for name, wanted in chosen.items() if wanted), read, trial])
        with torch.inference_mode():
            try:
                self.prefix = self._read_prefix(ids) if ids else None
                if any(chosen.values()) and taken not in known:
                    known[taken] = self._same(some)
            except NOT_THIS_WAY as error:
                if is_out_of_memory(error):  # which says nothing about the model
                    self._go_plain()
                    return
                known[taken] = False
        if not known.get(taken, True):
            self._go_plain()
            reporter.warn(
                f"{self.encoder.name} does not bear fast_paths: every prompt is read whole, which takes longer"
            )

    def _go_plain(self) -> None:
        self.prefix, self.stops, self.passes = None, False, 1

    def cost(self, prompt: list[int]) -> int:
        """Return the tokens that a prompt adds to a batch; those that it shares take memory, and no work."""
        if self.prefix is None or not self.prefix.begins([prompt]):
            return len(prompt)
        n_shared = len(self.prefix.ids)
        return len(prompt) - n_shared + n_shared // 8

    def forward(self, prompts: list[list[int]]) -> tuple[torch.Tensor, list[DecodedAnswer]]:
        """Read one batch: prompts in, vectors and answers out."""
        import torch

        parts = cut([self.cost(ids) for ids in prompts], self.batch_tokens)
        state, logits, prompt, read, cache = joined([self._prefill(prompts[part]) for part in parts])
        reading = StatePooler(word_vectors(logits) if self.of_words else state, prompt, self.pooling)
        if not self.decodes:
            return reading.vectors(), [UNSPOKEN] * len(prompts)

        places, n_read = read.shape[1], read.sum(1)
        seen = torch.cat([read, read.new_ones(len(read), self.max_answer_tokens)], dim=1).long()

        def step(token: torch.Tensor, i: int) -> tuple[torch.Tensor, torch.Tensor]:
            states, final = self._states(
                input_ids=token[:, None],
                attention_mask=seen[:, : places + i + 1],
                position_ids=(n_read + i)[:, None],
                past_key_values=cache,
                use_cache=True,
            )
            return states[:, 0].float(), self.head(final[:, 0])

        def keep(rows: torch.Tensor) -> None:
            nonlocal n_read, seen
            n_read, seen = n_read[rows], seen[rows]
            cache.batch_select_indices(rows)

        answers = decode_greedily(state, logits, step, keep, reading, self.end_ids, self.max_answer_tokens)
        return reading.vectors(), answers

    def _prefill(self, prompts: list[list[int]]) -> Prefill:
        """Read prompts up to where the answer begins.

        No real token of a causal model sees what follows it, so prompts padded on the right need no mask here.
        Decoding does: explicit positions, and a mask over the padding in the cache.
        """
        import torch
        from transformers import DynamicCache

        shared = self.prefix if self.prefix and self.prefix.begins(prompts) else None
        n_shared = len(shared.ids) if shared else 0
        ids, real = self.padded([prompt[n_shared:] for prompt in prompts])
        rows, last = torch.arange(len(prompts), device=self.device), real.sum(1) - 1
        cache: Any = shared.for_rows(len(prompts)) if shared else DynamicCache() if self.decodes else None
        states, final = self._states(input_ids=ids, past_key_values=cache, use_cache=cache is not None)
        return Prefill(
            states[rows, last].float(),
            self.head(final[rows, last]) if self.of_words or self.decodes else None,
            sum_over(states, real) if self.of_prompt else None,
            torch.cat([real.new_ones(len(prompts), n_shared), real], dim=1),
            cache,
        )

    def _states(self, **inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401
        """Return the states of the chosen layer and, unless it stops there, of the last: (batch, tokens, size)."""
        if self.stops:
            states = states_before(self.body, self.layer, self.encoder.n_layers, inputs)
            return states, states
        wanted = [self.layer] if self.inner else False
        out = self.body(**inputs, output_hidden_states=wanted)
        return (out.hidden_states[self.layer] if self.inner else out.last_hidden_state), out.last_hidden_state

    def _read_prefix(self, ids: list[int]) -> SharedPrefix:
        import torch
        from transformers import DynamicCache

        cache = DynamicCache()
        self._states(input_ids=torch.tensor([ids], device=self.device), past_key_values=cache, use_cache=True)
        return SharedPrefix(ids, cache)

    def _same(self, prompts: list[list[int]]) -> bool:
        """Return whether these prompts together give the vectors that each alone gives the plain way.

        Where answers are decoded, they are read in two passes, and what they say is compared, too; not in formats
        that round, in which words of nearly the same probability change places.
        """
        import torch

        kept = self.prefix, self.stops, self.passes, self.batch_tokens, self.max_answer_tokens
        self.max_answer_tokens = min(TRIED_TOKENS, self.max_answer_tokens)
        try:
            if self.passes > 1:
                self.batch_tokens = 2 * max(map(self.cost, prompts))
            together, told = self.forward(prompts)
            self._go_plain()
            plain = [self.forward([prompt]) for prompt in prompts]
        finally:
            self.prefix, self.stops, self.passes, self.batch_tokens, self.max_answer_tokens = kept
        exact = self.model.dtype == torch.float32
        if exact and [answer.ids for answer in told] != [answer.ids for _, (answer,) in plain]:
            return False
        alone = torch.cat([vectors for vectors, _ in plain]).float()
        apart = (alone - alone.mean(0)).norm() + ALIKE * alone.norm()
        return bool((alone - together.float()).norm() <= TOLERANCE[exact] * apart)
