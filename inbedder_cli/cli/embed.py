"""`inbedder embed`."""

from __future__ import annotations

from typing import Annotated

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.checks import show_preview, tell_of_unanswered, warn_about_embeddings
from inbedder_cli.cli.console import stderr_reporter
from inbedder_cli.cli.instructions import one_instruction
from inbedder_cli.cli.option_groups import (
    AnswerOptions,
    EncodingOptions,
    ModelOptions,
    make_deterministic,
    with_groups,
)
from inbedder_cli.cli.table_options import InputOptions


@with_groups
def embed(
    file: parameters.File,
    source: InputOptions,
    model: ModelOptions,
    encoding: EncodingOptions,
    unanswered: AnswerOptions,
    instruction: parameters.Instruction = None,
    answers: Annotated[
        bool,
        typer.Option(
            "--answers/--no-answers", help="Also decode the answers.", rich_help_panel=parameters.ENCODING
        ),
    ] = True,
    deterministic: parameters.Deterministic = False,
    output: parameters.Output = None,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    dry_run: parameters.DryRun = False,
) -> None:
    """Write one vector per row of FILE; --pooling says what becomes the vector.

    -o takes .parquet, .npy, .safetensors or .jsonl; without it, JSON lines go to stdout.
    Rows without text get a null vector (all-NaN in .npy and .safetensors). Rows that do not answer the question
    have a vector; Parquet and JSON lines give their status, no-answer.

    [bold]Examples[/bold]

    inbedder embed reviews.csv -i "What emotion is expressed?" -o vectors.parquet

    inbedder cluster reviews.csv --vectors vectors.parquet -k 8
    """
    if deterministic:
        model, encoding = make_deterministic(model, encoding)

    from inbedder_cli.output.files import check_distinct, check_target, open_output
    from inbedder_cli.output.vectors import vector_format

    reporter = stderr_reporter(quiet=quiet)
    question = one_instruction(instruction)
    check_distinct({"-o": output, "--bad-rows": source.bad_rows}, [file])
    for target in (output, source.bad_rows):
        check_target(target, force=force)
    suffix = output.suffix if output else ".jsonl"
    file_format = vector_format(suffix)  # refuses an unknown suffix before any work is done
    corpus = source.read(file, reporter)

    from inbedder_cli import pipeline

    settings = encoding.settings(answers=answers)
    encoder = model.load(reporter)
    if dry_run:
        show_preview(encoder, corpus, [question], settings)
        return
    embeddings = pipeline.embed(corpus, question, encoder, settings, reporter)
    embeddings = pipeline.flag_unanswered(corpus, embeddings, unanswered.settings())
    source.write_bad_rows(corpus)
    with open_output(output) as stream:
        file_format.write(corpus, embeddings, stream)
    tell_of_unanswered(embeddings, reporter)
    warn_about_embeddings([embeddings], encoding.max_tokens, reporter)
