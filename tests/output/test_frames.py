"""Results as pandas frames."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pytest

from inbedder_cli.corpus import read_corpus
from inbedder_cli.embeddings import RowStatus
from inbedder_cli.errors import UsageError
from inbedder_cli.explanation.summaries import UNANSWERED_LABEL
from inbedder_cli.output.frames import clusters_frame, rows_frame
from inbedder_cli.output.tables import RESULT_COLUMNS, clusters_table


def test_every_row_comes_out_with_all_its_columns_and_the_results(result):
    frame = rows_frame({"": result})
    assert list(frame.columns) == ["text", "rank", *RESULT_COLUMNS]
    assert frame["text"].tolist() == result.corpus.texts
    assert frame["rank"].dtype == frame["cluster"].dtype == frame["second_cluster"].dtype == "Int64"
    assert frame["rank"].tolist() == [1, pd.NA, 3, 4, 5, 6]
    assert frame["cluster"].tolist() == [0, pd.NA, 0, 1, -1, pd.NA]
    assert frame["cluster_distance"].isna().tolist() == [False, True, False, False, True, True]
    assert frame["status"].tolist() == ["ok", "empty", "ok", "ok", "noise", "failed"]
    assert frame.index.tolist() == [0, 1, 2, 3, 4, 5]


def test_labels_are_categories_in_the_order_of_the_clusters(result):
    labels = rows_frame({"": result})["cluster_label"]
    assert list(labels.cat.categories) == ["anger", "joy", "noise"]
    assert [None if pd.isna(label) else label for label in labels] == [
        "anger",
        None,
        "anger",
        "joy",
        "noise",
        None,
    ]


def test_unanswered_rows_keep_their_label_and_equal_labels_are_one_category(result):
    summaries = [replace(summary, label="mixed") for summary in result.summaries[:2]] + result.summaries[2:]
    status = [RowStatus.ok, RowStatus.no_answer, *result.status[2:]]
    labels = rows_frame({"": replace(result, summaries=summaries, status=status)})["cluster_label"]
    assert list(labels.cat.categories) == ["mixed", "noise", UNANSWERED_LABEL]
    assert labels[1] == UNANSWERED_LABEL


def test_a_prefix_and_the_names_of_questions_stand_before_the_result_columns(result):
    frame = rows_frame({"mood": result, "why": result}, "q_")
    assert list(frame.columns) == [
        "text",
        "rank",
        *(f"q_mood_{name}" for name in RESULT_COLUMNS),
        *(f"q_why_{name}" for name in RESULT_COLUMNS),
    ]
    assert frame["q_why_cluster"].dtype == "Int64"


def test_a_column_of_a_results_name_is_refused_until_there_is_a_prefix(result):
    table = pa.table({"text": result.corpus.texts, "cluster": list("abcdef")})
    taken = replace(result, corpus=replace(result.corpus, table=table))
    with pytest.raises(UsageError, match='has a column "cluster" already') as caught:
        taken.to_frame()
    assert 'prefix="inbedder_"' in caught.value.hint
    frame = rows_frame({"": taken}, "inbedder_")
    assert frame["cluster"].tolist() == list("abcdef")
    assert frame["inbedder_cluster"].dtype == "Int64"


def test_the_index_of_a_frame_is_kept(result):
    index = pd.Index(list("uvwxyz"), name="key")
    frame = rows_frame({"": replace(result, corpus=replace(result.corpus, index=index))})
    pd.testing.assert_index_equal(frame.index, index)
    assert frame.loc["w", "cluster_label"] == "anger"


def test_integers_never_become_floats(result):
    columns = {
        "large": pa.array([2**60, None, 3, 4, 5, 6]),
        "unsigned": pa.array([2**63 + 1, None, 3, 4, 5, 6], pa.uint64()),
        "whole": pa.array([2**60 + 1] * 6),
        "flag": [True, None, False, True, True, True],
    }
    frame = rows_frame({"": replace(result, corpus=replace(result.corpus, table=pa.table(columns)))})
    assert [str(frame[name].dtype) for name in ("large", "unsigned", "whole")] == ["Int64", "UInt64", "int64"]
    assert (frame["large"][0], frame["unsigned"][0], frame["whole"][0]) == (2**60, 2**63 + 1, 2**60 + 1)
    assert frame["flag"].tolist() == [True, None, False, True, True, True]


@pytest.mark.parametrize("text", ["", "NA", "null", "1.50"])
def test_texts_stay_texts(result, text):
    table = pa.table({"text": [text] * 6})
    frame = rows_frame({"": replace(result, corpus=replace(result.corpus, table=table))})
    assert frame["text"].tolist() == [text] * 6


def test_cells_of_json_lines_become_values(result, tmp_path):
    path = tmp_path / "x.jsonl"
    lines = ['{"text": "a b", "n": 1, "mixed": 1, "object": {"é": [1]}}', '{"text": "c d", "mixed": "x"}']
    path.write_text("\n".join(lines * 3), encoding="utf-8")
    frame = rows_frame({"": replace(result, corpus=read_corpus(str(path), text="text"))})
    assert frame["text"].tolist() == ["a b", "c d"] * 3
    assert frame["n"].tolist() == [1, pd.NA] * 3
    assert frame["mixed"].tolist() == [1, "x"] * 3
    assert frame["object"].tolist()[:2] == [{"é": [1]}, None]


def test_one_row_per_cluster(result):
    frame = clusters_frame({"": result.summaries})
    assert list(frame.columns) == clusters_table({"": result.summaries}).column_names
    assert frame["cluster"].dtype == "Int64"
    assert frame["cluster"].tolist() == [0, 1, -1]
    assert frame["label"].tolist() == ["anger", "joy", "noise"]
    assert frame["likely_next_words"].tolist() == [["anger", "fury"], [], []]
    assert frame["exemplar_ids"].tolist() == [["r0"], ["r3"], []]
    assert all(isinstance(share, float) for answers in frame["answers"] for _, share in answers)
    assert (
        clusters_frame(dict.fromkeys(["mood", "why"], result.summaries))["question"].tolist()
        == ["mood"] * 3 + ["why"] * 3
    )


def test_no_clusters_make_an_empty_frame(result):
    frame = clusters_frame({"": []})
    assert len(frame) == 0
    assert "label" in frame.columns
