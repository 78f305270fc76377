"""Order and batch texts with little padding, independently of their order in the input."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


WINDOW = 8192  # texts
MIN_WINDOW = 3  # texts: the number on which fast paths are checked
WINDOW_CHARACTERS = 4_000_000  # a tokenizer keeps much more of a text in memory than its ids


def canonical_order(texts: Sequence[str]) -> list[int]:
    """Return the indices of the texts, sorted by length, longest first, and then by hash.

    So results do not depend on the order of the texts, and the batches that need most memory come first.

    :param texts: in any order.
    :return: one index per text.
    """
    return sorted(range(len(texts)), key=lambda i: (-len(texts[i]), _digest(texts[i])))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def windows(texts: Sequence[str], order: Sequence[int]) -> Iterator[list[int]]:
    """Yield consecutive parts of an order, each of as many texts as are tokenized at a time.

    :param texts: the texts.
    :param order: their indices, in the order in which they are encoded.
    :yield: indices of one part.

    >>> [len(window) for window in windows(["a" * 2_000_000] * 5, range(5))]
    [3, 2]
    """
    window: list[int] = []
    room = WINDOW_CHARACTERS
    for i in order:
        if len(window) == WINDOW or (len(window) >= MIN_WINDOW and len(texts[i]) > room):
            yield window
            window, room = [], WINDOW_CHARACTERS
        window.append(i)
        room -= len(texts[i])
    if window:
        yield window


def plan_batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Yield batches of indices, longest first, of at most `batch_tokens` tokens after padding.

    A text longer than that is a batch of its own. Equal lengths keep their order.

    :param lengths: in tokens.
    :param batch_tokens: largest size of a batch, in tokens.
    :yield: indices of one batch.

    >>> list(plan_batches([3, 9, 3, 4], 8))
    [[1], [3, 0], [2]]
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    for part in split([lengths[i] for i in order], batch_tokens):
        yield order[part]


def split(lengths: Sequence[int], batch_tokens: int) -> Iterator[slice]:
    """Yield consecutive slices, each of at most `batch_tokens` tokens after padding, or of one text.

    :param lengths: in tokens.
    :param batch_tokens: largest size of a slice, in tokens.
    :yield: one slice of the lengths.

    >>> list(split([9, 4, 3, 3], 8))
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
