"""The harness of the kill tests sees each operation, and finds a program that loses what was there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests.kill_points import kill_points

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def replace_safely(path):
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".x", delete=False) as stream:
        stream.write(b"new")
        stream.flush()
        os.fsync(stream.fileno())
    Path(stream.name).replace(path)


def test_each_operation_is_a_kill_point(tmp_path):
    path, seen = tmp_path / "x", []

    def check(point):
        seen.append((point.split()[0].split(".")[-1].lstrip("_"), path.read_bytes()))

    points = kill_points(
        lambda: replace_safely(path), folder=tmp_path, reset=lambda: path.write_bytes(b"old"), check=check
    )
    assert [name for name, _ in seen] == ["open", "open", "write", "fsync", "rename"]
    assert {content for _, content in seen} == {b"old"}
    assert len(points) == 5
    assert path.read_bytes() == b"new"


def test_a_half_written_file_is_found_and_named(tmp_path):
    path = tmp_path / "x"

    def check(point):
        assert path.read_bytes() in (b"old", b"new")

    with pytest.raises(AssertionError) as caught:
        kill_points(
            lambda: path.write_bytes(b"new"), folder=tmp_path, reset=lambda: path.write_bytes(b"old"), check=check
        )
    assert "killed at file operation 2" in caught.value.__notes__[0]


def test_a_command_that_fails_is_no_kill(tmp_path):
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        kill_points(lambda: 1 / 0, folder=tmp_path, reset=lambda: None, check=lambda point: None)


def test_operations_elsewhere_and_reading_do_not_count(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "x").write_text("there")
    run = lambda: ((tmp_path / "x").read_text(), print("said"), (tmp_path / "y").mkdir(exist_ok=True))  # noqa: E731, T201
    assert kill_points(run, folder=tmp_path / "in", reset=lambda: None, check=lambda point: None) == []
