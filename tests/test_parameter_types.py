"""Parameters of a wrong type are refused before anything is computed, by the name that they have in Python."""

from __future__ import annotations

import numpy as np
import pytest

from inbedder_cli import ClusterOptions, EncodeOptions, ExplainOptions, InBedder, UnansweredOptions, load_encoder
from inbedder_cli.errors import UsageError
from inbedder_cli.parameter_types import check_types
from inbedder_cli.progress import SILENT


@pytest.mark.parametrize(
    ("options", "values"),
    [
        (ClusterOptions, {"algorithm": None}),
        (ClusterOptions, {"k": 2.5}),
        (ClusterOptions, {"k": True}),
        (ClusterOptions, {"k_max": "20"}),
        (ClusterOptions, {"stability": "no"}),
        (EncodeOptions, {"answers": "yes"}),
        (EncodeOptions, {"max_tokens": 0.5}),
        (UnansweredOptions, {"flag": 1}),
        (UnansweredOptions, {"min_confidence": "a"}),
        (ExplainOptions, {"exemplars": "3"}),
        (ExplainOptions, {"stop_words": [1]}),
        (load_encoder, {"model": 3}),
        (load_encoder, {"offline": "no"}),
        (load_encoder, {"cache": "no"}),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(options, values):
    (name,) = values
    with pytest.raises(UsageError, match=f"^{name} must be "):
        options(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"model": 3},
        {"baseline": "no"},
        {"multi": None},
        {"algorithm": None},
        {"random_state": -1},
        {"random_state": "x"},
        {"stop_words": 5},
        {"n_clusters": "many"},
        {"verbose": "very"},
    ],
)
def test_an_estimator_refuses_it_when_it_is_fitted(values):
    (name,) = values
    with pytest.raises(UsageError, match=f"^{name} must be "):
        InBedder("What is it?", **values).fit(["a", "b"])


@pytest.mark.parametrize("value", [3, np.int64(3), None])
def test_numbers_of_numpy_are_numbers(value):
    check_types({"k": "int | None", "p": "float"}, {"k": value, "p": np.float32(0.5)})
    check_types({"p": "float", "b": "bool", "x": "Pooling | None"}, {"p": 1, "b": np.True_, "x": object()})


def test_stop_words_may_be_words():
    assert ExplainOptions(["Soup", "box"]).stop_words == ("Soup", "box")


def test_a_warning_points_at_the_line_of_the_user():
    with pytest.warns(UserWarning, match="leave out k_max") as caught:
        SILENT.warn("leave out --k-max")
    assert caught[0].filename == __file__
