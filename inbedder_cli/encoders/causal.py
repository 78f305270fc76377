"""Causal (decoder-only) language models: LLaMA, OPT, Qwen, SmolLM, ...

The vector is the hidden state from which the answer would be spoken (InBedder, section 3.2): for the default
readout that of the last prompt token, so one forward pass over the prompt gives it, and the answer is decoded
greedily from the key-value cache of that same pass.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.encoders.base import Encoded, Preview
from inbedder_cli.encoders.batching import canonical_order, plan_batches
from inbedder_cli.encoders.device import default_batch_tokens
from inbedder_cli.encoders.prompting import Prompter
from inbedder_cli.errors import OutOfMemory, UsageProblem
from inbedder_cli.options import EncodeOptions, Readout
from inbedder_cli.talk import SILENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from inbedder_cli.prompts import Template
    from inbedder_cli.talk import Talk

WINDOW = 8192  # texts tokenised at a time: bounds memory, whatever the number of rows
PROMPT_COST = 200  # characters' worth of work that each row costs beside its own text, for the time left
PROBE_ROWS = 16
WRAPPING = re.compile(r"^[\s\"“”'‘’*_`]+|[\s\"“”'‘’*_`.,;:!]+$")


@dataclass
class CausalEncoder:
    """A decoder-only model that answers a question about each text.

    :param model: a transformers causal language model, in eval mode on its device.
    :param tokenizer: its tokenizer.
    :param template: where text and instruction go.
    :param layer: the model's own choice of hidden state; None means the last.
    :param readout: the model's own readout.
    :param name: what messages call it.
    """

    model: Any
    tokenizer: Any
    template: Template
    layer: int | None = None
    readout: Readout = Readout.first_token
    name: str = "model"

    @property
    def n_layers(self) -> int:
        """Index of the last hidden state (the one after the final norm)."""
        return int(self.model.config.get_text_config().num_hidden_layers)

    @property
    def description(self) -> str:
        """One line: model, number format, device."""
        return f"{self.name}, {str(self.model.dtype).removeprefix('torch.')} on {self.model.device}"

    def encode(
        self,
        texts: Sequence[str],
        instruction: str,
        options: EncodeOptions | None = None,
        talk: Talk = SILENT,
    ) -> Encoded:
        """Return one vector, and one answer, per text, in their order.

        Identical texts are computed once. Vectors do not depend on the order of the texts; between batch sizes
        they agree to about 1e-4 in float32 and to a centred cosine of about 0.999 in bfloat16.

        :raises UsageProblem: for an empty instruction, or a layer that the model does not have.
        :raises OutOfMemory: when even one text does not fit.
        """
        options = options or EncodeOptions()
        unique = list(dict.fromkeys(texts))
        order = canonical_order(unique)
        prompter = self._prompter(instruction, options)
        reader = _BatchReader(self, options)
        vectors: list[Any] = [None] * len(unique)
        answers: list[str] = [""] * len(unique)
        n_shortened = rows = 0
        done, total = 0, sum(len(text) + PROMPT_COST for text in unique)
        with talk.task("reading", total, unit="rows") as advance:
            for start in range(0, len(order), WINDOW):
                window = order[start : start + WINDOW]
                prompts, shortened = prompter.encode([unique[i] for i in window])
                n_shortened += shortened
                for batch in plan_batches([len(ids) for ids in prompts], reader.batch_tokens):
                    batch_vectors, batch_answers = reader.read([prompts[j] for j in batch])
                    for j, vector, answer in zip(batch, batch_vectors, batch_answers, strict=True):
                        vectors[window[j]], answers[window[j]] = vector, answer
                        done += len(unique[window[j]]) + PROMPT_COST
                    rows += len(batch)
                    advance(done, rows)
        place = {text: i for i, text in enumerate(unique)}
        rows_of = [place[text] for text in texts]
        return Encoded(
            vectors=np.stack(vectors)[rows_of] if unique else np.empty((0, self._hidden_size), np.float32),
            answers=[answers[i] for i in rows_of] if options.answers else None,
            n_unique=len(unique),
            n_shortened=n_shortened,
        )

    def preview(self, texts: Sequence[str], instruction: str, options: EncodeOptions | None = None) -> Preview:
        """Return what `encode` would do; a few rows of all lengths are tried for the time."""
        options = options or EncodeOptions()
        unique = list(dict.fromkeys(texts))
        prompter = self._prompter(instruction, options)
        prompts, n_shortened = prompter.encode(unique)
        order = canonical_order(unique)
        probe = order[:: max(1, len(order) // PROBE_ROWS)]
        self.encode([unique[i] for i in probe[:2]], instruction, options)  # warm up
        start = time.perf_counter()
        self.encode([unique[i] for i in probe], instruction, options)
        seconds = time.perf_counter() - start
        n_tokens = sum(map(len, prompts))
        return Preview(
            prompt=prompter.render(texts[0]),
            n_unique=len(unique),
            n_tokens=n_tokens,
            n_shortened=n_shortened,
            seconds=seconds * n_tokens / max(1, sum(len(prompts[i]) for i in probe)),
        )

    @property
    def _hidden_size(self) -> int:
        return int(self.model.config.get_text_config().hidden_size)

    def _prompter(self, instruction: str, options: EncodeOptions) -> Prompter:
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        room = options.max_tokens if limit is None else min(options.max_tokens, limit - options.max_answer_tokens)
        return Prompter(self.tokenizer, self.template, instruction, room)

    def clean(self, answer_ids: Sequence[int]) -> str:
        """Return an answer's first line without wrapping quotes, emphasis and closing punctuation."""
        text = self.tokenizer.decode(answer_ids, skip_special_tokens=True)
        lines = [line for line in text.splitlines() if line.strip()]
        return WRAPPING.sub("", lines[0]) if lines else ""


class _BatchReader:
    """Runs batches of prompts through the model: the paper's reading, in `_forward`."""

    def __init__(self, encoder: CausalEncoder, options: EncodeOptions) -> None:
        self.encoder = encoder
        self.model = encoder.model
        self.body = encoder.model.base_model  # without the LM head, which is needed only where an answer is spoken
        self.head = encoder.model.get_output_embeddings()
        self.device = encoder.model.device
        self.readout = options.readout or encoder.readout
        self.decodes = options.answers or self.readout.reads_answer
        self.max_answer_tokens = options.max_answer_tokens
        self.batch_tokens = options.batch_tokens or default_batch_tokens(self.device)
        wanted = options.layer if options.layer is not None else encoder.layer
        self.layer = _checked_layer(wanted, encoder.n_layers)
        self.inner = self.layer < encoder.n_layers
        self.end_ids = _end_ids(encoder)

    def read(self, prompts: list[list[int]]) -> tuple[Any, list[str]]:
        """Return float32 vectors, shape (len(prompts), hidden_size), and the answers of one batch.

        A batch for which the device's memory is too small is halved, and so are those that follow.
        """
        import torch

        try:
            vectors, answer_ids = self._forward(prompts)
        except (torch.OutOfMemoryError, MemoryError) as error:
            if len(prompts) == 1:
                raise OutOfMemory(
                    f"not enough memory on {self.device} for one text of {len(prompts[0])} tokens",
                    hint="lower --max-tokens, use --dtype bfloat16, a smaller model, or another --device",
                ) from error
        else:
            return vectors, [self.encoder.clean(ids) for ids in answer_ids]
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.batch_tokens = max(1, self.batch_tokens // 2)
        half = len(prompts) // 2
        first, second = self.read(prompts[:half]), self.read(prompts[half:])
        return np.concatenate([first[0], second[0]]), first[1] + second[1]

    def _forward(self, prompts: list[list[int]]) -> tuple[Any, list[list[int]]]:
        """Read one batch: prompts in, vectors and answer ids out.

        Prompts are padded on the right: no real token of a causal model sees what follows it, so the prefill
        needs no mask. Decoding does: explicit positions, and a mask over the padding in the cache.
        """
        import torch
        from transformers import DynamicCache

        with torch.inference_mode():
            lengths = torch.tensor([len(ids) for ids in prompts])
            width = int(lengths.max())
            padded = torch.tensor([ids + [0] * (width - len(ids)) for ids in prompts]).to(self.device)
            mask = (torch.arange(width)[None] < lengths[:, None]).to(self.device)
            lengths = lengths.to(self.device)
            rows = torch.arange(len(prompts), device=self.device)

            cache = DynamicCache() if self.decodes else None
            states, final = self._states(input_ids=padded, past_key_values=cache, use_cache=self.decodes)
            spoken_from = states[rows, lengths - 1].float()  # s1
            reading = _Reading(spoken_from, states, mask, self.readout)
            if not self.decodes:
                return reading.vectors().cpu().numpy(), [[] for _ in prompts]

            last = final[rows, lengths - 1]
            alive = torch.ones(len(prompts), dtype=torch.bool, device=self.device)
            answers: list[list[int]] = [[] for _ in prompts]
            for step in range(self.max_answer_tokens):
                token = self.head(last).argmax(-1)
                alive = alive & ~torch.isin(token, self.end_ids)
                reading.add(spoken_from, alive, first=step == 0)
                for i in alive.nonzero().flatten().tolist():
                    answers[i].append(int(token[i]))
                if step + 1 == self.max_answer_tokens or not alive.any():
                    break
                mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
                states, final = self._states(
                    input_ids=token[:, None],
                    attention_mask=mask.long(),
                    position_ids=(lengths + step)[:, None],
                    past_key_values=cache,
                    use_cache=True,
                )
                spoken_from, last = states[:, 0].float(), final[:, 0]
            return reading.vectors().cpu().numpy(), answers

    def _states(self, **inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401
        """Return the states of the chosen layer and of the last, each (batch, tokens, hidden_size)."""
        wanted = [self.layer] if self.inner else False
        out = self.body(**inputs, output_hidden_states=wanted)
        return (out.hidden_states[self.layer] if self.inner else out.last_hidden_state), out.last_hidden_state


class _Reading:
    """Collects the states that a readout asks for (see `options.Readout` for s1..sm)."""

    def __init__(self, first: torch.Tensor, prompt: torch.Tensor, mask: torch.Tensor, readout: Readout) -> None:
        self.readout = readout
        self.first = first
        self.last = first
        self.sum = first.clone()
        self.count = first.new_ones(len(first), 1)
        if readout in (Readout.prompt_mean, Readout.all_mean):
            self.prompt_sum = (prompt.float() * mask[..., None]).sum(1)
            self.prompt_count = mask.sum(1, keepdim=True)

    def add(self, state: torch.Tensor, alive: torch.Tensor, *, first: bool) -> None:
        """Take the state that spoke an answer token, in the rows whose answer went on; s1 is there already."""
        if first or not self.readout.reads_answer:
            return
        self.sum += state * alive[:, None]
        self.count += alive[:, None]
        self.last = state.where(alive[:, None], self.last)

    def vectors(self) -> torch.Tensor:
        """Return the vectors, shape (batch, hidden_size)."""
        match self.readout:
            case Readout.first_token:
                return self.first
            case Readout.answer_mean:
                return self.sum / self.count
            case Readout.answer_last:
                return self.last
            case Readout.prompt_mean:
                return self.prompt_sum / self.prompt_count
            case Readout.all_mean:  # s1 is in both sums
                return (self.prompt_sum + self.sum - self.first) / (self.prompt_count + self.count - 1)


def _checked_layer(wanted: int | None, n_layers: int) -> int:
    if wanted is None:
        return n_layers
    layer = wanted + n_layers + 1 if wanted < 0 else wanted
    if not 0 <= layer <= n_layers:
        raise UsageProblem(
            f"there is no layer {wanted}",
            hint=f"this model has hidden states 0 (embeddings) to {n_layers} (after the final norm)",
        )
    return layer


def _end_ids(encoder: CausalEncoder) -> torch.Tensor:
    import torch

    ids = getattr(encoder.model.generation_config, "eos_token_id", None)
    found = [ids] if isinstance(ids, int) else list(ids or [])
    if encoder.tokenizer.eos_token_id is not None:
        found.append(encoder.tokenizer.eos_token_id)
    return torch.tensor(sorted(set(found)), dtype=torch.long, device=encoder.model.device)
