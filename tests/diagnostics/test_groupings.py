"""Columns with meaning: dates, money, counts and codes in the forms that files have."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbedder_cli.diagnostics.crosstab import crosstab
from inbedder_cli.diagnostics.groupings import Grouping, column_grouping, split_bins
from inbedder_cli.errors import UsageError

DAYS = [datetime.date(2024, 1, 5) + datetime.timedelta(days=2 * i) for i in range(80)]
MONTHS = ("2024-01", "2024-02", "2024-03", "2024-04", "2024-05", "2024-06")


@pytest.mark.parametrize(
    "form",
    [
        "{:%Y-%m-%d}",
        "{:%Y-%m-%dT10:00:00Z}",
        "{:%Y-%m-%d 23:59}",
        "{:%m/%d/%Y}",
        "{:%d.%m.%Y}",
        "{:%d/%m/%Y}",
        "{:%d.%m.%Y, 10:15}",
    ],
)
def test_dates_become_periods_in_their_order(form):
    grouping = column_grouping("day", [form.format(day) for day in DAYS])
    assert grouping.order == MONTHS
    assert grouping.values[0] == "2024-01"
    assert np.all(np.diff(grouping.positions) > 0)


@pytest.mark.parametrize(
    ("n_months", "unit", "hint"), [(140, "month", "d:quarter"), (450, "month", "d:year"), (1500, None, "leave")]
)
def test_too_many_periods_are_refused_with_a_unit_that_fits(n_months, unit, hint):
    months = [f"{1850 + i // 12}-{1 + i % 12:02}-01" for i in range(n_months)]
    with pytest.raises(UsageError) as error:
        column_grouping("d", months, unit)
    assert hint in error.value.hint


def test_dates_and_moments_of_arrow_and_epochs_are_dates():
    moments = [datetime.datetime(d.year, d.month, d.day, 12, tzinfo=datetime.UTC) for d in DAYS]
    assert column_grouping("x", DAYS).order == MONTHS
    assert column_grouping("x", moments).order == MONTHS
    assert column_grouping("epoch", [str(int(m.timestamp())) for m in moments]).order == MONTHS
    assert column_grouping("created_at", [int(m.timestamp() * 1000) for m in moments]).order == MONTHS


def test_the_unit_can_be_chosen_and_is_told_otherwise():
    days = [str(day) for day in DAYS]
    assert column_grouping("day", days, "quarter").order == ("2024-Q1", "2024-Q2")
    assert column_grouping("day", days, "week").order[0] == "2024-W01"
    assert "by month" in (column_grouping("day", days).note or "")
    with pytest.raises(UsageError, match="unknown unit"):
        column_grouping("day", days, "fortnight")
    years = [f"{year}-01-01" for year in range(1000, 2000)]
    with pytest.raises(UsageError, match="1,000 periods"):
        column_grouping("day", years, "day")


def test_an_ambiguous_order_of_day_and_month_is_told():
    grouping = column_grouping("day", ["01/02/2024", "03/04/2024", "05/06/2024"])
    assert "01/02/2024 is read as month, day, year" in (grouping.note or "")
    assert grouping.values[0] == "2024-01-02"
    assert "read as" not in (column_grouping("day", ["01/02/2024", "25/04/2024"]).note or "")


@pytest.mark.parametrize(
    "form", ["{:.2f}", "€{:.2f}", "{:.2f} EUR", "${:,.2f}", "{:.1f}%", "{:.0f} kr", "+{:.2f}", "{:.3e}"]
)
def test_amounts_become_ranges_in_their_order(form):
    amounts = [17.25 * i + 1000 for i in range(1, 61)]
    grouping = column_grouping("amount", [form.format(amount) for amount in amounts])
    assert len(grouping.order) == 4
    assert np.all(np.diff(grouping.positions) >= 0)
    assert [grouping.values.count(name) for name in grouping.order] == [15, 15, 15, 15]


def test_decimal_commas_and_thousands_are_told_apart_by_the_whole_column():
    european = [f"{i},50" for i in range(1, 30)] + ["1.234,50"]
    assert column_grouping("amount", european).positions[[0, 29]].tolist() == [1.5, 1234.5]
    american = [f"{i},000" for i in range(1, 30)] + ["1,234.50"]
    assert column_grouping("amount", american).positions[[0, 29]].tolist() == [1000, 1234.5]


def test_stray_cells_are_left_out_and_told():
    cells = [str(i) for i in range(40)] + ["n/a", "-", None, "", "about 7"]
    grouping = column_grouping("amount", cells)
    assert grouping.values[40:] == [None] * 5
    assert grouping.note == (
        "1 cell of amount is no number, and left out; 2 cells of amount are empty, and left out"
    )


@pytest.mark.parametrize("bins", [None, "2", "3", "10"])
@pytest.mark.parametrize(
    "numbers",
    [
        [1, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
        [0] * 5 + list(range(20)),
        [-7, -3, 0, 1, 1, 2, 5, 8, 13, 21, 34, 55, 89, 144],
    ],
)
def test_a_whole_number_belongs_to_the_only_range_that_its_name_holds(numbers, bins):
    grouping = column_grouping("n", numbers, bins)
    ends = {name: [int(end) for end in name.split(" to ")] for name in grouping.order}
    for number, value in zip(numbers, grouping.values, strict=True):
        assert [name for name, (low, *high) in ends.items() if low <= number <= (high or [low])[0]] == [value]
    assert len(grouping.order) > 1


def test_two_numbers_that_are_cut_are_two_groups():
    assert column_grouping("n", [0, 1, 0, 1, 1, 0], "2").values == ["0", "1", "0", "1", "1", "0"]


def test_a_range_of_decimals_says_which_end_belongs_to_it():
    grouping = column_grouping("price", [0.5, 1.5, 2.5, 3.5, 4.5], "2")
    assert grouping.order == ("0.5 to 2.5", "over 2.5 to 4.5")
    assert grouping.values == ["0.5 to 2.5"] * 3 + ["over 2.5 to 4.5"] * 2


def test_few_numbers_stay_values_in_their_order():
    grouping = column_grouping("rating", ["10", "2", "1", "2"])
    assert grouping.order == ("1", "2", "10")
    assert column_grouping("rating", ["10", "2", "1", "2"], "2").order == ("1 to 2", "3 to 10")


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("store", [str(10_000 + 37 * i) for i in range(50)]),
        ("x", [f"{i:05}" for i in range(50)]),
        ("customer_id", list(range(50))),
    ],
)
def test_identifiers_that_look_like_numbers_stay_categories(name, cells):
    grouping = column_grouping(name, cells)
    assert grouping.order == ()
    assert grouping.values == [str(cell) for cell in cells]


def test_bins_are_split_from_names():
    assert split_bins("created_at:month", ["created_at"]) == ("created_at", "month")
    assert split_bins("a:b", ["a:b", "a"]) == ("a:b", None)
    assert split_bins("x:5", ["a"]) == ("x:5", None)
    with pytest.raises(UsageError, match="no dates or numbers"):
        column_grouping("channel", ["mail", "chat"], "month")
    with pytest.raises(UsageError, match="no number of ranges"):
        column_grouping("amount", [1, 2, 3], "many")


def test_an_order_is_kept_in_tables_and_known_to_the_test():
    days = [str(day) for day in DAYS]
    clusters = ["late"] * 35 + ["late", "app"] * 5 + ["app"] * 35
    table = crosstab(Grouping("cluster", clusters), column_grouping("day", days))
    assert table.columns == list(MONTHS)
    assert table.test == "Kruskal-Wallis"
    assert table.p_value < 0.001
    assert {trend.group: trend.correlation > 0 for trend in table.trends} == {"late": False, "app": True}


def test_a_cell_of_one_row_is_no_finding():
    rows = ["a"] * 60 + ["b"]
    table = crosstab(Grouping("x", rows), Grouping("y", ["u"] * 60 + ["v"]))
    assert table.notable() == []


CELLS = st.one_of(st.none(), st.text(max_size=12), st.integers(), st.floats(), st.dates(), st.booleans())


@given(st.lists(CELLS, max_size=30), st.sampled_from(["x", "day", "id", "epoch"]))
def test_any_column_is_a_grouping_with_one_value_per_row(cells, name):
    grouping = column_grouping(name, cells)
    assert len(grouping.values) == len(cells)
    if grouping.order:
        assert {value for value in grouping.values if value is not None} <= set(grouping.order)


def test_paths_into_columns_are_split_from_their_bins():
    names = ["id", "order", "a:b"]
    assert split_bins("order.amount:5", names) == ("order.amount", "5")
    assert split_bins("order.amount", names) == ("order.amount", None)
    assert split_bins("a:b", names) == ("a:b", None)
    assert split_bins("other.amount:5", names) == ("other.amount:5", None)


def test_weeks_are_in_their_order():
    grouping = column_grouping("week", ["2024-W10", "2024-W9", "2024-W11", "2023-W52"])
    assert grouping.order == ("2023-W52", "2024-W9", "2024-W10", "2024-W11")
    assert grouping.positions.tolist() == [2, 1, 3, 0]


def test_an_identifier_is_no_epoch_though_its_name_holds_date():
    assert column_grouping("candidate_id", ["1704067200", "1704153600"]).order == ()


def test_numbers_that_are_none_are_empty_cells():
    cells = [float("nan") if i % 3 == 0 else float(i) for i in range(24)]
    grouping = column_grouping("price", cells)
    assert [grouping.values[i] is None for i in range(24)] == [i % 3 == 0 for i in range(24)]
    assert len(grouping.order) == 4
    assert grouping.note == "8 cells of price are empty, and left out"
    assert len(column_grouping("price", cells, "3").order) == 3


def test_lists_and_truth_values_are_named_as_the_rows_show_them():
    assert column_grouping("tags", [["a"], ["b", "c"], None]).values == ['["a"]', '["b", "c"]', None]
    assert column_grouping("flag", [True, False]).values == ["true", "false"]
