"""Results as JSON documents."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest

from inbedder_cli.clustering import KScore, KSelection
from inbedder_cli.diagnostics.crosstab import crosstab
from inbedder_cli.diagnostics.drift import Drift, DriftReport
from inbedder_cli.diagnostics.groupings import Grouping
from inbedder_cli.embeddings import Embeddings, RowStatus
from inbedder_cli.options import ClusterOptions
from inbedder_cli.output.documents import drift_document, result_document, results_document, tuning_document
from inbedder_cli.output.files import write_json
from inbedder_cli.output.tables import rows_table
from inbedder_cli.pipeline import analyze
from tests.output.conftest import QUESTION, corpus_of


def test_the_document_tells_settings_counts_and_clusters(result):
    found = result_document(result, "smollm2")
    assert found["schema"] == 2
    assert (found["source"], found["instruction"], found["model"]) == ("reviews.csv", QUESTION, "smollm2")
    assert found["rows"] == {"total": 6, "empty": 1, "failed": 1, "noise": 1, "ok": 3}
    assert found["clustering"] == {
        "algorithm": "kmeans",
        "k": 2,
        "min_cluster_size": None,
        "seed": 0,
        "approximation": None,
        "k_selection": None,
        "k_is_capped": False,
        "k_close": None,
        "k_bound": None,
        "k_before_merging": 2,
        "answered_alike": [],
    }
    assert [c["cluster"] for c in found["clusters"]] == [0, 1, -1]
    assert found["clusters"][0] == {
        "cluster": 0,
        "label": "anger",
        "label_is_weak": False,
        "size": 2,
        "share": 0.5,
        "stability": None,
        "label_check": None,
        "phrases": [{"text": "anger", "support": 1.0, "lift": 3.0, "score": 2.5}],
        "likely_next_words": ["anger", "fury"],
        "answers": [{"text": "anger", "share": 1.0}],
        "entropy": 0.0,
        "exemplars": [{"id": "r0", "answer": "anger", "text": "Bad."}],
        "diverse": [],
        "borderline": [],
    }
    assert found["unanswered"] is None
    stream = io.BytesIO()
    write_json(found, stream)
    assert json.loads(stream.getvalue()) == found


def test_the_document_tells_how_k_was_chosen(result):
    choice = KSelection(2, {2: KScore(0.61234567, 0.5, 1.0, 1), 3: KScore(0.5, 0.25, None, 0.8)}, 4)
    chosen = replace(result.clustering, options=ClusterOptions(k=2, seed=7), choice=choice)
    found = result_document(replace(result, clustering=chosen), "m")
    assert found["clustering"]["k_selection"] == [
        {"k": 2, "silhouette": 0.612346, "stability": 0.5, "agreement": 1.0, "score": 1, "chosen": True},
        {"k": 3, "silhouette": 0.5, "stability": 0.25, "agreement": None, "score": 0.8, "chosen": False},
    ]
    assert found["clustering"]["seed"] == 7


@pytest.mark.parametrize("algorithm", ["kmeans", "hdbscan"])
def test_a_real_run_makes_a_document_of_plain_json(algorithm):
    texts = [f"text {i}" for i in range(24)]
    vectors = np.repeat(np.eye(3), 8, axis=0) + np.random.default_rng(0).normal(scale=0.03, size=(24, 3))
    embedding = Embeddings(
        vectors.astype(np.float32), [a for a in ("anger", "joy", "fear") for _ in range(8)], [RowStatus.ok] * 24
    )
    options = ClusterOptions(algorithm, k_max=4) if algorithm == "kmeans" else ClusterOptions(algorithm)
    made = analyze(corpus_of(texts), QUESTION, embeddings=embedding, cluster_options=options).result
    stream = io.BytesIO()
    write_json(result_document(made, "m"), stream)
    found = json.loads(stream.getvalue())
    assert found["clustering"]["k"] == 3
    assert found["clustering"]["algorithm"] == algorithm
    assert sum(c["size"] for c in found["clusters"]) == 24
    assert rows_table({"": made}).num_rows == 24


def test_several_questions_share_what_they_have_in_common(result):
    table = crosstab(Grouping("mood", ["a", "b", "a"]), Grouping("rank", ["1", "2", None]))
    found = results_document({"mood": result, "why": result}, "m", [table])
    assert list(found) == ["schema", "source", "model", "questions", "crosstabs"]
    assert list(found["questions"]) == ["mood", "why"]
    assert "model" not in found["questions"]["mood"]
    (shown,) = found["crosstabs"]
    assert (shown["row_name"], shown["column_name"]) == ("mood", "rank")
    assert shown["counts"] == [[1, 0], [0, 1]]
    assert results_document({"": result}, "m") == result_document(result, "m") | {"crosstabs": []}


def test_drift_is_reported_by_the_names_of_questions():
    report = DriftReport(
        [Drift(0, "anger", 0.5, 0.25, 0.1, 0.4, 0.01)], 20, 3, {RowStatus.ok: 19, RowStatus.noise: 1}
    )
    drift = {
        "rows": 20,
        "novel": 3,
        "status": {"noise": 1, "ok": 19},
        "clusters": [
            {
                "cluster": 0,
                "label": "anger",
                "then": 0.5,
                "now": 0.25,
                "now_low": 0.1,
                "now_high": 0.4,
                "q_value": 0.01,
                "moved": True,
                "novel": 0,
            }
        ],
    }
    assert drift_document({"": report}, "run") == {"schema": 2, "run": "run", "drift": drift}
    assert drift_document({"mood": report, "why": report}, "run")["drift"] == {"mood": drift, "why": drift}


def test_tuning_says_which_k_is_chosen():
    found = tuning_document(KSelection(3, {2: KScore(0.5, 0.5), 3: KScore(0.6, 0.5)}, 9), QUESTION)
    assert found["instruction"] == QUESTION
    assert [(record["k"], record["chosen"]) for record in found["k_selection"]] == [(2, False), (3, True)]
    assert tuning_document([], QUESTION)["size_sweep"] == []
