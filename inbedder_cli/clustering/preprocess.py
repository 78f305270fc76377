"""Vectors -> points: centered, of unit length, in an order that depends on their values alone."""

from __future__ import annotations

import hashlib
import numbers
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from sklearn.decomposition import PCA

    Vectors = npt.NDArray[np.float32]
    Labels = npt.NDArray[np.int64]

NOISE = -1
CHUNK = 4096  # rows that are copied, for example to float64, at a time
TINY = 1e-6  # share of the largest value: a centered row shorter than this is at the mean


def center_and_normalize(vectors: Vectors, order: Labels | None = None) -> tuple[Vectors, Vectors]:
    """Subtract the mean and scale each row to unit length (a row at the mean stays zero).

    :param vectors: float32, shape (n_rows, n_features).
    :param order: numbers of the rows, in the order of the points; None for that of the vectors.
    :return: the points, float32, shape (n_rows, n_features), and the mean, float32, shape (n_features,).
    """
    mean = mean_of(vectors, order)
    return normalize(vectors, mean, order), mean.astype(np.float32)


def mean_of(vectors: Vectors, order: Labels | None = None) -> npt.NDArray[np.float64]:
    """Return the mean of vectors.

    :param vectors: float32, shape (n_rows, n_features).
    :param order: numbers of the rows, in the order in which they are added up; None for that of the vectors.
    :return: shape (n_features,).
    """
    total = np.zeros(vectors.shape[1])
    for rows in _chunks(vectors, order):
        total += vectors[rows].sum(axis=0, dtype=np.float64)
    return total / max(1, len(vectors))


def normalize(vectors: Vectors, mean: npt.NDArray[np.floating], order: Labels | None = None) -> Vectors:
    """Subtract a given mean and scale each row to unit length (a row at the mean stays zero).

    :param vectors: float32, shape (n_rows, n_features).
    :param mean: shape (n_features,).
    :param order: numbers of the rows, in the order of the points; None for that of the vectors.
    :return: the points, float32, shape (n_rows, n_features); nothing else of this size is made.
    """
    least = TINY * max(float(vectors.max(initial=0)), -float(vectors.min(initial=0)))
    points = np.empty(vectors.shape, np.float32)
    for i, rows in enumerate(_chunks(vectors, order)):
        centered = vectors[rows] - mean
        norms = np.linalg.norm(centered, axis=1, keepdims=True)
        away = norms > least
        points[i * CHUNK : (i + 1) * CHUNK] = np.where(away, centered / np.where(away, norms, 1), 0)
    return points


def _chunks(vectors: Vectors, order: Labels | None) -> Iterator[Labels | slice]:
    """Yield the rows of each chunk."""
    for start in range(0, len(vectors), CHUNK):
        rows = slice(start, start + CHUNK)
        yield rows if order is None else order[rows]


def canonical_order(vectors: Vectors) -> npt.NDArray[np.int64]:
    """Return an order of the rows that depends on their values alone, and hardly on rounding.

    Rows are sorted by their projection on a fixed random direction. Another machine or batch size rounds
    differently, and then neighbors may change places, but no more: an algorithm that starts from random rows
    starts from the same ones.

    :param vectors: shape (n_rows, n_features).
    :return: row numbers in the new order, int64, shape (n_rows,).
    """
    bits = np.random.Philox(key=1).random_raw(vectors.shape[1])  # the same in every version and on every machine
    direction = bits / 2.0**63 - 1
    along = np.empty(len(vectors))
    for start in range(0, len(vectors), CHUNK):
        some = vectors[start : start + CHUNK]
        along[start : start + CHUNK] = (some * direction).sum(axis=1)  # not BLAS, whose sums depend on the order
    order = np.argsort(along, kind="stable")
    starts = np.flatnonzero(np.diff(along[order], prepend=np.nan) != 0)
    for first, last in zip(starts, [*starts[1:], len(order)], strict=True):
        if last - first > 1:  # mostly copies of one row
            order[first:last] = sorted(order[first:last], key=lambda row: _digest(vectors[row]))
    return order


def _digest(row: Vectors) -> bytes:
    return hashlib.blake2b(row.tobytes(), digest_size=16).digest()


def principal_components(points: Vectors, n_components: int) -> PCA:
    """Return the first principal directions of points, computed in float64.

    :param points: float32, shape (n_rows, n_features).
    :param n_components: their number; fewer where there are fewer rows or features.
    :return: fitted to the points.
    """
    from sklearn.decomposition import PCA

    with np.errstate(invalid="ignore"):  # PCA divides by the variance, which is 0 for identical points
        return PCA(min(n_components, *points.shape), random_state=0).fit(points.astype(np.float64))


def sample_indices(n_rows: int, n_samples: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the numbers of rows drawn at random without replacement.

    :param n_rows: rows to draw from.
    :param n_samples: rows to draw; where there are no more than that, all are returned.
    :param seed: seed of the draw.
    :return: row numbers, ascending, int64.
    """
    if n_rows <= n_samples:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, n_samples, replace=False))


def n_different(points: Vectors, limit: int) -> int:
    """Return how many different rows there are, rounded to five digits.

    :param points: shape (n_rows, n_features).
    :param limit: the number at which counting stops.
    :return: the number of different rows, at most `limit`.
    """
    distinct: set[bytes] = set()
    for row in points:
        distinct.add((row.round(5) + 0.0).tobytes())  # -0.0 + 0.0 is 0.0
        if len(distinct) == limit:
            break
    return len(distinct)


def as_seed(random_state: int | np.random.RandomState | None) -> int:
    """Return the seed that a `random_state` of scikit-learn stands for.

    :param random_state: a seed, a generator that draws one, or None for any.
    :raises ValueError: for another object.
    """
    if isinstance(random_state, numbers.Integral):
        return int(random_state)
    from sklearn.utils import check_random_state

    return int(check_random_state(random_state).randint(2**31 - 1))
