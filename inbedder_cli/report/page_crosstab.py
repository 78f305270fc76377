"""A cross-table as the report shows it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.diagnostics.crosstab import NOTABLE
from inbedder_cli.report.crosstab_view import association_lines
from inbedder_cli.wording import percent, printable, short

if TYPE_CHECKING:
    from inbedder_cli.diagnostics.crosstab import Crosstab

LEVELS = (1.0, 2.0, NOTABLE, 5.0)  # absolute residuals from which a cell is shaded more strongly


@dataclass(frozen=True)
class CrosstabCell:
    """A cell.

    :param count: number of rows, for example "1,234".
    :param share: share of the row, for example "21%".
    :param shade: class of its shade: "" or "more1" to "more4", "less1" to "less4".
    :param mark: "more" or "fewer" where the count is beyond chance, else "".
    :param expected: the count to expect by chance.
    """

    count: str
    share: str
    shade: str
    mark: str
    expected: str


@dataclass(frozen=True)
class PageCrosstab:
    """A cross-table.

    :param row_name: name of the first grouping.
    :param column_name: name of the second one.
    :param columns: values of the second one.
    :param rows: values of the first one, each with its cells.
    :param lines: how strongly the two are associated, trends and notes, one sentence each.
    :param is_clear: whether they are associated beyond chance.
    """

    row_name: str
    column_name: str
    columns: list[str]
    rows: list[tuple[str, list[CrosstabCell]]]
    lines: list[str]
    is_clear: bool


def page_crosstab(table: Crosstab) -> PageCrosstab:
    """Return a cross-table as the page shows it.

    :param table: of two groupings of the same rows.
    """
    notable = {(cell.row, cell.column) for cell in table.notable()}
    totals = np.maximum(1, table.counts.sum(axis=1))
    rows = [
        (
            short(row),
            [
                CrosstabCell(
                    f"{table.counts[i, j]:,}",
                    percent(table.counts[i, j] / totals[i]),
                    _shade(float(table.residuals[i, j])) if table.is_significant else "",
                    "" if (row, column) not in notable else "more" if table.residuals[i, j] > 0 else "fewer",
                    f"{table.expected[i, j]:,.1f}",
                )
                for j, column in enumerate(table.columns)
            ],
        )
        for i, row in enumerate(table.rows)
    ]
    return PageCrosstab(
        short(table.row_name),
        short(table.column_name),
        [short(column) for column in table.columns],
        rows,
        [printable(line) for line in (*association_lines(table), *map(_note, table.notes))],
        table.is_significant,
    )


def _note(note: str) -> str:
    """Return a note without the advice how to change what it says, which is for the command line."""
    return re.sub(r" \([^()]* to change\)", "", note)


def _shade(residual: float) -> str:
    level = sum(abs(residual) >= least for least in LEVELS)
    return f"{'more' if residual > 0 else 'less'}{level}" if level else ""
