"""The agreement with the question-blind baseline, on vectors made by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from inbedder_cli.corpus import read_corpus
from inbedder_cli.diagnostics.baseline import (
    BASELINE_INSTRUCTION,
    CPU_ROWS,
    ROWS,
    BaselineSample,
    baseline_agreement,
    encode_baseline,
)
from inbedder_cli.options import ClusterOptions, EncodeOptions
from tests.clustering.test_fit import blobs

VECTORS, TRUTH = blobs((20, 20))
OPTIONS = ClusterOptions(k=2)


def agreement(labels, vectors=VECTORS, options=OPTIONS):
    return baseline_agreement(labels, options, BaselineSample(list(range(len(vectors))), vectors))


def test_the_same_clusters_agree_fully_and_unrelated_ones_do_not():
    same = agreement(TRUTH.tolist())
    assert (same.ami, same.n_rows) == (pytest.approx(1), 40)
    assert abs(agreement(np.random.default_rng(0).permutation(TRUTH).tolist()).ami) < 0.2


def test_the_clusters_of_the_neutral_question_are_compared_with_the_answers():
    sample = BaselineSample(list(range(40)), VECTORS)
    said = [("Angry", "calm")[label] for label in TRUTH]
    assert baseline_agreement(TRUTH.tolist(), OPTIONS, sample, said).answers_ami == pytest.approx(1)
    assert baseline_agreement(TRUTH.tolist(), OPTIONS, sample, ["angry"] * 40).answers_ami == pytest.approx(0)
    assert baseline_agreement(TRUTH.tolist(), OPTIONS, sample).answers_ami is None


def test_rows_in_no_cluster_and_rows_without_vectors_are_left_out():
    vectors = VECTORS.copy()
    vectors[3] = np.nan
    labels = [None, -1, *TRUTH.tolist()[2:]]
    found = agreement(labels, vectors)
    assert (found.ami, found.n_rows) == (pytest.approx(1), 37)


@pytest.mark.parametrize(
    ("labels", "vectors"),
    [([0] * 40, VECTORS), ([None] * 40, VECTORS), (TRUTH.tolist(), np.ones_like(VECTORS))],
    ids=["one cluster", "no cluster", "one vector"],
)
def test_fewer_than_two_clusters_have_no_agreement(labels, vectors):
    assert agreement(labels, vectors) is None


@dataclass
class Recorder:
    """An encoder that remembers what it was asked."""

    device: str = "cuda:0"
    asked: list[tuple[list[str], str, EncodeOptions]] = field(default_factory=list)

    def encode(self, texts, instruction, options, reporter):
        self.asked.append((texts, instruction, options))
        return SimpleNamespace(vectors=np.zeros((len(texts), 4), np.float32))


def test_the_sample_is_encoded_under_the_neutral_question_and_does_not_depend_on_the_order():
    texts = [f"text {i}" for i in range(3 * ROWS)] + ["frequent"] * 1000 + [None]
    samples = []
    for order in (texts, texts[::-1]):
        encoder = Recorder()
        sample = encode_baseline(read_corpus(order), encoder, EncodeOptions(max_tokens=99))
        (asked, instruction, options) = encoder.asked[0]
        assert instruction == BASELINE_INSTRUCTION
        assert (options.answers, options.max_tokens) == (False, 99)
        assert asked == [order[row] for row in sample.rows]
        assert len(sample.rows) == len(sample.vectors) == ROWS
        samples.append(sorted(asked))
    assert samples[0] == samples[1]
    assert 100 < samples[0].count("frequent") < 300


def test_a_cpu_encodes_fewer_rows_which_are_among_those_of_a_gpu():
    corpus = read_corpus([f"text {i}" for i in range(3 * ROWS)])
    few, many = (encode_baseline(corpus, Recorder(device), EncodeOptions()).rows for device in ("cpu", "cuda:0"))
    assert (len(few), len(many)) == (CPU_ROWS, ROWS)
    assert few == many[:CPU_ROWS]
