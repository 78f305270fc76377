from __future__ import annotations

import csv
import io
import json

import pytest

QUESTION = "What emotion is expressed?"


@pytest.fixture
def table_of(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("text\n" + "".join(f"text {i} {'cold' if i % 2 else 'kind'} {i % 5}\n" for i in range(30)))
    return path


@pytest.fixture
def tune(inbedder, tiny, table_of):
    def run(*arguments):
        fixed = ["-i", QUESTION, "-m", tiny, "--device", "cpu", "--dtype", "float32", "--min-confidence", "0"]
        result = inbedder("tune", table_of, *fixed, *arguments)
        assert result.exit_code == 0, result.stderr
        return result

    return run


def test_every_k_is_weighed_and_the_best_is_what_cluster_takes(tune, inbedder, tiny, table_of):
    rows = list(csv.DictReader(io.StringIO(tune("--k-max", "5").stdout)))
    assert [row["k"] for row in rows] == ["2", "3", "4", "5"]
    assert set(rows[0]) == {"k", "silhouette", "stability", "agreement", "score", "chosen"}
    (chosen,) = [row["k"] for row in rows if row["chosen"] == "true"]
    assert float(rows[int(chosen) - 2]["score"]) > 0.8
    fixed = ["-i", QUESTION, "-m", tiny, "--device", "cpu", "--dtype", "float32", "--min-confidence", "0"]
    made = json.loads(inbedder("cluster", table_of, *fixed, "--k-max", "5", "-f", "json").stdout)
    assert made["clustering"]["k_before_merging"] == int(chosen)
    assert made["clustering"]["k_selection"][0]["score"] == float(rows[0]["score"])
    document = json.loads(tune("--k-max", "5", "-f", "json").stdout)
    assert document["instruction"] == QUESTION
    assert [str(record["k"]) for record in document["k_selection"] if record["chosen"]] == [chosen]


def test_the_terminal_sees_a_table_that_names_the_best(tune):
    out = tune("--k-max", "4", "-f", "table").stdout
    assert "silhouette" in out
    assert "chosen" in out
    assert "-k auto takes the fewest clusters near the best score, k = " in out


def test_hdbscan_is_swept_by_smallest_cluster_size(tune):
    rows = list(csv.DictReader(io.StringIO(tune("-a", "hdbscan").stdout)))
    assert rows[0]["min_cluster_size"] == "5"
    assert set(rows[0]) == {"min_cluster_size", "k", "noise", "stability", "cliff", "chosen"}
    assert [row["min_cluster_size"] for row in rows if row["chosen"] == "true"] == ["5"]  # of 30 rows
    out = tune("-a", "hdbscan", "-f", "table").stdout
    assert "min_cluster_size" in out
    assert "without --min-cluster-size, cluster takes 5" in out


def test_the_table_is_printed_beside_a_file(tune, tmp_path):
    path = tmp_path / "tuning.csv"
    printed = tune("--k-max", "3", "-f", "table", "-o", path).stdout
    assert printed == tune("--k-max", "3", "-f", "table").stdout
    assert path.read_text(encoding="utf-8") == tune("--k-max", "3").stdout


def test_too_few_rows_are_refused(inbedder, tiny, tmp_path):
    (tmp_path / "one.csv").write_text("text\nonly\n")
    few = inbedder("tune", tmp_path / "one.csv", "-i", QUESTION, "-m", tiny, "--min-confidence", "0")
    assert few.exit_code == 5
    assert "too few for 2 clusters" in few.stderr
    (tmp_path / "same.csv").write_text("text\n" + "only\n" * 9)
    same = inbedder("tune", tmp_path / "same.csv", "-i", QUESTION, "-m", tiny, "--no-flag-unanswered")
    assert (same.exit_code, same.stdout) == (5, "")
    assert "same.csv: too few different rows" in same.stderr
