"""Paths that begin with ~."""

from __future__ import annotations

from pathlib import Path

import pytest

from inbedder_cli.errors import UsageError
from inbedder_cli.paths import cache_dir, expand


def test_the_home_folder_is_expanded():
    assert expand("~/models") == Path.home() / "models"
    assert expand("a/~") == Path("a/~")


def test_an_unknown_user_is_a_usage_error(monkeypatch, inbedder):
    with pytest.raises(UsageError, match="~no-such-user/x: there is no such user"):
        expand("~no-such-user/x")
    monkeypatch.setenv("INBEDDER_CACHE", "~no-such-user/x")
    with pytest.raises(UsageError):
        cache_dir()
    result = inbedder("cache", "path")
    assert result.exit_code == 2
    assert "there is no such user" in result.stderr
