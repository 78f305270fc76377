"""How new rows fall into the clusters of a saved run, against how the run's own did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from inbedder_cli.report.terminal import percent, printable

if TYPE_CHECKING:
    from rich.console import Console

    from inbedder_cli.diagnostics.drift import DriftReport

DIGITS = 6


def print_drift(console: Console, title: str, report: DriftReport) -> None:
    """Print the shares of clusters then and now."""
    table = Table(title=Text(printable(title), style="bold"), title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("", justify="right", style="dim")
    table.add_column("cluster", style="bold cyan", overflow="fold")
    for name in ("then", "now", "95 % interval"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for row in report.clusters:
        interval = f"{percent(row.now_low)} to {percent(row.now_high)}"
        arrow = ("more" if row.now > row.then else "less") if row.moved else ""
        cells = (percent(row.then), percent(row.now), interval)
        table.add_row(str(row.cluster), Text(printable(row.label)), *cells, arrow)
    console.print(table)
    console.print(Text(summary(report), style="dim"))


def summary(report: DriftReport) -> str:
    """Return the drift in one line."""
    changed = [f"{row.label} {percent(row.then)} -> {percent(row.now)}" for row in report.clusters if row.moved]
    shares = f"shares that moved: {'; '.join(changed)}" if changed else "no share moved beyond chance"
    share = percent(report.n_novel / max(1, report.n_rows))
    novel = f"{report.n_novel:,} of {report.n_rows:,} rows are novel ({share})"
    return f"{shares}; {novel}"


def as_json(report: DriftReport) -> dict[str, Any]:
    """Return the same for JSON."""
    return {
        "rows": report.n_rows,
        "novel": report.n_novel,
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
            for row in report.clusters
        ],
    }
