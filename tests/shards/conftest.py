"""A toy encoder, an input of several Parquet files, and the steps of a plan as the command line runs them."""

from __future__ import annotations

import json
import random
import zlib
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from pathlib import Path

QUESTION = "What emotion is expressed?"
N_ROWS = 240
WORDS = {
    "anger": ["angry", "rude", "shouted", "refund"],
    "joy": ["lovely", "kind", "smiled", "thanks"],
    "fear": ["dark", "alone", "scared", "noise"],
}
WIDTH = 24


class CountingEncoder:
    """Made a BaseEncoder by the fixture: vectors and answers depend on the text alone."""

    encoded: ClassVar[list[str]] = []
    identity = "toy 1"

    def encode_batches(self, texts, instruction, options=None, reporter=None, known=()):
        from inbedder_cli.encoders.encoded import Answer, EncodedText

        for text in texts:
            type(self).encoded.append(text)
            emotion = next((e for e, words in WORDS.items() if any(w in text for w in words)), "nothing")
            rng = np.random.default_rng(zlib.crc32(text.encode()))
            vector = np.zeros(WIDTH) if emotion == "nothing" else np.eye(WIDTH)[list(WORDS).index(emotion)] * 4
            vector = (vector + rng.normal(scale=0.4, size=WIDTH)).astype(np.float32)
            if "broken" in text:
                vector[0] = np.nan
            answer = Answer(emotion, 0.9, ((emotion, 0.75), ("well", 0.125)))
            yield {text: EncodedText(vector, answer, truncated=False)}


@pytest.fixture
def toy(monkeypatch):
    """Register the model "toy:1", and return its class, which keeps the texts that it encoded."""
    from inbedder_cli.encoders import BaseEncoder, encoder_backends

    class Toy(CountingEncoder, BaseEncoder):
        name, hidden_size, encoded = "toy", WIDTH, []

        def __init__(self, reference, **_):
            pass

    encoder_backends.register("toy", Toy)
    monkeypatch.setattr("inbedder_cli.shards.engines.PAUSE", 0)
    yield Toy
    encoder_backends.unregister("toy")


def texts(n=N_ROWS, seed=0):
    rng = random.Random(seed)
    made = []
    for i in range(n):
        words = WORDS[rng.choice(list(WORDS))]
        made.append("" if i % 40 == 7 else " ".join([rng.choice(words), f"room {rng.randrange(60)}"]))
    made[5] = made[3]
    return made


@pytest.fixture
def reviews_folder(tmp_path) -> Path:
    """Three Parquet files of several row groups, of 240 rows in all."""
    folder = tmp_path / "reviews"
    folder.mkdir()
    table = pa.table(
        {
            "id": [f"a{i}" for i in range(N_ROWS)],
            "stars": pa.array(range(N_ROWS), pa.int16()),
            "text": texts(),
            "tags": [["x"] * (i % 3) for i in range(N_ROWS)],
        }
    )
    for number, (start, length) in enumerate([(0, 100), (100, 20), (120, 120)]):
        pq.write_table(table.slice(start, length), folder / f"{number}.parquet", row_group_size=16)
    return folder


@pytest.fixture
def shards(inbedder, toy, reviews_folder, tmp_path):
    """Run `inbedder shards`, and check the exit code."""

    def run(command, *arguments, code=0):
        result = inbedder("shards", command, *arguments)
        assert result.exit_code == code, result.stderr
        return result

    return run


@pytest.fixture
def planned(shards, reviews_folder, tmp_path):
    """Plan the input in a new folder."""

    def plan(*arguments, folder="work", source=reviews_folder, rows_per_shard=50):
        work = tmp_path / folder
        fixed = ["-i", QUESTION, "-m", "toy:1", "--id", "id", "-o", work, "--rows-per-shard", rows_per_shard]
        shards("plan", source, *fixed, *arguments)
        return work

    return plan


@pytest.fixture
def clustered(shards, planned, tmp_path):
    """Run all steps, and return the folders of the plan and of the labelled rows."""

    def run(*arguments, folder="work", **options):
        work, output = planned(*arguments, folder=folder, **options), tmp_path / f"{folder}-out"
        shards("run", work)
        shards("fit", work, "-k", "3")
        shards("assign", work, "-o", output)
        return work, output

    return run


def rows_of(output):
    """All rows of a folder of labelled rows, in the order of its files."""
    return pa.concat_tables(pq.read_table(path) for path in sorted(output.glob("part-*.parquet")))


def lines_of(table):
    """The rows as JSON lines: as bytes, whatever the files that they come from."""
    return "\n".join(json.dumps(row) for row in table.to_pylist()).encode()


def content(folder, pattern="part-*.parquet"):
    return {path.name: path.read_bytes() for path in sorted(folder.glob(pattern))}
