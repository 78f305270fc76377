"""`inbedder evaluate` from the outside, with a tiny model."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.cli.test_process import imported_after

QUESTION = "What emotion is expressed?"
FAST = ["--seeds", 2, "--n-init", 1, "--device", "cpu", "--dtype", "float32"]


@pytest.fixture
def run(inbedder, tiny):
    def run(*arguments, code=0, model=tiny):
        models = [] if model is None else ["-m", model]
        result = inbedder("evaluate", *arguments, *models, *FAST)
        assert result.exit_code == code, result.stderr
        return result

    return run


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.csv"
    rows = [f"the room {i} was {word},{word},{i % 3}\n" for i in range(6) for word in ("cold", "kind")]
    path.write_text("text,word,number\n" + "".join(rows) + "no label,,\n", encoding="utf-8")
    return path


def test_help_imports_nothing_heavy():
    code = """
from inbedder_cli.cli import app
try:
    app(["evaluate", "--help"])
except SystemExit as end:
    assert end.code == 0
"""
    assert imported_after(code) == []


def test_the_users_own_table(run, own):
    result = run(own, "--gold", "word", "-i", QUESTION)
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {row["instruction"] for row in rows} == {"question", "baseline"}
    first = next(row for row in rows if row["metric"] == "V-measure")
    assert 0 <= float(first["value"]) <= 1
    told = {"rows": "12", "seeds": "2", "layer": "last", "pooling": "first-token", "dtype": "float32"}
    assert {name: first[name] for name in told} == told
    assert first["template"]
    assert first["revision"]
    assert "word: 1 of 13 rows have no text or no label, left out" in result.stderr


def test_no_output_replaces_another_file(run, own, tmp_path):
    scores = tmp_path / "scores.csv"
    (tmp_path / "link").symlink_to("scores.csv")
    table = (own, "--gold", "word", "-i", QUESTION)
    for resume in (scores, tmp_path / "link"):
        assert "-o and --resume both name" in run(*table, "-o", scores, "--resume", resume, code=2).stderr
    before = own.read_text()
    assert "names the input" in run(*table, "-o", own, "--force", code=2).stderr
    assert "names the input" in run(*table, "--resume", own, code=2).stderr
    assert own.read_text() == before
    assert not scores.exists()


def test_two_gold_columns_are_two_views(run, own):
    result = run(own, "--gold", "word", "-i", QUESTION, "--gold", "number", "-i", "Which room?", "-f", "json")
    document = json.loads(result.stdout)
    assert document["schema"] == 2
    assert [f["task"] for f in document["scores"] if f["metric"] == "V-measure, all views"] == [str(own)] * 2


def test_a_folder_as_a_table_on_a_terminal(run, suite_folder):
    out = run(suite_folder, "--format", "table", "--limit", 12).stdout
    lines = [line.strip() for line in out.splitlines()]
    means = next(i for i, line in enumerate(lines) if line.startswith("mean V-measure"))
    task = next(i for i, line in enumerate(lines) if line.startswith("colour  V-measure"))
    assert means < task
    assert "baseline" in out
    assert "at most 12 rows a task" in out


def test_settings_side_by_side_as_markdown_and_resumed(run, suite_folder, tmp_path):
    where = ["-o", tmp_path / "t.md", "--resume", tmp_path / "scores.jsonl", "--only", "clustering, sts"]
    settings = ["--layer", 1, "--layer", -1, "--pooling", "prompt-mean"]
    run(suite_folder, *settings, *where)
    first = (tmp_path / "t.md").read_text()
    assert first.splitlines()[0].count("|") == 1 + 1 + 2 * 2
    assert "layer 1 prompt-mean" in first
    again = run(suite_folder, *settings, *where, "--force")
    assert (tmp_path / "t.md").read_text() == first
    assert "found scores of 12 tasks" in again.stderr
    assert "reading" not in again.stderr
    assert "encoding" not in again.stderr


def test_the_model_may_come_from_the_environment(run, own, tiny, monkeypatch):
    monkeypatch.setenv("INBEDDER_MODEL", tiny)
    assert tiny in run(own, "--gold", "word", "-i", QUESTION, model=None).stdout


PROBLEMS = [
    (["{own}"], 2, "is a file, so it needs a column of known classes and a question"),
    (["{own}", "--gold", "word"], 2, "1 --gold but 0 -i"),
    (["{own}", "--gold", "word", "-i", " "], 2, "1 --gold but 1 -i"),
    (["{own}", "{own}", "--gold", "word", "-i", "?"], 2, "--gold and -i take one file"),
    (["{own}", "--gold", "wrod", "-i", "?"], 5, 'did you mean "word"?'),
    (["{own}", "--gold", "word", "-i", "?", "--layer", "9"], 2, "there is no layer 9"),
    (["{own}", "--gold", "word", "-i", "?", "--only", "sts"], 5, "has no tasks for sts"),
    (["{folder}", "--only", "all"], 2, 'unknown part "all"'),
    (["{folder}", "--only", ","], 2, "--only lists no part"),
    (["{folder}", "-m", "st:nowhere"], 3, 'unknown model "nowhere"'),
    (["{folder}", "-o", "x.parquet"], 2, "evaluate has no parquet format"),
    (["{folder}", "-o", "{own}"], 2, "exists already"),
    (["{folder}", "--resume", "{own}"], 5, "line 1: is not a line of scores"),
    (["{folder}", "-f", "table", "-o", "x.md"], 2, "--format table prints to the terminal only"),
    (["InstructSTS"], 5, 'did you mean "InstructSTSB"?'),
    (["IntentEmotion", "--offline"], 3, "cannot get the dataset BrandonZYW/IntentEmotion"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), PROBLEMS)
def test_mistakes_are_reported(run, own, suite_folder, monkeypatch, tmp_path, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    result = run(*[a.format(own=own, folder=suite_folder) for a in arguments], code=code)
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""
