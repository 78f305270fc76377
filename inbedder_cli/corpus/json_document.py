"""A JSON document that holds a list of rows somewhere, in place of one object per line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.cell_paths import follow, parse_steps
from inbedder_cli.corpus.jsonl import parse_json, table_of_records
from inbedder_cli.corpus.limits import MEGABYTE
from inbedder_cli.corpus.opening import decode_lines
from inbedder_cli.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from inbedder_cli.corpus.opening import Opened

MAX_DOCUMENT = 500 * MEGABYTE  # characters; it is parsed in memory
LISTED = 10  # paths that a hint names


def read_json(
    opened: Opened, path: str | None = None, *, encoding: str | None = None, limit: int | None = None
) -> pa.Table:
    """Return the rows of a JSON document as a table of JSON texts.

    A file of several documents, one per line, is read as JSON lines.

    :param opened: the file.
    :param path: where the list of rows is, such as "data.items"; None takes the only list of objects.
    :param encoding: None means UTF-8.
    :param limit: maximum number of rows; None reads all.
    :return: one column per key, in order of appearance.
    :raises InputError: when it is no JSON, or holds no list of objects, or several and no path tells which.
    :raises UsageError: for a path that is none.
    """
    name = opened.name
    lines, size = [], 0
    for line in decode_lines(opened, encoding):
        lines.append(line)
        size += len(line)
        if size > MAX_DOCUMENT:
            limit_mb = MAX_DOCUMENT // MEGABYTE
            raise InputError(
                f"a JSON document of more than {limit_mb} MB", source=name, hint="convert it to JSON lines"
            )
    filled = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if len(filled) > 1 and path is None and _is_object(filled[0][1]) and _is_object(filled[1][1]):
        records = ((number, _object(parse_json(line, name, number, ""), name, number)) for number, line in filled)
        return table_of_records(records, name, limit)
    document = parse_json("".join(lines), name, None, "is it whole? export it again")
    rows = _list_at(document, path, name) if path else _only_list(document, name)
    return table_of_records(((i, _object(row, name, i)) for i, row in enumerate(rows, start=1)), name, limit)


def _is_object(line: str) -> bool:
    return line.lstrip().startswith("{") and line.rstrip().endswith("}")


def _object(value: Any, name: str, number: int) -> dict[str, Any]:  # noqa: ANN401
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        return {"text": value}
    hint = "each row must be an object, or a text"
    raise InputError(f"row {number} is a JSON {type(value).__name__}, not an object", source=name, hint=hint)


def _list_at(document: Any, path: str, name: str) -> list[Any]:  # noqa: ANN401
    steps = parse_steps(path)
    if steps is None:
        raise UsageError(f'"{path}" is no path', hint='keys with dots between them: "data.items[0].rows"')
    found = follow(document, steps)
    if isinstance(found, list):
        return found
    lists = ", ".join(dict.fromkeys(path for path, _ in _lists(document)))
    raise InputError(f'has no list at "{path}"', source=name, hint=f"its lists: {lists}" if lists else None)


def _only_list(document: Any, name: str) -> list[Any]:  # noqa: ANN401
    if isinstance(document, list):
        return document
    found = list(_lists(document))
    if len(found) == 1:
        return found[0][1]
    if not found:
        raise InputError("holds no list of rows", source=name, hint="give JSON lines, or a list of objects")
    paths = ", ".join(path for path, _ in found[:LISTED])
    raise InputError("holds several lists of objects", source=name, hint=f"name one with --json-path: {paths}")


def _lists(value: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:  # noqa: ANN401
    """Yield the path of each list of objects that is in no other list."""
    if isinstance(value, list):
        if value and all(isinstance(item, dict) for item in value):
            yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _lists(inner, f"{path}.{key}" if path else str(key))
