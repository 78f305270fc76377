"""The formats in which tables are written: each has a name, suffixes and a writer.

To add one, write a function with the signature of `Writer` and register it:

    register_format(Format("psv", (".psv",), write_psv))

From then on `--format psv`, `-o FILE.psv` and `--clusters FILE.psv` work in every command. The command line lists
the names in its help, so this module imports little: writers import what they need.
"""

from __future__ import annotations

import csv
import importlib.util
import re
from dataclasses import dataclass, replace
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, Protocol

from inbedder_cli.errors import UsageError, did_you_mean
from inbedder_cli.options import CsvStyle
from inbedder_cli.output.files import write_json
from inbedder_cli.registry import Registry, check_suffixes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # characters that a terminal obeys, when it shows a file
ESCAPED = re.compile(r"[\\|\[\]`]")  # in Markdown: an image that a cell names would be fetched by who looks at it
# Cells that spreadsheets run begin so, also in full width; a number may begin with a sign.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
NUMBER = re.compile(r"[-+]?(?:\d+(?:[.,]\d+)*|[.,]\d+)(?:[eE][-+]?\d+)?\s?%?")
COMPRESS = "write it uncompressed, or pipe it: -f csv | gzip > FILE.csv.gz"
OTHER_OUTPUTS = {  # what to do instead
    ".html": "for a page for the browser: --report FILE.html",
    ".htm": "for a page for the browser: --report FILE.html",
    **dict.fromkeys((".gz", ".bz2", ".xz", ".zst", ".zip"), COMPRESS),
}
TABLE = "table"  # the view on a terminal; not a file format, so it is not in the registry


class Writer(Protocol):
    """A function that writes a table to a binary stream, and leaves the stream open."""

    def __call__(
        self,
        table: pa.Table,
        stream: IO[bytes],
        *,
        document: Callable[[], dict[str, Any]] | None,
        style: CsvStyle | None,
    ) -> None:
        """Write a table.

        :param table: what to write; `rows_as_text` and `rows_as_json` of output/cells.py make strings of it.
        :param stream: where to write it.
        :param document: returns the JSON document that replaces the table, for nested formats.
        :param style: how CSV is written; None takes the defaults.
        """


@dataclass(frozen=True)
class Format:
    """One way to write a table.

    :param name: what `--format` calls it.
    :param suffixes: suffixes of its files, in lower case and with the dot; the first is the usual one.
    :param write: writes a table in this format.
    :param is_binary: whether its bytes would garble a terminal.
    :param takes_style: whether it is CSV of some `CsvStyle`.
    :param has_lists: whether a cell may hold a list; otherwise its values are joined.
    :param requires: a package that it needs; None: none beside our own.
    :param check: raises where columns of the input cannot be written, before anything is computed; None: all can.
    """

    name: str
    suffixes: tuple[str, ...]
    write: Writer
    is_binary: bool = False
    takes_style: bool = False
    has_lists: bool = False
    requires: str | None = None
    check: Callable[[pa.Table], None] | None = None


FORMATS: Registry[Format] = Registry("format", {})


def register_format(new: Format) -> None:
    """Add a format, or replace the one of the same name.

    :param new: the format.
    :raises ValueError: when its name is "table", or a suffix is malformed or belongs to another format.
    """
    if new.name == TABLE:
        raise ValueError(f'"{TABLE}" is the format of terminals')
    check_suffixes(new.name, new.suffixes, _by_suffix())
    FORMATS.register(new.name, new)


def format_names() -> list[str]:
    """Return the valid values of `--format`: "table", and the names of all registered formats.

    :return: the names, "table" first.
    """
    return [TABLE, *FORMATS]


def check_format(name: str) -> str:
    """Return the name if it is that of a format.

    :param name: of a format, or "table".
    :return: the same name.
    :raises UsageError: for an unknown format; the hint lists the known ones.
    """
    names = format_names()
    if name not in names:
        raise UsageError(
            f'unknown format "{name}"', hint=f"{did_you_mean(name, names)}use one of: {', '.join(names)}"
        )
    package = FORMATS[name].requires if name != TABLE else None
    if package and importlib.util.find_spec(package) is None:
        raise UsageError(
            f"the format {name} needs {package}", hint=f"pip install {package}, or choose another format"
        )
    return name


def format_of(path: Path) -> str:
    """Return the name of the format that a file's suffix asks for.

    :param path: a file's name; upper case does not matter.
    :return: the name of the format.
    :raises UsageError: for an unknown suffix; the hint lists the known ones.
    """
    owners = _by_suffix()
    if path.suffix.lower() not in owners:
        known = f"use one of {', '.join(owners)}, or --format"
        hint = OTHER_OUTPUTS.get(path.suffix.lower(), known)
        raise UsageError(f'{path}: no format has the suffix "{path.suffix}"', hint=hint)
    return check_format(owners[path.suffix.lower()])


def write_table(
    table: pa.Table,
    stream: IO[bytes],
    name: str,
    *,
    document: Callable[[], dict[str, Any]] | None = None,
    style: CsvStyle | None = None,
) -> None:
    """Write a table in a registered format.

    :param table: what to write.
    :param stream: where to write it; it stays open.
    :param name: of the format.
    :param document: returns the JSON document to write instead of the table's rows.
    :param style: how CSV is written; None takes the defaults.
    :raises UsageError: when there is no such format.
    """
    FORMATS[name].write(table, stream, document=document, style=style)


def check_writable(table: pa.Table, name: str | None) -> None:
    """Check, before anything is computed, that the columns of an input can be written in a format.

    :param table: the input.
    :param name: of the format, "table", or None where it is not chosen yet.
    :raises InputError: when they cannot, with the row.
    """
    check = FORMATS[name].check if name is not None and name != TABLE else None
    if check is not None:
        check(table)


def _by_suffix() -> dict[str, str]:
    return {suffix: name for name in FORMATS for suffix in FORMATS[name].suffixes}


def _write_csv(table: pa.Table, stream: IO[bytes], *, style: CsvStyle | None = None, **_: object) -> None:
    from inbedder_cli.output.cells import rows_as_text

    style = style or CsvStyle()
    if style.has_mark:
        stream.write("\ufeff".encode(style.encoding))
    lines = _Lines(stream, style.line_end, style.encoding)
    cells = csv.writer(lines, delimiter=style.delimiter, lineterminator=_Lines.END)
    rows = chain([table.column_names], rows_as_text(table))
    cells.writerows(map(_without_formulas, rows) if style.escapes_formulas else rows)


def _without_formulas(cells: list[str]) -> list[str]:
    """Return cells of which no spreadsheet makes a formula; numbers stay."""
    return [f"'{cell}" if cell.startswith(FORMULA) and not NUMBER.fullmatch(cell) else cell for cell in cells]


def _write_tsv(table: pa.Table, stream: IO[bytes], *, style: CsvStyle | None = None, **_: object) -> None:
    _write_csv(table, stream, style=replace(style or CsvStyle(), delimiter="\t"))


def _write_json(
    table: pa.Table, stream: IO[bytes], *, document: Callable[[], dict[str, Any]] | None = None, **_: object
) -> None:
    from inbedder_cli.output.cells import records

    write_json(document() if document else records(table), stream)


def _write_jsonl(table: pa.Table, stream: IO[bytes], **_: object) -> None:
    from inbedder_cli.output.cells import rows_as_json

    for row in rows_as_json(table):
        stream.write(row.encode() + b"\n")


def _write_markdown(table: pa.Table, stream: IO[bytes], **_: object) -> None:
    from inbedder_cli.output.cells import rows_as_text

    stream.write(markdown_table(table.column_names, list(rows_as_text(table))).encode("utf-8", "replace"))


def _write_parquet(table: pa.Table, stream: IO[bytes], **_: object) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from inbedder_cli.output.cells import with_typed_columns

    sink = pa.BufferOutputStream()
    pq.write_table(with_typed_columns(table), sink, compression="zstd")
    stream.write(sink.getvalue())


def _write_xlsx(table: pa.Table, stream: IO[bytes], **_: object) -> None:
    from inbedder_cli.output.excel import write_workbook

    write_workbook(table, stream)


def _check_xlsx(table: pa.Table) -> None:
    from inbedder_cli.output.excel import check_sizes

    check_sizes(table)


class _Lines:
    r"""Ends the lines of csv's writer as asked.

    The writer itself ends them with \r\n, since it then quotes cells that hold either character.

    :param stream: where the lines go.
    :param end: of each line.
    :param encoding: of the lines.
    """

    END = "\r\n"

    def __init__(self, stream: IO[bytes], end: str, encoding: str) -> None:
        self.stream, self.end, self.encoding = stream, end.encode(encoding), encoding

    def write(self, line: str) -> None:
        r"""Write one line; lone surrogates, which cannot be encoded, are replaced.

        :param line: ended by \r\n.
        """
        self.stream.write(line.removesuffix(self.END).encode(self.encoding, "replace") + self.end)


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table; pipes, tags, links, images and code are escaped, control characters dropped.

    :param header: names of the columns.
    :param rows: their cells, as many in each row as there are columns.
    :return: the lines of the table, with a line break after each.
    """

    def line(cells: list[str]) -> str:
        safe = [ESCAPED.sub(r"\\\g<0>", c).replace("<", "&lt;") for c in cells]
        return "| " + " | ".join(" ".join(CONTROL.sub(" ", c).split()) for c in safe) + " |\n"

    return line(header) + "|" + " --- |" * len(header) + "\n" + "".join(map(line, rows))


for _format in (
    Format("csv", (".csv",), _write_csv, takes_style=True),
    Format("tsv", (".tsv",), _write_tsv, takes_style=True),
    Format("json", (".json",), _write_json, has_lists=True),
    Format("jsonl", (".jsonl", ".ndjson"), _write_jsonl, has_lists=True),
    Format("markdown", (".md",), _write_markdown),
    Format("parquet", (".parquet", ".pq"), _write_parquet, is_binary=True, has_lists=True),
    Format("xlsx", (".xlsx",), _write_xlsx, is_binary=True, requires="openpyxl", check=_check_xlsx),
):
    register_format(_format)
