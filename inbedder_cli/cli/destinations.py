"""Where results go: the terminal, a pipe, files."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from inbedder_cli.cli.console import stdout_console
from inbedder_cli.errors import UsageError
from inbedder_cli.options import EXCEL_STYLE, CsvStyle
from inbedder_cli.progress import NamedReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from inbedder_cli.cli.option_groups import SpreadsheetOptions
    from inbedder_cli.corpus import Corpus
    from inbedder_cli.progress import Reporter
    from inbedder_cli.results import Analysis


def check_targets(
    output: Path | None,
    format_name: str | None,
    clusters: Path | None = None,
    save: Path | None = None,
    report: Path | None = None,
    plot: Path | None = None,
    *,
    bad_rows: Path | None = None,
    force: bool,
    inputs: Iterable[str | Path | None] = (),
) -> str | None:
    """Return the name of the format of the rows; None where it depends on whether stdout is a terminal.

    :param output: file of the rows; None: stdout.
    :param format_name: value of --format; None if not given.
    :param clusters: file of the clusters.
    :param save: folder of the saved run.
    :param report: file of the report.
    :param plot: file of the picture.
    :param bad_rows: file of the rows that are left out.
    :param force: whether existing files may be replaced.
    :param inputs: files that are read, "-" for standard input; None where one is not given.
    :raises UsageError: for a file that exists, an unknown suffix, an output that would replace another one or an
        input.
    """
    from inbedder_cli.output.files import check_distinct, check_target
    from inbedder_cli.output.formats import TABLE, format_of

    targets = {"--clusters": clusters, "--save": save, "--report": report, "--plot": plot, "--bad-rows": bad_rows}
    check_distinct({"-o": output} | targets, inputs)
    for target in (output, clusters, report, plot, bad_rows):
        check_target(target, force=force)
    if save is not None:
        from inbedder_cli.runs.folders import check_run_folder

        check_run_folder(save, force=force)
    if clusters:
        if str(clusters).isdigit():
            raise UsageError(
                f"--clusters names a file, not a number: {clusters}",
                hint=f"ask for {clusters} clusters with -k {clusters}",
            )
        format_of(clusters)
    if report:
        from inbedder_cli.report.page import check_page

        check_page(report)
    if plot:
        from inbedder_cli.report.plot import check_plot

        check_plot(plot)
    if output is not None and format_name == TABLE:
        raise UsageError("--format table prints to the terminal only", hint="choose another --format for the file")
    format_name = format_name or (format_of(output) if output else None)
    check_terminal(format_name, output)
    return format_name


def split_format(output: Path | None, format_name: str | None) -> tuple[str | None, bool]:
    """Return the format of a file, and whether a table is printed beside it.

    A terminal sees the table in any case; elsewhere `--format table` asks for it, and the suffix tells the format.

    :param output: the file; None: stdout, which shows rows or a table.
    :param format_name: value of --format; None if not given.
    :return: value of --format for the file, and whether stdout gets the table.
    """
    from inbedder_cli.output.formats import TABLE

    if output is None:
        return format_name, False
    return (None, True) if format_name == TABLE else (format_name, sys.stdout.isatty())


def check_terminal(format_name: str | None, output: Path | None) -> None:
    """Refuse to print a binary format on a terminal.

    :param format_name: name of a format, "table", or None where it is not chosen yet.
    :param output: the file; None means standard output.
    :raises UsageError: for a binary format on a terminal; the hint names a file to write instead.
    """
    from inbedder_cli.output.formats import FORMATS, TABLE

    if format_name in (None, TABLE) or output is not None or not sys.stdout.isatty():
        return
    if FORMATS[format_name].is_binary:
        raise UsageError(
            f"{format_name} is a binary format and cannot be printed on a terminal",
            hint=f"add -o FILE{FORMATS[format_name].suffixes[0]}",
        )


def save_analysis(analysis: Analysis, folder: Path, reporter: Reporter) -> None:
    """Save a run, and report where.

    :param analysis: the results.
    :param folder: the folder of the run.
    :param reporter: receives the messages.
    """
    from inbedder_cli.runs.writer import save_run

    renamed = save_run(folder, analysis)
    if renamed:
        reporter.warn(f"{folder / 'names.txt'} belongs to other clusters: renamed to {renamed.name}")
    reporter.info(f"saved: {folder} (inbedder show {folder})")


def write_analysis(
    analysis: Analysis,
    format_name: str | None,
    output: Path | None,
    prefix: str,
    reporter: Reporter,
    *,
    with_table: bool,
    explode: bool = False,
    with_map: bool = False,
    whole: bool = False,
) -> None:
    """Write the rows, or print the tables of clusters, or both.

    :param analysis: the results.
    :param format_name: format of the rows; None: a table on a terminal, else like the input.
    :param output: file of the rows; None: stdout.
    :param prefix: prefix of the new columns' names.
    :param reporter: receives the lines below the tables where no table is printed.
    :param with_table: whether tables are printed beside a file of rows (`split_format`).
    :param explode: whether a row with several answers becomes a line for each.
    :param with_map: whether rows get their places on the map.
    :param whole: whether the tables show texts whole.
    """
    from inbedder_cli.output.formats import TABLE
    from inbedder_cli.report.closing_lines import closing_lines
    from inbedder_cli.report.crosstab_view import crosstab_lines

    if format_name is None:
        format_name = TABLE if sys.stdout.isatty() else format_like_input(analysis.corpus)
    if format_name != TABLE:
        _write_rows(analysis, format_name, output, prefix, explode=explode, with_map=with_map)
    if format_name == TABLE or with_table:
        print_analysis(analysis, whole=whole)
        return
    for result in analysis:
        for line in closing_lines(result):
            NamedReporter(reporter, result.name).info(line)
    for table in analysis.crosstabs:
        for line in crosstab_lines(table):
            reporter.info(line)


def print_analysis(analysis: Analysis, *, whole: bool = False) -> None:
    """Print the tables of clusters, and the cross-tables.

    :param analysis: the results.
    :param whole: whether the tables show texts whole.
    """
    from inbedder_cli.report.crosstab_view import print_crosstab
    from inbedder_cli.report.terminal import print_result

    console = stdout_console()
    for place, result in enumerate(analysis):
        if place:
            console.print()
        print_result(console, result, whole=whole)
    for table in analysis.crosstabs:
        console.print()
        print_crosstab(console, table)


def with_output_style(
    corpus: Corpus,
    format_name: str | None,
    output: Path | None,
    clusters: Path | None,
    spreadsheet: SpreadsheetOptions,
    reporter: Reporter,
) -> Corpus:
    """Return the input with the style in which CSV is written: that of a CSV input, unless options say otherwise.

    :param corpus: the input.
    :param format_name: format of the rows; None where it is not known yet.
    :param output: file of the rows; None: stdout.
    :param clusters: file of the clusters.
    :param spreadsheet: how CSV is written.
    :param reporter: told of a file whose suffix belongs to another format.
    :raises UsageError: for an option without an effect, where nothing is written as CSV.
    """
    from inbedder_cli.output.formats import FORMATS, TABLE, format_of

    if (
        output
        and format_name
        and format_name in FORMATS
        and output.suffix.lower() not in FORMATS[format_name].suffixes
    ):
        reporter.info(f"{output} is written as {format_name}, whatever its suffix")
    if format_name is None and output is None:
        format_name = TABLE if sys.stdout.isatty() else format_like_input(corpus)
    names = [format_name, format_of(clusters) if clusters else None]
    is_csv = any(name in FORMATS and FORMATS[name].takes_style for name in names if name)
    spreadsheet.check(is_csv=is_csv, is_file=bool(output or clusters))
    style = EXCEL_STYLE if spreadsheet.excel else corpus.style or CsvStyle()
    if corpus.format == "tsv" and not spreadsheet.excel:
        style = replace(style, delimiter=",")
    return replace(corpus, style=replace(style, escapes_formulas=spreadsheet.escape_formulas))


def free_prefix(corpus: Corpus, names: Sequence[str], prefix: str, reporter: Reporter) -> str:
    """Return the prefix of the new columns: the given one, or one of our own where the input has their names.

    :param corpus: the input.
    :param names: names of the new columns, without the prefix.
    :param prefix: as it was given; "" for none.
    :param reporter: told of a prefix of our own.
    :raises UsageError: when the given prefix does not help, or two questions would make the same column.
    """
    from inbedder_cli.output.tables import check_free, own_prefix

    prefix = prefix or own_prefix(corpus.table.column_names, names, reporter)
    check_free(corpus, names, prefix)
    return prefix


def format_like_input(corpus: Corpus) -> str:
    """Return the default format of rows in a pipe: the input's, or CSV if that is binary.

    :param corpus: the rows.
    """
    from inbedder_cli.output.formats import FORMATS

    name = corpus.format
    return name if name in FORMATS and not FORMATS[name].is_binary else "csv"


def _write_rows(
    analysis: Analysis, format_name: str, output: Path | None, prefix: str, *, explode: bool, with_map: bool
) -> None:
    from inbedder_cli.output.documents import results_document
    from inbedder_cli.output.formats import FORMATS
    from inbedder_cli.output.tables import rows_table

    document = partial(results_document, analysis.results, analysis.model, analysis.crosstabs)
    lists = FORMATS[format_name].has_lists
    table = rows_table(analysis.results, prefix, explode=explode, with_map=with_map, lists=lists)
    write_rows(table, document, format_name, output, analysis.corpus)


def write_rows(
    table: pa.Table,
    document: Callable[[], dict[str, Any]],
    format_name: str,
    output: Path | None,
    corpus: Corpus,
) -> None:
    """Write rows to a file or to stdout.

    :param table: the rows.
    :param document: returns the JSON document that holds the rows, without them.
    :param format_name: name of the format.
    :param output: the file; None: stdout.
    :param corpus: the input; CSV is written in its style, without CR and mark if it goes to stdout.
    :raises UsageError: for a binary format on a terminal.
    """
    from inbedder_cli.output.cells import records
    from inbedder_cli.output.files import open_output
    from inbedder_cli.output.formats import write_table

    style = corpus.style
    if style and output is None:  # a program that reads it expects neither mark nor CR, nor what Excel does
        style = CsvStyle(escapes_formulas=style.escapes_formulas) if style.encoding != "utf-8" else style
        style = replace(style, line_end="\n", has_mark=False)
    with open_output(output) as stream:
        write_table(
            table,
            stream,
            format_name,
            document=lambda: document() | {"data": records(table)},
            style=style,
        )


def write_clusters(analysis: Analysis, path: Path) -> None:
    """Write one row per cluster.

    :param analysis: the results.
    :param path: the file; its suffix chooses the format.
    """
    from inbedder_cli.output.documents import results_document
    from inbedder_cli.output.files import atomic_write
    from inbedder_cli.output.formats import format_of, write_table
    from inbedder_cli.output.tables import clusters_table

    document = partial(results_document, analysis.results, analysis.model, analysis.crosstabs)
    with atomic_write(path) as stream:
        style = analysis.corpus.style
        table = clusters_table({name: result.summaries for name, result in analysis.results.items()})
        write_table(table, stream, format_of(path), document=document, style=style)
