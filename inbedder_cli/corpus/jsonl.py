"""Tables of JSON cells: each is kept as its JSON text, so that it is written again unchanged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.limits import MAX_COLUMNS, check_empty_cells, too_many_columns
from inbedder_cli.corpus.row_stream import RowStream
from inbedder_cli.corpus.values import replace_surrogates, value_as_json
from inbedder_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

JSON_CELLS = {b"inbedder.cells": b"json"}  # field metadata: the strings of this column are JSON texts
BATCH_CELLS, BATCH_CHARACTERS = 2**18, 2**25  # converted at a time


def stream_records(records: Iterable[tuple[int, dict[str, Any]]], name: str, limit: int | None) -> RowStream:
    """Return JSON objects as rows of JSON texts; a missing key is a null cell.

    :param records: the line or item number of each, and the object.
    :param name: name of the input in messages.
    :param limit: maximum number of rows; None takes all.
    :return: rows of one column per key, in order of appearance. While they are read, errors are raised when there
        is none, or the keys are too many or too different.
    """
    import pyarrow as pa

    keys: dict[str, pa.Field] = {}

    def batches() -> Iterator[pa.Table]:
        batch, n_rows, n_cells = _Batch(), 0, 0
        for number, record in records:
            for key in record:
                if key not in keys:
                    _check_key(key, len(keys), name, number)
                    keys[key] = pa.field(key, pa.string(), metadata=JSON_CELLS)
            batch.add(record)
            n_rows += 1
            n_cells += len(record)
            if n_rows == limit:
                break
            if batch.is_full:
                yield batch.table(keys)
                batch = _Batch()
        if not n_rows:
            raise InputError("has no rows", source=name, hint="give a file with one JSON object per row")
        check_empty_cells(
            n_rows * len(keys) - n_cells,
            n_cells,
            f"{len(keys):,} different keys in {n_rows:,} rows",
            name,
            "keep the keys that every row has, and nest the others in one: jq -c '{text, rest: .}'",
        )
        if batch.n_rows:
            yield batch.table(keys)

    def finished(table: pa.Table) -> pa.Table:
        given = set(table.column_names)
        nulls = pa.chunked_array([pa.nulls(table.num_rows, pa.string())])
        columns = [table.column(key) if key in given else nulls for key in keys]
        return pa.table(columns, schema=pa.schema(list(keys.values())))

    return RowStream(batches(), finished, list)


class _Batch:
    """JSON texts of some rows, by key, with the rows that have it."""

    def __init__(self) -> None:
        self.columns: dict[str, tuple[list[int], list[str]]] = {}
        self.n_rows = self.n_characters = 0

    @property
    def is_full(self) -> bool:
        """Whether the rows are as many, or as long, as are to be in memory at a time."""
        return self.n_rows * len(self.columns) >= BATCH_CELLS or self.n_characters >= BATCH_CHARACTERS

    def add(self, record: dict[str, Any]) -> None:
        for key, value in record.items():
            if key not in self.columns:
                self.columns[key] = ([], [])
            rows, cells = self.columns[key]
            cell = value_as_json(value)
            rows.append(self.n_rows)
            cells.append(cell)
            self.n_characters += len(cell)
        self.n_rows += 1

    def table(self, keys: dict[str, pa.Field]) -> pa.Table:
        import pyarrow as pa

        arrays = [_column(*column, self.n_rows) for column in self.columns.values()]
        return pa.table(arrays, schema=pa.schema([keys[key] for key in self.columns]))


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
