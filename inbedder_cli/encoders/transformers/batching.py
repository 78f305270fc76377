"""Order and batch texts so that little is padded and the plan depends on the set of texts alone."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


WINDOW = 8192  # texts
LEAST_WINDOW = 3  # texts: what makes reading faster is tried on so many
WINDOW_CHARACTERS = 4_000_000  # of a window: a tokenizer keeps far more of a text than its ids


def canonical_order(texts: Sequence[str]) -> list[int]:
    """Return indices of the texts sorted by (length, hash), longest first.

    Whatever order the texts come in, they are computed in the same one; and what needs most memory comes first.
    """
    return sorted(range(len(texts)), key=lambda i: (-len(texts[i]), _digest(texts[i])))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def windows(texts: Sequence[str], order: Sequence[int]) -> Iterator[list[int]]:
    """Yield the indices of an order in parts of so many texts and characters as are tokenised at a time.

    >>> [len(window) for window in windows(["a" * 2_000_000] * 5, range(5))]
    [3, 2]
    """
    window: list[int] = []
    room = WINDOW_CHARACTERS
    for i in order:
        if len(window) == WINDOW or (len(window) >= LEAST_WINDOW and len(texts[i]) > room):
            yield window
            window, room = [], WINDOW_CHARACTERS
        window.append(i)
        room -= len(texts[i])
    if window:
        yield window


def plan_batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Yield batches of indices, longest first, of at most `batch_tokens` tokens after padding.

    A text longer than that is a batch of its own. Equal lengths keep their order.

    >>> list(plan_batches([3, 9, 3, 4], 8))
    [[1], [3, 0], [2]]
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    for part in cut([lengths[i] for i in order], batch_tokens):
        yield order[part]


def cut(lengths: Sequence[int], batch_tokens: int) -> Iterator[slice]:
    """Yield slices that follow each other, each of at most `batch_tokens` tokens after padding, or of one text.

    >>> list(cut([9, 4, 3, 3], 8))
    [slice(0, 1, None), slice(1, 3, None), slice(3, 4, None)]
    """
    start = width = 0
    for i, length in enumerate(lengths):
        width = max(width, length)
        if i > start and width * (i + 1 - start) > batch_tokens:
            yield slice(start, i)
            start, width = i, length
    if lengths:
        yield slice(start, len(lengths))
