"""Convert the cells of a table to text, to JSON and to typed columns, without changing the input's values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.jsonl import cell_value, has_json_cells
from inbedder_cli.corpus.values import value_as_json, value_as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


def rows_as_text(table: pa.Table, batch_rows: int = 16_384) -> Iterator[list[str]]:
    """Yield each row as strings: null is "", booleans and nested values are JSON.

    :param table: columns of JSON cells (`corpus.jsonl.JSON_CELLS`) are decoded first.
    :param batch_rows: rows converted at a time.
    :yield: the cells of one row, in the order of the columns.
    """
    json_columns = [has_json_cells(f) for f in table.schema]
    for batch in table.to_batches(max_chunksize=batch_rows):
        columns = [_values(column) for column in batch.columns]
        for cells in zip(*columns, strict=True):
            yield [value_as_text(cell_value(c) if j else c) for c, j in zip(cells, json_columns, strict=True)]


def rows_as_json(table: pa.Table, batch_rows: int = 16_384) -> Iterator[str]:
    """Yield each row as a JSON object; keys that a row of a JSON-lines input did not have are left out.

    :param table: columns of JSON cells (`corpus.jsonl.JSON_CELLS`) go out as they are.
    :param batch_rows: rows converted at a time.
    :yield: one row, on one line and without a line break at its end.
    """
    keys = [json.dumps(name, ensure_ascii=False) for name in table.column_names]
    json_columns = [has_json_cells(f) for f in table.schema]
    for batch in table.to_batches(max_chunksize=batch_rows):
        columns = [_values(column) for column in batch.columns]
        for cells in zip(*columns, strict=True):
            pairs = [
                f"{key}: {cell if is_json else value_as_json(cell)}"
                for key, cell, is_json in zip(keys, cells, json_columns, strict=True)
                if not (is_json and cell is None)
            ]
            yield "{" + ", ".join(pairs) + "}"


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
    """Return the values of JSON cells as an array of one type; None for mixed types, and for objects.

    :param column: JSON texts, null where a row did not have the key.
    :return: one value per cell, or None.
    """
    import pyarrow as pa

    values = [cell_value(cell) for cell in column.to_pylist()]
    if any(map(_holds_object, values)):
        return None
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        return None


def _holds_object(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_holds_object, value)))


def _values(column: pa.Array) -> list[object]:
    """Return the column's Python values; times in nanoseconds, which Python lacks, as strings."""
    import pyarrow as pa

    kind = column.type
    if getattr(kind, "unit", "") == "ns" and not pa.types.is_duration(kind):
        column = column.cast(pa.string())
    return list(column.to_pylist())
