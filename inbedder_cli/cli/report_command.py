"""`inbedder report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.console import stderr_reporter
from inbedder_cli.cli.option_groups import with_groups
from inbedder_cli.cli.page_options import PageOptions, write_report
from inbedder_cli.errors import UsageError


@with_groups
def report(
    run: parameters.Run,
    page: PageOptions,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.html", help="The report.", rich_help_panel=parameters.OUTPUT),
    ] = None,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
) -> None:
    """Write the report of a saved run: one page for the browser, with clusters, a map and rows. It needs no model.

    The names and merges of names.txt are used. The page loads nothing, and holds the texts unless --no-texts is
    given. --color-by and --date take columns that the run kept: those of --by, --color-by and --date of cluster.

    [bold]Examples[/bold]

    inbedder report emotions -o report.html --open

    inbedder report emotions -o report.html --title "What customers feel" --color-by rating
    """
    from inbedder_cli.output.files import check_distinct, check_target
    from inbedder_cli.report.page import check_page
    from inbedder_cli.runs.folders import own_files
    from inbedder_cli.runs.restored import restore_analysis
    from inbedder_cli.runs.saved_run import load_run

    reporter = stderr_reporter(quiet=quiet)
    if output is None:
        raise UsageError("no file for the report", hint="add -o FILE.html")
    check_distinct({"-o": output}, own_files(run))
    check_target(output, force=force)
    check_page(output)
    analysis = restore_analysis(load_run(run))
    _check_kept(analysis.corpus.table.column_names, page.settings().columns)
    if not any(result.row_map for result in analysis):
        reporter.warn("an older version saved this run, without a map: save it again to get one")
    write_report(analysis, output, page)
    reporter.info(f"report: {output}")


def _check_kept(kept: list[str], columns: tuple[str, ...]) -> None:
    """Refuse columns that a run did not keep: it holds those that were asked for when it was made."""
    from inbedder_cli.diagnostics.groupings import split_bins

    names = [split_bins(column, kept)[0] for column in columns]
    if missing := [name for name in names if name not in kept]:
        has = f"it kept {', '.join(kept)}; " if kept else ""
        hint = f"{has}cluster again with --color-by {missing[0]} --save"
        raise UsageError(f'the run did not keep a column "{missing[0]}"', hint=hint)
