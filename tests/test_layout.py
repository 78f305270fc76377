"""The shape of the package: one name for one module, and imports that cost nothing until they are needed."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import inbedder_cli

PACKAGE = Path(inbedder_cli.__file__).parent
HEAVY = ("torch", "transformers", "numpy", "scipy", "sklearn", "hdbscan", "pandas", "pyarrow", "huggingface_hub")


def test_no_name_of_a_module_stands_twice():
    names = [path.stem for path in PACKAGE.rglob("*.py") if not path.stem.startswith("__") and path.stem != "base"]
    rooms = [path.parent.name for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE]
    assert {name: n for name, n in Counter([*names, *rooms]).items() if n > 1} == {}


@pytest.mark.parametrize("statement", ["import inbedder_cli", "from inbedder_cli.cli import app"])
def test_nothing_heavy_is_imported_before_it_is_needed(statement):
    code = f"import sys; {statement}; print(sorted(set({HEAVY}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
