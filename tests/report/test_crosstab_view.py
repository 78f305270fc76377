"""Cross-tables on a terminal: what they list agrees with what they conclude."""

from __future__ import annotations

import io

from rich.console import Console

from inbedder_cli.diagnostics.crosstab import crosstabs
from inbedder_cli.diagnostics.groupings import Grouping
from inbedder_cli.report.crosstab_view import print_crosstab


def shown(one, other, width=100):
    stream = io.StringIO()
    print_crosstab(Console(file=stream, width=width, highlight=False), crosstabs([(one, other)])[0])
    return stream.getvalue()


def test_a_table_without_association_lists_no_combination():
    pairs = [(i, j) for i in range(12) for j in range(12)] * 2 + [(0, 0)] * 6
    one = Grouping("x", [f"a{i}" for i, _ in pairs])
    other = Grouping("y", [f"b{j}" for _, j in pairs])
    assert crosstabs([(one, other)])[0].notable()
    out = shown(one, other, width=300)
    assert "no association beyond chance" in out
    assert "expected" not in out


def test_a_combination_that_never_occurs_is_not_a_multiple():
    values = ["a", "b"] * 30
    out = shown(Grouping("x", values), Grouping("y", values))
    assert "a x a: 2.0 times the expected (30 rows, 15.0 expected)" in out
    assert "0.0 times" not in out


def test_counts_that_do_not_fit_are_named():
    values = [f"value {i}" for i in range(15)] * 4
    out = shown(Grouping("x", values), Grouping("y", values), width=80)
    assert "the counts are wider than this terminal; --report and JSON have them" in out
    assert "the counts are wider" not in shown(Grouping("x", values), Grouping("y", values), width=300)
