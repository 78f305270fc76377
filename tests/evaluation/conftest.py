"""An encoder whose vectors are known by hand, and a small suite in which they matter."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import pytest

from inbedder_cli.encoders.base import Preview
from inbedder_cli.encoders.encoded import Encoded
from inbedder_cli.evaluation.models_under_test import ModelUnderTest

COLOURS, ANIMALS = ("red", "green"), ("cat", "dog")
COLOUR, ANIMAL = "Which colour?", "Which animal?"
WORDS = (*COLOURS, *ANIMALS)


@dataclass
class WordEncoder:
    """Sees the color under a question about colors, the animal under one about animals, and both under others.

    :param calls: of `encode`, in order: (instruction, texts, options).
    :param listens: whether the instruction makes a difference.
    """

    calls: list = field(default_factory=list)
    listens: bool = True
    description: str = "words, float32 on cpu"
    dtype: str = "float32"

    def encode(self, texts, instruction, options=None, reporter=None):
        self.calls.append((instruction, list(texts), options))
        vectors = np.array([[w in t.split() for w in WORDS] for t in texts], np.float32)
        if self.listens and "colour" in instruction:
            vectors[:, 2:] = 0
        if self.listens and "animal" in instruction:
            vectors[:, :2] = 0
        answers = [" ".join(w for w in WORDS if w in t.split()) for t in texts]
        return Encoded(vectors, answers if options and options.answers else None, None, len(set(texts)), 0)

    def preview(self, texts, instruction, options):
        return Preview(texts[0], len(texts), 0, 0, 0.0)


def as_model(encoder, name="words", **changes):
    known = {
        "revision": "abc",
        "template": "paper",
        "layer": None,
        "pooling": "first-token",
        "takes_instruction": True,
        "has_layers": True,
        "load": lambda: encoder,
    }
    return ModelUnderTest(name, **(known | changes))


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def suite_folder(tmp_path):
    """All files of a suite, about forty texts that each name a color and an animal."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    rows = [
        {"text": f"{colour} {animal} {i}", "colour": colour, "animal": animal}
        for i in range(10)
        for colour in COLOURS
        for animal in ANIMALS
    ]
    write_lines(folder / "pets.jsonl", rows)
    task = {"file": "pets.jsonl", "paraphrases": ["What colour is it?"], "implicit_instructions": ["Which shade?"]}
    tasks = [
        task
        | {"task": "colour", "label_column": "colour", "instruction": COLOUR, "incorrect_instructions": [ANIMAL]},
        task | {"task": "animal", "label_column": "animal", "instruction": ANIMAL, "paraphrases": []},
    ]
    (folder / "tasks.json").write_text(json.dumps(tasks), encoding="utf-8")
    sides = {"colour": (COLOUR, "green cat", "red dog"), "animal": (ANIMAL, "red dog", "green cat")}
    triplets = [
        {"set": "pets", "id": f"pets-{i}", "goal": goal, "instruction": question}
        | {"anchor": f"green dog {i}", "positive": f"{same} {i}", "negative": f"{other} {i}"}
        for goal, (question, same, other) in sides.items()
        for i in range(6)
    ]
    write_lines(folder / "triplets.jsonl", triplets)
    pairs = [
        {
            "set": "pets",
            "sentence1": t["anchor"],
            "sentence2": t[side],
            "instruction": t["instruction"],
            "score": s,
        }
        for t in triplets
        for side, s in (("positive", 1), ("negative", 0))
    ]
    write_lines(folder / "instruct_sts.jsonl", pairs)
    alike = [
        {"sentence1": "red cat", "sentence2": "red cat", "score": 5.0},
        {"sentence1": "red cat", "sentence2": "red dog", "score": 2.5},
        {"sentence1": "red cat", "sentence2": "green dog", "score": 0},
    ]
    write_lines(folder / "stsb_dev.jsonl", alike)
    return folder
