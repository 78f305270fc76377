"""One table cell as text, as JSON, or as a typed column: whatever came in goes out unchanged."""

from __future__ import annotations

import base64
import datetime
import json
import math
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.jsonl import cell_value, has_json_cells

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

MISSING = object()  # a key that a JSON-lines row did not have


def rows_as_text(table: pa.Table, batch_rows: int = 16_384) -> Iterator[list[str]]:
    """Yield each row as strings: null is "", truth values and nested values are JSON."""
    json_columns = [has_json_cells(f) for f in table.schema]
    for batch in table.to_batches(max_chunksize=batch_rows):
        columns = [column.to_pylist() for column in batch.columns]
        for cells in zip(*columns, strict=True):
            yield [_text(cell_value(c) if j else c) for c, j in zip(cells, json_columns, strict=True)]


def rows_as_json(table: pa.Table, batch_rows: int = 16_384) -> Iterator[str]:
    """Yield each row as a JSON object; keys that a JSON-lines input row did not have stay away."""
    keys = [json.dumps(name, ensure_ascii=False) for name in table.column_names]
    json_columns = [has_json_cells(f) for f in table.schema]
    for batch in table.to_batches(max_chunksize=batch_rows):
        columns = [column.to_pylist() for column in batch.columns]
        for cells in zip(*columns, strict=True):
            pairs = [
                f"{key}: {cell if is_json else _json(cell)}"
                for key, cell, is_json in zip(keys, cells, json_columns, strict=True)
                if not (is_json and cell is None)
            ]
            yield "{" + ", ".join(pairs) + "}"


def typed(table: pa.Table) -> pa.Table:
    """Return the table with JSON cells as typed columns; those of mixed types stay JSON texts."""
    import pyarrow as pa

    arrays, fields = [], []
    for field, column in zip(table.schema, table.columns, strict=True):
        if not has_json_cells(field):
            arrays.append(column)
            fields.append(field)
            continue
        try:
            array = pa.array([cell_value(cell) for cell in column.to_pylist()])
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            array = column.combine_chunks()
        arrays.append(array)
        fields.append(pa.field(field.name, array.type))
    return pa.table(arrays, schema=pa.schema(fields))


def _text(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, list, dict)):
        return _json(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat(" ") if isinstance(value, datetime.datetime) else value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def _json(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, float) and not math.isfinite(value):
        return "null"
    return json.dumps(value, ensure_ascii=False, default=_text)
