"""Print cross-tables on a terminal: the counts, and the notable combinations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from inbedder_cli.diagnostics.crosstab import NOTABLE
from inbedder_cli.report.terminal import print_notes
from inbedder_cli.report.view import short

if TYPE_CHECKING:
    from rich.console import Console

    from inbedder_cli.diagnostics.crosstab import Combination, Crosstab

MAX_NOTABLE = 5  # combinations listed below the table
NAME_WIDTH = 24  # maximum width of the column of row names, in characters
CELL_WIDTH = 9  # minimum width of a count, in characters
SIGNIFICANT = 0.05  # corrected p-value
CLEAR_TREND = 0.1  # least rank correlation that is told
EFFECT_SIZES = ((0.5, "strong"), (0.3, "medium"), (0.0, "weak"))


def print_crosstab(console: Console, table: Crosstab) -> None:
    """Print the counts, if they fit, the notable combinations, and the strength of the association.

    :param console: where to print.
    :param table: of two groupings of the same rows.
    """
    console.print(Text(f"{short(table.row_name)} x {short(table.column_name)}", style="bold"))
    widest = max((len(row) for row in table.rows), default=0)
    if min(widest, NAME_WIDTH) + CELL_WIDTH * len(table.columns) <= console.width:
        console.print(_counts(table))
    else:
        print_notes(console, ["the counts are wider than this terminal; --report and JSON have them"])
    if table.q_value <= SIGNIFICANT:
        for cell in table.notable()[:MAX_NOTABLE]:
            line = f"{short(cell.row)} x {short(cell.column)}"
            console.print(Text(f"  {line}: {_against_expected(cell)}"))
    print_notes(console, [association(table), *trend_lines(table), *table.notes])
    console.print()


def _against_expected(cell: Combination) -> str:
    if cell.count == 0:
        return f"no row, {cell.expected:.1f} expected"
    return f"{cell.ratio:.1f} times the expected ({cell.count} rows, {cell.expected:.1f} expected)"


def trend_lines(table: Crosstab) -> list[str]:
    """Return a line about each group whose share rises or falls along the order of the other side.

    :param table: of two groupings of the same rows.
    """
    clear = [t for t in table.trends if t.p_value <= SIGNIFICANT and abs(t.correlation) >= CLEAR_TREND]
    return [
        f"{short(t.group)} {'rises' if t.correlation > 0 else 'falls'}: rank correlation {t.correlation:+.2f}, "
        f"corrected {_p(t.p_value)}"
        for t in clear[:MAX_NOTABLE]
    ]


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _counts(table: Crosstab) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    shown.add_column("", overflow="fold", style="bold cyan", max_width=NAME_WIDTH)
    for column in table.columns:
        shown.add_column(Text(short(column)), justify="right", overflow="fold")
    for i, row in enumerate(table.rows):
        cells = []
        for j in range(len(table.columns)):
            residual = table.residuals[i, j]
            style = "bold green" if residual >= NOTABLE else "dim" if residual <= -NOTABLE else ""
            cells.append(Text(f"{table.counts[i, j]:,}", style=style))
        shown.add_row(Text(short(row)), *cells)
    return shown


def association(table: Crosstab) -> str:
    """Return in one line how strongly two groupings are associated.

    A Cramér's V of 0.1 is called weak here, 0.3 medium and 0.5 strong (Cohen 1988: "small", "medium" and
    "large", for tables with two groups on one side).

    :param table: of two groupings of the same rows.
    :return: one line with Cramér's V, adjusted mutual information and the corrected p-value.
    """
    tested = (
        f"{table.test} {_p(table.p_value)}, corrected for all tables {_p(table.q_value)}, {table.n_rows:,} rows"
    )
    rough = "; many cells hold few rows: p is rough" if table.is_rough else ""
    if table.q_value > SIGNIFICANT:
        overall = "overall " if trend_lines(table) else ""
        return f"no {overall}association beyond chance: {tested}{rough}"
    size = next(name for least, name in EFFECT_SIZES if table.cramers_v >= least)
    values = f"Cramér's V {table.cramers_v:.2f}, adjusted mutual information {table.ami:.2f}"
    return f"{size} association: {values}; {tested}{rough}"
