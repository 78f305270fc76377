"""Examples -> token ids, and a batch of them -> padded tensors in parts that fit the memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inbedder_cli.encoders.prompts.prompter import LEAST_TEXT_TOKENS
from inbedder_cli.encoders.prompts.templates import SLOT
from inbedder_cli.encoders.transformers.batching import plan_batches
from inbedder_cli.encoders.transformers.fast_paths import common_prefix
from inbedder_cli.options import Architecture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.encoders.transformers.model_encoder import ModelEncoder
    from inbedder_cli.training.examples import Example
    from inbedder_cli.training.plan import Batch
    from inbedder_cli.training.recipes import TrainOptions


@dataclass(frozen=True)
class Tokenised:
    """One example as ids.

    :param prompt: what the model reads, a masked model's masks included.
    :param answer: what it is to say; fills a masked model's masks, ends with an end mark otherwise.
    """

    prompt: list[int]
    answer: list[int]


class Tokeniser:
    """Turns examples into ids as the encoder will read them, and as it would speak the answers.

    :param encoder: the model that learns, with its tokenizer and template.
    """

    def __init__(self, encoder: ModelEncoder, options: TrainOptions) -> None:
        self.encoder = encoder
        self.options = options
        self.tail = SLOT.split(encoder.template.pattern)[-1] or "x"
        self.end_id = encoder.tokenizer.eos_token_id

    def __call__(self, example: Example) -> Tokenised:
        """Return one example's ids."""
        reserved = self.options.max_answer_tokens + 1  # positions
        prompter = self.encoder.prompter(example.instruction, self.options.max_tokens, reserved)
        prompt = prompter.encode([example.text])[0][0]
        answer = self._answer(example.answer)
        if self.encoder.architecture is Architecture.masked:
            # Masks that a short answer leaves over say it again, so that their mean is about nothing else.
            n_masks = prompt.count(self.encoder.tokenizer.mask_token_id)
            return Tokenised(prompt, [answer[i % len(answer)] for i in range(n_masks)])
        answer = answer[: self.options.max_answer_tokens]
        return Tokenised(prompt, answer if self.end_id is None else [*answer, self.end_id])

    def _answer(self, answer: str) -> list[int]:
        """Return the ids that follow the prompt; word beginnings look different after a space."""
        if self.encoder.architecture is not Architecture.causal:
            return self._ids(" " + answer if self.encoder.architecture is Architecture.masked else answer)
        gap = "" if self.tail[-1].isspace() else " "
        before, both = self._ids(self.tail), self._ids(self.tail + gap + answer)
        return both[len(before) :] if both[: len(before)] == before else self._ids(gap + answer)

    def _ids(self, text: str) -> list[int]:
        return list(self.encoder.tokenizer(text, add_special_tokens=False)["input_ids"])


def fitting(examples: Sequence[Example], encoder: ModelEncoder, max_tokens: int) -> list[Example]:
    """Return the examples whose question leaves room for a text."""
    if not examples:
        return []
    questions = list({example.instruction for example in examples})
    ids = encoder.tokenizer(questions, add_special_tokens=False)["input_ids"]
    length = dict(zip(questions, map(len, ids), strict=True))
    around = len(encoder.prompter("?", max_tokens).encode([""])[0][0])
    return [e for e in examples if length[e.instruction] + around + LEAST_TEXT_TOKENS < max_tokens]


class Collator:
    """Gives Trainer one planned batch as padded tensors.

    :param examples: what the plan's indices mean.
    """

    def __init__(self, tokenise: Tokeniser, examples: Sequence[Example]) -> None:
        self.tokenise = tokenise
        self.examples = examples
        self.pad_id = tokenise.encoder.pad_id
        self.opening: list[int] = getattr(tokenise.encoder, "opening", [])  # of a decoder apart
        self.architecture = tokenise.encoder.architecture
        self.batch_tokens = tokenise.options.batch_tokens
        self.shares = not tokenise.options.checkpointing  # which keeps no cache

    def __call__(self, batches: list[Batch]) -> dict[str, Any]:
        """Return the parts of one step; a contrastive one stays whole, since its rows are compared."""
        (batch,) = batches
        tokenised = [self.tokenise(self.examples[i]) for i in batch.rows]
        lengths = [len(t.prompt) + len(t.answer) for t in tokenised]
        plan = [list(range(len(lengths)))] if batch.contrast else list(plan_batches(lengths, self.batch_tokens))
        return {"parts": [self._part([tokenised[j] for j in part], batch, part) for part in plan]}

    def _part(self, rows: list[Tokenised], batch: Batch, part: list[int]) -> dict[str, Any]:
        """Return tensors: what is read (and, by a decoder, said before), where an answer is spoken, and what."""
        import torch

        inputs = [row.prompt for row in rows]
        prefix: list[int] = []
        said: list[list[int]] = []
        if self.architecture is Architecture.causal:
            if batch.contrast and self.shares:
                prefix = common_prefix(inputs)
            skipped = len(prefix)
            inputs = [(row.prompt + row.answer[:-1])[skipped:] for row in rows]
            first = [len(row.prompt) - 1 - skipped for row in rows]
        elif self.architecture is Architecture.seq2seq:
            said = [self.opening + row.answer[:-1] for row in rows]
            first = [len(self.opening) - 1] * len(rows)
        else:
            mask_id = self.tokenise.encoder.tokenizer.mask_token_id
            first = [row.prompt.index(mask_id) for row in rows]
        places = [(i, first[i] + j) for i, row in enumerate(rows) for j in range(len(row.answer))]
        result: dict[str, Any] = {
            "input_ids": self._padded(inputs),
            "attention_mask": self._padded([[1] * len(ids) for ids in inputs], 0),
            "places": torch.tensor(places),
            "targets": torch.tensor([id_ for row in rows for id_ in row.answer]),
            "first": torch.tensor(first),
        }
        if prefix:
            result["prefix"] = torch.tensor([prefix])
        if said:
            result["decoder_input_ids"] = self._padded(said)
        if batch.contrast:
            answers = [self.examples[batch.rows[j]].answer.casefold() for j in part]
            result["classes"] = torch.tensor([answers.index(answer) for answer in answers])
        return result

    def _padded(self, rows: list[list[int]], value: int | None = None) -> Any:  # noqa: ANN401
        import torch

        width = max(map(len, rows))
        fill = self.pad_id if value is None else value
        return torch.tensor([row + [fill] * (width - len(row)) for row in rows])
