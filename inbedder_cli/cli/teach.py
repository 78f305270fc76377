"""`inbedder teach`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inbedder_cli.cli import labeled_table, parameters
from inbedder_cli.cli.checks import duration, print_plan
from inbedder_cli.cli.console import stderr_reporter
from inbedder_cli.cli.option_groups import with_groups
from inbedder_cli.cli.table_options import TableOptions
from inbedder_cli.errors import UsageError
from inbedder_cli.options import Dtype, EncodeOptions

SUFFIX = ".parquet"


@with_groups
def teach(
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA...",
            help="JSON lines, Parquet or CSV with the fields input and instruction, as for inbedder train. "
            "With -i, a table of any format.",
        ),
    ],
    table: TableOptions,
    output: Annotated[Path, typer.Option("--output", "-o", help="Parquet file to write.", show_default=False)],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="The teacher: bundled name, folder, .gguf file or Hugging Face id.",
            show_default=False,
        ),
    ],
    instruction: Annotated[
        list[str] | None,
        typer.Option(
            "--instruction",
            "-i",
            help="Question to ask about each text of the table. Repeat for several.",
            rich_help_panel=labeled_table.PANEL,
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=parameters.MAX_COUNT, help="Label only N rows.", show_default="all")
    ] = None,
    template: parameters.TemplateOption = None,
    device: parameters.Device = "auto",
    dtype: parameters.DtypeOption = Dtype.auto,
    offline: parameters.Offline = False,
    max_answer_tokens: parameters.MaxAnswerTokens = 8,
    max_tokens: parameters.MaxTokens = 512,
    batch_tokens: parameters.BatchTokens = None,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    dry_run: parameters.DryRunPlan = False,
) -> None:
    """Write what a model answers to the questions of DATA, for inbedder train --teacher to learn from.

    The file has one row per text and question: the answer, and the most probable first words with their
    probabilities. It holds no texts. A run that was stopped continues when the command is repeated.

    [bold]Examples[/bold]

    inbedder teach pools.jsonl -m teacher.gguf -o labels.parquet

    inbedder train pools.jsonl -o my-encoder --teacher labels.parquet

    inbedder teach reviews.csv -i "What emotion is expressed?" -m inbedder-1.5b -o labels.parquet --dry-run
    """
    from inbedder_cli.output.files import check_distinct, check_target

    reporter = stderr_reporter(quiet=quiet)
    if output.suffix.lower() != SUFFIX:
        raise UsageError(f"labels are written as Parquet, not as {output.name}", hint="use -o labels.parquet")
    check_distinct({"-o": output, "--bad-rows": table.bad_rows}, data)
    for target in (output, table.bad_rows):
        check_target(target, force=force)

    from inbedder_cli.encoders import load_encoder
    from inbedder_cli.training.examples import LabeledTable, read_examples
    from inbedder_cli.training.teaching import describe_teaching
    from inbedder_cli.training.teaching import teach as run

    rows = labeled_table.read_examples_of(data, table, None, instruction, reporter, needs_gold=False)
    examples = read_examples(rows, frozenset(), offline=offline, needs_answers=False)
    if warning := examples.warning():
        reporter.warn(warning)
    encoder = load_encoder(
        model, template=template, device=device, dtype=dtype, offline=offline, cache=False, reporter=reporter
    )
    reporter.info(f"teacher: {encoder.description}")
    options = EncodeOptions(max_answer_tokens=max_answer_tokens, max_tokens=max_tokens, batch_tokens=batch_tokens)
    if dry_run:
        lines, seconds = describe_teaching(examples.rows, encoder, output, options, limit)
        print_plan([*lines, f"estimated time: {duration(seconds)}"], output)
        return
    n = run(examples.rows, encoder, output, options, limit=limit, force=force, reporter=reporter)
    if isinstance(rows, LabeledTable):
        table.write_bad_rows(rows.corpus)
    reporter.info(
        f"{output}: {n:,} labels; learn from them with: inbedder train DATA -o FOLDER --teacher {output}"
    )
