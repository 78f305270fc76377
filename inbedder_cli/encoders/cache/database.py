"""Opening the SQLite file of the cache, which may be missing, old, damaged, read-only, or another user's."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING

from inbedder_cli.paths import DISK_FULL, make_private_folder, no_space
from inbedder_cli.untrusted import check_folders_above, check_private, check_private_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCHEMA = 5
LOCK_SECONDS = 30.0  # to wait for another process that writes
SIDE_FILES = ("-wal", "-shm", "-journal")
SIDE_BYTES = 100_000  # SQLite needs about this much for the files beside a database
TABLE = (
    "CREATE TABLE rows (key BLOB PRIMARY KEY, vector BLOB NOT NULL, answer BLOB, confidence REAL, "
    "next_words BLOB, truncated INTEGER NOT NULL, checksum INTEGER NOT NULL, last_used INTEGER NOT NULL)"
)
INDEX = "CREATE INDEX rows_last_used ON rows (last_used)"
# SQLite raises UnicodeDecodeError (a ValueError) where a damaged schema or its own message is not UTF-8.
FAILURES = (sqlite3.Error, OSError, ValueError)


class Fault(Enum):
    """What a failure says about the file."""

    locked = "another process keeps it locked"
    inaccessible = "the disk or the folder does not allow it"
    damaged = "it is not a cache, or not anymore"


FAULTS = {
    sqlite3.SQLITE_BUSY: Fault.locked,
    sqlite3.SQLITE_LOCKED: Fault.locked,
    sqlite3.SQLITE_PROTOCOL: Fault.locked,
    sqlite3.SQLITE_READONLY_DBMOVED: Fault.locked,  # another process has just replaced it
    sqlite3.SQLITE_AUTH: Fault.inaccessible,
    sqlite3.SQLITE_CANTOPEN: Fault.inaccessible,
    sqlite3.SQLITE_FULL: Fault.inaccessible,
    sqlite3.SQLITE_IOERR: Fault.inaccessible,
    sqlite3.SQLITE_NOLFS: Fault.inaccessible,
    sqlite3.SQLITE_PERM: Fault.inaccessible,
    sqlite3.SQLITE_READONLY: Fault.inaccessible,
}


def fault_of(error: Exception, path: Path) -> Fault:
    """Return what a failure says about the file.

    :param error: one of `FAILURES`.
    :param path: the file.
    :return: the fault; what SQLite does not blame on locks or the disk is damage.
    """
    if isinstance(error, OSError):
        return Fault.inaccessible
    code = _code(error)
    if code == sqlite3.SQLITE_READONLY and _forbidden(path) is None:
        return Fault.damaged  # one of its first bytes says that it must not be written
    return FAULTS.get(code) or FAULTS.get(code & 0xFF, Fault.damaged)


def explain(error: Exception, path: Path, needed: int = SIDE_BYTES) -> str:
    """Return what is wrong with the file, and what to do where that is not plain.

    :param error: one of `FAILURES`.
    :param path: the file.
    :param needed: number of bytes that were to be written.
    :return: one line.
    """
    if _is_full(error, path):
        return f"{no_space(path, needed)}; free some, or set INBEDDER_CACHE to a folder on another disk"
    if isinstance(error, UnicodeError):
        return f"{path}: its schema is not UTF-8"
    if _code(error) & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) and (why := _forbidden(path)):
        return why
    return f"{path}: {(isinstance(error, OSError) and error.strerror) or error}"


def files_of(path: Path) -> list[Path]:
    """Return the file and those that SQLite keeps beside it.

    :param path: the file.
    :return: those that exist, as files or as links.
    """
    return [f for f in (path, *(path.with_name(path.name + end) for end in SIDE_FILES)) if os.path.lexists(f)]


def open_writable(path: Path, on_upgrade: Callable[[], None] | None) -> sqlite3.Connection:
    """Open the file to read and write; make it where it is missing.

    :param path: the file.
    :param on_upgrade: called before the rows of an earlier version are removed; None fails instead.
    :return: a connection to a file that has the table. Texts are read as bytes.
    :raises InbedderError: when the folder or the file is not this user's alone.
    """
    make_private_folder(path.parent)
    _check_private(path)
    if not path.exists():
        with suppress(FileExistsError):  # another process was faster
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))  # SQLite's files beside it follow
    connection = sqlite3.connect(path, timeout=LOCK_SECONDS, check_same_thread=False)
    try:
        _configure(connection)
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # takes effect in a new file only
        with suppress(sqlite3.OperationalError):  # some network folders do not support it
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if not _is_current(connection):
            _make_table(connection, on_upgrade)
        _check_schema(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open the file to read only.

    :param path: an existing file.
    :return: a connection to a file that has the table. Texts are read as bytes.
    :raises InbedderError: when the folder or the file is not this user's alone.
    """
    _check_private(path)
    try:
        return _open_uri(path, "mode=ro")
    except sqlite3.OperationalError as error:
        if fault_of(error, path) is not Fault.inaccessible:
            raise
    return _open_uri(path, "mode=ro&immutable=1")  # where SQLite cannot make its files beside it


def _check_private(path: Path) -> None:
    check_private(path.parent)
    check_folders_above(path.parent)
    for file in files_of(path):
        with suppress(FileNotFoundError):  # another process has just closed the cache
            check_private_file(file)


def _open_uri(path: Path, parameters: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{parameters}"
    connection = sqlite3.connect(uri, uri=True, timeout=LOCK_SECONDS, check_same_thread=False)
    try:
        _configure(connection)
        _check_schema(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _configure(connection: sqlite3.Connection) -> None:
    connection.text_factory = bytes  # damaged texts must not fail before their checksum is compared
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA temp_store = MEMORY")  # no files in TMPDIR


def _is_current(connection: sqlite3.Connection) -> bool:
    return bool(_version(connection) == SCHEMA)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _make_table(connection: sqlite3.Connection, on_upgrade: Callable[[], None] | None) -> None:
    """Make the table in an empty file, or in place of the one of an earlier version."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        version = _version(connection)
        if 0 < version < SCHEMA and on_upgrade is not None:
            on_upgrade()
            connection.execute("DROP TABLE IF EXISTS rows")
        elif version != 0 or _schema(connection):
            return  # another process has made it, or `_check_schema` says what is wrong
        connection.execute(TABLE)
        connection.execute(INDEX)
        connection.execute(f"PRAGMA user_version = {SCHEMA}")


def _check_schema(connection: sqlite3.Connection) -> None:
    version = _version(connection)
    if version > SCHEMA:
        raise sqlite3.DatabaseError(f"made by a later version of inbedder (schema {version})")
    if 0 < version < SCHEMA:
        raise sqlite3.DatabaseError(f"made by an earlier version of inbedder (schema {version})")
    if version != SCHEMA or _schema(connection) != {TABLE.encode(), INDEX.encode()}:
        raise sqlite3.DatabaseError("the table is not as inbedder makes it")


def _schema(connection: sqlite3.Connection) -> set[bytes]:
    """Return how everything that belongs to the table was made: nothing else, such as a trigger, may."""
    made = connection.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'rows' AND sql IS NOT NULL")
    return {sql for (sql,) in made}


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)


def _forbidden(path: Path) -> str | None:
    """Return what the rights of the folder or the files forbid, or None."""
    for part in (path.parent, *files_of(path)):
        if not os.access(part, os.R_OK):
            return f"{part} cannot be read"
        if not os.access(part, os.W_OK):
            return f"{part} is read-only"
    return None


def _is_full(error: Exception, path: Path) -> bool:
    if isinstance(error, OSError):
        return error.errno in DISK_FULL
    if _code(error) & 0xFF in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):  # perhaps for its side files
        return shutil.disk_usage(path.parent).free < SIDE_BYTES
    return _code(error) & 0xFF == sqlite3.SQLITE_FULL
