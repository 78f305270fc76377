"""A run as rows, as clusters and as one document."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inbedder_cli.clustering import Clustering, KScore, KSelection
from inbedder_cli.corpus import Corpus
from inbedder_cli.errors import UsageError
from inbedder_cli.explanation.phrases import Phrase
from inbedder_cli.explanation.summaries import AnswerShare, ClusterSummary, Exemplar
from inbedder_cli.options import ClusterOptions, TableFormat
from inbedder_cli.output.files import write_json, write_table
from inbedder_cli.output.tables import (
    RESULT_COLUMNS,
    check_free,
    clusters_table,
    document,
    rows_table,
)
from inbedder_cli.pipeline import cluster_corpus
from inbedder_cli.results import ClusteringResult, Embeddings, RowStatus

QUESTION = "Which mood?"
CONFIDENCES = np.array([0.9, np.nan, 0.8, 0.7, 0.6, 0.5], np.float32)
SUMMARIES = [
    ClusterSummary(
        0,
        "anger",
        2,
        0.5,
        [Phrase("anger", 1.0, 3.0, 2.5)],
        [Exemplar(0, "r0", "anger", "Bad.")],
        [AnswerShare("anger", 1.0)],
        0.0,
        likely_next_words=["anger", "fury"],
    ),
    ClusterSummary(1, "joy", 1, 0.25, [], [Exemplar(3, "r3", None, "Fine.")]),
    ClusterSummary(-1, "noise", 1, 0.25),
]


def corpus_of(texts, **columns):
    ids = [f"r{i}" for i in range(len(texts))]
    return Corpus("reviews.csv", pa.table({"text": texts, **columns}), texts, ids, ("text",))


@pytest.fixture
def run():
    """Six rows: two clusters, one row of noise, one empty, one failed."""
    corpus = corpus_of(["Bad.", "", "Awful.", "Fine.", "Eh", "?"], rank=[1, None, 3, 4, 5, 6])
    options = ClusterOptions(k=2)
    clustering = Clustering(
        np.array([0, 0, 1, -1]),
        np.array([0.123456789, 0.5, 0.0, np.nan], np.float32),
        np.array([1, 1, 0, -1]),
        np.array([0.25, 0.0, 1.0, np.nan], np.float32),
        np.eye(2, dtype=np.float32),
        np.zeros(2),
        options,
    )
    status = [RowStatus.ok, RowStatus.empty, RowStatus.ok, RowStatus.ok, RowStatus.noise, RowStatus.failed]
    answers = ["anger", None, "anger", "joy", "none", ""]
    return ClusteringResult(
        corpus,
        QUESTION,
        Embeddings(np.zeros((6, 2), np.float32), answers, status, confidences=CONFIDENCES),
        clustering,
        SUMMARIES,
        [0, 2, 3, 4],
        status,
    )


def as_bytes(table, wanted):
    stream = io.BytesIO()
    write_table(table, stream, wanted)
    return stream.getvalue()


def test_every_row_comes_out_with_all_its_columns_and_the_results(run):
    table = rows_table({"": run})
    assert table.column_names == ["text", "rank", *RESULT_COLUMNS]
    assert table.select(["text", "rank"]).equals(run.corpus.table)
    assert table.select(RESULT_COLUMNS).to_pydict() == {
        "cluster": [0, None, 0, 1, -1, None],
        "cluster_label": ["anger", None, "anger", "joy", "noise", None],
        "answer": ["anger", None, "anger", "joy", "none", ""],
        "confidence": [0.9, None, 0.8, 0.7, 0.6, 0.5],
        "cluster_distance": [0.123457, None, 0.5, 0.0, None, None],
        "second_cluster": [1, None, 1, 0, None, None],
        "margin": [0.25, None, 0.0, 1.0, None, None],
        "status": ["ok", "empty", "ok", "ok", "noise", "failed"],
    }


def test_a_prefix_stands_before_every_new_column(run):
    names = rows_table({"": run}, "inbedder_").column_names
    assert names == ["text", "rank", *(f"inbedder_{name}" for name in RESULT_COLUMNS)]


def test_without_decoded_answers_the_column_is_null():
    corpus = corpus_of(["a", "b", "c", ""])
    vectors = np.array([[1, 0], [0.9, 0.1], [-1, 0], [np.nan, np.nan]], np.float32)
    status = [RowStatus.ok] * 3 + [RowStatus.empty]
    made = cluster_corpus(corpus, QUESTION, Embeddings(vectors, None, status), ClusterOptions(k=2))
    table = rows_table({"": made})
    assert table.column("answer").to_pylist() == [None] * 4
    assert table.column("cluster").to_pylist() == [0, 0, 1, None]
    assert table.column("status").to_pylist() == ["ok", "ok", "ok", "empty"]


def test_whole_numbers_stay_whole_in_every_format(run):
    table = rows_table({"": run})
    for wanted, delimiter in [(TableFormat.csv, ","), (TableFormat.tsv, "\t")]:
        read = csv.DictReader(io.StringIO(as_bytes(table, wanted).decode()), delimiter=delimiter)
        rows = list(read)
        assert [r["cluster"] for r in rows] == ["0", "", "0", "1", "-1", ""]
        assert [r["rank"] for r in rows] == ["1", "", "3", "4", "5", "6"]
    rows = [json.loads(line) for line in as_bytes(table, TableFormat.jsonl).splitlines()]
    assert [repr(r["cluster"]) for r in rows] == ["0", "None", "0", "1", "-1", "None"]
    assert [repr(r["rank"]) for r in rows] == ["1", "None", "3", "4", "5", "6"]
    read = pq.read_table(io.BytesIO(as_bytes(table, TableFormat.parquet)))
    assert read.schema.field("cluster").type == pa.int64()
    assert read.column("cluster").to_pylist() == [0, None, 0, 1, -1, None]
    lines = as_bytes(table, TableFormat.markdown).decode().splitlines()[2:]
    assert [line.split(" | ")[2].strip() for line in lines] == ["0", "", "0", "1", "-1", ""]


@pytest.mark.parametrize("wanted", [TableFormat.csv, TableFormat.jsonl, TableFormat.markdown, TableFormat.parquet])
def test_clusters_can_be_written_in_every_format(run, wanted):
    assert as_bytes(clusters_table({"": run}), wanted)


def test_clusters_as_a_table(run):
    assert clusters_table({"": run}).to_pylist() == [
        {
            "cluster": 0,
            "label": "anger",
            "size": 2,
            "share": 0.5,
            "stability": None,
            "label_f1": None,
            "phrases": "anger (1.00)",
            "answers": "anger (1.00)",
            "likely_next_words": "anger; fury",
            "exemplar_ids": "r0",
            "exemplar": "Bad.",
        },
        {
            "cluster": 1,
            "label": "joy",
            "size": 1,
            "share": 0.25,
            "stability": None,
            "label_f1": None,
            "phrases": "",
            "answers": "",
            "likely_next_words": "",
            "exemplar_ids": "r3",
            "exemplar": "Fine.",
        },
        {
            "cluster": -1,
            "label": "noise",
            "size": 1,
            "share": 0.25,
            "stability": None,
            "label_f1": None,
            "phrases": "",
            "answers": "",
            "likely_next_words": "",
            "exemplar_ids": "",
            "exemplar": "",
        },
    ]


def test_the_document_tells_settings_counts_and_clusters(run):
    found = document(run, "smollm2")
    assert found["schema"] == 1
    assert (found["source"], found["instruction"], found["model"]) == ("reviews.csv", QUESTION, "smollm2")
    assert found["rows"] == {"total": 6, "empty": 1, "failed": 1, "noise": 1, "ok": 3}
    assert found["clustering"] == {
        "algorithm": "kmeans",
        "k": 2,
        "min_cluster_size": None,
        "seed": 0,
        "shortcut": None,
        "tried": None,
    }
    assert [c["cluster"] for c in found["clusters"]] == [0, 1, -1]
    assert found["clusters"][0] == {
        "cluster": 0,
        "label": "anger",
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
    assert found["no_answer"] is None
    stream = io.BytesIO()
    write_json(found, stream)
    assert json.loads(stream.getvalue()) == found


def test_the_document_tells_how_k_was_chosen(run):
    choice = KSelection(2, {2: KScore(0.61234567, 0.5, 1.0, 1.25), 3: KScore(0.5, 0.25, None, -1.25)}, 4)
    chosen = Clustering(
        run.clustering.labels,
        run.clustering.distances,
        run.clustering.second_cluster,
        run.clustering.margins,
        run.clustering.centroids,
        run.clustering.mean,
        ClusterOptions(k=2, seed=7),
        choice,
    )
    found = document(
        ClusteringResult(run.corpus, QUESTION, run.embeddings, chosen, SUMMARIES, run.rows, run.status),
        "m",
    )
    assert found["clustering"]["tried"] == [
        {"k": 2, "silhouette": 0.612346, "stability": 0.5, "agreement": 1.0, "score": 1.25},
        {"k": 3, "silhouette": 0.5, "stability": 0.25, "agreement": None, "score": -1.25},
    ]
    assert found["clustering"]["seed"] == 7


@pytest.mark.parametrize("algorithm", ["kmeans", "hdbscan"])
def test_a_real_run_makes_a_document_of_plain_json(algorithm):
    texts = [f"text {i}" for i in range(24)]
    vectors = np.repeat(np.eye(3), 8, axis=0) + np.random.default_rng(0).normal(scale=0.03, size=(24, 3))
    embedding = Embeddings(vectors.astype(np.float32), ["anger", "joy", "fear"] * 8, [RowStatus.ok] * 24)
    made = cluster_corpus(corpus_of(texts), QUESTION, embedding, ClusterOptions(algorithm, k_max=4))
    stream = io.BytesIO()
    write_json(document(made, "m"), stream)
    found = json.loads(stream.getvalue())
    assert found["clustering"]["k"] == 3
    assert found["clustering"]["algorithm"] == algorithm
    assert sum(c["size"] for c in found["clusters"]) == 24
    assert rows_table({"": made}).num_rows == 24


@pytest.mark.parametrize("taken", RESULT_COLUMNS)
def test_an_input_with_a_column_of_a_results_name_is_refused(taken):
    corpus = corpus_of(["a"], **{taken: ["x"], f"my_{taken}": ["y"]})
    for prefix in ("", "my_"):
        with pytest.raises(UsageError, match=f'reviews.csv has a column "{prefix}{taken}" already') as caught:
            check_free(corpus, RESULT_COLUMNS, prefix)
        assert "--prefix" in caught.value.hint
    check_free(corpus, RESULT_COLUMNS, "new_")
