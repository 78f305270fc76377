"""`inbedder cluster`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.checks import show_preview, warn_about_embeddings
from inbedder_cli.cli.console import stderr_reporter
from inbedder_cli.cli.destinations import (
    check_targets,
    free_prefix,
    save_analysis,
    split_format,
    with_output_style,
    write_analysis,
    write_clusters,
)
from inbedder_cli.cli.instructions import parse_instructions
from inbedder_cli.cli.option_groups import (
    AnswerOptions,
    ClusteringOptions,
    EncodingOptions,
    ExplanationOptions,
    ModelOptions,
    SpreadsheetOptions,
    make_deterministic,
    with_groups,
)
from inbedder_cli.cli.page_options import PageOptions, split_names, write_pictures
from inbedder_cli.cli.sharded_cluster import ShardedRun
from inbedder_cli.cli.table_options import InputOptions
from inbedder_cli.errors import UsageError

if TYPE_CHECKING:
    from inbedder_cli.corpus import Corpus
    from inbedder_cli.embeddings import Embeddings
    from inbedder_cli.progress import Reporter


@with_groups
def cluster(
    file: parameters.File,
    source: InputOptions,
    model: ModelOptions,
    encoding: EncodingOptions,
    answers: AnswerOptions,
    clustering: ClusteringOptions,
    explanation: ExplanationOptions,
    spreadsheet: SpreadsheetOptions,
    page: PageOptions,
    sharded: ShardedRun,
    instruction: parameters.Instructions = None,
    by: parameters.By = None,
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
    multi: Annotated[
        bool,
        typer.Option(
            "--multi",
            help="Find several answers in a text; a row may then be in several clusters.",
            rich_help_panel=parameters.ANSWERS,
        ),
    ] = False,
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
            help="Save the run to this folder, for show, review, report, assign and verify.",
            rich_help_panel=parameters.OUTPUT,
        ),
    ] = None,
    explode: parameters.Explode = False,
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
    no_truncate: parameters.NoTruncate = False,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    dry_run: parameters.DryRun = False,
) -> None:
    """Cluster the rows of FILE by their answers to a question, and explain the clusters.

    On a terminal, print a table of clusters. In a pipe, write every input row with its cluster.
    With several questions (-i emotion="..." -i reason="...") each has its own clusters, which are cross-tabulated.

    [bold]Examples[/bold]

    inbedder cluster reviews.csv -i "What emotion is expressed?"

    inbedder cluster reviews.csv -i "Which product is it about?" -k 12 -o clustered.csv

    inbedder cluster reviews.csv -i "What emotion is expressed?" --report report.html --open

    inbedder cluster reviews.csv -i emotion="What emotion is expressed?" -i product="Which product?" --by rating

    inbedder cluster feedback.csv -i "Which features are mentioned?" --multi -f jsonl

    inbedder cluster 'reviews/*.parquet' -i "What emotion is expressed?" --engine ray -o clustered

    cat tickets.jsonl | inbedder cluster - -i "What does the user want?" | jq -r .cluster_label
    """
    if deterministic:
        model, encoding = make_deterministic(model, encoding)

    from inbedder_cli.output.formats import check_writable
    from inbedder_cli.output.tables import PART, column_name, result_columns

    reporter = stderr_reporter(quiet=quiet)
    questions = _questions(instruction, vectors, dry_run=dry_run)
    cluster_options = clustering.settings(len(questions), source.seed)
    explain_options = explanation.settings()
    if save is not None and vectors:
        raise UsageError(
            "a saved run needs the model that encoded the texts", hint="leave out --vectors, or --save"
        )
    columns = split_names(by)
    whole: dict[str, object] = {"--vectors": vectors, "--multi": multi, "--explode": explode}
    whole |= {"--clusters": clusters, "--save": save, "--report": report, "--plot": plot, "--map": with_map}
    whole |= {"--limit": source.limit, "--sample": source.sample, "--bad-rows": source.bad_rows}
    whole |= {"--dry-run": dry_run, "--format": output_format, "--excel": spreadsheet.excel}
    whole |= {"--escape-formulas": spreadsheet.escape_formulas} | page.given()
    whole |= {"several questions": len(questions) > 1}
    sharded = sharded.chosen(file, source, output, whole | {"--devices": model.devices}, reporter)
    if sharded.is_sharded:
        sharded.run(
            file,
            next(iter(questions.values())),
            model,
            source,
            output,
            whole,
            reporter,
            encode_options=encoding.settings(),
            cluster_options=cluster_options[0],
            unanswered_options=answers.settings(),
            explain_options=explain_options,
            by=columns,
            prefix=prefix,
            force=force,
        )
        return
    one = {"--explode": explode, "--save": save, "--report": report, "--plot": plot}
    _check_multi(questions, [name for name, value in one.items() if value], vectors, multi=multi)
    inputs = (file, vectors, explanation.stop_words)
    bad_rows = source.bad_rows
    file_format, with_table = split_format(output, output_format)
    row_format = check_targets(
        output, file_format, clusters, save, report, plot, bad_rows=bad_rows, force=force, inputs=inputs
    )
    corpus = source.read(file, reporter)
    sharded.suggest_sharding(len(corpus), file, list(questions.values()), reporter)
    corpus = with_output_style(corpus, row_format, output, clusters, spreadsheet, reporter)
    names = [column_name(name, column) for name in questions for column in result_columns(with_map=with_map)]
    names += [PART] * explode
    prefix = free_prefix(corpus, names, prefix, reporter)
    check_writable(corpus.table, row_format)

    from inbedder_cli.pipeline import analyze
    from inbedder_cli.questions import check_analysis
    from inbedder_cli.report.maps import with_maps

    check_analysis(corpus, cluster_options, columns, questions=questions, multi=multi)
    page.check(corpus, report, save)
    encode_options, embeddings = encoding.settings(), None
    if vectors:
        embeddings = _read_vectors(vectors, corpus, questions[""], reporter)
    encoder = None if vectors else model.load(reporter)
    if encoder and dry_run:
        show_preview(encoder, corpus, list(questions.values()), encode_options, multi=multi)
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
        multi=multi,
        baseline=baseline,
        reporter=reporter,
    )
    analysis = replace(analysis, columns=(*analysis.columns, *page.settings().columns))
    if report or plot or save or with_map:
        analysis = with_maps(analysis, reporter)
    source.write_bad_rows(corpus)  # files before stdout, whose reader may close the pipe
    if clusters:
        write_clusters(analysis, clusters)
    if save:
        save_analysis(analysis, save, reporter)
    write_pictures(analysis, report, plot, page, reporter)
    write_analysis(
        analysis,
        row_format,
        output,
        prefix,
        reporter,
        with_table=with_table,
        explode=explode,
        with_map=with_map,
        whole=no_truncate,
    )
    warn_about_embeddings((result.embeddings for result in analysis), encoding.max_tokens, reporter)


def _check_multi(questions: dict[str, str], options: list[str], vectors: str | None, *, multi: bool) -> None:
    """Refuse what cannot go together, before anything is read; the options are those that take one question."""
    if not multi:
        if "--explode" in options:
            raise UsageError("--explode writes the several answers of --multi", hint="add --multi")
        return
    if vectors:
        raise UsageError("--multi asks the model; --vectors loads none", hint="leave out one of them")
    if len(questions) > 1 and options:
        raise UsageError(f"--multi with {options[0]} takes one question", hint="run each question by itself")


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
