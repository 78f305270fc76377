"""One table cell as text, as JSON, or as a typed column: whatever came in goes out unchanged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from inbedder_cli.corpus.jsonl import cell_value, has_json_cells
from inbedder_cli.corpus.values import value_as_json, value_as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


def rows_as_text(table: pa.Table, batch_rows: int = 16_384) -> Iterator[list[str]]:
    """Yield each row as strings: null is "", truth values and nested values are JSON."""
    json_columns = [has_json_cells(f) for f in table.schema]
    for batch in table.to_batches(max_chunksize=batch_rows):
        columns = [_values(column) for column in batch.columns]
        for cells in zip(*columns, strict=True):
            yield [value_as_text(cell_value(c) if j else c) for c, j in zip(cells, json_columns, strict=True)]


def rows_as_json(table: pa.Table, batch_rows: int = 16_384) -> Iterator[str]:
    """Yield each row as a JSON object; keys that a JSON-lines input row did not have stay away."""
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


def typed(table: pa.Table) -> pa.Table:
    """Return the table with JSON cells as typed columns; those of mixed types and of objects stay JSON texts."""
    import pyarrow as pa

    arrays, fields = [], []
    for field, column in zip(table.schema, table.columns, strict=True):
        if not has_json_cells(field):
            arrays.append(column)
            fields.append(field)
            continue
        values = [cell_value(cell) for cell in column.to_pylist()]
        try:
            nested = any(map(_holds_object, values))
            array = column.combine_chunks() if nested else pa.array(values)
        except (pa.ArrowException, OverflowError, UnicodeEncodeError):
            array = column.combine_chunks()
        arrays.append(array)
        fields.append(pa.field(field.name, array.type))
    return pa.table(arrays, schema=pa.schema(fields))


def _holds_object(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_holds_object, value)))


def _values(column: pa.Array) -> list[object]:
    """Return the column's Python values; nanoseconds, which Python does not have, as strings."""
    import pyarrow as pa

    kind = column.type
    if getattr(kind, "unit", "") == "ns" and not pa.types.is_duration(kind):
        column = column.cast(pa.string())
    return list(column.to_pylist())
