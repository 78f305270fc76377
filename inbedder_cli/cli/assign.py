"""`inbedder assign`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from inbedder_cli.cli import parameters
from inbedder_cli.cli.checks import tell_about_embedding
from inbedder_cli.cli.console import Terminal, stdout_console
from inbedder_cli.cli.destinations import checked_targets, like_input, write_rows
from inbedder_cli.cli.option_groups import InputOptions, PlaceOptions, with_groups
from inbedder_cli.options import TableFormat

if TYPE_CHECKING:
    from inbedder_cli.diagnostics.drift import DriftReport
    from inbedder_cli.runs.storage import SavedRun


@with_groups
def assign(
    run: parameters.Run,
    file: parameters.File,
    source: InputOptions,
    place: PlaceOptions,
    output: parameters.Output = None,
    output_format: parameters.Format = None,
    prefix: parameters.Prefix = "",
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
) -> None:
    """Give the rows of FILE the clusters of a saved run, and say how far they have drifted from it.

    On a terminal it prints the shares of the clusters then and now. In a pipe it writes every input row with its
    cluster; novel marks rows that are farther from their cluster than 99 % of its own rows from its others.

    [bold]Examples[/bold]

    inbedder cluster reviews.csv -i "What emotion is expressed?" --save emotions

    inbedder assign emotions next-week.csv -o labelled.csv
    """
    from inbedder_cli.output.tables import RESULT_COLUMNS, check_free, column_name
    from inbedder_cli.runs.storage import load_run

    reporter = Terminal(quiet=quiet)
    wanted = checked_targets(output, output_format, None, force=force)
    saved = load_run(run)
    corpus = source.read(file, reporter)
    names = [column_name(name, column) for name in saved.questions for column in (*RESULT_COLUMNS, "novel")]
    check_free(corpus, names, prefix)

    from inbedder_cli.output.tables import assigned_table
    from inbedder_cli.pipeline import embed_corpus
    from inbedder_cli.report.drift_view import print_drift, summary
    from inbedder_cli.runs.assignment import assign_corpus, drift_of

    encoder = place.load(saved, reporter)
    assigned, drifts, embeddings = {}, {}, []
    for name, question in saved.questions.items():
        embedding = embed_corpus(corpus, question.instruction, encoder, saved.encoding, reporter)
        assigned[name] = assign_corpus(corpus, question, embedding)
        drifts[name] = drift_of(question, *assigned[name])
        embeddings.append(embedding)
    if wanted is None:
        wanted = TableFormat.table if sys.stdout.isatty() else like_input(corpus)
    if wanted is not TableFormat.table:
        write_rows(assigned_table(assigned, prefix), lambda: _document(saved, drifts), wanted, output, corpus)
    shown = wanted is TableFormat.table or (output is not None and sys.stdout.isatty())
    for name, report in drifts.items():
        if shown:
            print_drift(stdout_console(), saved.questions[name].instruction, report)
        else:
            reporter.info(f"{name}: {summary(report)}" if name else summary(report))
    for embedding in embeddings:
        tell_about_embedding(embedding, saved.encoding.max_tokens, reporter)


def _document(run: SavedRun, drifts: dict[str, DriftReport]) -> dict[str, Any]:
    from inbedder_cli.output.tables import SCHEMA
    from inbedder_cli.report.drift_view import as_json

    drift = {name: as_json(report) for name, report in drifts.items()}
    return {"schema": SCHEMA, "run": str(run.folder), "drift": drift}
