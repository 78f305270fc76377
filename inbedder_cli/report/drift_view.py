"""Print drift on a terminal: the share of each cluster in a saved run and in new rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from inbedder_cli.report.closing_lines import rows_line
from inbedder_cli.report.terminal import print_notes
from inbedder_cli.wording import percent, printable, short

if TYPE_CHECKING:
    from rich.console import Console

    from inbedder_cli.diagnostics.drift import DriftReport


def print_drift(console: Console, title: str, report: DriftReport) -> None:
    """Print each cluster's share of the rows with text in the run ("then") and of the new ones ("now").

    :param console: where to print.
    :param title: the question.
    :param report: how the shares changed.
    """
    table = Table(title=Text(printable(title), style="bold"), title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("", justify="right", style="dim")
    table.add_column("cluster", style="bold cyan", overflow="fold")
    for name in ("then", "now", "95 % interval"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for row in report.clusters:
        interval = f"{percent(row.now_low)} to {percent(row.now_high)}"
        change = ("more" if row.now > row.then else "less") if row.moved else ""
        change += f"{', ' * bool(change)}{row.novel:,} novel" if row.novel else ""
        is_outside = row.cluster < 0
        label = Text(short(row.label), style="not bold dim" if is_outside else "")
        cells = (percent(row.then), percent(row.now), interval)
        table.add_row("" if is_outside else str(row.cluster), label, *cells, change)
    console.print(table)
    print_notes(console, drift_lines(report))


def drift_lines(report: DriftReport) -> list[str]:
    """Return what changed, what to do where the new rows are unlike those of the run, and what became of each.

    :param report: how the shares changed.
    :return: one sentence each.
    """
    advice = (
        "these rows differ from those that were clustered: cluster them anew, or read those that are novel "
        "(column novel of -o FILE)"
    )
    return [drift_line(report), *[advice] * report.is_unlike, rows_line(report.statuses)]


def drift_line(report: DriftReport) -> str:
    """Return one line: which shares changed, and how many rows are novel.

    :param report: how the shares changed.
    :return: one line of text.
    """
    changed = [
        f"{short(row.label)} {percent(row.then)} -> {percent(row.now)}"
        + (f" ({row.novel:,} novel)" if row.novel else "")
        for row in report.clusters
        if row.moved
    ]
    shares = f"changed shares: {'; '.join(changed)}" if changed else "no share changed significantly"
    share = percent(report.n_novel / max(1, report.n_rows))
    return f"{shares}; {report.n_novel:,} of {report.n_rows:,} rows are novel ({share})"
