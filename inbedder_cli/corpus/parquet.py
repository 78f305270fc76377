"""Parquet reading in small batches, whose sizes are added up before repeated values are expanded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inbedder_cli.corpus.columns import check_column_names
from inbedder_cli.corpus.jsonl import without_json_mark
from inbedder_cli.corpus.limits import cell_too_large, unpacked_limit, unpacks_too_large
from inbedder_cli.corpus.opening import DAMAGED
from inbedder_cli.corpus.read_table import ReadTable
from inbedder_cli.errors import InputError
from inbedder_cli.parquet_pages import unpacked_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    import pyarrow.parquet as pq

    from inbedder_cli.corpus.layout import Layout
    from inbedder_cli.corpus.opening import Opened

BATCH_ROWS = 4_096  # a few bytes may stand for many equal cells: look often
FEW_ROWS = 256  # where strings cannot be read as dictionaries, and a batch is expanded before it is measured
EXPANDABLE = {"PLAIN", "PLAIN_DICTIONARY", "RLE", "RLE_DICTIONARY", "BIT_PACKED"}
WIDTH = 8  # bytes that a value takes in memory, if it is not a string


def is_parquet(opened: Opened, _: str) -> bool:
    """Return whether a file is Parquet.

    :param opened: the file.
    """
    return opened.head.startswith(b"PAR1")


def read_parquet(opened: Opened, _: Layout, limit: int | None = None) -> ReadTable:
    """Return a Parquet file as a table of its own types.

    :param opened: the file.
    :param limit: maximum number of rows; None reads all.
    :return: the rows.
    :raises InputError: for a damaged file, or one that unpacks to too much.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not the Python stream: with it, Arrow's threads can hang or abort at exit (apache/arrow#50482).
        source = opened.path or pa.BufferReader(opened.stream.read())
        with pq.ParquetFile(source) as file:
            schema, strings, batch_rows = file.schema_arrow, *string_leaves(file)
            _check_declared(file, opened.name, opened.packed)
            unpacked = unpacked_bytes(source, file.metadata)
        if unpacked > unpacked_limit(opened.packed):
            raise unpacks_too_large(opened.name, opened.packed)
        with pq.ParquetFile(source, read_dictionary=strings) as file:
            schema = expanded_schema(file.schema_arrow, schema)
            batches = list(_batches(file, schema, min(limit or batch_rows, batch_rows), limit, opened))
        table = pa.Table.from_batches(batches, schema=schema)
    except (MemoryError, InputError):
        raise
    except (pa.ArrowException, RecursionError, UnicodeError, *DAMAGED) as error:
        reason = (str(error) or "it is cut short").splitlines()[0]
        if isinstance(error, UnicodeError):
            reason = "a column has a name that is not UTF-8"
        hint = "write the file again, or export the table as CSV"
        raise InputError(f"not a readable Parquet file: {reason}", source=opened.name, hint=hint) from error
    return ReadTable(without_json_mark(table))


def string_leaves(file: pq.ParquetFile) -> tuple[list[str], int]:
    """Return the paths of the strings that can be read as dictionaries, also of nested ones, and the rows to read.

    This decodes all names: they may be no UTF-8.

    :param file: the file.
    """
    import pyarrow as pa

    leaves = [file.schema.column(i) for i in range(len(file.schema))]
    strings = {leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"}
    others = {c.path_in_schema for c in _chunks(file) if not EXPANDABLE.issuperset(c.encodings)}
    is_extended = any(isinstance(field.type, pa.BaseExtensionType) for field in file.schema_arrow)
    return sorted(strings - others), FEW_ROWS if is_extended or strings & others else BATCH_ROWS


def _chunks(file: pq.ParquetFile) -> list[pq.ColumnChunkMetaData]:
    groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
    return [group.column(i) for group in groups for i in range(group.num_columns)]


def expanded_schema(read: pa.Schema, wanted: pa.Schema) -> pa.Schema:
    """Return the file's schema, with dictionaries where Arrow cannot expand them (views of strings and lists).

    :param read: the schema as it is read, with strings as dictionaries.
    :param wanted: the schema of the file.
    """
    for place, field in enumerate(wanted):
        if _holds_view(field.type):
            wanted = wanted.set(place, field.with_type(read.field(place).type))
    return wanted


def _holds_view(kind: pa.DataType) -> bool:
    children = [kind.field(i).type for i in range(kind.num_fields)]
    return str(kind).startswith(("string_view", "binary_view", "list_view", "large_list_view")) or any(
        map(_holds_view, children)
    )


def _check_declared(file: pq.ParquetFile, name: str, packed: int) -> None:
    """Check, before any row is read, the columns and the sizes that the footer tells."""
    check_column_names(file.schema_arrow.names, name)
    leaves = [file.schema.column(i) for i in range(len(file.schema))]
    widths = {leaf.path: max(WIDTH, leaf.length) for leaf in leaves}  # only types of fixed length have one
    chunks = _chunks(file)
    if unknown := {chunk.path_in_schema for chunk in chunks} - widths.keys():
        raise InputError(
            f"not a readable Parquet file: its rows have a column {min(unknown)} that its schema has not",
            source=name,
            hint="write it again",
        )
    declared = sum(max(c.total_uncompressed_size, c.num_values * widths[c.path_in_schema]) for c in chunks)
    if declared > unpacked_limit(packed):
        raise unpacks_too_large(name, packed)


def _batches(
    file: pq.ParquetFile, schema: pa.Schema, batch_rows: int, limit: int | None, opened: Opened
) -> Iterator[pa.RecordBatch]:
    """Yield batches whose strings, which were read as dictionaries, are expanded if that is not too much."""
    import pyarrow as pa

    n_rows = n_bytes = 0
    # Arrow cannot read nested dictionaries across row groups: one after the other.
    groups = range(file.num_row_groups)
    for batch in (b for i in groups for b in file.iter_batches(batch_size=batch_rows, row_groups=[i])):
        batch = batch.slice(0, None if limit is None else limit - n_rows)
        columns = []
        for field, column in zip(schema, batch.columns, strict=True):
            total, longest = expanded_size(column)
            n_bytes += total
            if longest > opened.max_cell:
                row = f"rows {n_rows + 1:,} to {n_rows + batch.num_rows:,}"
                raise cell_too_large(f"{opened.name}, {row}", opened.max_cell, column=field.name)
            if n_bytes > unpacked_limit(opened.packed):
                raise unpacks_too_large(opened.name, opened.packed)
            if column.type != field.type:
                column = column.cast(field.type)
            _check_values(column, opened.name, field.name, n_rows)
            columns.append(column)
        yield pa.record_batch(columns, schema=schema)
        n_rows += batch.num_rows
        if limit is not None and n_rows >= limit:
            break


def _check_values(column: pa.Array, name: str, column_name: str, n_before: int) -> None:
    """Check that strings are UTF-8, that times are times of a day, and that lists and dictionaries are whole."""
    import pyarrow as pa

    def problem(values: pa.Array) -> str | None:
        try:
            values.validate(full=True)
        except pa.ArrowInvalid as error:
            return str(error).splitlines()[0]
        return None

    if problem(column):
        bad = next((i for i in range(len(column)) if problem(column.take([i]))), 0)
        reason = problem(column.take([bad])) or problem(column)
        hint = "write the file again, or leave out this column"
        raise InputError(
            f"not a readable value: {reason}", source=name, row=n_before + bad + 1, column=column_name, hint=hint
        )


def expanded_size(array: pa.Array) -> tuple[int, int]:
    """Return the bytes that an array needs without dictionaries, and those of its longest string.

    :param array: of any type.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return expanded_size(array.storage)
    if pa.types.is_map(kind):
        parts = [array.keys, array.items]
    elif pa.types.is_struct(kind):
        parts = [array.field(i) for i in range(kind.num_fields)]
    elif pa.types.is_nested(kind):
        parts = [array.flatten()]
    elif pa.types.is_dictionary(kind):
        if pa.types.is_string(kind.value_type) or pa.types.is_binary(kind.value_type):
            lengths = pc.binary_length(array.dictionary).take(array.indices)
            return pc.sum(lengths).as_py() or 0, pc.max(lengths).as_py() or 0
        return array.nbytes, 0
    elif pa.types.is_string(kind) or pa.types.is_binary(kind):
        return array.nbytes, pc.max(pc.binary_length(array)).as_py() or 0
    else:
        return array.nbytes, 0
    sizes = [expanded_size(part) for part in parts]
    return sum(total for total, _ in sizes), max((longest for _, longest in sizes), default=0)
