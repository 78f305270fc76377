"""Convert the cells of a table to text, to JSON and to typed columns, without changing the input's values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.arrow_values import cell_values, decoded_bytes, python_values
from inbedder_cli.corpus.jsonl import cell_value, has_json_cells
from inbedder_cli.corpus.values import replace_surrogates, value_as_json, value_as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


MAX_LISTS = 30  # in each other; each is two or three of the 100 levels that Parquet may have
BATCH_CELLS = 2**20  # converted at a time


def rows_as_text(table: pa.Table, batch_cells: int = BATCH_CELLS) -> Iterator[list[str]]:
    """Yield each row as strings: null is "", booleans and nested values are JSON.

    :param table: columns of JSON cells (`corpus.jsonl.JSON_CELLS`) are decoded first.
    :param batch_cells: cells converted at a time.
    :yield: the cells of one row, in the order of the columns.
    """
    table = with_decoded_bytes(table)
    for batch in _batches(table, batch_cells):
        columns = [cell_values(column, field) for column, field in zip(batch.columns, table.schema, strict=True)]
        for cells in zip(*columns, strict=True):
            yield [value_as_text(cell) for cell in cells]


def rows_as_json(table: pa.Table, batch_cells: int = BATCH_CELLS) -> Iterator[str]:
    """Yield each row as a JSON object; keys that a row of a JSON-lines input did not have are left out.

    :param table: columns of JSON cells (`corpus.jsonl.JSON_CELLS`) go out as they are.
    :param batch_cells: cells converted at a time.
    :yield: one row, on one line and without a line break at its end.
    """
    table = with_decoded_bytes(table)
    keys = [json.dumps(name, ensure_ascii=False) for name in table.column_names]
    json_columns = [has_json_cells(f) for f in table.schema]
    for batch in _batches(table, batch_cells):
        columns = [
            (key, is_json, python_values(column))
            for key, is_json, column in zip(keys, json_columns, batch.columns, strict=True)
            if not (is_json and column.null_count == batch.num_rows)  # keys that none of these rows had
        ]
        for row in range(batch.num_rows):
            pairs = [
                f"{key}: {cells[row] if is_json else value_as_json(cells[row])}"
                for key, is_json, cells in columns
                if not (is_json and cells[row] is None)
            ]
            yield "{" + ", ".join(pairs) + "}"


def with_decoded_bytes(table: pa.Table) -> pa.Table:
    """Return a table whose columns of bytes are strings where all of them are UTF-8, as some writers store texts.

    :param table: any table.
    """
    for place, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        decoded = decoded_bytes(column)
        if decoded is not column:
            table = table.set_column(place, name, decoded)
    return table


def _batches(table: pa.Table, cells: int) -> Iterator[pa.RecordBatch]:
    yield from table.to_batches(max_chunksize=max(1, cells // max(1, table.num_columns)))


def records(table: pa.Table) -> list[dict[str, Any]]:
    """Return each row as a dictionary of plain JSON values (see `rows_as_json`).

    :param table: any table.
    :return: one dictionary per row.
    """
    return [json.loads(row) for row in rows_as_json(table)]


def with_typed_columns(table: pa.Table) -> pa.Table:
    """Return the table with JSON cells as typed columns; those of mixed types and of objects stay JSON texts.

    :param table: any table; columns without JSON cells stay as they are.
    :return: a table of the same columns and rows.
    """
    import pyarrow as pa

    arrays, fields = [], []
    for field, column in zip(table.schema, table.columns, strict=True):
        if has_json_cells(field):
            values = parse_json_column(column)
            column = column.combine_chunks() if values is None else values
            field = pa.field(field.name, column.type)
        arrays.append(column)
        fields.append(field)
    return pa.table(arrays, schema=pa.schema(fields))


def parse_json_column(column: pa.ChunkedArray) -> pa.Array | None:
    """Return the values of JSON cells as an array of one type; None for mixed types, objects and deep lists.

    :param column: JSON texts, null where a row did not have the key.
    :return: one value per cell, or None.
    """
    import pyarrow as pa

    values = [cell_value(cell) for cell in column.to_pylist()]
    values = [replace_surrogates(value) if isinstance(value, str) else value for value in values]
    if any(map(_stays_json, values)):
        return None
    if len({isinstance(leaf, bool) for leaf in _leaves(values)}) > 1:  # PyArrow takes true for 1.0
        return None
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        return None


def _leaves(values: list[Any]) -> Iterator[object]:
    """Yield the values in lists of lists, but for None."""
    for value in values:
        if isinstance(value, list):
            yield from _leaves(value)
        elif value is not None:
            yield value


def _stays_json(value: object, depth: int = 0) -> bool:
    """Return whether a value has an object in it, or more lists in lists than Parquet's readers accept."""
    if not isinstance(value, list):
        return isinstance(value, dict)
    return depth == MAX_LISTS or any(_stays_json(item, depth + 1) for item in value)
