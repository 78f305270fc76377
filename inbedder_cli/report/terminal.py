"""The first screen: one table of clusters and the lines that an analyst needs to read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from inbedder_cli.clustering import NOISE, UNSTABLE
from inbedder_cli.diagnostics.baseline import SAME
from inbedder_cli.explanation.summaries import UNANSWERED
from inbedder_cli.registry import algorithms

if TYPE_CHECKING:
    from rich.console import Console

    from inbedder_cli.clustering import KScore
    from inbedder_cli.diagnostics.baseline import BaselineAgreement
    from inbedder_cli.explanation.summaries import ClusterSummary
    from inbedder_cli.results import ClusteringResult

PHRASES_SHOWN = 4
NARROW = 100
WEAK_LABEL = 0.3  # held-out F1 below which a label says little of its cluster
WEAK = 0.1  # below this mean silhouette the clusters shade into each other
WHOLE_TEXT = 4  # lines that an exemplar may take


def print_run(console: Console, run: ClusteringResult) -> None:
    """Print the clusters, how they were made, and what was left out."""
    console.print(clusters_table(run, console.width))
    for line in closing_lines(run):
        console.print(Text(line, style="dim"))


def clusters_table(run: ClusteringResult, width: int) -> Table:
    """Return the table of clusters for a console of this width."""
    narrow = width < NARROW
    title = Text(printable(run.instruction), style="bold")
    title.append(f"   {printable(run.corpus.source)}", style="dim")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, expand=True, padding=(0, 1))
    table.add_column("", justify="right", style="dim", no_wrap=True)
    table.add_column("cluster", style="bold cyan", ratio=3, overflow="fold")
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    by_answers = run.embeddings.answers is not None
    table.add_column("answers" if by_answers else "words of the texts", ratio=4, overflow="fold")
    table.add_column("for example", ratio=6 if narrow else 9, overflow="fold")
    room = WHOLE_TEXT * max(20, int((width - 24) * (0.42 if narrow else 0.55)))
    for summary in [*run.summaries, *([run.unanswered] if run.unanswered else [])]:
        outside = summary.cluster in (NOISE, UNANSWERED)
        label = Text(printable(summary.label), style="dim" if outside else "")
        if is_unstable(summary):
            label.append(f"\nfragile {summary.stability:.2f}", style="not bold dim")
        if summary.check is not None and summary.check.f1 is not None and round(summary.check.f1, 2) < WEAK_LABEL:
            label.append(f"\nloose label {summary.check.f1:.2f}", style="not bold dim")
        table.add_row(
            "" if outside else str(summary.cluster),
            label,
            f"{summary.size:,}",
            percent(summary.share),
            _said(summary),
            _example(summary, room),
        )
        table.add_row()
    return table


def _said(summary: ClusterSummary) -> Text:
    """Return the phrases that mark a cluster; whole answers for rows that answer nothing."""
    if summary.cluster == UNANSWERED:
        lines = [f"{printable(a.text) or '(empty)'} {percent(a.share)}" for a in summary.answers[:PHRASES_SHOWN]]
        return Text("\n".join(lines), style="dim")
    return Text("\n".join(f"{p.text} {percent(p.support)}" for p in summary.phrases[:PHRASES_SHOWN]))


def _example(summary: ClusterSummary, room: int) -> Text:
    if not summary.exemplars:
        return Text("")
    first = summary.exemplars[0]
    text = Text(f"{printable(first.id)}  ", style="dim")
    return text.append(shortened(printable(first.text), room), style="not dim")


def closing_lines(run: ClusteringResult) -> list[str]:
    """Return why so many clusters, and what was left out."""
    options, choice = run.clustering.options, run.clustering.choice
    algorithm = algorithms[options.algorithm]
    if run.unanswered and not run.rows:
        lines = ["no row answers the question: ask another, or cluster all the same with --no-abstain"]
    elif not algorithm.takes_k:
        lines = [f"{run.clustering.k} clusters found by {algorithm.describe(options)}"]
        if not run.clustering.k:
            remedy = "lower --min-cluster-size, or use" if algorithm.takes_min_cluster_size else "use"
            lines.append(f"every row is noise: {remedy} kmeans")
    elif choice is None:
        lines = [f"k = {run.clustering.k} as asked"]
    else:
        best = choice.scores.get(choice.k)
        why = f": {_reasons(best)}" if best is not None else ": too few different rows for a choice"
        if choice.runner_up is not None:
            why += f"; next is k = {choice.runner_up} (see them all: inbedder tune)"
        lines = [f"k = {choice.k} chosen from {options.k_min} to {options.k_max}{why}"]
        if best is not None and best.silhouette < WEAK:
            lines.append("no k stands out: the answers shade into each other; choose -k by how fine you want them")
    if run.clustering.shortcut:
        lines.append(run.clustering.shortcut)
    if unstable := [s for s in run.summaries if is_unstable(s)]:
        lines.append(f"{len(unstable)} of {run.clustering.k} clusters are unstable: other rows would shape others")
    if run.baseline:
        lines.append(how_far_it_mattered(run.baseline))
    left_out = [f"{n:,} {name}" for name, n in _counts(run).items() if name != "ok" and n]
    lines.append(f"{len(run.status):,} rows" + (f", not in a cluster: {', '.join(left_out)}" if left_out else ""))
    return lines


def is_unstable(summary: ClusterSummary) -> bool:
    """Return whether a cluster is unstable to the two digits that are shown."""
    return summary.stability is not None and round(summary.stability, 2) < UNSTABLE


def how_far_it_mattered(baseline: BaselineAgreement) -> str:
    """Return how alike the clusters are to those that a neutral question gives."""
    figures = f"adjusted mutual information, {baseline.n_rows:,} rows; 0 unrelated, 1 the same"
    agreement = f"{max(0, baseline.ami):.2f} ({figures})"
    line = f"agreement with the clusters of a neutral question: {agreement}"
    return f"the question changed little: {line}" if baseline.ami >= SAME else line


def _reasons(score: KScore) -> str:
    figures = [f"silhouette {score.silhouette:.2f}", f"stability {score.stability:.2f}"]
    if score.agreement is not None:
        figures.append(f"agreement with answers {score.agreement:.2f}")
    return f"best by {', '.join(figures[:-1])} and {figures[-1]}"


def _counts(run: ClusteringResult) -> dict[str, int]:
    counts: dict[str, int] = {}
    for status in run.status:
        counts[str(status)] = counts.get(str(status), 0) + 1
    return counts


def percent(share: float) -> str:
    """Return a share as whole per cent, never rounding something to nothing.

    >>> percent(0.004), percent(0.256)
    ('<1%', '26%')
    """
    return "<1%" if share > 0 and round(100 * share) == 0 else f"{100 * share:.0f}%"


def shortened(text: str, room: int) -> str:
    """Return the text cut at a word, with an ellipsis, when it is longer than `room` characters."""
    if len(text) <= room:
        return text
    return text[: room - 1].rsplit(" ", 1)[0] + "…"


def printable(text: str) -> str:
    """Return the text on one line without control characters, so that a row cannot steer the terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
