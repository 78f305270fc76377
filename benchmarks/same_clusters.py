"""Whether shards, and a run that is killed, change the clusters of a real model; and what shards cost.

    python -m benchmarks.same_clusters FOLDER [--rows 200000] [--shards 1 3 7] [--kill-after 60] [-m MODEL]

Rows are short sentences of the sample reviews, each with its number: no two are the same. They are clustered in
memory, by `cluster --engine local`, then by the steps in each number of shards, from a sample that holds all rows.
--kill-after kills the first run of each plan after so many seconds, with all its processes, and starts it again.
What is done in FOLDER is kept: hours of work may be stopped. Seconds are those of all steps, each a process of its
own that loads what it needs, and of the run that was killed; CPU seconds are those of the processes that ended.
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
from itertools import combinations
from pathlib import Path

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
    parser.add_argument("--deterministic", action="store_true")
    parser.add_argument("-m", "--model")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    source = chosen.folder / "in.parquet"
    if not source.exists():
        write_rows(source, chosen.rows)
    options = [*QUESTION, "--text", "text", *["--deterministic"] * chosen.deterministic]
    options += ["-m", chosen.model] if chosen.model else []
    print(f"{chosen.rows:,} rows, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    whole = chosen.folder / "whole.parquet"
    if not whole.exists():
        fixed = ["--engine", "memory", "-k", "8", "--no-baseline", "--no-cache", "--quiet", "-o", str(whole)]
        timed(chosen.folder / "memory", ["cluster", str(source), *fixed, *options])
    local = chosen.folder / "local"
    if not (local / "rows").exists():
        fixed = ["--engine", "local", "-k", "8", "--quiet", "-o", str(local / "rows")]
        timed(local / "cluster", ["cluster", str(source), *fixed, *options])
    rows = {"memory": rows_of([whole]), "local": rows_of(sorted((local / "rows").glob("part-*.parquet")))}
    for n in chosen.shards:
        folder = chosen.folder / f"{n} shards"
        in_shards(folder, source, chosen.rows, -(-chosen.rows // n), options, chosen.kill_after)
        rows[folder.name] = rows_of(sorted((folder / "rows").glob("part-*.parquet")))
    report(chosen.folder, rows)


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


def in_shards(
    folder: Path, source: Path, n_rows: int, per_shard: int, options: list[str], kill_after: float | None
) -> None:
    """Take all steps in a folder; what is done is not done again."""
    work, output = str(folder / "work"), str(folder / "rows")
    sizes = ["--rows-per-shard", str(per_shard), "--sample-rows", str(n_rows), "--vector-dtype", "float32"]
    timed(folder / "plan", ["shards", "plan", str(source), "-o", work, *sizes, *options, "--quiet"])
    if kill_after and not (folder / "killed").exists():
        kill(folder / "killed", ["shards", "run", work, "--quiet"], kill_after)
    timed(folder / "run", ["shards", "run", work, "--quiet"])
    timed(folder / "fit", ["shards", "fit", work, "-k", "8", "--quiet"])
    timed(folder / "assign", ["shards", "assign", work, "-o", output, "--quiet"])


def timed(path: Path, arguments: list[str]) -> None:
    """Run a command that was not run before, and keep its seconds, CPU seconds and GB in a file."""
    if path.exists():
        return
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "inbedder_cli", *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{arguments} failed")
    path.parent.mkdir(exist_ok=True)
    cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6
    path.write_text(f"{time.monotonic() - start:.1f} {cpu:.1f} {peak:.2f}")
    load = os.getloadavg()[0]
    print("{} {}: {} s, CPU {} s, {} GB".format(path.parent.name, path.name, *path.read_text().split()), end="")
    print(f", load {load:.1f}", flush=True)


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


def rows_of(paths: list[Path]) -> list[dict[str, object]]:
    """Return the rows of files."""
    import pyarrow.parquet as pq

    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def report(folder: Path, rows: dict[str, list[dict[str, object]]]) -> None:
    """Print a line per run, then the adjusted Rand index and the share of equal clusters of each two."""
    from sklearn.metrics import adjusted_rand_score

    for name, each in rows.items():
        names = ("cluster", "plan", "killed", "run", "fit", "assign")
        steps = [folder / name / step for step in names] if name != "memory" else [folder / "memory"]
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
