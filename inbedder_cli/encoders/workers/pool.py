"""The parent's side: start workers, give them texts, and see them fail or die."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import tempfile
import threading
import weakref
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from inbedder_cli import errors
from inbedder_cli.encoders.workers.messages import (
    Done,
    Encode,
    Failed,
    FromWorker,
    Loaded,
    Rows,
    Shared,
    ShareWeights,
    Warned,
    pack_text,
    read_message,
    unpack_rows,
    write_message,
)
from inbedder_cli.errors import InbedderError, ModelError, UsageError
from inbedder_cli.models.store import staging_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inbedder_cli.encoders.encoded import EncodedText
    from inbedder_cli.encoders.workers.messages import Start
    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.progress import Reporter

MODULE = "inbedder_cli.encoders.workers.child"
CLOSE_SECONDS = 5.0  # for workers to end by themselves; then they are killed
MAX_DEATHS = 8  # of workers in one run, after which texts on which two died are not divided further
LOG_BYTES = 4000  # of what a worker has printed, in which the reason for its death is looked for
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(eq=False)
class Job:
    """Texts that one worker encodes.

    :param texts: distinct texts; those that are encoded are removed.
    :param n_failures: how often a worker failed or died on them.
    :param failed_on: the worker that failed last.
    :param error: why.
    """

    texts: list[str]
    n_failures: int = 0
    failed_on: Worker | None = None
    error: InbedderError | None = None

    def halves(self) -> list[Job]:
        """Return two jobs that are tried once more, so that in the end only texts at fault fail."""
        middle = (len(self.texts) + 1) // 2
        parts = (self.texts[:middle], self.texts[middle:])
        return [Job(part, self.n_failures - 1, self.failed_on, self.error) for part in parts]


@dataclass
class Run:
    """One call of `WorkerPool.encode`.

    :param instruction: the question to ask about each text.
    :param options: how texts become vectors and answers.
    :param reporter: receives warnings.
    :param retries: jobs to try again.
    :param failed: jobs that failed for good.
    :param n_deaths: workers that died at work.
    """

    instruction: str
    options: EncodeOptions
    reporter: Reporter
    retries: list[Job] = field(default_factory=list)
    failed: list[Job] = field(default_factory=list)
    n_deaths: int = 0
    has_rows: bool = False  # whether anything was encoded
    warned: set[str] = field(default_factory=set)


class Worker:
    """One worker process.

    :param start: the encoder that it loads.
    :param threads: number of threads that its libraries begin with.
    :param events: receives (worker, message) for each message, and (worker, None) when it has ended.
    :raises OSError: when it cannot be started.
    """

    def __init__(self, start: Start, threads: int, events: queue.Queue[tuple[Worker, Any]]) -> None:
        self.job: Job | None = None
        self.sent: list[str] = []  # the texts of the job as they were sent
        self.shares_weights = False
        self._events = events
        self._log = tempfile.TemporaryFile()
        # -P: the current folder, whose files may be anybody's, is no place to import from. What this process
        # imports from, the worker does too.
        command = [sys.executable, "-P", "-m", MODULE]
        paths = [path or str(os.getcwd()) for path in sys.path]  # noqa: PTH109
        own = {"PYTHONPATH": os.pathsep.join(paths), "TOKENIZERS_PARALLELISM": "false"}
        environment = os.environ | own | dict.fromkeys(THREAD_VARIABLES, str(threads))
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self._log, env=environment)  # noqa: S603
        threading.Thread(target=self._receive, daemon=True).start()
        self.send(start)

    def send(self, message: Any) -> None:  # noqa: ANN401
        """Send a message; if the worker has ended, an event says so."""
        assert self.process.stdin is not None  # noqa: S101
        with suppress(OSError, ValueError):
            write_message(self.process.stdin, message)

    def close(self) -> None:
        """Tell the worker to end: its input does."""
        assert self.process.stdin is not None  # noqa: S101
        with suppress(OSError):
            self.process.stdin.close()

    def wait(self, seconds: float) -> None:
        """Wait until the worker has ended; kill it after some seconds."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()

    def last_words(self) -> str:
        """Wait until the worker has ended, and return how, and the last line that it printed."""
        code = self.process.wait()
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - LOG_BYTES))
        lines = self._log.read().decode("utf-8", "replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"{how}: {said}" if said else how

    def _receive(self) -> None:
        assert self.process.stdout is not None  # noqa: S101
        decoder = msgspec.msgpack.Decoder(FromWorker)
        try:
            with self.process.stdout as stream:
                while (message := read_message(stream, decoder)) is not None:
                    self._events.put((self, message))
        except (OSError, ValueError, MemoryError, msgspec.DecodeError):
            self.process.kill()
        finally:
            self._events.put((self, None))


class WorkerPool:
    """Worker processes that load one encoder. They end after a minute without work, and start again for new work.

    :param starts: the encoder of each worker; they differ in the device.
    :param identity: of the encoder that they must load.
    """

    def __init__(self, starts: Sequence[Start], identity: str) -> None:
        self.starts = starts
        self.identity = identity
        self.dtype: str | None = None  # of the workers' encoder, once one has loaded it
        self._events: queue.Queue[tuple[Worker, Any]] = queue.Queue()
        self._workers: list[Worker | None] = [None] * len(starts)
        self._shared: str | None = None  # the file of the weights, once it is asked for
        self._is_shared = False
        self._stack = ExitStack()
        self._turn = threading.Lock()  # messages of workers are those of one run
        self._at_work: int | None = None  # the thread whose turn it is
        weakref.finalize(self, _end, self._workers, self._stack)

    def encode(
        self, jobs: Iterator[list[str]], n_workers: int, threads: int, run: Run
    ) -> Iterator[dict[str, EncodedText]]:
        """Yield the encoded texts of each batch, in any order. Jobs that fail for good are in `run.failed`.

        :param jobs: the texts of each job.
        :param n_workers: number of workers to use.
        :param threads: number of threads of each.
        :param run: what they encode, and what has failed.
        :yield: the rows of one batch, by text.
        :raises UsageError: when the encoder does.
        :raises InbedderError: when workers fail before any text is encoded, or cannot be started, and for a second
            iterator of one thread. Other threads wait.
        """
        if not self._turn.acquire(blocking=self._at_work != threading.get_ident()):
            raise InbedderError(
                "this encoder is at work on other texts", hint="use up the first iterator, or load another encoder"
            )
        self._at_work = threading.get_ident()
        try:
            self._drop_idle()
            while self._assign(jobs, n_workers, threads, run):
                worker, message = self._events.get()
                if worker in self._workers and (rows := self._handle(worker, message, run)):
                    yield rows
        except BaseException:
            self.close()
            raise
        finally:
            self._at_work = None
            self._turn.release()

    def _handle(self, worker: Worker, message: FromWorker | None, run: Run) -> dict[str, EncodedText] | None:
        """Return the rows in a message, or do what another message demands."""
        match message:
            case Rows() if worker.job is not None:
                try:
                    rows = unpack_rows(message, worker.sent)
                except ValueError:  # its pipe is broken: another worker gets the job
                    worker.process.kill()
                    return None
                worker.job.texts = [text for text in worker.job.texts if text not in rows]
                run.has_rows = True
                return rows
            case Loaded():
                self._check_same(message)
            case Done():
                worker.job = None
                self._share_weights(worker)
            case Failed():
                self._fail(worker, _error_of(message), run)
            case Warned() if message.message not in run.warned:
                run.warned.add(message.message)
                run.reporter.warn(message.message)
            case Shared():
                self._is_shared = message.is_written
                for other in filter(None, self._workers):
                    self._share_weights(other)
            case None:
                self._bury(worker, run)
        return None

    def close(self) -> None:
        """End all workers."""
        _end(self._workers, self._stack)
        self._shared, self._is_shared = None, False

    def _drop_idle(self) -> None:
        """Forget the workers that have ended since the last call, for lack of work."""
        for i, worker in enumerate(self._workers):
            if worker is not None and worker.process.poll() is not None:
                worker.close()
                worker.wait(0)
                self._workers[i] = None

    def _assign(self, jobs: Iterator[list[str]], n_workers: int, threads: int, run: Run) -> bool:
        """Give each idle worker a job, and return whether any is at work."""
        for i in range(n_workers):
            worker = self._workers[i]
            if worker is not None and worker.job is not None:
                continue
            if (job := self._next_job(jobs, worker, n_workers, run)) is None:
                continue
            if worker is None and (worker := self._start(i, threads)) is None:
                run.retries.append(job)
                break
            worker.job, worker.sent = job, job.texts
            texts, options = [pack_text(text) for text in job.texts], asdict(run.options)
            worker.send(Encode(texts, pack_text(run.instruction), options, threads))
        return any(worker is not None and worker.job is not None for worker in self._workers)

    def _start(self, i: int, threads: int) -> Worker | None:
        """Return a new worker; None where the system allows no more, but some are at work.

        :raises InbedderError: where it allows none.
        """
        try:
            worker = Worker(self.starts[i], threads, self._events)
        except OSError as error:
            if any(worker is not None and worker.job is not None for worker in self._workers):
                return None
            raise InbedderError(
                f"cannot start a worker process: {error.strerror or error}", hint="try --workers 1"
            ) from error
        self._workers[i] = worker
        return worker

    @staticmethod
    def _next_job(jobs: Iterator[list[str]], worker: Worker | None, n_workers: int, run: Run) -> Job | None:
        """Return a job to try again, if another worker failed on it, or else a new one."""
        for job in run.retries:
            if worker is None or job.failed_on is not worker or n_workers == 1:
                run.retries.remove(job)
                return job
        texts = next(jobs, None)
        return None if texts is None else Job(texts)

    def _share_weights(self, worker: Worker) -> None:
        """Let the first worker that is done write its weights, and the others map them after their jobs."""
        if len(self.starts) == 1 or worker.shares_weights:
            return
        if self._shared is None:
            with suppress(InbedderError):  # of a folder that cannot be written
                folder = self._stack.enter_context(staging_folder())
                self._shared, worker.shares_weights = str(folder / "weights.safetensors"), True
                worker.send(ShareWeights(self._shared, write=True))
        elif self._is_shared:
            worker.shares_weights = True
            worker.send(ShareWeights(self._shared, write=False))

    def _check_same(self, loaded: Loaded) -> None:
        """Note what a worker has loaded; all must have loaded the same.

        :raises UsageError: when they compute in different dtypes, as different GPUs may.
        :raises ModelError: when the model has changed meanwhile.
        """
        if self.dtype not in (None, loaded.dtype):
            raise UsageError(
                f"the workers compute in different dtypes: {self.dtype} and {loaded.dtype}",
                hint="choose one for all with --dtype",
            )
        if self.identity != loaded.identity:
            raise ModelError(
                "the model has changed since this process looked at it",
                hint="run the same command again, while nobody changes the model",
            )
        self.dtype = loaded.dtype

    def _bury(self, worker: Worker, run: Run) -> None:
        """Forget a worker that has ended; what it was encoding is tried again."""
        self._workers[self._workers.index(worker)] = None
        worker.close()
        ended = worker.last_words()
        worker.wait(0)
        if worker.job is None:  # it had nothing to do for a minute
            return
        run.n_deaths += 1
        error = InbedderError(f"a worker process ended {ended}", hint="is there enough memory? try --workers 1")
        if not run.has_rows and run.n_deaths > len(self.starts):
            raise error
        self._fail(worker, error, run)

    @staticmethod
    def _fail(worker: Worker, error: InbedderError, run: Run) -> None:
        """Try the rest of a worker's job again: on another worker, then in halves, and then give it up."""
        job, worker.job = worker.job, None
        if isinstance(error, UsageError):
            raise error
        if job is None or not job.texts:
            return
        job.n_failures, job.failed_on, job.error = job.n_failures + 1, worker, error
        if job.n_failures < 2:
            run.retries.append(job)
        elif len(job.texts) > 1 and run.n_deaths < MAX_DEATHS and run.has_rows:
            run.retries += job.halves()
        elif run.has_rows:
            run.failed.append(job)
        else:
            raise error


def _end(workers: list[Worker | None], folders: ExitStack) -> None:
    """End workers, and remove what they shared."""
    running = [worker for worker in workers if worker is not None]
    workers[:] = [None] * len(workers)
    for worker in running:
        worker.close()
    for worker in running:
        worker.wait(CLOSE_SECONDS)
    folders.close()


def _error_of(message: Failed) -> InbedderError:
    kind = getattr(errors, message.error, InbedderError)
    is_known = isinstance(kind, type) and issubclass(kind, InbedderError)
    return (kind if is_known else InbedderError)(message.message, hint=message.hint)
