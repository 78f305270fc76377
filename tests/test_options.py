"""Options take the plain strings of their values, and refuse all others by naming what is right."""

from __future__ import annotations

import numpy as np
import pytest

from inbedder_cli.clustering import algorithms, fit_clusters
from inbedder_cli.errors import UsageError
from inbedder_cli.evaluation.settings import EvaluateOptions, Part
from inbedder_cli.options import ClusterOptions, Dtype, EncodeOptions, Pooling, ReportOptions
from inbedder_cli.output.formats import check_format
from inbedder_cli.training.recipes import Recipe, TrainOptions


def test_strings_become_members():
    assert ClusterOptions(algorithm="hdbscan").algorithm == "hdbscan"
    assert EncodeOptions(pooling="answer-words").pooling is Pooling.answer_words
    assert TrainOptions(recipe="paper", dtype="float32").recipe is Recipe.paper
    assert EvaluateOptions(parts=("sts",)).parts == (Part.sts,)


def test_a_string_runs_the_algorithm_that_it_names():
    blobs = np.repeat(np.eye(2, 8, dtype=np.float32), 20, axis=0)
    vectors = blobs + np.random.default_rng(0).normal(0, 0.01, blobs.shape).astype(np.float32)
    assert isinstance(fit_clusters(vectors, ClusterOptions(algorithm="hdbscan")).algorithm, algorithms["hdbscan"])


@pytest.mark.parametrize(
    ("make", "hint"),
    [
        (lambda: ClusterOptions(algorithm="kmean"), 'did you mean "kmeans"?'),
        (lambda: EncodeOptions(pooling="last"), "first-token"),
        (lambda: TrainOptions(schedule="constant"), "linear, cosine"),
        (lambda: Dtype("float64"), "float32"),
        (lambda: check_format("ods"), "parquet"),
    ],
)
def test_other_values_are_refused_with_those_that_are_right(make, hint):
    with pytest.raises(UsageError) as refused:
        make()
    assert hint in refused.value.hint


def test_one_column_to_color_by_may_be_a_string():
    assert ReportOptions(color_by="plan", date="day").columns == ("plan", "day")
