"""`inbedder assign`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from inbedder_cli.cli import options
from inbedder_cli.cli.console import Terminal, stdout_console
from inbedder_cli.cli.groups import InputOptions, PlaceOptions, with_groups
from inbedder_cli.cli.reading import tell_about_embedding
from inbedder_cli.cli.results import checked_targets, like_input
from inbedder_cli.errors import UsageProblem
from inbedder_cli.options import InputFormat, TableFormat

if TYPE_CHECKING:
    import pyarrow as pa

    from inbedder_cli.assigning import Drift


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
    cluster; novel marks rows that are farther from their cluster than 99 % of its own rows were.

    [bold]Examples[/bold]

    inbedder cluster reviews.csv -i "What emotion is expressed?" --save emotions

    inbedder assign emotions next-week.csv -o labelled.csv
    """
    from inbedder_cli.report.results import RESULT_COLUMNS, check_free
    from inbedder_cli.runs import load_run

    talk = Terminal(quiet=quiet)
    wanted = checked_targets(output, output_format, None, force=force)
    saved = load_run(run)
    corpus = source.read(file, talk)
    for name in saved.questions:
        check_free(corpus, (*RESULT_COLUMNS, "novel"), prefix + (f"{name}_" if name else ""))

    from inbedder_cli.pipeline import embed_corpus
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
        delimiter = corpus.delimiter if corpus.format is InputFormat.csv and output is None else None
        _write(assigned_table(assigned, prefix), _document(str(run), drifts), wanted, output, delimiter)
    _show(drifts, saved.questions, talk, shown=wanted is TableFormat.table or bool(output and sys.stdout.isatty()))
    for embedding in embeddings:
        tell_about_embedding(embedding, saved.encoding.max_tokens, talk)


def _document(run: str, drifts: dict[str, tuple[list[Drift], int, int]]) -> dict[str, Any]:
    from inbedder_cli.report.drift import as_json
    from inbedder_cli.report.results import SCHEMA

    return {"schema": SCHEMA, "run": run, "drift": {name: as_json(*drift) for name, drift in drifts.items()}}


def _write(table: pa.Table, document: dict[str, Any], wanted: TableFormat, output: Any, delimiter: Any) -> None:  # noqa: ANN401
    from inbedder_cli.report.cells import rows_as_json
    from inbedder_cli.report.writing import open_output, write_json, write_table

    if wanted is TableFormat.parquet and output is None and sys.stdout.isatty():
        raise UsageProblem("Parquet does not belong on a terminal", hint="add -o FILE.parquet")
    with open_output(output) as stream:
        if wanted is TableFormat.json:
            write_json(document | {"data": [json.loads(row) for row in rows_as_json(table)]}, stream)
        else:
            write_table(table, stream, wanted, delimiter=delimiter)


def _show(drifts: Any, questions: Any, talk: Terminal, *, shown: bool) -> None:  # noqa: ANN401
    from inbedder_cli.report.drift import print_drift, summary

    for name, drift in drifts.items():
        if shown:
            print_drift(stdout_console(), questions[name].instruction, *drift)
        else:
            talk.say(f"{name}: {summary(*drift)}" if name else summary(*drift))
