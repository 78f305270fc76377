"""The metrics, each a share of one; scikit-learn's and scipy's where they have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Labels = Sequence[str] | npt.NDArray[np.int64]
    Numbers = npt.NDArray[np.float64]


def v_measure(labels: Labels, fitted: Labels) -> float:
    """Return the harmonic mean of homogeneity and completeness (Rosenberg & Hirschberg 2007)."""
    from sklearn.metrics import v_measure_score

    return float(v_measure_score(labels, fitted))


def adjusted_rand(labels: Labels, fitted: Labels) -> float:
    """Return the Rand index adjusted for chance (Hubert & Arabie 1985): 0 for a random division."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(labels, fitted))


def normalised_mutual_information(labels: Labels, fitted: Labels) -> float:
    """Return mutual information over the geometric mean of the entropies (Strehl & Ghosh 2002).

    Over the arithmetic mean, scikit-learn's default, it would be the V-measure once more.
    """
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(labels, fitted, average_method="geometric"))


def purity(labels: Labels, fitted: Labels) -> float:
    """Return the share of rows that are of their cluster's most frequent class (Manning et al. 2008, 16.3).

    >>> purity(["a", "a", "b"], np.array([0, 0, 0]))
    0.6666666666666666
    """
    from sklearn.metrics.cluster import contingency_matrix

    table = contingency_matrix(labels, fitted)
    return float(table.max(axis=0).sum() / table.sum())


CLUSTER_METRICS = {
    "V-measure": v_measure,
    "ARI": adjusted_rand,
    "NMI": normalised_mutual_information,
    "purity": purity,
}


def cosines(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> Numbers:
    """Return the cosine of each row of `one` with the same row of `other`; 0 where a row is zero.

    :param one: shape (n, hidden_size); `other` too.
    """
    a, b = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    products = np.einsum("ij,ij->i", a, b)
    return np.asarray(np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0))


def triplet_successes(
    anchors: npt.NDArray[np.float32], positives: npt.NDArray[np.float32], negatives: npt.NDArray[np.float32]
) -> npt.NDArray[np.bool_]:
    """Return, per triplet, whether cos(anchor, positive) > cos(anchor, negative).

    A tie is a failure, as in the reference code: an encoder that gives every text the same vector scores 0.
    """
    return np.asarray(cosines(anchors, positives) > cosines(anchors, negatives))


def spearman(scores: Numbers, gold: Numbers) -> float | None:
    """Return the rank correlation; 0 for constant scores, which have no order; None for a constant gold."""
    from scipy.stats import spearmanr

    if len(gold) < 2 or np.ptp(gold) == 0:
        return None
    if np.ptp(scores) == 0:
        return 0.0
    return float(spearmanr(scores, gold).statistic)


def average_precision(scores: Numbers, relevant: npt.NDArray[np.bool_]) -> float | None:
    """Return one query's average precision; equal scores share a rank; None without both kinds of texts."""
    from sklearn.metrics import average_precision_score

    if relevant.all() or not relevant.any():
        return None
    return float(average_precision_score(relevant, scores))


def harmonic_mean(values: Sequence[float | None]) -> float | None:
    """Return the harmonic mean of shares; 0 if one is not above 0; None if there is none, or one is None.

    >>> harmonic_mean([0.25, 0.75])
    0.375
    """
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    if min(known) <= 0:
        return 0.0
    return len(known) / sum(1 / value for value in known)
