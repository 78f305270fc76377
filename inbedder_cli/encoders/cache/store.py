"""Rows that were read before, in one SQLite file of the cache folder, so that no row is read twice.

A row is known by a hash of its text and of all that shapes what is read from it (`encoders.cached`). Texts are not
stored; vectors and answers are, in a file that its owner alone can read. The file is never needed: what is wrong
with it is told, and the rows are read again.
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
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from inbedder_cli.encoders.base import Answer, EncodedText
from inbedder_cli.models.store import cache_folder
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from inbedder_cli.progress import Reporter

SCHEMA = 3
AT_ONCE = 500  # keys of one look-up; SQLite takes 999
PATIENCE = 30.0  # seconds to wait for another process that writes
WAITS = 3  # in vain and one after the other, after which the file is left alone
STEP = 10_000  # rows or pages that are removed at once: others may write in between
DAY = 86_400
ROW_BYTES = 600  # of a row beside its vector
BESIDE = ("-wal", "-shm", "-journal")
T = TypeVar("T")
TABLE = """
CREATE TABLE IF NOT EXISTS rows (
    key BLOB PRIMARY KEY, vector BLOB NOT NULL, answer TEXT, confidence REAL, words TEXT,
    truncated INTEGER NOT NULL, checksum INTEGER NOT NULL, used INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS rows_used ON rows (used)
"""


@dataclass(frozen=True)
class CacheInfo:
    """What a cache holds.

    :param bytes: size of its file, and of those that were set aside.
    :param oldest: when the row that was not used for longest was used, in seconds since 1970; None without rows.
    """

    path: Path
    rows: int
    bytes: int
    oldest: int | None


class RowCache:
    """Vectors and answers by key; several processes may use one file.

    :param path: the file; None takes the cache folder's own.
    :param reporter: hears what is wrong with it.
    """

    def __init__(self, path: Path | None = None, reporter: Reporter = SILENT) -> None:
        self.path = path or cache_folder() / "rows.sqlite"
        self.reporter = reporter
        self.given_up = False
        self._waited = 0  # times in vain
        self._inode = 0
        self._connection: sqlite3.Connection | None = None

    def get(self, keys: Sequence[bytes]) -> dict[bytes, EncodedText]:
        """Return the rows that are there."""
        found: dict[bytes, EncodedText] = {}
        for start in range(0, len(keys), AT_ONCE):
            some = keys[start : start + AT_ONCE]
            found |= self._with(lambda connection, some=some: _get(connection, some)) or {}  # type: ignore[misc]
        return found

    def put(self, rows: Mapping[bytes, EncodedText]) -> None:
        """Keep rows, all or none of them; those whose numbers are not finite are not worth it."""
        now = int(time.time())
        made = []
        for key, row in rows.items():
            if np.isfinite(row.vector).all() and (row.answer is None or math.isfinite(row.answer.confidence)):
                vector = np.asarray(row.vector, np.float32).tobytes()
                told = (None,) * 3 if row.answer is None else (*row.answer[:2], json.dumps(row.answer.words))
                made.append((key, vector, *told, row.truncated, _checksum(vector, *told), now))
        insert = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        self._with(lambda connection: connection.executemany(insert, made).rowcount)

    def info(self) -> CacheInfo:
        """Return what is there."""
        rows, oldest = 0, None
        if self.path.exists():
            count = "SELECT count(*), min(used) FROM rows"
            rows, oldest = self._with(lambda connection: connection.execute(count).fetchone()) or (0, None)
        files = [*self._files(), *self._set_aside_before()]
        return CacheInfo(self.path, rows, sum(file.stat().st_size for file in files), oldest)

    def prune(self, *, older_than: float | None = None, max_bytes: int | None = None) -> int:
        """Remove rows, those that were not used for longest first, and return how many.

        :param older_than: seconds since they were used.
        :param max_bytes: what the rows that stay may take.
        """
        if not self.path.exists():
            return 0
        removed = 0
        unwanted = self._with(lambda connection: _unwanted(connection, older_than, max_bytes)) or []
        for start in range(0, len(unwanted), STEP):
            some = unwanted[start : start + STEP]
            removed += self._with(lambda connection, some=some: _remove(connection, some)) or 0  # type: ignore[misc]
        while self._with(_shrink):
            pass
        self._with(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        return removed

    def clear(self) -> int:
        """Remove the file, and those that were set aside, and return their size in bytes."""
        self._close()
        files = [*self._files(), *self._set_aside_before()]
        size = sum(file.stat().st_size for file in files)
        for file in files:
            file.unlink(missing_ok=True)
        return size

    def _files(self) -> list[Path]:
        """Return the file, and those that SQLite keeps beside it."""
        return [
            f for f in (self.path, *(self.path.with_name(self.path.name + end) for end in BESIDE)) if f.exists()
        ]

    def _set_aside_before(self) -> list[Path]:
        """Return the damaged files of earlier times."""
        return sorted(self.path.parent.glob(f"{self.path.name}.damaged-*"))

    def _with(self, action: Callable[[sqlite3.Connection], T]) -> T | None:
        """Return what an action on the file returns, after committing it; None when it went wrong.

        A full disk, or a lock that does not open again and again, ends the use of the file; a damaged one is set
        aside.
        """
        if self.given_up:
            return None
        try:
            connection = self._open()
            with connection:
                done = action(connection)
            self._waited = 0
            return done
        except (sqlite3.OperationalError, OSError) as error:
            self._close()
            self._waited += 1
            self.given_up = "locked" not in str(error) or self._waited == WAITS
            lost = "rows are not cached_value" if self.given_up else "some rows are not cached_value"
            self.reporter.warn(f"{lost}: {self.path}: {error}")
        except sqlite3.DatabaseError as error:
            self._set_aside(str(error))
        return None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600)  # SQLite's files beside it follow
            self._inode = os.fstat(file).st_ino
            os.close(file)
            self._connection = connection = sqlite3.connect(self.path, timeout=PATIENCE)
            weakref.finalize(self, connection.close)  # sqlite3's own cycle would keep the file open
            schema = connection.execute("PRAGMA user_version").fetchone()[0]
            if schema > SCHEMA:
                raise sqlite3.DatabaseError(f"made by a later version of inbedder (schema {schema})")
            if 0 < schema < SCHEMA:
                self.reporter.info("the cache is of an earlier version of inbedder: rows are read again")
                connection.execute("DROP TABLE IF EXISTS rows")
                schema = 0
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # counts for a new file alone
            with suppress(sqlite3.OperationalError):  # some network folders: the old journal does there
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

    def _set_aside(self, why: str) -> None:
        """Rename a damaged file, so that a new one is made and someone may look at the old one."""
        self._close()
        with suppress(OSError):
            if self.path.stat().st_ino != self._inode:  # another process did, and has made the new one
                return
        aside = self.path.with_name(f"{self.path.name}.damaged-{int(time.time())}")
        try:
            self.path.replace(aside)
            for end in BESIDE:
                self.path.with_name(self.path.name + end).unlink(missing_ok=True)
        except OSError as error:
            self.given_up = True
            self.reporter.warn(f"rows are not cached_value: {self.path} is damaged ({why}) and stays: {error}")
        else:
            self.reporter.warn(f"the cache is of no use ({why}): it is now {aside.name}, and rows are read again")


def _get(connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, EncodedText]:
    marks = ",".join("?" * len(keys))
    columns = "key, vector, answer, confidence, words, truncated, checksum, used"
    rows = connection.execute(f"SELECT {columns} FROM rows WHERE key IN ({marks})", keys).fetchall()  # noqa: S608
    if any(checksum != _checksum(*content) for _, *content, _, checksum, _ in rows):
        raise sqlite3.DatabaseError("a row is not what was written")
    now = int(time.time())
    seldom = [(now, key) for key, *_, used in rows if used < now - DAY]
    connection.executemany("UPDATE rows SET used = ? WHERE key = ?", seldom)
    return {
        key: EncodedText(
            np.frombuffer(vector, np.float32),
            None if answer is None else Answer(answer, confidence, _words(words)),
            bool(truncated),
        )
        for key, vector, answer, confidence, words, truncated, _, _ in rows
    }


def _words(written: str) -> tuple[tuple[str, float], ...]:
    return tuple((intern(word), probability) for word, probability in json.loads(written))


def _unwanted(connection: sqlite3.Connection, older_than: float | None, max_bytes: int | None) -> list[int]:
    """Return the rowids of rows that were not used for so long, or that find no room beside those used later."""
    oldest = -1 if older_than is None else int(time.time() - older_than)
    room = math.inf if max_bytes is None else max_bytes
    unwanted = []
    latest_first = "SELECT rowid, length(vector), used FROM rows ORDER BY used DESC, rowid DESC"
    for rowid, size, used in connection.execute(latest_first):
        room -= size + ROW_BYTES
        if used <= oldest or room < 0:
            unwanted.append(rowid)
    return unwanted


def _remove(connection: sqlite3.Connection, rowids: Sequence[int]) -> int:
    return connection.executemany("DELETE FROM rows WHERE rowid = ?", [(rowid,) for rowid in rowids]).rowcount


def _shrink(connection: sqlite3.Connection) -> bool:
    """Give some pages that hold nothing back to the disk, and return whether there were any."""
    before = connection.execute("PRAGMA freelist_count").fetchone()
    connection.execute(f"PRAGMA incremental_vacuum({STEP})").fetchall()
    return bool(connection.execute("PRAGMA freelist_count").fetchone() < before)


def _checksum(vector: bytes, answer: str | None, confidence: float | None, words: str | None) -> int:
    told = f"{answer or ''} {confidence} {words}"
    return zlib.crc32(told.encode("utf-8", "surrogatepass"), zlib.crc32(vector))
