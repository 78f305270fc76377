"""The command that makes a result again: in a report, and in the hint of a damaged run."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from itertools import pairwise

import pytest

from inbedder_cli import ClusterOptions, ExplainOptions, analyze, read_corpus
from inbedder_cli.report.command import command_of
from tests.report.feedback import QUESTIONS, MoodEncoder, feedback


@pytest.fixture
def told(tmp_path):
    """Return the words of the command that a report tells, for a file of some rows."""
    path = tmp_path / "feedback.csv"
    feedback(60)[13:].rename(columns={"rating": "Rating, 1 to 5"}).to_csv(path, index=False)

    def words(questions="What is the mood?", options=None, *, multi=False, columns=(), by=(), **reading):
        corpus = read_corpus(str(path), text="text", **reading)
        options = options or ClusterOptions(k=2, stability=False)
        made = analyze(
            corpus, questions, MoodEncoder(), cluster_options=options, by=by, multi=multi, baseline=False
        )
        return shlex.split(command_of(replace(made, columns=(*by, *columns))))

    return words


def after(option, words):
    return [word for before, word in pairwise(words) if before == option]


def test_a_column_with_a_comma_is_quoted_as_in_csv(told):
    assert after("--by", told(by=["Rating, 1 to 5", "day:month"])) == ['"Rating, 1 to 5",day:month']


def test_columns_that_only_a_report_shows_are_not_crossed(told):
    assert "--by" not in told(columns=["region"])
    assert after("--by", told(columns=["region"], by=["day"])) == ["day"]
    assert not {"--by", "--color-by"} & set(told(multi=True, columns=["region"]))


def test_each_question_has_its_number_of_clusters(told):
    options = [ClusterOptions(k=3, stability=False), ClusterOptions(stability=False, k_max=4)]
    words = told(QUESTIONS, options)
    assert after("-k", words) == ["3", "auto"]
    assert after("--k-max", words) == ["4"]
    assert "-k" not in told(options=options[1])


def test_the_same_rows_are_read(told):
    words = told(limit=40, sample=30)
    assert after("--limit", words) == ["40"]
    assert after("--sample", words) == ["30"]
    assert not {"--limit", "--sample"} & set(told())


def test_what_came_through_a_pipe_is_read_from_one(told, tmp_path, monkeypatch):
    with (tmp_path / "feedback.csv").open("rb") as stream:
        monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": stream, "isatty": lambda self: False})())
        corpus = read_corpus("-", text="text")
    made = analyze(corpus, "What is the mood?", MoodEncoder(), cluster_options=ClusterOptions(k=2), baseline=False)
    assert shlex.split(command_of(made))[:3] == ["inbedder", "cluster", "-"]


def test_what_cannot_be_seen_is_quoted_for_a_shell(tmp_path):
    path = tmp_path / "x.txt"
    rows = [f"{i}\ta {mood} room" for i, mood in enumerate(["lovely", "broken", "scary"] * 5)]
    path.write_text("id\ttext\n" + "\n".join(rows) + "\n")
    corpus = read_corpus(str(path), text="text", delimiter="\t", input_format="csv")
    options = ClusterOptions(k=2, stability=False)
    made = analyze(corpus, "What is\nthe 'mood'?", MoodEncoder(), cluster_options=options, baseline=False)
    line = command_of(made)
    assert "\n" not in line
    shown = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {line}"], check=True, capture_output=True, text=True
    ).stdout.split("\0")
    assert after("--delimiter", shown) == ["\t"]
    assert after("--input-format", shown) == ["csv"]
    assert after("-i", shown) == ["What is\nthe 'mood'?"]


def test_how_the_clusters_are_explained_is_told(tmp_path):
    path = tmp_path / "feedback.csv"
    feedback(60)[13:].to_csv(path, index=False)
    corpus = read_corpus(str(path), text="text")

    def words(**explained):
        options = ClusterOptions(k=2, stability=False)
        chosen = ExplainOptions(**explained)
        made = analyze(
            corpus,
            "What is the mood?",
            MoodEncoder(),
            cluster_options=options,
            explain_options=chosen,
            baseline=False,
        )
        return shlex.split(command_of(made))

    assert after("--exemplars", words(exemplars=0)) == ["0"]
    assert after("--stop-words", words(stop_words="none")) == ["none"]
    assert not {"--exemplars", "--stop-words"} & set(words())
    assert words(stop_words=["mood"]) == []  # there is no file of them
