"""Where the results of `inbedder cluster` go: the terminal, a pipe, files."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from inbedder_cli.cli.console import stdout_console
from inbedder_cli.errors import UsageError
from inbedder_cli.options import InputFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.diagnostics.crosstab import Crosstab, Grouping
    from inbedder_cli.results import ClusteringResult


@dataclass(frozen=True)
class Result:
    """What one command found.

    :param runs: by the name of the question, "" for the only one.
    :param model: what read the texts.
    :param crossed: the questions with each other and with columns of the input.
    """

    runs: dict[str, ClusteringResult]
    model: str
    crossed: list[Crosstab]

    @property
    def corpus(self) -> Corpus:
        """The rows."""
        return next(iter(self.runs.values())).corpus


def checked_targets(output: Path | None, wanted: str | None, clusters: Path | None, *, force: bool) -> str | None:
    """Return the format of the rows, None where that depends on who reads; refuse files that cannot be written.

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


def column_groupings(corpus: Corpus, names: Sequence[str] | None) -> list[Grouping]:
    """Return the columns that clusters are to be crossed with.

    :raises UsageError: for a column that is not there.
    """
    from inbedder_cli.diagnostics.crosstab import column_grouping

    wanted = [name.strip() for several in names or () for name in several.split(",") if name.strip()]
    for name in wanted:
        if name not in corpus.table.column_names:
            there = ", ".join(corpus.table.column_names)
            raise UsageError(f'{corpus.source} has no column "{name}"', hint=f"its columns: {there}")
    return [column_grouping(name, _values(corpus.table, name)) for name in wanted]


def _values(table: pa.Table, name: str) -> list[Any]:
    from inbedder_cli.corpus.jsonl import cell_value, has_json_cells

    values = table.column(name).to_pylist()
    return [cell_value(value) for value in values] if has_json_cells(table.schema.field(name)) else values


def crosstab_results(runs: dict[str, ClusteringResult], columns: Sequence[Grouping]) -> list[Crosstab]:
    """Return the cross-tables of the questions with each other and with columns of the input."""
    from inbedder_cli.diagnostics.crosstab import Grouping, crosstabs, pairs_of

    return crosstabs(
        list(pairs_of([Grouping(name or "cluster", run.names) for name, run in runs.items()], columns))
    )


def write_result(result: Result, wanted: str | None, output: Path | None, prefix: str) -> bool:
    """Write the rows where they are asked for; print the tables of clusters on a terminal, and return whether."""
    from inbedder_cli.output.formats import TABLE

    if wanted is None:
        wanted = TABLE if sys.stdout.isatty() else like_input(result.corpus)
    if wanted != TABLE or output is not None:
        _write_rows(result, wanted, output, prefix)
    printed = wanted == TABLE or (output is not None and sys.stdout.isatty())
    if printed:
        _print(result)
    return printed


def _print(result: Result) -> None:
    from inbedder_cli.report.crosstab_view import print_crosstab
    from inbedder_cli.report.terminal import print_result

    console = stdout_console()
    for run in result.runs.values():
        print_result(console, run)
    if result.crossed:
        console.print()
    for table in result.crossed:
        print_crosstab(console, table)


def like_input(corpus: Corpus) -> str:
    """Return the format of rows in a pipe where none is asked for: the input's, or CSV where that is binary."""
    from inbedder_cli.output.formats import FORMATS

    same = str(corpus.format)
    return same if same in FORMATS and not FORMATS[same].is_binary else "csv"


def _write_rows(result: Result, wanted: str, output: Path | None, prefix: str) -> None:
    from inbedder_cli.output.documents import results_document
    from inbedder_cli.output.tables import rows_table

    document = partial(results_document, result.runs, result.model, result.crossed)
    write_rows(rows_table(result.runs, prefix), document, wanted, output, result.corpus)


def write_rows(
    table: pa.Table,
    document: Callable[[], dict[str, Any]],
    wanted: str,
    output: Path | None,
    corpus: Corpus,
) -> None:
    """Write rows that came of a corpus, to a file or to stdout.

    :param document: what stands around the rows in JSON.
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


def write_clusters(result: Result, path: Path) -> None:
    """Write the clusters themselves."""
    from inbedder_cli.output.documents import results_document
    from inbedder_cli.output.files import whole_file
    from inbedder_cli.output.formats import format_of, write_table
    from inbedder_cli.output.tables import clusters_table

    document = partial(results_document, result.runs, result.model, result.crossed)
    with whole_file(path) as stream:
        write_table(clusters_table(result.runs), stream, format_of(path), document=document)
