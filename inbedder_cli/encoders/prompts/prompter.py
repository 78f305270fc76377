"""Texts and an instruction -> token ids; long texts are truncated, the instruction never is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.values import replace_surrogates
from inbedder_cli.encoders.prompts.templates import escape_control_tokens
from inbedder_cli.encoders.prompts.tokenizers import run_tokenizer
from inbedder_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.encoders.prompts.templates import Template

MIN_TEXT_TOKENS = 8
TOKEN_CHARACTERS = 200  # more than any token stands for: what is beyond these is truncated without tokenizing it
MIN_CHARACTERS = 100_000


@dataclass(frozen=True)
class Prompter:
    """Renders and tokenizes prompts under one instruction.

    :param tokenizer: of transformers.
    :param template: where text and instruction go.
    :param instruction: the question to ask about each text.
    :param max_tokens: maximum length of a prompt, in tokens.
    :param ending: what follows the template in every prompt, such as masks; never truncated.
    :param keeps_end: whether tokens that the tokenizer puts behind a text stay: not for causal models, which would
        speak after the end.
    :raises UsageError: when the instruction is empty or leaves no room for a text.
    """

    tokenizer: Any
    template: Template
    instruction: str
    max_tokens: int
    ending: str = ""
    keeps_end: bool = True

    def __post_init__(self) -> None:
        if not self.instruction.strip():
            raise UsageError("the instruction is empty", hint='ask a question: -i "What emotion is expressed?"')
        if len(self.render("")) > self._longest or self._room() < MIN_TEXT_TOKENS:
            raise UsageError(
                f"the instruction leaves no room for a text in {self.max_tokens} tokens",
                hint="shorten it, or raise --max-tokens",
            )

    def render(self, text: str) -> str:
        """Return the prompt of a text.

        :param text: any text; control tokens in it are broken up.
        :return: the prompt, not truncated.
        """
        control = self._control
        return (
            self.template.render(
                escape_control_tokens(text, control), escape_control_tokens(self.instruction, control)
            )
            + self.ending
        )

    @cached_property
    def _control(self) -> list[str]:
        """The tokenizer's control tokens, including those without a name of their own."""
        added = (str(token) for token in self.tokenizer.added_tokens_decoder.values() if token.special)
        return list(dict.fromkeys([*self.tokenizer.all_special_tokens, *added]))

    def encode(self, texts: Sequence[str]) -> tuple[list[list[int]], set[int]]:
        """Return each prompt's token ids, at most `max_tokens`, and the indices of the truncated texts.

        :param texts: any number of texts.
        :return: ids of each prompt, and indices into the texts.
        """
        shown = [text[: self._longest] for text in texts]
        prompts = self._ids([self.render(text) for text in shown])
        too_long = {i for i, ids in enumerate(prompts) if len(ids) > self.max_tokens}
        for i in too_long:
            prompts[i] = self._truncate(shown[i])
        return prompts, too_long | {i for i, text in enumerate(texts) if len(text) > self._longest}

    @property
    def _longest(self) -> int:
        """Number of characters that are tokenized."""
        return max(MIN_CHARACTERS, TOKEN_CHARACTERS * self.max_tokens)

    def _ids(self, prompts: list[str]) -> list[list[int]]:
        texts = [replace_surrogates(prompt) for prompt in prompts]
        encoded = run_tokenizer(lambda: self.tokenizer(texts, add_special_tokens=self.template.special_tokens))
        n_end = 0 if self.keeps_end else self._n_end
        return [list(ids[: len(ids) - n_end]) for ids in encoded["input_ids"]]

    @cached_property
    def _n_end(self) -> int:
        """Number of tokens that the tokenizer puts behind a text."""
        if not self.template.special_tokens:
            return 0
        plain, whole = (
            run_tokenizer(partial(self.tokenizer, "a", add_special_tokens=added))["input_ids"]
            for added in (False, True)
        )
        starts = range(len(whole) - len(plain) + 1)
        start = next((i for i in starts if whole[i : i + len(plain)] == plain), None)
        return 0 if start is None else len(whole) - start - len(plain)

    def _room(self) -> int:
        return self.max_tokens - len(self._ids([self.render("")])[0])

    def _truncate(self, text: str) -> list[int]:
        """Return the prompt of the longest beginning of the text that fits."""
        plain = replace_surrogates(text)
        text_ids = run_tokenizer(lambda: self.tokenizer(plain, add_special_tokens=False)["input_ids"])
        room = self._room()
        while True:
            beginning = run_tokenizer(partial(self.tokenizer.decode, text_ids[:room], skip_special_tokens=False))
            beginning = beginning.rstrip("\ufffd")
            ids = self._ids([self.render(beginning)])[0]
            if len(ids) <= self.max_tokens or room == 0:
                return ids
            room = max(0, room - (len(ids) - self.max_tokens))
