"""An evaluation as a table for people (means first, one column per model) and as figures for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from inbedder_cli.evaluation.awareness import BOTH_GOALS, BOTH_GOALS_CENTRED, CENTRED, RAW, SUCCESS
from inbedder_cli.evaluation.means import MEANS, VIEWS
from inbedder_cli.evaluation.robustness import GAP_CI, GAP_II
from inbedder_cli.output.formats import markdown_table
from inbedder_cli.report.view import printable

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from inbedder_cli.evaluation.runner import Evaluation, ModelResult
    from inbedder_cli.evaluation.scores import Score

SCHEMA = 1
MANY_TASKS = 4  # from here on a table shows the main metrics only
MAIN_METRICS = (
    "V-measure",
    BOTH_GOALS,
    BOTH_GOALS_CENTRED,
    SUCCESS,
    VIEWS,
    CENTRED,
    RAW,
    GAP_CI,
    GAP_II,
    "Spearman",
    "MAP",
)
NOTHING = "–"
Row = tuple[str, str, str]  # part, task, metric


def print_evaluation(console: Console, result: Evaluation) -> None:
    """Print the table, and what each of its columns is."""
    title = Text(printable(result.suite), style="bold")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("x 100", overflow="fold")
    for number, column in enumerate(result.columns, start=1):
        table.add_column(_heading(number, column), justify="right", overflow="fold")
    part = None
    for row in shown_rows(result):
        if part not in (None, row[0]):
            table.add_section()
        part = row[0]
        cells = [_rich_cell(_find(column, row)) for column in result.columns]
        table.add_row(Text(_row_name(row), style="bold" if part == MEANS else ""), *cells)
    console.print(table)
    for line in closing_lines(result):
        console.print(Text(line, style="dim"))


def markdown(result: Evaluation) -> str:
    """Return the same table and lines as Markdown."""
    header = ["x 100", *(_heading(n, column).replace("\n", ", ") for n, column in enumerate(result.columns, 1))]
    rows = [
        [_row_name(row), *(_plain_cell(_find(column, row)) for column in result.columns)]
        for row in shown_rows(result)
    ]
    return markdown_table(header, rows) + "\n" + "".join(f"- {line}\n" for line in closing_lines(result))


def shown_rows(result: Evaluation) -> list[Row]:
    """Return the rows of the table: means first; of many tasks the main metrics only."""
    rows: dict[Row, None] = {}
    for column in result.columns:
        for figure in column.figures:
            rows.setdefault((figure.part, "" if figure.part == MEANS else figure.task, figure.metric))
    many = len({task for part, task, _ in rows if part != MEANS}) >= MANY_TASKS
    kept = [r for r in rows if r[0] == MEANS or not many or r[2] in MAIN_METRICS]
    parts = [MEANS, *dict.fromkeys(part for part, _, _ in kept if part != MEANS)]
    order = {part: i for i, part in enumerate(parts)}
    return sorted(kept, key=lambda row: order[row[0]])


def closing_lines(result: Evaluation) -> list[str]:
    """Return what each column is, how it was measured, and on how many rows."""
    lines = []
    for number, column in enumerate(result.columns, start=1):
        facts = [column.name, f"weights {column.revision}", f"template {column.template!r}"]
        if column.layer:
            facts += [f"layer {column.layer}"]
        facts += [column.pooling, column.number_format, f"asked: {column.asked}"]
        lines.append(printable(f"[{number}] {', '.join(facts)}"))
    options, protocol = result.options, result.protocol
    runs = (
        f"seeds 0-{protocol.seeds - 1}, n_init {protocol.n_init}" if protocol.name == "ours" else "one run, seed 0"
    )
    rows = "all rows" if options.limit is None else f"at most {options.limit:,} rows a task"
    lines.append(f"protocol {protocol.name}: {runs}; {rows}; in brackets 95 % bootstrap intervals")
    return lines


def figures_as_records(result: Evaluation) -> list[dict[str, Any]]:
    """Return every figure with everything that it rests on; values are shares of one."""
    from inbedder_cli.diagnostics.baseline import BASELINE_INSTRUCTION

    options, protocol = result.options, result.protocol
    records = []
    for column in result.columns:
        about = {
            "suite": result.suite,
            "model": column.name,
            "revision": column.revision,
            "template": column.template,
            "layer": column.layer,
            "pooling": column.pooling,
            "number_format": column.number_format,
            "asked": column.asked,
            "baseline_instruction": BASELINE_INSTRUCTION if column.asked == "baseline" else "",
            "protocol": str(protocol.name),
            "seeds": protocol.seeds,
            "n_init": protocol.n_init,
            "limit": options.limit,
            "max_tokens": options.max_tokens,
        }
        records += [about | asdict(figure) | {"part": str(figure.part)} for figure in column.figures]
    return records


def document(result: Evaluation) -> dict[str, Any]:
    """Return the evaluation as one JSON document."""
    return {"schema": SCHEMA, "suite": result.suite, "figures": figures_as_records(result)}


def figures_table(result: Evaluation) -> pa.Table:
    """Return one row per figure."""
    import pyarrow as pa

    return pa.Table.from_pylist(figures_as_records(result))


def _heading(number: int, column: ModelResult) -> str:
    name = column.name.rstrip("/").rsplit("/", 1)[-1]
    setting = f"{f'layer {column.layer} ' if column.layer else ''}{column.pooling}"
    return f"[{number}] {name}\n{setting}\n{column.asked}"


def _row_name(row: Row) -> str:
    part, task, metric = row
    return metric if part == MEANS else f"{task}  {metric}"


def _find(column: ModelResult, row: Row) -> Score | None:
    part, task, metric = row
    return next(
        (f for f in column.figures if (f.part, f.metric) == (part, metric) and task in ("", f.task)),
        None,
    )


def _numbers(figure: Score | None) -> tuple[str, str]:
    if figure is None or figure.value is None:
        return NOTHING, ""
    ends = (
        "" if figure.low is None or figure.high is None else f"[{100 * figure.low:.1f}, {100 * figure.high:.1f}]"
    )
    return f"{100 * figure.value:.1f}", ends


def _plain_cell(figure: Score | None) -> str:
    return " ".join(filter(None, _numbers(figure)))


def _rich_cell(figure: Score | None) -> Text:
    value, ends = _numbers(figure)
    text = Text(value)
    return text.append(f" {ends}", style="dim") if ends else text
