"""The cache of encoded texts: one SQLite file in the cache folder.

A row is found by a hash of its text and of everything else that its vector and answer depend on (see
`CachedEncoder`). Vectors and answers are stored, texts are not; only the owner can read the file. The cache is
disposable: on corruption we warn and encode again.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import time
import weakref
import zlib
from contextlib import suppress
from dataclasses import dataclass
from sys import intern
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from inbedder_cli.encoders.encoded import Answer, EncodedText
from inbedder_cli.paths import cache_dir
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from inbedder_cli.progress import Reporter

SCHEMA = 4
QUERY_KEYS = 500  # keys per query; SQLite allows 999
LOCK_SECONDS = 30.0  # to wait for another process that writes
MAX_LOCKED = 3  # consecutive lock timeouts after which the cache is disabled
STEP = 10_000  # rows or pages removed per transaction, so that other processes can write in between
DAY = 86_400  # seconds
ROW_BYTES = 600  # size of a row without its vector
SIDE_FILES = ("-wal", "-shm", "-journal")
T = TypeVar("T")
TABLE = """
CREATE TABLE IF NOT EXISTS rows (
    key BLOB PRIMARY KEY, vector BLOB NOT NULL, answer TEXT, confidence REAL, next_words TEXT,
    truncated INTEGER NOT NULL, checksum INTEGER NOT NULL, last_used INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS rows_last_used ON rows (last_used)
"""


@dataclass(frozen=True)
class CacheInfo:
    """The size of a cache.

    :param path: its file.
    :param rows: number of encoded texts.
    :param bytes: size of the file and of damaged ones that were renamed.
    :param oldest: when the least recently used row was used, in seconds since 1970; None without rows.
    """

    path: Path
    rows: int
    bytes: int
    oldest: int | None


class RowCache:
    """Vectors and answers by key. Several processes may share one file.

    :param path: the file; None takes `rows.sqlite` in the cache folder.
    :param reporter: receives warnings about the file.
    """

    def __init__(self, path: Path | None = None, reporter: Reporter = SILENT) -> None:
        self.path = path or cache_dir() / "rows.sqlite"
        self.reporter = reporter
        self.is_disabled = False
        self._n_locked = 0  # times in a row
        self._inode = 0
        self._connection: sqlite3.Connection | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_connection": None}  # another process opens the file itself

    def get(self, keys: Sequence[bytes]) -> dict[bytes, EncodedText]:
        """Return cached rows by key.

        :param keys: any number of keys.
        :return: the rows by key; keys that are not cached are missing.
        """
        rows: dict[bytes, EncodedText] = {}
        for start in range(0, len(keys), QUERY_KEYS):
            some = keys[start : start + QUERY_KEYS]
            rows |= self._with(lambda connection, some=some: _get(connection, some)) or {}  # type: ignore[misc]
        return rows

    def put(self, rows: Mapping[bytes, EncodedText]) -> None:
        """Cache rows, all or none of them. Rows with numbers that are not finite are left out.

        :param rows: by key; they replace cached ones.
        """
        now = int(time.time())
        values = []
        for key, row in rows.items():
            if np.isfinite(row.vector).all() and (row.answer is None or math.isfinite(row.answer.confidence)):
                vector = np.asarray(row.vector, np.float32).tobytes()
                answer = (
                    (None,) * 3 if row.answer is None else (*row.answer[:2], json.dumps(row.answer.next_words))
                )
                values.append((key, vector, *answer, row.truncated, _checksum(vector, *answer), now))
        insert = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        self._with(lambda connection: connection.executemany(insert, values).rowcount)

    def info(self) -> CacheInfo:
        """Return the size of the cache.

        :return: numbers of rows and bytes, and the age of the oldest row.
        """
        rows, oldest = 0, None
        if self.path.exists():
            count = "SELECT count(*), min(last_used) FROM rows"
            rows, oldest = self._with(lambda connection: connection.execute(count).fetchone()) or (0, None)
        files = [*self._files(), *self._damaged_files()]
        return CacheInfo(self.path, rows, sum(file.stat().st_size for file in files), oldest)

    def prune(self, *, older_than: float | None = None, max_bytes: int | None = None) -> int:
        """Remove the least recently used rows, and return their number.

        :param older_than: remove rows that were not used for this many seconds.
        :param max_bytes: remove rows until the others take at most this many bytes.
        :return: number of rows removed.
        """
        if not self.path.exists():
            return 0
        removed = 0
        rows_to_prune = self._with(lambda connection: _rows_to_prune(connection, older_than, max_bytes)) or []
        for start in range(0, len(rows_to_prune), STEP):
            some = rows_to_prune[start : start + STEP]
            removed += self._with(lambda connection, some=some: _remove(connection, some)) or 0  # type: ignore[misc]
        while self._with(_shrink):
            pass
        self._with(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        return removed

    def clear(self) -> int:
        """Remove the file and damaged ones that were renamed, and return their size in bytes.

        :return: number of bytes freed.
        """
        self._close()
        files = [*self._files(), *self._damaged_files()]
        size = sum(file.stat().st_size for file in files)
        for file in files:
            file.unlink(missing_ok=True)
        return size

    def _files(self) -> list[Path]:
        """Return the file and those that SQLite keeps beside it."""
        return [
            f
            for f in (self.path, *(self.path.with_name(self.path.name + end) for end in SIDE_FILES))
            if f.exists()
        ]

    def _damaged_files(self) -> list[Path]:
        """Return the damaged files that were renamed earlier."""
        return sorted(self.path.parent.glob(f"{self.path.name}.damaged-*"))

    def _with(self, action: Callable[[sqlite3.Connection], T]) -> T | None:
        """Run an action on the file, commit it, and return its result, or None when it failed.

        An error such as a full disk, or a file that stays locked, disables the cache. A damaged file is renamed.
        """
        if self.is_disabled:
            return None
        try:
            connection = self._open()
            with connection:
                result = action(connection)
            self._n_locked = 0
            return result
        except (sqlite3.OperationalError, OSError) as error:
            self._close()
            self._n_locked += 1
            self.is_disabled = "locked" not in str(error) or self._n_locked == MAX_LOCKED
            problem = "results are not cached" if self.is_disabled else "some results are not cached"
            self.reporter.warn(f"{problem}: {self.path}: {error}")
        except sqlite3.DatabaseError as error:
            self._rename_damaged_file(str(error))
        return None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600)  # SQLite's files beside it follow
            self._inode = os.fstat(file).st_ino
            os.close(file)
            self._connection = connection = sqlite3.connect(self.path, timeout=LOCK_SECONDS)
            weakref.finalize(self, connection.close)  # a reference cycle in sqlite3 would keep the file open
            schema = connection.execute("PRAGMA user_version").fetchone()[0]
            if schema > SCHEMA:
                raise sqlite3.DatabaseError(f"made by a later version of inbedder (schema {schema})")
            if 0 < schema < SCHEMA:
                self.reporter.info("the cache was written by an earlier version; texts are encoded again")
                connection.execute("DROP TABLE IF EXISTS rows")
                schema = 0
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # takes effect in a new file only
            with suppress(sqlite3.OperationalError):  # some network folders do not support it
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if schema == 0:
                connection.executescript(TABLE)
                connection.execute(f"PRAGMA user_version = {SCHEMA}")
                connection.commit()
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _rename_damaged_file(self, why: str) -> None:
        """Rename a damaged file: a new one is made, and the old one can be examined."""
        self._close()
        with suppress(OSError):
            if self.path.stat().st_ino != self._inode:  # another process has already made a new one
                return
        renamed = self.path.with_name(f"{self.path.name}.damaged-{int(time.time())}")
        try:
            self.path.replace(renamed)
            for end in SIDE_FILES:
                self.path.with_name(self.path.name + end).unlink(missing_ok=True)
        except OSError as error:
            self.is_disabled = True
            self.reporter.warn(
                f"results are not cached: {self.path} is damaged ({why}) and cannot be renamed: {error}"
            )
        else:
            self.reporter.warn(
                f"cannot use the cache ({why}): it was renamed to {renamed.name}, and texts are encoded again"
            )


def _get(connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, EncodedText]:
    marks = ",".join("?" * len(keys))
    columns = "key, vector, answer, confidence, next_words, truncated, checksum, last_used"
    rows = connection.execute(f"SELECT {columns} FROM rows WHERE key IN ({marks})", keys).fetchall()  # noqa: S608
    if any(checksum != _checksum(*content) for _, *content, _, checksum, _ in rows):
        raise sqlite3.DatabaseError("the checksum of a row is wrong")
    now = int(time.time())
    stale = [(now, key) for key, *_, last_used in rows if last_used < now - DAY]
    connection.executemany("UPDATE rows SET last_used = ? WHERE key = ?", stale)
    return {
        key: EncodedText(
            np.frombuffer(vector, np.float32),
            None if answer is None else Answer(answer, confidence, _next_words(words)),
            bool(truncated),
        )
        for key, vector, answer, confidence, words, truncated, _, _ in rows
    }


def _next_words(text: str) -> tuple[tuple[str, float], ...]:
    return tuple((intern(word), probability) for word, probability in json.loads(text))


def _rows_to_prune(connection: sqlite3.Connection, older_than: float | None, max_bytes: int | None) -> list[int]:
    """Return the rowids of rows unused since `older_than` seconds, or beyond `max_bytes` by recency."""
    oldest = -1 if older_than is None else int(time.time() - older_than)
    room = math.inf if max_bytes is None else max_bytes
    rows_to_prune = []
    latest_first = "SELECT rowid, length(vector), last_used FROM rows ORDER BY last_used DESC, rowid DESC"
    for rowid, size, last_used in connection.execute(latest_first):
        room -= size + ROW_BYTES
        if last_used <= oldest or room < 0:
            rows_to_prune.append(rowid)
    return rows_to_prune


def _remove(connection: sqlite3.Connection, rowids: Sequence[int]) -> int:
    return connection.executemany("DELETE FROM rows WHERE rowid = ?", [(rowid,) for rowid in rowids]).rowcount


def _shrink(connection: sqlite3.Connection) -> bool:
    """Give some empty pages back to the disk, and return whether there were any."""
    before = connection.execute("PRAGMA freelist_count").fetchone()
    connection.execute(f"PRAGMA incremental_vacuum({STEP})").fetchall()
    return bool(connection.execute("PRAGMA freelist_count").fetchone() < before)


def _checksum(vector: bytes, answer: str | None, confidence: float | None, words: str | None) -> int:
    content = f"{answer or ''} {confidence} {words}"
    return zlib.crc32(content.encode("utf-8", "surrogatepass"), zlib.crc32(vector))
