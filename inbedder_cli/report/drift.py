"""How new rows fall into the clusters of a saved run, against how the run's own did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from inbedder_cli.report.terminal import percent, printable

if TYPE_CHECKING:
    from rich.console import Console

    from inbedder_cli.assigning import Drift

DIGITS = 6


def print_drift(console: Console, title: str, moved: list[Drift], n_rows: int, n_novel: int) -> None:
    """Print the shares of clusters then and now."""
    table = Table(title=Text(printable(title), style="bold"), title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("", justify="right", style="dim")
    table.add_column("cluster", style="bold cyan", overflow="fold")
    for name in ("then", "now", "95 % interval"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for row in moved:
        interval = f"{percent(row.now_low)} to {percent(row.now_high)}"
        arrow = ("more" if row.now > row.then else "less") if row.moved else ""
        cells = (percent(row.then), percent(row.now), interval)
        table.add_row(str(row.cluster), Text(printable(row.label)), *cells, arrow)
    console.print(table)
    console.print(Text(summary(moved, n_rows, n_novel), style="dim"))


def summary(moved: list[Drift], n_rows: int, n_novel: int) -> str:
    """Return the drift in one line."""
    changed = [f"{row.label} {percent(row.then)} -> {percent(row.now)}" for row in moved if row.moved]
    shares = f"shares that moved: {'; '.join(changed)}" if changed else "no share moved beyond chance"
    novel = f"{n_novel:,} of {n_rows:,} rows are novel ({percent(n_novel / max(1, n_rows))})"
    return f"{shares}; {novel}"


def as_json(moved: list[Drift], n_rows: int, n_novel: int) -> dict[str, Any]:
    """Return the same for JSON."""
    return {
        "rows": n_rows,
        "novel": n_novel,
        "clusters": [
            {
                "cluster": row.cluster,
                "label": row.label,
                "then": round(row.then, DIGITS),
                "now": round(row.now, DIGITS),
                "now_low": round(row.now_low, DIGITS),
                "now_high": round(row.now_high, DIGITS),
                "q_value": round(row.q_value, DIGITS),
                "moved": row.moved,
            }
            for row in moved
        ],
    }
