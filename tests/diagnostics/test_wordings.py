from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from inbedder_cli.corpus import Corpus
from inbedder_cli.diagnostics.wordings import agreement, describe
from inbedder_cli.options import ClusterOptions
from inbedder_cli.pipeline import analyze
from inbedder_cli.results import Embeddings, RowStatus
from tests.clustering.test_fit import blobs

VECTORS, TRUTH = blobs((20, 20))


def a_run(vectors, answers, k=2):
    texts = [f"text {i}" for i in range(len(answers))]
    corpus = Corpus("x.csv", pa.table({"text": texts}), texts, [str(i) for i in range(len(texts))], ("text",))
    embedding = Embeddings(np.asarray(vectors, np.float32), answers, [RowStatus.ok] * len(answers))
    return analyze(corpus, "Which one?", embeddings=embedding, cluster_options=ClusterOptions(k=k)).result


def test_a_wording_is_described_by_its_answers_and_clusters():
    answers = ["unknown" if i < 4 else "good" if TRUTH[i] else "one two three four" for i in range(40)]
    found = describe("first", a_run(VECTORS, answers))
    assert found.answered == 0.9
    assert found.short == pytest.approx(sum(a == "good" for a in answers[4:]) / 36)
    assert (found.distinct, found.k) == (2, 2)
    assert 0.9 < found.entropy <= 1
    assert found.stability > 0.9
    assert found.baseline is None


def test_nobody_answering_is_described_too():
    found = describe("none", a_run(VECTORS, ["unknown"] * 40))
    assert (found.answered, found.short, found.distinct, found.k) == (0, 0, 0, 0)
    assert math.isnan(found.stability)
    assert math.isnan(agreement([a_run(VECTORS, ["unknown"] * 40), a_run(VECTORS, ["x"] * 40)])[0][1])


def test_wordings_that_group_alike_agree_and_others_do_not():
    one = a_run(VECTORS, ["x"] * 40)
    shuffled = VECTORS[np.random.default_rng(0).permutation(40)]
    table = agreement([one, a_run(VECTORS * 2, ["y"] * 40), a_run(shuffled, ["z"] * 40)])
    assert table[0][1] == pytest.approx(1)
    assert abs(table[0][2]) < 0.3
    assert [table[i][i] for i in range(3)] == [1, 1, 1]
    assert table[2][1] == table[1][2]
