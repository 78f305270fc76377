from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

QUESTION = "What emotion is expressed?"


@pytest.fixture
def run(inbedder, tiny):
    def run(command, file, *arguments, **options):
        result = inbedder(command, file, "-i", QUESTION, "-m", tiny, "--device", "cpu", *arguments, **options)
        assert result.exit_code == 0, result.stderr
        return result

    return run


def test_every_form_holds_the_same_vectors_and_null_where_there_is_no_text(run, reviews, tmp_path):
    lines = [json.loads(line) for line in run("embed", reviews, "--id", "id").stdout.splitlines()]
    assert [line["id"] for line in lines] == ["a1", "a2", "a3", "a4", "a5", "a6"]
    assert lines[2] | {"schema": 1} == {
        "schema": 1,
        "id": "a3",
        "status": "empty",
        "answer": None,
        "confidence": None,
        "vector": None,
    }
    expected = np.array([line["vector"] or [np.nan] * 32 for line in lines], np.float32)
    for name in ("v.npy", "v.safetensors", "v.parquet"):
        run("embed", reviews, "--id", "id", "-o", tmp_path / name)
    np.testing.assert_allclose(np.load(tmp_path / "v.npy"), expected, rtol=1e-6)
    np.testing.assert_array_equal(load_file(tmp_path / "v.safetensors")["vectors"], np.load(tmp_path / "v.npy"))
    table = pq.ParquetFile(tmp_path / "v.parquet").read()
    assert table.column_names == ["id", "status", "answer", "confidence", "vector"]
    assert table["vector"].type.list_size == 32
    assert table["vector"].to_pylist()[2] is None
    np.testing.assert_array_equal(table["vector"].to_pylist()[5], np.load(tmp_path / "v.npy")[5])
    assert table["answer"].to_pylist() == [line["answer"] for line in lines]


def test_answers_can_be_left_out(run, reviews):
    lines = [json.loads(line) for line in run("embed", reviews, "--no-answers").stdout.splitlines()]
    assert {line["answer"] for line in lines} == {None}
    assert lines[0]["vector"] is not None


def test_answer_prints_one_line_per_row(run, reviews):
    answers = run("answer", reviews, "--no-flag-unanswered").stdout.split("\n")
    assert len(answers) == 7
    assert answers[2] == answers[6] == ""
    assert answers[0] == answers[4]
    rows = [json.loads(line) for line in run("answer", reviews, "--id", "id", "-f", "jsonl").stdout.splitlines()]
    assert [row["answer"] or "" for row in rows] == answers[:6]
    assert rows[2] == {"id": "a3", "answer": None, "confidence": None, "status": "empty"}
    assert json.loads(run("answer", reviews, "--id", "id", "-f", "json").stdout) == rows
    assert run("answer", reviews, "-f", "csv").stdout.startswith("id,answer,confidence,status\n1,")


def test_the_chosen_readout_and_layer_are_used(run, reviews):
    def first(*arguments):
        return json.loads(run("embed", reviews, *arguments).stdout.splitlines()[0])["vector"]

    assert first() == first("--layer", "3", "--pooling", "first-token")
    assert first() != first("--layer", "1")
    assert first() != first("--pooling", "prompt-mean")


@pytest.mark.parametrize(("kind", "other"), [("roberta", "first-token"), ("t5", "masks"), ("llama", "masks")])
def test_every_kind_of_model_is_read_and_refuses_readouts_of_others(inbedder, reviews, tiny_models, kind, other):
    command = ["embed", reviews, "-i", QUESTION, "-m", tiny_models[kind], "--device", "cpu"]
    lines = [json.loads(line) for line in inbedder(*command).stdout.splitlines()]
    assert [len(line["vector"] or []) for line in lines] == [32, 32, 0, 32, 32, 32]
    refused = inbedder(*command, "--pooling", other)
    assert refused.exit_code == 2
    assert f"does not support the pooling {other}" in refused.stderr


def test_the_template_can_be_given(run, reviews):
    out = run("embed", reviews, "--dry-run", "--template", "{text}\\nQ: {instruction}").stdout
    assert out.startswith(f"The room was cold and loud.\nQ: {QUESTION}\n")


def test_a_model_may_come_from_the_environment(inbedder, reviews, tiny, monkeypatch):
    monkeypatch.setenv("INBEDDER_MODEL", tiny)
    assert inbedder("answer", reviews, "-i", QUESTION).exit_code == 0


def test_a_dash_as_output_is_standard_output(run, reviews, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("answer", reviews, "-o", "-").stdout == run("answer", reviews).stdout
    assert run("embed", reviews, "-o", "-").stdout == run("embed", reviews).stdout
    assert not (tmp_path / "-").exists()


def test_rows_that_do_not_answer_are_marked_as_cluster_marks_them(run, tmp_path):
    path = tmp_path / "remarks.csv"
    path.write_text("text\nThe room was cold\nn/a\n-\nA kind host\n")
    expected = ["ok", "no-answer", "no-answer", "ok"]
    sure = ("--min-confidence", "0")
    for command in (("answer", path, "-f", "jsonl"), ("embed", path)):
        done = run(*command, *sure)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert [row["status"] for row in rows] == expected
        assert "2 of 4 rows do not answer the question" in done.stderr
    lines = run("answer", path, *sure).stdout.splitlines()
    assert [bool(line) for line in lines] == [True, False, False, True]
    assert all(run("answer", path, "--no-flag-unanswered").stdout.splitlines())
    run("embed", path, *sure, "-o", tmp_path / "v.parquet")
    assert pq.read_table(tmp_path / "v.parquet")["status"].to_pylist() == expected
