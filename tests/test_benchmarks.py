"""That the benchmarks still run; what they measure is in benchmarks/."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.keywords import KeywordEncoder

FOLDER = Path(__file__).parent.parent / "benchmarks"


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("step", ["reading", "kmeans", "hdbscan", "explaining", "writing", "report"])
def test_every_step_whose_growth_is_measured_runs(step, tmp_path):
    growth = loaded("growth")
    assert step in growth.STEPS
    growth.prepared(step, 600, tmp_path)()
    if step == "writing":
        assert len((tmp_path / "rows.csv").read_text().splitlines()) == 601


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory as Linux gives it")
def test_the_memory_of_workers_is_measured():
    workers = loaded("workers")
    block = np.ones(30_000_000)  # 240 MB
    shared, private = workers.memory_of(os.getpid())
    assert shared >= private > block.nbytes / 2**20
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as child:
        assert child.pid in workers.children()
    assert workers.memory_of(child.pid) == (0.0, 0.0)


def test_all_ways_of_reading_whose_speed_is_measured_give_the_same_vectors(tiny_models):
    from inbedder_cli.encoders.transformers.loading import encoder_from_files
    from inbedder_cli.models import ModelFiles
    from inbedder_cli.options import Dtype

    throughput = loaded("throughput")
    encoder = encoder_from_files(
        ModelFiles("tiny", tiny_models["llama"], template="question-first"),
        device="cpu",
        dtype=Dtype.float32,
    )
    rows = throughput.texts(15, 40)
    expected = throughput.timed(encoder, throughput.reference, rows, 2)
    assert expected.tokens > 0
    for read in (
        throughput.plain,
        partial(throughput.ours, answers=False),
        partial(throughput.ours, answers=True),
        partial(throughput.unfused, answers=True),
    ):
        way = throughput.timed(encoder, read, rows, 2)
        assert throughput.median_cosine(way.vectors, expected.vectors) > 0.999
        assert way.tokens < expected.tokens


def test_every_way_to_select_k_finds_clear_groups_or_says_how_far_it_is(capsys):
    ways = loaded("number_of_clusters")
    rng = np.random.default_rng(0)
    truth = np.repeat(range(3), 10)
    vectors = (np.eye(6)[truth] + rng.normal(scale=0.05, size=(30, 6))).astype(np.float32)
    names = [f"class {group}" for group in truth]
    table = ways.measure(vectors, names, names)
    assert (table.n_classes, round(table.perplexity), round(table.n_answers)) == (3, 3, 3)
    for name in ("silhouette", "AMI with the answers", "-k auto", "number of classes (oracle)"):
        assert ways.WAYS[name](table) == 3, name
    fast = ways.measure(vectors, names, names, fast=True)
    assert all(way(fast) == way(table) for way in ways.WAYS.values())
    for name, way in (ways.WAYS | ways.COSTLY_WAYS).items():
        ways.report(name, [table], [(way(table), table.quality[way(table)])])
    assert "-k auto" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["features", "complaints", "symptoms", "news", "apps"])
def test_the_gold_answers_of_texts_score_best_and_others_less(name):
    several = loaded("several_answers")
    task = several.make_task(name)
    assert len(task.texts) == len(task.gold) >= 30
    assert all(text for text in task.texts)
    names = sorted(task.patterns)
    first = {
        answer: pattern.split("|")[0].replace("$", "").replace("?", "")
        for answer, pattern in task.patterns.items()
    }
    said = [[first[answer] for answer in sorted(gold)] for gold in task.gold]
    assert several.score_answers(task, said) == (1, 1)
    precision, recall = several.score_answers(task, [[*answers[:1], "turtles"] for answers in said])
    assert precision == 0.5
    assert recall == len(task.texts) / sum(map(len, task.gold))
    clusters = [{names.index(answer) for answer in gold} for gold in task.gold]
    assert several.score_clusters(task, clusters) == (1, 1)
    assert several.score_clusters(task, [{0} for _ in clusters])[0] < 0.6


def test_all_ways_to_find_answers_are_measured():
    several = loaded("several_answers")
    scores = several.measure(several.make_task("features"), KeywordEncoder())
    assert list(scores) == ["whole texts", "all parts", "multi", "clusters, whole texts", "clusters, multi"]
    assert scores["multi"][1] > scores["whole texts"][1]
