"""The options of the report, which `cluster` and `report` share."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.completion import complete_column, complete_columns
from inbedder_cli.errors import UsageError
from inbedder_cli.options import ReportOptions

if TYPE_CHECKING:
    from pathlib import Path

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.progress import Reporter
    from inbedder_cli.results import Analysis

PANEL = "Report"
NAMES = {
    "title": "--title",
    "texts": "--no-texts",
    "report_rows": "--report-rows",
    "open_report": "--open",
    "color_by": "--color-by",
    "date": "--date",
}


@dataclass(frozen=True)
class PageOptions:
    """What the report shows."""

    title: Annotated[
        str | None, typer.Option(help="Title of the report.", show_default="the question", rich_help_panel=PANEL)
    ] = None
    texts: Annotated[
        bool,
        typer.Option("--texts/--no-texts", help="Whether the report holds the texts.", rich_help_panel=PANEL),
    ] = True
    report_rows: Annotated[
        int,
        typer.Option(
            "--report-rows",
            min=0,
            max=parameters.MAX_COUNT,
            help="Most rows that the map and the table of the report hold; 0 for all.",
            rich_help_panel=PANEL,
        ),
    ] = ReportOptions.rows
    color_by: Annotated[
        list[str] | None,
        typer.Option(
            "--color-by",
            autocompletion=complete_columns,
            help="Columns by which the map can be colored, and the clusters are broken down: rating,product.",
            rich_help_panel=PANEL,
        ),
    ] = None
    date: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete_column,
            help="Column of dates, for the shares of the clusters over time: created_at:month.",
            rich_help_panel=PANEL,
        ),
    ] = None
    open_report: Annotated[
        bool, typer.Option("--open", help="Open the report in the browser.", rich_help_panel=PANEL)
    ] = False
    from_settings: frozenset[str] = frozenset()

    def settings(self) -> ReportOptions:
        """Return the options of the report."""
        return ReportOptions(
            self.title, self.texts, self.report_rows, tuple(split_names(self.color_by)), self.date
        )

    def given(self) -> dict[str, bool]:
        """Return whether each option was given for this run, by its name; settings hold for runs of every kind."""
        changed = {
            each.name: getattr(self, each.name) not in (each.default, [])
            for each in fields(self)
            if each.name in NAMES
        }
        return {NAMES[name]: is_changed and name not in self.from_settings for name, is_changed in changed.items()}

    def check(self, corpus: Corpus, report: Path | None, save: Path | None) -> None:
        """Check, before any row is encoded, that the columns exist and that the options have an effect.

        :param corpus: the rows.
        :param report: file of the report; None: there is none.
        :param save: folder of the saved run, which keeps the columns.
        :raises UsageError: for an unknown column, or options of a report without one.
        """
        from inbedder_cli.report.distributions import chosen_columns

        kept = {"--color-by", "--date"} if save else set()
        useless = next((name for name, is_given in self.given().items() if is_given and name not in kept), None)
        if report is None and useless:
            raise UsageError(f"{useless} needs a report", hint="add --report FILE.html")
        options = self.settings()
        chosen_columns(corpus, options.color_by, options.date)


def split_names(given: list[str] | None) -> list[str]:
    """Return the names of columns in options that may be repeated, or hold several names.

    :param given: values such as "rating,product"; a name that holds a comma is in double quotes, as in CSV.

    >>> split_names(["rating, product", '"Age, years"'])
    ['rating', 'product', 'Age, years']
    """
    names = csv.reader(given or (), skipinitialspace=True)
    return [name.strip() for several in names for name in several if name.strip()]


def write_pictures(
    analysis: Analysis, report: Path | None, plot: Path | None, options: PageOptions, reporter: Reporter
) -> None:
    """Write the report and the plot, those that are asked for.

    :param analysis: the results.
    :param report: file of the report; None: there is none.
    :param plot: file of the plot; None: there is none.
    :param options: what the report shows.
    :param reporter: receives where they are.
    """
    if report:
        write_report(analysis, report, options)
        reporter.info(f"report: {report}")
    if plot:
        from inbedder_cli.report.plot import write_plot

        lacks = write_plot(analysis, plot)
        reporter.info(f"plot: {plot}")
        if lacks:
            reporter.warn("the font of the plot lacks characters of some names; the report has them all")


def write_report(analysis: Analysis, path: Path, options: PageOptions) -> None:
    """Write the report, and open it in the browser if this is asked for.

    :param analysis: the results.
    :param path: the file.
    :param options: what it shows.
    """
    from inbedder_cli.report.page import write_page

    write_page(analysis, path, options.settings())
    if options.open_report:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
