"""Where results go: the terminal, a pipe, files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from inbedder_cli.cli.console import stdout_console
from inbedder_cli.errors import UsageError
from inbedder_cli.options import InputFormat, TableFormat

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.results import Analysis


def check_targets(
    output: Path | None, wanted: TableFormat | None, clusters: Path | None, *, force: bool
) -> TableFormat | None:
    """Return the format of the rows, None where it depends on whether stdout is a terminal.

    :param output: file of the rows; None: stdout.
    :param wanted: the format that was asked for.
    :param clusters: file of the clusters.
    :param force: whether existing files may be replaced.
    :raises UsageError: for a file that exists, an unknown suffix, or one file for two things.
    """
    from inbedder_cli.output.files import check_target, format_of

    for target in (output, clusters):
        check_target(target, force=force)
    if clusters:
        format_of(clusters)
    wanted = wanted or (format_of(output) if output else None)
    if output is not None and output == clusters:
        raise UsageError(f"-o and --clusters both name {output}", hint="give each a file of its own")
    if output is not None and wanted is TableFormat.table:
        raise UsageError("a table is for the terminal", hint="choose another --format for the file")
    return wanted


def write_analysis(analysis: Analysis, wanted: TableFormat | None, output: Path | None, prefix: str) -> bool:
    """Write the rows, or print the tables of clusters on a terminal.

    :param analysis: what was found.
    :param wanted: format of the rows; None: a table on a terminal, else like the input.
    :param output: file of the rows; None: stdout.
    :param prefix: of the new columns.
    :return: whether the tables of clusters were printed.
    """
    if wanted is None:
        wanted = TableFormat.table if sys.stdout.isatty() else like_input(analysis.corpus)
    if wanted is not TableFormat.table or output is not None:
        _write_rows(analysis, wanted, output, prefix)
    printed = wanted is TableFormat.table or (output is not None and sys.stdout.isatty())
    if printed:
        _print(analysis)
    return printed


def _print(analysis: Analysis) -> None:
    from inbedder_cli.report.crosstab_view import print_cross
    from inbedder_cli.report.terminal import print_run

    console = stdout_console()
    for result in analysis:
        print_run(console, result)
    if analysis.crosstabs:
        console.print()
    for table in analysis.crosstabs:
        print_cross(console, table)


def like_input(corpus: Corpus) -> TableFormat:
    """Return the format that rows are written in where none is asked for.

    :param corpus: the rows.
    """
    return {InputFormat.tsv: TableFormat.tsv, InputFormat.jsonl: TableFormat.jsonl}.get(
        corpus.format, TableFormat.csv
    )


def _write_rows(analysis: Analysis, wanted: TableFormat, output: Path | None, prefix: str) -> None:
    from inbedder_cli.output.tables import documents, rows_table

    table = rows_table(analysis.results, prefix)
    write_rows(
        table,
        lambda: documents(analysis.results, analysis.model, list(analysis.crosstabs)),
        wanted,
        output,
        analysis.corpus,
    )


def write_rows(
    table: pa.Table,
    document: Callable[[], dict[str, Any]],
    wanted: TableFormat,
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
    import json

    from inbedder_cli.output.cells import rows_as_json
    from inbedder_cli.output.files import open_output, write_json, write_table

    if wanted is TableFormat.parquet and output is None and sys.stdout.isatty():
        raise UsageError("Parquet does not belong on a terminal", hint="add -o FILE.parquet")
    with open_output(output) as stream:
        if wanted is TableFormat.json:
            write_json(document() | {"data": [json.loads(row) for row in rows_as_json(table)]}, stream)
        else:
            same = corpus.format is InputFormat.csv and output is None
            write_table(table, stream, wanted, delimiter=corpus.delimiter if same else None)


def write_clusters(analysis: Analysis, path: Path) -> None:
    """Write the clusters themselves.

    :param analysis: what was found.
    :param path: file, whose suffix names the format.
    """
    from inbedder_cli.output.files import format_of, whole_file, write_json, write_table
    from inbedder_cli.output.tables import clusters_table, documents

    wanted = format_of(path)

    with whole_file(path) as stream:
        if wanted is TableFormat.json:
            write_json(documents(analysis.results, analysis.model, list(analysis.crosstabs)), stream)
        else:
            write_table(clusters_table(analysis.results), stream, wanted)
