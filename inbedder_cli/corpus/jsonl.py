"""JSON lines. Each cell is kept as its JSON text, so that it is written again unchanged."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.opening import Opened, decode_lines
from inbedder_cli.corpus.values import value_as_json
from inbedder_cli.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

JSON_CELLS = {b"inbedder.cells": b"json"}  # field metadata: the strings of this column are JSON texts


def read_jsonl(opened: Opened, *, encoding: str | None = None, limit: int | None = None) -> pa.Table:
    """Return a file of one JSON object per line as a table of JSON texts; a missing key is a null cell.

    :param opened: the file.
    :param encoding: None means UTF-8.
    :param limit: maximum number of rows; None reads all.
    :return: one column per key, in order of appearance.
    :raises InputError: naming the first line that is not a JSON object.
    """
    import pyarrow as pa

    columns: dict[str, list[str | None]] = {}
    n_rows = 0
    for number, line in enumerate(decode_lines(opened, encoding), start=1):
        if not line.strip():
            continue
        record = _parse_object(line, opened.name, number)
        for key, value in record.items():
            if key not in columns:
                columns[key] = [None] * n_rows
            columns[key].append(value_as_json(value))
        n_rows += 1
        for cells in columns.values():
            if len(cells) < n_rows:
                cells.append(None)
        if n_rows == limit:
            break
    if not n_rows:
        raise InputError("has no rows", source=opened.name, hint="give a file with one JSON object per line")
    fields = [pa.field(name, pa.string(), metadata=JSON_CELLS) for name in columns]
    return pa.table([pa.array(c, pa.string()) for c in columns.values()], schema=pa.schema(fields))


def _parse_object(line: str, name: str, number: int) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    def finite(digits: str) -> float:
        value = float(digits)
        if not math.isfinite(value):
            raise ValueError(f"{digits} is too large a number")
        return value

    hint = "each line must be one whole JSON object"
    try:
        record = json.loads(line, parse_constant=refuse, parse_float=finite)
    except (ValueError, RecursionError) as error:
        raise InputError(f"bad JSON: {error}", source=name, line=number, hint=hint) from error
    if not isinstance(record, dict):
        kind = type(record).__name__
        raise InputError(f"a JSON {kind} where an object is expected", source=name, line=number, hint=hint)
    return record


def has_json_cells(field: pa.Field) -> bool:
    """Return whether the strings of a column are JSON texts.

    :param field: the field of the column in the schema of its table.
    :return: whether `cell_value` gives their values.
    """
    return bool(field.metadata) and field.metadata.get(b"inbedder.cells") == b"json"


def cell_value(cell: str | None) -> Any:  # noqa: ANN401
    """Return the Python value of a JSON cell.

    :param cell: the JSON text; None for a missing key.
    :return: the value; None for a missing key or a JSON null.
    """
    return None if cell is None else json.loads(cell)
