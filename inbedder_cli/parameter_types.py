"""Check the plain types of parameters, so that a mistake is told before anything is computed."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING

from inbedder_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = {
    "bool": "True or False",
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "None": "None",
}


def check_types(annotations: Mapping[str, str], values: Mapping[str, object]) -> None:
    """Check values against annotations of plain types; others ("Pooling | None") are not checked.

    :param annotations: as they are written, by name: "int | None".
    :param values: by name, each with an annotation.
    :raises UsageError: for a value of another type.

    >>> check_types({"k": "int | None"}, {"k": "8"})
    Traceback (most recent call last):
    ...
    inbedder_cli.errors.UsageError: k must be a whole number or None, not '8'
    """
    for name, value in values.items():
        kinds = annotations[name].split(" | ")
        if KINDS.keys() >= set(kinds) and not any(_is(value, kind) for kind in kinds):
            wanted = " or ".join(KINDS[kind] for kind in kinds)
            raise UsageError(f"{name} must be {wanted}, not {value!r}")


def _is(value: object, kind: str) -> bool:
    if kind == "None":
        return value is None
    if kind == "str":
        return isinstance(value, str)
    is_bool = type(value).__name__ in ("bool", "bool_")  # Python's, numpy's
    if kind == "bool" or is_bool:
        return is_bool and kind == "bool"
    return isinstance(value, numbers.Integral if kind == "int" else numbers.Real)
