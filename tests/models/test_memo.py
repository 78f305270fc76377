from __future__ import annotations

import os

import pytest

from inbedder_cli.models import memo
from inbedder_cli.models.memo import cached_value, recall, remember


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("INBEDDER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_value_is_computed_once():
    found = []

    def find():
        found.append("float32")
        return found[-1]

    assert [cached_value("format", find), cached_value("format", find)] == ["float32", "float32"]
    assert found == ["float32"]


def test_the_oldest_values_are_forgotten(monkeypatch):
    monkeypatch.setattr(memo, "MAX_VALUES", 3)
    for name in "abcad":
        remember(name, f"{name} {recall(name) or 0}")
    assert [recall(name) for name in "abcd"] == ["a a 0", None, "c 0", "d 0"]


@pytest.mark.parametrize(
    "content",
    ["", "[1]", "{", "\x00", "[" * 100_000, '{"values": 1}', '{"checksum": 1, "values": {"format": "float23"}}'],
)
def test_a_damaged_file_is_written_anew(folder, content):
    folder.mkdir()
    (folder / "memo.json").write_text(content)
    assert recall("format") is None
    remember("format", ["float32", "cpu"])
    assert recall("format") == ["float32", "cpu"]


def test_where_nothing_can_be_written_values_are_computed_again(folder):
    folder.write_text("a file in the way")
    assert cached_value("format", lambda: "float32") == "float32"
    assert recall("format") is None


@pytest.mark.parametrize("position", range(0, 100, 3))
def test_a_changed_byte_gives_no_changed_value(folder, position):
    remember("format", ["float32", "cpu"])
    file = folder / "memo.json"
    content = bytearray(file.read_bytes())
    content[position % len(content)] ^= 1
    file.write_bytes(content)
    assert recall("format") in (None, ["float32", "cpu"])


@pytest.mark.skipif(os.name == "nt", reason="modes and fifos are of POSIX")
def test_what_others_may_have_written_is_not_read(folder):
    remember("format", "float32")
    folder.chmod(0o777)
    assert recall("format") is None
    remember("other", "value")
    folder.chmod(0o700)
    assert (recall("format"), recall("other")) == ("float32", None)
    file = folder / "memo.json"
    file.rename(folder / "elsewhere")
    file.symlink_to("elsewhere")
    assert recall("format") is None
    file.unlink()
    os.mkfifo(file)
    assert recall("format") is None


def test_a_failed_write_leaves_no_file(folder, monkeypatch):
    monkeypatch.setattr(memo.Path, "replace", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        remember("format", "float32")
    assert list(folder.iterdir()) == []
