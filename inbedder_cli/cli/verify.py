"""`inbedder verify`."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.console import print_line, print_values, stderr_reporter
from inbedder_cli.cli.option_groups import PlaceOptions, with_groups
from inbedder_cli.errors import InbedderError

if TYPE_CHECKING:
    from inbedder_cli.runs.verification import Verification

SAME = 0.95  # minimum share of rows that get the same cluster again


@with_groups
def verify(
    run: parameters.Run,
    place: PlaceOptions,
    sample: Annotated[int, typer.Option(min=2, max=parameters.MAX_COUNT, help="Rows to encode again.")] = 200,
    as_json: parameters.AsJson = False,
    quiet: parameters.Quiet = False,
) -> None:
    """Encode some rows of a saved run again, and check that they get the same answers and clusters.

    Fails (exit code 1) when fewer than 95 % of them get the same cluster, for example with another dtype or other
    versions of the libraries. The cache is neither read nor written.

    [bold]Examples[/bold]

    inbedder verify emotions
    """
    from inbedder_cli.runs.saved_run import load_run
    from inbedder_cli.runs.verification import verify_run

    reporter = stderr_reporter(quiet=quiet)
    saved = load_run(run)
    encoder = place.load(saved, reporter)
    results = {name: verify_run(saved, name, encoder, sample, reporter) for name in saved.questions}
    if as_json:
        numbers = {name: _numbers(result) for name, result in results.items()}
        print_values(numbers.get("", numbers), as_json=True)
    for name, result in results.items() if not as_json else ():
        print_line((f"{name}: " if name else "") + _summary(result))
    worst = min(result.same_cluster for result in results.values())
    if worst < SAME:
        versions = ", ".join(f"{name} {number}" for name, number in saved.manifest.versions.items())
        raise InbedderError(
            f"only {100 * worst:.0f} % of the rows get the same cluster again",
            hint=f"the run was made with {versions}",
        )


def _numbers(result: Verification) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in asdict(result).items()}


def _summary(result: Verification) -> str:
    again = (
        ""
        if math.isnan(result.rand)
        else f"; adjusted Rand index of a new clustering with the run: {result.rand:.2f}"
    )
    return (
        f"{result.n_rows} rows encoded again: {100 * result.same_cluster:.0f} % in the same cluster, "
        f"{100 * result.same_answer:.0f} % with the same answer"
        f"{again}"
    )
