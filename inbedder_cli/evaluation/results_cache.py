"""A cache of finished scores in a JSON-lines file (`--resume`): a repeated command continues where it stopped.

Each line holds a key, which is everything that influences the scores, and the scores of one task.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from inbedder_cli.errors import InbedderError, InputError
from inbedder_cli.evaluation.scores import Score
from inbedder_cli.paths import DISK_FULL, no_space

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 2
LINE_START = b'{"schema": '  # how every line begins
SCHEMA_1_NAMES = {"readout": "pooling", "number_format": "dtype", "asked": "instruction"}


@dataclass(frozen=True)
class CachedScores:
    """The scores of one task with one model.

    :param scores: of the task.
    :param dtype: in which the model computed.
    """

    scores: list[Score]
    dtype: str


@dataclass
class ResultsCache:
    """Finished scores by everything that influences them.

    :param path: the file; None keeps the scores in memory only.
    :param entries: scores by key, the key as JSON with sorted names.
    """

    path: Path | None = None
    entries: dict[str, CachedScores] = field(default_factory=dict)

    def get(self, key: dict[str, Any]) -> CachedScores | None:
        """Return the scores stored under a key, or None.

        :param key: everything that influences the scores.
        :return: the scores, if there are any.
        """
        return self.entries.get(_as_json(key))

    def put(self, key: dict[str, Any], entry: CachedScores) -> None:
        """Store scores; they are in the file when this returns.

        :param key: everything that influences the scores.
        :param entry: the scores.
        :raises InbedderError: when the file cannot be written.
        """
        self.entries[_as_json(key)] = entry
        if self.path is None:
            return
        scores = [asdict(score) for score in entry.scores]
        entry_as_json = {"schema": SCHEMA, "key": key, "dtype": entry.dtype, "scores": scores}
        line = json.dumps(entry_as_json, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(line)
        except OSError as error:
            full = no_space(self.path, len(line)) if error.errno in DISK_FULL else ""
            raise InbedderError(
                f"cannot write {self.path}: {full or error.strerror or error}",
                hint="repeat the command, which continues after the scores that are in the file",
            ) from error


def read_results_cache(path: Path) -> ResultsCache:
    """Return the cache in a file, or a new one if there is no file.

    A last line that a crash cut short is removed from the file. Lines of schema 1 are read too. Lines of a later
    schema are ignored, so their scores are measured again.

    :param path: the file.
    :return: the cache, which appends to the same file.
    :raises InputError: when a line is not a line of scores.
    """
    cache = ResultsCache(path)
    content = _read(path)
    *lines, rest = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            data = json.loads(line)
            if data["schema"] == 1:
                data = _from_schema_1(data)
            if data["schema"] != SCHEMA:
                continue
            scores = [_score(score) for score in data["scores"]]
            cache.entries[_as_json(data["key"])] = CachedScores(scores, data["dtype"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _invalid_line(path, number) from error
    if rest:
        if not LINE_START.startswith(rest[: len(LINE_START)]):
            raise _invalid_line(path, len(lines) + 1)
        try:
            os.truncate(path, len(content) - len(rest))
        except OSError as error:
            raise InputError(f"cannot be written: {error.strerror or error}", source=str(path)) from error
    return cache


def _read(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise InputError("is not a regular file", source=str(path), hint="give --resume the name of a file")
        return path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", source=str(path)) from error


def _score(data: dict[str, Any]) -> Score:
    """Return a score.

    :raises TypeError: when it has other fields or types.
    """
    score = Score(**data)
    numbers = [n for n in (score.value, score.std, score.low, score.high) if n is not None]
    names = (score.part, score.task, score.metric)
    if not all(isinstance(n, int | float) for n in [*numbers, score.rows]) or set(map(type, names)) != {str}:
        raise TypeError(f"not a score: {data}")
    return score


def _from_schema_1(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line of schema 1 converted to the current schema."""
    key = {SCHEMA_1_NAMES.get(name, name): value for name, value in line["key"].items()}
    if key["instruction"] == "blind":
        key["instruction"] = "baseline"
    scores = [score | {"metric": score["metric"].replace("centred", "centered")} for score in line["figures"]]
    return {"schema": SCHEMA, "key": key, "dtype": line["number_format"], "scores": scores}


def _invalid_line(path: Path, line: int) -> InputError:
    hint = "give --resume a new file, or one that inbedder evaluate has written"
    return InputError("is not a line of scores", source=str(path), line=line, hint=hint)


def _as_json(key: dict[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
