"""The rows of a JSON document: a list of objects, texts or lists, or a shape in which pandas writes tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.cell_paths import follow, parse_steps
from inbedder_cli.corpus.json_parsing import kind_of_json
from inbedder_cli.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LISTED = 10  # paths that a hint names
KEY = "key"  # column of the keys of an object whose values are the rows
ALIKE = 0.5  # share of their keys that objects have in common if they are rows


class JsonRows:
    """Finds the rows of documents, and notes where it found them.

    :param name: name of the input in messages.
    :param path: where the rows are, such as "data.items"; None takes the only list of objects.
    :param header: whether the first of several lists names the columns.
    """

    def __init__(self, name: str, path: str | None = None, *, header: bool = True) -> None:
        self.name, self.path, self.header = name, path, header
        self.notes: list[str] = []

    def of(self, documents: list[Any]) -> list[dict[str, Any]]:
        """Return the rows of a file: of its only document, or each of several is a row or a list of rows.

        :param documents: the values of the file.
        :raises InputError: for a document that holds no rows, or several lists and no path tells which.
        """
        if len(documents) == 1:
            return self._rows(documents[0])
        if self.path is None and all(isinstance(each, list) for each in documents):
            pages = all(isinstance(item, dict) for each in documents for item in each)
            return self._of_list([row for each in documents for row in each] if pages else documents)
        if self.path is None:
            return self._of_list(documents)
        return [row for each in documents for row in self._rows(each)]

    def _rows(self, document: Any) -> list[dict[str, Any]]:  # noqa: ANN401
        if self.path:
            steps = parse_steps(self.path)
            if steps is None:
                raise UsageError(
                    f'"{self.path}" is no path', hint='keys with dots between them: "data.items[0].rows"'
                )
            found = follow(document, steps)
            if not isinstance(found, (list, dict)):
                lists = ", ".join(dict.fromkeys(path for path, _ in _lists(document)))
                hint = f"its lists: {lists}" if lists else None
                raise InputError(f'has no list at "{self.path}"', source=self.name, hint=hint)
            document = found
        return self._of_list(document) if isinstance(document, list) else self._of_object(document)

    def _of_list(self, items: Sequence[Any]) -> list[dict[str, Any]]:
        if len(items) > 0 and all(isinstance(item, list) for item in items):
            return self._of_lists(items)
        return [self._row(item, place) for place, item in enumerate(items, start=1)]

    def _row(self, item: Any, place: int) -> dict[str, Any]:  # noqa: ANN401
        if isinstance(item, dict):
            return item
        if isinstance(item, str):
            return {"text": item}
        hint = "each row must be an object, or a text"
        raise InputError(f"row {place} is {kind_of_json(item)}, not an object", source=self.name, hint=hint)

    def _of_lists(self, lists: Sequence[list[Any]]) -> list[dict[str, Any]]:
        first = lists[0]
        is_header = self.header and len(lists) > 1 and _are_names(first)
        if is_header:
            names, lists = first, lists[1:]
            self.notes.append("the first list names the columns (--no-header to change)")
        else:
            names = [f"column_{i}" for i in range(1, max(map(len, lists)) + 1)]
        return self._named(names, lists, "the first list", "if it names no columns: --no-header")

    def _named(
        self, names: Sequence[str], lists: Sequence[list[Any]], header: str, hint: str
    ) -> list[dict[str, Any]]:
        for place, cells in enumerate(lists, start=1):
            if len(cells) > len(names):
                reason = f"row {place} has {len(cells)} items, {header} {len(names)}"
                raise InputError(reason, source=self.name, hint=hint)
        return [dict(zip(names, cells, strict=False)) for cells in lists]

    def _of_object(self, document: Any) -> list[dict[str, Any]]:  # noqa: ANN401
        if not isinstance(document, dict):
            raise InputError(
                "holds no list of rows", source=self.name, hint="give JSON lines, or a list of objects"
            )
        columns, data = document.get("columns"), document.get("data")
        if isinstance(columns, list) and isinstance(data, list) and _are_names(columns) and _are_lists(data):
            return self._named(columns, data, '"columns"', "export it again")
        if _are_columns(document.values()):
            return [dict(zip(document, cells, strict=True)) for cells in zip(*document.values(), strict=True)]
        objects = [value for value in document.values() if isinstance(value, dict)]
        if len(objects) == len(document) > 0 and (common := _common_keys(objects)):
            if all(key.isdigit() for key in common) and all(len(each) == len(common) for each in objects):
                return [{name: document[name][key] for name in document} for key in objects[0]]
            if len(objects) > 1:
                self.notes.append(f'rows by key (column "{KEY}")')
                return [{KEY: key} | value for key, value in document.items()]
        return self._only_list(document)

    def _only_list(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        found = list(_lists(document))
        if "data" in document and "schema" in document:  # Frictionless, pandas
            found = [(path, rows) for path, rows in found if not path.startswith("schema.")]
        if len(found) == 1:
            self.notes.append(f"rows from {found[0][0]} (--json-path to change)")
            return found[0][1]
        if found:
            paths = ", ".join(path for path, _ in found[:LISTED])
            hint = f"name one with --json-path: {paths}"
            raise InputError("holds several lists of objects", source=self.name, hint=hint)
        if any(isinstance(value, str) for value in document.values()):
            return [document]
        raise InputError("holds no list of rows", source=self.name, hint="give JSON lines, or a list of objects")


def _are_names(items: Sequence[Any]) -> bool:
    return all(isinstance(item, str) and item.strip() for item in items) and len(set(items)) == len(items) > 0


def _are_lists(items: Sequence[Any]) -> bool:
    return all(isinstance(item, list) for item in items)


def _are_columns(values: Any) -> bool:  # noqa: ANN401
    """Return whether the values of an object are its columns: lists of one length, with nothing nested."""
    lists = [value for value in values if isinstance(value, list) and value]
    return (
        len(lists) == len(values) > 0
        and len(set(map(len, lists))) == 1
        and not any(isinstance(item, (list, dict)) for each in lists for item in each)
    )


def _common_keys(objects: Sequence[dict[str, Any]]) -> set[str]:
    """Return the keys that all objects have, if those are many enough for them to be rows."""
    common, every = set(objects[0]), set(objects[0])
    for each in objects:
        common &= each.keys()
        every |= each.keys()
    return common if len(common) >= ALIKE * len(every) else set()


def _lists(value: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:  # noqa: ANN401
    """Yield the path of each list of objects that is in no other list."""
    if isinstance(value, list):
        if value and all(isinstance(item, dict) for item in value):
            yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _lists(inner, f"{path}.{key}" if path else str(key))
