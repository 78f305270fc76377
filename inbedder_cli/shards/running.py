"""Run the shards that are missing, record those that fail, and tell how far a plan is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec

from inbedder_cli.errors import RowsFailedError, UsageError
from inbedder_cli.progress import SILENT
from inbedder_cli.shards.shard_embeddings import is_done
from inbedder_cli.shards.sharding import FAILED, SAMPLE, VECTORS, read_plan, shard_of_name
from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from inbedder_cli.progress import Reporter
    from inbedder_cli.shards.engines import Engine, Outcome
    from inbedder_cli.shards.jobs import EmbedCounts, Job
    from inbedder_cli.shards.sharding import Plan
    from inbedder_cli.shards.stores import Store

T = TypeVar("T")
THREADS = 16  # that look at files
WINDOW = 1800.0  # seconds of the latest shards by which the speed is measured
NAMED = 10  # failed shards that a message names
MOST_FAILURES = 5  # of the first shards, all of which failed, after which others are not tried
MAX_FAILURE_BYTES = 100_000


class Failure(msgspec.Struct, frozen=True):
    """Why a shard failed: failed/part-00017.json."""

    shard: int
    error: str
    at: str


@dataclass(frozen=True)
class Status:
    """How far a plan is.

    :param n_shards: number of shards.
    :param n_rows: number of rows.
    :param done: shards whose vectors are there.
    :param done_rows: their rows.
    :param failures: shards that failed when they were last tried.
    :param rate: rows per second of all workers together, over the latest half hour of work; None where fewer than
        two shards are done, or the store does not tell when.
    """

    n_shards: int
    n_rows: int
    done: list[int]
    done_rows: int
    failures: list[Failure]
    rate: float | None

    @property
    def missing(self) -> int:
        """Number of shards that are not done and have not failed."""
        return self.n_shards - len(self.done) - len(self.failures)

    @property
    def seconds_left(self) -> float | None:
        """How long the other rows take at this rate."""
        return None if not self.rate else (self.n_rows - self.done_rows) / self.rate


def status_of(work: Store, plan: Plan) -> Status:
    """Return how far a plan is, from the names and times of its files: files appear when they are whole.

    :param work: the folder of the plan.
    :param plan: the plan.
    :raises InbedderError: when the folder cannot be listed.
    """
    states = {
        shard: state.modified
        for name, state in work.states(VECTORS).items()
        if (shard := shard_of_name(name)) is not None and shard in plan.shards
    }
    failed = sorted(
        n for name in work.states(FAILED) if (n := shard_of_name(name)) is not None and n not in states
    )
    failures = [_read_failure(work, shard) for shard in failed]
    sizes = {shard: len(plan.rows_of(shard)) for shard in states}
    times = sorted((at, sizes[shard]) for shard, at in states.items() if at is not None)
    return Status(len(plan.starts), plan.n_rows, sorted(states), sum(sizes.values()), failures, _rate(times))


def _rate(times: Sequence[tuple[float, int]]) -> float | None:
    """Return rows per second from when each shard was done: the rows after the first one, over the time since."""
    recent = [one for one in times if one[0] >= times[-1][0] - WINDOW]
    seconds = recent[-1][0] - recent[0][0] if recent else 0.0
    return sum(rows for _, rows in recent[1:]) / seconds if seconds > 0 else None


def _read_failure(work: Store, shard: int) -> Failure:
    content = work.read(f"{FAILED}/part-{shard:05d}.json", MAX_FAILURE_BYTES) or b"{}"
    try:
        return msgspec.json.decode(content, type=Failure)
    except msgspec.MsgspecError:
        return Failure(shard, "unknown", "")


def missing_shards(work: Store, plan: Plan, shards: Iterable[int] | None = None) -> list[int]:
    """Return the shards whose vectors or samples are not there, or not whole.

    :param work: the folder of the plan.
    :param plan: the plan.
    :param shards: those to look at; None: all.
    :raises ChangedError: for vectors of another plan.
    """
    chosen = list(plan.shards if shards is None else shards)
    there = {shard_of_name(name) for name in work.states(VECTORS)}
    sampled = {shard_of_name(name) for name in work.states(SAMPLE)}
    known = [shard for shard in chosen if shard in there]
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda shard: is_done(work, plan, shard), known))
    done = {shard for shard, is_whole in zip(known, found, strict=True) if is_whole} & sampled
    return [shard for shard in chosen if shard not in done]


def check_shards(plan: Plan, shards: Iterable[int]) -> list[int]:
    """Return numbers of shards, each once.

    :param plan: the plan.
    :param shards: their numbers.
    :raises UsageError: for a number that the plan has not.
    """
    chosen = list(dict.fromkeys(shards))
    if wrong := [shard for shard in chosen if shard not in plan.shards]:
        raise UsageError(f"there is no shard {wrong[0]}", hint=f"the plan has shards 0 to {len(plan.starts) - 1}")
    return chosen


def run_embedding(
    work: Store,
    job: Job[EmbedCounts],
    engine: Engine,
    shards: Iterable[int] | None = None,
    reporter: Reporter = SILENT,
) -> int:
    """Encode the shards that are missing; those that are done are left as they are.

    :param work: the folder of the plan.
    :param job: what is done with each, such as an `EmbedJob`.
    :param engine: runs it.
    :param shards: their numbers; None: all.
    :param reporter: receives messages and progress.
    :return: number of rows without a finite vector in the shards that were encoded now.
    :raises RowsFailedError: when some shards failed; all others are done.
    :raises InbedderError: what would fail on every shard.
    """
    plan = read_plan(work)
    chosen = list(plan.shards) if shards is None else check_shards(plan, shards)
    missing = missing_shards(work, plan, chosen)
    if len(missing) < len(chosen):
        reporter.info(f"{len(chosen) - len(missing):,} of {len(chosen):,} shards are done already")

    def record(outcome: Outcome[EmbedCounts]) -> None:
        name = f"{FAILED}/part-{outcome.shard:05d}.json"
        if outcome.error is None:
            work.remove(name)
        else:
            failure = Failure(outcome.shard, outcome.error, datetime.now(UTC).isoformat(timespec="seconds"))
            work.write(name, msgspec.json.encode(failure))

    results, failures = run_shards(plan, job, engine, missing, "encoding", reporter, record)
    if n_truncated := sum(counts.n_truncated for counts in results.values()):
        reporter.warn(
            f"{n_truncated:,} texts were truncated to fit {plan.encoding.max_tokens} tokens (--max-tokens)"
        )
    raise_for_failures(failures, f"inbedder shards run {work.location}")
    return sum(counts.n_failed for counts in results.values())


def raise_for_failed_rows(n_failed: int) -> None:
    """Raise an error if rows have failed.

    :param n_failed: number of these rows.
    :raises RowsFailedError: if there are any.
    """
    if n_failed:
        hint = "plan again with --dtype float32 or --vector-dtype float32; the other rows were written"
        raise RowsFailedError(f"{count_of(n_failed, 'row')} without a finite vector (status failed)", hint=hint)


def run_shards(
    plan: Plan,
    job: Job[T],
    engine: Engine,
    shards: Sequence[int],
    what: str,
    reporter: Reporter,
    on_outcome: Callable[[Outcome[T]], None] = lambda outcome: None,
) -> tuple[dict[int, T], dict[int, str]]:
    """Run a job on shards.

    :param plan: the plan.
    :param job: the work.
    :param engine: runs it.
    :param shards: their numbers.
    :param what: what is done, for the progress.
    :param reporter: receives the progress.
    :param on_outcome: called with each outcome, before the next.
    :return: what the job returned by shard, and why others failed.
    :raises RowsFailedError: when the first shards all fail: the others are not tried.
    :raises InbedderError: what would fail on every shard.
    """
    results: dict[int, T] = {}
    failures: dict[int, str] = {}
    if not shards:
        return results, failures
    sizes = {shard: len(plan.rows_of(shard)) for shard in shards}
    done, running = 0, dict[int, float]()
    with reporter.task(f"{what} {len(shards):,} shards", sum(sizes.values()), unit="rows") as advance:

        def show(shard: int, share: float) -> None:
            running[shard] = share * sizes[shard]
            n = done + sum(running.values())
            advance(n, n)

        for outcome in engine.run(job, shards, show):
            running.pop(outcome.shard, None)
            on_outcome(outcome)
            if outcome.error is None and outcome.result is not None:
                results[outcome.shard] = outcome.result
                done += sizes[outcome.shard]
            else:
                failures[outcome.shard] = outcome.error or "unknown"
            if len(failures) == MOST_FAILURES < len(shards) and not results:  # a store that is down, ...
                raise RowsFailedError(f"the first {MOST_FAILURES} shards all failed: {_shown(failures)}")
            n = done + sum(running.values())
            advance(n, n)
    return results, failures


def raise_for_failures(failures: dict[int, str], command: str) -> None:
    """Raise an error that names the shards that failed, if any did.

    :param failures: why each failed.
    :param command: what tries them again.
    :raises RowsFailedError: if there are any.
    """
    if not failures:
        return
    rest = f"; and {len(failures) - NAMED:,} more" if len(failures) > NAMED else ""
    raise RowsFailedError(
        f"{len(failures):,} shards failed, the others are done: {_shown(failures)}{rest}",
        hint=f"to try them again: {command}",
    )


def _shown(failures: dict[int, str]) -> str:
    return "; ".join(f"shard {shard}: {error}" for shard, error in sorted(failures.items())[:NAMED])
