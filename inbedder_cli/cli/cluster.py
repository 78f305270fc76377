"""`inbedder cluster`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inbedder_cli.cli import options
from inbedder_cli.cli.console import Terminal, stdout_console
from inbedder_cli.cli.groups import AnswerOptions, InputOptions, ModelOptions, ReadingOptions, with_groups
from inbedder_cli.cli.reading import needed_instruction, show_preview, tell_about_embedding
from inbedder_cli.errors import InputError, UsageProblem
from inbedder_cli.options import (
    Algorithm,
    ClusterOptions,
    ExplainOptions,
    InputFormat,
    TableFormat,
)

if TYPE_CHECKING:
    from inbedder_cli.corpus import Corpus
    from inbedder_cli.pipeline import ClusterRun, Embedding

CLUSTERING = "Clustering"


@with_groups
def cluster(
    file: options.File,
    source: InputOptions,
    model: ModelOptions,
    reading: ReadingOptions,
    answering: AnswerOptions,
    instruction: options.Instruction = None,
    k: Annotated[
        str, typer.Option("-k", help="Number of clusters, or auto.", rich_help_panel=CLUSTERING)
    ] = "auto",
    k_min: Annotated[int, typer.Option(help="Smallest k that auto tries.", rich_help_panel=CLUSTERING)] = 2,
    k_max: Annotated[int, typer.Option(help="Largest k that auto tries.", rich_help_panel=CLUSTERING)] = 20,
    algorithm: Annotated[
        Algorithm,
        typer.Option("--algorithm", "-a", rich_help_panel=CLUSTERING, help="How vectors are grouped."),
    ] = Algorithm.kmeans,
    min_cluster_size: Annotated[
        int | None,
        typer.Option(
            help="Smallest cluster (hdbscan).", rich_help_panel=CLUSTERING, show_default="2 % of the rows"
        ),
    ] = None,
    vectors: Annotated[
        str | None,
        typer.Option(
            help="Start from these vectors (made by inbedder embed) instead of a model.",
            rich_help_panel=CLUSTERING,
        ),
    ] = None,
    stop_words: Annotated[
        str | None,
        typer.Option(
            help="File of words to leave out of labels, or none.",
            rich_help_panel=CLUSTERING,
            show_default="English",
        ),
    ] = None,
    stability: Annotated[
        bool,
        typer.Option(
            "--stability/--no-stability",
            help="Measure how surely each cluster is found again in half of the rows.",
            rich_help_panel=CLUSTERING,
        ),
    ] = True,
    exemplars: Annotated[
        int, typer.Option(min=0, help="Example rows per cluster.", rich_help_panel=CLUSTERING)
    ] = 3,
    output: options.Output = None,
    output_format: options.Format = None,
    clusters: Annotated[
        Path | None,
        typer.Option(help="Write the clusters themselves to this file.", rich_help_panel=options.OUTPUT),
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="Put before the names of the new columns.", rich_help_panel=options.OUTPUT)
    ] = "",
    force: options.Force = False,
    quiet: options.Quiet = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show one prompt, counts and the time it would take.")
    ] = False,
) -> None:
    """Cluster the rows of FILE by their answers to a question, and explain the clusters.

    On a terminal it prints a table of clusters. In a pipe it writes every input row with its cluster.

    [bold]Examples[/bold]

    inbedder cluster reviews.csv -i "What emotion is expressed?"

    inbedder cluster reviews.csv -i "Why is the customer unhappy?" -k 8 -o clustered.csv

    cat tickets.jsonl | inbedder cluster - -i "What does the user want?" | jq -r .cluster_label
    """
    from inbedder_cli.report.results import RESULT_COLUMNS, check_free
    from inbedder_cli.report.writing import check_target, format_of
    from inbedder_cli.stop_words import load_stop_words

    talk = Terminal(quiet=quiet)
    if algorithm is Algorithm.hdbscan and k != "auto":
        raise UsageProblem("-k is for kmeans; hdbscan finds the number itself", hint="use --min-cluster-size")
    clustering = ClusterOptions(
        algorithm, _number_of_clusters(k), k_min, k_max, min_cluster_size, source.seed, stability
    )
    explaining = ExplainOptions(stop_words, exemplars=exemplars)
    for target in (output, clusters):
        check_target(target, force=force)
    cluster_format = format_of(clusters) if clusters else None
    wanted = output_format or (format_of(output) if output else None)
    if output is not None and output == clusters:
        raise UsageProblem(f"-o and --clusters both name {output}", hint="give each a file of its own")
    if output is not None and wanted is TableFormat.table:
        raise UsageProblem("a table is for the terminal", hint="choose another --format for the file")
    load_stop_words(stop_words)  # a wrong file is told before hours of reading, not after
    if not vectors:
        needed_instruction(instruction)
    corpus = source.read(file, talk)
    check_free(corpus, RESULT_COLUMNS, prefix)
    _check_before_work(corpus, clustering)
    settings = reading.settings()

    from inbedder_cli.pipeline import cluster_corpus, embed_corpus

    if vectors:
        from inbedder_cli.vectors import read_vectors

        embedding = read_vectors(vectors, corpus)
        question, model_name = _question_of(vectors, embedding, instruction), embedding.model or vectors
        if embedding.answers is None:
            talk.say(f"{vectors} holds no answers: clusters are explained by words of the texts")
    else:
        encoder = model.load(talk)
        question = needed_instruction(instruction)
        if dry_run:
            show_preview(encoder, corpus, question, settings)
            return
        embedding, model_name = embed_corpus(corpus, question, encoder, settings, talk), encoder.description
    run = cluster_corpus(corpus, question, embedding, clustering, explaining, answering.settings())
    if clusters and cluster_format:  # before stdout, whose reader may have had enough
        _write_clusters(run, model_name, clusters, cluster_format)
    _write(run, model_name, wanted, output, prefix)
    tell_about_embedding(embedding, reading.max_tokens, talk)


def _number_of_clusters(k: str) -> int | None:
    if k == "auto":
        return None
    try:
        return int(k)
    except ValueError:
        raise UsageProblem(f'-k takes a number or auto, not "{k}"') from None


def _question_of(vectors: str, embedding: Embedding, instruction: str | None) -> str:
    """Return the question under which saved vectors were read; a different one asked now would be untrue."""
    if instruction and embedding.instruction and instruction.strip() != embedding.instruction.strip():
        raise UsageProblem(
            f'{vectors} was read under "{embedding.instruction}", not under "{instruction}"',
            hint="leave out -i, or leave out --vectors to read the texts again",
        )
    return instruction or embedding.instruction or ""


def _check_before_work(corpus: Corpus, clustering: ClusterOptions) -> None:
    from inbedder_cli.clustering import check_options

    try:
        check_options(clustering, len(corpus.readable))
    except InputError as error:
        raise InputError(str(error), source=corpus.source, hint=error.hint) from error


def _write(run: ClusterRun, model: str, wanted: TableFormat | None, output: Path | None, prefix: str) -> None:
    """Write the rows where they are asked for; print the table of clusters on a terminal."""
    from inbedder_cli.report.terminal import print_run

    if wanted is None:
        wanted = TableFormat.table if sys.stdout.isatty() else _like_input(run.corpus)
    if wanted is TableFormat.table and output is None:
        print_run(stdout_console(), run)
        return
    _write_rows(run, model, wanted, output, prefix)
    if output is not None and sys.stdout.isatty():
        print_run(stdout_console(), run)


def _like_input(corpus: Corpus) -> TableFormat:
    return {InputFormat.tsv: TableFormat.tsv, InputFormat.jsonl: TableFormat.jsonl}.get(
        corpus.format, TableFormat.csv
    )


def _write_rows(run: ClusterRun, model: str, wanted: TableFormat, output: Path | None, prefix: str) -> None:
    import json

    from inbedder_cli.report.cells import rows_as_json
    from inbedder_cli.report.results import document, rows_table
    from inbedder_cli.report.writing import open_output, write_json, write_table

    if wanted is TableFormat.parquet and output is None and sys.stdout.isatty():
        raise UsageProblem("Parquet does not belong on a terminal", hint="add -o FILE.parquet")
    table = rows_table(run, prefix)
    with open_output(output) as stream:
        if wanted is TableFormat.json:
            write_json(document(run, model) | {"data": [json.loads(row) for row in rows_as_json(table)]}, stream)
        else:
            same = run.corpus.format is InputFormat.csv and output is None
            write_table(table, stream, wanted, delimiter=run.corpus.delimiter if same else None)


def _write_clusters(run: ClusterRun, model: str, path: Path, wanted: TableFormat) -> None:
    from inbedder_cli.report.results import clusters_table, document
    from inbedder_cli.report.writing import whole_file, write_json, write_table

    with whole_file(path) as stream:
        if wanted is TableFormat.json:
            write_json(document(run, model), stream)
        else:
            write_table(clusters_table(run.summaries), stream, wanted)
