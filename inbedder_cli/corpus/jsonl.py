"""JSON lines. Each cell is kept as its JSON text, so that it is written again unchanged."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.limits import MAX_COLUMNS, MAX_DEPTH, check_empty_cells, too_many_columns
from inbedder_cli.corpus.opening import Opened, decode_lines
from inbedder_cli.corpus.values import replace_surrogates, value_as_json
from inbedder_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    lines = enumerate(decode_lines(opened, encoding), start=1)
    records = ((number, _parse_object(line, opened.name, number)) for number, line in lines if line.strip())
    return table_of_records(records, opened.name, limit)


def table_of_records(records: Iterable[tuple[int, dict[str, Any]]], name: str, limit: int | None) -> pa.Table:
    """Return JSON objects as a table of JSON texts; a missing key is a null cell.

    :param records: the line or item number of each, and the object.
    :param name: name of the input in messages.
    :param limit: maximum number of rows; None takes all.
    :return: one column per key, in order of appearance.
    :raises InputError: when there is none, or the keys are too many or too different.
    """
    import pyarrow as pa

    columns: dict[str, tuple[list[int], list[str]]] = {}  # rows and cells, of the rows that have the key
    n_rows = n_cells = 0
    for number, record in records:
        for key, value in record.items():
            if key not in columns:
                _check_key(key, len(columns), name, number)
                columns[key] = ([], [])
            rows, cells = columns[key]
            rows.append(n_rows)
            cells.append(value_as_json(value))
        n_rows += 1
        n_cells += len(record)
        if n_rows == limit:
            break
    if not n_rows:
        raise InputError("has no rows", source=name, hint="give a file with one JSON object per row")
    check_empty_cells(
        n_rows * len(columns) - n_cells,
        n_cells,
        f"{len(columns):,} different keys in {n_rows:,} rows",
        name,
        "keep the keys that every row has, and nest the others in one: jq -c '{text, rest: .}'",
    )
    fields = [pa.field(name, pa.string(), metadata=JSON_CELLS) for name in columns]
    return pa.table([_column(*column, n_rows) for column in columns.values()], schema=pa.schema(fields))


def _column(rows: list[int], cells: list[str], n_rows: int) -> pa.Array:
    """Return the cells of a column at their rows, null elsewhere."""
    import numpy as np
    import pyarrow as pa

    array = pa.array(cells, pa.string())
    if len(cells) == n_rows:
        return array
    places, is_empty = np.zeros(n_rows, np.int64), np.ones(n_rows, bool)
    places[rows], is_empty[rows] = np.arange(len(rows)), False
    return array.take(pa.array(places, mask=is_empty))


def _check_key(key: str, n_columns: int, name: str, number: int) -> None:
    if n_columns == MAX_COLUMNS:
        raise too_many_columns(name, line=number)
    if replace_surrogates(key) != key:
        raise InputError(
            f'the key "{replace_surrogates(key)}" holds half of a surrogate pair, which no file can hold',
            source=name,
            line=number,
            hint="rename the key",
        )


def _parse_object(line: str, name: str, number: int) -> dict[str, Any]:
    hint = "each line must be one whole JSON object; a document of several lines: --input-format json"
    record = parse_json(line, name, number, hint)
    if not isinstance(record, dict):
        kind = type(record).__name__
        raise InputError(f"a JSON {kind} where an object is expected", source=name, line=number, hint=hint)
    return record


def parse_json(text: str, name: str, number: int | None, hint: str) -> Any:  # noqa: ANN401
    """Return the value of a JSON text, in which NaN and infinite numbers are errors.

    :param text: the JSON text.
    :param name: name of the input in messages.
    :param number: line of the input; None where the text is all of it.
    :param hint: what to do next.
    :return: the value.
    :raises InputError: when it is no JSON, or nested too deeply.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    def finite(digits: str) -> float:
        value = float(digits)
        if not math.isfinite(value):
            raise ValueError(f"{digits} is too large a number")
        return value

    try:
        value = json.loads(text, parse_constant=refuse, parse_float=finite)
    except (ValueError, RecursionError) as error:
        raise InputError(f"bad JSON: {error}", source=name, line=number, hint=hint) from error
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deep(value):
        raise InputError(f"JSON nested more than {MAX_DEPTH} levels deep", source=name, line=number, hint=hint)
    return value


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        nested = [item for item in level if isinstance(item, (dict, list))]
        level = [child for item in nested for child in (item.values() if isinstance(item, dict) else item)]
    return any(isinstance(item, (dict, list)) for item in level)


def without_json_mark(table: pa.Table) -> pa.Table:
    """Return a table from elsewhere, whose fields may not claim that their strings are JSON cells.

    :param table: any table.
    :return: the same columns.
    """
    import pyarrow as pa

    if not any(map(has_json_cells, table.schema)):
        return table
    fields = [field.remove_metadata() if has_json_cells(field) else field for field in table.schema]
    return pa.Table.from_arrays(table.columns, schema=pa.schema(fields))


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
