"""What a user sees of clusters: labels that are true of them, answers with their shares, marks of weak labels.

The answers are given by saved vectors, so no model decides what is shown.
"""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from inbedder_cli import read_corpus
from inbedder_cli.embeddings import Embeddings, RowStatus
from inbedder_cli.output.vectors import write_vectors

QUESTION = "Is the customer angry?"


@pytest.fixture
def clustered(inbedder, tmp_path):
    """Cluster rows whose answers and clusters are given, as (number of rows, cluster, answer, text)."""

    def run(groups, *arguments, question=QUESTION):
        rows = [(cluster, answer, f"{text} {i}") for n, cluster, answer, text in groups for i in range(n)]
        path, vectors = tmp_path / "rows.csv", tmp_path / "vectors.parquet"
        path.write_text("text\n" + "".join(f"{text}\n" for _, _, text in rows), encoding="utf-8")
        k = len({cluster for cluster, _, _ in rows})
        spots = np.eye(k, 8)[[cluster for cluster, _, _ in rows]]
        noise = np.random.default_rng(0).normal(0, 0.01, spots.shape)
        embeddings = Embeddings(
            (spots + noise).astype(np.float32),
            [answer for _, answer, _ in rows],
            [RowStatus.ok] * len(rows),
            instruction=question,
        )
        write_vectors(vectors, read_corpus(str(path)), embeddings)
        result = inbedder("cluster", path, "--vectors", vectors, "-k", str(k), *arguments)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    return run


ANGRY = [(49, 0, "Angry", "late"), (1, 0, "neutral", "late"), (30, 1, "angry", "rude"), (10, 2, "calm", "fine")]


def test_a_cluster_is_called_what_nearly_all_of_its_rows_answer(clustered):
    document = json.loads(clustered(ANGRY, "-f", "json"))
    labels = [c["label"] for c in document["clusters"]]
    assert labels[0].split(":")[0] == labels[1].split(":")[0] == "angry"
    assert labels[2] == "calm"
    assert document["clusters"][0]["answers"][0] == {"text": "angry", "share": 0.98}
    assert document["label_coverage"] == pytest.approx(89 / 90, abs=0.001)


def test_clusters_of_one_answer_are_told_apart_by_their_texts(clustered):
    rows = list(csv.DictReader(io.StringIO(clustered(ANGRY))))
    assert {row["cluster_label"] for row in rows} == {"angry: late", "angry: rude", "calm"}


def test_the_table_has_the_answers_with_their_shares(clustered, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    table = clustered(ANGRY, "-f", "table")
    assert "angry 98%" in table
    assert "neutral 2%" in table


WEAK = [(12, 0, "angry", "a"), (6, 1, "angry", "b"), (4, 1, "calm", "c")]


def test_a_weak_label_is_marked_in_every_output(clustered, tmp_path):
    rows = list(csv.DictReader(io.StringIO(clustered(WEAK))))
    assert {(row["cluster"], row["label_is_weak"]) for row in rows} == {("0", "false"), ("1", "true")}
    document = json.loads(clustered(WEAK, "-f", "json"))
    assert [c["label_is_weak"] for c in document["clusters"]] == [False, True]
    assert "weak label" in clustered(WEAK, "-f", "table")
    clustered(WEAK, "--clusters", tmp_path / "clusters.csv")
    found = csv.DictReader(io.StringIO((tmp_path / "clusters.csv").read_text()))
    assert [row["label_is_weak"] for row in found] == ["false", "true"]


def test_a_yes_no_question_gets_yes_and_no(clustered):
    groups = [(6, 0, "Yes.", "a"), (4, 0, "angry", "a"), (5, 1, "No", "b"), (3, 1, "not angry", "b")]
    document = json.loads(clustered(groups, "-f", "json"))
    assert [c["label"] for c in document["clusters"]] == ["yes", "no"]
    assert [c["answers"] for c in document["clusters"]] == [
        [{"text": "yes", "share": 1.0}],
        [{"text": "no", "share": 1.0}],
    ]


def test_answers_that_mean_the_same_are_one_answer(clustered):
    groups = [
        *((n, 0, answer, "x") for n, answer in ((5, "e-bike"), (2, "E-bikes"), (2, "ebike"), (1, "the e-bike"))),
        (5, 1, "mattress", "y"),
        (1, 1, "matress", "y"),
        (2, 1, "mattresses", "y"),
    ]
    document = json.loads(clustered(groups, "-f", "json", question="Which product?"))
    assert [(c["label"], len(c["answers"])) for c in document["clusters"]] == [("e-bike", 1), ("mattress", 1)]
    assert {row["answer"] for row in document["data"]} >= {"E-bikes", "ebike"}, "rows keep the answers as given"


@pytest.mark.parametrize("algorithm", [[], ["-a", "hdbscan"]])
def test_no_margin_is_negative(inbedder, clustered, tmp_path, algorithm):
    rows = list(csv.DictReader(io.StringIO(clustered(ANGRY))))
    if algorithm:
        result = inbedder(
            "cluster", tmp_path / "rows.csv", "--vectors", tmp_path / "vectors.parquet", "-a", "hdbscan"
        )
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
    margins = [float(row["margin"]) for row in rows if row["margin"]]
    assert margins
    assert min(margins) >= 0
    assert max(margins) <= 1
