"""The formats that are read: each has a name, suffixes, a reader, and the options of `Layout` that it takes.

To add one, write a function of the opened file, the layout and the maximum number of rows, and register it:

    register_reader(Reader("fixed", (".fwf",), read_fixed, options=frozenset({"encoding"})))

From then on `--input-format fixed` and FILE.fwf work in every command. The command line lists the names in its
help, so this module imports little: readers import what they need.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inbedder_cli.corpus.delimited import read_csv, read_tsv, stream_csv, stream_tsv
from inbedder_cli.corpus.foreign import refuse_foreign, refuse_markup
from inbedder_cli.corpus.json_document import (
    begins_with_object,
    is_json_document,
    is_json_lines,
    read_json,
    read_json_lines,
    stream_json,
    stream_json_lines,
)
from inbedder_cli.corpus.layout import option_of
from inbedder_cli.corpus.lines import is_plain_text, read_lines, stream_lines
from inbedder_cli.corpus.parquet import is_parquet, read_parquet
from inbedder_cli.corpus.row_stream import stream_of_table
from inbedder_cli.corpus.text_lines import head_text
from inbedder_cli.corpus.workbook import is_workbook, read_workbook
from inbedder_cli.errors import UsageError
from inbedder_cli.registry import Registry, check_suffixes

if TYPE_CHECKING:
    from collections.abc import Callable

    from inbedder_cli.corpus.layout import Layout
    from inbedder_cli.corpus.opening import Opened
    from inbedder_cli.corpus.read_table import ReadTable
    from inbedder_cli.corpus.row_stream import RowStream

COMPRESSION_SUFFIXES = {".gz", ".bz2", ".xz", ".zst", ".zip"}
ENCODING = frozenset({"encoding", "encoding_errors"})
HEADER = frozenset({"header", "header_rows", "skip_rows", "on_bad_row"})
JSON = ENCODING | {"json_path", "header", "on_bad_row"}
CONTENT = "{} by its content, whatever its name"
TABLES = {"csv", "tsv"}
CSV = ENCODING | HEADER | {"delimiter", "quote", "escape"}


@dataclass(frozen=True)
class Reader:
    """One format of files.

    :param name: what `--input-format` calls it.
    :param suffixes: suffixes of its files, in lower case and with the dot.
    :param read: reads a file, at most so many rows of it if the number is not None.
    :param options: the fields of `Layout` that it takes; any other is refused.
    :param is_binary: whether its files hold no text, and are known by their first bytes whatever their name.
    :param sniff: whether a file is of this format, from its first bytes, or the first characters of a text file.
    :param note: what is said of a file that was sniffed to be of it.
    :param batches: reads the same rows in batches; None if a file of this format is read whole.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Opened, Layout, int | None], ReadTable]
    options: frozenset[str] = frozenset()
    is_binary: bool = False
    sniff: Callable[[Opened, str], bool] | None = None
    note: str | None = None
    batches: Callable[[Opened, Layout, int | None], RowStream] | None = None

    def stream(self, opened: Opened, layout: Layout) -> RowStream:
        """Return the rows of a file, in batches if the format can be read so.

        :param opened: the file.
        :param layout: how it is laid out.
        :raises InputError: for a file that cannot be read.
        """
        if self.batches is None:
            return stream_of_table(self.read(opened, layout, None))
        return self.batches(opened, layout, None)


READERS: Registry[Reader] = Registry("input format", {})


def register_reader(new: Reader) -> None:
    """Add a format, or replace the one of the same name.

    :param new: the format. Those that were registered before are sniffed before.
    :raises ValueError: when a suffix is malformed or belongs to another format.
    """
    check_suffixes(new.name, new.suffixes, _by_suffix())
    READERS.register(new.name, new)


def reader_of(opened: Opened, layout: Layout, requested: str | None = None) -> tuple[Reader, list[str]]:
    """Return the reader of a file, and a note where its name does not tell the format.

    :param opened: the file.
    :param layout: as it was given.
    :param requested: the name of the format; None: by the suffix, or the content of a binary or other file.
    :raises InputError: for a file of a kind that is not read.
    :raises UsageError: for an unknown format, or an option that it does not take.
    """
    notes: list[str] = []
    if requested is not None:
        reader = READERS[requested]
    else:
        reader, notes = _detected(opened, layout)
    if not reader.is_binary:
        refuse_foreign(opened, layout)
        if requested is None:
            refuse_markup(opened, layout)
    _check_options(reader, layout)
    return reader, notes


def _detected(opened: Opened, layout: Layout) -> tuple[Reader, list[str]]:
    readers = [READERS[name] for name in READERS]
    named = format_of_suffix(opened.name)
    for reader in readers:
        if reader.is_binary and reader.sniff and reader.sniff(opened, ""):
            is_news = named not in (None, reader.name)
            return reader, [CONTENT.format(reader.name)] if is_news else []
    text = head_text(opened, layout)
    if named in TABLES and begins_with_object(text):
        return READERS["jsonl"], [CONTENT.format("jsonl")]
    if named is not None:
        return READERS[named], []
    for reader in readers:
        if not reader.is_binary and reader.sniff and reader.sniff(opened, text):
            return reader, [reader.note] if reader.note else []
    return READERS["csv"], []


def format_of_suffix(path: str) -> str | None:
    """Return the format that the name of a file tells, without the suffixes of compression.

    :param path: of the file.
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    while suffixes and suffixes[-1] in COMPRESSION_SUFFIXES:
        suffixes.pop()
    return _by_suffix().get(suffixes[-1]) if suffixes else None


def taken_options(name: str | None) -> frozenset[str]:
    """Return the fields of `Layout` that a format takes.

    :param name: of the format; None, where it is not known yet: those that any takes.
    """
    if name is not None:
        return READERS[name].options
    return frozenset().union(*(READERS[each].options for each in READERS))


def _by_suffix() -> dict[str, str]:
    return {suffix: name for name in READERS for suffix in READERS[name].suffixes}


def _check_options(reader: Reader, layout: Layout) -> None:
    for option in layout.given:
        if option not in reader.options:
            able = [name for name in READERS if option in READERS[name].options]
            raise UsageError(
                f"{option_of(option)} is not for {reader.name}",
                hint=f"leave it out; formats that take it: {', '.join(able)}",
            )


for _reader in (
    Reader("parquet", (".parquet", ".pq"), read_parquet, is_binary=True, sniff=is_parquet),
    Reader("xlsx", (".xlsx", ".xlsm"), read_workbook, HEADER | {"sheet"}, is_binary=True, sniff=is_workbook),
    Reader("jsonl", (".jsonl", ".ndjson"), read_json_lines, JSON, sniff=is_json_lines, batches=stream_json_lines),
    Reader("json", (".json", ".geojson", ".js"), read_json, JSON, sniff=is_json_document, batches=stream_json),
    Reader(
        "lines",
        (),
        read_lines,
        ENCODING | {"skip_rows"},
        sniff=is_plain_text,
        note="plain lines, one text each (guessed; --input-format csv to change)",
        batches=stream_lines,
    ),
    Reader("csv", (".csv",), read_csv, CSV, batches=stream_csv),
    Reader("tsv", (".tsv", ".tab"), read_tsv, CSV, batches=stream_tsv),
):
    register_reader(_reader)
