"""The first screen: every cluster is on it, and no row can steer the terminal."""

from __future__ import annotations

import io
import re
import time
import unicodedata
from dataclasses import replace

import pytest
from rich.console import Console

from inbedder_cli.explanation.phrases import Phrase
from inbedder_cli.explanation.summaries import AnswerShare
from inbedder_cli.report.terminal import print_result
from tests.report.results import LABELS, a_result, doubtful_result, evil_result


def shown(result, width):
    stream = io.StringIO()
    print_result(Console(file=stream, width=width, highlight=False), result)
    return stream.getvalue()


def words(text):
    return text.split()


@pytest.mark.parametrize("width", [80, 200])
def test_every_cluster_is_shown_with_its_label_size_and_share(width):
    lines = shown(a_result(), width).splitlines()
    assert all(len(line.rstrip()) <= width for line in lines)
    for i, label in enumerate(LABELS):
        start = next(n for n, line in enumerate(lines) if line.split()[:1] == [str(i)])
        block = " ".join(lines[start : start + 3])
        assert set(words(label)) <= set(words(block))
        assert words(lines[start])[1] == label.split()[0]
        assert "21%" in lines[start]
        assert "75%" in words(block)
        assert f"id{i}" in block


@pytest.mark.parametrize("width", [80, 200])
def test_the_noise_is_shown_with_its_share(width):
    line = next(line for line in shown(a_result(), width).splitlines() if words(line)[:1] == ["noise"])
    assert words(line)[:3] == ["noise", "6", "16%"]


@pytest.mark.parametrize("width", [80, 200])
def test_the_question_and_the_file_are_shown(width):
    assert "Why is the customer unhappy?   reviews.csv" in shown(a_result(), width)


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("label", ["disappointment", "miscommunication, unresponsiveness"])
def test_a_label_too_long_for_its_column_is_wrapped_not_cut(width, label):
    lines = shown(a_result(labels=[label, *LABELS[1:]]), width).splitlines()
    header = next(line for line in lines if "rows" in line)
    column = slice(header.index("cluster"), header.index("rows"))
    start = next(n for n, line in enumerate(lines) if words(line)[:1] == ["0"])
    end = next(n for n, line in enumerate(lines) if words(line)[:1] == ["1"])
    assert "".join("".join(words(line[column])) for line in lines[start:end]) == label.replace(" ", "")


@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_word_of_a_label_is_broken(width):
    word = "micromanagement"
    assert word in shown(a_result(labels=[f"{word} / salary", *LABELS[1:]]), width)


@pytest.mark.parametrize("width", [80, 200])
def test_no_control_character_reaches_the_terminal_and_markup_is_shown_as_it_is(width):
    out = shown(evil_result(), width)
    assert {c for c in out if unicodedata.category(c).startswith("C")} == {"\n"}
    assert "[red]markup[/red]" in out
    assert ":smile:" in out


def test_color_is_never_used_when_it_is_not_wanted(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    print_result(Console(file=stream, width=100, force_terminal=True, highlight=False), a_result())
    codes = {code for codes in re.findall(r"\x1b\[([\d;]*)m", stream.getvalue()) for code in codes.split(";")}
    assert codes <= {"0", "1", "2", "3"}  # bold, dim and italic are no colors


def test_without_answers_the_phrases_are_called_words_of_the_texts():
    assert "words of the texts" in shown(a_result(answers=False), 200)
    assert "words of the texts" not in shown(a_result(), 200)


def test_no_exemplars_leave_the_cell_empty():
    result = a_result("Nothing came.")
    bare = replace(result, summaries=[replace(s, exemplars=[]) for s in result.summaries])
    assert "Nothing came." not in shown(bare, 200)


def test_a_long_example_is_truncate():
    assert "…" in shown(a_result("word " * 500), 80)


def test_unstable_clusters_and_weak_labels_are_marked():
    out = shown(doubtful_result(), 200)
    assert "unstable 0.50" in out
    assert "weak label 0.21" in out
    assert "1 of 4 clusters is unstable: it is not found again in random halves of the data" in out
    assert "1 of 4 labels is weak: it hardly tells its rows from others (0: not at all, 1: fully" in out


@pytest.mark.parametrize("with_phrases", [False, True])
@pytest.mark.parametrize("width", [80, 99, 100, 120, 200])
def test_no_word_of_a_name_or_an_answer_is_broken(width, with_phrases):
    answers = [AnswerShare("micromanagement", 0.9), AnswerShare("troubleshooting", 0.1)]
    phrases = [Phrase("a phrase of its own", 0.6, 3.0, 2.0)] if with_phrases else []
    result = a_result(labels=["globalprotect / misunderstanding", *LABELS[1:]])
    result = replace(result, summaries=[replace(s, answers=answers, phrases=phrases) for s in result.summaries])
    out = words(shown(result, width))
    for word in ("globalprotect", "misunderstanding", "micromanagement", "troubleshooting"):
        assert word in out
    assert ("distinctive" in out) == (with_phrases and width >= 100)


def test_the_column_of_names_does_not_shrink_where_phrases_are_shown():
    result = a_result()
    result = replace(result, summaries=[replace(s, answers=[AnswerShare("x", 1)]) for s in result.summaries])
    headers = [next(line for line in shown(result, width).splitlines() if "rows" in line) for width in (80, 100)]
    assert "distinctive" in headers[1]
    narrow, wide = (header.index("rows") - header.index("cluster") for header in headers)
    assert wide >= narrow


def test_one_blank_line_stands_above_the_lines_below_the_table():
    lines = [line.strip() for line in shown(a_result(), 100).splitlines()]
    below = lines.index("4 clusters found by HDBSCAN (min_cluster_size 5)")
    assert lines[below - 1] == ""
    assert lines[below - 2] != ""
    assert lines[-1] != ""


@pytest.mark.parametrize("width", [1, 2, 5, 20])
def test_terminals_of_any_width_get_a_table(width):
    assert shown(evil_result(), width)


def test_huge_cells_are_cut_before_they_are_wrapped():
    begun = time.monotonic()
    out = shown(a_result("x" * 1_000_000, labels=["y" * 1_000_000, *LABELS[1:]]), 100)
    assert len(out) < 20_000
    assert time.monotonic() - begun < 20  # uncut it is a minute


def test_the_name_of_the_file_is_shown_escaped():
    result = a_result()
    out = shown(replace(result, corpus=replace(result.corpus, source="a\u202e\x1b[31m.csv")), 100)
    assert r"a\u202e\x1b[31m.csv" in out
