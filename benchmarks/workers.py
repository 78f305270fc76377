"""Speed, memory and clusters of worker processes, against one process, in one run.

    python benchmarks/workers.py [--rows 150] [--workers 1 2 4] [--dtype float32] [--kill]

The rows of the sample reviews are encoded without a cache by each number of workers. "rows/s" is without loading
the model: each pool first encodes a few rows. "MB" is the memory of all processes that encode, in which pages that
they share count once (the sum of their PSS, its peak); "private" is the mean of what each worker has for itself.
"Rand" is the adjusted Rand index of eight clusters of the vectors with those of the first number of workers. With
--kill, one worker is killed in mid-run.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from inbedder_cli import ClusterOptions, EncodeOptions, fit_clusters, load_encoder
from inbedder_cli.progress import SilentReporter

ROOT = Path(__file__).resolve().parent.parent
QUESTION = "What emotion is expressed?"


def main() -> None:
    """Print one table."""
    from sklearn.metrics import adjusted_rand_score

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=150)
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--model")
    parser.add_argument("--batch-tokens", type=int, default=1024, help="a job is four batches")
    parser.add_argument("--kill", action="store_true")
    chosen = parser.parse_args()
    with (ROOT / "sample_data" / "reviews.csv").open(encoding="utf-8", newline="") as file:
        texts = list(dict.fromkeys(row["text"] for row in csv.DictReader(file) if row["text"]))[: chosen.rows]
    print(f"{len(texts)} rows, {chosen.dtype}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    print(("{:>8} " * 7).format("workers", "rows/s", "ratio", "MB", "private", "failed", "Rand"))
    first_rate, first_labels = 0.0, None
    for n in chosen.workers:
        encoder = load_encoder(chosen.model, device="cpu", dtype=chosen.dtype, cache=False, workers=n)
        options = EncodeOptions(batch_tokens=chosen.batch_tokens)
        encoder.encode(texts[-4 * n :], "?", EncodeOptions(batch_tokens=64))  # loads the model in every worker
        watch = Watch(kill=chosen.kill and n > 1)
        start = time.perf_counter()
        with watch:
            encoded = encoder.encode(texts, QUESTION, options, watch)
        seconds = time.perf_counter() - start
        finite = np.isfinite(encoded.vectors).all(axis=1)
        labels = fit_clusters(encoded.vectors[finite], ClusterOptions(k=8, stability=False)).labels
        first_rate = first_rate or len(texts) / seconds
        first_labels = labels if first_labels is None else first_labels
        rand = adjusted_rand_score(first_labels, labels) if finite.all() else float("nan")
        cells = (n, f"{len(texts) / seconds:.2f}", f"{len(texts) / seconds / first_rate:.2f}")
        memory = (f"{watch.peak:.0f}", f"{watch.private:.0f}", int((~finite).sum()), f"{rand:.3f}")
        print(("{:>8} " * 7).format(*cells, *memory), flush=True)
        if n > 1:
            encoder.close()


class Watch(SilentReporter):
    """Measures the memory of the processes that encode; with `kill`, kills one of them after the first rows."""

    def __init__(self, *, kill: bool) -> None:
        self.peak = self.private = 0.0  # MB
        self.kill = kill
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._measure)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _measure(self) -> None:
        kill_at = time.monotonic() + 5
        while not self._ended.wait(0.5):
            pids = children() or [os.getpid()]
            found = [memory_of(pid) for pid in pids]
            if sum(pss for pss, _ in found) > self.peak:
                self.peak = sum(pss for pss, _ in found)
                self.private = sum(private for _, private in found) / len(found)
            if self.kill and time.monotonic() > kill_at:
                os.kill(pids[0], signal.SIGKILL)
                self.kill = False
                print(f"killed worker {pids[0]}", flush=True)


def children() -> list[int]:
    """Return the processes that this one has started and that run."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def memory_of(pid: int) -> tuple[float, float]:
    """Return the proportional and the private memory of a process, in MB."""
    with suppress(OSError):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        sizes = {name: int(size) / 1024 for name, size in re.findall(r"^(\w+): +(\d+) kB", rollup, re.MULTILINE)}
        if sizes:
            return sizes["Pss"], sizes["Private_Clean"] + sizes["Private_Dirty"]
    return 0.0, 0.0


if __name__ == "__main__":
    main()
