"""`inbedder compare`."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from typing import Annotated

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.checks import show_preview, warn_about_embeddings
from inbedder_cli.cli.console import stderr_reporter, stdout_console
from inbedder_cli.cli.destinations import check_targets, split_format
from inbedder_cli.cli.instructions import parse_instructions
from inbedder_cli.cli.option_groups import AnswerOptions, EncodingOptions, ModelOptions, with_groups
from inbedder_cli.cli.table_options import InputOptions
from inbedder_cli.errors import UsageError
from inbedder_cli.options import ClusterOptions
from inbedder_cli.output.formats import TABLE, write_table

ROWS = 500  # default sample, without --sample or --limit


@with_groups
def compare(
    file: parameters.File,
    source: InputOptions,
    model: ModelOptions,
    encoding: EncodingOptions,
    answers: AnswerOptions,
    instruction: parameters.Instructions = None,
    k: Annotated[
        int | None,
        typer.Option(
            "-k", "--k", min=2, max=parameters.MAX_COUNT, help="Number of clusters.", show_default="auto"
        ),
    ] = None,
    output: parameters.Output = None,
    output_format: parameters.Format = None,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    dry_run: parameters.DryRun = False,
) -> None:
    """Compare wordings of a question on a sample of 500 rows (--sample, --limit).

    For each wording: the share of rows that answer it, the share of answers of at most three words, the number of
    different answers, the stability of the clusters, and their agreement with those of a neutral question and of
    the other wordings.

    [bold]Examples[/bold]

    inbedder compare reviews.csv -i "What emotion is expressed?" -i "How does the customer feel?"
    """
    reporter = stderr_reporter(quiet=quiet)
    questions = parse_instructions(instruction)
    if len(questions) < 2:
        raise UsageError("compare needs at least two wordings", hint="repeat -i")
    if len({text.strip() for text in questions.values()}) < len(questions):
        raise UsageError("two wordings are the same", hint="give each once")
    file_format, with_table = split_format(output, output_format)
    format_name = check_targets(output, file_format, bad_rows=source.bad_rows, force=force, inputs=[file])
    format_name = format_name or (TABLE if sys.stdout.isatty() else "csv")
    sampled = source if source.sample or source.limit else replace(source, sample=ROWS)
    corpus = sampled.read(file, reporter)

    cluster_options = ClusterOptions(k=k, seed=source.seed)

    from inbedder_cli.diagnostics.wordings import agreement, describe
    from inbedder_cli.output.documents import wordings_document
    from inbedder_cli.output.files import open_output
    from inbedder_cli.output.tables import wordings_table
    from inbedder_cli.pipeline import analyze
    from inbedder_cli.questions import check_analysis
    from inbedder_cli.report.wordings_view import print_wordings

    check_analysis(corpus, [cluster_options])
    encoder = model.load(reporter)
    if dry_run:
        show_preview(encoder, corpus, list(questions.values()), encoding.settings())
        return
    analysis = analyze(
        corpus,
        questions,
        encoder,
        encode_options=encoding.settings(),
        cluster_options=cluster_options,
        unanswered_options=answers.settings(),
        reporter=reporter,
    )
    wordings = [describe(name, result) for name, result in analysis.results.items()]
    agreements = agreement(list(analysis))
    source.write_bad_rows(corpus)
    if format_name != TABLE:
        document = partial(wordings_document, wordings, agreements)
        with open_output(output) as stream:
            write_table(wordings_table(wordings, agreements), stream, format_name, document=document)
    if format_name == TABLE or with_table:
        print_wordings(stdout_console(), wordings, agreements)
    warn_about_embeddings((result.embeddings for result in analysis), encoding.max_tokens, reporter)
