from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from inbedder_cli.corpus import Corpus
from inbedder_cli.diagnostics.wordings import Wording, agreement, describe, preferences
from inbedder_cli.embeddings import Embeddings, RowStatus
from inbedder_cli.options import ClusterOptions
from inbedder_cli.pipeline import analyze
from inbedder_cli.report.wordings_view import preference_line
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


def a_wording(name, answered=1.0, short=1.0, stability=0.6, baseline=0.3):
    return Wording(name, "Which one?", answered, short, 9, 3.0, 5, stability, baseline)


def test_figures_speak_for_the_wordings_that_are_clearly_better():
    q1, q2 = a_wording("q1", answered=0.97, stability=0.35), a_wording("q2", answered=0.94, stability=0.49)
    assert preferences([q1, q2]) == {
        "answered": ["q1", "q2"],
        "short": ["q1", "q2"],
        "stability": ["q2"],
        "baseline": ["q1", "q2"],
    }
    assert preference_line([q1, q2]) == "for q2: stability; too close to say: answered, short, baseline"
    q3 = a_wording("q3", answered=0.8, stability=0.5, baseline=0.1)
    assert preference_line([q1, q2, q3]) == (
        "for q1 or q2: answered; for q2 or q3: stability; for q3: the lower baseline; too close to say: short"
    )


def test_a_figure_that_one_wording_lacks_speaks_for_none():
    line = preference_line([a_wording("q1"), a_wording("q2", stability=float("nan"), baseline=None)])
    assert line == "too close to say: answered, short"
