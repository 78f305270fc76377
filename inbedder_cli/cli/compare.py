"""`inbedder compare`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.checks import check_before_work, tell_about_embedding
from inbedder_cli.cli.console import Terminal, stdout_console
from inbedder_cli.cli.destinations import checked_targets
from inbedder_cli.cli.instructions import parse_questions
from inbedder_cli.cli.option_groups import AnswerOptions, InputOptions, ModelOptions, ReadingOptions, with_groups
from inbedder_cli.diagnostics.baseline import baseline_agreement, encode_baseline
from inbedder_cli.errors import UsageError
from inbedder_cli.options import ClusterOptions, TableFormat

ROWS = 500  # that are read, unless --sample or --limit says otherwise


@with_groups
def compare(
    file: parameters.File,
    source: InputOptions,
    model: ModelOptions,
    reading: ReadingOptions,
    answering: AnswerOptions,
    instruction: parameters.Instructions = None,
    k: Annotated[int | None, typer.Option("-k", help="Number of clusters.", show_default="auto")] = None,
    output: parameters.Output = None,
    output_format: parameters.Format = None,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
) -> None:
    """Put wordings of a question side by side, on a sample of 500 rows (--sample, --limit).

    For each: how many rows answer it, how many in at most three words, how many different answers there are, how
    stable the clusters are, and how alike they are to those of a neutral question; and how far wordings agree.

    [bold]Examples[/bold]

    inbedder compare reviews.csv -i "What emotion is expressed?" -i "How does the customer feel?"
    """
    reporter = Terminal(quiet=quiet)
    questions = parse_questions(instruction)
    if len(questions) < 2:
        raise UsageError("one wording has nothing to be compared with", hint="repeat -i")
    wanted = checked_targets(output, output_format, None, force=force)
    wanted = wanted or (TableFormat.table if sys.stdout.isatty() else TableFormat.csv)
    corpus = (source if source.sample or source.limit else replace(source, sample=ROWS)).read(file, reporter)

    clustering = ClusterOptions(k=k, seed=source.seed)
    check_before_work(corpus, clustering)

    from inbedder_cli.diagnostics.wordings import agreement, describe
    from inbedder_cli.output.files import open_output, write_json, write_table
    from inbedder_cli.pipeline import cluster_corpus, embed_corpus
    from inbedder_cli.report.wordings_view import as_table, document, print_wordings

    encoder, settings = model.load(reporter), reading.settings()
    baseline = encode_baseline(corpus, encoder, settings, reporter)
    runs = {}
    for question in questions:
        embedding = embed_corpus(corpus, question.text, encoder, settings, reporter)
        run = cluster_corpus(corpus, question.text, embedding, clustering, None, answering.settings())
        runs[question.name] = replace(
            run, baseline=baseline_agreement(run.labels, run.clustering.options, baseline)
        )
    wordings = [describe(name, run) for name, run in runs.items()]
    agreements = agreement(list(runs.values()))
    if wanted is TableFormat.table:
        print_wordings(stdout_console(), wordings, agreements)
    else:
        with open_output(output) as stream:
            if wanted is TableFormat.json:
                write_json(document(wordings, agreements), stream)
            else:
                write_table(as_table(wordings, agreements), stream, wanted)
    for run in runs.values():
        tell_about_embedding(run.embeddings, reading.max_tokens, reporter)
