"""Options of inputs, each defined once: which rows and columns are read, and how a file is laid out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inbedder_cli.cli.completion import complete_column, complete_input_format
from inbedder_cli.cli.parameters import INPUT, MAX_COUNT
from inbedder_cli.corpus.readers import READERS
from inbedder_cli.errors import UsageError
from inbedder_cli.options import EmptyTexts, EncodingErrors, OnBadRow

Text = Annotated[
    list[str] | None,
    typer.Option(
        "--text",
        autocompletion=complete_column,
        help="Text column; detected if not given. Repeat to join several.",
        rich_help_panel=INPUT,
    ),
]
TextTemplate = Annotated[
    str | None, typer.Option(help="Text made from columns: '{title}. {body}'.", rich_help_panel=INPUT)
]
IdColumn = Annotated[
    str | None,
    typer.Option(
        "--id",
        autocompletion=complete_column,
        help="Column of row ids. Default: row numbers.",
        rich_help_panel=INPUT,
    ),
]
INPUT_FORMATS = f"[{'|'.join(READERS)}]"


def known_input_format(name: str | None) -> str | None:
    """Return the name if it is that of a format, or None.

    :param name: of a format of files.
    :raises typer.BadParameter: for an unknown name.
    """
    try:
        return name if name is None else READERS.check(name)
    except UsageError as error:
        raise typer.BadParameter(f"{error}; {error.hint}") from error


InputFormatOption = Annotated[
    str | None,
    typer.Option(
        "--input-format",
        callback=known_input_format,
        autocompletion=complete_input_format,
        metavar=INPUT_FORMATS,
        help="Format of the input. Default: by suffix, else by content.",
        rich_help_panel=INPUT,
    ),
]
Delimiter = Annotated[
    str | None, typer.Option(help="Delimiter of CSV files. Default: detected.", rich_help_panel=INPUT)
]
Encoding = Annotated[
    str | None, typer.Option(help="Encoding of text files. Default: UTF-8.", rich_help_panel=INPUT)
]
EncodingErrorsOption = Annotated[
    EncodingErrors,
    typer.Option(
        "--encoding-errors",
        help="Lines of another encoding: replace the bytes, or read them as Windows-1252 (fallback).",
        rich_help_panel=INPUT,
    ),
]
Header = Annotated[
    bool,
    typer.Option("--header/--no-header", help="Whether a CSV file names its columns.", rich_help_panel=INPUT),
]
HeaderRows = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=3,
        help="Header rows of a CSV file or sheet. Default: 1, or as recognized.",
        rich_help_panel=INPUT,
    ),
]
SkipRows = Annotated[
    int, typer.Option(min=0, max=MAX_COUNT, help="Lines to skip above the header.", rich_help_panel=INPUT)
]
Quote = Annotated[
    str,
    typer.Option(
        help="Character around cells of CSV files that hold delimiters; '' for none.", rich_help_panel=INPUT
    ),
]
Escape = Annotated[
    str | None,
    typer.Option(help="Character that escapes the next one in CSV files, such as \\.", rich_help_panel=INPUT),
]
BadRow = Annotated[
    OnBadRow,
    typer.Option(
        "--on-bad-row",
        help="Rows with more cells than the header (pad joins them to the last cell), or no JSON objects.",
        rich_help_panel=INPUT,
    ),
]
BadRowsFile = Annotated[
    Path | None,
    typer.Option(
        "--bad-rows", help="Write the rows that --on-bad-row skip leaves out to this file.", rich_help_panel=INPUT
    ),
]
Sheet = Annotated[
    str | None,
    typer.Option(
        help="Sheet of an Excel workbook. Default: the first with a row below its header, hidden ones last.",
        rich_help_panel=INPUT,
    ),
]
JsonPath = Annotated[
    str | None,
    typer.Option(help="Where the rows are in a JSON document: data.items.", rich_help_panel=INPUT),
]
Empty = Annotated[EmptyTexts, typer.Option(help="What to do with rows that have no text.", rich_help_panel=INPUT)]
Limit = Annotated[
    int | None, typer.Option(min=1, max=MAX_COUNT, help="Take only the first N rows.", rich_help_panel=INPUT)
]
MaxCell = Annotated[
    int,
    typer.Option(min=1, max=MAX_COUNT, help="Largest cell or line that is read, in MB.", rich_help_panel=INPUT),
]
Sample = Annotated[
    int | None, typer.Option(min=1, max=MAX_COUNT, help="Take a random sample of N rows.", rich_help_panel=INPUT)
]
