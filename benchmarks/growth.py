"""How time and memory grow with the number of rows, step by step.

    python benchmarks/growth.py [--rows 1000 5000 20000 50000 100000 200000] [--embed 500 1000 2000]

Each measurement runs in a process of its own, so that its peak of memory is its own. Reading, KMeans, HDBSCAN,
explaining and writing take made-up rows: texts of the sample reviews, vectors of 1,024 numbers around 12
centroids,
answers of few words. Embeddings runs the bundled encoder on fewer rows. The exponent is the slope of log time over
log rows: 1 is linear.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
QUESTION = "What emotion is expressed?"
GROUPS, SIZE = 12, 1024
STEPS = ("reading", "kmeans", "hdbscan", "explaining", "writing")


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", type=int, default=[1000, 5000, 20_000, 50_000, 100_000, 200_000])
    parser.add_argument("--embed", nargs="*", type=int, default=[500, 1000, 2000])
    parser.add_argument("--step", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        print(json.dumps(measured(chosen.step, chosen.rows[0])))
        return
    print(("{:>12} " * 5).format("step", "rows", "seconds", "peak MB", "k rows/s"))
    for step, sizes in [("embedding", chosen.embed), *((step, chosen.rows) for step in STEPS)]:
        seconds = []
        for n in sizes:
            command = [sys.executable, __file__, "--step", step, "--rows", str(n)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            seconds.append(found["seconds"])
            cells = (step, f"{n:,}", f"{found['seconds']:.2f}", f"{found['peak']:.0f}")
            print(("{:>12} " * 5).format(*cells, f"{n / found['seconds'] / 1000:.2f}"), flush=True)
        if len(sizes) > 1:
            slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
            print(f"{step:>12} grows with rows to the power {slope:.2f}", flush=True)


def measured(step: str, n: int) -> dict[str, float]:
    """Run one step on so many rows; its peak of memory is over what was there before it began."""
    with tempfile.TemporaryDirectory() as folder:
        run = prepared(step, n, Path(folder))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        run()
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"seconds": seconds, "peak": peak / 1024}


def prepared(step: str, n: int, folder: Path):  # noqa: ANN201
    """Return a step that is ready to run, with all that it needs loaded and warm."""
    import pyarrow as pa

    from inbedder_cli import ClusterOptions, Embeddings, corpus_from_table, read_corpus
    from inbedder_cli.clustering import fit_clusters
    from inbedder_cli.output.files import open_output
    from inbedder_cli.output.formats import write_table
    from inbedder_cli.output.tables import rows_table
    from inbedder_cli.pipeline import analyze, explain
    from inbedder_cli.results import RowStatus

    rng = np.random.default_rng(0)
    some_texts = texts(n, rng)
    if step == "embedding":
        from inbedder_cli import load_encoder

        encoder = load_encoder(cache=False)
        encoder.encode(some_texts[:8], QUESTION)
        return lambda: encoder.encode(some_texts, QUESTION)
    if step == "reading":
        path = folder / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["text", "n"], *([text, i] for i, text in enumerate(some_texts))])
        read_corpus(str(ROOT / "sample_data" / "reviews.csv"))
        return lambda: read_corpus(str(path))
    group = rng.integers(0, GROUPS, n)
    centroids = rng.normal(size=(GROUPS, SIZE)).astype(np.float32)
    vectors = centroids[group]
    for start in range(0, n, 10_000):
        vectors[start : start + 10_000] += rng.normal(size=vectors[start : start + 10_000].shape).astype(
            np.float32
        )
    if step in ("kmeans", "hdbscan"):
        options = ClusterOptions(k=GROUPS) if step == "kmeans" else ClusterOptions("hdbscan")
        fit_clusters(vectors[:500], options)
        return lambda: fit_clusters(vectors, options)
    words = "joy anger fear late parcel refund kind staff cold room noise price".split()
    answers = [f"{words[g]} {words[int(w)]}" for g, w in zip(group, rng.integers(0, GROUPS, n), strict=True)]
    corpus = corpus_from_table(pa.table({"text": some_texts}), text=("text",))
    embedding = Embeddings(vectors, answers, [RowStatus.ok] * n)
    options = ClusterOptions(k=GROUPS, stability=False)
    result = analyze(corpus, QUESTION, embeddings=embedding, cluster_options=options).result
    if step == "explaining":
        return lambda: explain(corpus, result.embeddings, result.clustering)

    def written() -> None:
        with open_output(folder / "rows.csv") as stream:
            write_table(rows_table({"": result}), stream, "csv")

    return written


def texts(n: int, rng: np.random.Generator) -> list[str]:
    """Return different texts of 10 to 50 words, made of the sample reviews' own."""
    with (ROOT / "sample_data" / "reviews.csv").open(encoding="utf-8", newline="") as file:
        words = " ".join(row["text"] for row in csv.DictReader(file)).split()
    places = zip(rng.integers(0, len(words) - 60, n), rng.integers(10, 51, n), strict=True)
    return [f"{i} " + " ".join(words[start : start + length]) for i, (start, length) in enumerate(places)]


if __name__ == "__main__":
    main()
