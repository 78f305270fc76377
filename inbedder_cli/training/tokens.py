"""Convert examples to token ids, and batches of examples to padded tensors, in parts that fit into memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inbedder_cli.encoders.prompts.prompter import MIN_TEXT_TOKENS
from inbedder_cli.encoders.prompts.templates import SLOT
from inbedder_cli.encoders.prompts.tokenizers import run_tokenizer
from inbedder_cli.encoders.transformers.batching import plan_batches
from inbedder_cli.encoders.transformers.fast_paths import common_prefix
from inbedder_cli.options import Architecture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.encoders.transformers.model_encoder import ModelEncoder
    from inbedder_cli.training.examples import Example
    from inbedder_cli.training.plan import Batch
    from inbedder_cli.training.recipes import TrainOptions
    from inbedder_cli.training.teacher_labels import TeacherLabels


@dataclass(frozen=True)
class TokenizedExample:
    """One example as token ids.

    :param prompt: the input, including the masks of a masked model.
    :param answer: the target: it fills the masks of a masked model, and ends with an end token otherwise.
    """

    prompt: list[int]
    answer: list[int]


class ExampleTokenizer:
    """Turns examples into the same prompt ids as the encoder, and into the ids of their answers.

    :param encoder: the encoder in training, with its tokenizer and template.
    :param options: maximum lengths of prompt and answer.
    """

    def __init__(self, encoder: ModelEncoder, options: TrainOptions) -> None:
        self.encoder = encoder
        self.options = options
        self.tail = SLOT.split(encoder.template.pattern)[-1] or "x"
        self.end_id = encoder.tokenizer.eos_token_id
        self.first_tokens: dict[str, int] = {}  # of words that a teacher says

    def __call__(self, example: Example) -> TokenizedExample:
        """Return the ids of one example.

        :param example: the example.
        :return: its ids.
        """
        reserved = self.options.max_answer_tokens + 1  # positions
        prompter = self.encoder.prompter(example.instruction, self.options.max_tokens, reserved)
        prompt = prompter.encode([example.text])[0][0]
        answer = self._answer(example.answer)
        if self.encoder.architecture is Architecture.masked:
            # A short answer is repeated in the remaining masks, so that the mean over the masks is about it alone.
            n_masks = prompt.count(self.encoder.tokenizer.mask_token_id)
            return TokenizedExample(prompt, [answer[i % len(answer)] for i in range(n_masks)])
        answer = answer[: self.options.max_answer_tokens]
        return TokenizedExample(prompt, answer if self.end_id is None else [*answer, self.end_id])

    def first_token(self, word: str, answer: str, answer_ids: Sequence[int]) -> int:
        """Return the token that begins an answer with a given word.

        :param word: in lower case; it may be a piece of a word.
        :param answer: the target of the example; where it begins so, its own first token is returned, which may
            be a capital or a longer piece.
        :param answer_ids: its tokens.
        :return: a token id.
        """
        if answer.casefold().startswith(word):
            return answer_ids[0]
        if word not in self.first_tokens:
            self.first_tokens[word] = self._answer(word)[0]
        return self.first_tokens[word]

    def _answer(self, answer: str) -> list[int]:
        """Return the ids that follow the prompt; the first token of a word differs after a space."""
        if self.encoder.architecture is not Architecture.causal:
            return self._ids(" " + answer if self.encoder.architecture is Architecture.masked else answer)
        gap = "" if self.tail[-1].isspace() else " "
        before, both = self._ids(self.tail), self._ids(self.tail + gap + answer)
        return both[len(before) :] if both[: len(before)] == before else self._ids(gap + answer)

    def _ids(self, text: str) -> list[int]:
        return list(self.encoder.tokenizer(text, add_special_tokens=False)["input_ids"])


def examples_that_fit(examples: Sequence[Example], encoder: ModelEncoder, max_tokens: int) -> list[Example]:
    """Return the examples whose question leaves room for a text, and whose answer the tokenizer knows.

    :param examples: of any length.
    :param encoder: the encoder, for its tokenizer and template.
    :param max_tokens: maximum length of a prompt, in tokens.
    :return: in the same order.
    """
    if not examples:
        return []
    strings = list({string for e in examples for string in (e.instruction, e.answer)})
    ids = run_tokenizer(lambda: encoder.tokenizer(strings, add_special_tokens=False)["input_ids"])
    length = dict(zip(strings, map(len, ids), strict=True))
    around = len(encoder.prompter("?", max_tokens).encode([""])[0][0])
    room = max_tokens - around - MIN_TEXT_TOKENS
    return [e for e in examples if length[e.instruction] < room and (length[e.answer] or not e.answer)]


class Collator:
    """Turns one planned batch into padded tensors for Trainer.

    :param tokenize: turns an example into ids.
    :param examples: the examples that the plan's indices refer to.
    :param labels: what a teacher says about them, if there is one.
    """

    def __init__(
        self, tokenize: ExampleTokenizer, examples: Sequence[Example], labels: TeacherLabels | None = None
    ) -> None:
        self.tokenize = tokenize
        self.examples = examples
        self.labels = labels
        self.pad_id = tokenize.encoder.pad_id
        self.opening: list[int] = getattr(
            tokenize.encoder, "opening", []
        )  # start tokens of an encoder-decoder's decoder
        self.architecture = tokenize.encoder.architecture
        self.batch_tokens = tokenize.options.batch_tokens
        self.shares_prefix = not tokenize.options.checkpointing  # which allows no key-value cache

    def __call__(self, batches: list[Batch]) -> dict[str, Any]:
        """Return the parts of one step; a contrastive batch stays whole, because its rows are compared.

        :param batches: exactly one.
        :return: "parts": a list of tensors by name.
        """
        (batch,) = batches
        tokenized = [self.tokenize(self.examples[i]) for i in batch.rows]
        lengths = [len(t.prompt) + len(t.answer) for t in tokenized]
        plan = [list(range(len(lengths)))] if batch.contrast else list(plan_batches(lengths, self.batch_tokens))
        return {"parts": [self._part([tokenized[j] for j in part], batch, part) for part in plan]}

    def _part(self, rows: list[TokenizedExample], batch: Batch, part: list[int]) -> dict[str, Any]:
        """Return the tensors of some rows of a batch.

        - input_ids, attention_mask, and decoder_input_ids of an encoder-decoder: shape (n_rows, length);
        - places: shape (n_answer_tokens, 2), row and column of each state that predicts an answer token;
        - targets: shape (n_answer_tokens,), these tokens;
        - first: shape (n_rows,), the column of the state that predicts each row's first answer token;
        - prefix: shape (1, length), the common beginning of all prompts, which is cut from input_ids;
        - classes: shape (n_rows,), in a contrastive batch, equal for rows with the same answer in the data;
        - similar: shape (n_rows, n_rows), in a contrastive batch, the teacher's cosines, if there are any;
        - taught: shape (n_taught,), where a teacher's words are known, indices into `targets` of first tokens;
        - taught_ids, taught_shares: shape (n_taught, n_words), the first tokens of these words and their
          probabilities, padded with 0.
        """
        import torch

        inputs = [row.prompt for row in rows]
        prefix: list[int] = []
        decoder_inputs: list[list[int]] = []
        if self.architecture is Architecture.causal:
            if batch.contrast and self.shares_prefix:
                prefix = common_prefix(inputs)
            skipped = len(prefix)
            inputs = [(row.prompt + row.answer[:-1])[skipped:] for row in rows]
            first = [len(row.prompt) - 1 - skipped for row in rows]
        elif self.architecture is Architecture.seq2seq:
            decoder_inputs = [self.opening + row.answer[:-1] for row in rows]
            first = [len(self.opening) - 1] * len(rows)
        else:
            mask_id = self.tokenize.encoder.tokenizer.mask_token_id
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
        if decoder_inputs:
            result["decoder_input_ids"] = self._padded(decoder_inputs)
        examples = [self.examples[batch.rows[j]] for j in part]
        if self.labels:
            result |= self._taught(examples, rows, self.labels)
        if batch.contrast:
            answers = [example.answer.casefold() if example.is_gold else None for example in examples]
            classes = [i if answer is None else answers.index(answer) for i, answer in enumerate(answers)]
            result["classes"] = torch.tensor(classes)
            if self.labels and any(map(self.labels.has_words, examples)):
                result["similar"] = torch.from_numpy(self.labels.cosines(examples))
        return result

    def _taught(
        self, examples: Sequence[Example], rows: Sequence[TokenizedExample], labels: TeacherLabels
    ) -> dict[str, Any]:
        """Return the first words of a teacher's answers as tensors, or nothing if none are known."""
        import torch

        taught, ids, shares = [], [], []
        start = 0
        for example, row in zip(examples, rows, strict=True):
            if words := labels.first_words(example):
                taught.append(start)
                ids.append([self.tokenize.first_token(word, example.answer, row.answer) for word, _ in words])
                shares.append([share for _, share in words])
            start += len(row.answer)
        if not taught:
            return {}
        width = max(map(len, ids))
        return {
            "taught": torch.tensor(taught),
            "taught_ids": self._padded(ids, 0),
            "taught_shares": torch.tensor([row + [0.0] * (width - len(row)) for row in shares]),
        }

    def _padded(self, rows: list[list[int]], value: int | None = None) -> Any:  # noqa: ANN401
        import torch

        width = max(map(len, rows))
        fill = self.pad_id if value is None else value
        return torch.tensor([row + [fill] * (width - len(row)) for row in rows])
