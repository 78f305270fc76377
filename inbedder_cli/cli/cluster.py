"""`inbedder cluster`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.checks import show_preview, warn_about_embeddings
from inbedder_cli.cli.console import TerminalReporter
from inbedder_cli.cli.destinations import check_targets, free_prefix, save_analysis, write_analysis, write_clusters
from inbedder_cli.cli.instructions import parse_instructions
from inbedder_cli.cli.option_groups import (
    AnswerOptions,
    ClusteringOptions,
    EncodingOptions,
    ExplanationOptions,
    InputOptions,
    ModelOptions,
    make_deterministic,
    with_groups,
)
from inbedder_cli.cli.page_options import PageOptions, split_names, write_pictures
from inbedder_cli.errors import UsageError

if TYPE_CHECKING:
    from inbedder_cli.corpus import Corpus
    from inbedder_cli.progress import Reporter
    from inbedder_cli.results import Embeddings


@with_groups
def cluster(
    file: parameters.File,
    source: InputOptions,
    model: ModelOptions,
    encoding: EncodingOptions,
    answers: AnswerOptions,
    clustering: ClusteringOptions,
    explanation: ExplanationOptions,
    page: PageOptions,
    instruction: parameters.Instructions = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Cross-tabulate the clusters with columns of the input: rating,product.",
            rich_help_panel=parameters.OUTPUT,
        ),
    ] = None,
    vectors: Annotated[
        str | None,
        typer.Option(
            help="Cluster the vectors in this file (see: inbedder embed); no model is loaded.",
            rich_help_panel=parameters.CLUSTERING,
        ),
    ] = None,
    baseline: Annotated[
        bool,
        typer.Option(
            "--baseline/--no-baseline",
            help="Also encode some rows under a neutral question, to measure the effect of yours.",
            rich_help_panel=parameters.CLUSTERING,
        ),
    ] = True,
    deterministic: parameters.Deterministic = False,
    output: parameters.Output = None,
    output_format: parameters.Format = None,
    clusters: Annotated[
        Path | None,
        typer.Option(help="Write one row per cluster to this file.", rich_help_panel=parameters.OUTPUT),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Save the run to this folder, for assign, show and verify.", rich_help_panel=parameters.OUTPUT
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="Write a report: one page for the browser, with clusters, a map and rows, that loads nothing.",
            rich_help_panel=parameters.OUTPUT,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the map and the shares of the clusters: .svg, .png or .pdf (needs the extra plot).",
            rich_help_panel=parameters.OUTPUT,
        ),
    ] = None,
    with_map: parameters.Map = False,
    prefix: parameters.Prefix = "",
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show one prompt, counts and the estimated time, then exit.")
    ] = False,
) -> None:
    """Cluster the rows of FILE by their answers to a question, and explain the clusters.

    On a terminal, print a table of clusters. In a pipe, write every input row with its cluster.
    With several questions (-i emotion="..." -i reason="...") each has its own clusters, which are cross-tabulated.

    [bold]Examples[/bold]

    inbedder cluster reviews.csv -i "What emotion is expressed?"

    inbedder cluster reviews.csv -i "Why is the customer unhappy?" -k 8 -o clustered.csv

    inbedder cluster reviews.csv -i "What emotion is expressed?" --report report.html --open

    inbedder cluster reviews.csv -i emotion="What emotion is expressed?" -i product="Which product?" --by rating

    cat tickets.jsonl | inbedder cluster - -i "What does the user want?" | jq -r .cluster_label
    """
    if deterministic:
        model, encoding = make_deterministic(model, encoding)

    from inbedder_cli.output.tables import column_name, result_columns

    reporter = TerminalReporter(quiet=quiet)
    questions = _questions(instruction, vectors, dry_run=dry_run)
    cluster_options = clustering.settings(len(questions), source.seed)
    explain_options = explanation.settings()
    if save is not None and vectors:
        raise UsageError(
            "a saved run needs the model that encoded the texts", hint="leave out --vectors, or --save"
        )
    inputs = (file, vectors, explanation.stop_words)
    row_format = check_targets(output, output_format, clusters, save, report, plot, force=force, inputs=inputs)
    corpus = source.read(file, reporter)
    names = [column_name(name, column) for name in questions for column in result_columns(with_map=with_map)]
    prefix = free_prefix(corpus, names, prefix, reporter)
    columns = split_names(by)

    from inbedder_cli.pipeline import analyze, check_analysis
    from inbedder_cli.report.maps import with_maps

    check_analysis(corpus, cluster_options, columns)
    page.check(corpus, report, save)
    encode_options, embeddings = encoding.settings(), None
    if vectors:
        embeddings = _read_vectors(vectors, corpus, questions[""], reporter)
    encoder = None if vectors else model.load(reporter)
    if encoder and dry_run:
        show_preview(encoder, corpus, list(questions.values()), encode_options)
        return
    analysis = analyze(
        corpus,
        questions,
        encoder,
        embeddings=embeddings,
        encode_options=encode_options,
        cluster_options=cluster_options,
        unanswered_options=answers.settings(),
        explain_options=explain_options,
        by=columns,
        baseline=baseline,
        reporter=reporter,
    )
    analysis = replace(analysis, columns=(*analysis.columns, *page.settings().columns))
    if report or plot or save or with_map:
        analysis = with_maps(analysis, reporter)
    if clusters:  # before stdout, whose reader may close the pipe
        write_clusters(analysis, clusters)
    if save:
        save_analysis(analysis, save, reporter)
    write_pictures(analysis, report, plot, page, reporter)
    write_analysis(analysis, row_format, output, prefix, reporter, with_map=with_map)
    for result in analysis:
        warn_about_embeddings(result.embeddings, encoding.max_tokens, reporter)


def _questions(instructions: list[str] | None, vectors: str | None, *, dry_run: bool) -> dict[str, str]:
    """Return the questions by name. Saved vectors hold exactly one, and need no -i."""
    if not vectors:
        return parse_instructions(instructions)
    if len(instructions or ()) > 1:
        raise UsageError("--vectors takes one question", hint="give -i once")
    if dry_run:
        raise UsageError("--dry-run has no effect with --vectors: nothing is encoded", hint="leave out --dry-run")
    return {"": (instructions or [""])[0]}


def _read_vectors(path: str, corpus: Corpus, instruction: str, reporter: Reporter) -> Embeddings:
    from inbedder_cli.output.vectors import read_vectors

    embeddings = read_vectors(path, corpus, instruction)
    if embeddings.answers is None:
        reporter.info(f"{path} has no answers: clusters are explained by words of the texts")
    return embeddings
