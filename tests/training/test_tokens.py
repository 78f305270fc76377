from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inbedder_cli.encoders.encoded import Answer
from inbedder_cli.encoders.transformers.fast_paths import common_prefix
from inbedder_cli.encoders.transformers.lazy_encoder import LazyEncoder
from inbedder_cli.encoders.transformers.pooling import SOFTENING, word_roots
from inbedder_cli.options import Dtype, EncodeOptions, Pooling
from inbedder_cli.training.examples import Example
from inbedder_cli.training.losses import AnsweringModel, answer_loss, contrastive_loss
from inbedder_cli.training.plan import Batch
from inbedder_cli.training.recipes import Recipe, train_options
from inbedder_cli.training.teacher_labels import Teacher, TeacherLabels, label_key, labels_table, write_labels
from inbedder_cli.training.tokens import Collator, ExampleTokenizer, examples_that_fit

QUESTION = "Which animal is it?"
TEXTS = ["The red cat.", "Number 7: the green dog, and no other animal at all.", "A cow!", "the blue cat"]
ROWS = [Example(text, QUESTION, answer) for text, answer in zip(TEXTS, ["cat", "dog", "cow", "cat"], strict=True)]
TEACHER = Teacher("gold", "gold 1", None, "float32", 512, 8)
KINDS = ["llama", "opt", "roberta", "t5", "bart"]


def loaded(tiny_models, architecture, template="question-first", **chosen):
    encoder = LazyEncoder(
        str(tiny_models[architecture]), template=template, device="cpu", dtype=Dtype.float32
    ).model
    options = train_options(Recipe.contrast, **({"batch_tokens": 10_000} | chosen))
    return encoder, options, Collator(ExampleTokenizer(encoder, options), ROWS)


def losses(encoder, collate, batch):
    with torch.no_grad():
        return [AnsweringModel(encoder, encoder.n_layers, 0.1)(part) for part in collate([batch])["parts"]]


@pytest.mark.parametrize("template", ["paper", "question-first", "{instruction}\n{text}\n"])
@pytest.mark.parametrize("architecture", KINDS)
def test_what_is_learned_is_what_the_encoder_reads(tiny_models, architecture, template):
    encoder, options, collate = loaded(tiny_models, architecture, template)
    for row in ROWS:
        prompt = collate.tokenize(row).prompt
        read = encoder.prompter(row.instruction, options.max_tokens).encode([row.text])[0][0]
        assert prompt == read


@pytest.mark.parametrize("architecture", ["llama", "opt", "qwen3"])
def test_an_answer_s_ids_follow_the_prompt_s_and_end(tiny_models, architecture):
    encoder, _, collate = loaded(tiny_models, architecture)
    prompt, answer = collate.tokenize(ROWS[0]).prompt, collate.tokenize(ROWS[0]).answer
    said = encoder.tokenizer(encoder.prompter(QUESTION, 192).render(ROWS[0].text) + " cat")["input_ids"]
    assert [*said, encoder.tokenizer.eos_token_id] == prompt + answer


def test_the_loss_of_a_causal_model_is_transformers_own(tiny_models):
    encoder, _, collate = loaded(tiny_models, "llama")
    (found,) = losses(encoder, collate, Batch([0, 1, 2, 3], False))
    total = 0.0
    for row in ROWS:
        ids = collate.tokenize(row)
        labels = [-100] * len(ids.prompt) + ids.answer
        with torch.no_grad():
            out = encoder.model(input_ids=torch.tensor([ids.prompt + ids.answer]), labels=torch.tensor([labels]))
        total += float(out.loss) * len(ids.answer)
    assert float(found.answer) == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("architecture", ["t5", "bart"])
def test_the_loss_of_an_encoder_decoder_is_transformers_own(tiny_models, architecture):
    encoder, _, collate = loaded(tiny_models, architecture)
    (found,) = losses(encoder, collate, Batch([1], False))
    ids = collate.tokenize(ROWS[1])
    opening = encoder.opening
    said = torch.tensor([opening + ids.answer[:-1]])
    with torch.no_grad():
        out = encoder.model(input_ids=torch.tensor([ids.prompt]), decoder_input_ids=said)
    logits = out.logits[0, len(opening) - 1 :]
    wanted = torch.nn.functional.cross_entropy(logits, torch.tensor(ids.answer), reduction="sum")
    assert float(found.answer) == pytest.approx(float(wanted), rel=1e-4)


def test_a_masked_model_says_a_short_answer_again_in_the_masks_left_over(tiny_models):
    encoder, _, collate = loaded(tiny_models, "roberta")
    ids = collate.tokenize(ROWS[0])
    n_masks = ids.prompt.count(encoder.tokenizer.mask_token_id)
    assert len(ids.answer) == n_masks == encoder.n_masks
    assert encoder.tokenizer.decode(encoder.distinct(ids.answer)).strip() in "cat"


@pytest.mark.parametrize("architecture", KINDS)
def test_parts_of_a_batch_lose_what_the_whole_batch_loses(tiny_models, architecture):
    encoder, _, whole = loaded(tiny_models, architecture)
    _, _, parted = loaded(tiny_models, architecture, batch_tokens=64)
    batch = Batch([0, 1, 2, 3], False)
    one, several = losses(encoder, whole, batch), losses(encoder, parted, batch)
    assert len(one) == 1 < len(several)
    assert sum(float(x.answer) for x in several) == pytest.approx(float(one[0].answer), rel=1e-4)


@pytest.mark.parametrize("architecture", ["llama", "opt", "qwen3"])
def test_reading_the_common_beginning_once_changes_neither_losses_nor_gradients(tiny_models, architecture):
    batch = Batch([0, 1, 2, 3], True)
    results = []
    for checkpointing in (False, True):  # which keeps no cache, so nothing is shared
        encoder, _, collate = loaded(tiny_models, architecture, checkpointing=checkpointing)
        (part,) = collate([batch])["parts"]
        assert ("prefix" in part) is not checkpointing
        found = AnsweringModel(encoder, encoder.n_layers, 0.1)(part)
        (found.answer + found.contrast).backward()
        gradients = [p.grad.clone() for p in encoder.model.parameters() if p.grad is not None]
        results.append((found.answer.item(), found.contrast.item(), gradients))
    (answer, contrast, gradients), plain = results
    assert (answer, contrast) == pytest.approx(plain[:2], rel=1e-4)
    for shared, apart in zip(gradients, plain[2], strict=True):
        torch.testing.assert_close(shared, apart, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("architecture", KINDS)
def test_the_contrastive_term_sees_the_vectors_that_the_encoder_reads(tiny_models, architecture):
    encoder, _, collate = loaded(tiny_models, architecture)
    (found,) = losses(encoder, collate, Batch([0, 1, 2, 3], True))
    layer = encoder.n_layers
    options = EncodeOptions(layer=layer, answers=False)
    vectors = torch.tensor(encoder.encode([row.text for row in ROWS], QUESTION, options).vectors)
    wanted = contrastive_loss(vectors, torch.tensor([0, 1, 2, 0]), 0.1)
    assert float(found.contrast) == pytest.approx(float(wanted), rel=1e-3)


@pytest.mark.parametrize("architecture", ["llama", "opt"])
def test_an_encoder_that_reads_words_is_contrasted_by_words(tiny_models, architecture):
    encoder, _, collate = loaded(tiny_models, architecture)
    encoder.pooling = Pooling.answer_words
    (found,) = losses(encoder, collate, Batch([0, 1, 2, 3], True))
    prompts = [collate.tokenize(row).prompt for row in ROWS]
    with torch.no_grad():
        logits = torch.stack([encoder.model(torch.tensor([prompt])).logits[0, -1] for prompt in prompts])
    roots = (logits.double() / SOFTENING).softmax(-1).sqrt()
    wanted = contrastive_loss(roots, torch.tensor([0, 1, 2, 0]), 0.1)
    assert float(found.contrast) == pytest.approx(float(wanted), rel=1e-3)


@pytest.mark.parametrize("architecture", KINDS)
def test_a_teacher_s_words_share_the_loss_of_the_first_token(tiny_models, architecture, tmp_path):
    encoder, options, collate = loaded(tiny_models, architecture)
    words = (("cat", 0.6), ("dog", 0.2))
    row = (label_key(TEXTS[2], QUESTION), Answer("cat", 0.9, words))
    write_labels(labels_table([row]), TEACHER, tmp_path / "labels.parquet")
    labels = TeacherLabels.read([tmp_path / "labels.parquet"])
    taught = Collator(ExampleTokenizer(encoder, options), ROWS, labels)
    batch = Batch([1, 2], False)
    (before,), (after,) = losses(encoder, collate, batch), losses(encoder, taught, batch)

    start = len(collate.tokenize(ROWS[1]).answer)  # of the second row's targets
    (part,) = taught([batch])["parts"]
    with torch.no_grad():
        model = AnsweringModel(encoder, encoder.n_layers, 0.1)
        run = model._causal if architecture in ("llama", "opt") else model._run_whole_model
        log_shares = run(part)[0].float()[start].log_softmax(-1)
    cat, dog, cow = (collate.tokenize(Example("", QUESTION, word)).answer[0] for word in ("cat", "dog", "cow"))
    soft = -(0.75 * log_shares[cat] + 0.25 * log_shares[dog])
    expected = before.answer + (soft + log_shares[cow]) / 2
    assert after.answer.item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_teacher_s_word_that_begins_the_answer_is_the_answer_s_own_token(tiny_models):
    _, _, collate = loaded(tiny_models, "llama")
    tokenize = collate.tokenize
    ids = tokenize(Example("", QUESTION, "Dog")).answer
    assert tokenize.first_token("dog", "Dog", ids) == tokenize.first_token("do", "Dog", ids) == ids[0]
    assert tokenize.first_token("cat", "Dog", ids) == tokenize(Example("", QUESTION, "cat")).answer[0]


def test_a_certain_teacher_of_the_same_opinion_changes_nothing():
    logits, targets = torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0]]), torch.tensor([2, 1])
    taught = {
        "taught": torch.tensor([1]),
        "taught_ids": torch.tensor([[1, 0]]),
        "taught_shares": torch.tensor([[1.0, 0.0]]),
    }
    alone = answer_loss(logits, {"targets": targets})
    assert answer_loss(logits, {"targets": targets} | taught).item() == pytest.approx(alone.item())


def test_words_of_probability_zero_have_gradients():
    logits = torch.tensor([[0.0, -1e4, 3.0]], requires_grad=True)
    word_roots(logits).sum().backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()


def test_the_contrastive_loss_of_known_vectors():
    apart = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    # each text has one friend at similarity 1 and two others at -1: -log(e / (e + 2 / e))
    wanted = -torch.log(torch.e ** torch.tensor(1.0) / (torch.e + 2 / torch.e))
    assert float(contrastive_loss(apart, torch.tensor([0, 0, 1, 1]), 1.0)) == pytest.approx(float(wanted))
    assert float(contrastive_loss(apart, torch.tensor([0, 1, 0, 1]), 1.0)) > float(wanted)
    assert float(contrastive_loss(apart, torch.tensor([0, 1, 2, 3]), 1.0)) == 0.0


@given(st.permutations(range(6)))
def test_the_contrastive_loss_does_not_depend_on_order(order):
    vectors = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    classes = torch.tensor([0, 0, 1, 1, 2, 2])
    wanted = contrastive_loss(vectors, classes, 0.1)
    torch.testing.assert_close(contrastive_loss(vectors[list(order)], classes[list(order)], 0.1), wanted)


@given(st.lists(st.lists(st.integers(0, 2), min_size=1), min_size=1))
def test_a_common_prefix_begins_every_row_and_leaves_each_something(rows):
    prefix = common_prefix(rows)
    assert all(row[: len(prefix)] == prefix and len(row) > len(prefix) for row in rows)


def test_questions_that_leave_no_room_are_left_out(tiny_models):
    encoder, options, _ = loaded(tiny_models, "llama")
    long = Example("a text", "What? " * 200, "x")
    assert examples_that_fit([ROWS[0], long], encoder, options.max_tokens) == [ROWS[0]]
