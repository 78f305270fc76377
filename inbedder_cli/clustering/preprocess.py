"""Vectors -> points: centred, of unit length, in an order that depends on their values alone."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]
    Labels = npt.NDArray[np.int64]

NOISE = -1
CHUNK = 16_384  # rows of which there is a copy in float64 at a time
TINY = 1e-6  # of the largest number: a centred row shorter than this is the mean itself


def center_and_normalize(vectors: Vectors) -> tuple[Vectors, Vectors]:
    """Subtract the mean and scale each row to unit length (a row at the mean stays zero).

    :return: the points, float32, shape (n_rows, hidden_size), and the mean, shape (hidden_size,).
    """
    mean = vectors.mean(axis=0, dtype=np.float64)
    return normalize(vectors, mean), mean.astype(np.float32)


def normalize(vectors: Vectors, mean: npt.NDArray[np.floating]) -> Vectors:
    """Subtract a mean and scale each row to unit length (a row at the mean stays zero)."""
    least = TINY * max(float(vectors.max(initial=0)), -float(vectors.min(initial=0)))
    points = np.empty(vectors.shape, np.float32)
    for start in range(0, len(vectors), CHUNK):
        some = vectors[start : start + CHUNK] - mean
        norms = np.linalg.norm(some, axis=1, keepdims=True)
        away = norms > least
        points[start : start + CHUNK] = np.where(away, some / np.where(away, norms, 1), 0)
    return points


def canonical_order(vectors: Vectors) -> npt.NDArray[np.int64]:
    """Return an order of the rows that depends on their values alone, and hardly on how these are rounded.

    They are sorted along one direction, so that another machine or batch size makes neighbours change places at
    most: an algorithm that starts from some rows, chosen at random, then starts from the same ones.
    """
    bits = np.random.Philox(key=1).random_raw(vectors.shape[1])  # the same in every version and on every machine
    direction = bits / 2.0**63 - 1
    along = np.empty(len(vectors))
    for start in range(0, len(vectors), CHUNK):
        some = vectors[start : start + CHUNK]
        along[start : start + CHUNK] = (some * direction).sum(axis=1)  # row by row, whatever their order
    order = np.argsort(along, kind="stable")
    starts = np.flatnonzero(np.diff(along[order], prepend=np.nan) != 0)
    for first, last in zip(starts, [*starts[1:], len(order)], strict=True):
        if last - first > 1:  # copies, mostly
            order[first:last] = sorted(order[first:last], key=lambda row: _digest(vectors[row]))
    return order


def _digest(row: Vectors) -> bytes:
    return hashlib.blake2b(row.tobytes(), digest_size=16).digest()


def sample_indices(n_rows: int, n_wanted: int, seed: int) -> npt.NDArray[np.int64]:
    """Return so many row numbers at random, in order; all of them where there are no more."""
    if n_rows <= n_wanted:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, n_wanted, replace=False))


def n_different(points: Vectors, enough: int) -> int:
    """Return how many different rows there are, counting no further than `enough`."""
    found: set[bytes] = set()
    for row in points:
        found.add((row.round(5) + 0.0).tobytes())  # -0.0 is 0.0
        if len(found) == enough:
            break
    return len(found)
