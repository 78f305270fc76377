"""Cross-tables on a terminal and as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from inbedder_cli.diagnostics.crosstab import NOTABLE
from inbedder_cli.report.terminal import printable

if TYPE_CHECKING:
    from rich.console import Console

    from inbedder_cli.diagnostics.crosstab import Crosstab

SENTENCES = 5
CELL = 9  # columns of the terminal that a cell takes at least
CLEAR = 0.05  # corrected p-value
DIGITS = 6


def print_cross(console: Console, table: Crosstab) -> None:
    """Print the counts, if they fit, and what stands out."""
    console.print(Text(f"{printable(table.row_name)} x {printable(table.column_name)}", style="bold"))
    widest = max((len(row) for row in table.rows), default=0)
    if min(widest, 24) + CELL * len(table.columns) <= console.width:
        console.print(_counts(table))
    for found in table.notable()[:SENTENCES]:
        line = f"{printable(found.row)} x {printable(found.column)}: {found.ratio:.1f} times the expected"
        console.print(Text(f"  {line} ({found.count} rows, {found.expected:.1f} expected)"))
    console.print(Text(verdict(table), style="dim"))
    console.print()


def _counts(table: Crosstab) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    shown.add_column("", overflow="fold", style="bold cyan", max_width=24)
    for column in table.columns:
        shown.add_column(Text(printable(column)), justify="right", overflow="fold")
    for i, row in enumerate(table.rows):
        cells = []
        for j in range(len(table.columns)):
            residual = table.residuals[i, j]
            style = "bold green" if residual >= NOTABLE else "dim" if residual <= -NOTABLE else ""
            cells.append(Text(f"{table.counts[i, j]:,}", style=style))
        shown.add_row(Text(printable(row)), *cells)
    return shown


def verdict(table: Crosstab) -> str:
    """Return in one line how far two groupings go together.

    Cramér's V of 0.1 is called small, 0.3 medium, 0.5 large (Cohen 1988, for tables with a side of two).
    """
    if table.q_value > CLEAR:
        return f"no more than chance: p = {table.q_value:.2f}, {table.n_rows:,} rows"
    size = next(
        name for least, name in ((0.5, "strong"), (0.3, "medium"), (0, "weak")) if table.cramers_v >= least
    )
    p = "p < 0.001" if table.q_value < 0.001 else f"p = {table.q_value:.3f}"
    figures = f"Cramér's V {table.cramers_v:.2f}, adjusted mutual information {table.ami:.2f}, {p}"
    return f"{size}: {figures} (corrected for all tables), {table.n_rows:,} rows"


def crossed(table: Crosstab) -> dict[str, Any]:
    """Return a cross-table for JSON."""
    return {
        "rows_are": table.row_name,
        "columns_are": table.column_name,
        "rows": table.rows,
        "columns": table.columns,
        "counts": table.counts.tolist(),
        "residuals": table.residuals.round(3).tolist(),
        "cramers_v": round(table.cramers_v, DIGITS),
        "ami": round(table.ami, DIGITS),
        "p_value": table.p_value,
        "q_value": table.q_value,
    }
