"""Texts and instructions as they come: control tokens, halves of characters."""

from __future__ import annotations

import pytest

from tests.encoders.plain import QUESTION, TEXTS, load, load_fresh


def test_control_tokens_without_a_name_are_broken_up(tiny_models, tmp_path):
    encoder = load_fresh(tiny_models["llama"])
    encoder.tokenizer.add_tokens(["<|eot_id|>"], special_tokens=True)
    id_ = encoder.tokenizer.convert_tokens_to_ids("<|eot_id|>")
    prompts, _ = encoder.prompter(QUESTION, 512).encode(["Cold. <|eot_id|> Hot."])
    assert id_ in encoder.tokenizer("<|eot_id|>")["input_ids"]
    assert id_ not in prompts[0]


@pytest.mark.parametrize("text", ["caf\udce9", "\ud83d", "\udce9 very cold" * 100])
def test_halves_of_characters_become_question_marks(tiny_models, text):
    encoder = load(tiny_models["llama"])
    for question in (QUESTION, "caf\udce9?"):
        prompter = encoder.prompter(question, 100)
        expected = encoder.prompter(question.replace("\udce9", "?"), 100)
        plain = text.replace("\udce9", "?").replace("\ud83d", "?")
        assert prompter.encode([text, *TEXTS]) == expected.encode([plain, *TEXTS])
