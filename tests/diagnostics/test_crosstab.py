from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from inbedder_cli.diagnostics.crosstab import crosstab, crosstabs, pairs_of
from inbedder_cli.diagnostics.groupings import OTHERS, Grouping, column_grouping

ANGER = ["anger"] * 12 + ["joy"] * 18
DELIVERY = ["delivery"] * 9 + ["price"] * 3 + ["delivery"] * 3 + ["price"] * 15


def table(left=ANGER, right=DELIVERY):
    return crosstab(Grouping("emotion", left), Grouping("reason", right))


def test_counts_expectation_and_residuals_are_the_textbooks():
    found = table()
    assert (found.rows, found.columns) == (["joy", "anger"], ["price", "delivery"])
    assert found.counts.tolist() == [[15, 3], [3, 9]]
    np.testing.assert_allclose(found.expected, [[10.8, 7.2], [7.2, 4.8]])
    # (15 - 10.8) / sqrt(10.8 * (1 - 18/30) * (1 - 18/30)), by hand
    np.testing.assert_allclose(found.residuals, [[3.195, -3.195], [-3.195, 3.195]], atol=1e-3)
    assert found.p_value == pytest.approx(chi2_contingency(found.counts, correction=False).pvalue)
    # V: phi^2 = 0.3403; corrected (0.3403 - 1/29) / (2 - 1/29 - 1)
    assert found.cramers_v == pytest.approx(np.sqrt((0.34028 - 1 / 29) / (1 - 1 / 29)), abs=1e-4)
    first = next(c for c in found.notable() if (c.row, c.column) == ("anger", "delivery"))
    assert first.ratio == pytest.approx(9 / 4.8)


def test_the_same_grouping_goes_together_fully_and_independent_ones_do_not():
    same = table(ANGER, ["x" + value for value in ANGER])
    assert same.ami == pytest.approx(1)
    assert same.cramers_v == pytest.approx(1)
    rng = np.random.default_rng(0)
    unrelated = table(rng.choice(list("abcd"), 2000).tolist(), rng.choice(list("xyz"), 2000).tolist())
    assert abs(unrelated.ami) < 0.01
    assert unrelated.cramers_v < 0.05
    assert unrelated.p_value > 0.01
    assert unrelated.notable() == []


def test_rows_without_a_value_on_either_side_do_not_count():
    assert table([None, *ANGER], ["price", *DELIVERY]).n_rows == 30
    assert table(["anger", *ANGER], [None, *DELIVERY]).counts.tolist() == table().counts.tolist()
    empty = table([None] * 30)
    assert (empty.n_rows, empty.p_value, empty.cramers_v, empty.ami) == (0, 1, 0, 0)
    assert table(["anger"] * 30).p_value == 1


def test_many_values_are_taken_together_and_many_numbers_cut_into_quarters():
    many = table([f"label {i}" for i in range(30)])
    assert len(many.rows) == 20
    assert OTHERS in many.rows
    side = column_grouping("price", [*range(40), None, ""])
    assert sorted(set(side.values[:40])) == ["0 to 9", "10 to 19", "20 to 29", "30 to 39"]
    assert side.values[40:] == [None, None]
    assert [side.values.count(v) for v in set(side.values) - {None}] == [10] * 4
    assert column_grouping("rating", [1, 2, "", 5]).values == ["1", "2", None, "5"]
    assert column_grouping("code", ["007", "x", "nan"]).values == ["007", "x", "nan"]


def test_the_counts_come_out_as_a_frame():
    frame = table().to_frame()
    assert (frame.index.name, frame.columns.name) == ("emotion", "reason")
    assert frame.loc["anger", "delivery"] == 9
    assert frame.to_numpy().tolist() == [[15, 3], [3, 9]]
    expected = pd.crosstab(pd.Series(ANGER, name="emotion"), pd.Series(DELIVERY, name="reason"))
    pd.testing.assert_frame_equal(
        frame.sort_index().sort_index(axis=1), expected, check_index_type=False, check_column_type=False
    )
    assert table([None] * 30).to_frame().shape == (0, 0)


def test_groupings_without_association_have_an_effect_size_of_zero_from_either_side():
    one, other = ["a", "a", "b", "b", "c", "c"], ["x", "y", "y", "y", "y", "y"]
    assert table(one, other).cramers_v == table(other, one).cramers_v == 0


def test_p_values_are_corrected_for_the_number_of_tables():
    sides = [Grouping("a", ANGER), Grouping("b", DELIVERY)]
    column = Grouping("c", ["u", "v", "w"] * 10)
    assert [(a.name, b.name) for a, b in pairs_of(sides, [column])] == [("a", "b"), ("a", "c"), ("b", "c")]
    tables = crosstabs(list(pairs_of(sides, [column])))
    assert tables[0].q_value == pytest.approx(3 * tables[0].p_value)
    assert all(t.q_value >= t.p_value for t in tables)
    assert crosstabs([]) == []


def test_rows_that_do_not_answer_are_no_association():
    said = [*ANGER, *["(no clear answer)"] * 10]
    topic = [*["x", "y"] * 15, *["(no clear answer)"] * 10]
    column = Grouping("c", ["u"] * 30 + ["v"] * 10)
    between, one, _ = crosstabs(list(pairs_of([Grouping("a", said), Grouping("b", topic)], [column])))
    assert between.n_rows == 30
    assert "(no clear answer)" not in (*between.rows, *between.columns)
    assert between.cramers_v == table(ANGER, topic[:30]).cramers_v
    assert between.notes == tuple(f"{name}: without 10 rows that do not answer" for name in "ab")
    assert (one.n_rows, one.cramers_v) == (30, 0)  # only rows that do not answer had another value in the column
    assert one.notes == between.notes[:1]


def test_one_row_that_does_not_answer_is_told_in_the_singular():
    said, topic = [*ANGER, "(no clear answer)"], [*["x", "y"] * 15, "x"]
    (between,) = crosstabs(list(pairs_of([Grouping("a", said), Grouping("b", topic)], [])))
    assert between.notes == ("a: without 1 row that does not answer",)


def test_no_combination_is_notable_without_an_association():
    found = table()
    assert found.notable()
    unclear = replace(found, q_value=0.06)
    assert (unclear.is_significant, unclear.notable()) == (False, [])


values = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy")), min_size=2, max_size=40)


@settings(deadline=None, max_examples=40)
@given(values, st.randoms())
def test_the_order_and_the_names_of_values_do_not_matter(pairs, random):
    one = table([a for a, _ in pairs], [b for _, b in pairs])
    random.shuffle(pairs)
    other = table([a.upper() for a, _ in pairs], [b.upper() for _, b in pairs])
    for name in ("cramers_v", "ami", "p_value"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-9)
    assert one.counts.sum() == len(pairs)
    swapped = table([b for _, b in pairs], [a for a, _ in pairs])
    assert swapped.cramers_v == pytest.approx(one.cramers_v, abs=1e-9)


@pytest.mark.parametrize("offset", [0, 1_700_000_000, 1e15])
def test_ranges_of_large_numbers_are_distinguished(offset):
    side = column_grouping("size", [offset + i for i in range(400)])
    assert [side.values.count(value) for value in sorted(set(side.values))] == [100] * 4


def test_a_value_that_most_rows_have_stands_against_the_others():
    side = column_grouping("count", [0] * 320 + list(range(1, 81)) + [None])
    assert side.values == ["0"] * 320 + [OTHERS] * 80 + [None]
