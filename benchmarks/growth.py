"""How time and memory grow with the number of rows, step by step.

    python benchmarks/growth.py [--rows 1000 10000 100000 1000000] [--embed 500 1000 2000] [--size 576]

Each measurement runs in a process of its own. Its peak of memory is what a step needs beyond what was there
before, also as a multiple of the vectors. Embedding runs the bundled encoder, without a cache. All other steps
take made-up rows: texts of the sample reviews' words, vectors around 12 centroids, answers of few words. The
exponent is the slope of log time over log rows, and that of memory: 1 is linear.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
QUESTION = "What emotion is expressed?"
GROUPS = 12
STEPS = ("reading", "kmeans", "hdbscan", "explaining", "writing", "report")


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", type=int, default=[1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--embed", nargs="*", type=int, default=[500, 1000, 2000])
    parser.add_argument("--size", type=int, default=576, help="numbers of each vector")
    parser.add_argument("--steps", nargs="+", choices=("embedding", *STEPS), default=("embedding", *STEPS))
    parser.add_argument("--step", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        print(json.dumps(measured(chosen.step, chosen.rows[0], chosen.size)))
        return
    print(("{:>12} " * 6).format("step", "rows", "seconds", "peak MB", "x vectors", "k rows/s"))
    for step in chosen.steps:
        sizes = chosen.embed if step == "embedding" else chosen.rows
        seconds, peaks = [], []
        for n in sizes:
            command = [sys.executable, __file__, "--step", step, "--rows", str(n), "--size", str(chosen.size)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            seconds.append(found["seconds"])
            peaks.append(max(1.0, found["peak"]))
            share = found["peak"] * 2**20 / (4 * n * chosen.size)
            cells = (step, f"{n:,}", f"{found['seconds']:.2f}", f"{found['peak']:.0f}", f"{share:.2f}")
            print(("{:>12} " * 6).format(*cells, f"{n / found['seconds'] / 1000:.2f}"), flush=True)
        if len(sizes) > 1:
            time_slope, memory_slope = (np.polyfit(np.log(sizes), np.log(y), 1)[0] for y in (seconds, peaks))
            print(
                f"{step:>12} grows with rows to the power {time_slope:.2f}, its memory {memory_slope:.2f}",
                flush=True,
            )


def measured(step: str, n: int, size: int) -> dict[str, float]:
    """Run one step on so many rows, and return its seconds and its peak of memory, in MB."""
    with tempfile.TemporaryDirectory() as folder:
        run = prepared(step, n, Path(folder), size)
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        before = memory("VmRSS")
        start = time.perf_counter()
        run()
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "peak": memory("VmHWM") - before}


def memory(name: str) -> float:
    """Return a figure of this process's memory, in MB, as Linux gives it."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)[1]) / 1024


def prepared(step: str, n: int, folder: Path, size: int = 64):  # noqa: ANN201
    """Return a step that is ready to run, with all that it needs loaded and warm."""
    import pyarrow as pa

    from inbedder_cli import ClusterOptions, Embeddings, corpus_from_table, read_corpus
    from inbedder_cli.clustering import fit_clusters
    from inbedder_cli.embeddings import RowStatus
    from inbedder_cli.output.files import open_output
    from inbedder_cli.output.formats import write_table
    from inbedder_cli.output.tables import rows_table
    from inbedder_cli.pipeline import analyze, explain

    rng = np.random.default_rng(0)
    some_texts = texts(n, rng)
    if step == "embedding":
        from inbedder_cli import load_encoder

        encoder = load_encoder(cache=False, workers=1)
        encoder.encode(some_texts[:8], QUESTION)
        return lambda: encoder.encode(some_texts, QUESTION)
    if step == "reading":
        path = folder / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["text", "n"], *([text, i] for i, text in enumerate(some_texts))])
        read_corpus(str(ROOT / "sample_data" / "reviews.csv"))
        return lambda: read_corpus(str(path))
    group = rng.integers(0, GROUPS, n)
    centroids = rng.normal(size=(GROUPS, size)).astype(np.float32)
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
    if step == "report":
        return lambda: result.to_html(folder / "report.html")

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
