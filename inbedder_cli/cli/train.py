"""`inbedder train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inbedder_cli.cli import labeled_table, parameters
from inbedder_cli.cli.checks import print_plan
from inbedder_cli.cli.console import stderr_reporter
from inbedder_cli.cli.option_groups import with_groups
from inbedder_cli.cli.recipe_options import MONITORING, RECIPE, RecipeOptions
from inbedder_cli.cli.table_options import TableOptions
from inbedder_cli.progress import SILENT
from inbedder_cli.training.distributed import is_first_process
from inbedder_cli.training.recipes import Recipe, TrainFiles


@with_groups
def train(
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA...",
            help="JSON lines, Parquet or CSV with the fields input, instruction and output (optionally source); "
            "or the paper's set, KomeijiForce/Inbedder-Pretrain-Data. With --teacher, output may be missing. "
            "With -i, a table of any format.",
        ),
    ],
    table: TableOptions,
    training: RecipeOptions,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to create.", show_default=False)],
    model: Annotated[
        str,
        typer.Option("--model", "-m", help="Base model: bundled name, folder, .gguf file or Hugging Face id."),
    ] = "smollm2-135m",
    gold: labeled_table.Gold = None,
    instruction: labeled_table.GoldInstructions = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            help="Learn from a larger model: its labels (see: inbedder teach), or a model that labels DATA first. "
            "Repeat for several.",
            show_default=False,
        ),
    ] = None,
    recipe: Annotated[
        Recipe,
        typer.Option(
            help="contrast: a LoRA adapter, trained on answers and a contrastive loss on vectors; "
            "paper: all weights, one epoch, trained on answers alone.",
            rich_help_panel=RECIPE,
        ),
    ] = Recipe.contrast,
    dev: Annotated[
        Path | None,
        typer.Option(
            help="File of examples to measure the loss on.",
            rich_help_panel=MONITORING,
            show_default="300 held out",
        ),
    ] = None,
    suite: Annotated[
        Path | None,
        typer.Option(
            "--eval", help="Folder of tasks, as for inbedder evaluate, to measure too.", rich_help_panel=MONITORING
        ),
    ] = None,
    suite_limit: Annotated[
        int,
        typer.Option(
            "--eval-limit",
            min=2,
            max=parameters.MAX_COUNT,
            help="Rows of each task of --eval.",
            rich_help_panel=MONITORING,
        ),
    ] = 100,
    device: parameters.Device = "auto",
    offline: parameters.Offline = False,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    dry_run: parameters.DryRunPlan = False,
) -> None:
    """Train an encoder on questions and short answers. The result is a folder that --model takes.

    A run that was stopped continues from its last checkpoint when the command is repeated. For several GPUs, run
    [bold]torchrun --nproc-per-node N -m inbedder_cli train ...[/bold]

    [bold]Examples[/bold]

    inbedder train qa.jsonl -o my-encoder

    inbedder train qa.jsonl -o my-encoder --max-examples 5000 --eval my-suite --dry-run

    inbedder train reviews.csv --gold emotion -i "What emotion is expressed?" -m inbedder-135m -o my-encoder

    inbedder train pools.jsonl -o my-encoder --teacher labels.parquet

    inbedder train KomeijiForce/Inbedder-Pretrain-Data -m facebook/opt-1.3b --recipe paper -o opt-inbedder
    """
    options = training.settings(recipe, table.seed)
    from inbedder_cli.output.files import check_distinct, check_target
    from inbedder_cli.training.examples import LabeledTable
    from inbedder_cli.training.workflow import describe_training
    from inbedder_cli.training.workflow import train as run

    check_distinct({"-o": output, "--bad-rows": table.bad_rows}, [*data, dev, suite, model])
    check_target(table.bad_rows, force=force)

    reporter = stderr_reporter(quiet=quiet) if is_first_process() else SILENT
    examples = labeled_table.read_examples_of(data, table, gold, instruction, reporter, needs_gold=not teacher)
    files = TrainFiles(examples, output, dev, suite, suite_limit, tuple(teacher or ()))
    if dry_run:
        print_plan(
            describe_training(
                files, options, model, device=device, offline=offline, force=force, reporter=reporter
            ),
            output,
        )
        return
    folder = run(files, options, model, device=device, offline=offline, force=force, reporter=reporter)
    if isinstance(examples, LabeledTable) and is_first_process():
        table.write_bad_rows(examples.corpus)
    reporter.info(f'{folder} is ready; use it with: inbedder cluster FILE -i "..." --model {folder}')
