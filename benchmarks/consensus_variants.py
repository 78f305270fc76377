"""Other ways to make the consensus of KMeans runs, compared with today's.

    python benchmarks/consensus_variants.py --suite FOLDER --limit 200 --tasks 6

On both questions about the sample reviews and on each task of a suite, for each way: adjusted Rand index between
seeds, between two random two thirds of the rows (on the rows of both) and with ten rows less; V-measure x 100.
The last lines are the means over all, and the mean differences from the first way with their standard errors.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score, v_measure_score

from inbedder_cli import EncodeOptions, load_encoder, read_corpus
from inbedder_cli.clustering import center_and_normalize, consensus
from inbedder_cli.clustering.preprocess import canonical_order
from inbedder_cli.evaluation.suites import read_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]
    Labels = npt.NDArray[np.int64]

REVIEWS = Path(__file__).parent.parent / "sample_data" / "reviews.csv"
QUESTIONS = (("emotion", "What emotion is expressed?", 8), ("product", "Which product is it about?", 12))
N_RUNS, N_DRAWS, N_INIT, LESS_ROWS = 1000, 2, 20, 10
WAYS = ("today", "k dimensions", "half in k, half in 2k", "columns by size", "1.5k clusters", "1.5k, by size")
FIGURES = ("seeds", "two thirds", "ten rows", "V")


def main() -> None:
    """Print the figures to standard output."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="inbedder-135m")
    parser.add_argument("--suite", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=200, help="rows of each task")
    parser.add_argument("--tasks", type=int, help="only the first tasks of the suite")
    options = parser.parse_args()
    table = []
    for name, vectors, classes, k in problems(options.model, options.suite, options.limit, options.tasks):
        table.append(measure(vectors, classes, k))
        for way, figures in zip(WAYS, table[-1], strict=True):
            print(name, k, way, *(f"{x:.2f}" for x in figures), flush=True)
    means = np.array(table)
    print("mean of", len(means), *FIGURES)
    for place, way in enumerate(WAYS):
        gain = means[:, place] - means[:, 0]
        error = gain.std(axis=0) / len(means) ** 0.5
        print(way, *(f"{x:.3f}" for x in means[:, place].mean(axis=0)), end=" | ")
        print(*(f"{x:+.3f} +- {e:.3f}" for x, e in zip(gain.mean(axis=0), error, strict=True)))


def problems(
    model: str, suite: Path, limit: int, n_tasks: int | None
) -> Iterator[tuple[str, Vectors, Sequence[str], int]]:
    """Yield name, vectors, classes and number of clusters of each problem."""
    encoder = load_encoder(model)
    corpus = read_corpus(str(REVIEWS), text="text")
    rows = corpus.readable
    for column, question, k in QUESTIONS:
        classes = [corpus.table.column(column)[i].as_py() for i in rows]
        yield (
            column,
            encoder.encode([corpus.texts[i] for i in rows], question, EncodeOptions()).vectors,
            classes,
            k,
        )
    for task in read_folder(suite).subset(limit).clusterings[:n_tasks]:
        encoded = encoder.encode(list(task.texts), task.instruction, EncodeOptions())
        yield task.name, encoded.vectors, task.labels, task.n_classes


def measure(vectors: Vectors, classes: Sequence[str], k: int) -> npt.NDArray[np.float64]:
    """Return the figures of each way, shape (len(WAYS), len(FIGURES))."""
    n = len(vectors)
    k = min(k, n // 3)
    runs = [clusters(vectors, k, seed) for seed in range(N_DRAWS)]
    thirds, less = [], []
    for draw in range(N_DRAWS):
        rng = np.random.default_rng(100 + draw)
        parts = [np.sort(rng.permutation(n)[: 2 * n // 3]) for _ in range(2)]
        placed = [spread(clusters(vectors[part], k, i + 1), part, n) for i, part in enumerate(parts)]
        thirds.append(agreement(*placed))
        part = np.sort(rng.permutation(n)[:-LESS_ROWS])
        less.append(agreement(spread(clusters(vectors[part], k, 0), part, n), runs[0]))
    v = [[100 * v_measure_score(classes, labels) for labels in run] for run in runs]
    columns = [agreement(*runs), np.mean(thirds, axis=0), np.mean(less, axis=0), np.mean(v, axis=0)]
    return np.array(columns).T


def clusters(vectors: Vectors, k: int, seed: int) -> list[Labels]:
    """Return the clusters by each way."""
    order = canonical_order(vectors)
    points, _ = center_and_normalize(vectors[order])
    back = np.argsort(order)
    today, fewer, finer = (indicators(points, n, per, seed) for n, per in ((k, 2), (k, 1), (round(1.5 * k), 2)))
    mixed = np.hstack([today[:, : N_RUNS // 2], fewer[:, : N_RUNS // 2] + k * N_RUNS])
    ways = ((today, False), (fewer, False), (mixed, False), (today, True), (finer, False), (finer, True))
    return [agreed(points, members, k, seed, by_size)[back] for members, by_size in ways]


def indicators(points: Vectors, n_clusters: int, dimensions: int, seed: int) -> Labels:
    """Return the column of each row in each run, int64, shape (n_rows, N_RUNS)."""
    before = consensus.DIMENSIONS_PER_CLUSTER
    consensus.DIMENSIONS_PER_CLUSTER = dimensions
    runs = consensus.fit_runs(points, n_clusters, N_RUNS, np.random.default_rng(seed))
    consensus.DIMENSIONS_PER_CLUSTER = before
    return runs.predict(points) + np.arange(N_RUNS) * n_clusters


def agreed(points: Vectors, members: Labels, k: int, seed: int, by_size: bool) -> Labels:
    """Return clusters by the leading singular vectors of the indicator matrix, and Lloyd's steps from there."""
    _, columns, sizes = np.unique(members, return_inverse=True, return_counts=True)
    columns = columns.reshape(members.shape)
    values = sizes[columns] ** -0.5 if by_size else np.ones(members.shape)
    rows = np.repeat(np.arange(len(points)), members.shape[1])
    matrix = csr_matrix((values.ravel().astype(np.float32), (rows, columns.ravel())))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        embedded = TruncatedSVD(k, n_iter=20, random_state=seed).fit_transform(matrix)
        labels = KMeans(k, n_init=N_INIT, random_state=seed).fit(embedded).labels_
        means = np.array([points[labels == cluster].mean(axis=0) for cluster in np.unique(labels)])
        return KMeans(len(means), init=means, n_init=1).fit(points).labels_.astype(np.int64)


def spread(ways: Sequence[Labels], part: Labels, n: int) -> list[Labels]:
    """Return labels of some rows as labels of all, -1 for the others."""
    placed = [np.full(n, -1) for _ in ways]
    for labels, own in zip(placed, ways, strict=True):
        labels[part] = own
    return placed


def agreement(one: Sequence[Labels], other: Sequence[Labels]) -> list[float]:
    """Return the adjusted Rand index by each way, on the rows that have labels in both."""
    both = (one[0] >= 0) & (other[0] >= 0)
    return [float(adjusted_rand_score(a[both], b[both])) for a, b in zip(one, other, strict=True)]


if __name__ == "__main__":
    main()
