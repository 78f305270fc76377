"""Select the number of clusters: compare each k, or each smallest cluster size, on a sample of the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering.preprocess import NOISE, n_different, principal_components, sample_indices
from inbedder_cli.clustering.stability import part_size, partition_stability, refit
from inbedder_cli.registry import algorithms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.clustering.preprocess import Vectors
    from inbedder_cli.options import ClusterOptions

ROWS = 2000  # sample on which k is selected
DIMENSIONS = (
    50  # principal components on which stability is measured: the same selection in a twentieth of the time
)
PARTS = 6
CHANCE = 0.1  # agreement with the answers that unrelated clusters may reach
LEAST_SPREAD = 0.02  # standard deviation of a measure over all k, below which its differences mean nothing
SHARES = (0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.08, 0.12)  # of the rows, tried as smallest cluster
CLIFF = 2.0  # factor by which the number of clusters changes from one size to the next


@dataclass(frozen=True)
class KScore:
    """Measures of the clusters that one k gives.

    :param silhouette: mean silhouette width (Rousseeuw 1987), -1 to 1.
    :param stability: mean adjusted Rand index between clusterings of random parts of the rows, at most 1
        (`partition_stability`).
    :param agreement: adjusted mutual information (Vinh et al. 2010) of clusters and answers, at most 1, about 0 by
        chance; None without answers.
    :param total: mean z-score of these measures over all k that were tried; k is selected by it.
    """

    silhouette: float
    stability: float
    agreement: float | None = None
    total: float = 0.0


@dataclass(frozen=True)
class KSelection:
    """How k was selected.

    :param k: the one with the highest total.
    :param scores: by k, for each k that was tried.
    :param n_rows: rows on which they were measured.
    """

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
    """Return the best k between `k_min` and `k_max` by three measures, on a sample of the rows.

    The silhouette measures separation, stability whether clusters are found again in other rows, and agreement
    whether clusters match the answers. Fewer clusters are nearly always more stable, and silhouettes differ
    little, so each measure is standardized over all k, and the k with the highest mean is selected. Agreement is
    left out if it is at chance level for every k.

    :param points: centered and normalized vectors, float32, shape (n_rows, hidden_size), in canonical order.
    :param options: which algorithm, the range of k, and the seed.
    :param phrases: n-grams of each row's answer, one list per row, if there are answers.
    :return: the selected k and all scores.
    """
    from sklearn.metrics import adjusted_mutual_info_score, silhouette_score

    sample = sample_indices(len(points), ROWS, options.seed)
    points = points[sample]
    reduced = principal_components(points, DIMENSIONS).transform(points).astype(np.float32)
    answers = None if phrases is None else ["\n".join(phrases[i]) for i in sample]
    most = min(options.k_max, n_different(points, options.k_max), len(points) - 1, part_size(len(points)))
    scores = {}
    for k in range(options.k_min, most + 1):
        candidate = replace(options, k=k)
        labels = refit(points, candidate, options.seed)
        scores[k] = KScore(
            float(silhouette_score(points, labels)) if len(set(labels)) > 1 else -1.0,
            partition_stability(reduced, candidate, PARTS),
            None if answers is None else float(adjusted_mutual_info_score(answers, labels)),
        )
    if not scores:  # there are too few different rows
        return KSelection(max(1, most), {}, len(points))
    scores = _with_totals(scores)
    return KSelection(max(scores, key=lambda k: scores[k].total), scores, len(points))


def _with_totals(scores: dict[int, KScore]) -> dict[int, KScore]:
    agreements = [s.agreement or 0.0 for s in scores.values()]
    use_agreement = max(agreements) > CHANCE
    measures = np.array(
        [
            [s.silhouette, s.stability, *([agreement] if use_agreement else [])]
            for s, agreement in zip(scores.values(), agreements, strict=True)
        ]
    )
    spread = np.maximum(measures.std(axis=0), LEAST_SPREAD)
    totals = ((measures - measures.mean(axis=0)) / spread).mean(axis=1)
    return {
        k: replace(score, total=float(total)) for (k, score), total in zip(scores.items(), totals, strict=True)
    }


@dataclass(frozen=True)
class SizeScore:
    """Measures of the clusters that one smallest cluster size gives.

    :param min_cluster_size: smallest cluster, in rows of the whole corpus.
    :param k: number of clusters.
    :param noise: share of rows in no cluster, 0 to 1.
    :param stability: as in `KScore`; 0 where there are no clusters.
    :param cliff: whether the number of clusters at least doubles or halves from the size before.
    """

    min_cluster_size: int
    k: int
    noise: float
    stability: float
    cliff: bool


def sweep_sizes(points: Vectors, options: ClusterOptions) -> list[SizeScore]:
    """Return the scores of several smallest cluster sizes, on a sample of the rows.

    :param points: centered and normalized vectors, float32, shape (n_rows, hidden_size), in canonical order.
    :param options: which algorithm, and the seed.
    :return: one score per size, smallest first.
    """
    n_rows = len(points)
    sample = sample_indices(n_rows, ROWS, options.seed)
    points, share = points[sample], len(sample) / n_rows
    least = algorithms[options.algorithm].min_rows(replace(options, min_cluster_size=None))
    sizes = sorted({max(least, round(part * n_rows)) for part in SHARES})
    swept: list[SizeScore] = []
    for size in (size for size in sizes if size * share <= len(points)):
        candidate = replace(options, min_cluster_size=max(2, round(size * share)))
        labels = refit(points, candidate, options.seed)
        k = len(set(labels.tolist()) - {NOISE})
        stability = partition_stability(points, candidate, PARTS) if k else 0.0
        before = swept[-1].k if swept else k
        cliff = max(k, before) >= CLIFF * max(1, min(k, before))
        swept.append(SizeScore(size, k, float((labels == NOISE).mean()), stability, cliff))
    return swept
