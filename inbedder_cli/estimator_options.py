"""Parameters of `InBedder`, flat and unchecked as scikit-learn wants them -> options of the steps."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.clustering.preprocess import as_seed
from inbedder_cli.errors import UsageError
from inbedder_cli.options import MAX_SEED, ClusterOptions, EncodeOptions, ExplainOptions, UnansweredOptions
from inbedder_cli.parameter_types import check_types

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class FitOptions:
    """What a fit asks, and how; the fields are the parameters of `pipeline.analyze`."""

    instructions: str
    encode_options: EncodeOptions
    cluster_options: ClusterOptions
    unanswered_options: UnansweredOptions
    explain_options: ExplainOptions
    multi: bool
    baseline: bool


def fit_options(parameters: Mapping[str, Any], annotations: Mapping[str, str]) -> FitOptions:
    """Return the options of a fit.

    :param parameters: of the estimator, by name.
    :param annotations: of its constructor, as they are written.
    :raises UsageError: for a value of a wrong type, or out of range.
    """
    instruction, n_clusters = parameters["instruction"], parameters["n_clusters"]
    if not isinstance(instruction, str) or not instruction.strip():
        raise UsageError(
            f"instruction must be a question, not {instruction!r}",
            hint='for example "What emotion is expressed?"; several at once: analyze(corpus, [...])',
        )
    check_types(annotations, parameters)
    is_number = isinstance(n_clusters, (int, np.integer))
    if not is_number and n_clusters not in ("auto", None):
        raise UsageError(f'n_clusters must be a number or "auto", not {n_clusters!r}')

    def given(*names: str) -> dict[str, Any]:
        return {name: parameters[name] for name in names}

    return FitOptions(
        instruction,
        EncodeOptions(**given("pooling", "layer", "max_tokens", "max_answer_tokens")),
        ClusterOptions(
            k=int(n_clusters) if is_number else None,
            seed=_seed_of(parameters["random_state"]),
            **given("algorithm", "k_min", "k_max", "min_cluster_size", "stability", "consensus"),
        ),
        UnansweredOptions(parameters["flag_unanswered"], parameters["min_confidence"]),
        ExplainOptions(parameters["stop_words"], exemplars=parameters["exemplars"]),
        **given("multi", "baseline"),
    )


def _seed_of(random_state: Any) -> int:  # noqa: ANN401
    """Return a seed, which a saved run can hold; a generator, or numpy's own for None, draws one."""
    if isinstance(random_state, numbers.Integral) and not 0 <= int(random_state) <= MAX_SEED:
        raise UsageError(f"random_state must be between 0 and {MAX_SEED}, not {random_state}")
    try:
        return as_seed(random_state)
    except ValueError as error:
        raise UsageError(
            f"random_state must be an integer, a numpy.random.RandomState or None, not {random_state!r}",
            hint="an integer gives the same clusters again",
        ) from error
