"""Print the table of models on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from inbedder_cli.wording import printable

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

NAMED_LANGUAGES = 4


def print_models(console: Console, table: pa.Table) -> None:
    """Print the models, one line each, and what the columns mean.

    :param console: where to print.
    :param table: the columns of `inbedder models list`.
    """
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    shown.add_column("model", overflow="fold")
    shown.add_column("on this machine")
    for name in ("MB", "V", "rows/s"):
        shown.add_column(name, justify="right")
    shown.add_column("languages")
    for row in table.to_pylist():
        shown.add_row(
            printable(row["model"]) + (" (default)" if row["is_default"] else ""),
            "yes" if row["on_this_machine"] else "fetched on first use",
            f"{row['megabytes'] or 0:,}",
            _number(row["v_measure"]),
            _number(row["rows_per_second"]),
            _languages((row["languages"] or "").split()),
        )
    console.print(shown)
    console.print(
        "V: quality on tasks that it was not developed on; rows/s: last measured on this machine; -f csv has more"
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _languages(codes: list[str]) -> str:
    more = len(codes) - NAMED_LANGUAGES
    return " ".join(codes[:NAMED_LANGUAGES]) + (f" and {more} more" if more > 0 else "")
