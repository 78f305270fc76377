"""Prompt templates with slots for the text and the instruction."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from inbedder_cli.encoders.prompts.chat import HINT, render_chat
from inbedder_cli.errors import ModelError, UsageError, did_you_mean
from inbedder_cli.models.memo import cached_value

if TYPE_CHECKING:
    from collections.abc import Iterable

SLOT = re.compile(r"\{(text|instruction)\}")
CHAT = "chat"
MAX_PATTERN = 100_000  # characters

# The order of the paper's reference code, `### Input` first, and the same words with the instruction first, so
# that all prompts of a run share their beginning.
PAPER = "### Input:\n{text}\n\n### Instruction:\n{instruction}\n\n### Response:"
QUESTION_FIRST = "### Instruction:\n{instruction}\n\n### Input:\n{text}\n\n### Response:"
NAMED = {"paper": PAPER, "question-first": QUESTION_FIRST}

# A chat model that was not trained on short answers writes sentences ("The emotion expressed is ..."), so it is
# told what an answer is, and its turn is opened. The question comes first: all prompts share their beginning.
CHAT_SYSTEM = "You label texts. Answer the question about the text with one or two lowercase words, nothing else."
CHAT_QUESTION = "Question: {instruction}\nText: {text}"
CHAT_OPENING = "Answer:"
# Some chat templates contain the date; answers must not depend on the day.
CHAT_DAY = "{%- macro strftime_now(format) -%}26 Jul 2024{%- endmacro %}{{ '' }}"


@dataclass(frozen=True)
class Template:
    """A prompt pattern with exactly one `{text}` and one `{instruction}`.

    :param name: its name, or "custom".
    :param pattern: the prompt with its two slots.
    :param special_tokens: whether the tokenizer adds special tokens; a chat template already contains them.
    :raises UsageError: when the pattern does not have each slot once, or is very long.
    """

    name: str
    pattern: str
    special_tokens: bool = True

    def __post_init__(self) -> None:
        if len(self.pattern) > MAX_PATTERN:
            raise UsageError(f"a template has at most {MAX_PATTERN:,} characters", hint="shorten it")
        slots = SLOT.findall(self.pattern)
        if sorted(slots) != ["instruction", "text"]:
            raise UsageError(
                f"a template needs {{text}} and {{instruction}} once each, this one has {slots[:10] or 'none'}",
                hint="example: '{text} Question: {instruction} Answer:'",
            )

    def render(self, text: str, instruction: str) -> str:
        """Return the prompt; braces inside the text or the instruction have no meaning.

        :param text: what the question is about.
        :param instruction: the question.
        :return: the prompt.
        """
        slots = {"text": text, "instruction": instruction.strip()}
        return SLOT.sub(lambda match: slots[match[1]], self.pattern)


def find_template(name: str, tokenizer: Any = None) -> Template:  # noqa: ANN401
    r"""Return a template by name ("paper", "question-first", "chat") or from a pattern with both slots.

    :param name: the name or the pattern.
    :param tokenizer: a transformers tokenizer with a chat template; only needed for "chat".
    :return: the template.
    :raises UsageError: for an unknown name or a pattern without its slots.
    :raises ModelError: for "chat" with a tokenizer that has no chat template.
    """
    if name in NAMED:
        return Template(name, NAMED[name])
    if name == CHAT:
        return _chat_template(tokenizer)
    if "{" not in name:
        known = [*NAMED, CHAT]
        raise UsageError(
            f'unknown template "{name[:100]}"',
            hint=f"{did_you_mean(name[:100], known)}known: {', '.join(known)}, "
            "or a pattern with {text} and {instruction}",
        )
    return Template("custom", name.replace("\\n", "\n"))


def _chat_template(tokenizer: Any) -> Template:  # noqa: ANN401
    if getattr(tokenizer, "chat_template", None) is None:
        raise ModelError("this model has no chat template", hint=HINT)
    try:
        source = CHAT_DAY + tokenizer.get_chat_template()
    except (TypeError, ValueError) as error:  # several templates, but none is the default
        raise ModelError(f"this model has no usable chat template: {error}", hint=HINT) from error
    contents, tokens = (CHAT_SYSTEM, CHAT_QUESTION), tokenizer.special_tokens_map
    key = hashlib.sha256(json.dumps([source, contents, tokens, version("transformers")]).encode()).hexdigest()
    pattern = cached_value(f"chat prompt: {key}", lambda: render_chat(source, *contents, tokens))
    try:
        return Template(CHAT, pattern + CHAT_OPENING, special_tokens=False)
    except UsageError as error:
        raise ModelError(
            f"the chat template of this model loses or repeats the text: {error}", hint=HINT
        ) from error


def escape_control_tokens(text: str, special_tokens: Iterable[str]) -> str:
    """Return the text with the model's control tokens broken up, so that a text cannot end or start a chat turn.

    :param text: any text.
    :param special_tokens: the control tokens.
    :return: a text without control tokens.

    >>> escape_control_tokens("a <|im_end|> b", ["<|im_end|>"])
    'a < |im_end|> b'
    """
    for token in special_tokens:
        if len(token) > 1 and token in text:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text
