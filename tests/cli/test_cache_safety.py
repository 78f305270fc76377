"""A cache that is damaged, read-only, on a full disk, or of another user: what runs give, what `cache` says."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from multiprocessing import get_context

import pytest

from inbedder_cli.encoders import encoder_backends
from inbedder_cli.encoders.cache.cached_encoder import CachedEncoder
from inbedder_cli.encoders.cache.row_cache import RowCache
from tests.encoders.toy import ToyEncoder

posix = pytest.mark.skipif(os.name == "nt", reason="owners and modes are of POSIX")


@pytest.fixture
def answer(inbedder, reviews, monkeypatch, tmp_path):
    """Run `inbedder answer` with an encoder that needs no model, and check what it gives; the cache is filled."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("INBEDDER_CACHE", str(folder))
    encoder_backends.register("toy", ToyEncoder)
    arguments = ("answer", reviews, "-i", "What is it about?", "-m", "toy:x")
    expected = inbedder(*arguments, "--no-cache").stdout

    def run(*more):
        result = inbedder(*arguments, *more)
        assert result.exit_code == 0, result.stderr
        assert result.stdout == expected
        return [
            line
            for line in result.stderr.splitlines()
            if "truncated" not in line and ("warning" in line or "cached" in line)
        ]

    assert run() == []
    run.folder, run.file = folder, folder / "rows.sqlite"
    yield run
    encoder_backends.unregister("toy")


@pytest.fixture
def info(inbedder):
    def tell():
        result = inbedder("cache", "info")
        assert (result.exit_code, result.stderr) == (0, "")
        return dict(line.split("\t") for line in result.stdout.splitlines())

    return tell


@contextmanager
def mounted(*arguments):
    """A mount, or a skipped test where this user may make none."""
    if os.name == "nt" or os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount")
    if subprocess.run(["mount", *arguments], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", arguments[-1]], check=True)


@contextmanager
def small_disk(folder):
    with mounted("-t", "tmpfs", "-o", "size=400k,mode=700", "tmpfs", str(folder)):
        yield folder


def fill(folder):
    with (folder / "filler").open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space"):
        while True:
            stream.write(b"x" * 4096)


def change(file, sql):
    with sqlite3.connect(file) as connection:
        connection.execute(sql)
    connection.close()


def test_one_bad_byte_costs_one_row_and_is_mended(answer, info):
    change(answer.file, "UPDATE rows SET answer = CAST(x'ff41' AS TEXT) WHERE rowid = 2")
    assert answer() == [
        "warning: the cache has damaged rows (1); their texts are encoded again",
        "3 of 4 texts are cached",
    ]
    assert answer() == ["4 of 4 texts are cached"]
    assert (info()["rows"], info()["state"]) == ("4", "ok")


def test_a_damaged_file_is_told_set_aside_and_replaced(answer, info, inbedder):
    change(answer.file, "ALTER TABLE rows DROP COLUMN confidence")
    assert info()["rows"] == "unknown"
    assert info()["state"].startswith("damaged: ")
    pruned = inbedder("cache", "prune", "--max-size", "0")
    assert pruned.exit_code == 1
    assert "cannot prune the cache (0 rows removed)" in pruned.stderr
    assert "inbedder cache clear" in pruned.stderr
    (warning,) = answer()
    assert "it was renamed to rows.sqlite.damaged-" in warning
    assert answer() == ["4 of 4 texts are cached"]
    assert inbedder("cache", "clear").exit_code == 0
    assert info()["state"] == "missing"


def test_info_changes_nothing(answer, info):
    answer.file.write_bytes(b"nonsense" * 1000)
    before = answer.file.read_bytes()
    assert info()["state"].startswith("damaged: ")
    assert answer.file.read_bytes() == before
    assert [file.name for file in answer.folder.iterdir() if file.suffix != ".json"] == ["rows.sqlite"]


def test_rows_are_read_from_a_full_disk(answer, info, inbedder, reviews, tmp_path):
    kept = shutil.copytree(answer.folder, tmp_path / "kept")
    shutil.rmtree(answer.folder)
    answer.folder.mkdir()
    with small_disk(answer.folder):
        shutil.copy(kept / "rows.sqlite", answer.folder)
        fill(answer.folder)
        assert answer() == ["4 of 4 texts are cached"]
        assert info()["rows"] == "4"
        assert "no space left on the disk of " in info()["state"]
        with reviews.open("a") as stream:
            stream.write("a7,something new,,\n")
        more = inbedder("answer", reviews, "-i", "What is it about?", "-m", "toy:x")
        assert more.exit_code == 0
        assert "4 of 5 texts are cached" in more.stderr
        (warning,) = [line for line in more.stderr.splitlines() if "not cached" in line]
        assert f"new results are not cached: no space left on the disk of {answer.file} (0.0 MB free" in warning
        assert "set INBEDDER_CACHE to a folder on another disk" in warning
        pruned = inbedder("cache", "prune", "--max-size", "0")
        assert pruned.exit_code == 1
        assert "no space left" in pruned.stderr
        assert "inbedder cache clear" in pruned.stderr
        assert inbedder("cache", "clear").exit_code == 0
        assert info()["state"] == "missing"


def test_a_disk_that_becomes_full_ends_writing_only(answer, inbedder, tmp_path):
    shutil.rmtree(answer.folder)
    answer.folder.mkdir()
    many = tmp_path / "many.csv"
    many.write_text("text\n" + "".join(f"row {i} was {'very ' * 50}cold\n" for i in range(3000)))
    run = ("answer", many, "-i", "What is it about?", "-m", "toy:x")
    expected = inbedder(*run, "--no-cache").stdout
    with small_disk(answer.folder):
        for _ in range(2):
            result = inbedder(*run)
            assert (result.exit_code, result.stdout) == (0, expected)
            assert result.stderr.count("new results are not cached: no space left") == 1
        assert "of 3,000 texts are cached" in result.stderr


def test_rows_are_read_from_a_read_only_folder(answer, info, inbedder):
    with mounted("--bind", str(answer.folder), str(answer.folder)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(answer.folder)], check=True)
        assert answer() == ["4 of 4 texts are cached"]
        assert info()["state"] == f"read-only: {answer.folder} is read-only"
        (warning,) = answer("--refresh")
        assert warning == f"warning: new results are not cached: {answer.folder} is read-only"
        for command in (("prune", "--max-size", "0"), ("clear",)):
            result = inbedder("cache", *command)
            assert result.exit_code == 1
            assert "read-only" in result.stderr.lower()


def link(file):
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")


HOSTILE = {
    "a folder that all can write to": (
        lambda f: f.parent.chmod(0o777),
        "other users can write to",
        "chmod -R",
    ),
    "a folder that all can add to": (
        lambda f: f.parent.chmod(0o1777),
        "other users can write to",
        "chmod -R",
    ),
    "a folder that a group can write to": (lambda f: f.parent.chmod(0o770), "can write to", "chmod -R"),
    "a folder above that all can write to": (
        lambda f: f.parents[1].chmod(0o777),
        "other users can replace",
        "chmod go-w",
    ),
    "a file that all can write to": (lambda f: f.chmod(0o666), "other users can write to", "remove it"),
    "a file that a group can write to": (lambda f: f.chmod(0o660), "other users can write to", "remove it"),
    "a link": (link, "is a link", "remove it"),
    "a dangling link": (lambda f: (f.unlink(), f.symlink_to("nowhere")), "is a link", "remove it"),
    "a hard link": (lambda f: os.link(f, f.with_name("other")), "has a second name", "remove it"),
    "a fifo": (lambda f: (f.unlink(), os.mkfifo(f)), "is not a regular file", "remove it"),
    "a folder in its place": (lambda f: (f.unlink(), f.mkdir()), "is not a regular file", "remove it"),
    "a journal that is a link": (
        lambda f: f.with_name("rows.sqlite-journal").symlink_to("rows.sqlite"),
        "rows.sqlite-journal is a link",
        "remove it",
    ),
}


@posix
@pytest.mark.parametrize(("prepare", "problem", "remedy"), HOSTILE.values(), ids=HOSTILE)
def test_a_cache_that_others_may_have_made_is_not_used(answer, info, inbedder, prepare, problem, remedy):
    prepare(answer.file)
    before = sorted((file.name, file.lstat().st_mtime_ns) for file in answer.folder.iterdir())
    (warning,) = answer()
    assert warning.startswith("warning: results are not cached: ")
    assert problem in warning
    assert remedy in warning
    assert info()["rows"] == "unknown"
    assert info()["state"].startswith("not used: ")
    assert problem in info()["state"]
    pruned = inbedder("cache", "prune", "--max-size", "0")
    assert pruned.exit_code == 1
    assert problem in pruned.stderr
    assert sorted((file.name, file.lstat().st_mtime_ns) for file in answer.folder.iterdir()) == before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_cache_of_another_user_is_never_opened(answer, info, inbedder, what, monkeypatch):
    os.chown(getattr(answer, what), 12345, 12345)
    opened = []
    monkeypatch.setattr(sqlite3, "connect", lambda *_, **__: opened.append(1))
    (warning,) = answer()
    assert "belongs to another user (uid 12345); set INBEDDER_CACHE to another folder" in warning
    assert "belongs to another user" in info()["state"]
    assert inbedder("cache", "prune", "--max-size", "0").exit_code == 1
    assert opened == []


@posix
def test_another_user_meets_a_cache_that_is_not_theirs(answer, info, monkeypatch):
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    (warning,) = answer()
    assert f"belongs to another user (uid {mine})" in warning
    assert "belongs to another user" in info()["state"]


@posix
def test_clear_removes_a_link_and_not_what_it_names(answer, inbedder):
    link(answer.file)
    assert inbedder("cache", "clear").exit_code == 0
    assert not os.path.lexists(answer.file)
    assert answer.file.with_name("elsewhere").stat().st_size > 0


@posix
def test_the_cache_folder_may_be_a_link_of_ones_own(answer, tmp_path):
    answer.folder.rename(tmp_path / "large disk")
    answer.folder.symlink_to(tmp_path / "large disk")
    assert answer() == ["4 of 4 texts are cached"]


@posix
def test_what_is_made_is_private_under_any_umask(answer, monkeypatch, tmp_path):
    monkeypatch.setenv("INBEDDER_CACHE", str(tmp_path / "new" / "cache"))
    before = os.umask(0)
    try:
        answer()
    finally:
        os.umask(before)
    made = [tmp_path / "new", *(tmp_path / "new").rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in made if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in made if path.is_file()} == {0o600}
    assert answer() == ["4 of 4 texts are cached"]


def test_a_home_that_does_not_exist_is_told(inbedder, monkeypatch):
    monkeypatch.setenv("INBEDDER_CACHE", "~nosuchuser/cache")
    result = inbedder("cache", "path")
    assert result.exit_code == 2
    assert "INBEDDER_CACHE is ~nosuchuser/cache" in result.stderr


def prune_and_die(path, n_statements):
    """Prune rows that were not used for a day, killed before the given SQL statement."""
    from inbedder_cli.encoders.cache import row_cache

    n_done = 0
    whole = row_cache.open_writable

    def count(_):
        nonlocal n_done
        n_done += 1
        if n_done == n_statements:
            os.kill(os.getpid(), signal.SIGKILL)

    def counting(*arguments):
        connection = whole(*arguments)
        connection.set_trace_callback(count)
        return connection

    row_cache.open_writable, row_cache.STEP = counting, 10
    RowCache(path).prune(older_than=86_400)


@posix
def test_a_prune_that_is_killed_loses_nothing(tmp_path):
    """Before whatever statement it is killed, rows that were to stay are there, and the next prune goes on."""
    folder = tmp_path / "whole"
    cache = RowCache(folder / "rows.sqlite")
    texts = [f"text {i} was cold" for i in range(150)]
    CachedEncoder(ToyEncoder("x"), cache).encode(texts, "q")
    cache._close()
    change(cache.path, "UPDATE rows SET last_used = last_used - 8640000 WHERE rowid <= 100")
    exit_code, n_killed = -signal.SIGKILL, 0
    while exit_code == -signal.SIGKILL:
        n_killed += 1
        path = shutil.copytree(folder, tmp_path / str(n_killed)) / "rows.sqlite"
        child = get_context("fork").Process(target=prune_and_die, args=(path, 5 * n_killed))
        child.start()
        child.join()
        exit_code = child.exitcode
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("SELECT count(*) FROM rows WHERE rowid > 100").fetchone() == (50,)
        connection.close()
        again = RowCache(path)
        again.prune(older_than=86_400)
        encoder = CachedEncoder(ToyEncoder("x"), again)
        encoder.encode(texts[100:], "q")
        assert (encoder.encoder.n_encoded, again.info().rows) == (0, 50)
    assert exit_code == 0
    assert n_killed > 20


def test_a_full_folder_of_temporary_files_is_named(tmp_path):
    """A pipe that does not fit into memory is kept in TMPDIR."""
    code = """
import io, sys
from inbedder_cli.cli import app
from inbedder_cli.corpus import compression
compression.SPOOL_BYTES = 1000
app(["answer", "-", "-i", "What is it about?", "-m", "smollm2-135m", "--offline"])
"""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with small_disk(temporary):
        environment = os.environ | {"TMPDIR": str(temporary)}
        table = "text\n" + "a row of some length\n" * 50_000
        run = [sys.executable, "-c", code]
        result = subprocess.run(run, input=table, env=environment, capture_output=True, text=True)
    assert result.returncode == 1, result.stderr
    assert f"cannot write a temporary file: no space left on the disk of {temporary} (0.0 MB free" in result.stderr
    assert "set TMPDIR to a folder on another disk" in result.stderr
