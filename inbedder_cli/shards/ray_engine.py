"""Runs shards on a Ray cluster, or with several processes of this machine.

Ray starts the workers and tells when one dies; it moves no data. Workers read and write the files of shards
themselves and return counts, so that neither Ray's object store nor the order of its tasks matters.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import time
import traceback
from collections import Counter, deque
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from inbedder_cli.errors import InbedderError, UsageError
from inbedder_cli.progress import SILENT
from inbedder_cli.shards.engines import ATTEMPTS, START_SECONDS, Outcome, attempt_shard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Self

    from inbedder_cli.progress import Reporter
    from inbedder_cli.shards.jobs import Job

T = TypeVar("T")
HOST_AND_PORT = re.compile(r"(?:ray://)?([\w.-]+):(\d{1,5})")
CONNECT_SECONDS = 10.0
SHARED_CORES = 4  # cores of a machine from which a worker gets two of them
DIED = "the worker process died, perhaps for lack of memory"
# No data leaves the machine, and nothing but results reaches standard output.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
# Ray prints its errors, such as the death of a worker, to standard output: all lines are skipped.
QUIET |= {"RAY_DEDUP_LOGS": "1", "RAY_DEDUP_LOGS_SKIP_REGEX": "."}
# Ray's workers step back behind all other processes: on a busy machine they get a hundredth of a core.
PRIORITY = {"RAY_worker_niceness": "0"}
OPTIONS: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}


class RayEngine:
    """Runs shards in workers of a Ray cluster, each of which loads the model once.

    In a `with` block Ray is started by the first run, and stays until the block ends.

    :param address: of a cluster, or "auto"; None takes RAY_ADDRESS, or starts Ray on this machine.
    :param workers: most workers; None takes one per GPU, or where there are none as many as leave one core free.
    :param reporter: receives messages.
    :param start_seconds: how long Ray may take to start on this machine.
    """

    def __init__(
        self,
        address: str | None = None,
        workers: int | None = None,
        reporter: Reporter = SILENT,
        start_seconds: float = START_SECONDS,
    ) -> None:
        self.address, self.workers, self.reporter = address, workers, reporter
        self.start_seconds = start_seconds
        self._block: ExitStack | None = None

    def __enter__(self) -> Self:
        self._block = ExitStack()
        return self

    def __exit__(self, *_: object) -> None:
        if self._block is not None:
            self._block.close()
        self._block = None

    def run(
        self, job: Job[T], shards: Sequence[int], on_progress: Callable[[int, float], None]
    ) -> Iterator[Outcome[T]]:
        """Yield what becomes of each shard, in the order in which they end; see `Engine`.

        :param job: the work.
        :param shards: their numbers.
        :param on_progress: not called: shards report when they end.
        :yield: one outcome per shard.
        :raises InbedderError: what would fail on every shard, or workers that cannot start.
        """
        del on_progress
        with ExitStack() as own:
            ray = (self._block or own).enter_context(_cluster(self.address, self.start_seconds))
            n_workers, resources = _workers(ray, self.workers, len(shards))
            self.reporter.info(f"Ray: {n_workers} workers, each with {_shown(resources)}")
            pool = _Pool(ray, job, n_workers, resources, self.reporter)
            try:
                yield from pool.run(shards)
            finally:
                pool.stop()


class _Worker:
    """Runs in a process of its own: does the work on one shard at a time."""

    def start(self, job: Job[Any]) -> InbedderError | None:
        """Load what the job needs; return an error instead of raising it, since Ray would wrap it."""
        try:
            self.work = job.start()
        except InbedderError as error:
            return error
        return None

    def run(self, shard: int) -> Outcome[Any] | InbedderError:
        try:
            return attempt_shard(self.work, shard)
        except InbedderError as error:
            return error


class _Pool:
    """Workers, and the shards that they are at.

    :param ray: the module.
    :param job: the work.
    :param n_workers: number of workers.
    :param resources: of each.
    :param reporter: told of workers that die.
    """

    def __init__(
        self,
        ray: Any,  # noqa: ANN401
        job: Job[Any],
        n_workers: int,
        resources: dict[str, float],
        reporter: Reporter,
    ) -> None:
        self.ray, self.job, self.reporter = ray, job, reporter
        self.kind = ray.remote(max_restarts=0, **resources)(_Worker)
        self.tasks: dict[Any, tuple[Any, int | None]] = {}  # future -> worker and shard; None: it is starting
        self.failed_starts = 0
        for _ in range(n_workers):
            self.add()

    def add(self) -> None:
        """Start a worker. On a cluster that is full it waits, and the others go on."""
        worker = self.kind.remote()
        self.tasks[worker.start.remote(self.job)] = worker, None

    def run(self, shards: Sequence[int]) -> Iterator[Outcome[Any]]:
        pending, attempts = deque(shards), Counter[int]()
        left = set(shards)
        while left:
            (future,), _ = self.ray.wait(list(self.tasks), num_returns=1)
            worker, shard = self.tasks.pop(future)
            try:
                result = self.ray.get(future)
            except (self.ray.exceptions.RayActorError, self.ray.exceptions.WorkerCrashedError) as error:
                result = Outcome(-1 if shard is None else shard, error=DIED)
                self.reporter.warn(f"{'a worker' if shard is None else f'shard {shard}'}: {DIED}")
                self.failed_starts += shard is None
                if self.failed_starts > ATTEMPTS:
                    raise InbedderError(f"workers cannot start: {DIED}", hint="give fewer --workers") from error
                self.add()
                worker = None
            if isinstance(result, InbedderError):
                raise result
            if shard is not None and result is not None:
                attempts[shard] += 1
                if result.error is not None and attempts[shard] < ATTEMPTS:
                    pending.append(shard)
                else:
                    left.remove(shard)
                    yield result
            if worker is not None:
                if pending:
                    following = pending.popleft()
                    self.tasks[worker.run.remote(following)] = worker, following
                else:
                    self.ray.kill(worker)  # which gives its resources back

    def stop(self) -> None:
        """End all workers at once; a shard that was being written leaves nothing that counts as done."""
        for worker, _ in self.tasks.values():
            self.ray.kill(worker)
        self.tasks.clear()


@contextmanager
def _cluster(address: str | None, start_seconds: float) -> Iterator[Any]:
    """Yield the module, connected to a cluster; one that is started here ends with the block."""
    wait = str(int(start_seconds))
    waits = {"RAY_gcs_server_port_wait_time_s": wait, "RAY_worker_register_timeout_seconds": wait}
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    # A cluster of `ray start` asks for the token where there is one, but a client does not send it by itself.
    mode = {"RAY_AUTH_MODE": "token"} if address != "local" and _has_token() else {}
    settings = QUIET | PRIORITY | waits | mode
    os.environ.update({name: os.environ.get(name, value) for name, value in settings.items()})
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "--engine ray needs Ray", hint="pip install 'inbedder[ray]', or use --engine local"
        ) from error
    own = not ray.is_initialized()
    if own:
        _connect(ray, address, start_seconds)
    try:
        yield ray
    finally:
        if own:
            ray.shutdown()


def _has_token() -> bool:
    names = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
    return any(os.environ.get(name) for name in names) or Path("~/.ray/auth_token").expanduser().is_file()


def _connect(ray: Any, address: str, start_seconds: float) -> None:  # noqa: ANN401
    """Connect to a cluster, or start one here.

    Ray gives its own processes 15 to 30 seconds to start, which no setting changes; so it is started again.

    :raises InbedderError: when there is none.
    """
    hint = "is it running? ray status; without --address Ray is started on this machine"
    if place := HOST_AND_PORT.fullmatch(address):
        try:
            socket.create_connection((place[1], int(place[2])), CONNECT_SECONDS).close()
        except OSError as error:  # Ray itself would wait for minutes
            raise InbedderError(f"no Ray cluster at {address}: {error.strerror or error}", hint=hint) from error
    deadline = time.monotonic() + start_seconds
    while True:
        try:
            ray.init(address=address, **OPTIONS)
        except Exception as error:  # Ray raises bare exceptions
            _end_processes(error)
            ray.shutdown()
            reason = (str(error) or type(error).__name__).splitlines()[0]
            if address != "local":
                raise InbedderError(f"no Ray cluster at {address}: {reason}", hint=hint) from error
            if time.monotonic() >= deadline:
                hint = "is the machine busy? --ray-timeout gives it more seconds; or use --engine local"
                raise InbedderError(f"Ray cannot start: {reason}", hint=hint) from error
        else:
            return


def _end_processes(error: Exception) -> None:
    """End what a Ray that did not start has started: it leaves its processes, which would slow down the next."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        end = getattr(frame.f_locals.get("self"), "kill_all_processes", None)
        if end is not None:
            end(check_alive=False, allow_graceful=False)


def _workers(ray: Any, asked: int | None, n_shards: int) -> tuple[int, dict[str, float]]:  # noqa: ANN401
    """Return the number of workers, and the resources of each."""
    total = ray.cluster_resources()
    cpus, gpus = total.get("CPU", 1.0), total.get("GPU", 0.0)
    if gpus >= 1:
        return min(n_shards, asked or int(gpus)), {"num_gpus": 1.0, "num_cpus": 1.0}
    each = 2.0 if cpus >= SHARED_CORES else 1.0
    n_workers = min(n_shards, asked or max(1, int((cpus - 1) // each)))
    nodes = [node for node in ray.nodes() if node.get("Alive")]
    if len(nodes) == 1 and n_workers * each > cpus:  # a larger cluster may grow
        each = max(0.1, int(10 * cpus / n_workers) / 10)
    return n_workers, {"num_cpus": each}


def _shown(resources: dict[str, float]) -> str:
    return ", ".join(f"{n:g} {name.removeprefix('num_').upper()}" for name, n in resources.items())
