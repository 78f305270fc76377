"""Paths into nested cells: "ticket.description", "items[0].text"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d{1,9})\]")


def split_path(path: str, names: Sequence[str]) -> tuple[str, list[str | int]] | None:
    """Return the column that a path begins with, and the steps into its cells; None if no column begins it.

    >>> split_path("ticket.items[0].text", ["id", "ticket"])
    ('ticket', ['items', 0, 'text'])

    :param path: a column name, then keys with dots between them, or places in lists in square brackets.
    :param names: the columns of the table; of several that begin the path, the longest counts.
    """
    starts = [name for name in names if name and path.startswith((f"{name}.", f"{name}["))]
    if not starts:
        return None
    column = max(starts, key=len)
    steps = parse_steps(path[len(column) :])
    return None if steps is None else (column, steps)


def parse_steps(path: str) -> list[str | int] | None:
    """Return the steps of a path, None if it is not one.

    >>> parse_steps("data.items[2]"), parse_steps("a..b")
    (['data', 'items', 2], None)

    :param path: keys with dots between them, or places in lists in square brackets.
    """
    steps: list[str | int] = []
    end = 0
    while end < len(path):
        match = STEP.match(path, end)
        if match is None:
            return None
        steps.append(match[1] if match[2] is None else int(match[2]))
        end = match.end()
    return steps


def follow(value: Any, steps: Sequence[str | int]) -> Any:  # noqa: ANN401
    """Return what a path leads to in a nested value; None where a key or place is missing.

    :param value: objects and lists.
    :param steps: keys and places.
    :return: the value at the end.
    """
    for step in steps:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and step < len(value) else None
    return value
