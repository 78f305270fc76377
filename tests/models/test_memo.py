from __future__ import annotations

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


@pytest.mark.parametrize("content", ["", "[1]", "{", "\x00"])
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
