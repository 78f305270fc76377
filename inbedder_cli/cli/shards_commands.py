"""`inbedder shards`: work on more rows than one machine, or its memory, takes."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.console import print_line, stderr_reporter
from inbedder_cli.cli.instructions import one_instruction
from inbedder_cli.cli.option_groups import (
    AnswerOptions,
    ClusteringOptions,
    EncodingOptions,
    ExplanationOptions,
    make_deterministic,
    with_groups,
)
from inbedder_cli.cli.page_options import split_names
from inbedder_cli.cli.shard_options import (
    SHARDS,
    EngineOptions,
    OutputFolder,
    RowsPerShard,
    SampleRows,
    ShardInput,
    ShardModel,
    SkipMissing,
    VectorType,
    VectorTypeOption,
    Work,
    show_clusters,
)

app = typer.Typer(
    help="Encode and cluster a large input in parts: on this machine, on a Ray cluster, or by any scheduler.\n\n"
    "[bold]Examples[/bold]\n\n"
    "inbedder shards plan 'reviews/*.parquet' -i \"What emotion is expressed?\" -o work\n\n"
    "inbedder shards run work\n\n"
    "inbedder shards fit work\n\n"
    "inbedder shards assign work -o clustered",
    no_args_is_help=True,
)


@app.command(no_args_is_help=True)
@with_groups
def plan(
    files: Annotated[
        str,
        typer.Argument(
            metavar="FILES", help="A file, a folder or a quoted pattern: 'reviews/*.parquet'; or a URL."
        ),
    ],
    source: ShardInput,
    model: ShardModel,
    encoding: EncodingOptions,
    output: OutputFolder,
    instruction: parameters.Instruction = None,
    rows_per_shard: RowsPerShard = 50_000,
    sample_rows: SampleRows = 100_000,
    vector_dtype: VectorTypeOption = VectorType.float16,
    deterministic: parameters.Deterministic = False,
    quiet: parameters.Quiet = False,
) -> None:
    """Plan the rows of FILES in shards: write plan.json, and read nothing twice.

    Parquet is read by row groups. Files of other formats are read once, and written as Parquet beside the plan.

    [bold]Examples[/bold]

    inbedder shards plan 'reviews/*.parquet' -i "What emotion is expressed?" -o work

    inbedder shards run work

    inbedder shards fit work -k auto

    inbedder shards assign work -o clustered
    """
    chosen = model.options()
    if deterministic:
        chosen, encoding = make_deterministic(chosen, encoding)
    from inbedder_cli.shards.planning import make_plan
    from inbedder_cli.shards.stores import Store

    reporter = stderr_reporter(quiet=quiet)
    question = one_instruction(instruction)
    options = source.settings(rows_per_shard, sample_rows, vector_dtype)
    encoder = chosen.load(reporter)
    made = make_plan(files, question, encoder, encoding.settings(), Store(output), options, reporter)
    reporter.info(f"{made.n_rows:,} rows in {len(made.starts):,} shards: inbedder shards run {output}")


@app.command(no_args_is_help=True)
@with_groups
def run(
    work: Work,
    engine: EngineOptions,
    shard: Annotated[
        list[int] | None,
        typer.Option(
            "--shard",
            min=0,
            max=parameters.MAX_COUNT,
            help="Only this shard; repeat for several.",
            rich_help_panel=SHARDS,
        ),
    ] = None,
    device: parameters.Device = "auto",
    offline: parameters.Offline = False,
    quiet: parameters.Quiet = False,
) -> None:
    """Encode the shards that are missing. Run it again to go on, on this or another machine.

    [bold]Examples[/bold]

    inbedder shards run work

    inbedder shards run work --shard 17

    inbedder shards run work --engine ray
    """
    from inbedder_cli.shards.jobs import EmbedJob
    from inbedder_cli.shards.running import raise_for_failed_rows, run_embedding
    from inbedder_cli.shards.stores import Store

    reporter = stderr_reporter(quiet=quiet)
    job = EmbedJob(work, device, offline, engine.n_processes)
    n_failed = run_embedding(Store(work), job, engine.open(reporter), shard, reporter)
    raise_for_failed_rows(n_failed)


@app.command(no_args_is_help=True)
@with_groups
def status(
    work: Work,
    as_json: parameters.AsJson = False,
) -> None:
    """Print how far the shards of a plan are: done, missing, failed, rows per second, time left.

    [bold]Examples[/bold]

    inbedder shards status work
    """
    from inbedder_cli.shards.running import status_of
    from inbedder_cli.shards.sharding import read_plan
    from inbedder_cli.shards.stores import Store

    store = Store(work)
    state = status_of(store, read_plan(store))
    values: dict[str, Any] = {
        "shards": state.n_shards,
        "done": len(state.done),
        "missing": state.missing,
        "failed": len(state.failures),
        "rows": state.n_rows,
        "rows done": state.done_rows,
        "rows per second": state.rate and round(state.rate, 1),
        "seconds left": state.seconds_left and round(state.seconds_left),
    }
    failures = [{"shard": one.shard, "error": one.error, "at": one.at} for one in state.failures]
    if as_json:
        print_line(
            json.dumps({name.replace(" ", "_"): value for name, value in values.items()} | {"failures": failures})
        )
        return
    for name, value in values.items():
        print_line(f"{name}\t{'unknown' if value is None else value}")
    for failure in failures:
        print_line(f"failed shard {failure['shard']}\t{failure['error']}")


@app.command(no_args_is_help=True)
@with_groups
def fit(
    work: Work,
    answers: AnswerOptions,
    clustering: ClusteringOptions,
    explanation: ExplanationOptions,
    sample_rows: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=parameters.MAX_COUNT,
            help="Cluster fewer rows than the plan's sample.",
            rich_help_panel=SHARDS,
        ),
    ] = None,
    skip_missing: SkipMissing = False,
    seed: parameters.Seed = 0,
    quiet: parameters.Quiet = False,
) -> None:
    """Cluster a sample of the rows, and save it as a run: WORK/run, for show, report and assign.

    The sample depends on the numbers of the rows alone, not on the shards.

    [bold]Examples[/bold]

    inbedder shards fit work -k auto

    inbedder show work/run
    """
    from inbedder_cli.shards.sampling import fit_sample
    from inbedder_cli.shards.stores import Store

    reporter = stderr_reporter(quiet=quiet)
    analysis = fit_sample(
        Store(work),
        clustering.settings(1, seed)[0],
        answers.settings(),
        explanation.settings(),
        sample_rows=sample_rows,
        skip_missing=skip_missing,
        reporter=reporter,
    )
    show_clusters(analysis)


@app.command(no_args_is_help=True)
@with_groups
def assign(
    work: Work,
    output: OutputFolder,
    engine: EngineOptions,
    by: parameters.By = None,
    prefix: parameters.Prefix = "",
    skip_missing: SkipMissing = False,
    quiet: parameters.Quiet = False,
) -> None:
    """Write all rows with their clusters, one Parquet file per shard, and explain the clusters by all rows.

    [bold]Examples[/bold]

    inbedder shards assign work -o clustered
    """
    from inbedder_cli.shards.labelling import label_rows
    from inbedder_cli.shards.running import raise_for_failed_rows
    from inbedder_cli.shards.stores import Store

    reporter = stderr_reporter(quiet=quiet)
    labelled = label_rows(
        Store(work),
        Store(output),
        engine.open(reporter),
        prefix=prefix,
        by=split_names(by),
        skip_missing=skip_missing,
        reporter=reporter,
    )
    reporter.info(f"written: {output}")
    show_clusters(labelled.analysis)
    raise_for_failed_rows(labelled.statuses.get("failed", 0))
