"""JSON as files have it: strict first, then without what JSON does not have. Nothing is ever run."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any

from inbedder_cli.corpus.limits import MAX_DEPTH
from inbedder_cli.errors import InputError
from inbedder_cli.wording import count_of

# Strings are matched too, so that nothing inside them is dropped; an open one reaches to the end.
STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
COMMENT = re.compile(rf"({STRING})|//[^\n]*|/\*.*?(?:\*/|\Z)", re.S)
COMMA = re.compile(rf"({STRING})|,(?=\s*+[\]}}])", re.S)
# A guard of web services, an assignment (as in archives of Twitter: window.YTD.tweets.part0 = [), a call.
GUARD = r"\)\]\}',?"
ASSIGNMENT = r"(?:(?:var|let|const)\s+)?[\w$.]+(?:\[[\"'][^\"'\n]*[\"']\])*\s*[=(]"
PREFIX = re.compile(rf"\s*+({GUARD}|{ASSIGNMENT})\s*(?=[\[{{])")
PYTHON = re.compile(r"\s*[\[{]+'")
SEPARATORS = re.compile(r"[\s,;)\x1e]*+")  # between and after values; 1E is that of RFC 7464


class JsonParser:
    """Parses the texts of one file. NaN and infinity, which some programs write, are null, and counted.

    Of a key that an object has more than once the last value is kept, as JSON has it, and noted.

    :param name: name of the input in messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.n_constants = self.n_repeating = 0
        self.first_repeated = ""  # key, with the line where it is known
        self.line: int | None = None  # of the value that is parsed
        self.notes: list[str] = []
        hooks: dict[str, Any] = {"parse_constant": self._null, "object_pairs_hook": self._object}
        self.decoder = json.JSONDecoder(parse_float=_finite, **hooks)

    def value(self, text: str, line: int | None, hint: str) -> Any:  # noqa: ANN401
        """Return the value of a JSON text.

        :param text: the JSON text.
        :param line: of the input; None where the text is all of it.
        :param hint: what to do next.
        :return: the value.
        :raises InputError: when it is no JSON, or nested too deeply.
        """
        self.line = line
        try:
            value = self.decoder.decode(text)
        except (ValueError, RecursionError) as error:
            if PYTHON.match(text):
                hint = "this is Python, not JSON; in Python: json.dumps(ast.literal_eval(line)) for each line"
            raise InputError(f"bad JSON: {error}", source=self.name, line=line, hint=hint) from error
        self._check_depth(value, text, line)
        return value

    def values(self, text: str, hint: str) -> list[Any]:
        """Return the values of a document: mostly one, but some programs write several.

        Comments, commas before a closing bracket, and an assignment or a call around the value are left out, and
        noted.

        :param text: the document.
        :param hint: what to do next.
        :return: at least one value.
        :raises InputError: when it is no JSON, or nested too deeply.
        """
        counted = self.counted()
        try:
            return [self.value(text, None, hint)]
        except InputError as error:
            self.forget(counted)
            try:
                found = self._decode_all(self._tidy(text))
            except (ValueError, RecursionError):
                raise error from None  # of the text as it is
        return found

    def _tidy(self, text: str) -> str:
        tidy = COMMA.sub(_kept, COMMENT.sub(_kept, text))
        if len(tidy) < len(text):
            self.notes.append("comments, and commas before closing brackets, left out")
        if prefix := PREFIX.match(tidy):
            self.notes.append(f'the JSON after "{prefix[1]}"')
            tidy = tidy[prefix.end() :]
        return tidy

    def _decode_all(self, text: str) -> list[Any]:
        values, place = [], _skip(text, 0)
        while place < len(text):
            value, end = self.decoder.raw_decode(text, place)
            self._check_depth(value, text[place:end], None)
            values.append(value)
            place = _skip(text, end)
        if not values:
            raise ValueError("no value")
        return values

    def counted(self) -> tuple[int, int, str]:
        """Return how much was counted until now, for `forget`."""
        return self.n_constants, self.n_repeating, self.first_repeated

    def forget(self, counted: tuple[int, int, str]) -> None:
        """Leave out what was counted of a text that is parsed again.

        :param counted: what `counted` returned before it.
        """
        self.n_constants, self.n_repeating, self.first_repeated = counted

    def _null(self, _: str) -> None:
        self.n_constants += 1

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            self.n_repeating += 1
            if self.n_repeating == 1:
                key = next(key for key, n in Counter(key for key, _ in pairs).items() if n > 1)
                self.first_repeated = f'"{key}"' + (f", line {self.line:,}" if self.line else "")
        return value

    def _check_depth(self, value: Any, text: str, line: int | None) -> None:  # noqa: ANN401
        if text.count("[") + text.count("{") > MAX_DEPTH and _is_deep(value):
            hint = "flatten it, or keep the part that holds the texts"
            raise InputError(
                f"JSON nested more than {MAX_DEPTH} levels deep", source=self.name, line=line, hint=hint
            )

    def all_notes(self) -> list[str]:
        """Return what was left out, how many numbers are missing, and which key is repeated."""
        repeated = []
        if self.n_repeating:
            objects = count_of(self.n_repeating, "object")
            repeated = [f"{objects} with a key more than once, its last value read (first: {self.first_repeated})"]
        missing = [f"{self.n_constants:,} times NaN or Infinity, read as null"] if self.n_constants else []
        return [*self.notes, *missing, *repeated]


def kind_of_json(value: object) -> str:
    """Return what a value is called in JSON, with an article.

    >>> kind_of_json(None), kind_of_json([1]), kind_of_json(True)
    ('null', 'a list', 'a truth value')

    :param value: the value.
    """
    if value is None:
        return "null"
    kinds = {list: "a list", dict: "an object", str: "a text", bool: "a truth value"}
    return kinds.get(type(value), "a number")


def _kept(match: re.Match[str]) -> str:
    return match[1] or ""


def _skip(text: str, place: int) -> int:
    found = SEPARATORS.match(text, place)
    return found.end() if found else place


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is too large a number")
    return value


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        nested = [item for item in level if isinstance(item, (dict, list))]
        level = [child for item in nested for child in (item.values() if isinstance(item, dict) else item)]
    return any(isinstance(item, (dict, list)) for item in level)
