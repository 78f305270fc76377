"""What all prompts of a run begin with, read once (prefix caching; the question comes before the text)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.encoders.prompts.prompter import Prompter

LEAST = 4  # tokens worth sharing
BEGINNINGS = ("", "a", "The", "I'm", "0", "“", "é")  # of texts: where they differ, the common part ends


def common_prefix(rows: Sequence[list[int]]) -> list[int]:
    """Return the ids with which all rows begin, all but the last of the shortest row at most.

    >>> common_prefix([[1, 2, 3], [1, 2], [1, 2, 4]])
    [1]
    """
    limit = min(map(len, rows)) - 1
    for i, ids in enumerate(zip(*rows, strict=False)):
        if i == limit or len(set(ids)) > 1:
            return rows[0][:i]
    return []


def prefix_of(prompter: Prompter) -> list[int]:
    """Return the ids with which prompts begin, whatever the text; none when they are few.

    It depends on the template and the instruction alone, so that rows do not change each other's numbers.
    """
    prefix = common_prefix(prompter.encode(BEGINNINGS)[0])
    return prefix if len(prefix) >= LEAST else []


class SharedPrefix:
    """The keys and values of a prefix.

    :param ids: the prefix.
    :param cache: of one row that holds it, from `past_key_values`.
    """

    def __init__(self, ids: list[int], cache: Any) -> None:  # noqa: ANN401
        self.ids = ids
        self.cache = cache

    def begins(self, prompts: Sequence[list[int]]) -> bool:
        """Return whether all prompts begin so, and go on."""
        n = len(self.ids)
        return all(len(ids) > n and ids[:n] == self.ids for ids in prompts)

    def for_rows(self, n: int) -> Any:  # noqa: ANN401
        """Return a cache of its own for so many rows."""
        cache = copy.deepcopy(self.cache)
        cache.batch_repeat_interleave(n)
        return cache
