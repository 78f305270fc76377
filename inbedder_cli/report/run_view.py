"""Saved runs as tables: their clusters, and the rows of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from inbedder_cli.clustering import NOISE
from inbedder_cli.explanation.summaries import NOISE_LABEL, UNANSWERED, UNANSWERED_LABEL
from inbedder_cli.report.terminal import printable, shortened

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from inbedder_cli.runs.storage import SavedQuestion, SavedRun

NO_ANSWER = "no-answer"
LINES = 3  # that a cell may take
WORD = 6
ROW_COLUMNS = {
    "id": "string",
    "answer": "string",
    "confidence": "double",
    "cluster_distance": "double",
    "margin": "double",
    "text": "string",
}
ROOM = 0.5  # of the terminal, for one text


def overview(run: SavedRun, question: str | None = None) -> pa.Table:
    """Return one row per cluster, after renames and merges; of one question or of all."""
    import pyarrow as pa

    chosen = {name: q for name, q in run.questions.items() if question is None or name == question}
    records = []
    for name, saved in chosen.items():
        for cluster in run.documents[name]["clusters"]:
            number = cluster["cluster"]
            into = saved.merged.get(number)
            label = saved.names.get(number, cluster["label"])
            records.append(
                ({"question": name} if name else {})
                | {
                    "cluster": number,
                    "label": label if into is None else f"-> {saved.names[into]}",
                    "size": cluster["size"],
                    "stability": cluster["stability"],
                    "answers": "; ".join(f"{a['text']} ({a['share']:.2f})" for a in cluster["answers"][:4]),
                    "likely_next_words": "; ".join(cluster["likely_next_words"]),
                }
            )
    return pa.Table.from_pylist(records)


def cluster_rows(run: SavedRun, question: str, cluster: str, *, borderline: bool) -> pa.Table | None:
    """Return a cluster's rows: id, answer, text, distance and margin; None where there is no such cluster.

    :param cluster: number or label, "noise" or "no-answer".
    :param borderline: those nearest to another cluster first, instead of the most central.
    """
    import pyarrow as pa

    saved = run.questions[question]
    number = _number_of(saved, cluster)
    if number is None:
        return None
    kept = [row for row in run.rows(question) if _number_now(row, saved) == number]
    kept.sort(key=_margin if borderline else _distance)
    return pa.Table.from_pylist(kept, schema=pa.schema(ROW_COLUMNS))


def _number_of(saved: SavedQuestion, cluster: str) -> int | None:
    """Return the number of what a user names: a number or a label first, noise and no-answer where none is so."""
    known = {str(number): number for number in [*saved.names, NOISE]}
    known = {"noise": NOISE, NOISE_LABEL: NOISE, NO_ANSWER: UNANSWERED, UNANSWERED_LABEL: UNANSWERED} | known
    known |= {name.casefold(): number for number, name in reversed(saved.names.items())}
    number = known.get(cluster, known.get(cluster.casefold()))
    return number if number is None else saved.merged.get(number, number)


def _number_now(row: dict[str, Any], saved: SavedQuestion) -> int | None:
    if row["status"] == NO_ANSWER:
        return UNANSWERED
    return None if row["cluster"] is None else saved.merged.get(row["cluster"], row["cluster"])


def _distance(row: dict[str, Any]) -> float:
    return row["cluster_distance"] if row["cluster_distance"] is not None else float("inf")


def _margin(row: dict[str, Any]) -> float:
    return row["margin"] if row["margin"] is not None else float("inf")


def print_table(console: Console, table: pa.Table) -> None:
    """Print a table, texts cut to a few lines."""
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1), expand=True)
    for field in table.schema:
        numeric = str(field.type) in ("int64", "double", "float")
        shown.add_column(
            field.name,
            justify="right" if numeric else "left",
            no_wrap=numeric,
            overflow="fold",
            ratio=None if numeric or field.name == "id" else 4 if field.name == "text" else 2,
            min_width=WORD,
        )
    room = int(LINES * ROOM * console.width)
    for row in table.to_pylist():
        shown.add_row(*(Text(shortened(printable(_cell(value)), room)) for value in row.values()))
    console.print(shown)


def _cell(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)
