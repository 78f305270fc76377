"""How many clusters: what each number, or each smallest size, would give, weighed on a sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering.kmeans import LEAST_CLUSTER, fit_kmeans, refit
from inbedder_cli.clustering.preprocess import NOISE, n_different, sample_indices
from inbedder_cli.clustering.stability import part_size, partition_stability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.clustering.preprocess import Vectors
    from inbedder_cli.options import ClusterOptions

ROWS = 2000  # on which k is chosen
STARTS = 3
DIMENSIONS = 50  # principal ones, in which parts are compared: a twentieth of the time for the same verdict
PARTS = 6
CHANCE = 0.1  # agreement that clusters which have nothing to do with the answers may have with them
LEAST_SPREAD = 0.02  # of a figure over all k: smaller differences say nothing


@dataclass(frozen=True)
class KScore:
    """What speaks for a number of clusters, each figure but the total at most 1.

    :param silhouette: mean silhouette width (Rousseeuw 1987), from -1.
    :param stability: mean adjusted Rand index of clusterings of parts of the rows (`partition_stability`).
    :param agreement: adjusted mutual information (Vinh et al. 2010) of clusters and answers: how far each tells
        the other, beyond chance; None without answers.
    :param total: the mean of the figures, each in standard deviations from its mean over all k: by it k is chosen.
    """

    silhouette: float
    stability: float
    agreement: float | None = None
    total: float = 0.0


@dataclass(frozen=True)
class KSelection:
    """How k was chosen: the scores of each k tried, on `n_rows` rows."""

    k: int
    scores: dict[int, KScore]
    n_rows: int

    @property
    def runner_up(self) -> int | None:
        """The second best k, if more than one was tried."""
        others = [k for k in self.scores if k != self.k]
        return max(others, key=lambda k: self.scores[k].total) if others else None


def select_n_clusters(
    points: Vectors, options: ClusterOptions, phrases: Sequence[Sequence[str]] | None = None
) -> KSelection:
    """Return the k between k_min and k_max that is the best in the mean of three figures, on a sample.

    They ask for different things: silhouettes for clusters apart from each other, stability for clusters that are
    no accident of these rows, agreement for clusters that answers tell apart. Few clusters are always stabler, and
    silhouettes hardly differ: so each figure counts by how far it stands out among its own. Agreement that is
    everywhere that of chance does not count.

    :param points: centred and normalize vectors, in canonical order.
    :param phrases: n-grams of each row's answer, if there are answers.
    """
    from sklearn.metrics import adjusted_mutual_info_score, silhouette_score

    sample = sample_indices(len(points), ROWS, options.seed)
    points = points[sample]
    reduced = _principal(points, options.seed)
    answers = None if phrases is None else ["\n".join(phrases[i]) for i in sample]
    most = min(options.k_max, n_different(points, options.k_max), len(points) - 1, part_size(len(points)))
    scores = {}
    for k in range(options.k_min, most + 1):
        labels = fit_kmeans(points, k, options.seed, STARTS)[0]
        scores[k] = KScore(
            float(silhouette_score(points, labels)) if len(set(labels)) > 1 else -1.0,
            partition_stability(reduced, replace(options, k=k), PARTS),
            None if answers is None else float(adjusted_mutual_info_score(answers, labels)),
        )
    if not scores:  # too few different rows for a choice
        return KSelection(max(1, most), {}, len(points))
    scores = _weighed(scores)
    return KSelection(max(scores, key=lambda k: scores[k].total), scores, len(points))


def _weighed(scores: dict[int, KScore]) -> dict[int, KScore]:
    """Return the scores with their totals."""
    agreements = [s.agreement or 0.0 for s in scores.values()]
    agree = max(agreements) > CHANCE
    figures = np.array(
        [
            [s.silhouette, s.stability, *([agreement] if agree else [])]
            for s, agreement in zip(scores.values(), agreements, strict=True)
        ]
    )
    spread = np.maximum(figures.std(axis=0), LEAST_SPREAD)
    totals = ((figures - figures.mean(axis=0)) / spread).mean(axis=1)
    return {
        k: replace(score, total=float(total)) for (k, score), total in zip(scores.items(), totals, strict=True)
    }


def _principal(points: Vectors, seed: int) -> Vectors:
    from sklearn.decomposition import PCA

    with np.errstate(invalid="ignore"):  # the share of variance of identical points
        pca = PCA(min(DIMENSIONS, *points.shape), random_state=seed)
        return np.asarray(pca.fit_transform(points.astype(np.float64)), np.float32)


SHARES = (0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.08, 0.12)  # of the rows, tried as smallest cluster
CLIFF = 2.0  # between neighbouring sizes: the number of clusters changes by this factor or more


@dataclass(frozen=True)
class SizeScore:
    """What a smallest cluster size (HDBSCAN) gives.

    :param min_cluster_size: in rows of the whole corpus.
    :param k: clusters found.
    :param noise: share of the rows in none, 0 to 1.
    :param stability: as in `KScore`; 0 where nothing was found.
    :param cliff: whether the number of clusters is quite another one at the size before.
    """

    min_cluster_size: int
    k: int
    noise: float
    stability: float
    cliff: bool


def sweep_sizes(points: Vectors, options: ClusterOptions) -> list[SizeScore]:
    """Return what several smallest cluster sizes give, on a sample, smallest first.

    :param points: centred and normalize vectors, in canonical order.
    """
    n_rows = len(points)
    sample = sample_indices(n_rows, ROWS, options.seed)
    points, share = points[sample], len(sample) / n_rows
    sizes = sorted({max(LEAST_CLUSTER, round(part * n_rows)) for part in SHARES})
    swept: list[SizeScore] = []
    for size in (size for size in sizes if size * share <= len(points)):
        tried = replace(options, min_cluster_size=max(2, round(size * share)))
        labels = refit(points, tried, options.seed, STARTS)
        k = len(set(labels.tolist()) - {NOISE})
        stability = partition_stability(points, tried, PARTS) if k else 0.0
        before = swept[-1].k if swept else k
        cliff = max(k, before) >= CLIFF * max(1, min(k, before))
        swept.append(SizeScore(size, k, float((labels == NOISE).mean()), stability, cliff))
    return swept
