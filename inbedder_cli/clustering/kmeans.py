"""KMeans that starts from the consensus of many runs, with mini-batches for large corpora."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from inbedder_cli.clustering.base import ClusterAlgorithm
from inbedder_cli.clustering.consensus import (
    MOST_CLUSTERS,
    N_RUNS,
    QUICK_N_RUNS,
    consensus_centers,
    nearest_centers,
)
from inbedder_cli.clustering.preprocess import as_seed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    import numpy.typing as npt

    from inbedder_cli.clustering.base import Arrays
    from inbedder_cli.clustering.preprocess import Labels, Vectors
    from inbedder_cli.options import ClusterOptions

N_INIT = 10  # as in the paper's own clustering of explanations
QUICK_N_INIT = 3
MANY_ROWS = 50_000  # rows
MINI_BATCH = 4096
MAX_ITER = 300
LAST_STEPS = 10  # iterations over many rows: the start is good, and each row ends in its nearest cluster


class KMeansClusterer(ClusterMixin, BaseEstimator, ClusterAlgorithm):  # type: ignore[misc]
    """KMeans (Lloyd 1982) from the consensus of many runs (`consensus`), as a scikit-learn estimator.

    Without consensus, and for more than 200 clusters, it starts from k-means++ (Arthur & Vassilvitskii 2007),
    above 50,000 rows from mini-batches (Sculley 2010). At most ten iterations over that many rows refine the
    start. It computes in float32.

    :param n_clusters: number of clusters.
    :param n_runs: runs whose consensus is the start; 0 starts from k-means++.
    :param n_init: number of k-means++ starts, if `n_runs` is 0; the best one is kept.
    :param random_state: seed of the runs, starts and mini-batches.
    :param copy_x: whether points are never changed; else, above 50,000 rows, KMeans centers them in place and
        moves them back afterwards, which saves a copy of them and may change their last digit.
    """

    takes_k = True

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        n_runs: int = N_RUNS,
        n_init: int = N_INIT,
        random_state: int | np.random.RandomState | None = 0,
        copy_x: bool = True,
    ) -> None:
        self.n_clusters = n_clusters
        self.n_runs = n_runs
        self.n_init = n_init
        self.random_state = random_state
        self.copy_x = copy_x

    @classmethod
    def min_rows(cls, options: ClusterOptions) -> int:
        """Return the number of clusters, or the smallest that may be selected.

        :param options: what the user chose.
        :return: a number of rows.
        """
        return options.k or options.k_min

    @classmethod
    def from_options(cls, options: ClusterOptions, *, quick: bool = False) -> Self:
        """Return a KMeans that is not fitted yet.

        :param options: with `k` filled in.
        :param quick: the consensus of fewer runs; without consensus 3 starts from k-means++.
        :return: the algorithm.
        """
        return cls(
            options.k or 1,
            n_runs=0 if not options.consensus else QUICK_N_RUNS if quick else N_RUNS,
            n_init=QUICK_N_INIT if quick else N_INIT,
            random_state=options.seed,
            copy_x=False,  # the points are made for the algorithm
        )

    def fit(self, X: Vectors, y: None = None) -> Self:
        """Cluster points; a cluster that is left without rows is dropped.

        :param X: points, shape (n_rows, n_features).
        :param y: ignored.
        :return: the algorithm itself.
        """
        from sklearn.cluster import KMeans, MiniBatchKMeans
        from sklearn.exceptions import ConvergenceWarning

        points = validate_data(self, X, dtype=np.float32)
        seed, many = as_seed(self.random_state), len(points) > MANY_ROWS
        start, self.runs_, self.shortcut_ = None, None, None
        with_consensus = self.n_runs > 0 and self.n_clusters <= MOST_CLUSTERS
        if with_consensus and len(points) >= self.n_clusters:
            start, self.runs_ = consensus_centers(points, self.n_clusters, self.n_runs, seed)
        elif many:
            rough = MiniBatchKMeans(self.n_clusters, batch_size=MINI_BATCH, n_init=self.n_init, random_state=seed)
            start = rough.fit(points).cluster_centers_
            self.shortcut_ = f"more than {MANY_ROWS:,} rows: KMeans on mini-batches of {MINI_BATCH:,}"
        if self.n_runs and not with_consensus:
            steps = [f"more than {MOST_CLUSTERS} clusters: no consensus of many runs", self.shortcut_]
            self.shortcut_ = "; ".join(step for step in steps if step)
        if start is None:
            kmeans = KMeans(self.n_clusters, n_init=self.n_init, random_state=seed)
        else:
            kmeans = KMeans(len(start), init=start, n_init=1, max_iter=LAST_STEPS if many else MAX_ITER)
            if many and not self.copy_x:
                kmeans.set_params(copy_x=False, tol=0)  # the variance, to which tol is relative, takes a copy too
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = kmeans.fit(points)
        used, labels = np.unique(fitted.labels_, return_inverse=True)
        self.labels_: Labels = labels.astype(np.int64)
        self.cluster_centers_: Vectors = np.asarray(fitted.cluster_centers_[used], np.float32)
        return self

    def memberships(self, X: Vectors) -> Labels | None:
        """Return the cluster of each point in each run of the consensus.

        :param X: points, shape (n_rows, n_features).
        :return: int64, shape (n_rows, n_runs); None without consensus.
        """
        return None if self.runs_ is None else self.runs_.predict(X)

    def predict(self, X: Vectors) -> Labels:
        """Assign points to the clusters with the nearest means.

        :param X: points, shape (n_rows, n_features).
        :return: numbers of clusters, int64, shape (n_rows,).
        """
        check_is_fitted(self)
        points = validate_data(self, X, dtype=np.float32, reset=False)
        return nearest_centers(points, self.cluster_centers_[None])[:, 0]

    def to_arrays(self) -> Arrays:
        """Return the means of the clusters.

        :return: `cluster_centers`, float32, shape (n_clusters, n_features).
        """
        return {"cluster_centers": self.cluster_centers_}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return a fitted KMeans, without `labels_`.

        :param arrays: what `to_arrays` returned.
        :return: the algorithm.
        """
        fitted = cls(len(arrays["cluster_centers"]))
        fitted.cluster_centers_ = arrays["cluster_centers"]
        fitted.n_features_in_ = fitted.cluster_centers_.shape[1]
        return fitted
