"""`inbedder cluster`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.checks import show_preview, warn_about_embeddings
from inbedder_cli.cli.console import TerminalReporter
from inbedder_cli.cli.destinations import check_targets, write_analysis, write_clusters
from inbedder_cli.cli.instructions import parse_instructions
from inbedder_cli.cli.option_groups import (
    AnswerOptions,
    EncodingOptions,
    InputOptions,
    ModelOptions,
    with_groups,
)
from inbedder_cli.errors import UsageError
from inbedder_cli.options import ClusterOptions, ExplainOptions
from inbedder_cli.registry import algorithms

if TYPE_CHECKING:
    from inbedder_cli.corpus import Corpus
    from inbedder_cli.progress import Reporter
    from inbedder_cli.results import Analysis, Embeddings


@with_groups
def cluster(
    file: parameters.File,
    source: InputOptions,
    model: ModelOptions,
    encoding: EncodingOptions,
    answers: AnswerOptions,
    instruction: parameters.Instructions = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Cross the clusters with columns of the input: rating,product.", rich_help_panel=parameters.OUTPUT
        ),
    ] = None,
    k: Annotated[
        list[str] | None,
        typer.Option(
            "-k",
            help="Number of clusters, or auto. With several questions: once, or once for each.",
            rich_help_panel=parameters.CLUSTERING,
            show_default="auto",
        ),
    ] = None,
    k_min: parameters.KMin = 2,
    k_max: parameters.KMax = 20,
    algorithm: parameters.AlgorithmOption = ClusterOptions.algorithm,
    min_cluster_size: Annotated[
        int | None,
        typer.Option(
            help="Smallest cluster (hdbscan).",
            rich_help_panel=parameters.CLUSTERING,
            show_default="2 % of the rows",
        ),
    ] = None,
    vectors: Annotated[
        str | None,
        typer.Option(
            help="Cluster the vectors in this file (see: inbedder embed); no model is loaded.",
            rich_help_panel=parameters.CLUSTERING,
        ),
    ] = None,
    stop_words: Annotated[
        str | None,
        typer.Option(
            help="File of stop words for labels, or none.",
            rich_help_panel=parameters.CLUSTERING,
            show_default="English",
        ),
    ] = None,
    stability: Annotated[
        bool,
        typer.Option(
            "--stability/--no-stability",
            help="Measure how often each cluster is found again in random halves of the rows.",
            rich_help_panel=parameters.CLUSTERING,
        ),
    ] = True,
    exemplars: Annotated[
        int, typer.Option(min=0, help="Example rows per cluster.", rich_help_panel=parameters.CLUSTERING)
    ] = 3,
    baseline: Annotated[
        bool,
        typer.Option(
            "--baseline/--no-baseline",
            help="Also encode some rows without the question, to say how far it mattered.",
            rich_help_panel=parameters.CLUSTERING,
        ),
    ] = True,
    output: parameters.Output = None,
    output_format: parameters.Format = None,
    clusters: Annotated[
        Path | None,
        typer.Option(help="Write the clusters themselves to this file.", rich_help_panel=parameters.OUTPUT),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Save the run to this folder, for assign, show and verify.", rich_help_panel=parameters.OUTPUT
        ),
    ] = None,
    prefix: parameters.Prefix = "",
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show one prompt, counts and the time it would take.")
    ] = False,
) -> None:
    """Cluster the rows of FILE by their answers to a question, and explain the clusters.

    On a terminal this prints a table of clusters; in a pipe it writes every input row with its cluster.
    With several questions (-i emotion="..." -i reason="...") each has its own clusters, which are then crossed.

    [bold]Examples[/bold]

    inbedder cluster reviews.csv -i "What emotion is expressed?"

    inbedder cluster reviews.csv -i "Why is the customer unhappy?" -k 8 -o clustered.csv

    inbedder cluster reviews.csv -i emotion="What emotion is expressed?" -i product="Which product?" --by rating

    cat tickets.jsonl | inbedder cluster - -i "What does the user want?" | jq -r .cluster_label
    """
    from inbedder_cli.explanation.stop_words import load_stop_words
    from inbedder_cli.output.tables import RESULT_COLUMNS, check_free, column_name
    from inbedder_cli.runs.storage import check_run_folder

    reporter = TerminalReporter(quiet=quiet)
    questions = _questions(instruction, vectors, dry_run=dry_run)
    cluster_options = [
        ClusterOptions(algorithm, number, k_min, k_max, min_cluster_size, source.seed, stability)
        for number in _numbers_of_clusters(k, len(questions), algorithm)
    ]
    explain_options = ExplainOptions(stop_words, exemplars=exemplars)
    row_format = check_targets(output, output_format, clusters, force=force)
    if save is not None:
        if vectors:
            raise UsageError(
                "a saved run needs the model that encoded the texts", hint="leave out --vectors, or --save"
            )
        check_run_folder(save, force=force)
    load_stop_words(stop_words)  # a wrong file is an error now, not after hours of encoding
    corpus = source.read(file, reporter)
    check_free(corpus, [column_name(name, column) for name in questions for column in RESULT_COLUMNS], prefix)
    columns = [name.strip() for names in by or () for name in names.split(",") if name.strip()]

    from inbedder_cli.pipeline import analyze, check_analysis

    check_analysis(corpus, cluster_options, columns)
    encode_options = encoding.settings()
    encoder = None if vectors else model.load(reporter)
    if encoder and dry_run:
        show_preview(encoder, corpus, list(questions.values()), encode_options)
        return
    analysis = analyze(
        corpus,
        questions,
        encoder,
        embeddings=_read_vectors(vectors, corpus, next(iter(questions.values())), reporter) if vectors else None,
        encode_options=encode_options,
        cluster_options=cluster_options,
        unanswered_options=answers.settings(),
        explain_options=explain_options,
        by=columns,
        baseline=baseline,
        reporter=reporter,
    )
    if clusters:  # before stdout, whose reader may have had enough
        write_clusters(analysis, clusters)
    if save:
        _save(analysis, save, reporter)
    if not write_analysis(analysis, row_format, output, prefix):
        _report_baseline(analysis, reporter)
    for result in analysis:
        warn_about_embeddings(result.embeddings, encoding.max_tokens, reporter)


def _save(analysis: Analysis, folder: Path, reporter: Reporter) -> None:
    from inbedder_cli.runs.storage import save_run

    aside = save_run(folder, analysis)
    if aside:
        reporter.warn(f"{folder / 'names.txt'} named other clusters: it is now {aside.name}")
    reporter.info(f"saved: {folder} (inbedder show {folder})")


def _report_baseline(analysis: Analysis, reporter: Reporter) -> None:
    from inbedder_cli.report.view import baseline_line

    for result in analysis:
        if result.baseline:
            reporter.info(baseline_line(result.baseline))


def _questions(instructions: list[str] | None, vectors: str | None, *, dry_run: bool) -> dict[str, str]:
    """Return the questions by name; saved vectors know theirs, and have one."""
    if not vectors:
        return parse_instructions(instructions)
    if len(instructions or ()) > 1:
        raise UsageError("--vectors hold one question", hint="leave out the other -i")
    if dry_run:
        raise UsageError("with --vectors nothing is encoded: there is nothing to try", hint="leave out --dry-run")
    return {"": (instructions or [""])[0]}


def _numbers_of_clusters(given: list[str] | None, n_questions: int, algorithm: str) -> list[int | None]:
    """Return the k of each question; None: to be chosen."""
    given = given or ["auto"]
    if given != ["auto"] and not algorithms[algorithm].takes_k:
        others = ", ".join(name for name in algorithms if algorithms[name].takes_k)
        hint = "use --min-cluster-size" if algorithms[algorithm].takes_min_cluster_size else "leave out -k"
        raise UsageError(f"-k is for {others}; {algorithm} finds the number itself", hint=hint)
    if len(given) not in (1, n_questions):
        raise UsageError(
            f"-k is given {len(given)} times for {n_questions} questions", hint="give it once, or once for each"
        )
    numbers = [_number_of_clusters(k) for k in given]
    return numbers * n_questions if len(numbers) == 1 else numbers


def _number_of_clusters(k: str) -> int | None:
    if k == "auto":
        return None
    try:
        return int(k)
    except ValueError:
        raise UsageError(f'-k takes a number or auto, not "{k}"') from None


def _read_vectors(path: str, corpus: Corpus, instruction: str, reporter: Reporter) -> Embeddings:
    """Return saved vectors, which know the question that they were made with; another one is refused."""
    from inbedder_cli.output.vectors import read_vectors

    embeddings = read_vectors(path, corpus)
    if instruction and embeddings.instruction and instruction.strip() != embeddings.instruction.strip():
        raise UsageError(
            f'{path} was made with "{embeddings.instruction}", not with "{instruction}"',
            hint="leave out -i, or leave out --vectors to encode the texts again",
        )
    if embeddings.answers is None:
        reporter.info(f"{path} holds no answers: clusters are explained by words of the texts")
    return replace(embeddings, instruction=instruction or embeddings.instruction, model=embeddings.model or path)
