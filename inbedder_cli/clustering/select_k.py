"""The number of clusters: the fewest that agree with the answers nearly as well as any."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering.preprocess import NOISE, n_different, principal_components, sample_indices
from inbedder_cli.clustering.stability import fit_quickly, partition_stability, refit, runs_agreement
from inbedder_cli.registry import algorithms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inbedder_cli.clustering.preprocess import Vectors
    from inbedder_cli.options import ClusterOptions

ROWS = 2000  # sample on which k is selected
DIMENSIONS = 50  # principal components on which the stability of algorithms without runs is measured
PARTS = 6
CHANCE = (
    0.1  # agreement with the answers that unrelated clusters may reach; 1 / sqrt(n) of n rows, if that is more
)
NO_STRUCTURE = 0.25  # stability that clusters of a single cloud may reach
LACK = 0.05  # share of the best agreement that a smaller k may lack (`benchmarks/number_of_clusters.py`)
LACK_OF_UNEXPLAINED = 1 / 5  # or of what the best leaves unexplained, if that is more
LACK_OF_SILHOUETTE = 0.03
ROWS_PER_CLUSTER = 5  # on average, of the k that is selected: fewer hardly show what they have in common
CLOSE = 0.05  # a smaller k that lacks no more of the best score than this is nearly as good as the selected one
SHARES = (0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.08, 0.12)  # of the rows, tried as smallest cluster
CLIFF = 2.0  # factor by which the number of clusters changes from one size to the next


@dataclass(frozen=True)
class KScore:
    """Measures of the clusters that one k gives.

    :param silhouette: mean silhouette width (Rousseeuw 1987), -1 to 1.
    :param stability: mean adjusted Rand index between clusterings of random parts of the rows, at most 1.
    :param agreement: adjusted mutual information (Vinh et al. 2010) of clusters and answers, at most 1, about 0 by
        chance; None without answers.
    :param score: the agreement, or else the silhouette, as a share of the best of all k that were tried, 0 to 1.
    """

    silhouette: float
    stability: float
    agreement: float | None = None
    score: float = 0.0


@dataclass(frozen=True)
class KSelection:
    """How k was selected.

    :param k: the smallest whose score is nearly the best.
    :param scores: by k, for each k that was tried.
    :param n_rows: rows on which they were measured; 0 in a saved run, which does not keep it.
    :param by_answers: whether the scores are agreements with the answers, not silhouettes.
    :param k_max: the largest k that the user allows; few different rows may allow fewer.
    :param is_capped: whether a larger k was nearly as good as any, but would leave fewer than five rows a cluster.
    """

    k: int
    scores: dict[int, KScore]
    n_rows: int
    by_answers: bool = False
    k_max: int | None = None
    is_capped: bool = False

    @property
    def best(self) -> int:
        """The smallest k with the highest score; the selected one if none was tried."""
        return max(self.scores, key=lambda k: self.scores[k].score, default=self.k)

    @property
    def bound(self) -> int | None:
        """The smallest or largest k that was tried, if it limited the selection.

        It does where it is selected, or where the best score is that of the largest, and not far away.
        """
        if len(self.scores) < 2 or self.is_capped:
            return None
        smallest, largest = min(self.scores), max(self.scores)
        if self.best == largest == self.k_max and 2 * self.k > largest:
            return largest
        return smallest if self.k == smallest > 2 else None

    @property
    def close(self) -> int | None:
        """The smallest k that is nearly as good as the selected one, if there is any below it."""
        least = self.scores[self.k].score - CLOSE if self.scores else 1.0
        return next((k for k, score in self.scores.items() if k < self.k and score.score >= least), None)


def select_n_clusters(
    points: Vectors, options: ClusterOptions, answers: Sequence[str] | None = None
) -> KSelection:
    """Return the fewest clusters between `k_min` and `k_max` that are nearly as good as any, on a sample of rows.

    With answers, clusters are good if they agree with them: the smallest k is selected whose adjusted mutual
    information is near the best; the better that is, the nearer. Without answers, or where no clusters agree with
    them, the silhouette decides; and where no clusters are found again either, the rows are a single cloud and the
    smallest k will do. Few rows allow no more clusters than a fifth of their number, or `k_min`: the best of these
    is taken where more would be better.

    :param points: centered and normalized vectors, float32, shape (n_rows, n_features), in canonical order.
    :param options: which algorithm, the range of k, and the seed.
    :param answers: each row's answer, normalized, if there are answers.
    :return: the selected k and all scores.
    """
    from sklearn.metrics import adjusted_mutual_info_score, silhouette_score

    sample = sample_indices(len(points), max(ROWS, ROWS_PER_CLUSTER * options.k_min), options.seed)
    points = points[sample]
    answers = None if answers is None else [answers[i] for i in sample]
    # Two rows a cluster are the least that can be compared, but `k_min` is what the user asks for.
    most = min(options.k_max, n_different(points, options.k_max), max(len(points) // 2, options.k_min))
    scores: dict[int, KScore] = {}
    reduced = None
    for k in range(options.k_min, most + 1):
        candidate = replace(options, k=k)
        labels, memberships = fit_quickly(points, candidate)
        if memberships is None:
            if reduced is None:
                reduced = principal_components(points, DIMENSIONS).transform(points).astype(np.float32)
            stability = partition_stability(reduced, candidate, PARTS)
        else:
            stability = runs_agreement(memberships)
        scores[k] = KScore(
            float(silhouette_score(points, labels)) if 1 < len(set(labels)) < len(labels) else -1.0,
            stability,
            None if answers is None else float(adjusted_mutual_info_score(answers, labels)),
        )
    if not scores:  # fewer different rows than `k_min`
        return KSelection(max(1, most), {}, len(points))
    return replace(select_from(scores, len(points)), k_max=options.k_max)


def select_from(scores: dict[int, KScore], n_rows: int) -> KSelection:
    """Return the selection of k, given the measures of every k.

    :param scores: by k, ascending, at least one; their `score` is filled in.
    :param n_rows: rows on which they were measured.
    """
    agreements = {k: score.agreement or 0.0 for k, score in scores.items()}
    by_answers = answers_decide(agreements.values(), n_rows)
    measures = agreements if by_answers else {k: score.silhouette for k, score in scores.items()}
    best = max(measures.values())
    shares = {k: max(0.0, measure / best) if best > 0 else 0.0 for k, measure in measures.items()}
    least = 1 - (max(LACK, (1 - best) * LACK_OF_UNEXPLAINED) if by_answers else LACK_OF_SILHOUETTE)
    if not by_answers and max(score.stability for score in scores.values()) < NO_STRUCTURE:
        least = 0.0
    wanted = next((k for k, share in shares.items() if share >= least), min(shares))
    most = max(n_rows // ROWS_PER_CLUSTER, min(shares))
    k = wanted if wanted <= most else max((k for k in shares if k <= most), key=lambda k: measures[k])
    scores = {k: replace(score, score=shares[k]) for k, score in scores.items()}
    return KSelection(k, scores, n_rows, by_answers, is_capped=wanted > most)


def answers_decide(agreements: Iterable[float | None], n_rows: int) -> bool:
    """Return whether some clusters agree with the answers by more than chance; else the silhouette decides.

    :param agreements: of each k that was tried, None without answers.
    :param n_rows: rows on which they were measured.
    """
    best = max((agreement or 0.0 for agreement in agreements), default=0.0)
    return best >= max(CHANCE, 1 / math.sqrt(max(1, n_rows)))


@dataclass(frozen=True)
class SizeScore:
    """Measures of the clusters that one smallest cluster size gives.

    :param min_cluster_size: smallest cluster, in rows of the whole corpus.
    :param k: number of clusters.
    :param noise: share of rows in no cluster, 0 to 1.
    :param stability: as in `KScore`; 0 where there are no clusters.
    :param cliff: whether the number of clusters at least doubles or halves from the size before.
    :param chosen: whether it is the size that is taken where the user gives none.
    """

    min_cluster_size: int
    k: int
    noise: float
    stability: float
    cliff: bool
    chosen: bool = False


def sweep_sizes(points: Vectors, options: ClusterOptions) -> list[SizeScore]:
    """Return the scores of several smallest cluster sizes, on a sample of the rows.

    :param points: centered and normalized vectors, float32, shape (n_rows, n_features), in canonical order.
    :param options: which algorithm, and the seed.
    :return: one score per size, smallest first.
    """
    n_rows, kind, options = len(points), algorithms[options.algorithm], replace(options, min_cluster_size=None)
    sample = sample_indices(n_rows, ROWS, options.seed)
    points, share = points[sample], len(sample) / n_rows
    least, default = kind.min_rows(options), kind.with_defaults(options, n_rows).min_cluster_size
    sizes = sorted({max(least, round(part * n_rows)) for part in SHARES} | ({default} if default else set()))
    swept: list[SizeScore] = []
    for size in (size for size in sizes if size * share <= len(points)):
        candidate = replace(options, min_cluster_size=max(2, round(size * share)))
        labels = refit(points, candidate, options.seed)
        k = len(set(labels.tolist()) - {NOISE})
        stability = partition_stability(points, candidate, PARTS) if k else 0.0
        before = swept[-1].k if swept else k
        cliff = max(k, before) >= CLIFF * max(1, min(k, before))
        noise = float((labels == NOISE).mean())
        swept.append(SizeScore(size, k, noise, stability, cliff, chosen=size == default))
    return swept
