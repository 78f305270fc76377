from __future__ import annotations

import pytest

from inbedder_cli.errors import UsageError
from inbedder_cli.registry import Registry


def test_entries_are_imported_when_they_are_asked_for():
    registry = Registry("shape", {"path": "pathlib:Path", "nothing": "no_such_module:thing"})
    assert list(registry) == ["path", "nothing"]
    assert registry["path"].__name__ == "Path"


def test_unknown_names_are_refused_with_those_that_are_known():
    registry = Registry("shape", {})
    registry.register("circle", 1)
    assert registry["circle"] == 1
    with pytest.raises(UsageError, match='unknown shape "circel"') as refused:
        registry["circel"]
    assert 'did you mean "circle"?' in refused.value.hint
    registry.unregister("circle")
    assert "circle" not in registry
