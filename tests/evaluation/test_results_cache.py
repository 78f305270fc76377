"""A --resume file that is damaged, cut short, or no file at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.errors import InbedderError, InputError
from inbedder_cli.evaluation.results_cache import CachedScores, read_results_cache
from inbedder_cli.evaluation.scores import Score

SCORES = CachedScores([Score("clustering", "task", "V-measure", 0.5, 10, low=0.25)], "float32")
KEYS = [{"task": name, "model": "é"} for name in "abc"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "scores.jsonl"
    cache = read_results_cache(path)
    for key in KEYS:
        cache.put(key, SCORES)
    return path.read_bytes()


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_file_that_is_cut_short_keeps_its_whole_lines(whole, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("cut") / "scores.jsonl"
    end = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:end])
    cache = read_results_cache(path)
    n_whole = whole[:end].count(b"\n")
    assert [cache.get(key) for key in KEYS] == [SCORES] * n_whole + [None] * (3 - n_whole)
    cache.put(KEYS[2], SCORES)
    assert read_results_cache(path).get(KEYS[2]) == SCORES


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_changed_byte_is_an_error_with_its_line_or_harmless(whole, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("changed") / "scores.jsonl"
    content = bytearray(whole)
    content[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        read_results_cache(path)
    except InputError as error:
        assert ", line " in str(error)
        assert "--resume" in error.hint


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b'{"schema": 2, "key": {}, "dtype": "float32", "scores": [{"part": 1}]}',
        b'{"schema": 2, "key": {}, "dtype": "float32", "scores":'
        b' [{"part": "p", "task": "t", "metric": "m", "value": "high", "rows": 5}]}',
    ],
)
def test_a_line_of_other_types_is_an_error(tmp_path, line):
    path = tmp_path / "scores.jsonl"
    path.write_bytes(line + b"\n")
    with pytest.raises(InputError, match="line 1: is not a line of scores"):
        read_results_cache(path)


@pytest.mark.skipif(os.name == "nt", reason="fifos are of POSIX")
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_read(tmp_path, make):
    make(tmp_path / "scores.jsonl")
    with pytest.raises(InputError, match="is not a regular file"):
        read_results_cache(tmp_path / "scores.jsonl")


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    cache = read_results_cache(tmp_path / "scores.jsonl")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(InbedderError, match=r"no space left on the disk of .*MB free, about") as caught:
        cache.put(KEYS[0], SCORES)
    assert "repeat the command" in caught.value.hint
