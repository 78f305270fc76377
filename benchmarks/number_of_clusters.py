"""How many clusters are there? Ways to select k, on tasks whose classes are known.

    python benchmarks/number_of_clusters.py --suite FOLDER --limit 200
    python benchmarks/number_of_clusters.py --suite FOLDER --limit 200 --fast   # without the costly ways

The folder holds tasks as for `inbedder evaluate`. For each way: the mean absolute error of log k, against the
number of classes and against their perplexity (which counts rare classes less), the median k, and V-measure, AMI
and ARI x 100 of the clusters at that k, before those that are answered alike are merged. Ways that need a
threshold are given with the one that does best here.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import entropy
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, v_measure_score

from inbedder_cli import EncodeOptions, load_encoder
from inbedder_cli.clustering import KScore, center_and_normalize, fit_clusters
from inbedder_cli.clustering.consensus import fit_runs
from inbedder_cli.clustering.preprocess import canonical_order, principal_components
from inbedder_cli.clustering.select_k import select_from, select_n_clusters
from inbedder_cli.clustering.stability import fit_quickly
from inbedder_cli.evaluation.suites import read_folder
from inbedder_cli.explanation.variants import unify_answers
from inbedder_cli.options import ClusterOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]
    Measures = dict[str, float]

DIMENSIONS = 50
N_RUNS = 60
N_SPLITS = 3


@dataclass(frozen=True)
class Table:
    """All measures of one task, by k.

    :param measures: of the clusters, by k.
    :param quality: V-measure, AMI and ARI with the classes, by k.
    :param n_classes: number of classes.
    :param perplexity: of the classes.
    :param n_answers: perplexity of the answers.
    :param n_rows: number of rows.
    """

    measures: dict[int, Measures]
    quality: dict[int, tuple[float, float, float]]
    n_classes: int
    perplexity: float
    n_answers: float
    n_rows: int

    def nearest(self, k: float) -> int:
        """Return the k that was tried and is the nearest to a number."""
        return min(self.measures, key=lambda tried: abs(np.log(tried / max(k, 1))))

    def best(self, name: str, share: float = 1.0) -> int:
        """Return the smallest k whose measure is at least a share of the best."""
        top = max(measures[name] for measures in self.measures.values())
        return next(k for k, measures in self.measures.items() if measures[name] >= top - (1 - share) * abs(top))

    def near(self, name: str, lack: float) -> int:
        """Return the smallest k whose measure lacks at most so much of the best."""
        top = max(measures[name] for measures in self.measures.values())
        return next(k for k, measures in self.measures.items() if measures[name] >= top - lack)

    def last(self, name: str, least: float) -> int:
        """Return the largest k whose measure is above a threshold, or else the smallest k."""
        above = [k for k, measures in self.measures.items() if measures[name] > least]
        return max(above, default=min(self.measures))


WAYS: dict[str, Callable[[Table], int]] = {
    "number of classes (oracle)": lambda t: t.nearest(t.n_classes),
    "always 8": lambda t: t.nearest(8),
    "perplexity of the answers": lambda t: t.nearest(t.n_answers),
    "its square root, plus 1": lambda t: t.nearest(1 + t.n_answers**0.5),
    "consensus: ARI of runs": lambda t: t.best("stability"),
    "silhouette": lambda t: t.best("silhouette"),
    "AMI with the answers": lambda t: t.best("answers"),
    "AMI with the answers, nine tenths": lambda t: t.best("answers", 0.9),
    "z-scores of the three (before)": lambda t: t.best("z"),
    "silhouette + AMI": lambda t: t.best("both"),
    "the smallest within 0.01 of their best sum": lambda t: t.near("both", 0.01),
    "-k auto": lambda t: (
        select_from(
            {k: KScore(m["silhouette"], m["stability"], m["answers"]) for k, m in t.measures.items()}, t.n_rows
        ).k
    ),
}

COSTLY_WAYS: dict[str, Callable[[Table], int]] = {
    "consensus: least PAC": lambda t: t.best("-pac"),
    "consensus: PAC less than of a Gaussian": lambda t: t.best("pac of a Gaussian / pac"),
    "consensus: largest area under the CDF": lambda t: t.best("cdf area"),
    "prediction strength, mean > 0.5": lambda t: t.last("prediction strength", 0.5),
    "prediction strength, least > 0.3": lambda t: t.last("least prediction strength", 0.3),
    "gap statistic": lambda t: t.best("gap"),
}


def main() -> None:
    """Print the figures to standard output."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="inbedder-135m")
    parser.add_argument("--suite", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=200, help="rows of each task")
    parser.add_argument("--fast", action="store_true", help="leave out the ways that need many further runs")
    options = parser.parse_args()
    encoder = load_encoder(options.model)
    tables, merged = [], []
    for task in read_folder(options.suite).subset(options.limit).clusterings:
        encoded = encoder.encode(list(task.texts), task.instruction, EncodeOptions())
        answers = unify_answers(encoded.answers or [], task.instruction, encoded.vectors)
        tables.append(measure(encoded.vectors, answers, task.labels, options.fast))
        found = fit_clusters(encoded.vectors, ClusterOptions(stability=False), answers)
        merged.append((found.k, quality(task.labels, found.labels)))
        print(f"{task.name}: {tables[-1].n_classes} classes, -k auto gives {found.k}", flush=True)
    print(f"{'way':40s} error  (perplexity)  median k     V   AMI   ARI")
    for name, way in (WAYS if options.fast else COSTLY_WAYS | WAYS).items():
        report(name, tables, [(k := way(table), table.quality[k]) for table in tables])
    report("-k auto, merged", tables, merged)


def report(name: str, tables: Sequence[Table], chosen: Sequence[tuple[int, tuple[float, float, float]]]) -> None:
    """Print one line of the table."""
    ks = np.array([k for k, _ in chosen])
    errors = [np.abs(np.log(ks / [getattr(t, n) for t in tables])).mean() for n in ("n_classes", "perplexity")]
    v, ami, ari = 100 * np.mean([figures for _, figures in chosen], axis=0)
    error = f"{errors[0]:.2f}   ({errors[1]:.2f})"
    print(f"{name:40s}  {error}    {np.median(ks):6.0f}     {v:.1f}  {ami:.1f}  {ari:.1f}")


def measure(vectors: Vectors, answers: Sequence[str], classes: Sequence[str], fast: bool = False) -> Table:
    """Return all measures of a task, or the fast ones."""
    order = canonical_order(vectors)
    points, _ = center_and_normalize(vectors[order])
    answers, classes = [answers[i] for i in order], [classes[i] for i in order]
    scores = select_n_clusters(points, ClusterOptions(), answers).scores
    measures, found = {}, {}
    for k, score in scores.items():
        labels, _ = fit_quickly(points, ClusterOptions(k=k))
        found[k] = quality(classes, labels)
        measures[k] = {
            "silhouette": score.silhouette,
            "stability": score.stability,
            "answers": score.agreement or 0.0,
            "both": score.silhouette + (score.agreement or 0.0),
        }
    of_three = np.array([[m[name] for name in ("silhouette", "stability", "answers")] for m in measures.values()])
    z = (of_three - of_three.mean(axis=0)) / np.maximum(of_three.std(axis=0), 0.02)
    for row, total in zip(measures.values(), z.mean(axis=1), strict=True):
        row["z"] = float(total)
    if not fast:
        add_costly_measures(points, measures)
    return Table(measures, found, len(set(classes)), perplexity(classes), perplexity(answers), len(points))


def add_costly_measures(points: Vectors, measures: dict[int, Measures]) -> None:
    """Add the measures that need many further runs, by k."""
    reduced = principal_components(points, DIMENSIONS).transform(points).astype(np.float32)
    rng = np.random.default_rng(0)
    gaussian = (rng.standard_normal(reduced.shape) * reduced.std(axis=0)).astype(np.float32)
    spread = reduced.max(axis=0) - reduced.min(axis=0)
    uniform = (rng.random(reduced.shape) * spread + reduced.min(axis=0)).astype(np.float32)
    for k, row in measures.items():
        pac, area = consensus_measures(points, k)
        strength, least = prediction_strength(reduced, k)
        inertia = [KMeans(k, n_init=2, random_state=0).fit(data).inertia_ for data in (uniform, reduced)]
        row |= {
            "-pac": -pac,
            "cdf area": area,
            "pac of a Gaussian / pac": (consensus_measures(gaussian, k)[0] + 0.01) / (pac + 0.01),
            "prediction strength": strength,
            "least prediction strength": least,
            "gap": float(np.log(inertia[0] / inertia[1])),
        }


def quality(classes: Sequence[str], labels: npt.NDArray[np.int64]) -> tuple[float, float, float]:
    """Return V-measure, adjusted mutual information and adjusted Rand index."""
    measures = (v_measure_score, adjusted_mutual_info_score, adjusted_rand_score)
    v, ami, ari = (float(measure(classes, labels)) for measure in measures)
    return v, ami, ari


def perplexity(values: Sequence[str]) -> float:
    """Return the number of equally frequent values that are as diverse."""
    return float(np.exp(entropy(np.unique(values, return_counts=True)[1])))


def consensus_measures(points: Vectors, k: int) -> tuple[float, float]:
    """Return the proportion of ambiguous pairs (Senbabaoglu 2014) and the area under the CDF (Monti 2003)."""
    memberships = fit_runs(points, k, N_RUNS, np.random.default_rng(0)).predict(points)
    together = np.mean([run[:, None] == run for run in memberships.T], axis=0, dtype=np.float32)
    pairs = together[np.triu_indices(len(points), 1)]
    return float(((pairs > 0.1) & (pairs < 0.9)).mean()), float(1 - pairs.mean())


def prediction_strength(points: Vectors, k: int) -> tuple[float, float]:
    """Return how often pairs of a cluster are together in clusters of the other half (Tibshirani & Walther 2005).

    The mean over the clusters, weighted by their sizes, and the least.
    """
    rng, means, leasts = np.random.default_rng(1), [], []
    for _ in range(N_SPLITS):
        halves = np.array_split(rng.permutation(len(points)), 2)
        fitted = [KMeans(k, n_init=2, random_state=0).fit(points[half]) for half in halves]
        for own, other, half in ((fitted[0], fitted[1], halves[0]), (fitted[1], fitted[0], halves[1])):
            predicted = other.predict(points[half])
            sizes = np.bincount(own.labels_, minlength=k)
            counts = np.array([np.bincount(predicted[own.labels_ == c], minlength=k) for c in range(k)])
            strengths = (counts * (counts - 1)).sum(axis=1) / np.maximum(sizes * (sizes - 1), 1)
            means.append(float(np.average(strengths, weights=sizes)))
            leasts.append(float(strengths.min()))
    return float(np.mean(means)), float(np.mean(leasts))


if __name__ == "__main__":
    main()
