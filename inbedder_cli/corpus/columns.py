"""The columns of a table: which of them hold the texts, and the text and the id of each row."""

from __future__ import annotations

import datetime
import numbers
import re
import string
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.arrow_values import cell_values, decoded_bytes
from inbedder_cli.corpus.cell_paths import follow, split_path
from inbedder_cli.corpus.jsonl import has_json_cells
from inbedder_cli.corpus.limits import MAX_COLUMNS, too_many_columns
from inbedder_cli.corpus.values import replace_surrogates, value_as_text
from inbedder_cli.errors import InputError, UsageError, did_you_mean
from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

NUMBER = re.compile(
    r"[-+]?(\d+([.,]\d+)*|\.\d+)([eE][-+]?\d+)?%?|true|false|\d{4}-\d\d-\d\d([T ][\d:.+Z-]*)?"
    # 2026/01/31 3:12:01 PM GMT+1
    r"|(\d{1,4}[./-]){2}\d{1,4}([, ]+[\d:.]+( ?[AP]M)?( ?(GMT|UTC)?([+-][\d:]+)?)?)?",
    re.I,
)
LONGEST_NUMBER = 100  # characters; longer texts are no numbers
HINTED_ROWS = 5  # in whose objects texts are looked for
LISTED_NAMES = 20  # columns that a hint names
LONGEST_NAME = 100  # characters of each
EMPTY_HINT = "a table needs a header and at least one row"


def check_column_names(names: list[str], source: str) -> None:
    """Check that column names are not too many, are unique, and can be written.

    :param names: the column names.
    :param source: name of the table in messages.
    :raises InputError: for more than `MAX_COLUMNS`, a name that occurs more than once, or half a surrogate pair.
    """
    if len(names) > MAX_COLUMNS:
        raise too_many_columns(source)
    for name in names:
        if replace_surrogates(name) != name:
            hint = "rename the column: it holds half of a surrogate pair"
            raise InputError("the name is not Unicode", source=source, column=replace_surrogates(name), hint=hint)
    repeated = [name for name, n in Counter(names).items() if n > 1]
    if repeated:
        raise InputError(
            f'the header has "{repeated[0]}" more than once', source=source, hint="rename one of them"
        )


def column_tuple(names: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return column names given as one string or several as a tuple; None gives an empty one.

    :param names: one name, several, or None.
    :return: the names; names of other types, which pandas allows, as strings.
    """
    if names is None:
        return ()
    if isinstance(names, str) or not isinstance(names, Iterable):
        return (str(names),)
    return tuple(map(str, names))


def column_values(
    table: pa.Table,
    name: str,
    source: str,
    rows: Sequence[int] | None = None,
    notes: list[str] | None = None,
) -> list[str | None]:
    """Return the cells of a column as strings, None where they are missing.

    :param table: the table.
    :param name: name of the column, or a path into its cells (`cell_paths`).
    :param source: name of the table in messages.
    :param rows: the row number of each row in the input, from 0, for messages; None: the row numbers of the table.
    :param notes: receives a note about cells of another kind that are read as texts.
    :return: one per row.
    :raises InputError: if there is no such column, or a cell is not a text.
    """
    import pyarrow as pa

    numbered = range(table.num_rows) if rows is None else rows
    if name not in table.column_names:
        if (path := split_path(name, table.column_names)) is None:
            raise missing_column(name, table.column_names, source)
        cells = cell_values(table.column(path[0]), table.schema.field(path[0]))
        values = [follow(cell, path[1]) for cell in cells]
        if all(value is None for value in values):
            raise InputError(f'no cell has "{name}"', source=source, hint=text_hint(table))
        return _as_texts(values, source, numbered, name, text_hint(table), notes)
    field = table.schema.field(name)
    column = table.column(name)
    if has_json_cells(field):
        return _as_texts(cell_values(column, field), source, numbered, name, text_hint(table), notes)
    kind = value_type(field.type)
    if pa.types.is_null(kind):
        return [None] * table.num_rows
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _decoded(column.to_pylist(), source, numbered, name)
    if not is_string(kind):
        raise InputError(f"holds {kind} values, not text", source=source, column=name, hint=text_hint(table))
    return list(column.to_pylist())


def _as_texts(
    values: list[Any], source: str, rows: Sequence[int], name: str, hint: str, notes: list[str] | None
) -> list[str | None]:
    """Return cells as texts: a stray number among texts is read as one, any other value is an error."""
    joined = [_joined_parts(value) for value in values]
    n_joined = sum(value is not other for value, other in zip(values, joined, strict=True))
    if n_joined and notes is not None:
        notes.append(f'the parts of {count_of(n_joined, "cell")} of "{name}" are joined')
    values = joined
    odd = [i for i, value in enumerate(values) if value is not None and not isinstance(value, str)]
    strange = [i for i in odd if isinstance(values[i], (list, dict))]
    n_texts = sum(isinstance(value, str) for value in values)
    if strange or len(odd) > n_texts:
        first = strange[0] if strange else odd[0]
        raise not_text(values[first], source, rows[first] + 1, name, hint)
    if odd and notes is not None:
        value, row = values[odd[0]], rows[odd[0]] + 1
        notes.append(f'{count_of(len(odd), "cell")} of "{name}" not a text, read as one (row {row:,}: {value})')
    return [None if value is None else replace_surrogates(value_as_text(value)) for value in values]


def _joined_parts(value: Any) -> Any:  # noqa: ANN401
    """Return a text that is divided into parts with links and formats, as Telegram writes it, in one."""
    if not isinstance(value, list) or not any(isinstance(part, dict) for part in value):
        return value
    parts = [part.get("text") if isinstance(part, dict) else part for part in value]
    return "".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else value


def _decoded(cells: list[bytes | None], source: str, rows: Sequence[int], name: str) -> list[str | None]:
    """Return the texts of a binary column, as which some programs store strings."""
    texts: list[str | None] = []
    for row, cell in zip(rows, cells, strict=True):
        try:
            texts.append(None if cell is None else cell.decode())
        except UnicodeDecodeError as error:
            hint = "name a column of texts with --text, or write this one as strings"
            raise InputError(
                "holds bytes that are not UTF-8", source=source, row=row + 1, column=name, hint=hint
            ) from error
    return texts


def value_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values of a column.

    :param kind: the type of the column, which may be that of a dictionary.
    """
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def is_string(kind: pa.DataType) -> bool:
    """Return whether values of a type are strings.

    :param kind: the type.
    """
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def not_text(value: object, source: str, row: int, column: str | None, hint: str) -> InputError:
    """Return the error for a cell that is not a text.

    :param value: the cell.
    :param source: name of the input in the message.
    :param row: the row, counted from 1.
    :param column: name of the column; None for the only one of a list.
    :param hint: what to do next.
    :return: the error, to be raised.
    """
    return InputError(f"holds {_kind_of(value)}, not text", source=source, row=row, column=column, hint=hint)


def _kind_of(value: object) -> str:
    if type(value).__name__ == "bool":  # numpy's too
        return f"a truth value ({value})"
    if isinstance(value, numbers.Number):
        return f"a number ({value})"
    if isinstance(value, (datetime.date, datetime.time, datetime.timedelta)):
        return f"a date or time ({value})"
    if isinstance(value, (bytes, bytearray)):
        return "bytes"
    return "a list or object" if isinstance(value, (list, tuple, dict)) else f"a {type(value).__name__}"


def text_values(
    table: pa.Table,
    name: str,
    source: str,
    rows: Sequence[int] | None = None,
    notes: list[str] | None = None,
) -> list[str | None]:
    """Return `column_values`, but raise for a column of only numbers or dates.

    :param table: the table.
    :param name: name of the column.
    :param source: name of the table in messages.
    :param rows: the row number of each row in the input, from 0, for messages.
    :param notes: receives a note about cells of another kind that are read as texts.
    :return: one per row.
    :raises InputError: also if all texts are numbers or dates.
    """
    values = column_values(table, name, source, rows, notes)
    filled = [v for v in values if v and v.strip()]
    if filled and all(map(is_number, filled)):
        raise InputError("holds numbers or dates, not text", source=source, column=name, hint=text_hint(table))
    return values


def text_hint(table: pa.Table) -> str:
    """Return a hint to name a text column, with the columns that there are and the texts inside them.

    :param table: the table.
    """
    names = table.column_names
    unnamed = [name for place, name in enumerate(names, start=1) if name == f"column_{place}"]
    lower = "is the header further down (--skip-rows)? or " if 2 < len(names) == len(unnamed) + 1 else ""
    hint = f"{lower}name a column of texts with --text; columns: {list_names(names)}"
    nested = list(nested_texts(table.slice(0, HINTED_ROWS)))
    return f"{hint}; texts inside them: {list_names(nested)}" if nested else hint


def nested_texts(table: pa.Table) -> dict[str, list[Any]]:
    """Return the cells of each path to texts in objects, as far as the first rows have them.

    :param table: the table.
    """
    paths: dict[str, list[Any]] = {}
    for name in table.column_names[:LISTED_NAMES]:
        field = table.schema.field(name)
        if has_json_cells(field) or str(field.type).startswith("struct"):
            cells = cell_values(table.column(name), field)
            firsts = [cell for cell in cells[:HINTED_ROWS] if isinstance(cell, dict)]
            keys = dict.fromkeys(key for cell in firsts for key, value in cell.items() if isinstance(value, str))
            paths |= {f"{name}.{key}": [follow(cell, [key]) for cell in cells] for key in keys}
    return paths


def is_number(text: str) -> bool:
    """Return whether a cell is a number, a date or a truth value rather than a text.

    :param text: the cell.
    """
    return len(text) <= LONGEST_NUMBER and NUMBER.fullmatch(text.strip()) is not None


def missing_column(name: str, names: Sequence[str], source: str) -> InputError:
    """Return the error that says that a table has no such column.

    :param name: what was asked for.
    :param names: the names of its columns.
    :param source: name of the table.
    """
    hint = f"{did_you_mean(name, names)}columns: {list_names(names)}"
    return InputError(f'no column "{name}"', source=source, hint=hint)


def list_names(names: Sequence[str]) -> str:
    """Return the first column names, for a hint; characters that cannot be seen are escaped.

    :param names: all names.
    :return: names with commas between them, and the number of those left out.
    """
    shown = [_visible(name)[:LONGEST_NAME] for name in names[:LISTED_NAMES]]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest:,} more" if rest else "")


def _visible(name: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def join_texts(
    table: pa.Table,
    names: Sequence[str],
    source: str,
    rows: Sequence[int] | None = None,
    *,
    allow_numbers: bool = False,
    notes: list[str] | None = None,
) -> list[str]:
    """Return one stripped text per row; the cells of several columns are joined by line breaks.

    :param table: the table.
    :param names: names of the text columns; their empty cells are left out.
    :param source: name of the table in messages.
    :param rows: the row number of each row in the input, from 0, for messages.
    :param allow_numbers: whether a column may consist of numbers or dates.
    :param notes: receives notes about cells of another kind that are read as texts.
    :return: one per row, "" where all cells are empty.
    :raises InputError: if a column is missing or is not of texts.
    """
    values = column_values if allow_numbers else text_values
    columns = [values(table, name, source, rows, notes) for name in names]
    if len(columns) == 1:
        texts = ((cell or "").strip() for cell in columns[0])
    else:
        texts = ("\n".join(c.strip() for c in cells if c and c.strip()) for cells in zip(*columns, strict=True))
    shared: dict[str, str] = {}  # equal texts take memory once
    return [shared.setdefault(text, text) for text in texts]


def fill_text_template(table: pa.Table, template: str, source: str) -> tuple[list[str], tuple[str, ...]]:
    """Return one text per row by filling a template such as '{title}. {body}', and the columns that it names.

    A row whose named columns are all empty gets an empty text.

    :param table: the table.
    :param template: the pattern, with column names in braces.
    :param source: name of the table in messages.
    :return: the texts, stripped, and the column names.
    :raises InputError: for an unknown column.
    :raises UsageError: for a template that names no column or asks for more than column names.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise UsageError(f"--text-template: {error}", hint="example: '{title}. {body}'") from error
    names = tuple(dict.fromkeys(name for _, name, _, _ in parts if name is not None))
    if not names or any(spec or conversion for _, _, spec, conversion in parts):
        raise UsageError("--text-template must name columns in braces", hint="example: '{title}. {body}'")
    columns = {name: [_cell_as_text(v) for v in values_at(table, name, source)] for name in names}
    texts = []
    for row in range(table.num_rows):
        if not any(columns[name][row] for name in names):
            texts.append("")
            continue
        texts.append(
            "".join(literal + (columns[name][row] if name is not None else "") for literal, name, _, _ in parts)
        )
    return [t.strip() for t in texts], names


def values_at(table: pa.Table, name: str, source: str) -> list[Any]:
    """Return the values of a column, or those to which a path leads.

    :param table: the table.
    :param name: name of the column, or a path into its cells (`cell_paths`).
    :param source: name of the table in messages.
    :return: one per row, of any type; None where a cell, or what the path leads to, is missing.
    :raises InputError: if there is no such column; the hint lists those that there are.
    """
    if name in table.column_names:
        return cell_values(decoded_bytes(table.column(name)), table.schema.field(name))
    if path := split_path(name, table.column_names):
        return [follow(cell, path[1]) for cell in values_at(table, path[0], source)]
    raise missing_column(name, table.column_names, source)


def _cell_as_text(value: object) -> str:
    return replace_surrogates(value_as_text(value)).strip()


def row_ids(table: pa.Table, name: str | None, source: str, rows: Sequence[int]) -> list[str]:
    """Return the id of each row: its cell in a column, or its row number in the input, counted from 1.

    :param table: the table.
    :param name: name of the column; None takes the row numbers.
    :param source: name of the table in messages.
    :param rows: the row number of each row in the input, from 0.
    :return: one per row, "" where the cell is missing.
    :raises InputError: if there is no such column.
    """
    if name is None:
        return [str(row + 1) for row in rows]
    return [_cell_as_text(value) for value in values_at(table, name, source)]
