"""Finished scores in a JSON-lines file, so that the same command goes on where it stopped."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from inbedder_cli.errors import InbedderError, InputError
from inbedder_cli.evaluation.scores import Score

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1
BEGINNING = b'{"schema": '  # of every line


@dataclass(frozen=True)
class Entry:
    """The figures of one task with one model, and the number format that it ran in."""

    figures: list[Score]
    number_format: str


@dataclass
class ResultsCache:
    """Finished scores by everything that shapes them.

    :param path: the file; None keeps nothing beyond this run.
    """

    path: Path | None = None
    entries: dict[str, Entry] = field(default_factory=dict)

    def get(self, key: dict[str, Any]) -> Entry | None:
        """Return what was kept under this key."""
        return self.entries.get(_text(key))

    def put(self, key: dict[str, Any], entry: Entry) -> None:
        """Keep an entry; it is on disk when this returns.

        :raises InbedderError: when the file cannot be written.
        """
        self.entries[_text(key)] = entry
        if self.path is None:
            return
        figures = [asdict(figure) for figure in entry.figures]
        line = {"schema": SCHEMA, "key": key, "number_format": entry.number_format, "figures": figures}
        try:
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        except OSError as error:
            raise InbedderError(f"cannot write {self.path}: {error.strerror or error}") from error


def read_results_cache(path: Path) -> ResultsCache:
    """Open a journal; a last line that was cut short by a crash is dropped from the file.

    :raises InputError: for a file that is none of ours, naming the line.
    """
    journal = ResultsCache(path)
    if not path.exists():
        return journal
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", source=str(path)) from error
    *lines, rest = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            data = json.loads(line)
            if data["schema"] != SCHEMA:
                continue  # of another version: measured anew
            figures = [Score(**figure) for figure in data["figures"]]
            journal.entries[_text(data["key"])] = Entry(figures, data["number_format"])
        except (ValueError, KeyError, TypeError) as error:
            raise _not_ours(path, number) from error
    if rest:
        if not BEGINNING.startswith(rest[: len(BEGINNING)]):
            raise _not_ours(path, len(lines) + 1)
        os.truncate(path, len(content) - len(rest))
    return journal


def _not_ours(path: Path, line: int) -> InputError:
    hint = "give --resume a file of its own, that inbedder evaluate makes"
    return InputError("is not a line of scores", source=str(path), line=line, hint=hint)


def _text(key: dict[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
