from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

QUESTION = "What emotion is expressed?"


@pytest.fixture
def many(tmp_path):
    path = tmp_path / "many.csv"
    path.write_text("text\n" + "".join(f"row {i} was {'very ' * (i % 9)}cold\n" for i in range(240)))
    return path


def command(*arguments):
    return [sys.executable, "-m", "inbedder_cli", *map(str, arguments)]


def rows_in(folder):
    try:
        with sqlite3.connect(folder / "rows.sqlite") as connection:
            return connection.execute("SELECT count(*) FROM rows").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def test_another_k_reads_nothing_and_does_not_import_torch(reviews, tiny):
    arguments = ["cluster", str(reviews), "-i", QUESTION, "-m", tiny, "-f", "csv"]
    code = """
import sys
from inbedder_cli.cli import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0
heavy = ("torch", "transformers", "hdbscan", "huggingface_hub", "gguf", "sklearn.manifold")
print(*[name for name in heavy if name in sys.modules], file=sys.stderr)
"""
    said = []
    for k in ("2", "3"):
        run = [sys.executable, "-c", code, *arguments, "-k", k]
        said.append(subprocess.run(run, capture_output=True, text=True, check=True).stderr.splitlines())
    assert {"torch", "transformers"} <= set(said[0][-1].split())
    assert said[1][-1] == ""
    assert "4 of 4 texts are cached" in said[1]


def test_the_neutral_question_is_told_only_where_texts_are_encoded(inbedder, many, tiny):
    cluster = ("cluster", many, "-i", QUESTION, "-m", tiny, "-k", "2", "-f", "csv", "--min-confidence", "0")
    first = inbedder(*cluster).stderr
    assert "encoding 150 texts under a neutral question, as a baseline" in first
    again = inbedder(*cluster)
    assert again.exit_code == 0, again.stderr
    assert "neutral question, as a baseline" not in again.stderr
    assert [line for line in again.stderr.splitlines() if "cached" in line] == ["240 of 240 texts are cached"]
    with many.open("a") as file:
        file.write("".join(f"a new row {i}\n" for i in range(300)))
    more = inbedder(*cluster).stderr
    n_new = int(re.search(r"encoding (\d+) texts under", more)[1])
    n_cached = int(re.search(r"(\d+) of 150 texts are", more)[1])
    assert 0 < n_new == 150 - n_cached


def test_a_map_is_told_only_with_its_time(inbedder, many, tiny):
    cluster = (
        "cluster",
        many,
        "-i",
        QUESTION,
        "-m",
        tiny,
        "-k",
        "2",
        "-f",
        "csv",
        "--no-flag-unanswered",
        "--map",
    )
    assert "on a map" not in inbedder(*cluster).stderr
    assert "placing rows on a map: " in inbedder(*cluster, "-v").stderr


def test_no_cache_leaves_no_trace_and_refresh_reads_again(inbedder, reviews, tiny):
    cluster = ("cluster", reviews, "-i", QUESTION, "-m", tiny, "-k", "2", "-f", "csv", "--no-baseline")
    plain = inbedder(*cluster, "--no-cache")
    assert inbedder("cache", "info").stdout.splitlines()[1] == "rows\t0"
    first = inbedder(*cluster)
    assert "are cached" not in first.stderr
    assert inbedder("cache", "info").stdout.splitlines()[1] == "rows\t4"
    assert "4 of 4 texts are cached" in inbedder(*cluster).stderr
    again = inbedder(*cluster, "--refresh")
    assert "are cached" not in again.stderr
    assert plain.stdout == first.stdout == again.stdout


def test_a_damaged_cache_is_reported_and_changes_nothing(inbedder, reviews, tiny, tmp_path):
    from pathlib import Path

    answer = ("answer", reviews, "-i", QUESTION, "-m", tiny)
    expected = inbedder(*answer).stdout
    path = Path(inbedder("cache", "path").stdout.strip())
    path.write_bytes(b"nonsense" * 1000)
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    result = inbedder(*answer)
    assert result.exit_code == 0
    assert "cannot use the cache" in result.stderr
    assert result.stdout == expected
    assert "4 of 4 texts are cached" in inbedder(*answer).stderr


def test_a_killed_run_goes_on_with_at_most_one_batch_read_again(inbedder, many, tiny, tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    environment = os.environ | {"INBEDDER_CACHE": str(folder)}
    run = command("cluster", many, "-i", QUESTION, "-m", tiny, "-k", 3, "-f", "csv", "--batch-tokens", 128)
    process = subprocess.Popen(run, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while (kept := rows_in(folder)) < 40 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = rows_in(folder)
    assert 40 <= kept < 240
    monkeypatch.setenv("INBEDDER_CACHE", str(folder))
    again = inbedder(*run[3:])
    assert f"{kept} of 240 texts are cached" in again.stderr
    unbroken = inbedder(*run[3:], "--no-cache")
    labels = [[line.split(",")[1] for line in out.splitlines()] for out in (again.stdout, unbroken.stdout)]
    assert labels[0] == labels[1]


def test_two_processes_share_a_cache(many, tiny, tmp_path):
    folder = tmp_path / "cache"
    environment = os.environ | {"INBEDDER_CACHE": str(folder)}
    run = command("answer", many, "-i", QUESTION, "-m", tiny, "--batch-tokens", 512)
    processes = [
        subprocess.Popen(run, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    results = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert results[0][0] == results[1][0]
    assert not any("warning" in err.lower() or "not cached" in err for _, err in results)
    assert rows_in(folder) == 240


def test_cache_path_info_prune_clear(inbedder, reviews, tiny):
    inbedder("answer", reviews, "-i", QUESTION, "-m", tiny)
    assert inbedder("cache", "path").stdout.strip().endswith("rows.sqlite")
    facts = dict(line.split("\t") for line in inbedder("cache", "info").stdout.splitlines())
    assert facts["rows"] == "4"
    assert facts["longest unused"] == "0 days"
    assert "0 rows removed" in inbedder("cache", "prune", "--older-than", "30d").stderr
    assert "4 rows removed" in inbedder("cache", "prune", "--max-size", "0").stderr
    assert "MB freed" in inbedder("cache", "clear").stderr
    assert inbedder("cache", "info").stdout.splitlines()[1] == "rows\t0"


@pytest.mark.parametrize("arguments", [[], ["--older-than", "soon"], ["--max-size", "2 elephants"]])
def test_prune_says_what_it_needs(inbedder, arguments):
    result = inbedder("cache", "prune", *arguments)
    assert result.exit_code == 2
    assert "30d" in result.stderr or "2GB" in result.stderr
