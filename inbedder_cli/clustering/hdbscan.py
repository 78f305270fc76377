"""HDBSCAN in a few principal dimensions, on a sample of large corpora."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from inbedder_cli.clustering.base import ClusterAlgorithm
from inbedder_cli.clustering.preprocess import CHUNK, NOISE, as_seed, principal_components, sample_indices

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    import numpy.typing as npt

    from inbedder_cli.clustering.base import Arrays
    from inbedder_cli.clustering.preprocess import Labels, Vectors
    from inbedder_cli.options import ClusterOptions

DIMENSIONS = 50  # above this, hdbscan falls back to a slow generic path
SAMPLE_ROWS = 20_000  # hdbscan's time grows with the square of the rows
MIN_CLUSTER_SIZE = 5
CLUSTER_SHARE = 0.02  # of the rows: the default smallest cluster
MIN_SAMPLES = 1  # of 1, 2 and 5 and 5 to 50 dimensions, the least noise and the best V on 33 tasks
SAME_POINT = 1e-3  # distance within which a point counts as a point of the sample


class HDBSCANClusterer(ClusterMixin, BaseEstimator, ClusterAlgorithm):  # type: ignore[misc]
    """HDBSCAN (Campello, Moulavi & Sander 2013) in at most 50 principal dimensions, as a scikit-learn estimator.

    Above 20,000 rows the clusters are found in a sample of that size, and the other rows are assigned to them by
    approximate prediction. `to_arrays` holds the sample, on which `predict` fits HDBSCAN again.

    :param min_cluster_size: smallest cluster, in rows.
    :param random_state: seed of the sample.
    """

    takes_min_cluster_size = True

    def __init__(
        self,
        min_cluster_size: int = MIN_CLUSTER_SIZE,
        *,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.min_cluster_size = min_cluster_size
        self.random_state = random_state

    @classmethod
    def with_defaults(cls, options: ClusterOptions, n_rows: int) -> ClusterOptions:
        """Return the options with `min_cluster_size` filled in: 2 % of the rows, at least 5.

        :param options: what the user chose.
        :param n_rows: rows to be clustered.
        :return: the options.
        """
        size = options.min_cluster_size or max(MIN_CLUSTER_SIZE, round(CLUSTER_SHARE * n_rows))
        return replace(options, min_cluster_size=size)

    @classmethod
    def min_rows(cls, options: ClusterOptions) -> int:
        """Return the size of the smallest cluster.

        :param options: what the user chose.
        :return: a number of rows.
        """
        return options.min_cluster_size or MIN_CLUSTER_SIZE

    @classmethod
    def describe(cls, options: ClusterOptions) -> str:
        """Return the name of the algorithm and its smallest cluster size.

        :param options: the options used.
        :return: for example "HDBSCAN (min_cluster_size 15)".
        """
        return f"HDBSCAN (min_cluster_size {options.min_cluster_size})"

    @classmethod
    def from_options(cls, options: ClusterOptions, *, quick: bool = False) -> Self:
        """Return an HDBSCAN that is not fitted yet.

        :param options: with `min_cluster_size` filled in.
        :param quick: ignored, because there is no rougher fit.
        :return: the algorithm.
        """
        del quick
        return cls(options.min_cluster_size or MIN_CLUSTER_SIZE, random_state=options.seed)

    def fit(self, X: Vectors, y: None = None) -> Self:
        """Cluster points.

        :param X: points, shape (n_rows, n_features).
        :param y: ignored.
        :return: the algorithm itself.
        """
        points = validate_data(self, X, dtype=np.float32, ensure_min_samples=2)
        n_rows, seed = len(points), as_seed(self.random_state)
        sample = sample_indices(n_rows, SAMPLE_ROWS, seed)
        pca = principal_components(points[sample], DIMENSIONS)
        self.sample_ = pca.transform(points[sample]).astype(np.float32)
        self.components_ = pca.components_.astype(np.float32)
        self.mean_ = pca.mean_.astype(np.float32)
        self.sample_min_cluster_size_ = max(2, round(self.min_cluster_size * len(sample) / n_rows))
        fitted = self._fit_sample(for_prediction=len(sample) < n_rows)
        self.sample_labels_ = self._labels_of_sample(fitted)
        if len(sample) == n_rows:
            self.labels_, self.shortcut_ = self.sample_labels_, None
            return self
        self.labels_ = np.full(n_rows, NOISE, np.int64)
        self.labels_[sample] = self.sample_labels_
        others = np.setdiff1d(np.arange(n_rows), sample, assume_unique=True)
        self.labels_[others] = self._predict_points(points[others], fitted)
        self.shortcut_ = (
            f"more than {SAMPLE_ROWS:,} rows: clusters were found in a sample of that size, "
            "and the other rows were assigned to them"
        )
        return self

    def predict(self, X: Vectors) -> Labels:
        """Assign points to clusters by hdbscan's approximate prediction.

        Approximate prediction may relabel fitted points, so points of the sample keep their labels.

        :param X: points, shape (n_rows, n_features).
        :return: numbers of clusters, int64, shape (n_rows,), -1 for noise.
        :raises ValueError: when the installed hdbscan does not reproduce the clusters of `fit`.
        """
        check_is_fitted(self)
        points = validate_data(self, X, dtype=np.float32, reset=False)
        return self._predict_points(points, self._fit_sample(for_prediction=True))

    def to_arrays(self) -> Arrays:
        """Return the sample, its labels and the principal directions.

        :return: `components`, float32, shape (n_dimensions, n_features); `mean`, float32, shape (n_features,);
            `sample`, float32, shape (n_sample, n_dimensions); `sample_labels`, int64, shape (n_sample,);
            `sample_min_cluster_size`, int64, shape (1,).
        """
        return {
            "components": self.components_,
            "mean": self.mean_,
            "sample": self.sample_,
            "sample_labels": self.sample_labels_,
            "sample_min_cluster_size": np.array([self.sample_min_cluster_size_]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return a fitted HDBSCAN, without `labels_`.

        :param arrays: what `to_arrays` returned.
        :return: the algorithm.
        """
        size = int(arrays["sample_min_cluster_size"][0])
        fitted = cls(size)
        fitted.components_, fitted.mean_ = arrays["components"], arrays["mean"]
        fitted.sample_, fitted.sample_labels_ = arrays["sample"], arrays["sample_labels"]
        fitted.sample_min_cluster_size_ = size
        n_sample, n_dimensions = fitted.sample_.shape
        fits = fitted.components_.shape == (n_dimensions, len(fitted.mean_))
        if not fits or fitted.sample_labels_.shape != (n_sample,) or n_sample > SAMPLE_ROWS:
            raise ValueError("the arrays of HDBSCAN do not fit together")
        fitted.n_features_in_ = fitted.components_.shape[1]
        return fitted

    def _fit_sample(self, *, for_prediction: bool) -> Any:  # noqa: ANN401
        from hdbscan import HDBSCAN

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # hdbscan uses what scikit-learn has deprecated
            return HDBSCAN(
                min_cluster_size=self.sample_min_cluster_size_,
                min_samples=MIN_SAMPLES,
                core_dist_n_jobs=1,
                prediction_data=for_prediction,
            ).fit(self.sample_)

    def _labels_of_sample(self, fitted: Any) -> Labels:  # noqa: ANN401
        """Return the clusters of the sample: hdbscan's, or where it finds none, the copies of the commonest row.

        HDBSCAN needs at least two clusters.
        """
        labels = np.asarray(fitted.labels_, np.int64)
        _, copies, counts = np.unique(self.sample_.round(4), axis=0, return_inverse=True, return_counts=True)
        if (labels != NOISE).any() or counts.max() < self.sample_min_cluster_size_:
            return labels
        return np.where(copies.ravel() == counts.argmax(), 0, NOISE)

    def _predict_points(self, points: Vectors, fitted: Any) -> Labels:  # noqa: ANN401
        """Return the clusters of points, given hdbscan's own object fitted to the sample."""
        from hdbscan import approximate_predict
        from scipy.spatial import KDTree

        labels = self._labels_of_sample(fitted).tolist()
        numbers = dict(zip(labels, self.sample_labels_.tolist(), strict=True))
        same = [numbers[label] for label in labels] == self.sample_labels_.tolist()
        if not same or len(set(numbers.values())) < len(numbers):
            raise ValueError("the installed hdbscan does not reproduce the clusters of the saved sample")
        chunks = [self._reduce(points[i : i + CHUNK]) for i in range(0, len(points), CHUNK)]
        if (fitted.labels_ != NOISE).any():
            predicted = np.concatenate([approximate_predict(fitted, chunk)[0] for chunk in chunks])
        else:
            predicted = np.full(len(points), NOISE)
        sample = KDTree(self.sample_)
        known = np.concatenate([sample.query(chunk, distance_upper_bound=SAME_POINT)[1] for chunk in chunks])
        own = np.append(self.sample_labels_, NOISE)[known]  # the query gives n_sample where no row is near enough
        placed = np.array([numbers.get(int(label), NOISE) for label in predicted], np.int64)
        return np.where(known < len(self.sample_labels_), own, placed)

    def _reduce(self, points: Vectors) -> Vectors:
        reduced: Vectors = ((points.astype(np.float64) - self.mean_) @ self.components_.T).astype(np.float32)
        return reduced
