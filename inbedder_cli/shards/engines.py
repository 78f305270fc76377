"""Engines run a job on many shards: here one after another, or on a cluster (`ray_engine`).

An engine tries a shard up to three times. A shard that fails then is named, and the others go on. What would fail
on every shard, such as a full disk, a changed input or another model, ends the run.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from inbedder_cli.errors import InbedderError, ModelError, UsageError, WriteError
from inbedder_cli.progress import SILENT
from inbedder_cli.shards.sharding import ChangedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Self

    from inbedder_cli.progress import Reporter
    from inbedder_cli.shards.jobs import Job
    from inbedder_cli.shards.ray_engine import RayEngine

T = TypeVar("T")
ATTEMPTS = 3
PAUSE = 0.5  # seconds before the second attempt, twice that before the third: a store may be busy
START_SECONDS = 120.0  # for Ray to start on this machine: 5 on one that is idle
FATAL = (ChangedError, ModelError, UsageError, WriteError)


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What became of a shard.

    :param shard: its number.
    :param result: what the job returned; None where it failed.
    :param error: why the last attempt failed, in one line; None where it did not.
    """

    shard: int
    result: T | None = None
    error: str | None = None


class Engine(Protocol):
    """Runs jobs on shards."""

    def run(
        self, job: Job[T], shards: Sequence[int], on_progress: Callable[[int, float], None]
    ) -> Iterator[Outcome[T]]:
        """Yield what becomes of each shard, in any order.

        :param job: the work.
        :param shards: their numbers.
        :param on_progress: called with a shard and the share of it that is done, 0 to 1.
        :return: an iterator over the outcomes.
        :raises InbedderError: what would fail on every shard.
        """


class LocalEngine:
    """Runs shards one after another in this process."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass  # nothing was started

    def run(
        self, job: Job[T], shards: Sequence[int], on_progress: Callable[[int, float], None]
    ) -> Iterator[Outcome[T]]:
        """Yield what becomes of each shard, in their order; see `Engine`.

        :param job: the work.
        :param shards: their numbers.
        :param on_progress: receives the progress within a shard.
        :yield: one outcome per shard.
        """
        work = job.start()
        for shard in shards:
            reporter = _ShareReporter(partial(on_progress, shard))
            outcome: Outcome[T] = Outcome(shard)
            for attempt in range(ATTEMPTS):
                outcome = attempt_shard(work, shard, reporter)
                if outcome.error is None:
                    break
                if attempt + 1 < ATTEMPTS:
                    time.sleep(PAUSE * 2**attempt)
            yield outcome


def attempt_shard(work: Callable[[int, Reporter], T], shard: int, reporter: Reporter = SILENT) -> Outcome[T]:
    """Do the work on one shard once.

    :param work: what `Job.start` returned.
    :param shard: number of the shard.
    :param reporter: receives the progress.
    :return: the result, or why it failed.
    :raises InbedderError: what would fail on every shard.
    """
    try:
        return Outcome(shard, work(shard, reporter))
    except FATAL:
        raise
    except (InbedderError, MemoryError, OSError, ValueError, RuntimeError) as error:
        reason = str(error) or type(error).__name__
        hint = getattr(error, "hint", None)
        return Outcome(shard, error=" ".join(f"{reason} ({hint})".split() if hint else reason.split()))


class _ShareReporter:
    """Turns the progress of the steps within a shard into its share."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        self._advance = advance

    def info(self, message: str) -> None:
        del message

    def warn(self, message: str) -> None:
        del message

    @contextmanager
    def task(
        self, description: str, total: float | None, *, unit: str = ""
    ) -> Iterator[Callable[[float, float], None]]:
        del description, unit
        yield lambda done, units: self._advance(done / total) if total else None


def make_engine(
    name: str,
    address: str | None = None,
    workers: int | None = None,
    reporter: Reporter = SILENT,
    *,
    start_seconds: float = START_SECONDS,
) -> LocalEngine | RayEngine:
    """Return an engine by its name; in a `with` block it keeps what its first run has started for the others.

    :param name: local or ray.
    :param address: of a Ray cluster; None takes RAY_ADDRESS, or starts Ray on this machine.
    :param workers: most workers of Ray; None chooses by the cluster. The engine local has none.
    :param reporter: receives messages.
    :param start_seconds: how long Ray may take to start on this machine.
    :raises UsageError: for an unknown engine, or options that it does not take.
    """
    if name == "local":
        if address is not None:
            raise UsageError("--address is for --engine ray", hint="add --engine ray")
        return LocalEngine()
    if name == "ray":
        from inbedder_cli.shards.ray_engine import RayEngine

        return RayEngine(address, workers, reporter, start_seconds)
    raise UsageError(f'unknown engine "{name}"', hint="use one of: local, ray")
