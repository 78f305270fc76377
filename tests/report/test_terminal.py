"""The first screen: every cluster is on it, and no row can steer the terminal."""

from __future__ import annotations

import io
import re
import unicodedata
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from inbedder_cli.clustering import Clustering, KScore, KSelection
from inbedder_cli.corpus import Corpus
from inbedder_cli.explanation.phrases import Phrase
from inbedder_cli.explanation.summaries import ClusterSummary, Exemplar
from inbedder_cli.options import ClusterOptions
from inbedder_cli.report.terminal import closing_lines, percent, print_run, printable, shortened
from inbedder_cli.results import ClusteringResult, Embeddings, RowStatus

few_examples = settings(deadline=None, max_examples=30)
EVIL = "\x1b[31mred\x1b[0m [red]markup[/red] :smile: \x07bell\r\nnext\u202eline\x9b2J"
LABELS = ["slow delivery", "refund", "wrong item", "kind staff"]


def a_run(text="Nothing came.", *, labels=LABELS, algorithm="hdbscan", choice=None, answers=True):
    """40 rows: four clusters of 8, six rows of noise, one empty, one failed."""
    n = 40
    corpus = Corpus(
        "reviews.csv", pa.table({"text": [text] * n}), [text] * n, [str(i) for i in range(n)], ("text",)
    )
    numbers = np.repeat([0, 1, 2, 3, -1], [8, 8, 8, 8, 6])
    status = [RowStatus.ok] * 32 + [RowStatus.noise] * 6 + [RowStatus.empty, RowStatus.failed]
    summaries = [
        ClusterSummary(
            i, label, 8, 8 / 38, [Phrase(label, 0.75, 3.0, 2.0)], [Exemplar(8 * i, f"id{i}", "answer", text)]
        )
        for i, label in enumerate(labels)
    ]
    summaries.append(ClusterSummary(-1, "noise", 6, 6 / 38, [], [Exemplar(32, "id32", "answer", text)]))
    return ClusteringResult(
        corpus,
        "Why is the customer unhappy?",
        Embeddings(np.zeros((n, 2), np.float32), ["answer"] * n if answers else None, status),
        Clustering(
            numbers[:38],
            np.zeros(38, np.float32),
            np.zeros(38, np.int64),
            np.zeros(38, np.float32),
            np.ones((4, 2), np.float32),
            np.zeros(2, np.float32),
            ClusterOptions(algorithm, k=4, min_cluster_size=5),
            choice,
        ),
        summaries,
        list(range(38)),
        status,
    )


def shown(run, width):
    stream = io.StringIO()
    print_run(Console(file=stream, width=width, highlight=False), run)
    return stream.getvalue()


def words(text):
    return text.split()


@pytest.mark.parametrize("width", [80, 200])
def test_every_cluster_is_shown_with_its_label_size_and_share(width):
    lines = shown(a_run(), width).splitlines()
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
    line = next(line for line in shown(a_run(), width).splitlines() if words(line)[:1] == ["noise"])
    assert words(line)[:3] == ["noise", "6", "16%"]


@pytest.mark.parametrize("width", [80, 200])
def test_the_question_and_the_file_are_shown(width):
    assert "Why is the customer unhappy?   reviews.csv" in shown(a_run(), width)


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("label", ["disappointment", "miscommunication, unresponsiveness"])
def test_a_label_too_long_for_its_column_is_wrapped_not_cut(width, label):
    lines = shown(a_run(labels=[label, *LABELS[1:]]), width).splitlines()
    header = next(line for line in lines if "rows" in line)
    column = slice(header.index("cluster"), header.index("rows"))
    start = next(n for n, line in enumerate(lines) if words(line)[:1] == ["0"])
    end = next(n for n, line in enumerate(lines) if words(line)[:1] == ["1"])
    assert "".join("".join(words(line[column])) for line in lines[start:end]) == label.replace(" ", "")


@pytest.mark.parametrize("width", [80, 200])
def test_no_control_character_reaches_the_terminal_and_markup_is_shown_as_it_is(width):
    run = a_run(EVIL)
    evil = [
        replace(s, label=s.label + EVIL, exemplars=[replace(e, id=EVIL) for e in s.exemplars])
        for s in run.summaries
    ]
    run = replace(
        run, instruction=EVIL, corpus=replace(run.corpus, source=EVIL), summaries=[*evil[:-1], run.summaries[-1]]
    )
    out = shown(run, width)
    assert {c for c in out if unicodedata.category(c).startswith("C")} == {"\n"}
    assert "[red]markup[/red]" in out
    assert ":smile:" in out


def test_colour_is_never_used_when_it_is_not_wanted(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    print_run(Console(file=stream, width=100, force_terminal=True, highlight=False), a_run())
    codes = {code for codes in re.findall(r"\x1b\[([\d;]*)m", stream.getvalue()) for code in codes.split(";")}
    assert codes <= {"0", "1", "2", "3"}  # bold, dim and italic are no colours


def test_without_answers_the_phrases_are_called_words_of_the_texts():
    assert "words of the texts" in shown(a_run(answers=False), 200)
    assert "words of the texts" not in shown(a_run(), 200)


def test_no_exemplars_leave_the_cell_empty():
    run = a_run("Nothing came.")
    bare = replace(run, summaries=[replace(s, exemplars=[]) for s in run.summaries])
    assert "Nothing came." not in shown(bare, 200)


def test_a_long_example_is_shortened():
    assert "…" in shown(a_run("word " * 500), 80)


def test_the_last_lines_tell_what_was_left_out():
    lines = closing_lines(a_run())
    assert lines[0] == "4 clusters found by HDBSCAN (min_cluster_size 5)"
    assert lines[-1] == "40 rows, not in a cluster: 6 noise, 1 empty, 1 failed"


def test_nothing_left_out_is_not_mentioned():
    run = replace(a_run(), status=[RowStatus.ok] * 40)
    assert closing_lines(run)[-1] == "40 rows"


def test_the_last_lines_tell_that_k_was_given():
    assert closing_lines(a_run(algorithm="kmeans"))[0] == "k = 4 as asked"


def test_the_last_lines_tell_why_k_was_chosen_and_the_runner_up():
    choice = KSelection(4, {4: KScore(0.7, 0.9, 0.8, 1), 5: KScore(0.6, 0.8, 0.7, -1)}, 38)
    line = closing_lines(a_run(algorithm="kmeans", choice=choice))[0]
    assert line == (
        "k = 4 chosen from 2 to 20: best by silhouette 0.70, stability 0.90 and agreement with answers 0.80; "
        "next is k = 5 (see them all: inbedder tune)"
    )


def test_the_last_lines_tell_when_no_k_stands_out():
    choice = KSelection(4, {3: KScore(0.04, 0.9), 4: KScore(0.05, 0.9)}, 38)
    lines = closing_lines(a_run(algorithm="kmeans", choice=choice))
    assert any("no k stands out" in line for line in lines)


def test_the_last_lines_tell_when_there_was_no_choice():
    line = closing_lines(a_run(algorithm="kmeans", choice=KSelection(4, {}, 38)))[0]
    assert line == "k = 4 chosen from 2 to 20: too few different rows for a choice"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (1e-9, "<1%"), (0.004, "<1%"), (0.006, "1%"), (0.256, "26%"), (0.5, "50%"), (1, "100%")],
)
def test_a_share_is_whole_per_cent(share, text):
    assert percent(share) == text


@pytest.mark.parametrize("rows", [199, 200, 201, 1000, 2000])
def test_something_is_never_rounded_to_nothing(rows):
    assert percent(1 / rows) != "0%"


@few_examples
@given(text=st.text("ab c", max_size=30), room=st.integers(1, 40))
def test_a_shortened_text_fits_its_room(text, room):
    found = shortened(text, room)
    assert len(found) <= room
    assert found == text or (found.endswith("…") and text.startswith(found[:-1]))
    assert (found == text) == (len(text) <= room)


@pytest.mark.parametrize(
    ("text", "room", "found"),
    [
        ("one two three", 13, "one two three"),
        ("one two three", 12, "one two…"),
        ("onetwothree", 5, "onet…"),
        ("", 5, ""),
    ],
)
def test_texts_are_cut_at_a_word(text, room, found):
    assert shortened(text, room) == found


@few_examples
@given(text=st.text(st.characters(codec="utf-8"), max_size=20))
def test_printable_text_is_one_line_without_control_characters(text):
    found = printable(text)
    assert found == "" or found.isprintable()
    assert found == " ".join(found.split())


def test_printable_text_keeps_what_can_be_read():
    assert printable(" a\tb\n\n c é☺ [x] \x1b[31m") == "a b c é☺ [x] [31m"
