"""Tables of a saved run on a terminal: no word is broken, and what is left out is named."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest
from rich.console import Console

from inbedder_cli.report.run_view import print_table

CLUSTERS = pa.table(
    {
        "cluster": [0, 1],
        "label": ["disgust / disappointment", "gratitude"],
        "label_is_weak": [False, True],
        "size": [53, 32],
        "stability": [0.625, 0.94],
        "answers": ["disgust 34%; disappointment 17%", "gratitude 88%; admiration 6%"],
        "likely_next_words": ["disgust; embarrassment; anger; disappointment", "gratitude; admiration; relief"],
        "reviewed": [5, 0],
        "precision": ["80% (38% to 96%)", None],
    }
)
ROWS = pa.table(
    {
        "id": ["R0175", "R0002"],
        "answer": ["disappointment", "love"],
        "confidence": [0.94, 0.5],
        "cluster_distance": [0.22, 0.3],
        "margin": [0.71, 0.1],
        "text": [
            "I adore how they look and my knees haven't complained once on the long runs. " * 9,
            "An apple 🍏",
        ],
    }
)


def shown(table, width, **options):
    stream = io.StringIO()
    print_table(Console(file=stream, width=width, highlight=False), table, **options)
    return stream.getvalue()


def left_out(printed):
    return " ".join(printed.partition("not shown: ")[2].split()).partition(" (")[0].split(", ")


def words_of(table, names):
    cells = (str(value) for name in names for value in table[name].to_pylist() if isinstance(value, str))
    return {word.rstrip(";") for cell in cells for word in cell.split()}


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
@pytest.mark.parametrize("table", [CLUSTERS, CLUSTERS.slice(0, 1), CLUSTERS.drop_columns(["stability"]), ROWS])
def test_no_word_and_no_number_is_broken(table, width):
    printed = shown(table, width)
    assert all(len(line.rstrip()) <= width for line in printed.splitlines())
    found = {word.rstrip(";") for word in printed.split()}
    assert words_of(table, {"label", "answers", "id", "answer"} & set(table.column_names)) <= found
    for name in {"size", "cluster_distance"} & set(table.column_names) - set(left_out(printed)):
        for value in table[name].to_pylist():
            assert (f"{value:.2f}" if isinstance(value, float) else str(value)) in found


def test_a_narrow_terminal_leaves_out_what_is_of_least_use_and_says_so():
    assert left_out(shown(CLUSTERS, 70))[:2] == ["likely_next_words", "label_is_weak"]
    assert left_out(shown(CLUSTERS, 100)) == ["likely_next_words"]
    assert left_out(shown(CLUSTERS, 200)) == [""]
    assert all(name in " ".join(shown(CLUSTERS, 80).split()) for name in ("label", "size", "precision", "answers"))


def test_columns_without_a_value_are_left_out_of_a_table_with_rows_only():
    assert "weak" in shown(CLUSTERS, 200)
    assert "weak" not in shown(CLUSTERS.slice(0, 1), 200)
    assert "margin" in shown(ROWS.slice(0, 0), 200)


def test_each_answer_has_a_line():
    lines = shown(CLUSTERS, 120).splitlines()
    first = next(n for n, line in enumerate(lines) if "disgust 34%" in line)
    assert "disappointment 17%" in lines[first + 1]


def test_long_texts_are_cut_unless_asked_for_whole():
    text = ROWS["text"][0].as_py().strip()
    assert "…" in shown(ROWS, 80)
    whole = shown(ROWS, 300, whole=True)
    assert "…" not in whole
    assert "".join(text.split()) in "".join(whole.split())


def test_a_cell_cannot_steer_the_terminal():
    table = pa.table(
        {"cluster": [0], "label": ["\x1b[31mred\r\n[bold]x"], "answers": ["\x1b]0;t\x07 (1.00); y\x9b2J (0)"]}
    )
    printed = shown(table, 80)
    assert "\x1b" not in printed
    assert "\x07" not in printed
    assert "\x9b" not in printed
    assert "[bold]x" in printed
