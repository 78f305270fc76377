"""Options of inputs and of CSV output on the command line: what is left out, what is refused, what Excel opens."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

ROWS = "".join(f'{i},"=text {i}, {"cold" if i % 2 else "kind"} room"\n' for i in range(8))


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "rooms.csv"
    path.write_text(f"id,text\n{ROWS}9,late, sad\n10,and, more, so\n")
    return path


@pytest.fixture
def cluster(inbedder, table, tmp_path):
    """Cluster the table by made-up vectors."""

    def run(*arguments, rows=8):
        vectors = tmp_path / f"{rows}.npy"
        np.save(vectors, np.random.default_rng(0).normal(size=(rows, 4)).astype(np.float32))
        return inbedder("cluster", table, "--vectors", vectors, "-k", 2, "--no-stability", *arguments)

    return run


def test_bad_rows_are_counted_and_written_with_lines_and_reasons(cluster, tmp_path):
    bad = tmp_path / "bad.csv"
    result = cluster("--on-bad-row", "skip", "--bad-rows", bad, "-o", tmp_path / "out.csv")
    assert result.exit_code == 0, result.stderr
    assert "2 rows left out (first: line 10, 3 fields where the header has 2)" in result.stderr
    with bad.open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["line", "reason", "content"],
            ["10", "3 fields where the header has 2", "9,late, sad"],
            ["11", "4 fields where the header has 2", "10,and, more, so"],
        ]
    failed = tmp_path / "of-a-run-that-fails.csv"
    assert cluster("--on-bad-row", "skip", "--bad-rows", failed, rows=7).exit_code != 0
    assert not failed.exists()
    again = cluster("--on-bad-row", "skip", "--bad-rows", bad, "-o", tmp_path / "out2.csv")
    assert again.exit_code == 2
    assert "exists already" in again.stderr


def test_a_suffix_of_another_format_is_told(cluster, tmp_path):
    result = cluster("--on-bad-row", "skip", "--format", "json", "-o", tmp_path / "out.csv")
    assert result.exit_code == 0, result.stderr
    assert "out.csv is written as json, whatever its suffix" in result.stderr


def test_padded_rows_stay(cluster, tmp_path):
    result = cluster("--on-bad-row", "pad", "-o", tmp_path / "out.csv", rows=10)
    assert result.exit_code == 0, result.stderr
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [row[1] for row in csv.reader(file)][-2:] == ["late, sad", "and, more, so"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--bad-rows", "bad.csv"], "--on-bad-row skip"),
        (["--on-bad-row", "skip", "--bad-rows", "bad.dat"], "suffix"),
        (["--on-bad-row", "skip", "--json-path", "data"], "--json-path is not for csv"),
        (["--on-bad-row", "skip", "--sheet", "Data"], "formats that take it: xlsx"),
        (["--on-bad-row", "skip", "--excel"], "-o FILE.csv"),
        (["--on-bad-row", "skip", "--escape-formulas", "-f", "json"], "--escape-formulas is for CSV"),
        (["--on-bad-row", "skip", "--excel", "-o", "out.jsonl"], "--excel is for files of CSV"),
    ],
)
def test_options_without_an_effect_are_refused(cluster, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    result = cluster(*options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


def test_excel_and_escaped_formulas(cluster, tmp_path):
    options = ("--on-bad-row", "skip", "--excel", "--escape-formulas", "--clusters", tmp_path / "clusters.csv")
    result = cluster(*options, "-o", tmp_path / "out.csv")
    assert result.exit_code == 0, result.stderr
    for name, column in (("out.csv", "text"), ("clusters.csv", "exemplar")):
        text = (tmp_path / name).read_bytes().decode("utf-16")
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter="\t"))
        assert all(row[column].startswith("'=text") for row in rows)


def test_what_excel_gets_can_be_read_again(cluster, inbedder, tmp_path):
    out = tmp_path / "out.csv"
    assert cluster("--on-bad-row", "skip", "--excel", "-o", out).exit_code == 0
    result = inbedder("cluster", out, "--vectors", tmp_path / "8.npy", "-k", 2, "--no-stability", "--text", "text")
    assert result.exit_code == 0, result.stderr
    assert "UTF-16 (by its byte-order mark)" in result.stderr


def test_clusters_are_crossed_with_values_inside_cells(inbedder, tmp_path):
    path = tmp_path / "tickets.jsonl"
    rows = [{"text": f"text {i}", "ticket": {"priority": "high" if i % 2 else "low", "age": i}} for i in range(40)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32))
    options = ("--vectors", tmp_path / "v.npy", "-k", 2, "--no-stability", "--by", "ticket.priority,ticket.age:4")
    result = inbedder("cluster", path, *options, "-f", "json")
    assert result.exit_code == 0, result.stderr
    priority, age = json.loads(result.stdout)["crosstabs"]
    assert (priority["column_name"], sorted(priority["columns"])) == ("ticket.priority", ["high", "low"])
    assert (age["column_name"], len(age["columns"])) == ("ticket.age", 4)
    refused = inbedder("cluster", path, *options[:-1], "tickets.priority")
    assert refused.exit_code == 5
    assert 'no column "tickets.priority"' in refused.stderr


def test_a_pipe_gets_utf_8_whatever_the_files_are_for(cluster, tmp_path):
    done = cluster("--on-bad-row", "skip", "--excel", "--clusters", tmp_path / "clusters.csv", "--escape-formulas")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith("0,'=text 0,") or done.stdout.splitlines()[1].startswith(
        "0,\"'=text 0"
    )
    assert (tmp_path / "clusters.csv").read_bytes().startswith(b"\xff\xfe")
