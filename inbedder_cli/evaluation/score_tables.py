"""An evaluation as a table on a terminal or in Markdown (one column per model), and as records of scores."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from inbedder_cli.evaluation.scores import (
    ALL_VIEWS,
    BOTH_GOALS,
    BOTH_GOALS_CENTERED,
    GAP_CORRECT,
    GAP_IMPLICIT,
    MAP,
    MEANS,
    SPEARMAN,
    SPEARMAN_CENTERED,
    SPEARMAN_RAW,
    SUCCESS,
    V_MEASURE,
)
from inbedder_cli.output.formats import markdown_table
from inbedder_cli.wording import printable, short

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from inbedder_cli.evaluation.runner import Evaluation, ModelResult
    from inbedder_cli.evaluation.scores import Score

SCHEMA = 2
MANY_TASKS = 4  # from here on a table shows the main metrics only
MAIN_METRICS = (
    V_MEASURE,
    BOTH_GOALS,
    BOTH_GOALS_CENTERED,
    SUCCESS,
    ALL_VIEWS,
    SPEARMAN_CENTERED,
    SPEARMAN_RAW,
    GAP_CORRECT,
    GAP_IMPLICIT,
    SPEARMAN,
    MAP,
)
NO_VALUE = "–"
Row = tuple[str, str, str]  # part, task, metric


def print_evaluation(console: Console, evaluation: Evaluation) -> None:
    """Print the table, and a description of each column below it.

    :param console: where to print.
    :param evaluation: the evaluation.
    """
    title = Text(printable(evaluation.suite), style="bold")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("x 100", overflow="fold")
    for number, result in enumerate(evaluation.results, start=1):
        table.add_column(_heading(number, result), justify="right", overflow="fold")
    part = None
    for row in table_rows(evaluation):
        if part not in (None, row[0]):
            table.add_section()
        part = row[0]
        cells = [_rich_cell(_find(result, row)) for result in evaluation.results]
        table.add_row(Text(_row_name(row), style="bold" if part == MEANS else ""), *cells)
    console.print(table)
    for line in footnotes(evaluation):
        console.print(Text(line, style="dim"))


def evaluation_markdown(evaluation: Evaluation) -> str:
    """Return the table and the lines below it as Markdown.

    :param evaluation: the evaluation.
    :return: the text of a Markdown file.
    """
    results = evaluation.results
    header = ["x 100", *(_heading(n, result).replace("\n", ", ") for n, result in enumerate(results, 1))]
    rows = [
        [_row_name(row), *(_plain_cell(_find(result, row)) for result in results)]
        for row in table_rows(evaluation)
    ]
    return markdown_table(header, rows) + "\n" + "".join(f"- {line}\n" for line in footnotes(evaluation))


def table_rows(evaluation: Evaluation) -> list[Row]:
    """Return the rows of the table: means first; with many tasks, only the main metrics.

    :param evaluation: the evaluation.
    :return: (part, task, metric) of each row; the task is "" for means.
    """
    rows: dict[Row, None] = {}
    for result in evaluation.results:
        for score in result.scores:
            rows.setdefault((score.part, "" if score.part == MEANS else score.task, score.metric))
    many = len({task for part, task, _ in rows if part != MEANS}) >= MANY_TASKS
    kept = [r for r in rows if r[0] == MEANS or not many or r[2] in MAIN_METRICS]
    parts = [MEANS, *dict.fromkeys(part for part, _, _ in kept if part != MEANS)]
    order = {part: i for i, part in enumerate(parts)}
    return sorted(kept, key=lambda row: order[row[0]])


def footnotes(evaluation: Evaluation) -> list[str]:
    """Return a description of each column, and of the protocol.

    :param evaluation: the evaluation.
    :return: one line per column, and one about the protocol.
    """
    lines = []
    for number, result in enumerate(evaluation.results, start=1):
        setting = [result.name, f"weights {result.revision}", f"template {result.template!r}"]
        if result.layer:
            setting += [f"layer {result.layer}"]
        setting += [result.pooling, result.dtype, f"instruction: {result.instruction}"]
        lines.append(printable(f"[{number}] {', '.join(setting)}"))
    options, protocol = evaluation.options, evaluation.protocol
    runs = (
        f"seeds 0-{protocol.seeds - 1}, n_init {protocol.n_init}" if protocol.name == "ours" else "one run, seed 0"
    )
    rows = "all rows" if options.limit is None else f"at most {options.limit:,} rows a task"
    lines.append(f"protocol {protocol.name}: {runs}; {rows}; in brackets 95 % bootstrap intervals")
    return lines


def scores_as_records(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return every score together with the model, setting and protocol it was measured with.

    :param evaluation: the evaluation.
    :return: one flat dictionary per score; values are not multiplied by 100.
    """
    from inbedder_cli.diagnostics.baseline import BASELINE_INSTRUCTION

    options, protocol = evaluation.options, evaluation.protocol
    records = []
    for result in evaluation.results:
        about = {
            "suite": evaluation.suite,
            "model": result.name,
            "revision": result.revision,
            "template": result.template,
            "layer": result.layer,
            "pooling": result.pooling,
            "dtype": result.dtype,
            "instruction": result.instruction,
            "baseline_instruction": BASELINE_INSTRUCTION if result.instruction == "baseline" else "",
            "protocol": str(protocol.name),
            "seeds": protocol.seeds,
            "n_init": protocol.n_init,
            "limit": options.limit,
            "max_tokens": options.max_tokens,
        }
        records += [about | asdict(score) | {"part": str(score.part)} for score in result.scores]
    return records


def evaluation_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return the evaluation as one JSON document.

    :param evaluation: the evaluation.
    :return: a dictionary for `json.dump`.
    """
    return {"schema": SCHEMA, "suite": evaluation.suite, "scores": scores_as_records(evaluation)}


def scores_table(evaluation: Evaluation) -> pa.Table:
    """Return one row per score.

    :param evaluation: the evaluation.
    :return: a table with the columns of `scores_as_records`.
    """
    import pyarrow as pa

    return pa.Table.from_pylist(scores_as_records(evaluation))


def _heading(number: int, result: ModelResult) -> str:
    name = result.name.rstrip("/").rsplit("/", 1)[-1]
    setting = f"{f'layer {result.layer} ' if result.layer else ''}{result.pooling}"
    return f"[{number}] {short(name)}\n{setting}\n{short(result.instruction)}"


def _row_name(row: Row) -> str:
    part, task, metric = row
    return metric if part == MEANS else f"{short(task)}  {metric}"


def _find(result: ModelResult, row: Row) -> Score | None:
    part, task, metric = row
    return next(
        (s for s in result.scores if (s.part, s.metric) == (part, metric) and task in ("", s.task)),
        None,
    )


def _value_and_interval(score: Score | None) -> tuple[str, str]:
    if score is None or score.value is None:
        return NO_VALUE, ""
    ends = "" if score.low is None or score.high is None else f"[{100 * score.low:.1f}, {100 * score.high:.1f}]"
    return f"{100 * score.value:.1f}", ends


def _plain_cell(score: Score | None) -> str:
    return " ".join(filter(None, _value_and_interval(score)))


def _rich_cell(score: Score | None) -> Text:
    value, ends = _value_and_interval(score)
    text = Text(value)
    return text.append(f" {ends}", style="dim") if ends else text
