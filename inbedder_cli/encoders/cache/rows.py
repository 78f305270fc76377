"""The rows of the cache: their columns, their checksums, and the queries."""

from __future__ import annotations

import json
import math
import sqlite3
import time
import zlib
from contextlib import suppress
from sys import intern
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.encoders.encoded import Answer, EncodedText

if TYPE_CHECKING:
    from collections.abc import Sequence

ROW_BYTES = 750  # size of a row without its vector
FEW_BYTES = 1_000_000  # below which the empty tables weigh more than the rows
STEP = 10_000  # rows or pages removed per transaction, so that other processes can write in between


def columns_of(key: bytes, row: EncodedText) -> tuple[Any, ...] | None:
    """Return a row as the values of its columns.

    :param key: of the row.
    :param row: an encoded text.
    :return: the values, or None when some of its numbers are not finite.
    """
    vector = np.asarray(row.vector, np.float32)
    if not np.isfinite(vector).all() or (row.answer is not None and not math.isfinite(row.answer.confidence)):
        return None
    answer: tuple[bytes | None, float | None, bytes | None] = (None, None, None)
    if row.answer is not None:
        words = json.dumps(row.answer.next_words).encode()
        answer = (row.answer.text.encode("utf-8", "surrogatepass"), float(row.answer.confidence), words)
    content = (vector.tobytes(), *answer, int(row.truncated))
    return (key, *content, _checksum(key, *content), int(time.time()))


def row_of(key: bytes, checksum: int, content: Sequence[Any]) -> EncodedText | None:
    """Return the row of a key. What a damaged file gives may be of any type.

    :param key: of the row.
    :param checksum: of the key and of the other columns.
    :param content: vector, answer, confidence, next words, and whether the text was truncated.
    :return: the row, or None when its checksum is wrong.
    """
    try:
        if checksum != _checksum(key, *content):
            return None
        vector, answer, confidence, words, truncated = content
        numbers = np.frombuffer(vector, np.float32)
        if not np.isfinite(numbers).all():
            return None
        if answer is None:
            return EncodedText(numbers, None, bool(truncated))
        next_words = tuple((intern(word), probability) for word, probability in json.loads(words))
        text = answer.decode("utf-8", "surrogatepass")
    except (TypeError, ValueError, AttributeError):
        return None
    return EncodedText(numbers, Answer(text, confidence, next_words), bool(truncated))


def _checksum(key: bytes, vector: bytes, *content: bytes | float | None) -> int:
    """Return a checksum of a row and of its key, so that an index that names another row is noticed too."""
    return zlib.crc32(repr(content).encode(), zlib.crc32(vector, zlib.crc32(key)))


def select(keys: Sequence[bytes], connection: sqlite3.Connection) -> list[Any]:
    """Return the rows of some keys, as far as they are cached.

    :param keys: few enough for one query.
    :param connection: to the file.
    :return: key, time of last use, checksum, and the other columns of each row.
    """
    marks = ",".join("?" * len(keys))
    columns = "key, last_used, checksum, vector, answer, confidence, next_words, truncated"
    rows = connection.execute(f"SELECT {columns} FROM rows WHERE key IN ({marks})", keys).fetchall()  # noqa: S608
    wanted = set(keys)
    return [row for row in rows if row[0] in wanted]  # a damaged index may give others


def insert(values: Sequence[tuple[Any, ...]], connection: sqlite3.Connection) -> None:
    """Cache rows; they replace those of the same keys.

    :param values: the values of their columns.
    :param connection: to the file.
    """
    connection.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def touch(keys: Sequence[bytes], connection: sqlite3.Connection) -> None:
    """Note that rows were used, if the file can be written now.

    :param keys: of the rows.
    :param connection: to the file.
    """
    now = int(time.time())
    with suppress(sqlite3.OperationalError):
        connection.executemany("UPDATE rows SET last_used = ? WHERE key = ?", [(now, key) for key in keys])


def rows_to_prune(connection: sqlite3.Connection, older_than: float | None, max_bytes: int | None) -> list[int]:
    """Return the rowids of rows unused for `older_than` seconds, or beyond `max_bytes` by recency.

    :param connection: to the file.
    :param older_than: seconds; None for any.
    :param max_bytes: what the other rows may take; None for any size.
    :return: the rowids, the least recently used last.
    """
    oldest = -1 if older_than is None else int(time.time() - older_than)
    room = math.inf if max_bytes is None else max_bytes / _overhead(connection)
    rows_to_prune = []
    latest_first = (
        "SELECT rowid, ifnull(length(vector), 0), typeof(last_used) != 'integer' OR last_used <= ? "
        "FROM rows ORDER BY last_used DESC, rowid DESC"
    )
    for rowid, size, is_old in connection.execute(latest_first, (oldest,)):
        room -= size + ROW_BYTES
        if is_old or room < 0:
            rows_to_prune.append(rowid)
    return rows_to_prune


def _overhead(connection: sqlite3.Connection) -> float:
    """Return how much more the rows take in the file than their estimated bytes: pages are not filled."""
    used = connection.execute("SELECT sum(ifnull(length(vector), 0) + ?) FROM rows", (ROW_BYTES,)).fetchone()[0]
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return max(1.0, (pages - free) * size / used) if used and used > FEW_BYTES else 1.0


def remove(connection: sqlite3.Connection, rowids: Sequence[int]) -> int:
    """Remove rows, and return their number.

    :param connection: to the file.
    :param rowids: of the rows.
    :return: number of rows removed.
    """
    return connection.executemany("DELETE FROM rows WHERE rowid = ?", [(rowid,) for rowid in rowids]).rowcount


def shrink(connection: sqlite3.Connection) -> bool:
    """Give some empty pages back to the disk, and return whether there were any.

    :param connection: to the file.
    :return: whether there may be more.
    """
    before = connection.execute("PRAGMA freelist_count").fetchone()
    with connection:
        connection.execute(f"PRAGMA incremental_vacuum({STEP})").fetchall()
    return bool(connection.execute("PRAGMA freelist_count").fetchone() < before)
