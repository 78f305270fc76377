from __future__ import annotations

import hashlib
import json
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inbedder_cli.encoders import BaseEncoder, EncodedText, encoder_backends
from inbedder_cli.encoders.encoded import Answer
from inbedder_cli.training.distillation import complete_examples
from inbedder_cli.training.examples import Example
from inbedder_cli.training.losses import contrastive_loss, soft_contrastive_loss, soft_targets
from inbedder_cli.training.plan import contrast_pools, plan_run
from inbedder_cli.training.recipes import MIN_CONFIDENCE, TEACHER_TEMPERATURE, Recipe, train_options
from inbedder_cli.training.teacher_labels import TeacherLabels, label_key, labels_table, write_labels
from tests.training.conftest import ANIMALS, COLORS, FEW, make_rows
from tests.training.test_plan import ROWS as PLANNED
from tests.training.test_teacher_labels import TEACHER, label
from tests.training.test_train import adapter_of

NONE = float("nan")


def random_vectors(n=6, size=4, seed=0):
    return torch.randn(n, size, generator=torch.Generator().manual_seed(seed))


def cosines(vectors):
    unit = torch.nn.functional.normalize(vectors - vectors.mean(0), dim=-1)
    return unit @ unit.T


# The soft loss


@given(st.lists(st.integers(0, 2), min_size=2, max_size=8))
def test_targets_from_answers_alone_give_the_contrastive_loss(classes):
    vectors, classes = random_vectors(len(classes)), torch.tensor(classes)
    targets = soft_targets(torch.full((len(classes), len(classes)), NONE), classes)
    found, wanted = soft_contrastive_loss(vectors, targets, 0.1), contrastive_loss(vectors, classes, 0.1)
    torch.testing.assert_close(found, wanted)


def test_a_teacher_that_sees_two_sorts_gives_the_contrastive_loss_of_two_classes():
    vectors, classes = random_vectors(), torch.tensor([0, 0, 1, 1, 0, 1])
    similar = torch.where(classes[:, None] == classes, 1.0, -1.0)
    apart = torch.arange(6)  # no two texts have the same answer in the data
    found = soft_contrastive_loss(vectors, soft_targets(similar, apart), 0.1)
    torch.testing.assert_close(found, contrastive_loss(vectors, classes, 0.1), rtol=1e-5, atol=1e-5)


@given(st.permutations(range(6)))
def test_the_soft_loss_does_not_depend_on_order(order):
    vectors, similar, classes = random_vectors(), cosines(random_vectors(seed=1)), torch.tensor([0, 0, 1, 2, 3, 4])
    similar[2] = similar[:, 2] = NONE
    wanted = soft_contrastive_loss(vectors, soft_targets(similar, classes), 0.1)
    shuffled = soft_targets(similar[order][:, order], classes[list(order)])
    torch.testing.assert_close(soft_contrastive_loss(vectors[list(order)], shuffled, 0.1), wanted)


def test_no_student_loses_less_than_the_teacher_itself():
    teacher = random_vectors()
    targets = soft_targets(cosines(teacher), torch.arange(6))
    least = soft_contrastive_loss(teacher, targets, TEACHER_TEMPERATURE)
    torch.testing.assert_close(least, -(targets * targets.clamp(min=1e-9).log()).sum(1).mean())
    for seed in range(1, 5):
        assert soft_contrastive_loss(random_vectors(seed=seed), targets, TEACHER_TEMPERATURE) > least


def test_a_step_pulls_together_what_the_teacher_finds_alike():
    vectors = random_vectors().requires_grad_()
    similar = torch.full((6, 6), -0.2)
    similar[0, 1] = similar[1, 0] = 0.9
    targets = soft_targets(similar, torch.arange(6))
    soft_contrastive_loss(vectors, targets, 0.1).backward()
    before, after = cosines(vectors.detach()), cosines(vectors.detach() - 0.01 * vectors.grad)
    assert after[0, 1] > before[0, 1]


def test_targets_of_teacher_and_data_are_averaged_and_texts_without_either_have_none():
    similar = torch.tensor([[1.0, 0.5, NONE, NONE]] * 2 + [[NONE] * 4] * 2)
    targets = soft_targets(similar, torch.tensor([0, 1, 0, 2]))
    # text 0: all of the teacher's share is text 1's, all of the data's text 2's
    torch.testing.assert_close(targets[0], torch.tensor([0, 0.5, 0.5, 0]))
    torch.testing.assert_close(targets[1], torch.tensor([1.0, 0, 0, 0]))
    torch.testing.assert_close(targets[2], torch.tensor([1.0, 0, 0, 0]))
    assert not targets[3].any()
    nothing = soft_contrastive_loss(random_vectors(4), torch.zeros(4, 4), 0.1)
    assert nothing == 0.0


# Pools and answers

OPEN = [Example(f"text {i} " * (1 + i % 5), "Why?", f"answer {i}", is_gold=False) for i in range(40)]
GOLD = [Example(f"note {i}", "Which animal?", "cat dog cow hen".split()[i % 4]) for i in range(40)]


def test_questions_whose_answers_all_differ_are_contrasted_where_a_teacher_compares_them():
    rows = [*GOLD, *OPEN]
    taught = range(40, 80)
    assert len(contrast_pools(rows)) == 1
    assert len(contrast_pools(rows, taught)) == 2
    assert len(contrast_pools(rows, range(40, 45))) == 1  # too few
    plan = plan_run(rows, train_options(Recipe.contrast, batch_size=16, epochs=4), taught)
    questions = Counter(rows[batch.rows[0]].instruction for batch in plan if batch.contrast)
    assert set(questions) == {"Why?", "Which animal?"}
    for batch in plan:
        if batch.contrast:
            assert len({rows[i].instruction for i in batch.rows}) == 1
            assert len(set(batch.rows)) == len(batch.rows) == 16


def test_examples_of_a_pool_of_shared_answers_are_in_no_other_pool():
    rows = GOLD + [Example(f"more {i}", "Which animal?", f"animal {i}") for i in range(20)]
    pools = contrast_pools(rows, range(60))
    assert sorted(i for answers, _ in pools for found in answers.values() for i in found) == list(range(60))
    assert [set(answers) for answers, _ in pools] == [{"cat", "dog", "cow", "hen"}, {""}]


# Without a teacher nothing changes: unfinished runs go on, and recipes give the same weights.


def test_without_a_teacher_the_plan_is_that_of_earlier_versions():
    plan = plan_run(PLANNED, train_options(Recipe.contrast, batch_size=16, epochs=3))
    assert hashlib.sha256(json.dumps(plan).encode()).hexdigest()[:16] == "f354378794cdab63"


@pytest.mark.parametrize("classes", [[0, 0, 1, 1, 2, 3], [0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 0, 2]])
def test_without_a_teacher_the_loss_is_that_of_earlier_versions(classes):
    classes = torch.tensor(classes)
    vectors = torch.nn.functional.normalize(random_vectors() - random_vectors().mean(0, keepdim=True), dim=-1)
    itself = torch.eye(len(vectors), dtype=torch.bool)
    similar = (vectors @ vectors.T / 0.1).masked_fill(itself, float("-inf"))
    log_share = similar - similar.logsumexp(1, keepdim=True)
    same = (classes[:, None] == classes) & ~itself
    has = same.any(1)
    per_text = -log_share.masked_fill(~same, 0.0).sum(1)[has] / same.sum(1)[has]
    assert contrastive_loss(random_vectors(), classes, 0.1).equal(per_text.mean())


def test_without_a_teacher_the_record_of_a_run_has_the_same_keys(trained):
    card = json.loads((trained / "card.json").read_text())
    record = ["schema", "base", "initial_adapter", "data", "settings", "dtype", "processes", "batches"]
    more = ["examples_seen", "steps", "sources", "left_out", "held_out", "versions", "curve"]
    assert list(card) == record + more
    assert not [name for name in card["settings"] if "teacher" in name]


def test_a_teacher_answers_what_has_no_answer_where_it_is_sure(tmp_path):
    said = {
        "a": label("the joy of it", 0.9),
        "b": label("not mentioned", 0.5),
        "c": label("joy", MIN_CONFIDENCE / 2),
        "d": label(" - ", 0.9),
        "e": label("anger", 0.9),
        "f": label("one two three four five six seven", 0.9),
        "g": label("日\ufffd", 0.9),
    }
    write_labels(
        labels_table([(label_key(t, "Why?"), a) for t, a in said.items()]), TEACHER, tmp_path / "x.parquet"
    )
    rows = [Example(text, "Why?", "") for text in "abcdfgh"] + [Example("e", "Why?", "rage")]
    found, counts = complete_examples(rows, TeacherLabels.read([tmp_path / "x.parquet"]), frozenset(["the", "of"]))
    assert [(e.text, e.answer, e.is_gold) for e in found] == [
        ("a", "joy it", False),
        ("b", "not mentioned", False),
        ("e", "rage", True),
    ]
    assert counts == {"labeled": 7, "answered": 2, "unsure": 4, "unlabeled": 1}


@pytest.mark.parametrize(
    ("question", "answer", "is_learned"),
    [
        ("Why is the guest unhappy?", "unhappy", False),
        ("Why is the guest unhappy?", "unhappy: cold soup", True),
        ("Why?", "because of it", False),
        ("Is the guest happy or unhappy?", "unhappy", True),
        ("What is the sentiment? (happy / unhappy)", "Unhappy.", True),
    ],
)
def test_an_echo_of_the_question_is_no_answer_unless_it_is_a_choice(tmp_path, question, answer, is_learned):
    row = (label_key("a", question), label(answer, 0.9))
    write_labels(labels_table([row]), TEACHER, tmp_path / "x.parquet")
    rows = [Example("a", question, ""), Example("b", question, "gold")]
    labels = TeacherLabels.read([tmp_path / "x.parquet"])
    found, _ = complete_examples(rows, labels, frozenset(["because", "of", "it"]))
    assert [example.text for example in found] == ["a", "b"][not is_learned :]


# Training


class ZooTeacher(BaseEncoder):
    """It knows colors and animals, and has no tokenizer."""

    identity = "zoo 1"
    n_encoded = 0

    def __init__(self, reference, **_):
        self.name = f"zoo {reference}"

    def encode_batches(self, texts, instruction, options=None, reporter=None, known=()):
        names = COLORS if "color" in instruction else ANIMALS
        for text in texts:
            if text not in known:
                type(self).n_encoded += 1
                word = next(name for name in names if name in text)
                others = [(name, 0.01) for name in names if name != word]
                yield {text: EncodedText(np.ones(2, np.float32), Answer(word, 0.9, ((word, 0.9), *others)), False)}


@pytest.fixture
def zoo(monkeypatch):
    monkeypatch.setattr(ZooTeacher, "n_encoded", 0)
    encoder_backends.register("zoo", ZooTeacher)
    yield "zoo:keeper"
    encoder_backends.unregister("zoo")


@pytest.fixture
def questions(tmp_path):
    """The examples of the zoo without their answers."""
    path = tmp_path / "questions.jsonl"
    rows = [{name: row[name] for name in ("input", "instruction")} for row in make_rows()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("architecture", ["llama", "roberta", "t5"])
def test_a_student_learns_from_a_teacher_alone(inbedder, zoo, questions, tiny_models, tmp_path, architecture):
    labels, out = tmp_path / "labels.parquet", tmp_path / "mine"
    assert inbedder("teach", questions, "-m", zoo, "-o", labels).exit_code == 0
    run = ("train", questions, "-m", tiny_models[architecture], "-o", out, "--teacher", labels, *FEW)
    done = inbedder(*run, "--epochs", 2, "--max-examples", 192, "--lr", 0.01)
    assert done.exit_code == 0, done.stderr
    card = json.loads((out / "card.json").read_text())
    teacher = card["teacher"]
    assert [model["name"] for model in teacher["models"]] == ["zoo keeper"]
    assert (teacher["labeled"], teacher["answered"], teacher["unlabeled"]) == (120, 120, 0)
    assert teacher["soft_targets"] == 120 - card["held_out"]
    assert len(teacher["labels"][0]) == 64
    held_out = [entry["eval_loss"] for entry in card["curve"] if "eval_loss" in entry]
    assert held_out[-1] < held_out[0]
    assert any("contrast_loss" in entry for entry in card["curve"])
    assert str(tmp_path) not in (out / "card.json").read_text()


def test_a_model_labels_first_and_its_labels_are_kept(inbedder, zoo, questions, tiny, tmp_path):
    out = tmp_path / "mine"
    done = inbedder("train", questions, "-m", tiny, "-o", out, "--teacher", zoo, *FEW)
    assert done.exit_code == 0, done.stderr
    assert ZooTeacher.n_encoded == 120
    (labels,) = out.glob("teacher-*.parquet")
    again = inbedder("train", questions, "-m", tiny, "-o", tmp_path / "two", "--teacher", labels, *FEW)
    assert again.exit_code == 0, again.stderr
    assert ZooTeacher.n_encoded == 120
    one, two = adapter_of(out), adapter_of(tmp_path / "two")
    assert all(one[name].equal(two[name]) for name in one)
    cards = [json.loads((folder / "card.json").read_text())["teacher"] for folder in (out, tmp_path / "two")]
    assert cards[0] == cards[1]
    assert not out.with_name("mine.partial").exists()
    assert inbedder("answer", questions, "-i", "Which?", "--text", "input", "-m", out).exit_code == 0


def test_a_run_that_stops_before_training_keeps_its_labels(inbedder, zoo, questions, tiny, tmp_path, monkeypatch):
    run = ("train", questions, "-m", tiny, "-o", tmp_path / "mine", "--teacher", zoo)
    assert inbedder(*run, "--layer", 99).exit_code == 2
    assert ZooTeacher.n_encoded == 0

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("inbedder_cli.training.trainer.run_trainer", stop)
        assert inbedder(*run, *FEW).exit_code == 130
    assert ZooTeacher.n_encoded == 120
    assert inbedder(*run, *FEW).exit_code == 0
    assert ZooTeacher.n_encoded == 120


def test_an_unfinished_run_with_other_labels_is_kept(inbedder, zoo, questions, tiny, tmp_path):
    from tests.training.test_train import checkpoint

    labels, partial = tmp_path / "labels.parquet", tmp_path / "mine.partial"
    assert inbedder("teach", questions, "-m", zoo, "-o", labels).exit_code == 0
    record = json.loads(json.dumps({"schema": 2, "settings": {}, "teacher": {"labels": ["other"]}}))
    partial.mkdir()
    (partial / "settings.json").write_text(json.dumps(record))
    kept = checkpoint(partial, 5, '{"global_step": 5}')
    run = ("train", questions, "-m", tiny, "-o", tmp_path / "mine", "--teacher", labels, *FEW)
    refused = inbedder(*run)
    assert refused.exit_code == 2
    assert "teacher" in refused.stderr
    assert kept.exists()


def test_gold_answers_and_a_teacher_s_soft_targets_go_together(inbedder, zoo, data, tiny, tmp_path, trained):
    labels = tmp_path / "labels.parquet"
    assert inbedder("teach", data, "-m", zoo, "-o", labels).exit_code == 0
    done = inbedder("train", data, "-m", tiny, "-o", tmp_path / "mine", "--teacher", labels, *FEW)
    assert done.exit_code == 0, done.stderr
    cards = [json.loads((folder / "card.json").read_text()) for folder in (trained, tmp_path / "mine")]
    assert cards[1]["teacher"]["answered"] == 0
    assert cards[0]["batches"] == cards[1]["batches"]  # the same answers in the same batches
    assert "teacher" not in cards[0]
    losses = [[entry.get("contrast_loss") for entry in card["curve"]] for card in cards]
    assert any(a != b for a, b in zip(*losses, strict=True))


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ("missing.parquet", 5, "No such file"),
        ("no-such-model", 3, "unknown model"),
        ("DATA", 5, "cannot be read as labels"),
        ("OTHER", 5, "are of none of the 120 examples"),
    ],
)
def test_teachers_that_do_not_teach_are_refused(inbedder, zoo, questions, tiny, tmp_path, given, code, words):
    other = tmp_path / "other.parquet"
    write_labels(labels_table([(label_key("a", "b"), label("c"))]), TEACHER, other)
    teacher = {"DATA": questions, "OTHER": other}.get(given, given)
    done = inbedder("train", questions, "-m", tiny, "-o", tmp_path / "mine", "--teacher", teacher, *FEW)
    assert done.exit_code == code, done.stderr
    assert words in done.stderr
    assert not (tmp_path / "mine.partial").exists()


def test_without_a_teacher_an_answer_is_needed(inbedder, questions, tiny, tmp_path):
    done = inbedder("train", questions, "-m", tiny, "-o", tmp_path / "mine", *FEW)
    assert done.exit_code == 5
    assert "output" in done.stderr
