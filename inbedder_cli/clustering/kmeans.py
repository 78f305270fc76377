"""Points -> labels: KMeans and HDBSCAN, and what many rows make them do otherwise."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.clustering.preprocess import CHUNK, NOISE, sample_indices
from inbedder_cli.options import Algorithm

if TYPE_CHECKING:
    from inbedder_cli.clustering.preprocess import Labels, Vectors
    from inbedder_cli.options import ClusterOptions

STARTS = 10  # KMeans restarts (n_init), as in the paper's own clustering of explanations
MINI_BATCH_ABOVE = 50_000  # rows, from where KMeans looks at them in batches
MINI_BATCH = 4096
LAST_STEPS = 10  # over all rows, so that rows lie in the cluster whose mean is nearest
HDBSCAN_DIMENSIONS = 50  # above this, hdbscan falls back to a slow generic path
HDBSCAN_ROWS = 20_000  # its time grows with the square of the rows: above, a sample finds the clusters
LEAST_CLUSTER = 5
ALIKE = 1e-3  # a point so near to one of the sample is that one
CLUSTER_SHARE = 0.02


def fit_kmeans(points: Vectors, k: int, seed: int, starts: int = STARTS) -> tuple[Labels, Vectors]:
    """Return the labels of k clusters, and the means to which each point's label is that of the nearest."""
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    if len(points) > MINI_BATCH_ABOVE:
        rough = MiniBatchKMeans(k, batch_size=MINI_BATCH, n_init=starts, random_state=seed).fit(points)
        last = KMeans(k, init=rough.cluster_centers_, n_init=1, max_iter=LAST_STEPS, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = last.fit(points)
    else:
        fitted = KMeans(k, n_init=starts, random_state=seed).fit(points)
    return np.asarray(fitted.labels_, np.int64), np.asarray(fitted.cluster_centers_, np.float32)


@dataclass(frozen=True)
class HDBSCANModel:
    """What HDBSCAN found in a sample, enough to find it again and to place other rows (no pickle is needed).

    :param components: principal directions, float32, shape (dimensions, hidden_size).
    :param offset: what is subtracted before, float32, shape (hidden_size,).
    :param reduced: the sample in these directions, float32, shape (n_sample, dimensions).
    :param labels: of the sample, shape (n_sample,), -1 for noise.
    :param size: smallest cluster in the sample, in rows.
    """

    components: Vectors
    offset: Vectors
    reduced: Vectors
    labels: Labels
    size: int

    def place(self, points: Vectors, fitted: Any = None) -> Labels:  # noqa: ANN401
        """Return in which cluster each point would lie, -1 for none: hdbscan's approximate prediction.

        Points of the sample keep the labels that they have, which the prediction does not promise.

        :param fitted: hdbscan's own object where it is at hand; None: found again.
        :raises ValueError: when this version of hdbscan finds other clusters in the sample.
        """
        from hdbscan import approximate_predict
        from scipy.spatial import KDTree

        fitted = fitted or _fitted(self.reduced, self.size, predicting=True)
        numbers = dict(zip(fitted.labels_.tolist(), self.labels.tolist(), strict=True))
        same = [numbers[label] for label in fitted.labels_.tolist()] == self.labels.tolist()
        if not same or len(set(numbers.values())) < len(numbers):
            raise ValueError("hdbscan finds other clusters than it did")
        if set(numbers) <= {NOISE} or not len(points):
            return np.full(len(points), NOISE, np.int64)
        chunks = [self._reduced(points[i : i + CHUNK]) for i in range(0, len(points), CHUNK)]
        found = np.concatenate([approximate_predict(fitted, chunk)[0] for chunk in chunks])
        sample = KDTree(self.reduced)
        known = np.concatenate([sample.query(chunk, distance_upper_bound=ALIKE)[1] for chunk in chunks])
        own = np.append(self.labels, NOISE)[known]  # what is not in the sample has the number after its last
        placed = np.array([numbers.get(int(label), NOISE) for label in found], np.int64)
        return np.where(known < len(self.labels), own, placed)

    def _reduced(self, points: Vectors) -> Vectors:
        return ((points.astype(np.float64) - self.offset) @ self.components.T).astype(np.float32)


def _fitted(reduced: Vectors, size: int, *, predicting: bool) -> Any:  # noqa: ANN401
    from hdbscan import HDBSCAN

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # between hdbscan's and scikit-learn's releases
        return HDBSCAN(min_cluster_size=size, core_dist_n_jobs=1, prediction_data=predicting).fit(reduced)


def fit_hdbscan(points: Vectors, size: int, seed: int) -> tuple[Labels, HDBSCANModel]:
    """Cluster by hdbscan_model (Campello et al. 2013), in at most 50 principal dimensions; -1 is noise.

    Of many rows a sample makes the clusters, and the others join the cluster in which they would lie.

    :param size: smallest cluster, in rows.
    """
    from sklearn.decomposition import PCA

    n_rows = len(points)
    sample = sample_indices(n_rows, HDBSCAN_ROWS, seed)
    with np.errstate(invalid="ignore"):  # the share of variance of identical points
        pca = PCA(min(HDBSCAN_DIMENSIONS, len(sample), points.shape[1]), random_state=seed)
        reduced = pca.fit_transform(points[sample].astype(np.float64)).astype(np.float32)
    in_sample = max(2, round(size * len(sample) / n_rows))
    fitted = _fitted(reduced, in_sample, predicting=len(sample) < n_rows)
    labels = np.asarray(fitted.labels_, np.int64)
    basis = pca.components_.astype(np.float32), pca.mean_.astype(np.float32)
    hdbscan_model = HDBSCANModel(*basis, reduced, labels, in_sample)
    if len(sample) == n_rows:
        return labels, hdbscan_model
    everywhere = np.full(n_rows, NOISE, np.int64)
    everywhere[sample] = labels
    others = np.setdiff1d(np.arange(n_rows), sample, assume_unique=True)
    everywhere[others] = hdbscan_model.place(points[others], fitted)
    return everywhere, hdbscan_model


def shortcut_for(algorithm: Algorithm, n_rows: int) -> str | None:
    """Return what so many rows make an algorithm do otherwise, as a sentence; None: nothing."""
    if algorithm is Algorithm.hdbscan and n_rows > HDBSCAN_ROWS:
        return f"more than {HDBSCAN_ROWS:,} rows: a sample of so many made the clusters, and the others joined"
    if algorithm is Algorithm.kmeans and n_rows > MINI_BATCH_ABOVE:
        return f"more than {MINI_BATCH_ABOVE:,} rows: KMeans on mini-batches of {MINI_BATCH:,}"
    return None


def refit(points: Vectors, options: ClusterOptions, seed: int, starts: int, share: float = 1.0) -> Labels:
    """Return labels of some of the rows that a clustering with these options was made of.

    :param options: with k or min_cluster_size filled in.
    :param share: of the rows that are here; clusters may be that much smaller.
    """
    if options.algorithm is Algorithm.kmeans:
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than clusters, by chance
            return fit_kmeans(points, options.k or 1, seed, starts)[0]
    return fit_hdbscan(points, max(2, round((options.min_cluster_size or LEAST_CLUSTER) * share)), seed)[0]


def with_size(options: ClusterOptions, n_rows: int) -> ClusterOptions:
    """Return the options with min_cluster_size filled in (HDBSCAN)."""
    size = options.min_cluster_size or max(LEAST_CLUSTER, round(CLUSTER_SHARE * n_rows))
    return replace(options, min_cluster_size=size)
