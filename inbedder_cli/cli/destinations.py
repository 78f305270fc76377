"""Where results go: the terminal, a pipe, files."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from inbedder_cli.cli.console import stdout_console
from inbedder_cli.errors import UsageError
from inbedder_cli.options import InputFormat

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.results import Analysis


def check_targets(output: Path | None, wanted: str | None, clusters: Path | None, *, force: bool) -> str | None:
    """Return the format of the rows, None where it depends on whether stdout is a terminal.

    :param output: file of the rows; None: stdout.
    :param wanted: the format that was asked for.
    :param clusters: file of the clusters.
    :param force: whether existing files may be replaced.
    :raises UsageError: for a file that exists, an unknown suffix, or one file for two things.
    """
    from inbedder_cli.output.files import check_target
    from inbedder_cli.output.formats import TABLE, format_of

    for target in (output, clusters):
        check_target(target, force=force)
    if clusters:
        format_of(clusters)
    wanted = wanted or (format_of(output) if output else None)
    if output is not None and output == clusters:
        raise UsageError(f"-o and --clusters both name {output}", hint="give each a file of its own")
    if output is not None and wanted == TABLE:
        raise UsageError("a table is for the terminal", hint="choose another --format for the file")
    check_terminal(wanted, output)
    return wanted


def check_terminal(wanted: str | None, output: Path | None) -> None:
    """Refuse to print a binary format on a terminal.

    :param wanted: name of a format, "table", or None where it is not chosen yet.
    :param output: the file; None means standard output.
    :raises UsageError: naming the format, and the file to write instead.
    """
    from inbedder_cli.output.formats import FORMATS, TABLE

    if wanted in (None, TABLE) or output is not None or not sys.stdout.isatty():
        return
    if FORMATS[wanted].is_binary:
        raise UsageError(f"{wanted} is no format for a terminal", hint=f"add -o FILE{FORMATS[wanted].suffixes[0]}")


def write_analysis(analysis: Analysis, wanted: str | None, output: Path | None, prefix: str) -> bool:
    """Write the rows, or print the tables of clusters on a terminal.

    :param analysis: what was found.
    :param wanted: format of the rows; None: a table on a terminal, else like the input.
    :param output: file of the rows; None: stdout.
    :param prefix: of the new columns.
    :return: whether the tables of clusters were printed.
    """
    from inbedder_cli.output.formats import TABLE

    if wanted is None:
        wanted = TABLE if sys.stdout.isatty() else like_input(analysis.corpus)
    if wanted != TABLE or output is not None:
        _write_rows(analysis, wanted, output, prefix)
    printed = wanted == TABLE or (output is not None and sys.stdout.isatty())
    if printed:
        _print(analysis)
    return printed


def _print(analysis: Analysis) -> None:
    from inbedder_cli.report.crosstab_view import print_crosstab
    from inbedder_cli.report.terminal import print_result

    console = stdout_console()
    for result in analysis:
        print_result(console, result)
    if analysis.crosstabs:
        console.print()
    for table in analysis.crosstabs:
        print_crosstab(console, table)


def like_input(corpus: Corpus) -> str:
    """Return the format of rows in a pipe where none is asked for: the input's, or CSV where that is binary.

    :param corpus: the rows.
    """
    from inbedder_cli.output.formats import FORMATS

    same = str(corpus.format)
    return same if same in FORMATS and not FORMATS[same].is_binary else "csv"


def _write_rows(analysis: Analysis, wanted: str, output: Path | None, prefix: str) -> None:
    from inbedder_cli.output.documents import results_document
    from inbedder_cli.output.tables import rows_table

    document = partial(results_document, analysis.results, analysis.model, analysis.crosstabs)
    write_rows(rows_table(analysis.results, prefix), document, wanted, output, analysis.corpus)


def write_rows(
    table: pa.Table,
    document: Callable[[], dict[str, Any]],
    wanted: str,
    output: Path | None,
    corpus: Corpus,
) -> None:
    """Write rows to a file or to stdout.

    :param table: the rows.
    :param document: makes what stands around the rows in JSON.
    :param wanted: their format.
    :param output: file; None: stdout.
    :param corpus: that the rows come from, whose delimiter CSV on stdout keeps.
    :raises UsageError: for a binary format on a terminal.
    """
    from inbedder_cli.output.cells import records
    from inbedder_cli.output.files import open_output
    from inbedder_cli.output.formats import write_table

    same = corpus.format is InputFormat.csv and output is None
    with open_output(output) as stream:
        write_table(
            table,
            stream,
            wanted,
            document=lambda: document() | {"data": records(table)},
            delimiter=corpus.delimiter if same else None,
        )


def write_clusters(analysis: Analysis, path: Path) -> None:
    """Write the clusters themselves.

    :param analysis: what was found.
    :param path: file, whose suffix names the format.
    """
    from inbedder_cli.output.documents import results_document
    from inbedder_cli.output.files import whole_file
    from inbedder_cli.output.formats import format_of, write_table
    from inbedder_cli.output.tables import clusters_table

    document = partial(results_document, analysis.results, analysis.model, analysis.crosstabs)
    with whole_file(path) as stream:
        write_table(clusters_table(analysis.results), stream, format_of(path), document=document)
