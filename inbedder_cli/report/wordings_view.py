"""Wordings of a question side by side, on a terminal and as data."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from inbedder_cli.output.tables import DIGITS, SCHEMA
from inbedder_cli.report.terminal import percent, printable

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from inbedder_cli.diagnostics.wordings import Wording


def as_table(wordings: list[Wording], agreements: list[list[float]]) -> pa.Table:
    """Return one row per wording; its agreement with each other one in columns `agreement_NAME`."""
    import pyarrow as pa

    return pa.Table.from_pylist(
        [
            record | {f"agreement_{other.name}": _plain(x) for other, x in zip(wordings, row, strict=True)}
            for record, row in zip(_records(wordings), agreements, strict=True)
        ]
    )


def document(wordings: list[Wording], agreements: list[list[float]]) -> dict[str, Any]:
    """Return the same as one JSON document, agreements as a matrix."""
    rounded = [[_plain(x) for x in row] for row in agreements]
    return {"schema": SCHEMA, "wordings": _records(wordings), "agreement": rounded}


def _records(wordings: list[Wording]) -> list[dict[str, Any]]:
    return [
        {name: _plain(value) if isinstance(value, float) else value for name, value in asdict(wording).items()}
        for wording in wordings
    ]


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(value, DIGITS)


def print_wordings(console: Console, wordings: list[Wording], agreements: list[list[float]]) -> None:
    """Print the wordings, and how far they agree."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("", style="bold cyan")
    table.add_column("question", overflow="fold", ratio=1)
    for name in ("answered", "short", "answers", "k", "stability", "as baseline"):
        table.add_column(name, justify="right")
    for wording in wordings:
        table.add_row(
            Text(wording.name),
            Text(printable(wording.instruction)),
            percent(wording.answered),
            percent(wording.short),
            str(wording.distinct),
            str(wording.k),
            "" if math.isnan(wording.stability) else f"{wording.stability:.2f}",
            "" if wording.baseline is None else f"{wording.baseline:.2f}",
        )
    console.print(table)
    for i, one in enumerate(wordings):
        for j, other in enumerate(wordings[:i]):
            if not math.isnan(agreements[i][j]):
                agree = f"agree to {max(0, agreements[i][j]):.2f}"
                console.print(Text(f"{other.name} and {one.name} {agree}", style="dim"))
    told = "agreement: adjusted mutual information of clusters; as baseline: with those of a neutral question"
    console.print(Text(told, style="dim"))
