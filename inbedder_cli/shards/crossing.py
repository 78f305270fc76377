"""Cross the clusters of all rows with columns of the input.

The groups of a column, such as ranges with equally many rows, depend on all its cells. So the column, and nothing
else of the input, is read into memory whole.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.cell_paths import follow, split_path
from inbedder_cli.corpus.columns import missing_column, values_at
from inbedder_cli.diagnostics.crosstab import crosstabs, pairs_of
from inbedder_cli.diagnostics.groupings import Grouping, column_grouping, split_bins
from inbedder_cli.errors import UsageError
from inbedder_cli.shards.joining import read_rows
from inbedder_cli.shards.shard_rows import read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inbedder_cli.diagnostics.crosstab import Crosstab
    from inbedder_cli.shards.sharding import Plan
    from inbedder_cli.shards.stores import Store

MOST_ROWS = 5_000_000  # a row takes 350 bytes
CROSSED = "cross the rows that are written: pandas.read_parquet(FOLDER, columns=[COLUMN, 'cluster_label'])"


def column_groupings(plan: Plan, work: Store, by: Sequence[str], shards: Iterable[int]) -> list[Grouping]:
    """Return columns of the input as groupings of the rows of shards.

    :param plan: the plan.
    :param work: its folder.
    :param by: the columns, as `inbedder cluster --by` takes them.
    :param shards: the numbers of the shards.
    :raises UsageError: for bins that do not fit their column, and more rows than are crossed in memory.
    :raises InputError: for an unknown column, and rows that cannot be read.
    """
    if by and plan.n_rows > MOST_ROWS:
        raise UsageError(f"--by takes at most {MOST_ROWS:,} rows, not {plan.n_rows:,}", hint=CROSSED)
    names, shards = plan.columns.names, list(shards)
    columns = [split_bins(column, names) for column in by]
    for name, _ in columns:
        if name not in names and split_path(name, names) is None:
            raise missing_column(name, names, plan.source)
    return [column_grouping(name, _cells(plan, work, name, shards), bins) for name, bins in columns]


def _cells(plan: Plan, work: Store, name: str, shards: Iterable[int]) -> list[Any]:
    names = plan.columns.names
    path = None if name in names else split_path(name, names)
    is_staged = plan.files[0].origin is not None  # its nested cells are texts
    cells: list[Any] = []
    known: dict[str, str] = {}  # the same texts are in memory once
    for shard in shards:
        table = read_table(plan, work, shard, [path[0] if path else name])
        if path and is_staged:
            values = [follow(_nested(cell), path[1]) for cell in table.column(0).to_pylist()]
        else:
            values = values_at(table, name, plan.source)
        cells += [known.setdefault(value, value) if isinstance(value, str) else value for value in values]
    return cells


def _nested(cell: str | None) -> Any:  # noqa: ANN401
    try:
        return json.loads(cell or "null")
    except (ValueError, RecursionError):
        return None


def cross_clusters(
    rows: Store, shards: Iterable[int], columns: Sequence[Grouping], prefix: str = ""
) -> list[Crosstab]:
    """Return the cross-tables of the clusters with columns of the input.

    :param rows: the folder of the labelled rows (`label_rows`).
    :param shards: the numbers of the shards.
    :param columns: of all their rows, from `column_groupings`.
    :param prefix: of the names of the result columns.
    :raises InputError: for rows that cannot be read.
    """
    if not columns:
        return []
    name = f"{prefix}cluster_label"
    known: dict[str | None, str | None] = {}
    labels: list[str | None] = []
    for shard in shards:
        labels += [known.setdefault(one, one) for one in read_rows(rows, shard, [name]).column(name).to_pylist()]
    return crosstabs(list(pairs_of([Grouping("cluster", labels)], columns)))
