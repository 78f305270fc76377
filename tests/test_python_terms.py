"""Errors that reach Python name parameters; the command line sees its options."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import fields, is_dataclass

import pandas as pd
import pytest

import inbedder_cli
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.python_terms import ESTIMATOR_NAMES, SWITCHES, VALUES, python_terms


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("name a column of texts with --text; columns: a, b", "name a column of texts with text=; columns: a, b"),
        ("--on-bad-row pad keeps such rows", 'on_bad_row="pad" keeps such rows'),
        ("leave out --empty fail to skip such rows", 'leave out empty="fail" to skip such rows'),
        ("lower --min-cluster-size or give more rows", "lower min_cluster_size or give more rows"),
        ("if it names no columns: --no-header", "if it names no columns: header=False"),
        ("add --force to replace it", "add force=True to replace it"),
        ("raise the limit: --max-cell 20", "raise the limit: max_cell=20"),
        ("for none: --quote ''", "for none: quote=''"),
        ("it looks like UTF-16: add --encoding utf-16-le", 'it looks like UTF-16: add encoding="utf-16-le"'),
        ("--no-flag-unanswered keeps them", "flag=False keeps them"),
        ("give them a prefix: --prefix inbedder_", 'give them a prefix: prefix="inbedder_"'),
        ("-k must be at least 2, not 1", "k must be at least 2, not 1"),
        (
            "save the run again with this model: cluster --save",
            "save the run again with this model: cluster --save",
        ),
        ("wait-k --or --unknown 5", "wait-k --or --unknown 5"),
    ],
)
def test_options_become_parameters(message, shown):
    assert python_terms(message) == shown
    assert python_terms(shown) == shown


def test_the_estimator_has_scikit_learns_names():
    assert python_terms("use 2 or more, or -k auto", ESTIMATOR_NAMES) == 'use 2 or more, or n_clusters="auto"'
    assert python_terms("another --seed", ESTIMATOR_NAMES) == "another random_state"
    assert python_terms("--no-flag-unanswered", ESTIMATOR_NAMES) == "flag_unanswered=False"


def test_every_name_is_a_parameter_that_python_has():
    members = [getattr(inbedder_cli, name) for name in inbedder_cli.__all__]
    results = (inbedder_cli.ClusteringResult, inbedder_cli.Analysis, inbedder_cli.InBedder)
    members += [member for kind in results for member in vars(kind).values() if inspect.isfunction(member)]
    known = {
        name for member in members if inspect.isfunction(member) for name in inspect.signature(member).parameters
    }
    known |= set(inspect.signature(inbedder_cli.InBedder).parameters)
    known |= {field.name for member in members if is_dataclass(member) for field in fields(member)}
    assert known >= SWITCHES | VALUES


def test_public_functions_name_parameters_and_the_modules_below_do_not(tmp_path):
    from inbedder_cli.corpus import read_corpus

    frame = pd.DataFrame({"left": ["a b"], "right": ["c d"]})
    with pytest.raises(InputError) as shown:
        inbedder_cli.read_corpus(frame)
    assert "with text=" in shown.value.hint
    assert shown.value.__notes__ == [shown.value.hint]
    with pytest.raises(InputError) as below:
        read_corpus(frame)
    assert "with --text" in below.value.hint


def test_public_functions_can_be_pickled():
    assert pickle.loads(pickle.dumps(inbedder_cli.embed)) is inbedder_cli.embed


def test_what_is_no_corpus_is_refused_with_how_to_make_one():
    frame = pd.DataFrame({"text": ["a b"]})
    for call in (
        lambda: inbedder_cli.analyze(frame, "Which?", "inbedder-135m"),
        lambda: inbedder_cli.embed(frame, "Which?", None),
        lambda: inbedder_cli.flag_unanswered(frame, None),
        lambda: inbedder_cli.explain(frame, None, None),
    ):
        with pytest.raises(UsageError, match="a DataFrame is not a corpus") as found:
            call()
        assert found.value.hint == "make one first: corpus = read_corpus(frame)"
