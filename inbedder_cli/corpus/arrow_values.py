"""Python values of Arrow columns. Whatever a file may hold, every cell has a value that can be written."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.jsonl import cell_value, has_json_cells

if TYPE_CHECKING:
    import pyarrow as pa


# What Arrow raises for a value that has no counterpart in Python; all its own errors are one of these.
UNCONVERTIBLE = (ArithmeticError, ImportError, LookupError, OSError, RuntimeError, TypeError, ValueError)


def cell_values(column: pa.Array | pa.ChunkedArray, field: pa.Field) -> list[Any]:
    """Return the values of a column of a corpus.

    :param column: its cells.
    :param field: its field in the schema; JSON cells are decoded.
    :return: one per row, None where the cell is missing.
    """
    if has_json_cells(field):
        return [cell_value(cell) for cell in column.to_pylist()]
    return python_values(column)


def decoded_bytes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of bytes as strings where all of them are UTF-8, as some writers store texts.

    :param column: values of any type; other columns stay as they are.
    """
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        with contextlib.suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return column.cast(kind).cast(pa.large_string())
    return column


def python_values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Return the values of a column; those that Python has no type for are texts.

    These are times in nanoseconds, dates outside the years 1 to 9999, and times of unknown zones (shown in UTC).

    :param column: values of any type.
    :return: one per row, None where the value is missing.
    """
    import pyarrow as pa

    kind = column.type
    try:
        if getattr(kind, "unit", "") == "ns" and not pa.types.is_duration(kind):
            column = column.cast(pa.string())
        return list(column.to_pylist())
    except UNCONVERTIBLE:
        return list(map(_python_value, column))


def _python_value(scalar: pa.Scalar) -> Any:  # noqa: ANN401
    """Return the value of one cell, and convert of a nested one only the parts that need it."""
    import pyarrow as pa

    kind = scalar.type
    if not scalar.is_valid:
        return None
    if isinstance(scalar, pa.ExtensionScalar):
        return _python_value(scalar.value)
    if isinstance(scalar, pa.DictionaryScalar):
        return _python_value(scalar.value)
    if pa.types.is_map(kind):
        return [[_python_value(item[0]), _python_value(item[1])] for item in scalar.values]
    if pa.types.is_struct(kind):
        pairs = [(kind.field(i).name, _python_value(scalar[i])) for i in range(kind.num_fields)]
        return dict(pairs) if len(dict(pairs)) == len(pairs) else [list(pair) for pair in pairs]
    if isinstance(scalar, pa.ListScalar):  # of all kinds of lists
        return [_python_value(item) for item in scalar.values]
    try:
        return scalar.as_py()
    except UNCONVERTIBLE:
        return _text_of_time(scalar)


def _text_of_time(scalar: pa.Scalar) -> str:
    """Return a date, time or duration of any size as text; times with a zone are in UTC."""
    import numpy as np
    import pyarrow as pa

    kind = scalar.type
    unit: Any = getattr(kind, "unit", "")
    if pa.types.is_date(kind):
        unit = "D" if pa.types.is_date32(kind) else "ms"
    if not unit:
        return repr(scalar)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        text = str(np.datetime64(scalar.value, unit)).replace("T", " ")
        return f"{text}Z" if getattr(kind, "tz", None) else text
    return str(np.timedelta64(scalar.value, unit))
