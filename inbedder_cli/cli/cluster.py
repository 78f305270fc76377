"""`inbedder cluster`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.checks import check_before_work, show_preview, tell_about_embedding
from inbedder_cli.cli.console import Terminal
from inbedder_cli.cli.destinations import (
    Result,
    checked_targets,
    column_groupings,
    crosstab_results,
    write_clusters,
    write_result,
)
from inbedder_cli.cli.instructions import Question, parse_questions
from inbedder_cli.cli.option_groups import AnswerOptions, InputOptions, ModelOptions, ReadingOptions, with_groups
from inbedder_cli.diagnostics.baseline import baseline_agreement, encode_baseline
from inbedder_cli.errors import UsageError
from inbedder_cli.options import ClusterOptions, ExplainOptions
from inbedder_cli.registry import algorithms

if TYPE_CHECKING:
    from inbedder_cli.corpus import Corpus
    from inbedder_cli.encoders.base import ModelRecord
    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.progress import Reporter
    from inbedder_cli.results import ClusteringResult, Embeddings


@with_groups
def cluster(
    file: parameters.File,
    source: InputOptions,
    model: ModelOptions,
    reading: ReadingOptions,
    answering: AnswerOptions,
    instruction: parameters.Instructions = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Cross the clusters with these columns: rating,product.", rich_help_panel=parameters.OUTPUT
        ),
    ] = None,
    k: Annotated[
        list[str] | None,
        typer.Option(
            "-k",
            help="Number of clusters, or auto; with several questions once, or once for each.",
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
            help="Start from these vectors (made by inbedder embed) instead of a model.",
            rich_help_panel=parameters.CLUSTERING,
        ),
    ] = None,
    stop_words: Annotated[
        str | None,
        typer.Option(
            help="File of words to leave out of labels, or none.",
            rich_help_panel=parameters.CLUSTERING,
            show_default="English",
        ),
    ] = None,
    stability: Annotated[
        bool,
        typer.Option(
            "--stability/--no-stability",
            help="Measure how surely each cluster is found again in half of the rows.",
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
            help="Read some rows without the question, to say how far it mattered.",
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

    On a terminal it prints a table of clusters. In a pipe it writes every input row with its cluster.
    Several questions are answered apart, and crossed: -i emotion="..." -i reason="...".

    [bold]Examples[/bold]

    inbedder cluster reviews.csv -i "What emotion is expressed?"

    inbedder cluster reviews.csv -i "Why is the customer unhappy?" -k 8 -o clustered.csv

    inbedder cluster reviews.csv -i emotion="What emotion is expressed?" -i product="Which product?" --by rating

    cat tickets.jsonl | inbedder cluster - -i "What does the user want?" | jq -r .cluster_label
    """
    from inbedder_cli.explanation.stop_words import load_stop_words
    from inbedder_cli.output.tables import RESULT_COLUMNS, check_free, column_name

    reporter = Terminal(quiet=quiet)
    questions = _questions(instruction, vectors, dry_run=dry_run)
    clusterings = [
        ClusterOptions(algorithm, number, k_min, k_max, min_cluster_size, source.seed, stability)
        for number in _numbers_of_clusters(k, len(questions), algorithm)
    ]
    explaining = ExplainOptions(stop_words, exemplars=exemplars)
    wanted = checked_targets(output, output_format, clusters, force=force)
    _check_run(save, vectors, force=force)
    load_stop_words(stop_words)  # a wrong file is told before hours of reading, not after
    corpus = source.read(file, reporter)
    check_free(corpus, [column_name(q.name, column) for q in questions for column in RESULT_COLUMNS], prefix)
    columns = column_groupings(corpus, by)
    for clustering in clusterings:
        check_before_work(corpus, clustering)
    settings = reading.settings()
    encoder = None if vectors else model.load(reporter)
    if dry_run and encoder:
        show_preview(encoder, corpus, [question.text for question in questions], settings)
        return

    from inbedder_cli.pipeline import cluster_corpus, embed_corpus

    if encoder:
        embeddings = [embed_corpus(corpus, question.text, encoder, settings, reporter) for question in questions]
        sample = encode_baseline(corpus, encoder, settings, reporter) if baseline else None
    else:
        embeddings, sample = [_read_vectors(vectors or "", corpus, questions[0].text, reporter)], None
    runs = {}
    for question, embedding, clustering in zip(questions, embeddings, clusterings, strict=True):
        asked = embedding.instruction or ""
        run = cluster_corpus(corpus, asked, embedding, clustering, explaining, answering.settings())
        runs[question.name] = replace(run, baseline=baseline_agreement(run, sample)) if sample else run
    result = Result(
        runs, encoder.description if encoder else embeddings[0].model or "", crosstab_results(runs, columns)
    )
    if clusters:  # before stdout, whose reader may have had enough
        write_clusters(result, clusters)
    if save and encoder:
        _save(result, save, model.used(encoder), settings, answering, reporter)
    if not write_result(result, wanted, output, prefix):
        _tell_how_far_questions_mattered(runs, reporter)
    for embedding in embeddings:
        tell_about_embedding(embedding, reading.max_tokens, reporter)


def _save(
    result: Result,
    folder: Path,
    used: ModelRecord,
    settings: EncodeOptions,
    answering: AnswerOptions,
    reporter: Reporter,
) -> None:
    from inbedder_cli.runs.storage import save_run

    aside = save_run(folder, result.runs, used, settings, answering.settings(), result.crossed)
    if aside:
        reporter.warn(f"{folder / 'names.txt'} named other clusters: it is now {aside.name}")
    reporter.info(f"saved: {folder} (inbedder show {folder})")


def _tell_how_far_questions_mattered(runs: dict[str, ClusteringResult], reporter: Reporter) -> None:
    from inbedder_cli.report.terminal import how_far_it_mattered

    for run in runs.values():
        if run.baseline:
            reporter.info(how_far_it_mattered(run.baseline))


def _check_run(folder: Path | None, vectors: str | None, *, force: bool) -> None:
    """Refuse, before any work is done, to replace a saved run unasked, or to save one that could read nothing."""
    if folder is None:
        return
    if vectors:
        raise UsageError("a saved run needs the model that read the texts", hint="leave out --vectors, or --save")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="choose another name for the folder of the run")
    if folder.exists() and any(folder.iterdir()) and not force:
        raise UsageError(f"{folder} exists", hint="choose another name, or replace the run: --force")
    if not folder.absolute().parent.is_dir():
        raise UsageError(f"{folder.parent} is no folder", hint="make it first, or choose another place")


def _questions(instructions: list[str] | None, vectors: str | None, *, dry_run: bool) -> list[Question]:
    """Return the questions; saved vectors know theirs, and have one."""
    if not vectors:
        return parse_questions(instructions)
    if len(instructions or ()) > 1:
        raise UsageError("--vectors were read under one question", hint="leave out the other -i")
    if dry_run:
        raise UsageError("with --vectors nothing is read: there is nothing to try", hint="leave out --dry-run")
    return [Question("", (instructions or [""])[0])]


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
    """Return saved vectors, and under which question they were read; another one asked now would be untrue."""
    from inbedder_cli.output.vectors import read_vectors

    embedding = read_vectors(path, corpus)
    if instruction and embedding.instruction and instruction.strip() != embedding.instruction.strip():
        raise UsageError(
            f'{path} was read under "{embedding.instruction}", not under "{instruction}"',
            hint="leave out -i, or leave out --vectors to read the texts again",
        )
    if embedding.answers is None:
        reporter.info(f"{path} holds no answers: clusters are explained by words of the texts")
    return replace(embedding, instruction=instruction or embedding.instruction, model=embedding.model or path)
