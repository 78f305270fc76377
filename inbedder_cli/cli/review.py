"""`inbedder review`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.completion import complete_cluster, complete_question
from inbedder_cli.cli.console import stderr_reporter, stdout_console
from inbedder_cli.cli.option_groups import with_groups
from inbedder_cli.errors import UsageError
from inbedder_cli.wording import count_of, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inbedder_cli.progress import Reporter
    from inbedder_cli.runs.reviews import Judgment
    from inbedder_cli.runs.saved_run import SavedRun

KEYS = {"y": True, "yes": True, "n": False, "no": False, "s": None, "skip": None}
BACK = ("b", "back")
STOP = ("q", "quit")
HELP = "y: the name fits, n: it does not, s: skip, b: back, q: stop"


@with_groups
def review(
    run: parameters.Run,
    cluster: Annotated[
        str | None,
        typer.Argument(
            autocompletion=complete_cluster, help="Number or label of a cluster. Default: all, in turn."
        ),
    ] = None,
    question: Annotated[
        str | None,
        typer.Option(
            "--question", autocompletion=complete_question, help="Name of the question, in a run of several."
        ),
    ] = None,
    rows: Annotated[
        int, typer.Option(min=1, max=parameters.MAX_COUNT, help="Rows of each cluster to judge in all.")
    ] = 10,
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the rows to this file instead of asking: to fill in elsewhere."),
    ] = None,
    filled: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE", help="Take the judgments from a sheet that was filled in."),
    ] = None,
    seed: parameters.Seed = 0,
    output: parameters.Output = None,
    output_format: parameters.Format = None,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
) -> None:
    """Judge random rows of each cluster: does its name fit? Then print the precision of each name.

    Press y, n, s (skip), b (back) or q (stop). In a pipe, one of these is read per line. Judgments are kept with
    the run; show and the report have them, with a 95 % interval. Repeat the command to go on; --rows 30 asks for
    more.

    [bold]Examples[/bold]

    inbedder review emotions --sheet sheet.csv

    inbedder review emotions --from sheet.csv

    yes | inbedder review emotions 0 --rows 2
    """
    from inbedder_cli.cli.destinations import check_targets
    from inbedder_cli.options import CsvStyle
    from inbedder_cli.output.files import check_distinct, check_target, open_output
    from inbedder_cli.output.formats import TABLE, format_of, write_table
    from inbedder_cli.output.saved_tables import saved_clusters_table
    from inbedder_cli.report.run_view import print_table, readable_clusters
    from inbedder_cli.runs.folders import own_files
    from inbedder_cli.runs.reviews import add_judgments, choose_clusters, read_judgments
    from inbedder_cli.runs.saved_clusters import cluster_summaries
    from inbedder_cli.runs.saved_run import load_run

    reporter = stderr_reporter(quiet=quiet)
    if sheet and filled:
        raise UsageError("--sheet writes a sheet, --from reads one", hint="give one of them")
    if sheet and (output or output_format):
        raise UsageError("--sheet writes the rows to judge, and no table", hint="leave out -o and --format")
    inputs = [*own_files(run), filled]
    format_name = check_targets(output, output_format, force=force, inputs=inputs)
    check_distinct({"--sheet": sheet}, inputs)
    check_target(sheet, force=force)
    saved = load_run(run)
    names = list(saved.questions) if question is None else [saved.question_name(question)]
    judgments = read_judgments(saved)
    places = {name: choose_clusters(saved, name, cluster) for name in names}
    if sheet:
        table = _sheet(saved, places, rows, seed, judgments)
        with open_output(sheet) as stream:
            write_table(table, stream, format_of(sheet), style=CsvStyle(has_mark=True, escapes_formulas=True))
        reporter.info(
            f"{sheet}: {count_of(table.num_rows, 'row')}; fill in the column fits, then: "
            f"inbedder review {run} --from {sheet}"
        )
        return
    if filled:
        _tell_of_other_names(saved, add_judgments(saved, _filled(saved, filled)), reporter)
    else:
        for judgment in _asked(saved, places, rows, seed, judgments):
            add_judgments(saved, [judgment])  # each one, so that nothing is lost
    format_name = format_name or (TABLE if sys.stdout.isatty() else "csv")
    clusters = {name: cluster_summaries(saved, name) for name in saved.questions}
    table = saved_clusters_table(clusters, lists=format_name == TABLE)
    table = readable_clusters(table) if format_name == TABLE else table
    chosen = ("question", "cluster", "label", "size", "reviewed", "precision", "precision_low", "precision_high")
    table = table.select([name for name in chosen if name in table.column_names])
    if format_name == TABLE:
        print_table(stdout_console(), table)
        return
    with open_output(output) as stream:
        write_table(table, stream, format_name)


def _sheet(run: SavedRun, places: dict[str, list[int]], n_rows: int, seed: int, judgments: list[Judgment]) -> Any:  # noqa: ANN401
    import pyarrow as pa

    from inbedder_cli.runs.reviews import SHEET_COLUMNS, rows_to_review

    listed = [
        row
        for place in places.items()
        for rows in rows_to_review(run, *place, n_rows, seed, judgments)
        for row in rows
    ]
    numbers = ("cluster", "row")
    return pa.table(
        {
            name: pa.array([row[name] for row in listed], pa.int64() if name in numbers else pa.string())
            for name in SHEET_COLUMNS
        }
    )


def _filled(run: SavedRun, path: str) -> list[Judgment]:
    from inbedder_cli.corpus import read_corpus
    from inbedder_cli.runs.reviews import judgments_of_sheet

    return judgments_of_sheet(run, read_corpus(path, text="text", require_text=False).table, path)


def _tell_of_other_names(run: SavedRun, judgments: list[Judgment], reporter: Reporter) -> None:
    """Say how many judgments are of names that the clusters no longer have, and so do not count."""
    names = {name: set(question.names.values()) for name, question in run.questions.items()}
    if n := sum(each.label not in names.get(each.question, ()) for each in judgments):
        reporter.warn(f"{count_of(n, 'judgment')} of names that no cluster has now do not count")


def _asked(
    run: SavedRun, places: dict[str, list[int]], n_rows: int, seed: int, judgments: list[Judgment]
) -> Iterator[Judgment]:
    from inbedder_cli.runs.reviews import Judgment, rows_to_review

    asked = [
        (name, row, f"{place} of {len(rows)}")
        for name in places
        for rows in rows_to_review(run, name, places[name], n_rows, seed, judgments)
        for place, row in enumerate(rows, start=1)
    ]
    number, judged = 0, set()
    while number < len(asked):
        name, row, place = asked[number]
        _say(f"\n{run.questions[name].instruction}\n{row['label']}   ({place})\n\n{row['text']}\n")
        key = _key()
        if key is None:
            return
        if key in BACK:
            number = max(0, number - 1)
            continue
        if KEYS[key] is not None or number in judged:  # the last judgment about a row counts
            judged.add(number)
            yield Judgment(name, row["row"] - 1, row["label"], KEYS[key])
        number += 1


def _key() -> str | None:
    """Return one of `KEYS` or `BACK`; None to stop, or at the end of a pipe."""
    while True:
        _say(f"{HELP} > ", end="")
        if sys.stdin.isatty():
            try:
                typed = typer.getchar()
            except EOFError:  # Ctrl-D
                return None
            _say(typed)
        else:
            typed = sys.stdin.readline()
            if not typed:
                return None
        key = typed.strip().lower()
        if key in STOP:
            return None
        if key in KEYS or key in BACK:
            return key


def _say(text: str, end: str = "\n") -> None:
    sys.stderr.write("\n".join(map(visible, text.split("\n"))) + end)
    sys.stderr.flush()
