"""A result as a table of rows and as a table of clusters."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inbedder_cli.embeddings import Embeddings, RowStatus
from inbedder_cli.errors import UsageError
from inbedder_cli.options import ClusterOptions
from inbedder_cli.output.formats import write_table
from inbedder_cli.output.tables import RESULT_COLUMNS, check_free, clusters_table, rows_table
from inbedder_cli.pipeline import analyze
from tests.output.conftest import QUESTION, corpus_of


def as_bytes(table, wanted):
    stream = io.BytesIO()
    write_table(table, stream, wanted)
    return stream.getvalue()


def test_every_row_comes_out_with_all_its_columns_and_the_results(result):
    table = rows_table({"": result})
    assert table.column_names == ["text", "rank", *RESULT_COLUMNS]
    assert table.select(["text", "rank"]).equals(result.corpus.table)
    assert table.select(RESULT_COLUMNS).to_pydict() == {
        "cluster": [0, None, 0, 1, -1, None],
        "cluster_label": ["anger", None, "anger", "joy", "noise", None],
        "label_is_weak": [False, None, False, True, None, None],
        "answer": ["anger", None, "anger", "joy", "none", ""],
        "confidence": [0.9, None, 0.8, 0.7, 0.6, 0.5],
        "cluster_distance": [0.123457, None, 0.5, 0.0, None, None],
        "second_cluster": [1, None, 1, 0, None, None],
        "margin": [0.25, None, 0.0, 1.0, None, None],
        "stability": [None] * 6,
        "status": ["ok", "empty", "ok", "ok", "noise", "failed"],
    }


def test_a_prefix_stands_before_every_new_column(result):
    names = rows_table({"": result}, "inbedder_").column_names
    assert names == ["text", "rank", *(f"inbedder_{name}" for name in RESULT_COLUMNS)]


def test_without_decoded_answers_the_column_is_null():
    corpus = corpus_of(["a", "b", "c", ""])
    vectors = np.array([[1, 0], [0.9, 0.1], [-1, 0], [np.nan, np.nan]], np.float32)
    status = [RowStatus.ok] * 3 + [RowStatus.empty]
    embeddings = Embeddings(vectors, None, status)
    made = analyze(corpus, QUESTION, embeddings=embeddings, cluster_options=ClusterOptions(k=2)).result
    table = rows_table({"": made})
    assert table.column("answer").to_pylist() == [None] * 4
    assert table.column("cluster").to_pylist() == [0, 0, 1, None]
    assert table.column("status").to_pylist() == ["ok", "ok", "ok", "empty"]


def test_whole_numbers_stay_whole_in_every_format(result):
    table = rows_table({"": result})
    for wanted, delimiter in [("csv", ","), ("tsv", "\t")]:
        read = csv.DictReader(io.StringIO(as_bytes(table, wanted).decode()), delimiter=delimiter)
        rows = list(read)
        assert [r["cluster"] for r in rows] == ["0", "", "0", "1", "-1", ""]
        assert [r["rank"] for r in rows] == ["1", "", "3", "4", "5", "6"]
    rows = [json.loads(line) for line in as_bytes(table, "jsonl").splitlines()]
    assert [repr(r["cluster"]) for r in rows] == ["0", "None", "0", "1", "-1", "None"]
    assert [repr(r["rank"]) for r in rows] == ["1", "None", "3", "4", "5", "6"]
    read = pq.read_table(io.BytesIO(as_bytes(table, "parquet")))
    assert read.schema.field("cluster").type == pa.int64()
    assert read.column("cluster").to_pylist() == [0, None, 0, 1, -1, None]
    lines = as_bytes(table, "markdown").decode().splitlines()[2:]
    assert [line.split(" | ")[2].strip() for line in lines] == ["0", "", "0", "1", "-1", ""]


@pytest.mark.parametrize("wanted", ["csv", "jsonl", "markdown", "parquet"])
def test_clusters_can_be_written_in_every_format(result, wanted):
    assert as_bytes(clusters_table({"": result.summaries}), wanted)


def test_clusters_as_a_table(result):
    assert clusters_table({"": result.summaries}).to_pylist() == [
        {
            "cluster": 0,
            "label": "anger",
            "size": 2,
            "share": 0.5,
            "stability": None,
            "label_is_weak": False,
            "label_coverage": None,
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
            "label_is_weak": True,
            "label_coverage": None,
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
            "label_is_weak": None,
            "label_coverage": None,
            "label_f1": None,
            "phrases": "",
            "answers": "",
            "likely_next_words": "",
            "exemplar_ids": "",
            "exemplar": "",
        },
    ]


@pytest.mark.parametrize("taken", RESULT_COLUMNS)
def test_an_input_with_a_column_of_a_results_name_is_refused(taken):
    corpus = corpus_of(["a"], **{taken: ["x"], f"my_{taken}": ["y"]})
    for prefix in ("", "my_"):
        with pytest.raises(UsageError, match=f'reviews.csv has a column "{prefix}{taken}" already') as caught:
            check_free(corpus, RESULT_COLUMNS, prefix)
        assert "--prefix" in caught.value.hint
    check_free(corpus, RESULT_COLUMNS, "new_")
