"""`inbedder assign`."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from inbedder_cli.cli import parameters
from inbedder_cli.cli.checks import show_preview, warn_about_embeddings
from inbedder_cli.cli.console import stderr_reporter, stdout_console
from inbedder_cli.cli.destinations import (
    check_targets,
    format_like_input,
    free_prefix,
    split_format,
    with_output_style,
    write_rows,
)
from inbedder_cli.cli.option_groups import RuntimeOptions, SpreadsheetOptions, with_groups
from inbedder_cli.cli.table_options import InputOptions
from inbedder_cli.errors import UsageError
from inbedder_cli.progress import NamedReporter

if TYPE_CHECKING:
    from pathlib import Path

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.encoders import Encoder
    from inbedder_cli.runs.saved_run import SavedRun


@with_groups
def assign(
    run: parameters.Run,
    file: parameters.File,
    source: InputOptions,
    runtime: RuntimeOptions,
    spreadsheet: SpreadsheetOptions,
    output: parameters.Output = None,
    output_format: parameters.Format = None,
    explode: parameters.Explode = False,
    with_map: parameters.Map = False,
    prefix: parameters.Prefix = "",
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    dry_run: parameters.DryRun = False,
) -> None:
    """Assign the rows of FILE to the clusters of a saved run, and report how the shares of the clusters changed.

    On a terminal, print the share of each cluster among the rows with text, in the run and in FILE. In a pipe,
    write every input row with its cluster. The column novel marks rows that are farther from their cluster than
    about 99 % of such rows would be. --map places the rows on the map of the run.

    [bold]Examples[/bold]

    inbedder cluster reviews.csv -i "What emotion is expressed?" --save emotions

    inbedder assign emotions next-week.csv -o labeled.csv
    """
    from inbedder_cli.output.formats import check_writable
    from inbedder_cli.output.tables import PART, column_name, result_columns
    from inbedder_cli.runs.folders import own_files
    from inbedder_cli.runs.saved_run import load_run

    reporter = stderr_reporter(quiet=quiet)
    inputs: list[str | Path | None] = [file, *own_files(run)]
    file_format, with_table = split_format(output, output_format)
    format_name = check_targets(output, file_format, bad_rows=source.bad_rows, force=force, inputs=inputs)
    saved = load_run(run)
    _check(saved, explode=explode, with_map=with_map)
    corpus = source.read_like(file, saved.reading, reporter)
    corpus = with_output_style(corpus, format_name, output, None, spreadsheet, reporter)
    names = [
        column_name(name, column)
        for name in saved.questions
        for column in (*result_columns(with_map=with_map), "novel")
    ]
    names += [PART] * explode
    prefix = free_prefix(corpus, names, prefix, reporter)
    check_writable(corpus.table, format_name)

    from inbedder_cli.output.documents import drift_document
    from inbedder_cli.output.formats import FORMATS, TABLE
    from inbedder_cli.output.tables import assigned_table
    from inbedder_cli.report.drift_view import drift_lines, print_drift
    from inbedder_cli.report.maps import place_rows
    from inbedder_cli.runs.assignment import assign as assign_to_run

    encoder = runtime.load(saved, reporter)
    if dry_run:
        _preview(saved, encoder, corpus)
        return
    found = assign_to_run(saved, corpus, encoder, reporter)
    drifts = {name: each.drift for name, each in found.items()}
    assigned = {
        name: (place_rows(each.result) if with_map else each.result, each.novel) for name, each in found.items()
    }
    source.write_bad_rows(corpus)
    if format_name is None:
        format_name = TABLE if sys.stdout.isatty() else format_like_input(corpus)
    if format_name != TABLE:
        document = partial(drift_document, drifts, str(saved.folder))
        lists = FORMATS[format_name].has_lists
        table = assigned_table(assigned, prefix, explode=explode, with_map=with_map, lists=lists)
        write_rows(table, document, format_name, output, corpus)
    shown = format_name == TABLE or with_table
    for name, report in drifts.items():
        if shown:
            print_drift(stdout_console(), saved.questions[name].instruction, report)
        else:
            for line in drift_lines(report):
                NamedReporter(reporter, name).info(line)
    embeddings = (each.result.embeddings for each in found.values())
    warn_about_embeddings(embeddings, saved.encode_options.max_tokens, reporter)


def _preview(run: SavedRun, encoder: Encoder, corpus: Corpus) -> None:
    questions = run.questions.values()
    multi = any(question.words is not None for question in questions)
    show_preview(
        encoder, corpus, [question.instruction for question in questions], run.encode_options, multi=multi
    )


def _check(run: SavedRun, *, explode: bool, with_map: bool) -> None:
    if explode and not any(question.words is not None for question in run.questions.values()):
        raise UsageError("--explode is for runs that were made with --multi", hint="leave out --explode")
    if with_map and any(question.row_map is None for question in run.questions.values()):
        raise UsageError(f"{run.folder} was saved without a map", hint="save the run again: cluster --save")
