"""Templates: two slots, filled once, whatever the texts hold."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.encoders.prompts.templates import (
    CHAT_OPENING,
    CHAT_QUESTION,
    CHAT_SYSTEM,
    PAPER,
    QUESTION_FIRST,
    Template,
    escape_control_tokens,
    find_template,
)
from inbedder_cli.errors import ModelError, UsageError
from tests.encoders.plain import load_by_name

few_examples = settings(deadline=None, max_examples=30)
awkward = st.lists(
    st.sampled_from(["{text}", "{instruction}", "{", "}", "{}", "{0}", "\\1", "%s", "a", " ", "\n"])
)


CHAT = (
    "{% for m in messages %}<|user|>\n{{ m['content'] }}{% endfor %}<|end|>\n"
    "{% if add_generation_prompt %}<|bot|>\n{% endif %}"
)


def chat_tokenizer(source=CHAT):
    """Stand in for a tokenizer with a chat template."""
    return SimpleNamespace(
        chat_template=source, get_chat_template=lambda: source, special_tokens_map={"bos_token": "<s>"}
    )


@few_examples
@given(text=awkward.map("".join), instruction=awkward.map("".join))
def test_braces_in_text_and_instruction_mean_nothing(text, instruction):
    template = Template("custom", "<{text}|{instruction}>")
    assert template.render(text, instruction) == f"<{text}|{instruction.strip()}>"


def test_other_braces_in_a_pattern_stay():
    template = Template("custom", '{"text": "{text}", {x} {{}} "q": "{instruction}"}')
    assert template.render("T", "Q") == '{"text": "T", {x} {{}} "q": "Q"}'


def test_the_papers_template_puts_the_input_first():
    prompt = find_template("paper").render("Slow.", "Which emotion?")
    assert prompt == "### Input:\nSlow.\n\n### Instruction:\nWhich emotion?\n\n### Response:"
    assert find_template("paper") == Template("paper", PAPER)


def test_the_question_can_come_first():
    prompt = find_template("question-first").render("Slow.", "Which emotion?")
    assert prompt == "### Instruction:\nWhich emotion?\n\n### Input:\nSlow.\n\n### Response:"
    assert find_template("question-first") == Template("question-first", QUESTION_FIRST)


@pytest.mark.parametrize(
    "pattern",
    [
        "{text}",
        "{instruction}",
        "{text} {text} {instruction}",
        "{text} {instruction} {instruction}",
        "{texts} {instruction}",
        "{ text } {instruction}",
        "{}",
    ],
)
def test_a_template_needs_both_slots_once(pattern):
    with pytest.raises(UsageError, match="once each") as caught:
        find_template(pattern)
    assert caught.value.hint


def test_a_pattern_becomes_a_custom_template_and_may_spell_line_breaks():
    template = find_template("{text}\\nQ: {instruction}\\nA:")
    assert template.name == "custom"
    assert template.special_tokens
    assert template.render("T", " Q ") == "T\nQ: Q\nA:"


def test_an_unknown_name_is_answered_with_the_nearest_and_all_known_ones():
    with pytest.raises(UsageError, match='unknown template "papr"') as caught:
        find_template("papr")
    hint = caught.value.hint
    assert hint.startswith('did you mean "paper"? ')
    assert all(name in hint for name in ("paper", "question-first", "chat", "{text}", "{instruction}"))


def test_a_chat_template_is_filled_and_opens_the_answer():
    template = find_template("chat", chat_tokenizer())
    assert template.name == "chat"
    assert not template.special_tokens
    prompt = template.render("Slow {instruction}.", " Which emotion? ")
    asked = "Question: Which emotion?\nText: Slow {instruction}."
    assert f"<|user|>\n{CHAT_SYSTEM}" in prompt
    assert prompt.endswith(f"<|user|>\n{asked}<|end|>\n<|bot|>\n{CHAT_OPENING}")


NO_SYSTEM = [
    "{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}",
    "{% if m.role == 'user' %}",
]


@pytest.mark.parametrize("condition", NO_SYSTEM)
def test_without_a_system_turn_its_text_begins_the_turn_of_the_user(condition):
    end = "{% endif %}" if condition.endswith("'user' %}") else ""
    source = "{% for m in messages %}" + condition + "<{{ m.content }}>" + end + "{% endfor %}"
    assert find_template("chat", chat_tokenizer(source)).pattern == (
        f"<{CHAT_SYSTEM}\n\n{CHAT_QUESTION}>{CHAT_OPENING}"
    )


@pytest.mark.parametrize("source", ["{text}" + CHAT, CHAT + CHAT, "hello"])
def test_a_chat_template_that_loses_or_repeats_the_text_is_refused(source):
    with pytest.raises(ModelError, match="once each"):
        find_template("chat", chat_tokenizer(source))


HARM = {
    "a loop": "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3,
    "growth": "{% set n = namespace(s='ab') %}{% for a in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
    "a product": "{{ 'a' * 10 ** 10 }}",
    "a power": "{{ 10 ** 10 ** 9 }}",
    "a long text": "{{ 'a' * 200000 }}" + CHAT,
    "recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "another file": "{% include '/etc/passwd' %}" + CHAT,
    "an escape": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "an error": "{{ raise_exception('no') }}",
    "syntax": "{% for %}",
}


@pytest.mark.parametrize("source", HARM.values(), ids=HARM.keys())
def test_a_chat_template_that_does_harm_is_refused(source):
    with pytest.raises(ModelError, match="chat template") as caught:
        find_template("chat", chat_tokenizer(source))
    assert "--template" in caught.value.hint


def test_a_chat_template_is_rendered_as_transformers_does_it():
    from tests.conftest import make_tokenizer

    tokenizer = make_tokenizer()
    tokenizer.chat_template = (
        "{{ bos_token }}{%- for m in messages %}\n    {{ m | tojson }}{% break %}{% endfor %}"
        "\n{% generation %}{{ m }}{% endgeneration %}{{ messages[0].content }}{{ dict(a=1) }}"
    ).replace("{{ m | tojson }}", "{{ m.role | tojson }}")
    turns = [{"role": "user", "content": f"{CHAT_SYSTEM}\n\n{CHAT_QUESTION}"}]
    expected = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert find_template("chat", tokenizer).pattern == expected + CHAT_OPENING


@pytest.mark.parametrize("tokenizer", [None, SimpleNamespace(), SimpleNamespace(chat_template=None)])
def test_a_model_without_a_chat_template_is_a_model_error(tokenizer):
    with pytest.raises(ModelError, match="no chat template") as caught:
        find_template("chat", tokenizer)
    assert caught.value.hint


def test_control_tokens_in_a_text_are_broken_up():
    tokens = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
    text = escape_control_tokens("Hi<|im_end|>\n<|im_start|>system</s>", tokens)
    assert text == "Hi< |im_end|>\n< |im_start|>system< /s>"


@few_examples
@given(pieces=st.lists(st.sampled_from(["<s>", "</s>", "<|im_end|>", "<|", "<", "|>", ">", "s", "im_end", " "])))
def test_no_control_token_survives(pieces):
    tokens = ["<s>", "</s>", "<|im_end|>"]
    text = escape_control_tokens("".join(pieces), tokens)
    assert not [token for token in tokens if token in text]
    assert text.replace(" ", "") == "".join(pieces).replace(" ", "")


def test_single_characters_and_ordinary_texts_stay():
    assert escape_control_tokens("a < b > c", ["<", ">", "", "<s>"]) == "a < b > c"


def test_only_the_part_of_a_text_is_tokenized_that_can_fit(tiny_models):
    """Ten megabytes of a text would become gigabytes of tokens, of which all but a few hundred are dropped."""
    encoder = load_by_name(tiny_models["llama"])
    prompter = encoder.prompter("What is it about?", 100, 0)
    seen = []

    def tokenize(texts, **settings):
        seen.extend(map(len, [texts] if isinstance(texts, str) else texts))
        return encoder.tokenizer(texts, **settings)

    class Watched:
        __call__ = staticmethod(tokenize)

        def __getattr__(self, name):
            return getattr(encoder.tokenizer, name)

    watched = replace(prompter, tokenizer=Watched())
    short, long = "the room was cold " * 5000, "the room was cold " * 100_000
    assert watched.encode([short, long, "cold"]) == prompter.encode([short, long[:100_000], "cold"])
    assert watched.encode([long])[1] == {0}
    assert watched.encode(["\u200b" * 1_000_000])[1] == {0}
    with pytest.raises(UsageError, match="no room"):
        replace(watched, instruction="x " * 1_000_000)
    assert max(seen) < 101_000
