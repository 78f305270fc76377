"""An encoder wrapper that encodes with worker processes where there is enough to do."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.encoders.base import BaseEncoder
from inbedder_cli.encoders.encoded import Answer, EncodedText
from inbedder_cli.encoders.transformers.batching import canonical_order
from inbedder_cli.encoders.transformers.device import ACCELERATOR_BATCH_TOKENS, CPU_BATCH_TOKENS
from inbedder_cli.encoders.transformers.model_encoder import PROMPT_COST
from inbedder_cli.encoders.workers.messages import Start
from inbedder_cli.encoders.workers.pool import Run, WorkerPool
from inbedder_cli.encoders.workers.worker_layout import (
    Layout,
    bytes_of_worker,
    candidates,
    fastest,
    n_cores,
    n_in_memory,
    n_worth_starting,
    race_key,
)
from inbedder_cli.encoders.wrapped import WrappedEncoder
from inbedder_cli.models.memo import recall, remember
from inbedder_cli.models.speed import remember_speed
from inbedder_cli.options import EncodeOptions
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from inbedder_cli.progress import Reporter

BATCHES = 4  # per job: a worker decodes answers of so many together, and is asked for more once a second or so
CHARACTERS_PER_TOKEN = 4
HEATS = 2  # of each layout in a race; they alternate
RACE_SHARE = 1 / 3  # of the jobs that a race may take
NAMED_TEXTS = 3  # of those that fail, in the warning
NAMED_CHARACTERS = 40
MAKING = threading.Lock()  # of a pool, of which an encoder has one


@dataclass
class ParallelEncoder(WrappedEncoder):
    """An encoder that gives texts to worker processes.

    On CPUs, workers of one thread or two share the cores; which is faster is found by a race over the first texts,
    and remembered per machine. On GPUs, each has one of its own. Where there is too little to do, the wrapped
    encoder encodes in this process.

    :param encoder: encodes where there is too little to do.
    :param start: the encoder that each worker loads.
    :param n_workers: number of workers; None chooses by cores, memory, and what there is to do.
    :param devices: a GPU for each worker; empty for the device of the encoder.
    """

    start: Start
    n_workers: int | None = None
    devices: Sequence[str] = ()
    _pool: WorkerPool | None = field(default=None, init=False, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_pool": None}  # workers are started again where they are needed

    @property
    def dtype(self) -> str:
        """The dtype that the encoder computes in, as its workers say."""
        return (self._pool and self._pool.dtype) or self.encoder.dtype

    def vector_size(self, options: EncodeOptions) -> int:
        """Return the length of the vectors; see `BaseEncoder`.

        :param options: how texts become vectors.
        """
        return self.encoder.vector_size(options) if isinstance(self.encoder, BaseEncoder) else 0

    @property
    def model(self) -> Any:  # noqa: ANN401
        """The loaded model of this process, of an encoder that has one."""
        return self.encoder.model  # type: ignore[attr-defined]

    def close(self) -> None:
        """End the workers. Those without work end by themselves after a minute."""
        if self._pool is not None:
            self._pool.close()

    def encode_batches(
        self,
        texts: Sequence[str],
        instruction: str,
        options: EncodeOptions | None = None,
        reporter: Reporter = SILENT,
        known: Container[str] = (),
    ) -> Iterator[dict[str, EncodedText]]:
        """Yield encoded texts batch by batch, in any order; see `Encoder`.

        Texts on which two workers fail get a vector of NaN, and a warning names them.

        :param texts: distinct texts.
        :param instruction: the question to ask about each text.
        :param options: how texts become vectors and answers; None takes the defaults.
        :param reporter: receives progress and warnings.
        :param known: texts to skip.
        :yield: the rows of one batch, by text.
        """
        options = options or EncodeOptions()
        missing = [text for text in texts if text not in known]
        jobs = list(self._plan_jobs(missing, options))
        layouts = self._layouts(len(missing), len(jobs), reporter)
        if not layouts:
            yield from self.encoder.encode_batches(texts, instruction, options, reporter, known)
            return
        with MAKING:
            pool = self._pool = self._pool or WorkerPool(self._starts(layouts), self.identity)
        run = Run(instruction, options, reporter)
        start, rows, done, size = time.perf_counter(), 0, 0, 0
        with reporter.task("encoding", sum(map(_cost, missing)), unit="rows") as advance:
            for batch in self._encode(pool, jobs, layouts, run):
                yield batch
                rows += len(batch)
                done += sum(map(_cost, batch))
                size = len(next(iter(batch.values())).vector)
                advance(done, rows)
        remember_speed(self.name, rows, time.perf_counter() - start, layouts[0].n_workers)
        for job in run.failed:
            yield _failed_rows(job.texts, size, options)
        if failed := [text for job in run.failed for text in job.texts]:
            reporter.warn(f"{len(failed):,} texts could not be encoded ({_named(failed)}): {run.failed[0].error}")

    def _plan_jobs(self, texts: Sequence[str], options: EncodeOptions) -> Iterator[list[str]]:
        """Yield the texts of each job, the longest first: the last jobs are short, so no worker waits long."""
        is_cpu = not self.devices and self.device.startswith("cpu")
        tokens = options.batch_tokens or (CPU_BATCH_TOKENS if is_cpu else ACCELERATOR_BATCH_TOKENS)
        room = budget = BATCHES * CHARACTERS_PER_TOKEN * tokens
        job: list[str] = []
        for i in canonical_order(texts):
            if job and _cost(texts[i]) > room:
                yield job
                job, room = [], budget
            job.append(texts[i])
            room -= _cost(texts[i])
        if job:
            yield job

    def _layouts(self, n_texts: int, n_jobs: int, reporter: Reporter) -> list[Layout]:
        """Return the layouts among which a race decides: mostly one; none where this process encodes."""
        if n_jobs < 2 or self.n_workers == 1:
            return []
        weights_bytes = getattr(self.encoder, "weights_bytes", 0)
        if self.devices:
            n = min(len(self.devices), n_jobs)
            chosen = [Layout(n, max(1, n_cores() // len(self.devices)))]
        elif self.n_workers is not None:
            n = min(self.n_workers, n_jobs)
            chosen = [Layout(n, max(1, n_cores() // n))]
            if n > (n_in_memory(weights_bytes) or n):
                reporter.warn(f"{n} workers may need more memory than is free; if they die, give fewer --workers")
        elif not self.device.startswith("cpu"):
            return []
        else:
            chosen = self._cpu_layouts(n_texts, n_jobs, weights_bytes)
        if chosen:
            most = bytes_of_worker(weights_bytes) / 1e9
            reporter.info(f"encoding with {chosen[0]} (at most {most:.1f} GB of memory each while loading)")
        return chosen

    def _cpu_layouts(self, n_texts: int, n_jobs: int, weights_bytes: int) -> list[Layout]:
        if (most := n_worth_starting(self.name, n_texts)) < 2:
            return []
        most = min(most, n_jobs, n_in_memory(weights_bytes) or n_jobs)
        cores = n_cores()
        won = recall(race_key(self, cores))
        layouts = candidates(cores) if won is None else [Layout(*won)]
        layouts = [layout for layout in layouts if layout.n_workers <= most] or [Layout(min(most, cores), 1)]
        n_raced = sum(layout.n_workers for layout in layouts) * HEATS + layouts[0].n_workers
        if n_raced > RACE_SHARE * n_jobs:
            layouts = layouts[:1]
        return [] if layouts[0].n_workers < 2 else layouts

    def _starts(self, layouts: Sequence[Layout]) -> list[Start]:
        n = max(len(self.devices), *(layout.n_workers for layout in layouts), self.n_workers or n_cores())
        devices = self.devices or [self.start.settings["device"]] * n
        return [
            Start(self.start.backend, self.start.reference, self.start.settings | {"device": device})
            for device in devices
        ]

    def _encode(
        self, pool: WorkerPool, jobs: Sequence[list[str]], layouts: Sequence[Layout], run: Run
    ) -> Iterator[dict[str, EncodedText]]:
        """Yield the rows of each batch. Where layouts race, the first jobs are heats; the winner gets the rest."""
        rest, best = iter(jobs), layouts[0]
        if len(layouts) > 1:
            yield from pool.encode(islice(rest, best.n_workers), *best, run)  # loads the model
            rates = dict.fromkeys(layouts, 0.0)
            for layout in [*layouts] * HEATS:
                heat = list(islice(rest, layout.n_workers))
                start = time.perf_counter()
                yield from pool.encode(iter(heat), *layout, run)
                rates[layout] += sum(_cost(text) for job in heat for text in job) / (time.perf_counter() - start)
            best = fastest(rates)
            remember(race_key(self, n_cores()), list(best))
            if best != layouts[0]:
                run.reporter.info(f"encoding with {best}, which is faster here")
        yield from pool.encode(rest, *best, run)


def _cost(text: str) -> int:
    return len(text) + PROMPT_COST


def _failed_rows(texts: Sequence[str], size: int, options: EncodeOptions) -> dict[str, EncodedText]:
    answer = Answer("", 0.0) if options.answers else None
    return {text: EncodedText(np.full(size, math.nan, np.float32), answer, False) for text in texts}


def _named(texts: Sequence[str]) -> str:
    """Return the beginnings of the first texts, for a message."""
    shown = ['"' + " ".join(text[:NAMED_CHARACTERS].split()) + '"' for text in texts[:NAMED_TEXTS]]
    return ", ".join([*shown, *(["..."] if len(texts) > NAMED_TEXTS else [])])
