"""The cache of encoded texts: one SQLite file in the cache folder.

A row is found by a hash of its text and of everything else that its vector and answer depend on (see
`CachedEncoder`). Vectors and answers are stored, texts are not; only the owner can read the file. The cache is
disposable: a row whose checksum is wrong counts as missing, a damaged file is renamed, and texts are encoded
again.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from inbedder_cli.encoders.cache.database import (
    FAILURES,
    SIDE_BYTES,
    Fault,
    explain,
    fault_of,
    files_of,
    open_read_only,
    open_writable,
)
from inbedder_cli.encoders.cache.rows import (
    ROW_BYTES,
    STEP,
    columns_of,
    insert,
    remove,
    row_of,
    rows_to_prune,
    select,
    shrink,
    touch,
)
from inbedder_cli.errors import InbedderError
from inbedder_cli.paths import cache_dir
from inbedder_cli.progress import SILENT
from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from inbedder_cli.encoders.encoded import EncodedText
    from inbedder_cli.progress import Reporter

QUERY_KEYS = 500  # keys per query; SQLite allows 999
MAX_LOCKED = 3  # consecutive lock timeouts after which the cache is disabled
DAY = 86_400  # seconds
MAX_BYTES = 5 * 10**9  # of the file, above which `trim` removes rows
KEPT = 0.9  # share of the largest size that `trim` leaves, so that it is not due at each run
T = TypeVar("T")


@dataclass(frozen=True)
class CacheInfo:
    """The size and the state of a cache.

    :param path: its file.
    :param rows: number of encoded texts; None where the file cannot be read.
    :param bytes: size of the file and of damaged ones that were renamed.
    :param oldest: when the least recently used row was used, in seconds since 1970; None without rows.
    :param state: "ok", "missing", or what is wrong with it.
    """

    path: Path
    rows: int | None
    bytes: int
    oldest: int | None
    state: str


class RowCache:
    """Vectors and answers by key. Several processes and threads may share one file.

    Whatever is wrong with the file, `get` and `put` raise nothing: they warn, and texts are encoded again.

    :param path: the file; None takes `rows.sqlite` in the cache folder.
    :param reporter: receives warnings about the file.
    :param max_bytes: the size above which `trim` removes rows.
    """

    def __init__(self, path: Path | None = None, reporter: Reporter = SILENT, max_bytes: int = MAX_BYTES) -> None:
        self.path = path or cache_dir() / "rows.sqlite"
        self.reporter = reporter
        self.max_bytes = max_bytes
        self.is_disabled = False  # neither read nor written anymore
        self._unwritable: str | None = None  # why nothing can be written, where the file can be read
        self._warned: set[str] = set()
        self._n_locked = 0  # times in a row
        self._inode = 0
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.RLock()

    def __reduce__(self) -> tuple[Any, ...]:
        return RowCache, (self.path, self.reporter, self.max_bytes)  # another process opens the file itself

    def get(self, keys: Sequence[bytes]) -> dict[bytes, EncodedText]:
        """Return cached rows by key.

        :param keys: any number of keys.
        :return: the rows by key; keys that are not cached, or whose row is damaged, are missing.
        """
        rows: dict[bytes, EncodedText] = {}
        stale: list[bytes] = []
        n_damaged = 0
        long_ago = int(time.time()) - DAY
        for start in range(0, len(keys), QUERY_KEYS):
            found = self._run(partial(select, keys[start : start + QUERY_KEYS])) or ()
            for key, last_used, checksum, *content in found:
                row = row_of(key, checksum, content)
                if row is None:
                    n_damaged += 1
                    continue
                rows[key] = row
                if isinstance(last_used, int) and last_used < long_ago:
                    stale.append(key)
        if n_damaged:
            self._warn_once(
                "damaged", f"the cache has damaged rows ({n_damaged:,}); their texts are encoded again"
            )
        if stale:
            self._run(partial(touch, stale), writes=True)
        return rows

    def put(self, rows: Mapping[bytes, EncodedText]) -> None:
        """Cache rows, all or none of them. Rows with numbers that are not finite are left out.

        :param rows: by key; they replace cached ones.
        """
        values = [value for key, row in rows.items() if (value := columns_of(key, row))]
        needed = sum(len(vector) + ROW_BYTES for _, vector, *_ in values) + SIDE_BYTES
        self._run(partial(insert, values), writes=True, needed=needed)
        if values and self._unwritable and not self.is_disabled:
            self._warn_once("unwritable", f"new results are not cached: {self._unwritable}")

    def info(self) -> CacheInfo:
        """Return the size and the state of the cache, and change nothing.

        :return: numbers of rows and bytes, the age of the oldest row, and what is wrong.
        """
        rows, oldest, state = None, None, "ok"
        if _is_missing(self.path):
            rows, state = 0, "missing"
        else:
            try:
                with self._lock:
                    count = "SELECT count(*), min(last_used) FROM rows"
                    rows, oldest = self._open(upgrade=False).execute(count).fetchone()
                if self._unwritable:
                    state = f"read-only: {self._unwritable}"
            except InbedderError as error:
                state = f"not used: {_with_hint(error)}"
            except FAILURES as error:
                state = f"{fault_of(error, self.path).name}: {explain(error, self.path)}"
        used = oldest if isinstance(oldest, int) else None
        return CacheInfo(self.path, rows, sum(map(_size, self._all_files())), used, state)

    def prune(self, *, older_than: float | None = None, max_bytes: int | None = None) -> int:
        """Remove the least recently used rows, and return their number.

        Each step is a transaction: a process that is killed leaves all other rows as they were.

        :param older_than: remove rows that were not used for this many seconds.
        :param max_bytes: remove rows until the others take at most this many bytes.
        :return: number of rows removed.
        :raises InbedderError: when the file is damaged, cannot be written, or is not this user's alone.
        """
        if _is_missing(self.path):
            return 0
        hint = "inbedder cache clear removes the whole cache, and needs no space for it"
        removed = 0
        try:
            with self._lock:
                connection = self._open(upgrade=False)
                if self._unwritable:
                    raise InbedderError(f"cannot prune the cache: {self._unwritable}", hint=hint)
                rows = rows_to_prune(connection, older_than, max_bytes)
                for start in range(0, len(rows), STEP):
                    with connection:
                        removed += remove(connection, rows[start : start + STEP])
                while shrink(connection):
                    pass
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except FAILURES as error:
            self._close()
            problem = f"cannot prune the cache ({count_of(removed, 'row')} removed): {explain(error, self.path)}"
            raise InbedderError(problem, hint=hint) from error
        return removed

    def trim(self) -> None:
        """Remove the least recently used rows if the file is larger than `max_bytes`, and report it."""
        is_readonly = self.is_disabled or self._unwritable is not None
        if is_readonly or sum(map(_size, files_of(self.path))) <= self.max_bytes:
            return
        try:
            removed = self.prune(max_bytes=int(KEPT * self.max_bytes))
        except InbedderError as error:
            self._warn_once("large", f"{error}; it is larger than {self.max_bytes / 1e9:g} GB")
            return
        if removed:
            self.reporter.info(
                f"cache: {count_of(removed, 'row')} removed, the least recently used first; it may take "
                f"{self.max_bytes / 1e9:g} GB (--cache-max-size)"
            )

    def clear(self) -> int:
        """Remove the file and damaged ones that were renamed, and return their size in bytes.

        :return: number of bytes freed.
        :raises InbedderError: when a file cannot be removed.
        """
        self._close()
        size = 0
        for file in self._all_files():
            size += _size(file)
            try:
                file.unlink(missing_ok=True)  # of a link, the link
            except OSError as error:
                raise InbedderError(f"cannot remove {file}: {error.strerror or error}") from error
        return size

    def _all_files(self) -> list[Path]:
        """Return the file, those that SQLite keeps beside it, and damaged ones that were renamed."""
        return [*files_of(self.path), *sorted(self.path.parent.glob(f"{self.path.name}.damaged-*"))]

    def _run(
        self, action: Callable[[sqlite3.Connection], T], *, writes: bool = False, needed: int = SIDE_BYTES
    ) -> T | None:
        """Run an action on the file, commit it, and return its result, or None when it failed.

        A file or folder of other users disables the cache, as does one that cannot be read or stays locked. One
        that cannot be written is only read. A damaged file is renamed.
        """
        if self.is_disabled or (writes and self._unwritable):
            return None
        with self._lock:  # also while a failure is handled: that may close the connection
            try:
                connection = self._open()
                if writes and self._unwritable:
                    return None
                with connection:
                    result = action(connection)
            except InbedderError as error:
                self._disable(_with_hint(error))
            except FAILURES as error:
                self._handle(error, writes, needed)
            else:
                self._n_locked = 0
                return result
        return None

    def _handle(self, error: Exception, writes: bool, needed: int) -> None:
        problem = explain(error, self.path, needed)
        fault = fault_of(error, self.path)
        if fault is Fault.inaccessible and writes and self._connection is not None:
            self._unwritable = problem  # the connection can still read
            return
        self._close()
        if fault is Fault.locked:
            self._n_locked += 1
            if self._n_locked < MAX_LOCKED:
                self.reporter.warn(f"some results are not cached: {problem}")
            else:
                self._disable(problem)
        elif fault is Fault.damaged and not self._unwritable:
            self._rename_damaged_file(problem)
        else:
            self._disable(problem)

    def _disable(self, problem: str) -> None:
        self.is_disabled = True
        self.reporter.warn(f"results are not cached: {problem}")

    def _warn_once(self, topic: str, message: str) -> None:
        if topic not in self._warned:
            self._warned.add(topic)
            self.reporter.warn(message)

    def _open(self, *, upgrade: bool = True) -> sqlite3.Connection:
        """Return a connection: to read and write, or else to read.

        :raises InbedderError: when the folder or the file is not this user's alone.
        """
        if self._connection is None:
            self._inode = _inode(self.path)
            try:
                connection = open_writable(self.path, self._tell_upgrade if upgrade else None)
            except (sqlite3.Error, OSError) as error:
                if fault_of(error, self.path) is not Fault.inaccessible or not self.path.exists():
                    raise
                self._unwritable = explain(error, self.path)
                connection = open_read_only(self.path)
            self._inode = _inode(self.path)
            self._connection = connection
            weakref.finalize(self, connection.close)  # a reference cycle in sqlite3 would keep the file open
        return self._connection

    def _tell_upgrade(self) -> None:
        self.reporter.info("the cache was written by an earlier version; texts are encoded again")

    def _close(self) -> None:
        with self._lock:
            if self._connection is not None:
                with suppress(sqlite3.Error):
                    self._connection.close()
                self._connection = None

    def _rename_damaged_file(self, problem: str) -> None:
        """Rename a damaged file: a new one is made, and the old one can be examined."""
        if _inode(self.path) != self._inode:  # another process has already made a new one
            return
        renamed = self.path.with_name(f"{self.path.name}.damaged-{int(time.time())}")
        try:
            self.path.replace(renamed)
            for side_file in files_of(self.path):
                side_file.unlink(missing_ok=True)
        except OSError as error:
            self._disable(f"{problem}, and cannot be renamed: {error.strerror or error}")
        else:
            self.reporter.warn(
                f"cannot use the cache ({problem}): it was renamed to {renamed.name}, and texts are encoded again"
            )


def _with_hint(error: InbedderError) -> str:
    return f"{error}; {error.hint}" if error.hint else str(error)


def _is_missing(file: Path) -> bool:
    try:
        file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False  # opening it says why
    return False


def _size(file: Path) -> int:
    with suppress(OSError):  # SQLite removes its files beside the cache at any moment
        return file.lstat().st_size
    return 0


def _inode(file: Path) -> int:
    with suppress(OSError):
        return file.stat().st_ino
    return 0
