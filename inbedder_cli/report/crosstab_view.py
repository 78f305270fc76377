"""Print cross-tables on a terminal: the counts, and the notable combinations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from inbedder_cli.diagnostics.crosstab import NOTABLE
from inbedder_cli.report.terminal import print_notes
from inbedder_cli.wording import count_of, short

if TYPE_CHECKING:
    from rich.console import Console

    from inbedder_cli.diagnostics.crosstab import Combination, Crosstab

MAX_NOTABLE = 5  # combinations listed below the table
NAME_WIDTH = 24  # maximum width of the column of row names, in characters
CELL_WIDTH = 9  # minimum width of a count, in characters
EFFECT_SIZES = ((0.5, "strong"), (0.3, "medium"), (0.0, "weak"))


def print_crosstab(console: Console, table: Crosstab) -> None:
    """Print the counts, if they fit, the notable combinations, and the strength of the association.

    Groupings that are not associated get one line.

    :param console: where to print.
    :param table: of two groupings of the same rows.
    """
    title = Text(f"{short(table.row_name)} x {short(table.column_name)}", style="bold")
    if not table.is_significant:
        console.print(title.append(f": {association_lines(table)[0]}", style="not bold dim"))
        return
    console.print(title)
    notes = [*association_lines(table), *table.notes]
    widest = max((len(row) for row in table.rows), default=0)
    needed = min(widest, NAME_WIDTH) + CELL_WIDTH * len(table.columns)
    if needed <= console.width:
        console.print(_counts(table))
    else:
        notes.append(f"the counts need a terminal of {needed} columns; the report (--report) and JSON have them")
    for cell in table.notable()[:MAX_NOTABLE]:
        console.print(Text(f"  {short(cell.row)} x {short(cell.column)}: {_compared(cell)}"))
    print_notes(console, notes)


def crosstab_lines(table: Crosstab) -> list[str]:
    """Return what a cross-table says without its counts, where none is printed.

    :param table: of two groupings of the same rows.
    :return: the association, the trends and the notable combinations, one line each, with the names before it.
    """
    names = f"{short(table.row_name)} x {short(table.column_name)}"
    lines = [*association_lines(table), *table.notes] if table.is_significant else association_lines(table)[:1]
    lines += [
        f"{short(cell.row)} x {short(cell.column)}: {_compared(cell)}" for cell in table.notable()[:MAX_NOTABLE]
    ]
    return [f"{names}: {line}" for line in lines]


def _compared(cell: Combination) -> str:
    """Return a count beside the expected one."""
    if round(cell.ratio, 1) == 0:
        return f"{f'{cell.count:,}' if cell.count else 'none'}, where {cell.expected:,.1f} were expected"
    counts = f"{count_of(cell.count, 'row')}, {cell.expected:,.1f} expected"
    return f"{cell.ratio:.1f} times the expected ({counts})"


def association_lines(table: Crosstab) -> list[str]:
    """Return how strongly two groupings are associated, and the trends along the order of one side.

    Trends without an association as a whole are told in the same line, so that they do not seem to contradict it.

    :param table: of two groupings of the same rows.
    :return: one line if they are not associated, else one, and one for each trend.
    """
    trends = [
        f"{short(t.group)} {'rises' if t.correlation > 0 else 'falls'}: rank correlation {t.correlation:+.2f}, "
        f"corrected {_p(t.p_value)}"
        for t in table.clear_trends()[:MAX_NOTABLE]
    ]
    if table.is_significant or not trends:
        return [association(table), *trends]
    return [f"no overall association ({_test(table)}), but {'; '.join(trends)}"]


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
    :return: one line with Cramér's V, adjusted mutual information and the corrected p-value; where one side has
        one value only, a line that says so.
    """
    for side, groups in ((table.row_name, table.rows), (table.column_name, table.columns)):
        if len(groups) == 1:
            return f"nothing to compare: {short(side)} is {short(groups[0])} in {count_of(table.n_rows, 'row')}"
    if not table.is_significant:
        return f"no association beyond chance: {_test(table)}"
    size = next(name for least, name in EFFECT_SIZES if table.cramers_v >= least)
    values = f"Cramér's V {table.cramers_v:.2f}, adjusted mutual information {table.ami:.2f}"
    return f"{size} association: {values}; {_test(table)}"


def _test(table: Crosstab) -> str:
    rough = "; many cells hold few rows: p is rough" if table.is_rough else ""
    p_values = f"{_p(table.p_value)}, corrected for all tables {_p(table.q_value)}"
    return f"{table.test} {p_values}, {count_of(table.n_rows, 'row')}{rough}"
