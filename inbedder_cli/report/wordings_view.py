"""Print a comparison of wordings of a question on a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from inbedder_cli.diagnostics.wordings import preferences
from inbedder_cli.report.terminal import print_notes
from inbedder_cli.wording import percent, printable

if TYPE_CHECKING:
    from rich.console import Console

    from inbedder_cli.diagnostics.wordings import Wording

LEGEND = "agreement: adjusted mutual information of clusters; baseline: with those of a neutral question"
NAMES = {"baseline": "the lower baseline"}  # of measures, where the higher value is not the better


def print_wordings(console: Console, wordings: list[Wording], agreements: list[list[float]]) -> None:
    """Print the measures of each wording, and the agreement of every two.

    :param console: where to print.
    :param wordings: of one question.
    :param agreements: agreement of every two, shape (n_wordings, n_wordings); NaN if undefined.
    """
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("", style="bold cyan")
    table.add_column("question", overflow="fold", ratio=1)
    for name in ("answered", "short", "answers", "k", "stability", "baseline"):
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
    lines = [
        f"{other.name} and {one.name} agree to {max(0, agreements[i][j]):.2f}"
        for i, one in enumerate(wordings)
        for j, other in enumerate(wordings[:i])
        if not math.isnan(agreements[i][j])
    ]
    print_notes(console, [*lines, LEGEND, preference_line(wordings)])


def preference_line(wordings: list[Wording]) -> str:
    """Return which measures speak for which wordings, and which differ too little to say.

    :param wordings: of one question, at least two.
    """
    favored = preferences(wordings)
    undecided = [measure for measure, names in favored.items() if len(names) == len(wordings)]
    decided: dict[tuple[str, ...], list[str]] = {}
    for measure, names in favored.items():
        if measure not in undecided:
            decided.setdefault(tuple(names), []).append(NAMES.get(measure, measure))
    parts = [f"for {' or '.join(names)}: {', '.join(measures)}" for names, measures in decided.items()]
    if undecided:
        parts.append(f"too close to say: {', '.join(undecided)}")
    return "; ".join(parts)
