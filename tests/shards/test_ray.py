"""Shards on a Ray cluster of this machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inbedder_cli.progress import SilentReporter
from inbedder_cli.shards import jobs
from inbedder_cli.shards.jobs import EmbedJob
from inbedder_cli.shards.ray_engine import QUIET
from inbedder_cli.shards.running import run_embedding
from inbedder_cli.shards.stores import Store
from tests.shards.conftest import QUESTION, content, texts

os.environ.update(QUIET)  # which Ray reads when it is imported
pytest.importorskip("ray", reason="needs the extra ray")
pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning",
    "ignore::ResourceWarning",
    "ignore::DeprecationWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",  # of processes that Ray itself does not wait for
)
SECONDS = 240.0  # for Ray to start: the machine may be busy with other tests
ROOT = Path(__file__).parents[2]
PATIENT = ("--ray-timeout", str(SECONDS))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """48 rows in one file of 6 row groups."""
    path = tmp_path_factory.mktemp("input") / "rows.parquet"
    pq.write_table(pa.table({"text": texts(48)}), path, row_group_size=8)
    return path


@pytest.fixture
def plan(inbedder, tiny, small, tmp_path):
    def make(folder):
        fixed = ["-i", QUESTION, "-m", tiny, "--device", "cpu", "--rows-per-shard", "16", "--deterministic"]
        result = inbedder("shards", "plan", small, *fixed, "-o", tmp_path / folder)
        assert result.exit_code == 0, result.stderr
        return tmp_path / folder

    return make


@dataclass(frozen=True)
class KilledOnce(EmbedJob):
    """Kills its process when shard 1 is encoded and about to be written, the first time."""

    marker: str = ""

    def start(self):
        run = super().start()

        def killed(shard, reporter):
            if shard == 1 and not Path(self.marker).exists():
                Path(self.marker).touch()
                jobs.write_embeddings = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
            return run(shard, reporter)

        return killed


@dataclass(frozen=True)
class AlwaysKilled(EmbedJob):
    """Kills its process on shard 1."""

    def start(self):
        run = super().start()
        return lambda shard, reporter: os.kill(os.getpid(), signal.SIGKILL) if shard == 1 else run(shard, reporter)


class Listener(SilentReporter):
    """Keeps the warnings."""

    def __init__(self):
        self.warned = []

    def warn(self, message):
        self.warned.append(message)


def test_workers_give_the_files_of_one_process(inbedder, plan, capfd):
    from inbedder_cli.errors import RowsFailedError
    from inbedder_cli.shards.ray_engine import RayEngine

    local = plan("local")
    assert inbedder("shards", "run", local).exit_code == 0
    one, two, killed, dead = map(plan, ("one", "two", "killed", "dead"))
    result = inbedder("shards", "run", one, "--engine", "ray", "--workers", "1", *PATIENT)
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    engine = RayEngine(workers=2, start_seconds=SECONDS)
    run_embedding(Store(str(two)), EmbedJob(str(two)), engine)
    engine.reporter = Listener()
    run_embedding(Store(str(killed)), KilledOnce(str(killed), marker=str(killed / "marker")), engine)
    assert (killed / "marker").exists()
    assert engine.reporter.warned == ["shard 1: the worker process died, perhaps for lack of memory"]
    for folder in (one, two, killed):
        for part in ("vectors", "sample"):
            assert content(folder / part) == content(local / part)
    with pytest.raises(
        RowsFailedError, match="1 shards failed, the others are done: shard 1: the worker process died"
    ):
        run_embedding(Store(str(dead)), AlwaysKilled(str(dead)), engine)
    assert list(content(dead / "vectors")) == ["part-00000.parquet", "part-00002.parquet"]
    assert capfd.readouterr().out == ""


def test_cluster_starts_ray_once_and_gives_the_rows_of_one_process(inbedder, tiny, small, tmp_path, monkeypatch):
    import ray

    started, init = [], ray.init
    monkeypatch.setattr(ray, "init", lambda **options: started.append(1) or init(**options))
    fixed = ["-i", QUESTION, "-m", tiny, "--device", "cpu", "-k", "3", "--rows-per-shard", "16", "--deterministic"]
    for engine in (["local"], ["ray", "--workers", "1", *PATIENT]):
        done = inbedder("cluster", small, *fixed, "-o", tmp_path / engine[0], "--engine", *engine)
        assert (done.exit_code, done.stdout) == (0, ""), done.stderr
    assert content(tmp_path / "ray") == content(tmp_path / "local")
    assert len(content(tmp_path / "ray")) == 3
    assert len(started) == 1
    assert not ray.is_initialized()


def test_what_would_fail_everywhere_ends_the_run(inbedder, plan, small):
    work, before = plan("changed"), small.read_bytes()
    pq.write_table(pa.table({"text": ["other"] * 48}), small, row_group_size=8)
    try:
        result = inbedder("shards", "run", work, "--engine", "ray", "--workers", "1", *PATIENT)
    finally:
        small.write_bytes(before)
    assert result.exit_code == 5, result.stderr
    assert "has changed since the plan was made" in result.stderr


def test_a_cluster_that_runs_already_is_used_with_its_token_and_left_running(inbedder, plan):
    work, address = plan("there"), f"127.0.0.1:{free_port()}"
    environment = {name: value for name, value in os.environ.items() if name != "RAY_AUTH_MODE"}
    environment |= {"RAY_AUTH_TOKEN": "a" * 32, "RAY_worker_niceness": "0", "PYTHONPATH": str(ROOT)}
    ray = [
        Path(sys.executable).with_name("ray"),
        "start",
        "--head",
        "--block",
        "--port",
        address.partition(":")[2],
    ]
    options = ["--num-cpus", "2", "--disable-usage-stats", "--include-dashboard=false"]
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    run = [sys.executable, "-m", "inbedder_cli", "shards", "run", work, "--engine", "ray", "--address", address]
    with subprocess.Popen([*ray, *options], env=environment, **streams) as cluster:
        try:
            wait_for(address)
            done = subprocess.run(
                run, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
            )
            assert done.returncode == 0, done.stderr
            assert cluster.poll() is None
        finally:
            cluster.terminate()
            cluster.wait(60)
    status = inbedder("shards", "status", work, "--json")
    assert json.loads(status.stdout)["done"] == 3, status.stdout


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def wait_for(address: str) -> None:
    host, _, port = address.partition(":")
    for _ in range(int(SECONDS)):
        with suppress(OSError), socket.create_connection((host, int(port)), 1):
            time.sleep(5)  # until its other processes run too
            return
        time.sleep(1)
    raise AssertionError(f"nothing listens on {address}")


def test_a_cluster_that_is_not_there_is_an_error(inbedder, plan):
    result = inbedder("shards", "run", plan("none"), "--engine", "ray", "--address", "127.0.0.1:1")
    assert result.exit_code == 1, result.stderr
    assert "no Ray cluster at 127.0.0.1:1" in result.stderr


def test_a_ray_that_does_not_start_is_ended_and_started_again(monkeypatch):
    import ray

    from inbedder_cli.errors import InbedderError
    from inbedder_cli.shards import ray_engine

    now, events = [0.0], []

    class Node:
        def __init__(self):
            events.append("start")
            now[0] += 30.0
            raise RuntimeError("The current node timed out during startup.")

        def kill_all_processes(self, **_):
            events.append("end")

    monkeypatch.setattr(ray_engine.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(ray, "init", lambda **_: Node())
    with pytest.raises(InbedderError, match="Ray cannot start: The current node timed out") as caught:
        list(ray_engine.RayEngine(start_seconds=70).run(None, [0], lambda *_: None))
    assert "--ray-timeout" in caught.value.hint
    assert events == ["start", "end"] * 3


def test_ray_has_what_ends_its_processes():
    from ray._private.node import Node

    assert callable(Node.kill_all_processes)
