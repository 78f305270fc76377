from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys

import pandas as pd
import pytest
from filelock import FileLock

from inbedder_cli.encoders import encoder_backends
from inbedder_cli.training import teaching
from inbedder_cli.training.teacher_labels import TeacherLabels, label_key, read_labels
from tests.encoders.toy import ToyEncoder
from tests.kill_points import kill_points

QUESTIONS = ("Why is the guest unhappy?", "What is it about?")
TEXTS = [f"The room {i} was {'cold' if i % 2 else 'loud'}." for i in range(12)]
FLOAT32 = ("--dtype", "float32", "--device", "cpu")


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = [{"input": text, "instruction": question} for text in TEXTS for question in QUESTIONS]
    rows += [rows[0], rows[0] | {"output": "cold"}]  # once is enough
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("architecture", ["llama", "roberta", "t5"])
def test_a_teacher_s_answers_are_those_of_inbedder_answer(inbedder, pairs, tiny_models, tmp_path, architecture):
    model, out = tiny_models[architecture], tmp_path / "labels.parquet"
    done = inbedder("teach", pairs, "-m", model, "-o", out, *FLOAT32)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == ""
    labels = TeacherLabels.read([out])
    assert len(labels.rows) == len(QUESTIONS) * len(TEXTS)
    texts = tmp_path / "texts.csv"
    texts.write_text("text\n" + "".join(f"{text}\n" for text in TEXTS))
    for question in QUESTIONS:
        said = inbedder("answer", texts, "-i", question, "-m", model, "-f", "jsonl", *FLOAT32)
        for text, line in zip(TEXTS, said.stdout.splitlines(), strict=True):
            row = labels.rows[label_key(text, question)]
            assert labels.answers[row] == json.loads(line)["answer"]
            assert labels.confidences[row] == pytest.approx(json.loads(line)["confidence"], abs=1e-4)
            probabilities = labels.words.probabilities[row]
            assert (probabilities[:-1] >= probabilities[1:]).all()
            assert 8 < (probabilities > 0).sum() <= 16
    (teacher,) = labels.teachers
    assert teacher.name == architecture
    assert str(model.parent) not in out.read_bytes().decode("latin-1")


KILLED_AFTER_EIGHT = """
import os, signal, sys
from inbedder_cli.cli import main
from inbedder_cli.encoders import encoder_backends
from inbedder_cli.training import teaching

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
teaching.PART_SECONDS = 0.0
teaching.POOL = 4
n_kept = 0

def write(*arguments, write=teaching.write_labels):
    global n_kept
    write(*arguments)
    n_kept += 1
    if n_kept == 2:
        os.kill(os.getpid(), signal.{signal})

teaching.write_labels = write
sys.exit(main())
"""


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT", "SIGTERM"])
def test_a_stopped_run_continues_where_it_stopped(inbedder, pairs, tiny, tmp_path, monkeypatch, name):
    out = tmp_path / "labels.parquet"
    run = ("teach", pairs, "-m", tiny, "-o", out, *FLOAT32)
    command = [sys.executable, "-c", KILLED_AFTER_EIGHT.replace("{signal}", name), *map(str, run)]
    stopped = subprocess.run(command, capture_output=True, text=True)
    number = int(getattr(signal, name))
    assert stopped.returncode == (-number if name == "SIGKILL" else 128 + number), stopped.stderr
    assert not out.exists()
    assert "Traceback" not in stopped.stderr
    asked = []
    from inbedder_cli.encoders.transformers.lazy_encoder import LazyEncoder

    original = LazyEncoder.encode_batches

    def counted(self, texts, instruction, options=None, reporter=None, known=()):
        asked.extend((text, instruction) for text in texts if text not in known)
        return original(self, texts, instruction, options, known=known)

    monkeypatch.setattr(LazyEncoder, "encode_batches", counted)
    monkeypatch.setattr(teaching, "POOL", 4)
    again = inbedder(*run)
    assert again.exit_code == 0, again.stderr
    assert "8 of 24 rows are labeled" in again.stderr
    assert len(asked) == 16
    whole = tmp_path / "whole.parquet"
    assert inbedder("teach", pairs, "-m", tiny, "-o", whole, *FLOAT32).exit_code == 0
    assert (
        read_labels(out)[0]
        .drop(["confidence", "probabilities"])
        .equals(read_labels(whole)[0].drop(["confidence", "probabilities"]))
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.parquet", "pairs.jsonl", "whole.parquet"]


@pytest.fixture
def toy():
    encoder_backends.register("toy", ToyEncoder)
    yield "toy:words"
    encoder_backends.unregister("toy")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_that_is_killed_at_any_file_operation_is_finished_by_the_next(
    inbedder, pairs, toy, tmp_path, monkeypatch
):
    monkeypatch.setattr(teaching, "PART_SECONDS", 0.0)
    folder = tmp_path / "out"
    folder.mkdir()
    out = folder / "labels.parquet"
    run = lambda: inbedder("teach", pairs, "-m", toy, "-o", out, "--limit", 2, "--force")  # noqa: E731
    assert run().exit_code == 0
    whole = out.read_bytes()

    def reset():
        shutil.rmtree(folder)
        folder.mkdir()

    def check(point):
        assert not out.exists() or out.read_bytes() == whole
        if point.startswith(("os.rename", "os.rmdir", "os.remove")):
            assert run().exit_code == 0
            assert out.read_bytes() == whole
            assert [path.name for path in folder.iterdir()] == ["labels.parquet"]

    assert len(kill_points(run, folder=folder, reset=reset, check=check, every=3)) > 5


class StoppedError(Exception):
    pass


def stop_before_the_result(inbedder, monkeypatch, *run):
    out = run[run.index("-o") + 1]

    def write(table, teacher, path, original=teaching.write_labels):
        if path == out:
            raise StoppedError
        original(table, teacher, path)

    with monkeypatch.context() as patch:
        patch.setattr(teaching, "write_labels", write)
        with pytest.raises(StoppedError):
            inbedder(*run)


def test_another_teacher_does_not_continue(inbedder, pairs, tiny, tmp_path, monkeypatch):
    out = tmp_path / "labels.parquet"
    run = ("teach", pairs, "-m", tiny, "-o", out, *FLOAT32)
    stop_before_the_result(inbedder, monkeypatch, *run)
    refused = inbedder(*run, "--template", "paper", "--max-tokens", 64)
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert list(out.with_name("labels.parquet.partial").iterdir())
    forced = inbedder(*run, "--max-tokens", 64, "--force")
    assert forced.exit_code == 0, forced.stderr
    assert "rows are labeled" not in forced.stderr
    assert read_labels(out)[1].max_tokens == 64


def test_a_damaged_part_is_labeled_again(inbedder, pairs, tiny, tmp_path, monkeypatch):
    out = tmp_path / "labels.parquet"
    run = ("teach", pairs, "-m", tiny, "-o", out, *FLOAT32)
    stop_before_the_result(inbedder, monkeypatch, *run)
    for path in out.with_name("labels.parquet.partial").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    done = inbedder(*run)
    assert done.exit_code == 0
    assert "labeled again" in done.stderr
    assert len(read_labels(out)[0]) == 24


def test_a_limit_takes_the_first_rows(inbedder, pairs, tiny, tmp_path):
    some, all_ = tmp_path / "some.parquet", tmp_path / "all.parquet"
    assert inbedder("teach", pairs, "-m", tiny, "-o", some, "--limit", 7, *FLOAT32).exit_code == 0
    assert inbedder("teach", pairs, "-m", tiny, "-o", all_, *FLOAT32).exit_code == 0
    keys = [read_labels(path)[0]["key"].to_pylist() for path in (some, all_)]
    assert keys[0] == keys[1][:7]


def test_texts_come_by_question_and_many_questions_come_early(monkeypatch):
    from inbedder_cli.training.examples import Example

    monkeypatch.setattr(teaching, "POOL", 2)
    rows = [Example(text, question, "") for text, question in ["ax", "bx", "cx", "ay", "ax", "dx", "by", "ex"]]
    assert teaching._pools(rows, None) == [("x", ["a", "b", "c", "d"]), ("y", ["a", "b"]), ("x", ["e"])]
    assert teaching._pools(rows, 3) == [("x", ["a", "b", "c"])]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["missing.jsonl", "-o", "x.parquet"], 5, "no such file"),
        (["PAIRS", "-o", "x.csv"], 2, "Parquet"),
        (["PAIRS", "-o", "PAIRS"], 2, "Parquet"),
        (["PAIRS", "-o", "x.parquet", "--limit", "0"], 2, "--limit"),
        (["PAIRS", "-o", "x.parquet", "-m", "no-such-model"], 3, "unknown model"),
        (["PAIRS", "-o", "x.parquet", "--template", "none"], 2, "unknown template"),
        (["BROKEN", "-o", "x.parquet"], 5, "instruction"),
    ],
)
def test_impossible_settings_are_refused_and_leave_nothing(
    inbedder, pairs, tiny, tmp_path, monkeypatch, arguments, code, words
):
    monkeypatch.chdir(tmp_path)
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": "x"}\n')
    before = set(tmp_path.iterdir())
    arguments = [{"PAIRS": str(pairs), "BROKEN": str(broken)}.get(a, a) for a in arguments]
    base = () if "-m" in arguments else ("-m", tiny)
    done = inbedder("teach", *arguments, *base)
    assert done.exit_code == code, done.stderr
    assert words in done.stderr
    assert {path for path in tmp_path.iterdir() if path.suffix != ".partial"} == before


def test_an_existing_file_is_kept_without_force(inbedder, pairs, tiny, tmp_path):
    (tmp_path / "x.parquet").write_text("mine")
    done = inbedder("teach", pairs, "-m", tiny, "-o", tmp_path / "x.parquet")
    assert done.exit_code == 2
    assert (tmp_path / "x.parquet").read_text() == "mine"


def test_names_that_no_file_can_hold_do_not_lose_what_was_learned(inbedder, tiny, tmp_path):
    data = tmp_path / "pairs.jsonl"
    row = {"input": "The room was cold.", "instruction": "Which?", "output": "cold", "source": "half \ud800"}
    data.write_text("".join(json.dumps(row | {"input": f"Room {i}"}) + "\n" for i in range(20)), encoding="utf-8")
    few = ("--max-examples", 16, "--batch-size", 8, "--rank", 2, *FLOAT32)
    done = inbedder("train", data, "-m", tiny, "-o", tmp_path / "out", *few)
    assert done.exit_code == 0, done.stderr
    card = json.loads((tmp_path / "out" / "card.json").read_text(encoding="utf-8"))
    assert card["sources"] == {"half \ud800": 20}


@pytest.mark.parametrize("verb", ["teach", "train"])
def test_two_commands_do_not_work_on_one_output_at_once(inbedder, pairs, tiny, tmp_path, verb):
    out = tmp_path / ("labels.parquet" if verb == "teach" else "mine")
    partial = out.with_name(out.name + ".partial")
    partial.mkdir()
    with FileLock(partial / ".lock"):
        refused = inbedder(verb, pairs, "-m", tiny, "-o", out, *FLOAT32)
    assert refused.exit_code == 2, refused.stderr
    assert "another command is at work" in refused.stderr
    assert not out.exists()


@pytest.mark.parametrize("verb", ["teach", "train"])
def test_unfinished_work_may_lie_on_another_disk(inbedder, pairs, tiny, tmp_path, verb):
    out = tmp_path / ("labels.parquet" if verb == "teach" else "mine")
    (tmp_path / "other disk").mkdir()
    out.with_name(out.name + ".partial").symlink_to("other disk")
    few = ("--limit", 2) if verb == "teach" else ("--max-examples", 2, "--rank", 2)
    data = tmp_path / "answered.jsonl"
    rows = [{"input": f"Room {i}", "instruction": "Which?", "output": "cold"} for i in range(20)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = inbedder(verb, data, "-m", tiny, "-o", out, *few, *FLOAT32)
    assert done.exit_code == 0, done.stderr
    assert list((tmp_path / "other disk").iterdir()) == []


def test_a_lock_that_is_a_link_leaves_the_file_it_points_to(inbedder, pairs, tiny, tmp_path):
    victim, out = tmp_path / "victim", tmp_path / "labels.parquet"
    victim.write_text("precious")
    (partial := out.with_name("labels.parquet.partial")).mkdir()
    (partial / ".lock").symlink_to(victim)
    assert inbedder("teach", pairs, "-m", tiny, "-o", out, *FLOAT32).exit_code == 1
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("is_link", [True, False])
def test_a_folder_of_something_else_is_neither_used_nor_emptied(inbedder, pairs, tiny, tmp_path, is_link):
    documents = tmp_path / "documents"
    (documents / "finished").mkdir(parents=True)
    (documents / "finished" / "thesis.txt").write_text("years of work")
    partial = tmp_path / "labels.parquet.partial"
    partial.symlink_to(documents) if is_link else documents.rename(partial)
    result = inbedder("teach", pairs, "-m", tiny, "-o", tmp_path / "labels.parquet", *FLOAT32)
    assert result.exit_code == 2
    assert "no part of an unfinished run" in result.stderr
    assert (partial / "finished" / "thesis.txt").read_text() == "years of work"


def test_tables_of_others_in_the_folder_stay(inbedder, pairs, tiny, tmp_path):
    partial = tmp_path / "labels.parquet.partial"
    partial.mkdir()
    pd.DataFrame({"x": [1]}).to_parquet(partial / "mine.parquet")
    result = inbedder("teach", pairs, "-m", tiny, "-o", tmp_path / "labels.parquet", *FLOAT32)
    assert result.exit_code == 0, result.stderr
    assert [path.name for path in partial.iterdir()] == ["mine.parquet"]
