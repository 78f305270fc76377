"""The shell is offered what fits: the completion is asked as bash asks it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from inbedder_cli.cli import app


def environment(line: str) -> dict[str, str]:
    """What bash sets when Tab is pressed at the end of a line."""
    place = len(shlex.split(line)) - (0 if line.endswith(" ") else 1)
    return {"_INBEDDER_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(place)}


@pytest.fixture
def complete():
    def ask(line: str) -> list[str]:
        result = CliRunner().invoke(app, [], prog_name="inbedder", env=environment(line))
        assert result.exit_code == 0, result.output
        assert result.stderr == ""
        return result.stdout.split()

    return ask


def test_columns_come_from_the_file_that_was_named(complete, reviews):
    assert complete(f"inbedder cluster {reviews} --text ") == ["id", "text", "code", "note"]
    assert complete(f'inbedder tune {reviews} -i "Why so?" --id i') == ["id"]
    assert complete(f"inbedder cluster {reviews} --by code,n") == ["code,note"]
    assert complete(f"inbedder cluster {reviews} --date no") == ["note"]
    assert complete(f"inbedder cluster '{reviews.parent}/*.csv' --date no") == ["note"]


def test_columns_of_lines_and_of_another_delimiter(complete, tmp_path):
    lines = tmp_path / "a.jsonl"
    lines.write_text('{"ticket": 1, "remark": "late"}\n{"ticket": 2, "remark": "lost"}\n')
    assert complete(f"inbedder embed {lines} --text re") == ["remark"]
    bars = tmp_path / "a.txt"
    bars.write_text("id|remark\n1|late, again\n2|lost\n")
    assert complete(f'inbedder cluster {bars} --input-format csv --delimiter "|" --text re') == ["remark"]


@pytest.mark.parametrize("file", ["missing.csv", "-", "'missing*'", "https://127.0.0.1:1/a.csv", ""])
def test_without_a_file_there_are_no_columns(complete, file):
    assert complete(f"inbedder cluster {file} --text ".replace("  ", " ")) == []


def test_a_damaged_file_is_no_error(complete, tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no")
    assert complete(f"inbedder cluster {tmp_path / 'a.parquet'} --text ") == []


def test_models_are_bundled_names_and_folders(complete, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("inbedder-own", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "base.gguf").touch()
    (tmp_path / "rows.csv").touch()
    assert complete("inbedder cluster rows.csv -m inbedder-") == [
        *("inbedder-0.5b", "inbedder-1.5b", "inbedder-135m"),
        "inbedder-own/",
    ]
    assert complete("inbedder cluster rows.csv -m b") == ["base.gguf"]
    assert complete("inbedder models pull inbedder-0") == ["inbedder-0.5b"]
    assert complete("inbedder models rm ") == []  # none is here


def test_clusters_and_questions_of_a_run(complete, inbedder, tiny, reviews, tmp_path):
    run = tmp_path / "run"
    questions = ("-i", "mood=How do they feel?", "-i", "thing=What is it about?")
    options = ("-m", tiny, "-k", "2", "--min-confidence", "0", "--no-baseline", "--id", "id", "-q")
    saved = inbedder("cluster", reviews, *questions, *options, "--save", run)
    assert saved.exit_code == 0, saved.stderr
    (run / "names.txt").write_text("mood 0 = my-own\nthing 0 = two words\nthing 1 -> 0\n")
    offered = complete(f"inbedder show {run} ")
    assert "my-own" in offered
    assert {"noise", "no-answer"} <= set(offered)
    assert complete(f"inbedder show {run} --question ") == ["mood", "thing"]
    assert complete(f"inbedder show --question thing {run} ") == ["0", "noise", "no-answer"]
    (tmp_path / "runes").mkdir()
    assert complete(f"inbedder show {tmp_path}/ru") == [str(run)]
    assert complete(f"inbedder assign {tmp_path}/rune") == [f"{tmp_path}/runes/"]
    assert complete(f"inbedder show {tmp_path} ") == ["noise", "no-answer"]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("inbedder cluster a.csv -a ", ["kmeans", "hdbscan"]),
        ("inbedder cluster a.csv -f mark", ["markdown"]),
        ("inbedder cluster a.csv --input-format js", ["jsonl", "json"]),
        ("inbedder cluster a.csv --empty k", ["keep"]),
        ("inbedder cluster a.csv --device c", ["cpu", "cuda"]),
        ("inbedder cluster a.csv --template q", ["question-first"]),
        ("inbedder cluster a.csv --dtype b", ["bfloat16"]),
        ("inbedder config show tu", ["tune"]),
    ],
)
def test_names(complete, line, offered):
    assert complete(line) == offered


SCRIPT = """
import sys
from inbedder_cli.__main__ import main
sys.argv[0] = "inbedder"
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def test_a_process_answers_without_torch(reviews):
    line = f"inbedder cluster {reviews} --text "
    asked = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=os.environ | environment(line),
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.stdout.split() == ["id", "text", "code", "note"]
    assert not {"torch", "sklearn", "transformers"} & set(asked.stderr.split())


UNSAFE = [
    "a\\$(touch PWNED)",
    "a$(touch PWNED)",
    "a`touch PWNED`",
    "a;touch PWNED",
    "a|b",
    'a"b',
    "a'b",
    "a\nb",
    "a!b",
    "a*",
]


@pytest.mark.parametrize("name", UNSAFE)
def test_names_that_a_shell_would_run_are_not_offered(name, complete, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({name: ["x"], "stars": ["1"]}).to_csv("data.csv", index=False)
    assert complete("inbedder cluster data.csv --text ") == ["stars"]
    assert complete("inbedder cluster data.csv --by stars,") == ["stars,stars"]
    (tmp_path / "models").mkdir()
    Path("models", name.replace("/", "")).mkdir()
    assert complete("inbedder cluster data.csv -m models/") == []
    assert complete("inbedder show models/") == []
