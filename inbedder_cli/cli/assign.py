"""`inbedder assign`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from inbedder_cli.cli import options
from inbedder_cli.cli.console import Terminal, stdout_console
from inbedder_cli.cli.groups import InputOptions, PlaceOptions, with_groups
from inbedder_cli.cli.reading import tell_about_embedding
from inbedder_cli.cli.results import checked_targets, like_input, write_rows
from inbedder_cli.options import TableFormat

if TYPE_CHECKING:
    from inbedder_cli.assigning import DriftReport
    from inbedder_cli.runs import SavedRun


@with_groups
def assign(
    run: options.Run,
    file: options.File,
    source: InputOptions,
    place: PlaceOptions,
    output: options.Output = None,
    output_format: options.Format = None,
    prefix: options.Prefix = "",
    force: options.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Give the rows of FILE the clusters of a saved run, and say how far they have drifted from it.

    On a terminal it prints the shares of the clusters then and now. In a pipe it writes every input row with its
    cluster; novel marks rows that are farther from their cluster than 99 % of its own rows from its others.

    [bold]Examples[/bold]

    inbedder cluster reviews.csv -i "What emotion is expressed?" --save emotions

    inbedder assign emotions next-week.csv -o labelled.csv
    """
    from inbedder_cli.report.results import RESULT_COLUMNS, check_free, column_name
    from inbedder_cli.runs import load_run

    talk = Terminal(quiet=quiet)
    wanted = checked_targets(output, output_format, None, force=force)
    saved = load_run(run)
    corpus = source.read(file, talk)
    names = [column_name(name, column) for name in saved.questions for column in (*RESULT_COLUMNS, "novel")]
    check_free(corpus, names, prefix)

    from inbedder_cli.pipeline import embed_corpus
    from inbedder_cli.report.drift import print_drift, summary
    from inbedder_cli.report.results import assigned_table
    from inbedder_cli.reusing import assign_corpus, drift_of

    encoder = place.load(saved, talk)
    assigned, drifts, embeddings = {}, {}, []
    for name, question in saved.questions.items():
        embedding = embed_corpus(corpus, question.instruction, encoder, saved.encoding, talk)
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
            talk.say(f"{name}: {summary(report)}" if name else summary(report))
    for embedding in embeddings:
        tell_about_embedding(embedding, saved.encoding.max_tokens, talk)


def _document(run: SavedRun, drifts: dict[str, DriftReport]) -> dict[str, Any]:
    from inbedder_cli.report.drift import as_json
    from inbedder_cli.report.results import SCHEMA

    drift = {name: as_json(report) for name, report in drifts.items()}
    return {"schema": SCHEMA, "run": str(run.folder), "drift": drift}
