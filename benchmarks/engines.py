"""Time and memory of the engines of shards, against the same rows encoded without shards, taking turns.

    python -m benchmarks.engines [--rows 240] [--shards 2] [--engines plain local ray:1] [--rounds 3] [-m MODEL]
    python -m benchmarks.engines --whole ...

Each run is a process of its own, from its start to its end: loading the model, and starting Ray, are in it. Rows
are the sample reviews, each with its number: no two are the same. "plain" reads, encodes and keeps; "local"
and "ray:N" read, encode and write shards of a plan that is there; of Ray, a line says when it and its first worker
were ready. --whole takes all steps: `inbedder cluster`, in memory with --save, or with --engine. CPU seconds and
memory (pages that processes share count once: the sum of their PSS, its peak) are those of the process and all
that it starts, sampled.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.workers import memory_of
from inbedder_cli.progress import SILENT
from inbedder_cli.shards.jobs import EmbedJob

if TYPE_CHECKING:
    from collections.abc import Callable

    from inbedder_cli.progress import Reporter
    from inbedder_cli.shards.jobs import EmbedCounts

ROOT = Path(__file__).resolve().parent.parent
QUESTION = "What emotion is expressed?"
SAMPLED_EVERY = 0.5  # seconds
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print one line per run, then the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=240)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--engines", nargs="+", default=["plain", "local", "ray:1", "ray:2"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-m", "--model")
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        run_one(chosen.one, chosen.folder, chosen.model)
        return
    print(f"{chosen.rows} rows in {chosen.shards} shards, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(("{:>8} " * 5).format("engine", "seconds", "CPU s", "MB", "load"), flush=True)
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in chosen.engines}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.parquet"
        write_rows(path, chosen.rows)
        for place in range(chosen.rounds):
            for name in chosen.engines:
                work = Path(folder) / f"{name.replace(':', '-')}-{place}"
                per_shard = -(-chosen.rows // chosen.shards)
                if name != "plain" and not chosen.whole:
                    make_plan_of(path, work, chosen.model, per_shard)
                command = ["-m", "benchmarks.engines", "--one", name, "--folder", str(work)]
                command = all_steps(name, path, work, per_shard) if chosen.whole else command
                model = ["-m", chosen.model] if chosen.model else []
                found[name].append(measured([sys.executable, *command, *model]))
                seconds, cpu, megabytes = found[name][-1]
                load = os.getloadavg()[0]
                print(f"{name:>8} {seconds:>8.1f} {cpu:>8.1f} {megabytes:>8.0f} {load:>8.1f}", flush=True)
    print("medians")
    for name, runs in found.items():
        seconds, cpu, megabytes = (median(each) for each in zip(*runs, strict=True))
        print(f"{name:>8} {seconds:>8.1f} {cpu:>8.1f} {megabytes:>8.0f}")


def write_rows(path: Path, n: int) -> None:
    """Write the sample reviews, again and again, each with its number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with (ROOT / "sample_data" / "reviews.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file) if row["text"]]
    rows = [f"{texts[i % len(texts)]} ({i})" for i in range(n)]
    pq.write_table(pa.table({"text": rows}), path, row_group_size=max(1, n // 100))


def make_plan_of(path: Path, work: Path, model: str | None, rows_per_shard: int) -> None:
    """Plan the rows."""
    from inbedder_cli import load_encoder
    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.shards.planning import PlanOptions, make_plan
    from inbedder_cli.shards.stores import Store

    encoder = load_encoder(model, device="cpu", cache=False)
    options = PlanOptions(rows_per_shard, text=("text",))
    make_plan(str(path), QUESTION, encoder, EncodeOptions(), Store(str(work)), options)


def all_steps(name: str, path: Path, work: Path, rows_per_shard: int) -> list[str]:
    """Return the arguments of Python that cluster the rows with an engine."""
    engine, _, workers = name.partition(":")
    fixed = ["-i", QUESTION, "--text", "text", "-k", "8", "--device", "cpu", "--quiet"]
    fixed += ["--workers", workers or "1"]
    own = ["--engine", engine, "--rows-per-shard", str(rows_per_shard), "--ray-timeout", "300", "-o", str(work)]
    if engine == "plain":
        own = ["--engine", "memory", "--no-cache", "--no-baseline", "-o", f"{work}.csv", "--save", f"{work}-run"]
    return ["-m", "inbedder_cli", "cluster", str(path), *fixed, *own]


@dataclass(frozen=True)
class TimedJob(EmbedJob):
    """Leaves a file when a worker has loaded the model."""

    def start(self) -> Callable[[int, Reporter], EmbedCounts]:
        """Load the plan and the model."""
        run = super().start()
        (Path(self.work) / f"ready-{os.getpid()}").touch()
        return run


class Clock:
    """Keeps when the engine said something."""

    task = SILENT.task

    def __init__(self) -> None:
        self.said: list[float] = []

    def info(self, message: str) -> None:
        """Keep the time."""
        del message
        self.said.append(time.time())

    warn = info


def run_one(name: str, work: Path, model: str | None) -> None:
    """Encode the rows once."""
    if name == "plain":
        from inbedder_cli import load_encoder, read_corpus
        from inbedder_cli.pipeline import embed

        corpus = read_corpus(work.parent / "in.parquet", text="text")
        embed(corpus, QUESTION, load_encoder(model, device="cpu", cache=False))
        return
    from inbedder_cli.shards.engines import make_engine
    from inbedder_cli.shards.running import run_embedding
    from inbedder_cli.shards.stores import Store

    engine, _, workers = name.partition(":")
    clock, start = Clock(), time.time()
    made = make_engine(engine, None, int(workers or 1), clock, start_seconds=300)
    run_embedding(Store(str(work)), TimedJob(str(work), "cpu"), made)
    if clock.said:
        ready = min(path.stat().st_mtime for path in work.glob("ready-*"))
        print(f"{name}: Ray after {clock.said[0] - start:.1f} s, its first worker after {ready - start:.1f} s")


def measured(command: list[str]) -> tuple[float, float, float]:
    """Run a command, and return its seconds, its CPU seconds and its peak of memory in MB, with its children."""
    start, peak = time.monotonic(), 0.0
    spent: dict[str, float] = {}  # CPU seconds by process, also of those that have ended
    with subprocess.Popen(command, cwd=ROOT) as process:
        while process.poll() is None:
            pids = descendants(process.pid)
            peak = max(peak, sum(memory_of(int(pid))[0] for pid in pids))
            spent |= {pid: cpu for pid in pids if (cpu := cpu_of(pid)) is not None}
            time.sleep(SAMPLED_EVERY)
    if process.returncode:
        raise SystemExit(f"{json.dumps(command)} failed")
    return time.monotonic() - start, sum(spent.values()), peak


def descendants(pid: int) -> list[str]:
    """Return a process and all that it has started, at any depth."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := stat_of(folder.name)):
            parents[folder.name] = fields[1]
    found = [str(pid)]
    for each in found:
        found.extend(child for child, parent in parents.items() if parent == each)
    return found


def cpu_of(pid: str) -> float | None:
    """Return the CPU seconds of a process; None if it has ended."""
    fields = stat_of(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else None


def stat_of(pid: str) -> list[str]:
    """Return the fields of /proc/PID/stat after the name; none if the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


if __name__ == "__main__":
    main()
