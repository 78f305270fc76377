"""Where output goes: files that appear whole or not at all, and standard output."""

from __future__ import annotations

import errno
import io
import json
import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from inbedder_cli.errors import InbedderError, UsageError
from inbedder_cli.output.files import atomic_write, check_target, open_output, standard_output, write_json


def listing(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_document_is_one_line_ended_json_value():
    stream = io.BytesIO()
    write_json({"a": "é", "b": [1, None]}, stream)
    assert stream.getvalue().endswith(b"}\n")
    assert "é".encode() in stream.getvalue()
    assert json.loads(stream.getvalue()) == {"a": "é", "b": [1, None]}


def test_a_document_never_holds_what_is_not_json():
    with pytest.raises(ValueError, match="JSON"):
        write_json({"a": float("nan")}, io.BytesIO())


def test_a_target_is_checked_before_any_work(tmp_path):
    there = tmp_path / "there.csv"
    there.touch()
    check_target(None, force=False)
    check_target(tmp_path / "new.csv", force=False)
    check_target(there, force=True)
    with pytest.raises(UsageError, match="exists already") as caught:
        check_target(there, force=False)
    assert "--force" in caught.value.hint
    with pytest.raises(UsageError, match="is a folder"):
        check_target(tmp_path, force=True)
    with pytest.raises(InbedderError, match="there is no folder") as missing:
        check_target(tmp_path / "gone" / "x.csv", force=False)
    assert "mkdir -p" in missing.value.hint


def test_a_target_in_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InbedderError, match="is not writable"):
        check_target(tmp_path / "x.csv", force=False)


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "x.csv"
    with atomic_write(path) as stream:
        stream.write(b"a,b\n")
        stream.flush()
        assert not path.exists()
    assert path.read_bytes() == b"a,b\n"
    assert listing(tmp_path) == ["x.csv"]


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), InbedderError("bad")])
@pytest.mark.parametrize("before", [None, b"old"])
def test_an_exception_leaves_nothing_behind_and_an_existing_file_as_it_was(tmp_path, error, before):
    path = tmp_path / "x.csv"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(type(error)) as caught, atomic_write(path) as stream:
        stream.write(b"new")
        raise error
    assert caught.value is error
    assert listing(tmp_path) == ([] if before is None else ["x.csv"])
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("step", ["fsync", "replace", "write"])
@pytest.mark.parametrize("before", [None, b"old"])
def test_a_full_disk_leaves_nothing_behind_and_an_existing_file_as_it_was(tmp_path, monkeypatch, step, before):
    path = tmp_path / "x.csv"
    if before is not None:
        path.write_bytes(before)

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if step != "write":
        monkeypatch.setattr(*{"fsync": (os, "fsync", full), "replace": (Path, "replace", full)}[step])
    with pytest.raises(InbedderError, match=r"cannot write .*: No space left on device") as caught:
        with atomic_write(path) as stream:
            stream.write(b"new")
            if step == "write":
                full()
    assert caught.value.exit_code == 1
    assert caught.value.hint == "nothing was written"
    monkeypatch.undo()
    assert listing(tmp_path) == ([] if before is None else ["x.csv"])
    assert before is None or path.read_bytes() == before


def test_a_folder_that_went_away_is_reported(tmp_path):
    with pytest.raises(InbedderError, match="cannot write"):
        with atomic_write(tmp_path / "gone" / "x.csv") as stream:
            stream.write(b"new")


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_a_new_file_gets_the_rights_that_the_umask_leaves(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        with atomic_write(tmp_path / "x.csv") as stream:
            stream.write(b"new")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.csv").stat().st_mode) == mode


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no devices here")
def test_a_device_is_written_to_and_stays_a_device():
    with atomic_write(Path("/dev/null")) as stream:
        stream.write(b"new")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_a_full_device_is_reported_like_a_full_disk():
    with pytest.raises(InbedderError, match="cannot write /dev/full: No space left on device"):
        with atomic_write(Path("/dev/full")) as stream:
            stream.write(b"new")


def test_without_a_path_standard_output_is_written_and_stays_open(capfdbinary):
    with open_output(None) as stream:
        stream.write(b"a,b\n")
    with open_output(None) as stream:
        stream.write(b"more\n")
    assert capfdbinary.readouterr().out == b"a,b\nmore\n"


def test_with_a_path_a_file_is_written(tmp_path):
    with open_output(tmp_path / "x.json") as stream:
        write_json({"a": 1}, stream)
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": 1}


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, InbedderError), (errno.EPIPE, BrokenPipeError)])
def test_standard_output_that_cannot_be_written_is_reported_but_a_closed_pipe_passes(monkeypatch, number, kind):
    def refuse():
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=SimpleNamespace(flush=refuse), isatty=bool))
    with pytest.raises(kind), standard_output():
        pass


def test_a_link_to_no_file_is_not_written_through(tmp_path):
    link = tmp_path / "clustered.csv"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"is a link to .*elsewhere, which does not exist"):
        check_target(link, force=False)
    check_target(link, force=True)
