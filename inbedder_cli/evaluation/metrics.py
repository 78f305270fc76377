"""The metrics, on a scale of 0 to 1 (rank correlations: -1 to 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Labels = Sequence[str] | npt.NDArray[np.int64]
    Numbers = npt.NDArray[np.float64]


def v_measure(labels: Labels, fitted: Labels) -> float:
    """Return the harmonic mean of homogeneity and completeness (Rosenberg & Hirschberg 2007).

    :param labels: the true class of each row.
    :param fitted: the cluster of each row, shape (n_rows,).
    :return: 0 to 1.
    """
    from sklearn.metrics import v_measure_score

    return float(v_measure_score(labels, fitted))


def adjusted_rand(labels: Labels, fitted: Labels) -> float:
    """Return the adjusted Rand index (Hubert & Arabie 1985): about 0 for random clusters.

    :param labels: the true class of each row.
    :param fitted: the cluster of each row, shape (n_rows,).
    :return: -0.5 to 1.
    """
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(labels, fitted))


def normalized_mutual_information(labels: Labels, fitted: Labels) -> float:
    """Return mutual information over the geometric mean of the entropies (Strehl & Ghosh 2002).

    The arithmetic mean, scikit-learn's default, would give the V-measure again.

    :param labels: the true class of each row.
    :param fitted: the cluster of each row, shape (n_rows,).
    :return: 0 to 1.
    """
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(labels, fitted, average_method="geometric"))


def purity(labels: Labels, fitted: Labels) -> float:
    """Return the share of rows in the most frequent class of their cluster (Manning et al. 2008, 16.3).

    :param labels: the true class of each row.
    :param fitted: the cluster of each row, shape (n_rows,).
    :return: above 0, at most 1.

    >>> purity(["a", "a", "b"], np.array([0, 0, 0]))
    0.6666666666666666
    """
    from sklearn.metrics.cluster import contingency_matrix

    table = contingency_matrix(labels, fitted)
    return float(table.max(axis=0).sum() / table.sum())


CLUSTER_METRICS = {
    "V-measure": v_measure,
    "ARI": adjusted_rand,
    "NMI": normalized_mutual_information,
    "purity": purity,
}


def cosines(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> Numbers:
    """Return the cosine of each row of `one` with the same row of `other`; 0 where a row is zero.

    :param one: shape (n, n_features).
    :param other: shape (n, n_features).
    :return: float64, shape (n,).
    """
    a, b = one.astype(np.float64), other.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    products = np.einsum("ij,ij->i", a, b)
    return np.asarray(np.divide(products, norms, out=np.zeros_like(products), where=norms > 0))


def triplet_successes(
    anchors: npt.NDArray[np.float32], positives: npt.NDArray[np.float32], negatives: npt.NDArray[np.float32]
) -> npt.NDArray[np.bool_]:
    """Return, per triplet, whether cos(anchor, positive) > cos(anchor, negative).

    A tie is a failure, as in the reference code: an encoder that gives every text the same vector scores 0.

    :param anchors: shape (n_triplets, n_features).
    :param positives: shape (n_triplets, n_features).
    :param negatives: shape (n_triplets, n_features).
    :return: shape (n_triplets,).
    """
    return np.asarray(cosines(anchors, positives) > cosines(anchors, negatives))


def spearman(predicted: Numbers, gold: Numbers) -> float | None:
    """Return Spearman's rank correlation.

    :param predicted: shape (n,); if all values are equal the correlation counts as 0.
    :param gold: shape (n,).
    :return: -1 to 1; None if all gold values are equal.
    """
    from scipy.stats import spearmanr

    if len(gold) < 2 or np.ptp(gold) == 0:
        return None
    if np.ptp(predicted) == 0:
        return 0.0
    return float(spearmanr(predicted, gold).statistic)


def average_precision(similarities: Numbers, relevant: npt.NDArray[np.bool_]) -> float | None:
    """Return the average precision of one query; equal similarities share a rank.

    :param similarities: of the query's texts, shape (n_texts,).
    :param relevant: which texts belong to the query, shape (n_texts,).
    :return: None if all or none of the texts are relevant.
    """
    from sklearn.metrics import average_precision_score

    if relevant.all() or not relevant.any():
        return None
    return float(average_precision_score(relevant, similarities))


def harmonic_mean(values: Sequence[float | None]) -> float | None:
    """Return the harmonic mean.

    :param values: between 0 and 1.
    :return: 0 if a value is 0 or less; None if there are no values or one of them is None.

    >>> harmonic_mean([0.25, 0.75])
    0.375
    """
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    if min(known) <= 0:
        return 0.0
    return len(known) / sum(1 / value for value in known)
