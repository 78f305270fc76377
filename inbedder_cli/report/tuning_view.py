"""Print the scores of each number of clusters on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from inbedder_cli.clustering import KSelection
from inbedder_cli.report.closing_lines import k_selection_doubts
from inbedder_cli.report.terminal import print_notes
from inbedder_cli.wording import percent

if TYPE_CHECKING:
    from rich.console import Console

    from inbedder_cli.clustering import SizeScore

CLIFF = "cliff: one step in size changes the number of clusters by a factor of two or more; avoid sizes near it"


def print_tuning(console: Console, tuning: KSelection | list[SizeScore]) -> None:
    """Print the scores of every k, or of every smallest cluster size, and the chosen one.

    :param console: where to print.
    :param tuning: what `pipeline.tune` returns.
    """
    if isinstance(tuning, KSelection):
        _print_k_selection(console, tuning)
    else:
        _print_sizes(console, tuning)


def _print_k_selection(console: Console, selection: KSelection) -> None:
    table = _table("k", "silhouette", "stability", "answers", "score")
    marks = {selection.close: "close", selection.best: "best", selection.k: "chosen"}
    for k, score in selection.scores.items():
        answers = "" if score.agreement is None else f"{score.agreement:z.2f}"
        cells = (f"{score.silhouette:z.2f}", f"{score.stability:z.2f}", answers, f"{score.score:z.2f}")
        table.add_row(str(k), *cells, marks.get(k, ""), style="bold" if k == selection.k else "")
    console.print(table)
    rule = "the fewest clusters near the best score"
    if selection.is_capped:
        rule = "no more clusters than one for five rows, but --k-min"
    notes = [f"on {selection.n_rows:,} rows; -k auto takes {rule}, k = {selection.k}"]
    if selection.scores and selection.k_max and (largest := max(selection.scores)) < selection.k_max:
        notes.append(f"k stops at {largest}: a cluster has two different rows at least")
    print_notes(console, [*notes, *k_selection_doubts(selection)])


def _print_sizes(console: Console, scores: list[SizeScore]) -> None:
    table = _table("min_cluster_size", "clusters", "noise", "stability")
    for size in scores:
        stability = f"{size.stability:.2f}" if size.k else ""
        cells = (str(size.min_cluster_size), str(size.k), percent(size.noise), stability)
        table.add_row(*cells, _size_note(size), style="bold" if size.chosen else "")
    console.print(table)
    chosen = [size.min_cluster_size for size in scores if size.chosen]
    notes = [f"without --min-cluster-size, cluster takes {size}" for size in chosen]
    print_notes(console, [*notes, *([CLIFF] if any(size.k and size.cliff for size in scores) else [])])


def _size_note(size: SizeScore) -> str:
    notes = {"chosen": size.chosen, "no clusters": not size.k, "cliff": bool(size.k) and size.cliff}
    return ", ".join(note for note, holds in notes.items() if holds)


def _table(*names: str) -> Table:
    """Return a table of numbers, with a last column for notes."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("")
    return table
