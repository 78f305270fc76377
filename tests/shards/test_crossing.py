"""Clusters crossed with columns, in parts: the same tables as of all rows at once."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inbedder_cli.shards import crossing
from inbedder_cli.shards.engines import make_engine
from inbedder_cli.shards.labelling import label_rows
from inbedder_cli.shards.stores import Store
from tests.shards.conftest import N_ROWS, QUESTION

FIXED = ("-i", QUESTION, "-m", "toy:1", "--id", "id", "-k", "3")
COLUMNS = "stars,kind,day:quarter,size,order.plan"


@pytest.fixture
def folder(reviews_folder):
    """The input, with columns of words, dates, numbers with gaps and nested values."""
    start = 0
    for path in sorted(reviews_folder.glob("*")):
        table = pq.read_table(path)
        rows = range(start, start + table.num_rows)
        columns = {
            "kind": [
                "angry" if "rude" in (text or "") else f"kind {i % 23}"
                for i, text in enumerate(table["text"].to_pylist())
            ],
            "day": [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" if i % 9 else None for i in rows],
            "size": [None if i % 5 == 0 else "n/a" if i % 31 == 0 else str(i * i % 97) for i in rows],
            "order": [{"plan": "pro" if i % 3 else None} for i in rows],
        }
        for name, values in columns.items():
            table = table.append_column(name, pa.array(values))
        pq.write_table(table, path, row_group_size=16)
        start += table.num_rows
    return reviews_folder


def whole(folder, tmp_path):
    path = tmp_path / "whole.parquet"
    pq.write_table(pa.concat_tables(pq.read_table(p) for p in sorted(folder.glob("*"))), path)
    return path


def test_the_tables_are_those_of_all_rows_at_once(inbedder, folder, shards, planned, tmp_path):
    at_once = inbedder("cluster", whole(folder, tmp_path), *FIXED, "--by", COLUMNS, "-f", "json", "--no-cache")
    assert at_once.exit_code == 0, at_once.stderr
    expected = json.loads(at_once.stdout)["crosstabs"]
    assert len(expected) == 5
    for rows_per_shard in (1000, 40):
        work, output = planned(folder=f"w{rows_per_shard}", rows_per_shard=rows_per_shard), tmp_path / "out"
        shards("run", work)
        shards("fit", work, "-k", "3")
        shards("assign", work, "-o", output / str(rows_per_shard), "--by", COLUMNS)
        document = json.loads((output / str(rows_per_shard) / "_clusters.json").read_text())
        assert document["crosstabs"] == expected
    one = inbedder("cluster", folder, *FIXED, "--by", COLUMNS, "--engine", "local", "-o", tmp_path / "once")
    assert one.exit_code == 0, one.stderr
    assert json.loads((tmp_path / "once" / "_clusters.json").read_text())["crosstabs"] == expected


def test_columns_of_json_lines_are_crossed_too(inbedder, toy, folder, tmp_path):
    path = tmp_path / "in.jsonl"
    rows = pq.read_table(whole(folder, tmp_path)).to_pylist()
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = ("cluster", path, *FIXED, "--text", "text", "--by", COLUMNS, "--no-cache")
    expected = json.loads(inbedder(*run, "-f", "json").stdout)["crosstabs"]
    assert expected[4]["columns"] == ["pro"]
    done = inbedder(*run, "--engine", "local", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    assert json.loads((tmp_path / "out" / "_clusters.json").read_text())["crosstabs"] == expected


def test_shards_that_are_left_out_are_not_counted(folder, shards, planned, tmp_path):
    work = planned()
    shards("run", work, "--shard", "1", "--shard", "4")
    shards("fit", work, "-k", "3", "--skip-missing")
    labelled = label_rows(
        Store(str(work)), Store(str(tmp_path / "out")), make_engine("local"), by=["day:month"], skip_missing=True
    )
    table = labelled.analysis.crosstabs[0]
    days = pq.read_table(tmp_path / "out", columns=["day", "cluster_label"]).to_pylist()
    assert table.n_rows == sum(None not in row.values() for row in days)
    assert 0 < table.n_rows < N_ROWS / 2


@pytest.mark.parametrize(
    ("column", "said"),
    [("star", 'no column "star"'), ("kind:month", "no dates or numbers"), ("day:hour", 'unknown unit "hour"')],
)
def test_what_cannot_be_crossed_is_refused_before_anything_is_encoded(
    inbedder, toy, folder, tmp_path, column, said
):
    run = ("cluster", folder, *FIXED, "--engine", "local", "-o", tmp_path / "new", "--by", column)
    refused = inbedder(*run)
    assert refused.exit_code == (5 if "no column" in said else 2)
    assert said in " ".join(refused.stderr.split())
    assert not toy.encoded


def test_more_rows_than_are_crossed_in_memory_are_refused(inbedder, toy, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(crossing, "MOST_ROWS", N_ROWS - 1)
    refused = inbedder("cluster", folder, *FIXED, "--engine", "local", "-o", tmp_path / "new", "--by", "stars")
    assert refused.exit_code == 2
    assert "pandas.read_parquet(FOLDER, columns=[COLUMN, 'cluster_label'])" in " ".join(refused.stderr.split())
    assert not toy.encoded
    monkeypatch.setattr(crossing, "MOST_ROWS", N_ROWS)
    run = ("cluster", folder, *FIXED, "--engine", "local", "-o", tmp_path / "new", "--by", "stars")
    assert inbedder(*run).exit_code == 0


@pytest.mark.parametrize("option", [["--title", "x"], ["--color-by", "kind"], ["--date", "day"], ["--no-texts"]])
def test_what_a_report_shows_is_refused_where_there_is_none(inbedder, toy, folder, tmp_path, option):
    refused = inbedder("cluster", folder, *FIXED, "--engine", "local", "-o", tmp_path / "new", *option)
    assert refused.exit_code == 2
    assert option[0] in refused.stderr
    assert not toy.encoded


def test_a_terminal_shows_the_tables(inbedder, toy, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("inbedder_cli.cli.shard_options.sys", type("Sys", (), {"stdout": _Terminal()}))
    run = ("cluster", folder, *FIXED, "--engine", "local", "-o", tmp_path / "new", "--by", "day:quarter,kind")
    shown = " ".join(inbedder(*run).stdout.split())
    assert "cluster x day: no association beyond chance" in shown
    assert "cluster x kind anger x angry:" in shown
    assert "the counts need a terminal of" in shown


class _Terminal:
    def isatty(self):
        return True
