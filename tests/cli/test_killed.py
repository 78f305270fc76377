"""A command that is killed at any of its file operations leaves the old or the new result, and nothing else."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
from openpyxl import load_workbook

from tests.kill_points import kill_points

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

QUESTION = "What emotion is expressed?"
EVERY_OF_TRAINING = 8  # file operation: each takes a whole training


@pytest.fixture
def stays(tmp_path):
    path = tmp_path / "stays.csv"
    path.write_text("text\n" + "".join(f"text {i} {'cold' if i % 2 else 'kind'} room\n" for i in range(12)))
    return path


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def is_turning(point):
    """Whether the next run is tried after a kill here: it is tried where other files lie there, to save time."""
    return point == "fsync" or point.split()[0] in ("os.mkdir", "os.rename", "os.rmdir")


def contents(folder):
    return {path.name: content(path) for path in folder.iterdir()}


def content(path):
    """The bytes of a file; of a workbook, whose archive holds the time, its cells."""
    if path.suffix != ".xlsx" or path.stat().st_size < 100:
        return path.read_bytes()
    return [row for sheet in load_workbook(path).worksheets for row in sheet.iter_rows(values_only=True)]


@pytest.mark.parametrize(
    ("old", "every", "suffix"), [(b"old", 1, ".csv"), (None, 4, ".csv"), (b"old", 250, ".xlsx")]
)
def test_rows_and_clusters(inbedder, stays, tmp_path, old, every, suffix):
    vectors, out = tmp_path / "vectors.npy", tmp_path / "out"
    np.save(vectors, np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32))
    out.mkdir()
    targets = [out / f"rows{suffix}", out / f"clusters{suffix}"]
    command = ("cluster", stays, "--vectors", vectors, "-k", "2", "--no-stability", "--force")
    run = lambda: inbedder(*command, "-o", targets[0], "--clusters", targets[1])  # noqa: E731
    assert run().exit_code == 0
    new = contents(out)

    def reset():
        for path in out.iterdir():
            path.unlink()
        for target in targets if old is not None else ():
            target.write_bytes(old)

    def check(point):
        for target in targets:
            if target.exists() or old is not None:
                assert content(target) in (old, new[target.name])
        if not is_turning(point):
            return
        assert run().exit_code == 0
        assert contents(out) == new

    points = kill_points(run, folder=out, reset=reset, check=check, every=every)
    if every == 1:
        assert sum(point.startswith("os.rename") for point in points) == 2
        assert any("fsync" in point for point in points)


def test_saved_runs(inbedder, tiny, stays, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    saved = folder / "run"
    fixed = ("-m", tiny, "--no-stability", "--no-baseline", "--no-flag-unanswered", "--no-cache", "--force")
    run = lambda k: inbedder("cluster", stays, "-i", QUESTION, *fixed, "-k", k, "--save", saved)  # noqa: E731
    sizes = lambda: inbedder("show", saved).stdout.count("\n") - 1  # noqa: E731

    assert run(2).exit_code == 0
    (saved / "names.txt").write_text("1 = mine\n")
    (saved / "notes").mkdir(exist_ok=True)
    (saved / "notes" / "mine.md").write_text("mine")
    shutil.copytree(saved, tmp_path / "old")

    def reset():
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "old", saved)

    seen = set()

    def check(point):
        k = sizes()
        seen.add(k)
        assert k in (2, 3)
        if not is_turning(point):
            return
        assert run(3).exit_code == 0
        assert sizes() == 3
        assert listing(folder) == ["run"]
        assert (saved / "notes" / "mine.md").read_text() == "mine"
        old_names = [saved / name for name in listing(saved) if name.startswith("names.txt")]
        assert [path.read_text() for path in old_names] == ["1 = mine\n"]

    points = kill_points(lambda: run(3), folder=folder, reset=reset, check=check)
    assert seen == {2, 3}
    assert sum(point.startswith("os.rename") for point in points) == 2
    assert len(points) > 10


def test_a_new_run(inbedder, tiny, stays, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    fixed = ("-m", tiny, "--no-stability", "--no-baseline", "--no-flag-unanswered", "--no-cache", "-k", "2")
    run = lambda: inbedder("cluster", stays, "-i", QUESTION, *fixed, "--save", folder / "run")  # noqa: E731
    assert run().exit_code == 0

    def reset():
        shutil.rmtree(folder)
        folder.mkdir()

    def check(point):
        assert not (folder / "run").exists()
        assert run().exit_code == 0
        assert listing(folder) == ["run"]
        assert inbedder("show", folder / "run").exit_code == 0

    assert kill_points(run, folder=folder, reset=reset, check=check, every=4)


def test_the_cache_while_it_is_pruned(inbedder, tiny, stays, tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("INBEDDER_CACHE", str(folder))
    answer = lambda: inbedder("answer", stays, "-i", QUESTION, "-m", tiny)  # noqa: E731
    whole = answer().stdout
    kept = {path.name: path.read_bytes() for path in folder.glob("rows*")}

    def reset():
        for path in folder.glob("rows*"):
            path.unlink()
        for name, data in kept.items():
            (folder / name).write_bytes(data)

    def check(point):
        again = answer()
        assert again.exit_code == 0
        assert again.stdout == whole
        assert "damaged" not in again.stderr
        assert "cannot use the cache" not in again.stderr

    prune = lambda: inbedder("cache", "prune", "--max-size", "1KB")  # noqa: E731
    assert len(kill_points(prune, folder=folder, reset=reset, check=check)) > 3


def test_a_trained_encoder(inbedder, tiny, tmp_path):
    folder, data = tmp_path / "out", tmp_path / "data.jsonl"
    row = {"instruction": "Which color?", "output": "red"}
    data.write_text("".join(json.dumps(row | {"input": f"A red cat {i}."}) + "\n" for i in range(12)))
    few = ("--max-examples", 8, "--batch-size", 8, "--rank", 2, "--device", "cpu", "--dtype", "float32", "--force")
    folder.mkdir()
    run = lambda: inbedder("train", data, "-m", tiny, "-o", folder / "mine", *few)  # noqa: E731
    assert run().exit_code == 0
    shutil.copytree(folder / "mine", tmp_path / "old")

    def reset():
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "old", folder / "mine")

    def check(point):
        models = [path for path in folder.iterdir() if (path / "adapter").is_dir() and path.suffix != ".partial"]
        assert any(listing(path) == listing(tmp_path / "old") for path in models), listing(folder)
        if point.startswith("os.rename"):
            assert run().exit_code == 0
            assert listing(folder / "mine") == listing(tmp_path / "old")

    points = kill_points(run, folder=folder, reset=reset, check=check, every=EVERY_OF_TRAINING)
    assert len(points) > 4
