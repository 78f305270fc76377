"""`inbedder train`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from inbedder_cli.cli import labeled_table, parameters
from inbedder_cli.cli.checks import print_plan
from inbedder_cli.cli.console import stderr_reporter
from inbedder_cli.cli.option_groups import with_groups
from inbedder_cli.cli.table_options import TableOptions
from inbedder_cli.errors import UsageError
from inbedder_cli.options import Dtype, Pooling
from inbedder_cli.progress import SILENT
from inbedder_cli.training.distributed import is_first_process
from inbedder_cli.training.recipes import Recipe, Schedule, TrainFiles, train_options

RECIPE = "Recipe (defaults depend on --recipe)"
MONITORING = "Monitoring and resuming"


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
    full: Annotated[
        bool | None,
        typer.Option("--full/--lora", help="Train all weights, or a LoRA adapter.", rich_help_panel=RECIPE),
    ] = None,
    rank: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Rank of the adapter.", rich_help_panel=RECIPE)
    ] = None,
    top_layers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=parameters.MAX_LAYER,
            help="Adapt only this many of the last layers, which is faster.",
            rich_help_panel=RECIPE,
            show_default="all",
        ),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--lr", min=0, max=10, help="Peak learning rate.", rich_help_panel=RECIPE)
    ] = None,
    schedule: Annotated[
        Schedule | None, typer.Option(help="How the learning rate decreases.", rich_help_panel=RECIPE)
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(min=0.001, max=10_000, help="Passes over the examples.", rich_help_panel=RECIPE)
    ] = None,
    max_examples: Annotated[
        int | None,
        typer.Option(
            min=1, max=parameters.MAX_COUNT, help="Stop after this many examples.", rich_help_panel=RECIPE
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1, max=parameters.MAX_COUNT, help="Examples per step and process.", rich_help_panel=RECIPE
        ),
    ] = None,
    contrast: Annotated[
        float | None,
        typer.Option(
            min=0, max=1000, help="Weight of the contrastive term; 0 disables it.", rich_help_panel=RECIPE
        ),
    ] = None,
    contrast_share: Annotated[
        float | None,
        typer.Option(min=0, max=0.95, help="Share of the batches that are contrastive.", rich_help_panel=RECIPE),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(min=0.001, max=1000, help="Temperature of the contrastive term.", rich_help_panel=RECIPE),
    ] = None,
    unanswerable: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=0.5,
            help='Share of examples to turn into unanswerable ones ("not mentioned").',
            rich_help_panel=RECIPE,
        ),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            help="Prompt: paper, question-first, chat, or a pattern with {text} and {instruction}.",
            rich_help_panel=RECIPE,
        ),
    ] = None,
    layer: Annotated[
        int | None,
        typer.Option(
            min=-parameters.MAX_LAYER,
            max=parameters.MAX_LAYER,
            help="Hidden layer to take vectors from.",
            rich_help_panel=RECIPE,
            show_default="the base's",
        ),
    ] = None,
    pooling: Annotated[
        Pooling | None,
        typer.Option(
            help="Which hidden states become the vector.", rich_help_panel=RECIPE, show_default="the base's"
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            min=32,
            max=parameters.MAX_COUNT,
            help="Longest prompt, in tokens; longer texts are truncated.",
            rich_help_panel=RECIPE,
        ),
    ] = None,
    stop_words: Annotated[
        str | None,
        typer.Option(help="File of words to remove from answers, one per line.", rich_help_panel=RECIPE),
    ] = None,
    keep_stop_words: Annotated[
        bool, typer.Option("--keep-stop-words", help="Keep stop words in the answers.", rich_help_panel=RECIPE)
    ] = False,
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
    eval_every: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=parameters.MAX_COUNT,
            help="Steps between evaluations.",
            rich_help_panel=MONITORING,
            show_default="a tenth of the run",
        ),
    ] = None,
    save_every: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=parameters.MAX_COUNT,
            help="Steps between checkpoints.",
            rich_help_panel=MONITORING,
            show_default="100",
        ),
    ] = None,
    device: parameters.Device = "auto",
    dtype: parameters.DtypeOption = Dtype.auto,
    batch_tokens: Annotated[
        int | None,
        typer.Option(
            min=64,
            max=parameters.MAX_COUNT,
            help="Padded tokens per forward pass.",
            rich_help_panel=parameters.MODEL,
            show_default="2048",
        ),
    ] = None,
    checkpointing: Annotated[
        bool,
        typer.Option(
            "--checkpointing",
            help="Save memory: compute activations twice instead of storing them.",
            rich_help_panel=parameters.MODEL,
        ),
    ] = False,
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
    if keep_stop_words and stop_words is not None:
        raise UsageError("--keep-stop-words and --stop-words exclude each other", hint="give one of them")
    options = train_options(
        recipe,
        full=full,
        rank=rank,
        top_layers=top_layers,
        learning_rate=learning_rate,
        schedule=schedule,
        epochs=epochs,
        max_examples=max_examples,
        batch_size=batch_size,
        batch_tokens=batch_tokens,
        contrast=contrast,
        contrast_share=contrast_share,
        temperature=temperature,
        unanswerable=unanswerable,
        template=template,
        layer=layer,
        pooling=pooling,
        max_tokens=max_tokens,
        stop_words="none" if keep_stop_words else stop_words,
        eval_every=eval_every,
        save_every=save_every,
        checkpointing=checkpointing or None,
        dtype=dtype,
        seed=table.seed,
    )
    from inbedder_cli.output.files import check_distinct, check_target
    from inbedder_cli.training.workflow import describe_training
    from inbedder_cli.training.workflow import train as run

    check_distinct({"-o": output, "--bad-rows": table.bad_rows}, [*data, dev, suite, model])
    check_target(table.bad_rows, force=force)

    reporter = stderr_reporter(quiet=quiet) if is_first_process() else SILENT
    if dry_run or not is_first_process():
        table = replace(table, bad_rows=None)
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
    reporter.info(f'{folder} is ready; use it with: inbedder cluster FILE -i "..." --model {folder}')
