"""Time and memory of work in shards, with made-up vectors; and of a plan of a billion rows.

    python benchmarks/shards.py [--rows 1000000] [--width 1024] [--sample 100000] [--per-shard 50000]
    python benchmarks/shards.py --simulate [--billions 1] [--shards 20000]

Each step runs in a process of its own, so that its peak of memory is its own. Vectors lie around 12 centroids,
answers are of few words, and encoding takes next to no time: what is measured is everything else. The simulation
draws the sizes of shards, the times of machines and their failures at random; the counts that it merges take 3 GB
of disk.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np

QUESTION = "What emotion is expressed?"
STEPS = ("plan", "run", "fit", "assign", "cross", "join")
GROUPS = 12
ANSWERS = [
    f"{feeling} {word}".strip() for feeling in "anger joy fear relief".split() for word in ("", "at them", "again")
]
STRAGGLER, FAILURE = 0.02, 0.01  # shares of shards that take five times as long, and that fail once


def main() -> None:
    """Print one line per step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--sample", type=int, default=100_000)
    parser.add_argument("--per-shard", type=int, default=50_000)
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--billions", type=float, default=1.0)
    parser.add_argument("--shards", type=int, default=20_000)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        print(json.dumps(measured(chosen)))
    elif chosen.simulate:
        with tempfile.TemporaryDirectory() as folder:
            simulate(int(chosen.billions * 1e9), chosen.shards, Path(folder))
    else:
        with tempfile.TemporaryDirectory() as folder:
            write_input(Path(folder) / "in.parquet", chosen.rows)
            for step in STEPS:
                command = [sys.executable, __file__, *sys.argv[1:], "--step", step, "--folder", folder]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                print(done.stdout.splitlines()[-1], flush=True)


def write_input(path: Path, n: int) -> None:
    """Write short texts, some of them twice."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema({"id": pa.string(), "text": pa.string(), "stars": pa.int16()})
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, n, 10_000):
            rows = range(start, min(n, start + 10_000))
            texts = [f"review {i - i % 7 // 6} of room {i % 91}, and of the breakfast" for i in rows]
            columns = [[f"a{i}" for i in rows], texts, [i % 5 for i in rows]]
            writer.write_batch(
                pa.record_batch([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema)
            )


def register(width: int) -> None:
    """Register the encoder "made:up", which draws vectors instead of computing them."""
    from inbedder_cli.encoders import BaseEncoder, Encoded, encoder_backends
    from inbedder_cli.encoders.next_words import next_words

    centers = np.random.default_rng(0).normal(size=(GROUPS, width)).astype(np.float32)

    class MadeUp(BaseEncoder):
        name = identity = "made up"
        hidden_size = width

        def __init__(self, reference: str, **_: object) -> None:
            pass

        def encode(self, texts, instruction, options=None, reporter=None):  # noqa: ANN001, ANN202
            rng = np.random.default_rng(len(texts))
            group = np.array([sum(text.encode()) % GROUPS for text in texts])
            vectors = centers[group]
            noise = rng.normal(size=(1000, width)).astype(np.float32)
            for start in range(0, len(texts), 1000):
                part = vectors[start : start + 1000]
                part += np.roll(noise, start, axis=1)[: len(part)]
            answers = [ANSWERS[g] for g in group.tolist()]
            words = next_words([((answer.split()[0], 0.75), ("calm", 0.125)) for answer in answers])
            confidences = np.full(len(texts), 0.9, np.float32)
            return Encoded(vectors, answers, confidences, len(set(texts)), 0, words)

    encoder_backends.register("made", MadeUp)


def measured(chosen: argparse.Namespace) -> dict[str, float | str]:
    """Run one step, and return its time and its peak of memory, that of Python and its libraries included."""
    from inbedder_cli.encoders import load_encoder
    from inbedder_cli.options import ClusterOptions, CsvStyle, EncodeOptions
    from inbedder_cli.shards.engines import make_engine
    from inbedder_cli.shards.jobs import EmbedJob
    from inbedder_cli.shards.joining import join_rows
    from inbedder_cli.shards.labelling import label_rows
    from inbedder_cli.shards.planning import PlanOptions, make_plan
    from inbedder_cli.shards.running import run_embedding
    from inbedder_cli.shards.sampling import fit_sample
    from inbedder_cli.shards.sharding import read_plan
    from inbedder_cli.shards.stores import Store

    register(chosen.width)
    work, output = Store(str(chosen.folder / "work")), Store(str(chosen.folder / "out"))
    start, cpu = time.perf_counter(), time.process_time()
    if chosen.step == "plan":
        options = PlanOptions(chosen.per_shard, chosen.sample, text=("text",), id_column="id")
        encoder = load_encoder("made:up", cache=False)
        make_plan(str(chosen.folder / "in.parquet"), QUESTION, encoder, EncodeOptions(), work, options)
    elif chosen.step == "run":
        run_embedding(work, EmbedJob(work.location), make_engine("local"))
    elif chosen.step == "fit":
        fit_sample(work, ClusterOptions(k=GROUPS))
    elif chosen.step == "assign":
        label_rows(work, output, make_engine("local"))
    elif chosen.step == "cross":  # the rows are there
        label_rows(work, output, make_engine("local"), by=["stars"])
    else:
        join_rows(output, read_plan(work).shards, chosen.folder / "out.csv", "csv", CsvStyle())
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {
        "step": chosen.step,
        "seconds": round(seconds, 1),
        "cpu seconds": round(cpu, 1),
        "microseconds of cpu per row": round(1e6 * cpu / chosen.rows, 1),
        "peak GB": round(peak, 2),
    }


def simulate(n_rows: int, n_shards: int, folder: Path) -> None:
    """Plan, look at and merge shards whose sizes are drawn at random; nothing is encoded."""
    from inbedder_cli.shards.counting import MAX_BYTES, Candidate, ShardCounts, decode_counts, encode_counts, pack
    from inbedder_cli.shards.merging import MergedCounts
    from inbedder_cli.shards.planning import cut
    from inbedder_cli.shards.running import status_of
    from inbedder_cli.shards.sharding import Plan, part_name, read_plan, write_plan
    from inbedder_cli.shards.stores import Store
    from inbedder_cli.shards.vocabulary import Vocabulary

    rng, work = np.random.default_rng(0), Store(str(folder))
    groups = rng.lognormal(0, 1, n_shards)
    groups = np.maximum(1, groups * n_rows / groups.sum()).astype(int).tolist()
    start = time.perf_counter(), time.process_time()
    model = {"reference": "m", "description": "m", "identity": "m", "template": None, "dtype": "float16"}
    encoding = {"pooling": None, "layer": None, "answers": True, "max_answer_tokens": 8, "max_tokens": 512}
    files = [
        {"path": f"/data/{i:05d}.parquet", "rows": n, "size": n, "digest": "0" * 64} for i, n in enumerate(groups)
    ]
    per_shard = n_rows // n_shards
    while len(starts := cut(groups, per_shard)) > n_shards:
        per_shard += per_shard // 20
    columns = {"names": ["text"], "text": ["text"], "text_template": None, "id_column": None, "empty": "skip"}
    own = {"schema": 1, "source": "/data", "instruction": QUESTION, "vector_dtype": "float16", "layout": {}}
    own |= {
        "model": model,
        "encoding": encoding | {"batch_tokens": None},
        "columns": columns,
        "sample_rows": 100_000,
    }
    made = msgspec.convert(own | {"files": files, "starts": starts}, Plan)
    write_plan(work, made)
    plan = read_plan(work)
    n = len(plan.starts)
    report(
        "plan",
        start,
        f"{plan.n_rows:,} rows in {n:,} shards, {(folder / 'plan.json').stat().st_size / 1e6:.1f} MB",
    )
    (folder / "vectors").mkdir()
    for shard in range(0, n, 2):
        (folder / part_name("vectors", shard)).touch()
    start = time.perf_counter(), time.process_time()
    state = status_of(work, read_plan(work))
    report("status", start, f"{len(state.done):,} done, {state.missing:,} missing")
    words = [f"phrase {i}" for i in range(50_000)]
    vocabulary = Vocabulary(1, {}, words[:20_000], words, words[:5000], None, 8, 3)
    (folder / "counts").mkdir()
    contents = []
    for _ in range(20):
        ids = rng.choice(50_000, 2000, replace=False, p=zipf(50_000)).tolist()
        rows = [
            Candidate(float(rng.random()), i, f"a{i}", "joy", "a text of a hundred characters " * 3)
            for i in range(36)
        ]
        counts = ShardCounts(
            "",
            {"ok": n_rows // n},
            dict.fromkeys(range(GROUPS), n_rows // n // GROUPS),
            dict.fromkeys(range(GROUPS), 5),
            pack([(i % GROUPS, i, 7, 3) for i in ids]),
            pack([(i % GROUPS, i % 20_000, 7) for i in ids]),
            pack([(i % GROUPS, i % 5000, 7) for i in ids]),
            {g: rows[3 * g : 3 * g + 3] for g in range(GROUPS)},
            {g: rows[3 * g : 3 * g + 3] for g in range(GROUPS)},
        )
        contents.append(encode_counts(counts))
    for shard in range(n):
        write_uncached(folder / "counts" / str(shard), contents[shard % 20])
    start = time.perf_counter(), time.process_time()
    merged = MergedCounts(vocabulary, GROUPS)
    for shard in range(n):
        merged.add(decode_counts(work.read(f"counts/{shard}", MAX_BYTES) or b"", "counts"))
    size = sum(map(len, contents)) / len(contents) * n
    report("merge", start, f"{merged.n_read:,} rows, {size / 1e9:.1f} GB in {n:,} files")
    for rate in (150.0, 1500.0):
        for gpus in (1, 10, 100):
            hours = wall_time([len(plan.rows_of(s)) for s in plan.shards], rate, gpus, rng) / 3600
            print(f"{gpus:>4} GPUs at {rate:,.0f} rows/s each: {hours:,.1f} h")


def write_uncached(path: Path, content: bytes) -> None:
    """Write a file that is read from the disk the next time, as far as the system takes this advice."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fdatasync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def zipf(n: int) -> np.ndarray:
    """Return how frequent phrases are by rank."""
    weights = 1 / np.arange(1, n + 1)
    return weights / weights.sum()


def wall_time(sizes: list[int], rate: float, workers: int, rng: np.random.Generator) -> float:
    """Return the seconds until all shards are done, with machines that are slow and shards that fail once."""
    ends = [0.0] * workers
    tasks = sizes + [size for size in sizes if rng.random() < FAILURE]
    for size in tasks:
        slow = 5 if rng.random() < STRAGGLER else 1
        heapq.heappush(ends, heapq.heappop(ends) + slow * size / rate)
    return max(ends)


def report(step: str, start: tuple[float, float], what: str) -> None:
    """Print the time of a step, and the peak of memory until now."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    seconds, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
    print(f"{step:>8}: {seconds:6.1f} s, {cpu:.1f} s of CPU, peak {peak:.2f} GB: {what}", flush=True)


if __name__ == "__main__":
    main()
