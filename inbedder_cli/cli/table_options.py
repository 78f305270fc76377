"""Options of the input that several commands share: how a table is laid out, and which of its rows are read."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from inbedder_cli.cli import input_parameters, parameters
from inbedder_cli.cli.option_groups import FROM_SETTINGS, ON_COMMAND_LINE
from inbedder_cli.corpus.columns import list_names
from inbedder_cli.corpus.layout import Layout, Reading, option_of
from inbedder_cli.corpus.opening import STDIN
from inbedder_cli.corpus.readers import READERS, format_of_suffix, taken_options
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import EmptyTexts, EncodingErrors, OnBadRow
from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    from inbedder_cli.corpus import Corpus
    from inbedder_cli.progress import Reporter

SOURCES = (FROM_SETTINGS, ON_COMMAND_LINE)


@dataclass(frozen=True)
class LayoutOptions:
    """How a table is laid out, and where its texts are."""

    text: input_parameters.Text = None
    text_template: input_parameters.TextTemplate = None
    id_column: input_parameters.IdColumn = None
    input_format: input_parameters.InputFormatOption = None
    delimiter: input_parameters.Delimiter = None
    encoding: input_parameters.Encoding = None
    encoding_errors: input_parameters.EncodingErrorsOption = EncodingErrors.fail
    header: input_parameters.Header = True
    header_rows: input_parameters.HeaderRows = None
    skip_rows: input_parameters.SkipRows = 0
    quote: input_parameters.Quote = '"'
    escape: input_parameters.Escape = None
    on_bad_row: input_parameters.BadRow = OnBadRow.fail
    json_path: input_parameters.JsonPath = None
    sheet: input_parameters.Sheet = None
    empty: input_parameters.Empty = EmptyTexts.skip
    max_cell: input_parameters.MaxCell = 10


@dataclass(frozen=True)
class TableOptions(LayoutOptions):
    """How a table is read: its layout, what becomes of bad rows, and a sample of the others."""

    bad_rows: input_parameters.BadRowsFile = None
    sample: input_parameters.Sample = None
    seed: parameters.Seed = 0
    from_settings: frozenset[str] = frozenset()
    on_command_line: frozenset[str] = frozenset()

    @property
    def given(self) -> set[str]:
        """The names of the options that were given for this call; settings hold for calls of every kind."""
        return {
            each.name
            for each in fields(self)
            if each.name not in SOURCES and getattr(self, each.name) not in (each.default, [])
        } - self.from_settings

    def read(self, file: str, reporter: Reporter) -> Corpus:
        """Return the corpus, and report what was read.

        :param file: a path, or - for standard input.
        :param reporter: receives the number of rows.
        """
        from inbedder_cli.corpus import read_corpus
        from inbedder_cli.output.formats import format_of

        if self.bad_rows is not None:
            if self.on_bad_row is not OnBadRow.skip:
                raise UsageError("--bad-rows takes what is left out", hint="add --on-bad-row skip")
            format_of(self.bad_rows)  # refuses an unknown suffix before any work is done
        if file == "-" and sys.stdin is not None and sys.stdin.isatty():
            reporter.info("waiting for rows on standard input; Ctrl-D ends them")
        names = [each.name for each in fields(self) if each.name not in ("bad_rows", *SOURCES)]
        values: dict[str, Any] = {name: getattr(self, name) for name in names} | {"text": self.text or ()}
        taken = taken_options(self.input_format or format_of_suffix(file))
        idle = self.from_settings & {each.name for each in fields(Layout)} - taken
        corpus = read_corpus(file, **(values | {name: getattr(Layout, name) for name in idle}))
        report_corpus(corpus, reporter)
        return corpus

    def write_bad_rows(self, corpus: Corpus) -> None:
        """Write the rows that were left out, if there is a file for them: with the results, not before them.

        A run that failed can then be repeated with the same command.

        :param corpus: what was read.
        """
        from inbedder_cli.output.bad_rows import write_bad_rows

        if self.bad_rows is not None:
            write_bad_rows(corpus.bad_rows, self.bad_rows)


@dataclass(frozen=True)
class InputOptions(TableOptions):
    """Which rows and columns of the input are read."""

    limit: input_parameters.Limit = None

    def read_like(self, file: str, reading: Reading | None, reporter: Reporter) -> Corpus:
        """Return the corpus of a file, read as that of a saved run was where no option says otherwise.

        :param file: a path, or - for standard input.
        :param reading: how the file of the run was read; None if this is not known.
        :param reporter: receives the number of rows, and what was taken from the run.
        :raises InputError: for a file without the texts of the run; the message has the columns of both. Without
            the column of ids, rows are numbered.
        """
        if reading is None:
            return self.read(file, reporter)
        default = InputOptions()
        names_text = self.text or self.text_template
        named = format_of_suffix(file)
        taken = taken_options(self.input_format or reading.input_format or named)
        adopted = {
            name: value
            for name, value in reading.options().items()
            if getattr(self, name) == getattr(default, name)
            and name not in self.on_command_line
            and value not in (getattr(default, name), ())
            and not (names_text and name in ("text", "text_template"))
            and (name in taken or not hasattr(reading.layout, name))
            and not (name == "input_format" and named is not None and READERS[named].is_binary)
        }
        if adopted:
            shown = ", ".join(map(_shown, adopted, adopted.values()))
            reporter.info(f"reading {file} as the run's file was read: {shown}")
        try:
            return replace(self, **adopted).read(file, reporter)
        except InputError as error:
            if not adopted.keys() & {"text", "text_template", "id_column"} or "no column" not in str(error):
                raise
            without_id = f'no column "{adopted.get("id_column")}"' in str(error)
            if without_id and file != STDIN:
                reporter.info(f"{error}: its rows are numbered")
                without = replace(self, **(adopted | {"id_column": None}))
                return without.read(file, reporter)
            run_columns = f"the run's file had: {list_names(reading.columns)}"
            hint = f"{error.hint}; {run_columns}; name another with {'--id' if without_id else '--text'}"
            raise InputError(str(error), hint=hint) from error


def _shown(name: str, value: object) -> str:
    if name == "header":
        return option_of(name)
    return f"{option_of(name)} {' --text '.join(value) if isinstance(value, tuple) else value}"


def report_corpus(corpus: Corpus, reporter: Reporter) -> None:
    """Report the number of rows, and of empty and different texts, in one line.

    :param corpus: the rows.
    :param reporter: receives the line.
    """
    n_empty = corpus.texts.count("")
    counts = [count_of(len(corpus), "row")]
    if n_empty:
        counts.append(f"{n_empty:,} without text ({'kept' if corpus.keep_empty else 'skipped'})")
    different = len(set(corpus.texts) - {""})
    if different < len(corpus) - n_empty:
        counts.append(f"{different:,} different texts")
    reporter.info(f"{corpus.source}: {', '.join([*counts, *corpus.notes])}")
