"""Several questions on one file, crossed with each other and with columns."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

FIRST, SECOND = "What emotion is expressed?", "Which part of the hotel is it about?"


@pytest.fixture
def stays(tmp_path):
    path = tmp_path / "stays.csv"
    lines = [
        f"a{i},text {i} {'cold' if i % 2 else 'kind'} room {i % 5},{1 + i % 3},{i * 1.5}\n" for i in range(30)
    ]
    path.write_text("id,text,rating,price\n" + "".join(lines))
    return path


@pytest.fixture
def run(inbedder, tiny, stays):
    def cluster(*arguments):
        fixed = ["-m", tiny, "--device", "cpu", "--dtype", "float32", "--no-flag-unanswered"]
        return inbedder("cluster", stays, *fixed, *arguments)

    return cluster


def test_a_dry_run_shows_every_question(run):
    out = run("-i", f"emotion={FIRST}", "-i", f"part={SECOND}", "--dry-run").stdout
    assert f"### Instruction:\n{FIRST}" in out
    assert f"### Instruction:\n{SECOND}" in out
    alone = [run("-i", question, "--dry-run").stdout for question in (FIRST, SECOND)]
    assert tokens_in(out) == sum(map(tokens_in, alone))


def tokens_in(out):
    return int(re.search(r"tokens: ([\d,]+)", out)[1].replace(",", ""))


def rows_of(result):
    assert result.exit_code == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_each_question_has_its_columns_and_the_clusters_that_it_has_alone(run):
    both = rows_of(run("-i", f"emotion={FIRST}", "-i", f"part={SECOND}", "-k", "2", "-k", "3"))
    for name, question, k in (("emotion", FIRST, "2"), ("part", SECOND, "3")):
        alone = rows_of(run("-i", question, "-k", k))
        for column in ("cluster", "cluster_label", "answer", "margin", "status"):
            assert [row[f"{name}_{column}"] for row in both] == [row[column] for row in alone]
    assert "cluster" not in both[0]


def test_questions_without_names_are_numbered_and_a_name_alone_is_a_prefix(run):
    assert "q2_cluster" in rows_of(run("-i", FIRST, "-i", SECOND, "-k", "2"))[0]
    assert "mood_cluster" in rows_of(run("-i", f"mood={FIRST}", "-k", "2"))[0]
    assert "cluster" in rows_of(run("-i", "Is a = b?", "-k", "2"))[0]


def test_the_document_holds_every_question_and_what_goes_together(run, tmp_path):
    path = tmp_path / "c.json"
    run("-i", f"emotion={FIRST}", "-i", f"part={SECOND}", "-k", "2", "--by", "rating,price", "--clusters", path)
    document = json.loads(path.read_text())
    assert set(document["questions"]) == {"emotion", "part"}
    assert document["questions"]["part"]["instruction"] == SECOND
    assert sum(c["size"] for c in document["questions"]["part"]["clusters"]) == 30
    named = [(table["row_name"], table["column_name"]) for table in document["crosstabs"]]
    assert named == [
        ("emotion", "part"),
        ("emotion", "rating"),
        ("emotion", "price"),
        ("part", "rating"),
        ("part", "price"),
    ]
    for table in document["crosstabs"]:
        assert sum(map(sum, table["counts"])) == 30
        assert table["q_value"] >= table["p_value"]
    assert sorted(document["crosstabs"][1]["columns"]) == ["1", "2", "3"]
    assert len(document["crosstabs"][2]["columns"]) == 4
    clusters = tmp_path / "c.csv"
    run("-i", f"emotion={FIRST}", "-i", f"part={SECOND}", "-k", "2", "--clusters", clusters)
    rows = list(csv.DictReader(io.StringIO(clusters.read_text())))
    assert [row["question"] for row in rows] == ["emotion", "emotion", "part", "part"]


def test_a_terminal_sees_each_table_and_the_cross_tables(run):
    out = run("-i", f"emotion={FIRST}", "-i", f"part={SECOND}", "-k", "2", "--by", "rating", "-f", "table").stdout
    assert out.index(FIRST) < out.index(SECOND) < out.index("emotion x part") < out.index("emotion x rating")
    assert "part x rating" in out
    assert out.count("30 rows") >= 3


def test_messages_about_one_of_several_questions_have_its_name(run):
    told = run("-i", f"emotion={FIRST}", "-i", f"part={SECOND}", "-k", "2", "-k", "3").stderr.splitlines()
    assert "emotion: k = 2 as asked" in told
    assert "part: k = 3 as asked" in told
    assert sum("under a neutral question" in line for line in told) == 1


def test_how_far_the_question_mattered_is_said_unless_it_is_not_wanted(run):
    asked = run("-i", FIRST, "-k", "2", "-f", "json")
    baseline = json.loads(asked.stdout)["baseline"]
    assert baseline["rows"] == 30
    assert -1 <= baseline["ami"] <= 1
    assert "texts under a neutral question" in asked.stderr
    assert "agreement with the clusters of a neutral question" in asked.stderr
    assert "k = 2 as asked" in asked.stderr
    assert "a neutral question" in run("-i", FIRST, "-k", "2", "-f", "table").stdout
    left_out = run("-i", FIRST, "-k", "2", "-f", "json", "--no-baseline")
    assert json.loads(left_out.stdout)["baseline"] is None
    assert "neutral question" not in left_out.stderr
    assert "under a neutral question" not in left_out.stderr


def test_the_neutral_question_itself_changes_nothing(run):
    from inbedder_cli.diagnostics.baseline import BASELINE_INSTRUCTION

    made = json.loads(run("-i", BASELINE_INSTRUCTION, "-k", "3", "-f", "json").stdout)
    assert made["baseline"]["ami"] == pytest.approx(1)
    out = run("-i", BASELINE_INSTRUCTION, "-k", "3", "-f", "table").stdout
    assert "the question changed little" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-i", f"a={FIRST}", "-i", f"a={SECOND}"], "two questions have the same name"),
        (["-i", FIRST, "-i", " "], "the instruction is empty"),
        (["-i", FIRST, "-k", "2", "-k", "3"], "-k is given 2 times for 1 question"),
        (["-i", f"of guests={FIRST}"], '"of guests" is no name of a question'),
        (["-i", FIRST, "-o", ""], "-o names no file"),
        (["-i", FIRST, "-i", SECOND, "--vectors", "v.npy"], "takes one question"),
    ],
)
def test_what_makes_no_sense_is_refused(run, arguments, said):
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_column_to_cross_with_that_is_not_there_is_an_input_problem(run):
    result = run("-i", FIRST, "--by", "rates")
    assert result.exit_code == 5
    assert 'no column "rates"' in result.stderr
    assert 'did you mean "rating"?' in result.stderr


@pytest.mark.parametrize("n", [2, 8, 20])
def test_a_few_rows_are_clustered_without_a_k(inbedder, tiny, tmp_path, n):
    path = tmp_path / "few.csv"
    path.write_text("text\n" + "".join(f"text {i} {'cold' if i % 2 else 'kind'}\n" for i in range(n)))
    result = inbedder("cluster", path, "-i", FIRST, "-m", tiny, "--no-flag-unanswered")
    assert result.exit_code == 0, result.stderr
    assert len(rows_of(result)) == n


def test_rows_of_one_text_make_one_cluster_and_no_agreement(inbedder, tiny, tmp_path):
    path = tmp_path / "same.csv"
    path.write_text("text\n" + "cold room\n" * 9)
    result = inbedder("cluster", path, "-i", FIRST, "-m", tiny, "--no-flag-unanswered", "-f", "json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert (document["clustering"]["k"], document["baseline"]) == (1, None)


def test_what_looks_like_markup_in_a_column_is_shown_as_it_is(inbedder, tiny, tmp_path):
    path = tmp_path / "x.jsonl"
    kinds = [("[/b]", f"text {i} kind") for i in range(15)] + [("[internal]", f"{i} 12345") for i in range(15)]
    lines = [json.dumps({"text": text, "tag": tag}) for tag, text in kinds]
    path.write_text("\n".join(lines))
    arguments = (
        "cluster",
        path,
        "-i",
        FIRST,
        "-m",
        tiny,
        "--no-flag-unanswered",
        "-k",
        "2",
        "--by",
        "tag",
        "--text",
        "text",
    )
    out = inbedder(*arguments, "-f", "table").stdout
    assert "[internal]" in out
    assert "[/b]" in out
    (table,) = json.loads(inbedder(*arguments, "-f", "json").stdout)["crosstabs"]
    assert sorted(table["columns"]) == ["[/b]", "[internal]"]


def test_questions_whose_columns_would_have_one_name_are_refused(run):
    result = run("-i", f"x={FIRST}", "-i", f"x_second={SECOND}", "-k", "2")
    assert result.exit_code == 2
    assert 'would make a column "x_second_cluster"' in result.stderr


@pytest.mark.parametrize("command", ["answer", "embed", "tune"])
def test_a_second_question_does_not_replace_the_first(inbedder, stays, tiny, command):
    refused = inbedder(command, stays, "-m", tiny, "-i", FIRST, "-i", SECOND)
    assert refused.exit_code == 2
    assert "-i is given 2 times" in refused.stderr


def test_a_pipe_is_told_of_cross_tables(run):
    told = run("-i", FIRST, "-k", "2", "--by", "rating").stderr.splitlines()
    assert any(line.startswith("cluster x rating: ") and "30 rows" in line for line in told)


def test_a_number_is_no_file_of_clusters(run):
    refused = run("-i", FIRST, "--clusters", "8")
    assert (refused.exit_code, "-k 8" in refused.stderr) == (2, True)
