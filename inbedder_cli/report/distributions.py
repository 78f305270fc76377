"""How the rows of each cluster are distributed over columns of the corpus."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inbedder_cli.corpus.cell_paths import split_path
from inbedder_cli.corpus.columns import missing_column, values_at
from inbedder_cli.corpus.values import value_as_text
from inbedder_cli.diagnostics.groupings import OTHERS, column_grouping, is_empty, split_bins
from inbedder_cli.errors import UsageError
from inbedder_cli.wording import percent, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.diagnostics.groupings import Grouping

MOST_GROUPS = 12  # groups of a column that are shown


@dataclass(frozen=True)
class Column:
    """A column of the corpus that the report shows.

    :param name: its name.
    :param cells: its cells, as texts; None where one is missing.
    :param grouping: its groups.
    :param is_date: whether the shares of the clusters are shown along it.
    """

    name: str
    cells: list[str | None]
    grouping: Grouping
    is_date: bool


@dataclass(frozen=True)
class Bar:
    """A group of a column.

    :param value: the group.
    :param share: its share, for example "24%".
    :param width: the same, 0 to 100, of the widest bar of the column.
    :param usual: the share in all rows, 0 to 100, of the widest bar.
    :param count: number of rows.
    """

    value: str
    share: str
    width: float
    usual: float
    count: int


@dataclass(frozen=True)
class Distribution:
    """How the rows of a cluster are distributed over the groups of a column.

    :param name: name of the column.
    :param is_date: whether each bar is the cluster's share of the rows of a period, instead of the group's share
        of the rows of the cluster.
    :param is_ordered: whether the groups have an order.
    :param bars: one per group.
    """

    name: str
    is_date: bool
    is_ordered: bool
    bars: list[Bar]


def chosen_columns(corpus: Corpus, columns: Sequence[str], date: str | None = None) -> list[Column]:
    """Return columns of a corpus, each once, dates in their periods and numbers in ranges.

    :param corpus: the rows.
    :param columns: their names, or paths into them, with bins after a colon, as `pipeline.analyze` takes `by`.
    :param date: the column along which shares are shown.
    :raises InputError: for an unknown column.
    :raises UsageError: for a date column without dates.
    """
    names = corpus.table.column_names
    chosen: dict[str, Column] = {}
    for given in dict.fromkeys([*columns, *([date] if date else [])]):
        name, bins = split_bins(given, names)
        if name not in names and split_path(name, names) is None:
            raise missing_column(name, names or ["(the run kept none)"], corpus.source)
        cells = values_at(corpus.table, name, corpus.source)
        grouping = column_grouping(name, cells, bins)
        is_date = given == date
        if is_date and grouping.positions is None:
            raise UsageError(f'the column "{name}" holds no dates', hint="name another column with --date")
        if name not in chosen or is_date or bins:
            is_date = is_date or (name in chosen and chosen[name].is_date)
            texts = [None if is_empty(cell) else value_as_text(cell) for cell in cells]
            chosen[name] = Column(name, texts, grouping, is_date)
    return list(chosen.values())


def distributions(column: Column, groups: Sequence[int], n_groups: int) -> list[Distribution]:
    """Return the distribution of each cluster over a column.

    :param column: the column.
    :param groups: the place of each row's cluster in the table of clusters, from 0; -1 for rows in none.
    :param n_groups: number of clusters in that table.
    """
    values = [value if group >= 0 else None for value, group in zip(column.grouping.values, groups, strict=True)]
    totals = Counter(value for value in values if value is not None)
    order = [v for v in column.grouping.order if v in totals] or [v for v, _ in totals.most_common()]
    if not column.grouping.order and len(order) > MOST_GROUPS:
        kept = set(order[: MOST_GROUPS - 1])
        values = [value if value is None or value in kept else OTHERS for value in values]
        totals = Counter(value for value in values if value is not None)
        order = [*order[: MOST_GROUPS - 1], OTHERS]
    pairs = Counter(zip(groups, values, strict=True))
    n_all = sum(totals.values())
    found = []
    for group in range(n_groups):
        n_own = sum(pairs[group, value] for value in order)
        shares, usual = [], []
        for value in order:
            count = pairs[group, value]
            shares.append(count / totals[value] if column.is_date else count / max(1, n_own))
            usual.append(n_own / max(1, n_all) if column.is_date else totals[value] / n_all)
        widest = max([*shares, *usual], default=0) or 1
        bars = [
            Bar(
                short(value),
                percent(share),
                100 * share / widest,
                100 * typical / widest,
                pairs[group, value],
            )
            for value, share, typical in zip(order, shares, usual, strict=True)
        ]
        found.append(Distribution(short(column.name), column.is_date, bool(column.grouping.order), bars))
    return found
