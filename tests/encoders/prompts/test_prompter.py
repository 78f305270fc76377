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


@pytest.mark.parametrize(("name", "is_kept"), [("llama", False), ("roberta", True), ("t5", True)])
def test_a_causal_model_is_not_asked_after_the_end(tiny_models, name, is_kept):
    from tokenizers.processors import TemplateProcessing

    encoder = load_fresh(tiny_models[name])
    plain, _ = encoder.prompter(QUESTION, 512).encode(TEXTS)
    tokenizer = encoder.tokenizer
    end = tokenizer.eos_token or tokenizer.sep_token
    id_ = tokenizer.convert_tokens_to_ids(end)
    ends = TemplateProcessing(single=f"$A {end} {end}", special_tokens=[(end, id_)])
    tokenizer.backend_tokenizer.post_processor = ends
    prompts, _ = encoder.prompter(QUESTION, 512).encode(TEXTS)
    assert all((prompt[-2:] == [id_, id_]) == is_kept for prompt in prompts)
    if not is_kept:
        assert [prompt[-3:] for prompt in prompts] == [prompt[-3:] for prompt in plain]
        assert all(len(ids) <= 40 for ids in encoder.prompter(QUESTION, 40).encode(["cold " * 100])[0])
