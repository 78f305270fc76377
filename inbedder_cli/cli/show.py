"""`inbedder show`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.completion import complete_cluster, complete_question
from inbedder_cli.cli.console import stderr_reporter, stdout_console
from inbedder_cli.cli.option_groups import with_groups
from inbedder_cli.errors import UsageError, did_you_mean
from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    import pyarrow as pa

    from inbedder_cli.runs.saved_run import SavedRun


@with_groups
def show(
    run: parameters.Run,
    cluster: Annotated[
        str | None,
        typer.Argument(
            autocompletion=complete_cluster,
            help="Number or label of a cluster, noise, or no-answer. Default: a table of all clusters.",
        ),
    ] = None,
    question: Annotated[
        str | None,
        typer.Option(
            "--question", autocompletion=complete_question, help="Name of the question, in a run of several."
        ),
    ] = None,
    borderline: Annotated[
        bool, typer.Option("--borderline", help="Show the rows nearest to another cluster first.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, max=parameters.MAX_COUNT, help="Show at most N rows.")
    ] = None,
    no_truncate: parameters.NoTruncate = False,
    output: parameters.Output = None,
    output_format: parameters.Format = None,
    force: parameters.Force = False,
) -> None:
    """List the rows of a cluster of a saved run, the most central first; without CLUSTER, list the clusters.

    [bold]Examples[/bold]

    inbedder show emotions

    inbedder show emotions gratitude --limit 20

    inbedder show emotions 3 --borderline -f csv
    """
    from inbedder_cli.cli.destinations import check_targets
    from inbedder_cli.output.files import open_output
    from inbedder_cli.output.formats import FORMATS, TABLE, write_table
    from inbedder_cli.output.saved_tables import saved_clusters_table
    from inbedder_cli.report.run_view import print_table, readable_clusters
    from inbedder_cli.runs.folders import own_files
    from inbedder_cli.runs.saved_clusters import cluster_summaries
    from inbedder_cli.runs.saved_run import load_run

    if borderline and cluster is None:
        raise UsageError("--borderline is for the rows of a cluster", hint="name it: inbedder show RUN CLUSTER")
    format_name = check_targets(output, output_format, force=force, inputs=own_files(run))
    format_name = format_name or (TABLE if sys.stdout.isatty() else "csv")
    saved = load_run(run)
    if cluster is None:
        names = list(saved.questions) if question is None else [saved.question_name(question)]
        lists = format_name == TABLE or FORMATS[format_name].has_lists
        table = saved_clusters_table({name: cluster_summaries(saved, name) for name in names}, lists=lists)
    else:
        table = _rows(saved, saved.question_name(question), cluster, borderline=borderline)
    table = table.slice(0, limit) if limit else table
    if format_name == TABLE:
        table = readable_clusters(table) if cluster is None else table
        print_table(stdout_console(), table, whole=no_truncate)
        return
    with open_output(output) as stream:
        write_table(table, stream, format_name)


def _rows(saved: SavedRun, question: str, cluster: str, *, borderline: bool) -> pa.Table:
    from inbedder_cli.output.saved_tables import saved_rows_table

    table = saved_rows_table(saved, question, cluster, borderline=borderline)
    if table is None:
        names = saved.questions[question].names
        listed = ", ".join(f"{number} {name}" for number, name in names.items())
        hint = f"{did_you_mean(cluster, names.values())}its clusters: {listed}; or noise, no-answer"
        raise UsageError(f'{saved.folder} has no cluster "{cluster}"', hint=hint)
    number = saved.questions[question].number_of(cluster)
    named = cluster if number is None else f"{number} {saved.questions[question].names[number]}"
    stderr_reporter().info(f"{named}: {count_of(table.num_rows, 'row')}")
    return table
