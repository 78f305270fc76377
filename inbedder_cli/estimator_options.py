"""Parameters of `InBedder`, flat and unchecked as scikit-learn wants them -> options of the steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.errors import UsageError
from inbedder_cli.fitted import seed_of
from inbedder_cli.options import ClusterOptions, EncodeOptions, ExplainOptions, UnansweredOptions
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
            seed=seed_of(parameters["random_state"]),
            **given("algorithm", "k_min", "k_max", "min_cluster_size", "stability", "consensus"),
        ),
        UnansweredOptions(parameters["flag_unanswered"], parameters["min_confidence"]),
        ExplainOptions(parameters["stop_words"], exemplars=parameters["exemplars"]),
        **given("multi", "baseline"),
    )
