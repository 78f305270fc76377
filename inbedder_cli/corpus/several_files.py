"""The file, or the files, that a name stands for, read as one table."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from inbedder_cli.corpus.jsonl import has_json_cells
from inbedder_cli.corpus.locations import expand_pattern, is_remote, local_copy, shown_name
from inbedder_cli.corpus.opening import STDIN, open_input
from inbedder_cli.corpus.read_table import ReadTable
from inbedder_cli.corpus.readers import reader_of
from inbedder_cli.corpus.text_lines import encoding_of
from inbedder_cli.errors import InputError
from inbedder_cli.options import EncodingErrors
from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from inbedder_cli.corpus.layout import Layout
    from inbedder_cli.corpus.opening import Opened
    from inbedder_cli.corpus.read_table import BadRow


def files_of(source: str) -> list[str]:
    """Return the files that a name stands for, sorted; a name that stands for none is returned as it is.

    :param source: the path or URL of a file, a folder, or a pattern such as reviews/*.csv; or "-".
    :raises InputError: for a folder or a pattern without files.
    """
    if source in ("", STDIN):
        return [source]
    if not is_remote(source) and not any(sign in source for sign in "*?["):
        with suppress(OSError):
            if not os.path.isdir(source):  # noqa: PTH112 (False for a name that is too long)
                return [source]
    return expand_pattern(source)


@contextmanager
def open_file(path: str, max_cell: int) -> Iterator[Opened]:
    """Yield an opened file; a remote one is copied to a temporary file.

    :param path: a path, a URL, or "-".
    :param max_cell: largest cell, in MB.
    :yield: the file.
    :raises InputError: for a file that cannot be read.
    """
    if not is_remote(path):
        with closing(open_input(path, max_cell)) as opened:
            yield opened
        return
    with local_copy(path) as copy, closing(open_input(str(copy), max_cell, shown_name(path))) as opened:
        yield opened


def read_files(
    paths: Sequence[str], layout: Layout, input_format: str | None, limit: int | None, max_cell: int
) -> tuple[ReadTable, str]:
    """Return the rows of files one after another, and the name of the format of the first.

    :param paths: of the files, which have the same columns.
    :param layout: how they are laid out.
    :param input_format: name of the format; None detects it.
    :param limit: maximum number of rows; None reads all.
    :param max_cell: largest cell, in MB.
    :raises InputError: for a file that cannot be read, or has other columns than the first.
    """
    reads: list[ReadTable] = []
    names: list[str] = []
    for path in paths:
        n_rows = sum(read.table.num_rows for read in reads)
        if limit is not None and reads and n_rows >= limit:
            break
        read, name = _read_file(path, layout, input_format, None if limit is None else limit - n_rows, max_cell)
        reads.append(read)
        names.append(name)
    return (reads[0] if len(paths) == 1 else _joined(list(map(shown_name, paths)), reads)), names[0]


def _read_file(
    path: str, layout: Layout, input_format: str | None, limit: int | None, max_cell: int
) -> tuple[ReadTable, str]:
    with open_file(path, max_cell) as opened:
        reader, notes = reader_of(opened, layout, input_format)
        read = reader.read(opened, layout, limit)
        notes += read.notes
        if layout.encoding is None and (used := encoding_of(opened)) != "utf-8" and not reader.is_binary:
            notes.append(f"{used.upper()} (by its byte-order mark)")
        if lines := opened.undecoded:
            how = "with U+FFFD" if layout.encoding_errors is EncodingErrors.substitute else "as Windows-1252"
            n_lines = count_of(len(lines), "line")
            notes.append(f"{n_lines} not {layout.encoding or 'UTF-8'}, read {how} (first: {lines[0]:,})")
    return read._replace(notes=notes), reader.name


def _joined(paths: Sequence[str], reads: Sequence[ReadTable]) -> ReadTable:
    """Return files as one; of JSON a file may lack keys, as a row may."""
    import pyarrow as pa

    tables = [read.table.replace_schema_metadata(None) for read in reads]
    are_json = [all(map(has_json_cells, table.schema)) for table in tables]
    if all(are_json):
        fields = {field.name: field for table in tables for field in table.schema}
        table = pa.concat_tables(tables, promote_options="default").cast(pa.schema(list(fields.values())))
    else:
        check_same_columns(paths, [table.schema for table in tables])
        table = pa.concat_tables(tables)
    notes, bad_rows = _notes(paths, reads), list(_bad_rows(paths, reads))
    lost = [note for read in reads for note in read.lost]
    return ReadTable(table, notes, bad_rows, reads[0].style, lost)


def check_same_columns(paths: Sequence[str], schemas: Sequence[pa.Schema]) -> None:
    """Check that files have the same columns.

    :param paths: of the files.
    :param schemas: of their tables.
    :raises InputError: for the first file that has others.
    """
    first = schemas[0].remove_metadata()
    json = {field.name for field in schemas[0] if has_json_cells(field)}
    for path, whole in zip(paths, schemas, strict=False):
        schema = whole.remove_metadata()
        if schema.equals(first) and json == {field.name for field in whole if has_json_cells(field)}:
            continue
        odd = next((field.name for field in [*schema, *first] if field not in schema or field not in first), None)
        hint = "all files must have the same columns, of the same types, in the same order"
        raise InputError(f"has other columns than {paths[0]}", source=path, column=odd, hint=hint)


def _notes(paths: Sequence[str], reads: Sequence[ReadTable]) -> list[str]:
    """Return the notes of files, each once, with the first file that has it where not all have it."""
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for path, read in zip(paths, reads, strict=False):
        for note in dict.fromkeys(read.notes):
            holders[note].append(path)
    notes = [count_of(len(reads), "file")]
    for note, found in holders.items():
        n_others = f" and {count_of(len(found) - 1, 'other')}" if len(found) > 1 else ""
        notes.append(note if len(found) == len(reads) else f"{found[0]}{n_others}: {note}")
    return notes


def _bad_rows(paths: Sequence[str], reads: Sequence[ReadTable]) -> Iterator[BadRow]:
    for path, read in zip(paths, reads, strict=False):
        for row in read.bad_rows:
            yield row._replace(reason=f"{path}: {row.reason}")
