"""A cross-table on a terminal: what is beyond chance, and nothing that contradicts it."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from inbedder_cli.diagnostics.crosstab import Trend, crosstab, crosstabs
from inbedder_cli.diagnostics.groupings import Grouping
from inbedder_cli.report.crosstab_view import print_crosstab
from inbedder_cli.report.page_crosstab import page_crosstab

PRINTERS = Grouping("device", ["printer"] * 30 + ["phone"] * 30 + ["laptop"] * 40)
TOPICS = Grouping("topic", ["paper"] * 28 + ["battery"] * 32 + ["screen"] * 40)


def shown(table, width=100):
    stream = io.StringIO()
    print_crosstab(Console(file=stream, width=width, highlight=False), table)
    return stream.getvalue()


@pytest.fixture
def table():
    """Devices and topics that go together, the counts of which are far from the expected."""
    (found,) = crosstabs([(PRINTERS, TOPICS)])
    return found


def test_an_association_is_shown_with_its_counts_and_combinations(table):
    out = shown(table)
    assert "printer x paper: 3.3 times the expected (28 rows, 8.4 expected)" in out
    assert "strong association: Cramér's V" in out
    assert not out.endswith("\n\n")


def test_no_association_is_one_line_without_counts_combinations_and_trends(table):
    trends = (Trend("printer", 0.3, 0.2),)
    out = shown(replace(table, p_value=0.3, q_value=0.576, trends=trends, notes=("topic by month",)), 200)
    assert out == (
        "device x topic: no association beyond chance: chi-squared p = 0.300, corrected for all tables p = 0.576, "
        "100 rows\n"
    )


def test_a_trend_without_an_overall_association_is_told_with_it(table):
    trends = (Trend("printer", 0.2, 0.032), Trend("phone", -0.15, 0.2))
    found = replace(table, test="Kruskal-Wallis", p_value=0.2, q_value=0.409, trends=trends)
    (line,) = shown(found, 300).splitlines()
    assert line.startswith("device x topic: no overall association (Kruskal-Wallis p = 0.200")
    assert line.endswith(", but printer rises: rank correlation +0.20, corrected p = 0.032")
    assert "beyond chance" not in line


def test_the_page_marks_no_cell_without_an_association(table):
    cells = [cell for _, row in page_crosstab(table).rows for cell in row]
    assert any(cell.mark for cell in cells)
    assert any(cell.shade for cell in cells)
    unclear = page_crosstab(replace(table, q_value=0.2))
    assert not unclear.is_clear
    assert {(cell.mark, cell.shade) for _, row in unclear.rows for cell in row} == {("", "")}
    assert unclear.rows[0][1][0].count == cells[0].count


def test_counts_that_do_not_fit_are_told_with_what_shows_them():
    columns = [f"month {i:02}" for i in range(15)]
    values = [*columns[:8] * 50, *columns[8:] * 50][:600]
    wide = crosstab(Grouping("a", ["x"] * 300 + ["y"] * 300), Grouping("b", values))
    assert "month 03" in shown(wide, 200).splitlines()[2]
    out = " ".join(shown(wide, 80).split())
    assert f"need a terminal of {1 + 9 * len(wide.columns)} columns; the report (--report) and JSON" in out


def test_a_combination_that_is_missing_is_not_called_a_multiple():
    counts = np.array([[0, 40], [40, 1]])
    rows = [name for name, row in zip("ab", counts.tolist(), strict=True) for _ in range(sum(row))]
    columns = [name for row in counts.tolist() for name, n in zip("uv", row, strict=True) for _ in range(n)]
    out = shown(crosstab(Grouping("x", rows), Grouping("y", columns)))
    assert "a x u: none, where 19.8 were expected" in out
    assert "b x v: 1, where 20.8 were expected" in out
    assert "0.0 times" not in out


@pytest.mark.parametrize("swapped", [False, True])
def test_a_grouping_of_one_value_has_nothing_to_compare(swapped):
    sides = (TOPICS, Grouping("team", ["blue"] * 100))
    (found,) = crosstabs([sides[::-1] if swapped else sides])
    assert shown(found).split(": ", 1)[1] == "nothing to compare: team is blue in 100 rows\n"
