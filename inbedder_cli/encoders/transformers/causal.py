"""Causal (decoder-only) language models: LLaMA, OPT, Qwen, SmolLM, ...

The vector is the hidden state that predicts the answer (InBedder, section 3.2). For the default pooling it is that
of the last prompt token, so it takes one forward pass over the prompt, and the answer is decoded greedily from the
key-value cache of the same pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from inbedder_cli.encoders.transformers.batching import split
from inbedder_cli.encoders.transformers.decoding import (
    NOT_DECODED,
    DecodedAnswer,
    decode_greedily,
    find_special_tokens,
)
from inbedder_cli.encoders.transformers.fast_paths import find_prefix
from inbedder_cli.encoders.transformers.forward_pass import PlainPass, Wanted
from inbedder_cli.encoders.transformers.fused import FusedPass, is_fusable
from inbedder_cli.encoders.transformers.model_encoder import BatchEncoder, ModelEncoder, is_out_of_memory
from inbedder_cli.encoders.transformers.output_head import output_head
from inbedder_cli.encoders.transformers.pooling import StatePooler, word_vectors
from inbedder_cli.errors import UsageError
from inbedder_cli.options import Architecture, EncodeOptions, Pooling

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from inbedder_cli.encoders.prompts.prompter import Prompter
    from inbedder_cli.encoders.transformers.forward_pass import ForwardPass, Prompts
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
        self.head = output_head(encoder.model)
        self.pools_words = self.pooling is Pooling.answer_words
        if self.pools_words and options.layer is not None:
            raise UsageError(
                "the pooling answer-words uses no layer", hint="leave out --layer, or add --pooling first-token"
            )
        self.wanted = Wanted(
            layer=encoder.n_layers if self.pools_words else self.layer,
            n_layers=encoder.n_layers,
            logits=self.pools_words or self.decodes,
            prompt_sums=self.pooling in (Pooling.prompt_mean, Pooling.all_mean),
        )
        self.special_tokens = find_special_tokens(encoder.model, encoder.tokenizer)
        self.reference = PlainPass(self.body, self.head, self.wanted, self.pad_batch)
        self.forward_pass: ForwardPass = self.reference

    def prepare(self, prompter: Prompter, prompts: list[list[int]], reporter: Reporter) -> None:
        # The fused forward pass is the fastest, then the model's own with fast paths. Whether one works for this
        # model and these options is checked once for prompts up to a length: three prompts together are compared
        # with each alone without fast paths. Below three prompts the check costs more than it saves,
        # and each is encoded by itself.
        # Where each text is encoded by itself, its vector may not depend on how many others there are.
        self.forward_pass, self.passes = self.reference, 1
        if self.batch_tokens == 1:
            return
        if len(prompts) < CHECKED_PROMPTS:
            self.batch_tokens = 1
            return
        prefix = [] if self.wanted.prompt_sums else find_prefix(prompter)
        sample = [prompts[0], prompts[len(prompts) // 2], prompts[-1]]
        disabled = ""
        for is_fused in (True, False) if is_fusable(self.body) and self.wanted.n_run else (False,):
            try:
                if self._choose_pass(prefix, sample, is_fused=is_fused):
                    break
            except MemoryError:  # says nothing about the fast paths
                return
            disabled = "fused forward pass" if is_fused else "fast paths"
        if disabled:
            reporter.warn(
                f"{self.encoder.name}: {disabled} disabled: their outputs differ from the reference; "
                "encoding will be slower"
            )
            self._check_padding(sample, reporter)

    def _check_padding(self, sample: Prompts, reporter: Reporter) -> None:
        """Encode each prompt by itself where padding changes results: sliding windows, ALiBi, recurrent states."""
        import torch

        with torch.inference_mode():
            is_same = self._matches_reference(self.reference, [sample])
        if not is_same:
            self.batch_tokens = 1
            reporter.warn(f"{self.encoder.name}: padding changes its outputs, so texts are encoded one by one")

    def _choose_pass(self, prefix: list[int], sample: Prompts, *, is_fused: bool) -> bool:
        """Use a forward pass from now on if it matches the reference; return whether it does."""
        import torch

        passes = PASSES if self.decodes and self.device.type == "cpu" else 1
        exits_early = self.wanted.is_inner and not self.wanted.logits
        fast_paths = {
            "fused forward pass": is_fused,
            "shared prefix": bool(prefix),
            "early exit": exits_early,
            "joined prefills": passes > 1,
        }
        if not any(fast_paths.values()):
            return True
        lengths = {len(prompt) for prompt in sample}
        compared = f"{len(lengths)} lengths below {1 << max(lengths).bit_length()} tokens"
        output = f"{self.pooling} of layer {self.layer}{' and answers' if self.decodes else ''}"
        key = ", ".join([*(name for name, is_chosen in fast_paths.items() if is_chosen), output, compared])
        checked = self.encoder.fast_paths
        try:
            with torch.inference_mode():
                forward_pass: ForwardPass = (
                    FusedPass(self.body, self.head, self.wanted, self.check_ids, prefix)
                    if is_fused
                    else PlainPass(
                        self.body, self.head, self.wanted, self.pad_batch, prefix, exits_early=exits_early
                    )
                )
                if key not in checked:
                    parts = [sample[:2], sample[2:]] if passes > 1 else [sample]
                    checked[key] = self._matches_reference(forward_pass, parts)
        except UNSUPPORTED as error:
            if is_out_of_memory(error):
                raise MemoryError from error
            checked[key] = False
        if checked[key]:
            self.forward_pass, self.passes = forward_pass, passes
        return checked[key]

    def _matches_reference(self, forward_pass: ForwardPass, parts: list[Prompts]) -> bool:
        """Return whether encoding prompts together matches encoding each alone without fast paths.

        In float32 the answers are compared too. In other dtypes rounding may swap words of nearly the same
        probability.
        """
        import torch

        n_tokens = min(CHECKED_TOKENS, self.max_answer_tokens)
        together, answers = self._run(forward_pass, parts, n_tokens)
        reference = [self._run(self.reference, [[prompt]], n_tokens) for part in parts for prompt in part]
        exact = self.model.dtype == torch.float32
        if exact and [answer.ids for answer in answers] != [answer.ids for _, (answer,) in reference]:
            return False
        alone = torch.cat([vectors for vectors, _ in reference]).float()
        spread = (alone - alone.mean(0)).norm() + ALIKE * alone.norm()
        return bool((alone - together.float()).norm() <= TOLERANCE[exact] * spread)

    def cost(self, prompt: list[int]) -> int:
        prefix = self.forward_pass.prefix
        if prefix is None or not prefix.begins([prompt]):
            return len(prompt)
        n_shared = len(prefix.ids)  # these need memory, but no computation
        return len(prompt) - n_shared + n_shared // 8

    def forward(self, prompts: list[list[int]]) -> tuple[torch.Tensor, list[DecodedAnswer]]:
        parts = [prompts[part] for part in split([self.cost(ids) for ids in prompts], self.batch_tokens)]
        return self._run(self.forward_pass, parts, self.max_answer_tokens)

    def _run(
        self, forward_pass: ForwardPass, parts: Sequence[Prompts], max_answer_tokens: int
    ) -> tuple[torch.Tensor, list[DecodedAnswer]]:
        first, decoding = forward_pass.prefill(parts, max_answer_tokens if self.decodes else 0)
        vectors = word_vectors(first.logits) if self.pools_words else first.state
        pooler = StatePooler(vectors, first.prompt, self.pooling)
        if not self.decodes:
            return pooler.vectors(), [NOT_DECODED] * len(vectors)
        answers = decode_greedily(
            first.state, first.logits, decoding.step, decoding.keep, pooler, self.special_tokens, max_answer_tokens
        )
        return pooler.vectors(), answers
