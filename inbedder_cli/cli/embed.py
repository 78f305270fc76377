"""`inbedder embed`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inbedder_cli.cli import options
from inbedder_cli.cli.console import Terminal
from inbedder_cli.cli.reading import needed_instruction, show_preview, tell_about_embedding
from inbedder_cli.errors import UsageProblem
from inbedder_cli.options import EmptyTexts, EncodeOptions, NumberFormat


def embed(
    file: options.File,
    instruction: options.Instruction = None,
    answers: Annotated[
        bool,
        typer.Option("--answers/--no-answers", help="Also decode the answers.", rich_help_panel=options.READING),
    ] = True,
    text: options.Text = None,
    text_template: options.TextTemplate = None,
    id_column: options.IdColumn = None,
    input_format: options.InputFormatOption = None,
    delimiter: options.Delimiter = None,
    encoding: options.Encoding = None,
    empty: options.Empty = EmptyTexts.skip,
    limit: options.Limit = None,
    sample: options.Sample = None,
    seed: options.Seed = 0,
    model: options.Model = options.ModelDefault,
    template: options.TemplateOption = None,
    device: options.Device = "auto",
    dtype: options.Dtype = NumberFormat.auto,
    offline: options.Offline = False,
    readout: options.ReadoutOption = None,
    layer: options.Layer = None,
    max_answer_tokens: options.MaxAnswerTokens = 8,
    max_tokens: options.MaxTokens = 512,
    batch_tokens: options.BatchTokens = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help=".parquet, .npy, .safetensors or .jsonl; JSON lines on stdout otherwise.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show one prompt, counts and the time it would take.")
    ] = False,
) -> None:
    """Write one vector per row of FILE: the state from which a model would speak its answer.

    Rows without text get a null vector (all-NaN in .npy and .safetensors).

    [bold]Examples[/bold]

    inbedder embed reviews.csv -i "What emotion is expressed?" -o vectors.parquet

    inbedder cluster reviews.csv --vectors vectors.parquet -k 8
    """
    from inbedder_cli.corpus import read_corpus
    from inbedder_cli.report.writing import check_target, open_output
    from inbedder_cli.vectors import SUFFIXES, write_vectors

    talk = Terminal(quiet=quiet)
    question = needed_instruction(instruction)
    check_target(output, force=force)
    suffix = output.suffix.lower() if output else ".jsonl"
    if suffix not in SUFFIXES:
        raise UsageProblem(f'no vector format has the suffix "{suffix}"', hint=f"use one of {', '.join(SUFFIXES)}")
    corpus = read_corpus(
        file,
        text=text or (),
        text_template=text_template,
        id_column=id_column,
        input_format=input_format,
        delimiter=delimiter,
        encoding=encoding,
        empty=empty,
        limit=limit,
        sample=sample,
        seed=seed,
    )
    options.tell_about(corpus, talk)

    from inbedder_cli.encoders import load_encoder
    from inbedder_cli.pipeline import embed_corpus

    reading = EncodeOptions(readout, layer, answers, max_answer_tokens, max_tokens, batch_tokens)
    encoder = load_encoder(model, template=template, device=device, dtype=dtype, offline=offline, talk=talk)
    talk.say(f"model: {encoder.description}")
    if dry_run:
        show_preview(encoder, corpus, question, reading)
        return
    embedding = embed_corpus(corpus, question, encoder, reading, talk)
    with open_output(output) as stream:
        write_vectors(corpus, embedding, stream, suffix)
    tell_about_embedding(embedding, max_tokens, talk)
