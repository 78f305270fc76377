"""Vectors -> places on a two-dimensional map, and places for rows that come later.

The map is a t-SNE (van der Maaten & Hinton 2008) of at most 2,000 different rows, the anchors; every other row
lies between the anchors that are most like it. It depends on the rows alone,
not on their order or on a random choice.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering.preprocess import mean_of, normalize, principal_components

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Self

    import numpy.typing as npt

    from inbedder_cli.clustering.preprocess import Vectors

ANCHORS = 2000
DIMENSIONS = 50  # principal components that t-SNE works on
NEIGHBORS = 5  # anchors that a row lies between
SHARPNESS = 8.0  # power of the distance by which anchors that are farther away count less
PERPLEXITY = 30
FEWEST = 8  # different rows, below which the first two principal components are the map
JITTER = 0.008  # of the map's half width, so that copies of one text do not hide each other
CHUNK = 8192  # rows that are placed at a time
DIGITS = 4  # after the point, of places from -1 to 1


@dataclass(frozen=True)
class RowMap:
    """A map of rows: where its anchors lie, and what it takes to place other rows among them.

    :param mean: what is subtracted from every vector, float32, shape (n_features,).
    :param components: principal directions, float32, shape (n_components, n_features).
    :param anchors: anchors along these directions, float32, shape (n_anchors, n_components).
    :param places: their places, -1 to 1, float32, shape (n_anchors, 2).
    """

    mean: Vectors
    components: Vectors
    anchors: Vectors
    places: Vectors

    @classmethod
    def fit(cls, vectors: Vectors, texts: Sequence[str]) -> Self:
        """Return the map of rows.

        :param vectors: float32, shape (n_rows, n_features), finite, at least one row.
        :param texts: the text of each row; which rows are anchors depends on their hashes.
        """
        mean = mean_of(vectors)
        first = {text: row for row, text in reversed(list(enumerate(texts)))}
        rows = [first[text] for text in sorted(first, key=_digest)[:ANCHORS]]
        points = normalize(vectors[rows], mean)
        components = principal_components(points, DIMENSIONS).components_.astype(np.float32)
        anchors = np.round(points @ components.T, 5)  # hides what the number of threads changes
        return cls(mean.astype(np.float32), components, anchors, _places(anchors))

    def place(self, vectors: Vectors, texts: Sequence[str]) -> Vectors:
        """Return the places of rows: those of their anchors, else between the most similar anchors.

        :param vectors: float32, shape (n_rows, n_features), finite.
        :param texts: the text of each row; copies of a text are moved apart a little.
        :return: float32, shape (n_rows, 2).
        """
        from sklearn.neighbors import NearestNeighbors

        if not len(vectors):
            return np.empty((0, 2), np.float32)
        n_neighbors = min(NEIGHBORS, len(self.anchors))
        index = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute").fit(self.anchors)
        placed = np.empty((len(vectors), 2))
        for start in range(0, len(vectors), CHUNK):
            points = np.round(normalize(vectors[start : start + CHUNK], self.mean) @ self.components.T, 5)
            distances, nearest = index.kneighbors(points)
            weights = (np.maximum(distances[:, :1], 1e-4) / np.maximum(distances, 1e-4)) ** SHARPNESS
            weights /= weights.sum(axis=1, keepdims=True)
            placed[start : start + CHUNK] = (weights[:, :, None] * self.places[nearest]).sum(axis=1)
        jitter = self._jitter(texts)
        return np.round(np.clip(placed + jitter, -1, 1), DIGITS).astype(np.float32)

    def _jitter(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return a small step for each copy of a text but the first, and for each row of a map with more rows."""
        seen: Counter[str] = Counter()
        steps = np.zeros((len(texts), 2))
        is_whole = len(self.anchors) < ANCHORS
        for row, text in enumerate(texts):
            copy = seen[text]
            seen[text] += 1
            if copy or not is_whole:
                digest = hashlib.blake2b(f"{copy} {text}".encode("utf-8", "replace"), digest_size=8).digest()
                turn, reach = (int.from_bytes(part, "little") / 2**32 for part in (digest[:4], digest[4:]))
                steps[row] = (
                    JITTER * np.sqrt(reach) * np.array([np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)])
                )
        return steps

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the map as contiguous arrays, to be saved."""
        arrays = {"mean": self.mean, "components": self.components, "anchors": self.anchors, "places": self.places}
        return {name: np.ascontiguousarray(array) for name, array in arrays.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return a saved map.

        :param arrays: what `to_arrays` returned.
        :raises KeyError: for an array that is missing.
        :raises ValueError: for arrays whose types or shapes do not fit together.
        """
        made = cls(*(arrays[name] for name in ("mean", "components", "anchors", "places")))
        shapes = [array.shape for array in made.to_arrays().values()]
        (n_features,), (n_anchors, n_components) = made.mean.shape, made.anchors.shape
        if shapes[1:] != [(n_components, n_features), (n_anchors, n_components), (n_anchors, 2)] or not n_anchors:
            raise ValueError(f"the map has arrays of shapes {shapes}")
        if any(array.dtype != np.float32 or not np.isfinite(array).all() for array in made.to_arrays().values()):
            raise ValueError("the map is not finite float32")
        return made


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


def _places(anchors: Vectors) -> Vectors:
    """Return the anchors' places, the widest direction of the map across."""
    points = anchors.astype(np.float64)
    n_different = len(np.unique(points, axis=0))
    if n_different == 1:
        return np.zeros((len(points), 2), np.float32)
    if n_different < FEWEST:
        flat = np.zeros((len(points), 2))
        flat[:, : min(2, points.shape[1])] = points[:, :2]
    else:
        from sklearn.manifold import TSNE

        perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
        flat = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(points).astype(np.float64)
    flat -= flat.mean(axis=0)
    _, _, axes = np.linalg.svd(flat, full_matrices=False)
    turned = flat @ axes.T
    turned *= np.where(
        np.abs(turned.max(axis=0)) >= np.abs(turned.min(axis=0)), 1, -1
    )  # SVD leaves the signs open
    reach = np.abs(turned).max()
    places: Vectors = np.round(turned / (reach or 1), DIGITS).astype(np.float32)
    return places
