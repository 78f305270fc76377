"""What each number of clusters would give, as a table, as data and on a terminal."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from inbedder_cli.clustering import KSelection
from inbedder_cli.output.tables import SCHEMA, tried
from inbedder_cli.report.terminal import percent

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from inbedder_cli.clustering import SizeScore


def as_table(found: KSelection | list[SizeScore]) -> pa.Table:
    """Return one row per k (`chosen` marks the best), or one per smallest cluster size."""
    import pyarrow as pa

    return pa.Table.from_pylist(_records(found))


def document(found: KSelection | list[SizeScore], instruction: str) -> dict[str, Any]:
    """Return the same as one JSON document."""
    return {"schema": SCHEMA, "instruction": instruction, "tried": _records(found)}


def _records(found: KSelection | list[SizeScore]) -> list[dict[str, Any]]:
    if isinstance(found, KSelection):
        return [record | {"chosen": record["k"] == found.k} for record in tried(found)]
    return [asdict(score) for score in found]


def print_choice(console: Console, found: KSelection | list[SizeScore]) -> None:
    """Print the figures, and what follows from them."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    lines = []
    if isinstance(found, KSelection):
        for name in ("k", "silhouette", "stability", "answers", "score", ""):
            table.add_column(name, justify="right" if name else "left")
        notes = {found.k: "best", found.runner_up: "next"}
        for k, score in found.scores.items():
            answers = "" if score.agreement is None else f"{score.agreement:.2f}"
            figures = (f"{score.silhouette:.2f}", f"{score.stability:.2f}", answers, f"{score.total:+.1f}")
            table.add_row(str(k), *figures, notes.get(k, ""), style="bold" if k == found.k else "")
        lines.append(f"on {found.n_rows:,} rows; -k auto takes the best score, k = {found.k}")
    else:
        for name in ("min_cluster_size", "clusters", "noise", "stability", ""):
            table.add_column(name, justify="right" if name else "left")
        for size in found:
            note = "cliff" if size.cliff else ""
            table.add_row(
                str(size.min_cluster_size), str(size.k), percent(size.noise), f"{size.stability:.2f}", note
            )
        if any(size.cliff for size in found):
            lines.append("cliff: a small step in size makes quite another number of clusters; stay off its edge")
    console.print(table)
    for line in lines:
        console.print(Text(line, style="dim"))
