from __future__ import annotations

import gc
import os
import pickle
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inbedder_cli.encoders.cache.row_cache import RowCache
from inbedder_cli.encoders.encoded import Answer, EncodedText
from inbedder_cli.errors import InbedderError
from inbedder_cli.progress import SilentReporter

pytestmark = pytest.mark.filterwarnings("ignore:.*cache")

ROWS = {
    bytes([i]) * 16: EncodedText(
        np.arange(i, i + 4, dtype=np.float32),
        Answer(f"answer {i}", i / 7, (("answer", 0.5), ("é", 0.25))[:i]) if i else None,
        bool(i % 2),
    )
    for i in range(5)
}


class Recorder(SilentReporter):
    def __init__(self):
        self.warnings, self.lines = [], []

    def info(self, message):
        self.lines.append(message)

    def warn(self, message):
        self.warnings.append(message)


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def cache(tmp_path, recorder):
    return RowCache(tmp_path / "deep" / "rows.sqlite", recorder)


def same(found, expected):
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        np.testing.assert_array_equal(found[key].vector, row.vector)
        assert found[key][1:] == row[1:]


numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
strings = st.text(st.characters(exclude_categories=["Cs"]))
some_rows = st.dictionaries(
    st.binary(min_size=16, max_size=16),
    st.builds(
        lambda vector, *rest: EncodedText(np.array(vector, np.float32), *rest),
        st.lists(numbers, min_size=1, max_size=5),
        st.none() | st.builds(Answer, strings, st.floats(0, 1), st.tuples(st.tuples(strings, st.floats(0, 1)))),
        st.booleans(),
    ),
)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some_rows)
def test_what_is_put_is_got(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("cache") / "rows.sqlite"
    RowCache(path).put(rows)
    same(RowCache(path).get([*rows, b"another"]), rows)


def test_more_keys_than_one_look_up_takes(cache):
    rows = {
        i.to_bytes(16): EncodedText(np.full(2, i, np.float32), Answer(str(i), 0.5), False) for i in range(1203)
    }
    cache.put(rows)
    same(cache.get(list(rows)), rows)


def test_later_rows_replace_earlier_ones(cache):
    key = b"k" * 16
    cache.put({key: EncodedText(np.ones(2, np.float32), Answer("old", 0.5), False)})
    cache.put({key: EncodedText(np.zeros(2, np.float32), Answer("new", 0.5), True)})
    same(cache.get([key]), {key: EncodedText(np.zeros(2, np.float32), Answer("new", 0.5), True)})


def test_vectors_that_are_not_finite_are_not_kept(cache):
    cache.put({b"k" * 16: EncodedText(np.array([1, np.nan], np.float32), Answer("x", 0.5), False)})
    assert cache.get([b"k" * 16]) == {}


@pytest.mark.skipif(os.name == "nt", reason="modes are of POSIX")
def test_only_the_owner_can_read_it(cache):
    cache.put(ROWS)
    assert [oct(file.stat().st_mode & 0o777) for file in cache.path.parent.iterdir()] == ["0o600"] * 3


def test_a_file_that_is_no_database_is_set_aside_and_made_anew(cache, recorder):
    cache.path.parent.mkdir()
    cache.path.write_bytes(b"not a database, but long enough to look at" * 100)
    assert cache.get(list(ROWS)) == {}
    assert "cannot use the cache" in recorder.warnings[0]
    cache.put(ROWS)
    same(cache.get(list(ROWS)), ROWS)
    (aside,) = cache.path.parent.glob("*.damaged-*")
    assert aside.read_bytes().startswith(b"not a database")


CHANGES = {
    "answer": "answer = 'other'",
    "answer that is not UTF-8": "answer = CAST(x'ff41' AS TEXT)",
    "answer of another type": "answer = 5",
    "vector": "vector = (SELECT vector FROM rows WHERE key = x'04040404040404040404040404040404')",
    "short vector": "vector = x'0000803f00'",
    "vector of another type": "vector = 'text'",
    "vector of NaN": "vector = x'0000c07f0000c07f0000c07f0000c07f'",
    "confidence": "confidence = 'text'",
    "next words": "next_words = '[['",
    "truncated": "truncated = 1 - truncated",
    "key": "key = x'09090909090909090909090909090909'",
    "checksum": "checksum = 'text'",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_row_that_was_changed_is_missing_and_the_others_are_not(cache, recorder, change):
    changed = bytes([3]) * 16
    cache.put(ROWS)
    with sqlite3.connect(cache.path) as connection:
        connection.execute(f"UPDATE rows SET {change} WHERE key = ?", [changed])
    connection.close()
    asked = [*ROWS, bytes([9]) * 16]
    for _ in range(2):
        same(cache.get(asked), {key: row for key, row in ROWS.items() if key != changed})
    assert recorder.warnings in (["the cache has damaged rows (1); their texts are encoded again"], [])
    assert bool(recorder.warnings) or "key =" in change
    cache.put({changed: ROWS[changed]})
    same(RowCache(cache.path, recorder).get(list(ROWS)), ROWS)


def test_an_index_that_names_another_row_gives_no_wrong_row(cache):
    """The row that the index names is whole, but it is that of another key."""
    cache.put(ROWS)
    cache._close()
    content = bytearray(cache.path.read_bytes())
    # A cell of the key's index: its header (size, type of the key, type of the row number), key, row number.
    place = content.index(b"\x03\x2c\x01" + bytes([3]) * 16) + 19
    assert content[place] == 4
    content[place] = 3
    cache.path.write_bytes(content)
    same(cache.get([bytes([3]) * 16]), {})
    same(cache.get([bytes([2]) * 16]), {bytes([2]) * 16: ROWS[bytes([2]) * 16]})


def test_a_time_of_another_type_does_no_harm(cache, recorder):
    cache.put(ROWS)
    with sqlite3.connect(cache.path) as connection:
        connection.execute("UPDATE rows SET last_used = 'soon'")
    connection.close()
    same(cache.get(list(ROWS)), ROWS)
    assert cache.info().oldest is None
    assert cache.prune(older_than=86_400) == len(ROWS)
    assert not recorder.warnings


DAMAGES = {
    "no table": "DROP TABLE rows",
    "no column": "ALTER TABLE rows DROP COLUMN answer",
    "another column": "ALTER TABLE rows ADD COLUMN more",
    "no index": "DROP INDEX rows_last_used",
    "a trigger": "CREATE TRIGGER t AFTER UPDATE ON rows BEGIN DELETE FROM rows; END",
    "a schema that is not UTF-8": "UPDATE sqlite_master SET sql = CAST(x'43524541544520ff' AS TEXT)",
    "a name that is not UTF-8": "UPDATE sqlite_master SET name = CAST(x'ff' AS TEXT), sql = x'ff'",
}


@pytest.mark.parametrize("sql", DAMAGES.values(), ids=DAMAGES)
def test_a_file_with_another_schema_is_set_aside(cache, recorder, sql):
    cache.put(ROWS)
    cache._close()
    with sqlite3.connect(cache.path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(sql)
    connection.close()
    assert cache.info().state.startswith("damaged: ")
    assert cache.info().rows is None
    with pytest.raises(InbedderError, match="cannot prune the cache") as caught:
        cache.prune(max_bytes=0)
    assert "inbedder cache clear" in caught.value.hint
    assert recorder.warnings == []
    assert cache.get(list(ROWS)) == {}
    cache.put(ROWS)
    same(cache.get(list(ROWS)), ROWS)
    (warning,) = recorder.warnings
    assert "it was renamed to rows.sqlite.damaged-" in warning


def test_a_file_whose_header_forbids_writing_is_set_aside(cache, recorder):
    cache.put(ROWS)
    cache._close()
    content = bytearray(cache.path.read_bytes())
    content[18] = 77  # the version of the format needed to write
    cache.path.write_bytes(content)
    for _ in range(2):
        cache.put(ROWS)
    same(cache.get(list(ROWS)), ROWS)
    (warning,) = recorder.warnings
    assert "it was renamed" in warning


def test_damage_in_the_middle_is_never_fatal(cache, recorder):
    cache.put({i.to_bytes(16): EncodedText(np.ones(300, np.float32), Answer("a", 0.5), False) for i in range(200)})
    cache.info()
    cache._close()
    size = cache.path.stat().st_size
    with cache.path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 8192))
    cache.get([i.to_bytes(16) for i in range(200)])
    cache.put(ROWS)
    cache.put(ROWS)
    same(cache.get(list(ROWS)), ROWS)


def as_if_made_by_another_version(cache, sql):
    cache.put(ROWS)
    with sqlite3.connect(cache.path) as connection:
        connection.executescript(sql)
    connection.close()
    cache._close()
    assert cache.get(list(ROWS)) == {}


def test_a_cache_of_a_later_version_is_set_aside(cache, recorder):
    as_if_made_by_another_version(cache, "PRAGMA user_version = 99")
    assert "later version" in recorder.warnings[0]
    aside = list(cache.path.parent.glob("*.damaged-*"))
    assert len(aside) == 1
    assert cache.info().bytes >= aside[0].stat().st_size > 0
    cache.clear()
    assert not list(cache.path.parent.iterdir())


def test_a_cache_of_an_earlier_version_is_emptied(cache, recorder):
    """Texts are encoded again; nothing is a warning."""
    old = (  # schema 3
        "DROP TABLE rows; CREATE TABLE rows (key BLOB PRIMARY KEY, vector BLOB NOT NULL, answer TEXT,"
        " confidence REAL, words TEXT, truncated INTEGER NOT NULL, checksum INTEGER NOT NULL,"
        " used INTEGER NOT NULL); CREATE INDEX rows_used ON rows (used); PRAGMA user_version = 3"
    )
    as_if_made_by_another_version(cache, old)
    cache.put(ROWS)
    same(cache.get(list(ROWS)), ROWS)
    assert recorder.lines == ["the cache was written by an earlier version; texts are encoded again"]
    assert not recorder.warnings
    assert not list(cache.path.parent.glob("*.damaged-*"))


def test_answers_without_a_probability_are_not_kept_and_do_no_harm(cache, recorder):
    row = EncodedText(np.ones(2, np.float32), Answer("x", float("nan")), False)
    cache.put(ROWS | {b"n" * 16: row})
    same(cache.get([*ROWS, b"n" * 16]), ROWS)
    assert not recorder.warnings


def test_a_full_disk_ends_writing_and_nothing_else(cache, recorder):
    cache.put(ROWS)
    cache._open().execute("PRAGMA max_page_count = 5")
    cache.put({i.to_bytes(16): EncodedText(np.ones(2000, np.float32), Answer("a", 0.5), False) for i in range(50)})
    cache.put(ROWS)
    same(cache.get(list(ROWS)), ROWS)  # what was there before is read
    (warning,) = recorder.warnings
    assert "new results are not cached: no space left on the disk of " in warning
    assert "about 0.5 MB needed" in warning
    assert "set INBEDDER_CACHE" in warning
    same(RowCache(cache.path).get(list(ROWS)), ROWS)


def test_a_file_beside_it_that_may_not_be_written_is_named_and_nothing_is_set_aside(cache, recorder, monkeypatch):
    """As the -shm that SQLite leaves where it has read a read-only file."""
    cache.put(ROWS)
    side = cache.path.with_name("rows.sqlite-shm")
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != side and allowed(path, mode))
    error = sqlite3.OperationalError("attempt to write a readonly database")
    error.sqlite_errorcode = sqlite3.SQLITE_READONLY
    cache._handle(error, writes=True, needed=0)
    cache.put(ROWS)
    assert recorder.warnings == [f"new results are not cached: {side} cannot be read"]
    same(cache.get(list(ROWS)), ROWS)


def test_a_folder_that_cannot_be_made_ends_caching(tmp_path, recorder):
    (tmp_path / "file").write_text("")
    cache = RowCache(tmp_path / "file" / "rows.sqlite", recorder)
    cache.put(ROWS)
    assert cache.get(list(ROWS)) == {}
    assert len(recorder.warnings) == 1


def test_a_lock_costs_what_is_put_meanwhile_and_no_more(cache, recorder, monkeypatch):
    monkeypatch.setattr("inbedder_cli.encoders.cache.database.LOCK_SECONDS", 0.05)
    cache.put({})
    other = sqlite3.connect(cache.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    cache.put(ROWS)
    other.execute("COMMIT")
    assert "some results are not cached" in recorder.warnings[0]
    cache.put(ROWS)
    same(cache.get(list(ROWS)), ROWS)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(4):
        cache.put(ROWS)
    assert cache.is_disabled
    assert len(recorder.warnings) == 4
    other.close()


def test_a_file_that_another_process_made_anew_is_left_alone(cache, recorder):
    cache.put(ROWS)
    other = RowCache(cache.path)
    other.get(list(ROWS))
    damage = sqlite3.DatabaseError("database disk image is malformed")
    for one in (other, cache):  # both meet the damage, one after the other
        one._handle(damage, writes=False, needed=0)
        one.put(ROWS)
    assert recorder.warnings == []
    assert len(list(cache.path.parent.glob("*.damaged-*"))) == 1
    same(cache.get(list(ROWS)), ROWS)


def test_threads_share_one_cache(cache, recorder):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda item: cache.put(dict([item])), ROWS.items()))
        for found in pool.map(cache.get, [list(ROWS)] * 8):
            same(found, ROWS)
    assert recorder.warnings == []


def test_a_pickled_cache_opens_its_file_itself(cache):
    cache.put(ROWS)
    same(pickle.loads(pickle.dumps(cache)).get(list(ROWS)), ROWS)


def test_answers_that_are_not_unicode_are_kept(cache):
    row = EncodedText(np.ones(2, np.float32), Answer("lone \ud800 surrogate", 0.5, (("\udfff", 0.5),)), False)
    cache.put({b"s" * 16: row})
    same(cache.get([b"s" * 16]), {b"s" * 16: row})


def test_two_connections_share_one_file(cache):
    other = RowCache(cache.path)
    cache.put(dict(list(ROWS.items())[:3]))
    other.put(dict(list(ROWS.items())[3:]))
    same(cache.get(list(ROWS)), ROWS)
    same(other.get(list(ROWS)), ROWS)


def test_a_cache_that_nothing_refers_to_leaves_its_file(tmp_path):
    gc.disable()
    try:
        RowCache(tmp_path / "rows.sqlite").put(ROWS)
        assert [file.name for file in tmp_path.iterdir()] == ["rows.sqlite"]  # the journal goes with the last one
    finally:
        gc.enable()


def test_info_and_clear(cache):
    assert (cache.info().rows, cache.info().bytes, cache.info().oldest) == (0, 0, None)
    cache.put(ROWS)
    info = cache.info()
    assert info.rows == 5
    assert info.bytes > 0
    assert abs(info.oldest - time.time()) < 60
    assert cache.clear() > 0
    assert cache.info().rows == 0
    assert not cache.path.exists()


def test_pruning_removes_what_was_not_used_for_longest(cache):
    cache.put(ROWS)
    now = int(time.time())
    with sqlite3.connect(cache.path) as connection:
        for days, key in enumerate(ROWS):
            connection.execute("UPDATE rows SET last_used = ? WHERE key = ?", (now - 86_400 * 10 * days, key))
    keys = list(ROWS)
    cache.get(keys[4:])  # used now
    assert cache.prune(older_than=86_400 * 25) == 1
    assert set(cache.get(keys)) == {*keys[:3], keys[4]}
    assert cache.prune(max_bytes=1600) == 2
    assert len(cache.get(keys)) == 2


def test_pruning_goes_in_steps(cache, monkeypatch):
    monkeypatch.setattr("inbedder_cli.encoders.cache.row_cache.STEP", 2)
    cache.put(ROWS)
    assert cache.prune(max_bytes=0) == 5
    assert cache.info().rows == 0


def test_pruning_makes_the_file_smaller(cache):
    cache.put(
        {i.to_bytes(16): EncodedText(np.ones(1000, np.float32), Answer("a", 0.5), False) for i in range(500)}
    )
    before = cache.info().bytes
    cache.prune(max_bytes=0)
    assert cache.info().bytes < before / 10


def test_a_failure_is_handled_before_another_thread_uses_the_connection(tmp_path, monkeypatch):
    cache = RowCache(tmp_path / "rows.sqlite")
    cache._run(lambda connection: connection.execute("SELECT 1"))
    owned = []
    close = cache._close
    monkeypatch.setattr(cache, "_close", lambda: (owned.append(cache._lock._is_owned()), close()))

    def fail(_):
        raise sqlite3.OperationalError("database is locked")

    cache._run(fail)
    assert owned
    assert all(owned)


@pytest.mark.parametrize("width", [384, 576, 960])
def test_a_cache_is_trimmed_to_what_its_file_may_take(tmp_path, width):
    cache = RowCache(tmp_path / "rows.sqlite", max_bytes=4_000_000)
    rng = np.random.default_rng(0)
    for _ in range(4):
        vectors = rng.normal(size=(500, width)).astype(np.float32)
        cache.put({rng.bytes(16): EncodedText(v, Answer("some answer", 0.5), truncated=False) for v in vectors})
    cache.trim()
    assert 2_000_000 < cache.info().bytes <= 4_000_000
