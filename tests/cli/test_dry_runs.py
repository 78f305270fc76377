"""--dry-run writes nothing; with -i train, teach and evaluate take tables of any format."""

from __future__ import annotations

import json

import pytest

from tests.cli.test_process import imported_after

QUESTION = "Which room is it?"
CPU = ("--device", "cpu", "--dtype", "float32")


@pytest.fixture
def stays(tmp_path):
    """A table that is no plain CSV: semicolons, a note above the header, and texts in a column that is named."""
    path = tmp_path / "stays.txt"
    rows = [
        f"{i};the room {i} was {('cold', 'loud')[i % 2]};{('cold', 'loud', '')[i % 3 if i > 30 else i % 2]}"
        for i in range(60)
    ]
    path.write_text("exported by us\nid;remark;fault\n" + "\n".join([*rows, "60;;cold"]) + "\n", encoding="utf-8")
    return path


LAYOUT = ("--input-format", "csv", "--skip-rows", "1", "--delimiter", ";", "--text", "remark")


def files_of(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("command", ["train", "teach", "evaluate"])
def test_help_says_what_a_dry_run_is_and_loads_nothing(command):
    code = f"""
from inbedder_cli.cli import app
try:
    app(["{command}", "--help"])
except SystemExit as end:
    assert end.code == 0
"""
    assert imported_after(code) == []


@pytest.mark.parametrize("command", ["cluster", "answer", "embed", "tune", "compare"])
def test_a_dry_run_writes_no_bad_rows(inbedder, stays, tiny, tmp_path, command):
    with stays.open("a", encoding="utf-8") as file:
        file.write("61;too;many;cells\n")
    before = files_of(tmp_path)
    questions = ["-i", QUESTION, "-i", "Which fault is it?"][: 4 if command == "compare" else 2]
    skip = ("--on-bad-row", "skip", "--bad-rows", tmp_path / "bad.csv")
    done = inbedder(command, stays, *LAYOUT, *skip, *questions, "-m", tiny, *CPU, "--dry-run")
    assert done.exit_code == 0, done.stderr
    assert "1 row left out" in done.stderr
    assert files_of(tmp_path) == before


def test_a_dry_run_of_train_counts_examples_and_steps(inbedder, stays, tiny, tmp_path):
    before = files_of(tmp_path)
    out = tmp_path / "new" / "mine"
    arguments = [stays, *LAYOUT, "--gold", "fault", "-i", QUESTION, "-m", tiny, "-o", out, "--batch-size", 8, *CPU]
    done = inbedder("train", *arguments, "--dry-run")
    assert done.exit_code == 0, done.stderr
    assert files_of(tmp_path) == before
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    n_learn, n_held, n_out = (int(part.split(" ")[-1]) for part in lines["examples"].split(","))
    assert n_learn + n_held == 50
    assert n_out == 10
    assert "10 rows left out" in done.stderr
    assert lines["sources"] == "fault 50"
    assert lines["base"].startswith(f"{tiny}, float32 on cpu; trained: an adapter of rank 32")
    assert lines["output"] == str(out)
    n_steps = int(lines["steps"].split()[0])
    done = inbedder("train", *arguments)
    assert done.exit_code == 0, done.stderr
    card = json.loads((out / "card.json").read_text())
    assert card["steps"] == n_steps
    assert card["sources"] == {"fault": 50}
    assert list(card["data"]) == ["stays.txt"]


def test_a_dry_run_of_train_asks_no_teacher_and_names_an_unfinished_run(inbedder, stays, tiny, tmp_path):
    (tmp_path / "mine.partial").mkdir()
    before = files_of(tmp_path)
    arguments = [stays, *LAYOUT, "-i", QUESTION, "-m", tiny, "-o", tmp_path / "mine", "--teacher", tiny, *CPU]
    done = inbedder("train", *arguments, "--dry-run")
    assert done.exit_code == 0, done.stderr
    assert files_of(tmp_path) == before
    assert f"teacher: {tiny}, a model, which labels the rows first" in done.stdout
    assert f"unfinished run: {tmp_path / 'mine.partial'}" in done.stdout


def test_a_teacher_reads_a_table_and_its_dry_run_counts_the_rows(inbedder, stays, tiny, tmp_path):
    before = files_of(tmp_path)
    out = tmp_path / "labels.parquet"
    arguments = [stays, *LAYOUT, "-i", QUESTION, "-i", "What is wrong?", "-m", tiny, "-o", out, *CPU]
    done = inbedder("teach", *arguments, "--dry-run", "--limit", 70)
    assert done.exit_code == 0, done.stderr
    assert files_of(tmp_path) == before
    assert "rows: 70, questions: 2" in done.stdout
    assert "the room 0 was cold" in done.stdout
    assert "estimated time: " in done.stdout
    done = inbedder("teach", *arguments)
    assert done.exit_code == 0, done.stderr
    assert "120 labels" in done.stderr


def test_a_dry_run_of_evaluate_tells_what_is_measured_already(inbedder, stays, tiny, tmp_path):
    scores = tmp_path / "scores.jsonl"
    fast = ("--seeds", 2, "--n-init", 1, *CPU, "--resume", scores)
    arguments = [stays, *LAYOUT, "--gold", "fault", "-i", QUESTION, "-m", tiny, *fast]
    done = inbedder("evaluate", *arguments, "--dry-run")
    assert done.exit_code == 0, done.stderr
    assert not scores.exists()
    assert "(clustering fault)" in done.stdout
    assert "question: 1 task\n" in done.stdout
    assert done.stdout.endswith("output: standard output\n")
    assert inbedder("evaluate", *arguments).exit_code == 0
    again = inbedder("evaluate", *arguments, "--layer", 1, "--layer", -1, "--pooling", "first-token", "--dry-run")
    assert again.stdout.count(": 1 task\n") == 4
    assert inbedder("evaluate", *arguments, "--dry-run").stdout.count("1 of them measured before") == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "FILE", "-o", "mine", "--text", "remark"], "options of a table are for -i"),
        (["teach", "FILE", "-o", "l.parquet", "-m", "tiny", "--delimiter", ";"], "options of a table are for -i"),
        (["train", "FILE", "-o", "mine", "-i", QUESTION], "0 --gold but 1 -i"),
        (["train", "FILE", "-o", "mine", "--gold", "fault"], "1 --gold but 0 -i"),
        (["train", "FILE", "-o", "mine", "-i", " ", "--teacher", "l.parquet"], "the instruction is empty"),
        (["train", "FILE", "FILE", "-o", "mine", "--gold", "fault", "-i", QUESTION], "take one file"),
        (["train", "FILE", *LAYOUT, "-o", "mine", "--gold", "fautl", "-i", QUESTION], 'did you mean "fault"'),
    ],
)
def test_options_of_a_table_that_do_not_fit_are_refused(inbedder, stays, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    done = inbedder(*[str(stays) if argument == "FILE" else argument for argument in arguments])
    assert done.exit_code in (2, 5), done.stderr
    assert said in done.stderr
