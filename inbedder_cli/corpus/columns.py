"""Choose the text column or columns of a table, and turn rows into texts."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

from inbedder_cli.corpus.jsonl import cell_value, has_json_cells
from inbedder_cli.corpus.values import value_as_text
from inbedder_cli.encoders.prompts.templates import whole
from inbedder_cli.errors import InputError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

TEXT_NAMES = frozenset(
    "text texts review reviews comment comments message messages body content feedback description "
    "sentence tweet document answer response question note notes complaint post utterance abstract".split()
)
NUMBER = re.compile(
    r"[-+]?(\d+([.,]\d+)*|\.\d+)([eE][-+]?\d+)?%?|true|false|\d{4}-\d\d-\d\d([T ][\d:.+Z-]*)?", re.I
)


def column_values(table: pa.Table, name: str, source: str, rows: Sequence[int] | None = None) -> list[str | None]:
    """Return the column's cells as strings, None where null.

    :param rows: each row's index in the file, for messages.

    :raises InputError: when there is no such column, or a cell is not text.
    """
    import pyarrow as pa

    if name not in table.column_names:
        known = ", ".join(table.column_names)
        hint = f"{did_you_mean(name, table.column_names)}columns: {known}"
        raise InputError(f'no column "{name}"', source=source, hint=hint)
    field = table.schema.field(name)
    column = table.column(name)
    if has_json_cells(field):
        values = [cell_value(cell) for cell in column.to_pylist()]
        for place, value in enumerate(values):
            if value is not None and not isinstance(value, str):
                kind = "a list or object" if isinstance(value, (list, dict)) else "a number or truth value"
                row = (place if rows is None else rows[place]) + 1
                hint = _text_hint(table)
                raise InputError(f"holds {kind}, not text", source=source, row=row, column=name, hint=hint)
        return [v if v is None else whole(v) for v in values]
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_null(kind):
        return [None] * table.num_rows
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise InputError(f"holds {kind} values, not text", source=source, column=name, hint=_text_hint(table))
    return list(column.to_pylist())


def text_values(table: pa.Table, name: str, source: str, rows: Sequence[int] | None = None) -> list[str | None]:
    """Return `column_values`, refusing a column of nothing but numbers or dates."""
    values = column_values(table, name, source, rows)
    filled = [v for v in values if v and v.strip()]
    if filled and all(NUMBER.fullmatch(v.strip()) for v in filled):
        raise InputError("holds numbers or dates, not text", source=source, column=name, hint=_text_hint(table))
    return values


def _text_hint(table: pa.Table) -> str:
    return f"name a column of texts with --text; columns: {', '.join(table.column_names)}"


def guess_text_column(table: pa.Table, source: str) -> str:
    """Return the one obvious text column: by its name, else the one with by far the most words.

    :raises InputError: when no column, or more than one, is obvious.
    """
    head = table.slice(0, 200)
    words: dict[str, float] = {name: _mean_words(head, name) for name in table.column_names}
    texty = {name: n for name, n in words.items() if n > 0}
    named = [name for name in texty if name.strip().lower() in TEXT_NAMES]
    if len(named) == 1:
        return named[0]
    ranked = sorted(texty, key=lambda name: -texty[name])
    if len(ranked) == 1 and (texty[ranked[0]] >= 2 or table.num_columns == 1):
        return ranked[0]
    if len(ranked) > 1 and texty[ranked[0]] >= 4 and texty[ranked[0]] >= 3 * texty[ranked[1]]:
        return ranked[0]
    problem = "more than one column could be the text" if len(ranked) > 1 else "no text column found"
    raise InputError(problem, source=source, hint=_text_hint(table))


def _mean_words(head: pa.Table, name: str) -> float:
    try:
        values = [v for v in text_values(head, name, "") if v and v.strip()]
    except InputError:
        return 0.0
    return sum(len(v.split()) for v in values) / len(values) if values else 0.0


def join_texts(table: pa.Table, names: Sequence[str], source: str, rows: Sequence[int] | None = None) -> list[str]:
    """Return one stripped text per row; several columns are joined by a line break, empty ones left out."""
    columns = [text_values(table, name, source, rows) for name in names]
    return ["\n".join(c.strip() for c in cells if c and c.strip()) for cells in zip(*columns, strict=True)]


def fill_text_template(table: pa.Table, template: str, source: str) -> tuple[list[str], tuple[str, ...]]:
    """Fill '{title}. {body}' per row; a row whose named columns are all empty is an empty text.

    :return: the texts and the columns named.
    :raises UsageError: for a template that names no column or asks for more than column names.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise UsageError(f"--text-template: {error}", hint="example: '{title}. {body}'") from error
    names = tuple(dict.fromkeys(name for _, name, _, _ in parts if name is not None))
    if not names or any(spec or conversion for _, _, spec, conversion in parts):
        raise UsageError("--text-template must name columns in braces", hint="example: '{title}. {body}'")
    columns = {name: [_shown(v) for v in _any_values(table, name, source)] for name in names}
    texts = []
    for row in range(table.num_rows):
        if not any(columns[name][row] for name in names):
            texts.append("")
            continue
        texts.append(
            "".join(literal + (columns[name][row] if name is not None else "") for literal, name, _, _ in parts)
        )
    return [t.strip() for t in texts], names


def _any_values(table: pa.Table, name: str, source: str) -> list[object]:
    if name in table.column_names and has_json_cells(table.schema.field(name)):
        return [cell_value(cell) for cell in table.column(name).to_pylist()]
    if name in table.column_names:
        return list(table.column(name).to_pylist())
    return list(column_values(table, name, source))


def _shown(value: object) -> str:
    return whole(value_as_text(value)).strip()


def row_ids(table: pa.Table, name: str | None, source: str, rows: Sequence[int]) -> list[str]:
    """Return each row's id: the cell of column `name`, or its row number in the file, counted from 1."""
    if name is None:
        return [str(row + 1) for row in rows]
    return [_shown(value) for value in _any_values(table, name, source)]
