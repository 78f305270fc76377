"""Where output may go: no two outputs share a place, no input is replaced, and nothing is half-written."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")


@pytest.fixture
def stays(tmp_path):
    path = tmp_path / "stays.csv"
    path.write_text("text\n" + "".join(f"text {i} {'cold' if i % 2 else 'kind'} room\n" for i in range(12)))
    return path


@pytest.fixture
def vectors(tmp_path):
    path = tmp_path / "vectors.npy"
    np.save(path, np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32))
    return path


@pytest.fixture
def command(stays, vectors):
    return ("cluster", stays, "--vectors", vectors, "-k", "2", "--no-stability")


@pytest.fixture
def refused(inbedder, tmp_path):
    """Check that a command fails before it does anything, and return its one line."""

    def check(*arguments, exit_code=2):
        before = tree(tmp_path)
        result = inbedder(*arguments)
        assert result.exit_code == exit_code, result.stderr
        assert result.stdout == ""
        assert len(result.stderr.splitlines()) <= 2
        assert tree(tmp_path) == before
        return result.stderr.splitlines()[0]

    return check


def tree(folder):
    """What lies below a folder: types, inodes and contents."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else None
        found[str(path)] = (status.st_mode, status.st_ino, content)
    return found


def test_two_outputs_are_two_files(command, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("a.csv")
    (tmp_path / "hard.csv").hardlink_to("a.csv")
    (tmp_path / "new.csv").symlink_to("b.csv")
    (tmp_path / "here").symlink_to(tmp_path)
    pairs = [
        ("a.csv", "a.csv"),
        ("a.csv", "./a.csv"),
        ("a.csv", tmp_path / "a.csv"),
        ("a.csv", "link.csv"),
        ("a.csv", "hard.csv"),
        ("a.csv", "here/a.csv"),
        ("b.csv", "new.csv"),
        ("b.csv", "here/b.csv"),
        ("B.csv", "b.CSV"),
        ("caf\u00e9.csv", "cafe\u0301.csv"),
    ]
    for rows, clusters in pairs:
        said = refused(*command, "-o", rows, "--clusters", clusters, "--force")
        assert said.startswith("inbedder: -o and --clusters both name ")


def test_an_output_is_not_the_saved_run_nor_in_it(stays, refused, tmp_path):
    asked = ("cluster", stays, "-i", "Why?", "--force")
    (tmp_path / "run").mkdir()
    (tmp_path / "alias").symlink_to("run")
    for target in ("run/rows.csv", "alias/rows.csv", "run/../run/rows.csv"):
        for option in ("-o", "--clusters"):
            for saved in ("run", "alias"):
                said = refused(*asked, option, tmp_path / target, "--save", tmp_path / saved)
                assert said.startswith(f"inbedder: {option} lies in the folder of --save")
    said = refused(*asked, "-o", tmp_path / "x.csv", "--save", tmp_path / "x.csv")
    assert said.startswith("inbedder: -o and --save both name")
    said = refused(*asked, "-f", "csv", "-o", tmp_path / "x", "--save", tmp_path / "X")
    assert said.startswith("inbedder: -o and --save both name")


def test_an_input_is_never_replaced(command, stays, vectors, refused, tmp_path):
    (tmp_path / "link.csv").symlink_to(stays)
    (tmp_path / "hard.csv").hardlink_to(stays)
    (tmp_path / "words.csv").write_text("room\n")
    for target in (stays, tmp_path / "link.csv", tmp_path / "hard.csv"):
        for option in ("-o", "--clusters"):
            assert f"{option} names the input" in refused(*command, option, target, "--force")
    assert "names the input" in refused(*command, "-f", "csv", "-o", vectors, "--force")
    words = tmp_path / "words.csv"
    assert "names the input" in refused(*command, "--stop-words", words, "-o", words, "--force")
    for other in ("embed", "answer", "tune"):
        target = stays.rename(stays.with_suffix(".jsonl")) if other == "embed" else stays
        said = refused(other, target, "-i", "Why?", "-o", target, "--force")
        assert "-o names the input" in said
        if other == "embed":
            target.rename(stays)
    said = refused("cluster", stays, "-i", "Why?", "--save", tmp_path, "--force")
    assert "the input" in said
    assert "lies in the folder of --save" in said


def test_a_run_is_not_replaced_by_what_is_made_of_it(stays, refused, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "rows.parquet").write_text("rows")
    target = tmp_path / "run" / "rows.parquet"
    assert "-o names the input" in refused("assign", tmp_path / "run", stays, "-o", target, "--force")
    assert "-o names the input" in refused("show", tmp_path / "run", "-o", target, "--force")


def test_a_link_stays_and_its_file_is_replaced(inbedder, command, tmp_path):
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / "rows.csv"
    target.write_text("old")
    target.chmod(0o640)
    (tmp_path / "link.csv").symlink_to("there/rows.csv")
    (tmp_path / "dangling.csv").symlink_to("there/new.csv")
    assert inbedder(*command, "-o", tmp_path / "link.csv").exit_code == 2
    for link in ("link.csv", "dangling.csv"):
        result = inbedder(*command, "-o", tmp_path / link, "--force")
        assert result.exit_code == 0, result.stderr
        assert (tmp_path / link).is_symlink()
        assert (tmp_path / link).read_text().startswith("text,cluster,")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["new.csv", "rows.csv"]


def test_names_that_no_file_can_have(command, refused, tmp_path):
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "away.csv").symlink_to("no/such/away.csv")
    for target, exit_code in [
        ("loop.csv", 1),
        ("folder.csv", 2),
        ("file/x.csv", 1),
        ("no/such/x.csv", 1),
        ("away.csv", 1),
        ("x" * 300 + ".csv", 1),
        ("x/" * 3000 + "x.csv", 1),
    ]:
        for option in ("-o", "--clusters"):
            refused(*command, option, tmp_path / target, "--force", exit_code=exit_code)


def test_folders_that_no_run_can_be_saved_to(stays, refused, tmp_path, monkeypatch):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.png").write_text("")
    (tmp_path / "empty").mkdir()
    for target in ("photos", "no/run", "x" * 250):
        refused("cluster", stays, "-i", "Why?", "--save", tmp_path / target, "--force")
    for target in ("loop", "stays.csv/run", "x" * 300):
        refused("cluster", stays, "-i", "Why?", "--save", tmp_path / target, "--force", exit_code=1)
    assert "--save names the input" in refused("cluster", stays, "-i", "Why?", "--save", stays)
    for target in ("/dev/null", "/", "/proc"):
        refused("cluster", stays, "-i", "Why?", "--save", target, "--force")
    monkeypatch.chdir(tmp_path / "empty")
    assert "it is in use" in refused("cluster", stays, "-i", "Why?", "--save", ".")


def test_devices_and_pipes(inbedder, command, refused, tmp_path):
    for target in ("/dev/null", "/dev/stdout", "-", "/dev/fd/1"):
        result = inbedder(*command, "-f", "csv", "-o", target)
        assert result.exit_code == 0, result.stderr
        assert bool(result.stdout) == (target != "/dev/null")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    full = inbedder(*command, "-f", "csv", "-o", "/dev/full")
    assert full.exit_code == 1
    assert "cannot write /dev/full: No space left on device" in full.stderr
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert inbedder(*command, "-f", "csv", "-o", pipe).exit_code == 0
    reader.join()
    assert read[0].startswith(b"text,cluster,")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_pipe_without_a_reader_is_not_waited_for_for_ever(inbedder, command, tmp_path, monkeypatch):
    monkeypatch.setattr("inbedder_cli.output.files.READER_SECONDS", 0.1)
    os.mkfifo(tmp_path / "pipe")
    result = inbedder(*command, "-f", "csv", "-o", tmp_path / "pipe")
    assert result.exit_code == 1
    assert "nobody reads this pipe" in result.stderr


def test_standard_output_that_is_a_file_is_appended_to(command, tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("before\n")
    arguments = [sys.executable, "-m", "inbedder_cli", *map(str, command), "-f", "csv", "-o", "/dev/stdout"]
    with log.open("ab") as stream:
        subprocess.run(arguments, stdout=stream, stderr=subprocess.PIPE, check=True)
    assert log.read_text().startswith("before\ntext,cluster,")


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_modes_of_new_and_replaced_runs(inbedder, tiny, stays, tmp_path, mask):
    fixed = ("-m", tiny, "--no-stability", "--no-baseline", "--no-flag-unanswered", "-k", "2", "--force")
    saved = tmp_path / "run"
    modes = lambda: {path.name: stat.S_IMODE(path.stat().st_mode) for path in (saved, *saved.iterdir())}  # noqa: E731
    before = os.umask(mask)
    try:
        for _ in range(2):
            result = inbedder("cluster", stays, "-i", "Why?", *fixed, "--save", saved)
            assert result.exit_code == 0, result.stderr
            files = dict.fromkeys(("run.json", "run.safetensors", "rows.parquet"), 0o666 & ~mask)
            assert modes() == {"run": 0o777 & ~mask} | files
        saved.chmod(0o710)
        (saved / "run.json").chmod(0o600)
        assert inbedder("cluster", stays, "-i", "Why?", *fixed, "--save", saved).exit_code == 0
        assert modes() == {"run": 0o710} | files | {"run.json": 0o600}
    finally:
        os.umask(before)


def test_leftovers_of_killed_processes_are_removed_and_nothing_else(inbedder, command, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / ".inbedder-abc.tmp").write_text("a text")
    (out / ".inbedder-def.tmp").mkdir()
    (out / ".inbedder-def.tmp" / "rows.parquet").write_text("a text")
    others = [".inbedder-abc", "inbedder-abc.tmp", ".other.tmp", ".inbedder.toml"]
    for name in others:
        (out / name).write_text("mine")
    (out / ".inbedder-link.tmp").symlink_to(out / ".other.tmp")
    import fcntl

    with (out / ".inbedder-live.tmp").open("w") as live:  # of a process that still writes it
        fcntl.flock(live, fcntl.LOCK_EX)
        assert inbedder(*command, "-o", out / "x.csv").exit_code == 0
        kept = sorted([*others, "x.csv", ".inbedder-link.tmp", ".inbedder-live.tmp"])
        assert sorted(path.name for path in out.iterdir()) == kept
    assert inbedder(*command, "-o", out / "y.csv").exit_code == 0
    assert not (out / ".inbedder-live.tmp").exists()
