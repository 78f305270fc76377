"""Whether shards, and a run that is killed, change the clusters of a real model; and what shards cost.

    python -m benchmarks.same_clusters FOLDER [--rows 200000] [--shards 1 3 7] [--kill-after 60] [-m MODEL]
    python -m benchmarks.same_clusters FOLDER [--rows 400] [--shards 4] [--ray 1 2] [--kill-worker]

Rows are short sentences of the sample reviews, each with its number: no two are the same. They are clustered in
memory, by `cluster --engine local`, then by the steps in each number of shards, from a sample that holds all rows.
--kill-after kills the first run of each plan after so many seconds, with all its processes, and starts it again.
--ray takes the steps in the largest number of shards with so many workers of Ray, too; --kill-worker kills one of
them (`kill -9`) once the first shard is done, while it encodes another.
What is done in FOLDER is kept: hours of work may be stopped. Seconds are those of all steps, each a process of its
own that loads what it needs, and of the run that was killed; CPU seconds are those of the processes that ended.
--at-once runs all ways at the same time, so that a busy machine slows down all alike: compare CPU seconds.
Without --deterministic a vector may differ in its last digits with the texts beside it, and so may the rows.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.engines import descendants

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).resolve().parent.parent
QUESTION = ["-i", "What emotion is expressed?"]
MOST_WORDS = 12


def main() -> None:
    """Print the seconds of each run, then how the clusters agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 3, 7])
    parser.add_argument("--kill-after", type=float, metavar="SECONDS")
    parser.add_argument("--ray", type=int, nargs="+", default=[], metavar="WORKERS")
    parser.add_argument("--kill-worker", action="store_true")
    parser.add_argument("--deterministic", action="store_true")
    parser.add_argument("--at-once", action="store_true")
    parser.add_argument("-m", "--model")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    source = chosen.folder / "in.parquet"
    if not source.exists():
        write_rows(source, chosen.rows)
    options = [*QUESTION, "--text", "text", *["--deterministic"] * chosen.deterministic]
    options += ["-m", chosen.model] if chosen.model else []
    print(f"{chosen.rows:,} rows, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    steps = Steps(chosen.folder, source, chosen.rows, options)
    runs: dict[str, Callable[[], None]] = {"memory": steps.in_memory, "local": steps.local}
    for n in chosen.shards:
        runs[f"{n} shards"] = partial(steps.in_shards, f"{n} shards", n, kill_after=chosen.kill_after)
    for n in chosen.ray:
        engine = ["--engine", "ray", "--workers", str(n)]
        in_ray = partial(steps.in_shards, f"ray {n}", max(chosen.shards), engine, kill_worker=chosen.kill_worker)
        runs[f"ray {n}"] = in_ray
    with ThreadPoolExecutor(len(runs) if chosen.at_once else 1) as pool:
        for each in [pool.submit(run) for run in runs.values()]:
            each.result()
    report(chosen.folder, {name: rows_of(chosen.folder / name) for name in runs})


def write_rows(path: Path, n: int) -> None:
    """Write short sentences, again and again, each with its number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with (ROOT / "sample_data" / "reviews.csv").open(encoding="utf-8", newline="") as file:
        reviews = [row["text"] for row in csv.DictReader(file)]
    sentences = [each.strip() for review in reviews for each in re.split(r"(?<=[.!?])\s+", review)]
    short = [each for each in dict.fromkeys(sentences) if 3 <= len(each.split()) <= MOST_WORDS]
    texts = [f"{short[i % len(short)]} ({i})" for i in range(n)]
    pq.write_table(pa.table({"row": pa.array(range(n)), "text": texts}), path, row_group_size=max(1, n // 200))


@dataclass(frozen=True)
class Steps:
    """Ways to cluster the same rows. What is done is not done again.

    :param folder: of all of them; each has a folder in it.
    :param source: the rows.
    :param n_rows: their number.
    :param options: of all commands that encode.
    """

    folder: Path
    source: Path
    n_rows: int
    options: list[str]

    def in_memory(self) -> None:
        """Cluster all rows at once, and save the run, as shards do."""
        own = self.folder / "memory"
        fixed = ["--engine", "memory", "-k", "8", "--no-baseline", "--no-cache", "--quiet"]
        outputs = ["-o", str(own / "part-0.parquet"), "--save", str(own / "saved")]
        own.mkdir(exist_ok=True)
        timed(own / "cluster", ["cluster", str(self.source), *fixed, *outputs, *self.options])

    def local(self) -> None:
        """Take all steps of shards by one command."""
        fixed = ["--engine", "local", "-k", "8", "--quiet", "-o", str(self.folder / "local")]
        timed(self.folder / "local" / "cluster", ["cluster", str(self.source), *fixed, *self.options])

    def in_shards(
        self,
        name: str,
        n_shards: int,
        engine: Sequence[str] = (),
        *,
        kill_after: float | None = None,
        kill_worker: bool = False,
    ) -> None:
        """Take the steps of shards one by one; some are killed on the way."""
        own, work = self.folder / name, str(self.folder / name / "work")
        sizes = ["--rows-per-shard", str(-(-self.n_rows // n_shards)), "--sample-rows", str(self.n_rows)]
        fixed = ["-o", work, *sizes, "--vector-dtype", "float32", "--quiet"]
        timed(own / "plan", ["shards", "plan", str(self.source), *fixed, *self.options])
        run = ["shards", "run", work, "--quiet", *engine]
        if kill_after and not (own / "killed").exists():
            kill(own / "killed", run, kill_after)
        timed(own / "run", run, partial(kill_a_worker, own / "work" / "vectors") if kill_worker else None)
        timed(own / "fit", ["shards", "fit", work, "-k", "8", "--quiet"])
        timed(own / "assign", ["shards", "assign", work, "-o", str(own), "--quiet"])


def timed(path: Path, arguments: list[str], on_start: Callable[[int], None] | None = None) -> None:
    """Run a command that was not run before, and keep its seconds, CPU seconds and GB in a file.

    Those of the processes that it starts and does not wait for, as those of Ray, are not in the CPU seconds.
    """
    if path.exists():
        return
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "inbedder_cli", *arguments])
    if on_start:
        on_start(process.pid)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{arguments} failed")
    path.parent.mkdir(exist_ok=True)
    cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6
    path.write_text(f"{time.monotonic() - start:.1f} {cpu:.1f} {peak:.2f}")
    load = os.getloadavg()[0]
    spent = "{} s, CPU {} s, {} GB".format(*path.read_text().split())
    print(f"{path.parent.name} {path.name}: {spent}, load {load:.1f}", flush=True)


def kill_a_worker(vectors: Path, pid: int) -> None:
    """Kill a worker of Ray once the first shard is done, and a second later, while it encodes another."""
    while not list(vectors.glob("part-*.parquet")):
        time.sleep(0.1)
    time.sleep(1)
    found = {each: Path(f"/proc/{each}/cmdline").read_bytes() for each in descendants(pid)}
    workers = [int(each) for each, command in found.items() if command.startswith(b"ray::_Worker")]
    os.kill(workers[0], signal.SIGKILL)
    n_done = len(list(vectors.glob("part-*.parquet")))
    print(f"killed worker {workers[0]} of {len(workers)}, {n_done} shards done", flush=True)


def kill(path: Path, arguments: list[str], seconds: float) -> None:
    """Run a command, kill it with its processes after some seconds, and keep these in a file."""
    path.write_text(f"{seconds} 0 0")
    process = subprocess.Popen([sys.executable, "-m", "inbedder_cli", *arguments], start_new_session=True)
    try:
        process.wait(seconds)
        print("it had ended before it was killed", flush=True)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def rows_of(folder: Path) -> list[dict[str, object]]:
    """Return the rows of the files of a folder."""
    import pyarrow.parquet as pq

    return [row for path in sorted(folder.glob("part-*.parquet")) for row in pq.read_table(path).to_pylist()]


def report(folder: Path, rows: dict[str, list[dict[str, object]]]) -> None:
    """Print a line per run, then the adjusted Rand index and the share of equal clusters of each two."""
    from sklearn.metrics import adjusted_rand_score

    for name, each in rows.items():
        names = ("cluster", "plan", "killed", "run", "fit", "assign")
        steps = [folder / name / step for step in names]
        spent = [list(map(float, step.read_text().split())) for step in steps if step.exists()]
        seconds, cpu, peak = sum(s for s, _, _ in spent), sum(c for _, c, _ in spent), max(p for _, _, p in spent)
        digest = hashlib.sha256(json.dumps(each).encode()).hexdigest()[:16]
        speed = f"{seconds:,.0f} s, CPU {cpu:,.0f} s, {len(each) / seconds:.1f} rows/s, {peak:.2f} GB"
        print(f"{name}: {speed}, SHA-256 of all rows {digest}")
    clusters = {
        name: [row["cluster"] if row["status"] == "ok" else -2 for row in each] for name, each in rows.items()
    }
    for one, other in combinations(clusters, 2):
        pairs = zip(clusters[one], clusters[other], strict=True)
        same = sum(a == b for a, b in pairs) / len(clusters[one])
        index = adjusted_rand_score(clusters[one], clusters[other])
        print(f"{one} and {other}: adjusted Rand {index:.4f}, equal clusters {same:.2%}")


if __name__ == "__main__":
    main()
