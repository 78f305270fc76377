"""Are the same clusters found again, and do their labels fit? On the sample reviews and on a suite of tasks.

    python benchmarks/clusters.py                          # the sample reviews: about two minutes
    python benchmarks/clusters.py --suite FOLDER --limit 200

Figures are adjusted Rand indices (1: the same clusters), V-measures x 100 and seconds, with and without
consensus: means over six seeds, of a suite over three. Of labels (with consensus, seed 0): the share of a
cluster's rows whose answer holds its label, the F1 of labels on rows that they were not chosen on, and the share
of weak labels: means over clusters.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import adjusted_rand_score, v_measure_score

from inbedder_cli import EncodeOptions, load_encoder, read_corpus
from inbedder_cli.clustering import fit_clusters
from inbedder_cli.evaluation.suites import read_folder
from inbedder_cli.explanation.summaries import explain
from inbedder_cli.options import ClusterOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from inbedder_cli.encoders.base import Encoded

    Vectors = npt.NDArray[np.float32]
    Labels = npt.NDArray[np.int64]

REVIEWS = Path(__file__).parent.parent / "sample_data" / "reviews.csv"
QUESTIONS = (("emotion", "What emotion is expressed?", 8), ("product", "Which product is it about?", 12))
N_SEEDS, N_SEEDS_OF_SUITE = 6, 3
MORE_ROWS = 10


def main() -> None:
    """Print the figures to standard output."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="inbedder-135m")
    parser.add_argument("--suite", type=Path, help="folder of tasks as for `inbedder evaluate`")
    parser.add_argument("--limit", type=int, default=200, help="rows of each task of the suite")
    options = parser.parse_args()
    if options.suite:
        measure_suite(options.suite, options.limit, options.model)
    else:
        measure_reviews(options.model)


def measure_reviews(model: str) -> None:
    """Measure both questions about the sample reviews."""
    corpus = read_corpus(str(REVIEWS), text="text")
    rows = corpus.readable
    texts = [corpus.texts[i] for i in rows]
    encoders = [load_encoder(model, dtype=dtype) for dtype in ("bfloat16", "float32")]
    print("question consensus seeds bf16-float32 two-thirds ten-rows-more V seconds")
    for column, question, k in QUESTIONS:
        gold = [corpus.table.column(column)[i].as_py() for i in rows]
        encoded = [encoder.encode(texts, question, EncodeOptions()) for encoder in encoders]
        short, exact = (one.vectors for one in encoded)
        for consensus in (False, True):
            start = time.perf_counter()
            runs = [labels_of(short, k, seed, consensus) for seed in range(N_SEEDS)]
            seconds = (time.perf_counter() - start) / N_SEEDS
            in_float32 = [labels_of(exact, k, seed, consensus) for seed in range(N_SEEDS)]
            figures = (
                agreement(itertools.combinations(runs, 2)),
                agreement(zip(runs, in_float32, strict=True)),
                float(np.mean([two_thirds(short, k, seed, consensus) for seed in range(N_SEEDS)])),
                agreement([(runs[0][:-MORE_ROWS], labels_of(short[:-MORE_ROWS], k, 0, consensus))]),
            )
            v = 100 * np.mean([v_measure_score(gold, labels) for labels in runs])
            print(column, consensus, *(f"{x:.2f}" for x in figures), f"{v:.1f} {seconds:.2f}", flush=True)
        print_labels(column, label_figures(encoded[0], texts, question, k))


def measure_suite(folder: Path, limit: int, model: str) -> None:
    """Measure agreement between seeds, and with the classes, over the tasks of a suite."""
    encoder = load_encoder(model)
    print("task k seeds V seeds(consensus) V(consensus)")
    table, labels = [], []
    for task in read_folder(folder).subset(limit).clusterings:
        encoded = encoder.encode(list(task.texts), task.instruction, EncodeOptions())
        vectors = encoded.vectors
        figures = []
        for consensus in (False, True):
            runs = [labels_of(vectors, task.n_classes, seed, consensus) for seed in range(N_SEEDS_OF_SUITE)]
            figures.append(agreement(itertools.combinations(runs, 2)))
            figures.append(100 * float(np.mean([v_measure_score(task.labels, labels) for labels in runs])))
        table.append(figures)
        print(task.name, task.n_classes, *(f"{x:.2f}" for x in figures), flush=True)
        labels.append(label_figures(encoded, list(task.texts), task.instruction, task.n_classes))
        print_labels(task.name, labels[-1])
    print("mean", "", *(f"{x:.3f}" for x in np.mean(table, axis=0)))
    print_labels("mean", np.mean(labels, axis=0).tolist())


def label_figures(encoded: Encoded, texts: Sequence[str], question: str, k: int) -> list[float]:
    """Return the coverage of labels, their F1 on held-out rows, and the share of weak ones."""
    clustering = fit_clusters(encoded.vectors, ClusterOptions(k=k, stability=False))
    summaries = explain(
        clustering,
        encoded.answers or [],
        texts=texts,
        ids=[str(i) for i in range(len(texts))],
        instruction=question,
        vectors=encoded.vectors,
    )
    checks = [summary.check for summary in summaries]
    coverage = np.mean([check.coverage if check else 0 for check in checks])
    f1 = np.mean([(check.f1 or 0) if check else 0 for check in checks])
    return [float(coverage), float(f1), float(np.mean([summary.label_is_weak for summary in summaries]))]


def print_labels(name: str, figures: list[float]) -> None:
    """Print the figures of labels."""
    print(name, "labels: coverage {:.2f}, F1 {:.2f}, weak {:.2f}".format(*figures), flush=True)


def labels_of(vectors: Vectors, k: int, seed: int, consensus: bool) -> Labels:
    """Return the clusters of vectors."""
    return fit_clusters(vectors, ClusterOptions(k=k, seed=seed, consensus=consensus, stability=False)).labels


def two_thirds(vectors: Vectors, k: int, seed: int, consensus: bool) -> float:
    """Return how far clusterings of two random two thirds agree on the rows of both."""
    rng = np.random.default_rng(100 + seed)
    placed = np.full((2, len(vectors)), -1)
    for i in range(2):
        part = np.sort(rng.permutation(len(vectors))[: 2 * len(vectors) // 3])
        placed[i, part] = labels_of(vectors[part], k, i + 1, consensus)
    both = (placed >= 0).all(axis=0)
    return float(adjusted_rand_score(placed[0, both], placed[1, both]))


def agreement(pairs: Iterable[tuple[Labels, Labels]]) -> float:
    """Return the mean adjusted Rand index of pairs of clusterings."""
    return float(np.mean([adjusted_rand_score(one, other) for one, other in pairs]))


if __name__ == "__main__":
    main()
