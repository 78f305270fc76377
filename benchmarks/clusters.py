"""Are the same clusters found again, and do their labels fit? On the sample reviews and on a suite of tasks.

    python benchmarks/clusters.py                          # the sample reviews: about two minutes
    python benchmarks/clusters.py --labels                 # their labels, each with ten central rows
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

from inbedder_cli import EncodeOptions, analyze, load_encoder, read_corpus
from inbedder_cli.clustering import fit_clusters
from inbedder_cli.evaluation.suites import read_folder
from inbedder_cli.explanation.summaries import summarize_clusters
from inbedder_cli.options import ClusterOptions, ExplainOptions

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
CENTRAL_ROWS = 10
SHOWN = 150  # characters of a row


def main() -> None:
    """Print the figures to standard output."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="inbedder-135m")
    parser.add_argument("--suite", type=Path, help="folder of tasks as for `inbedder evaluate`")
    parser.add_argument("--limit", type=int, default=200, help="rows of each task of the suite")
    parser.add_argument("--labels", action="store_true", help="show labels and central rows, measure nothing")
    options = parser.parse_args()
    if options.labels:
        show_labels(options.model)
    elif options.suite:
        measure_suite(options.suite, options.limit, options.model)
    else:
        measure_reviews(options.model)


def show_labels(model: str) -> None:
    """Print the labels of both questions about the sample reviews, as `inbedder cluster` gives them."""
    corpus, encoder = read_corpus(str(REVIEWS), text="text"), load_encoder(model)
    for _, question, k in QUESTIONS:
        result = analyze(
            corpus,
            question,
            encoder,
            cluster_options=ClusterOptions(k=k),
            explain_options=ExplainOptions(exemplars=CENTRAL_ROWS),
            baseline=False,
        ).result
        checks = [summary.check for summary in result.summaries]
        coverage = np.mean([check.coverage if check else 0 for check in checks])
        print(f"\n{question} mean coverage {coverage:.2f}")
        for summary in result.summaries:
            f1 = (summary.check.f1 if summary.check else None) or 0
            print(
                f"\n{summary.label}: {summary.size} rows, F1 {f1:.2f}{', weak' if summary.label_is_weak else ''}"
            )
            print("  " + "; ".join(f"{answer.text} {answer.share:.2f}" for answer in summary.answers))
            for row in summary.exemplars:
                print(f"  - {row.answer} | {' '.join(row.text.split())[:SHOWN]}")


def measure_reviews(model: str) -> None:
    """Measure both questions about the sample reviews."""
    corpus = read_corpus(str(REVIEWS), text="text")
    rows = corpus.readable
    texts = [corpus.texts[i] for i in rows]
    encoders = [load_encoder(model, dtype=dtype) for dtype in ("bfloat16", "float32")]
    print("question consensus seeds shuffled bf16-float32 two-thirds ten-rows-more V seconds")
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
                agreement([part_and_all(short, k, consensus, np.random.default_rng(0).permutation(len(short)))]),
                agreement(zip(runs, in_float32, strict=True)),
                float(np.mean([two_thirds(short, k, seed, consensus) for seed in range(N_SEEDS)])),
                agreement(part_and_all(short, k, consensus, part) for part in without_ten_rows(len(short))),
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
    summaries = summarize_clusters(
        clustering,
        encoded.answers,
        texts=texts,
        ids=[str(i) for i in range(len(texts))],
        instruction=question,
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


def part_and_all(vectors: Vectors, k: int, consensus: bool, part: npt.NDArray[np.int64]) -> tuple[Labels, Labels]:
    """Return the clusters of some rows, and those of the same rows among all."""
    return labels_of(vectors[part], k, 0, consensus), labels_of(vectors, k, 0, consensus)[part]


def without_ten_rows(n_rows: int) -> list[npt.NDArray[np.int64]]:
    """Return the rows without the last ten, and without ten random ones."""
    shuffled = [np.random.default_rng(seed).permutation(n_rows) for seed in range(1, N_SEEDS)]
    return [np.sort(order[:-MORE_ROWS]) for order in (np.arange(n_rows), *shuffled)]


def agreement(pairs: Iterable[tuple[Labels, Labels]]) -> float:
    """Return the mean adjusted Rand index of pairs of clusterings."""
    return float(np.mean([adjusted_rand_score(one, other) for one, other in pairs]))


if __name__ == "__main__":
    main()
