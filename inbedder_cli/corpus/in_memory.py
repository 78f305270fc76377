"""Frames, series, arrays, lists and Arrow tables -> `Corpus`.

pandas and numpy are never imported here: whoever passes a DataFrame has imported pandas.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.columns import check_column_names, column_tuple, not_text
from inbedder_cli.corpus.jsonl import JSON_CELLS, without_json_mark
from inbedder_cli.corpus.layout import Reading
from inbedder_cli.corpus.table import corpus_from_table
from inbedder_cli.corpus.text_guess import guess_text_column
from inbedder_cli.corpus.values import is_missing, value_as_json
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import EmptyTexts

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import pandas as pd
    import pyarrow as pa

    from inbedder_cli.corpus.table import Corpus

ACCEPTED = "pass a path, a pandas DataFrame or Series, a list or array of texts, or an Arrow table"
STRING_DTYPES = ("str", "string")  # of pandas: nothing but strings and missing values
COLUMN = "text"  # the name of the one column of a list


def corpus_from_object(
    source: pd.DataFrame | pd.Series | np.ndarray[Any, Any] | pa.Table | Sequence[str | None],
    *,
    text: str | Sequence[str] | None = None,
    text_template: str | None = None,
    id_column: str | None = None,
    empty: EmptyTexts | str = EmptyTexts.skip,
    limit: int | None = None,
    sample: int | None = None,
    seed: int = 0,
    require_text: bool = True,
) -> Corpus:
    """Return the corpus of an object in memory.

    None, NaN, NaT and pandas.NA are rows without text. The index of a pandas object is kept, and its labels are
    the ids of the rows unless `id_column` is given.

    :param source: a DataFrame or Series of pandas, a list, tuple or array of texts, or an Arrow table. Other
        objects with an array or Arrow interface, such as polars DataFrames, are accepted too.
    :param text: text column or columns of a frame or table; None guesses the one obvious column.
    :param text_template: pattern such as '{title}. {body}', instead of `text`.
    :param id_column: column of row ids, or the name of the index.
    :param empty: what to do with rows that have no text: skip, keep or fail.
    :param limit: maximum number of rows, taken from the beginning.
    :param sample: size of a random sample of the rows, kept in their order.
    :param seed: seed of the sample.
    :param require_text: whether at least one row must have a text.
    :return: the corpus.
    :raises InputError: for values that are not texts, naming row and column.
    :raises UsageError: for another kind of object, or for options that do not fit the object.
    """
    columns = column_tuple(text)
    pandas = sys.modules.get("pandas")
    id_column = None if id_column is None else str(id_column)
    index, has_columns = None, True
    if pandas and isinstance(source, pandas.DataFrame):
        frame = source.iloc[:limit]
        name, table, index = "DataFrame", _table_of_frame(frame), frame.index
        if id_column == str(frame.index.name) and id_column not in table.column_names:
            id_column = None  # the labels of the index are the ids anyway
        if not text_template:
            guessed = () if columns or not len(frame) else (guess_text_column(table, name),)
            _check_texts(frame, columns or guessed, table.column_names)
    elif hasattr(source, "__arrow_c_stream__") and (hasattr(source, "column_names") or hasattr(source, "columns")):
        import pyarrow as pa

        name, table = "Arrow table", without_json_mark(pa.table(source).slice(0, limit))
    else:
        name, values = _one_column(source)
        column, has_columns = COLUMN, False
        if pandas and isinstance(source, pandas.Series):
            column = COLUMN if source.name is None else str(source.name)
            index = source.index[:limit]
        if (columns and columns != (column,)) or text_template or id_column:
            hint = "leave out text, text_template and id_column, or pass a DataFrame"
            raise UsageError(f"a {name} has no columns to choose from", hint=hint)
        columns, table = (column,), _table_of_texts(values[:limit], column, name)
    corpus = corpus_from_table(
        table,
        source=name,
        text=columns,
        text_template=text_template,
        id_column=id_column,
        empty=empty,
        sample=sample,
        seed=seed,
        index=index,
        require_text=require_text,
        allow_numbers=bool(columns),  # the texts of one new row may well be "42"
    )
    if not has_columns:
        return corpus
    reading = Reading(
        columns=tuple(table.column_names),
        text=() if text_template else corpus.text_columns,
        text_template=text_template,
        id_column=id_column,
        empty=EmptyTexts(empty),
    )
    return replace(corpus, reading=reading)


def _table_of_frame(frame: pd.DataFrame) -> pa.Table:
    """Return the columns of a frame, without its index; columns that Arrow has no type for become JSON texts."""
    import pyarrow as pa

    if getattr(frame.columns, "nlevels", 1) > 1:
        hint = 'join its levels: frame.columns = [" ".join(map(str, name)) for name in frame.columns]'
        raise InputError("has column names of several levels", source="DataFrame", hint=hint)
    names = [str(name) for name in frame.columns]
    if not names:
        raise InputError("has no columns", source="DataFrame", hint=ACCEPTED)
    check_column_names(names, "DataFrame")
    arrays, fields = [], []
    for place, name in enumerate(names):
        array, metadata = _array_of(frame.iloc[:, place])
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata=metadata))
    return pa.table(arrays, schema=pa.schema(fields))


def _array_of(values: Iterable[Any]) -> tuple[pa.Array, dict[bytes, bytes] | None]:
    import pyarrow as pa

    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):  # mixed values, other classes, surrogates
        return _json_array(values), JSON_CELLS
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if isinstance(
        kind, pa.BaseExtensionType
    ):  # a Period or an Interval of pandas, which no output format supports
        return _json_array(values), JSON_CELLS
    return array, None


def _json_array(values: Iterable[Any]) -> pa.Array:
    import pyarrow as pa

    return pa.array(["null" if is_missing(value) else _as_json(value) for value in values], pa.string())


def _as_json(value: Any) -> str:  # noqa: ANN401
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        value = value.tolist()
    try:
        return value_as_json(value)
    except (TypeError, RecursionError):  # a dict with tuples as keys, a list that contains itself
        return value_as_json(str(value))


def _check_texts(frame: pd.DataFrame, columns: Sequence[str], names: list[str]) -> None:
    """Refuse a text column that holds other values; in the Arrow table they may be strings already."""
    for name in columns:
        if name in names:
            series = frame.iloc[:, names.index(name)]
            if str(series.dtype) in STRING_DTYPES:
                continue
            hint = f"name a column of texts with --text; columns: {', '.join(names)}"
            for row, value in enumerate(series, start=1):
                if not isinstance(value, str) and not is_missing(value):
                    raise not_text(value, "DataFrame", row, name, hint)


def _one_column(source: Any) -> tuple[str, Sequence[Any]]:  # noqa: ANN401
    """Return the name of an object's type and its values, for an object that is one column."""
    name = type(source).__name__
    is_array = hasattr(source, "__array__")
    if isinstance(source, (bytes, bytearray, memoryview)) or not (is_array or isinstance(source, Sequence)):
        raise UsageError(f"cannot take texts from an object of type {name}", hint=ACCEPTED)
    if is_array and getattr(source, "ndim", 1) == 2 and source.shape[1] == 1:
        source = source[:, 0]
    if is_array and getattr(source, "ndim", 1) != 1:
        hint = "pass the one column that holds the texts"
        raise InputError(f"has {source.ndim} dimensions instead of one", source=name, hint=hint)
    return name, source.to_pylist() if hasattr(source, "to_pylist") else list(source)


def _table_of_texts(values: Sequence[Any], column: str, source: str) -> pa.Table:
    import pyarrow as pa

    for row, value in enumerate(values, start=1):
        if not isinstance(value, str) and not is_missing(value):
            way_out = (
                "decode bytes: value.decode()" if isinstance(value, bytes) else "convert the others with str()"
            )
            raise not_text(value, source, row, None, f"pass texts only: {way_out}")
    if not values:
        raise InputError("has no rows", source=source, hint="pass at least one text")
    try:
        array, metadata = pa.array([None if is_missing(value) else value for value in values], pa.string()), None
    except UnicodeEncodeError:  # half of a surrogate pair
        array, metadata = _json_array(values), JSON_CELLS
    return pa.table([array], schema=pa.schema([pa.field(column, pa.string(), metadata=metadata)]))
