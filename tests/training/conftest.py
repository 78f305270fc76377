"""Examples that a tiny model can learn: which colour, which animal."""

from __future__ import annotations

import json
import random

import pytest

COLOURS, ANIMALS = ("red", "green", "blue"), ("cat", "dog", "cow")


def make_rows(n: int = 120, seed: int = 0) -> list[dict[str, str]]:
    rng = random.Random(seed)
    rows = []
    for i in range(n):
        colour, animal = rng.choice(COLOURS), rng.choice(ANIMALS)
        question, answer = rng.choice([("Which colour is it?", colour), ("Which animal is it?", f"the {animal}")])
        text = f"Number {i}: the {colour} {animal}."
        rows.append({"input": text, "instruction": question, "output": answer, "source": "zoo"})
    return rows


@pytest.fixture
def rows() -> list[dict[str, str]]:
    return make_rows()


@pytest.fixture
def data(tmp_path, rows):
    path = tmp_path / "zoo.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
