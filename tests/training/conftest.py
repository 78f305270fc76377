"""Examples that a tiny model can learn (which color, which animal), and one trained encoder for all tests."""

from __future__ import annotations

import gc
import json
import random
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COLORS, ANIMALS = ("red", "green", "blue"), ("cat", "dog", "cow")
# A run of seven steps.
FEW = ("--max-examples", 96, "--batch-size", 16, "--rank", 4, "--device", "cpu", "--dtype", "float32")


def make_rows(n: int = 120, seed: int = 0) -> list[dict[str, str]]:
    rng = random.Random(seed)
    rows = []
    for i in range(n):
        color, animal = rng.choice(COLORS), rng.choice(ANIMALS)
        question, answer = rng.choice([("Which color is it?", color), ("Which animal is it?", f"the {animal}")])
        text = f"Number {i}: the {color} {animal}."
        rows.append({"input": text, "instruction": question, "output": answer, "source": "zoo"})
    return rows


@pytest.fixture(scope="session", autouse=True)
def frozen_imports() -> Iterator[None]:
    """Exempt modules from garbage collection: Trainer collects after each run, which takes longer than the run."""
    import peft
    import transformers.trainer  # noqa: F401

    assert peft
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def rows() -> list[dict[str, str]]:
    return make_rows()


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of examples; no test changes it."""
    path = tmp_path_factory.mktemp("data") / "zoo.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in make_rows()), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_models: dict[str, Path], data: Path) -> Path:
    """The encoder that the tiny model becomes with the settings FEW; no test changes it."""
    from inbedder_cli.cli import app

    out = tmp_path_factory.mktemp("trained") / "mine"
    arguments = ("train", data, "-m", tiny_models["llama"], "-o", out, *FEW)
    done = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == ""
    return out
