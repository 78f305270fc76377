"""The interface of a clustering algorithm.

The rest of the package relies on this interface only, never on the name of an algorithm. To add one, write a
class with this interface, and register it: `algorithms.register("name", Class)`, or a line in
`inbedder_cli.registry` if it becomes part of the package.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    import numpy.typing as npt

    from inbedder_cli.clustering.preprocess import Labels, Vectors
    from inbedder_cli.options import ClusterOptions

    Arrays = dict[str, npt.NDArray[Any]]


class ClusterAlgorithm(ABC):
    """A clustering algorithm for points, that is, centered vectors of unit length.

    Subclasses inherit defaults for everything but `from_options`, `fit`, `predict`, `to_arrays` and `from_arrays`.
    As in scikit-learn, `fit` sets the attributes that end in an underscore. `fit` always gets the rows in the same
    order, whatever their order in the input (`preprocess.canonical_order`), and clusters may have any numbers from
    0: the caller renumbers them by size.

    :cvar takes_k: whether the number of clusters is an option (`ClusterOptions.k`); if it is None, the caller
        selects it between `k_min` and `k_max`.
    :cvar takes_min_cluster_size: whether `ClusterOptions.min_cluster_size` matters.
    :ivar labels_: cluster of each fitted row, int64, shape (n_rows,), -1 for noise.
    :ivar shortcut_: approximation that `fit` used for many rows, as a clause for the report; None: exact.
    """

    takes_k: ClassVar[bool] = False
    takes_min_cluster_size: ClassVar[bool] = False
    labels_: Labels
    shortcut_: str | None = None

    @classmethod
    def with_defaults(cls, options: ClusterOptions, n_rows: int) -> ClusterOptions:
        """Return the options with defaults that depend on the number of rows filled in.

        :param options: what the user chose.
        :param n_rows: rows to be clustered.
        :return: the options that `from_options` gets.
        """
        del n_rows
        return options

    @classmethod
    def min_rows(cls, options: ClusterOptions) -> int:
        """Return the smallest number of rows that can be clustered.

        :param options: what the user chose.
        :return: a number of rows; fewer rows are an error.
        """
        del options
        return 1

    @classmethod
    def describe(cls, options: ClusterOptions) -> str:
        """Return the name of the algorithm for the report, with the settings that matter.

        :param options: the options used.
        :return: for example "HDBSCAN (min_cluster_size 15)".
        """
        return options.algorithm

    @classmethod
    @abstractmethod
    def from_options(cls, options: ClusterOptions, *, quick: bool = False) -> Self:
        """Return an algorithm that is not fitted yet.

        :param options: with `k` (if `takes_k`) and the defaults of `with_defaults` filled in.
        :param quick: whether a rougher fit is enough, because it is fitted many times to measure stability.
        :return: the algorithm.
        """

    @abstractmethod
    def fit(self, X: Vectors, y: None = None) -> Self:
        """Cluster points.

        :param X: points, float32, shape (n_rows, n_features).
        :param y: ignored, as in scikit-learn.
        :return: the algorithm itself.
        """

    @abstractmethod
    def predict(self, X: Vectors) -> Labels:
        """Assign points to the clusters. Points that were fitted get the labels that they have.

        :param X: points, float32, shape (n_rows, n_features), at least one row.
        :return: numbers of clusters, int64, shape (n_rows,), -1 for noise.
        """

    def memberships(self, X: Vectors) -> Labels | None:
        """Return the cluster of each point in each of several runs, if `fit` made some.

        They show how stable the clusters are; without them, the algorithm is fitted to random halves.

        :param X: points, float32, shape (n_rows, n_features).
        :return: numbers of clusters, int64, shape (n_rows, n_runs), or None.
        """
        del X
        return None

    @abstractmethod
    def to_arrays(self) -> Arrays:
        """Return everything that `predict` needs, as numeric arrays (a saved run holds no pickle).

        :return: arrays by name.
        """

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return a fitted algorithm, without `labels_`.

        :param arrays: what `to_arrays` returned.
        :return: the algorithm.
        """
