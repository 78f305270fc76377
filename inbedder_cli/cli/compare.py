"""`inbedder compare`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from inbedder_cli.blind import blind_agreement, read_blind
from inbedder_cli.cli import options
from inbedder_cli.cli.console import Terminal, stdout_console
from inbedder_cli.cli.groups import AnswerOptions, InputOptions, ModelOptions, ReadingOptions, with_groups
from inbedder_cli.cli.questions import parse_questions
from inbedder_cli.cli.reading import check_before_work, tell_about_embedding
from inbedder_cli.cli.results import checked_targets
from inbedder_cli.errors import UsageProblem
from inbedder_cli.options import ClusterOptions, TableFormat

ROWS = 500  # that are read, unless --sample or --limit says otherwise


@with_groups
def compare(
    file: options.File,
    source: InputOptions,
    model: ModelOptions,
    reading: ReadingOptions,
    answering: AnswerOptions,
    instruction: options.Instructions = None,
    k: Annotated[int | None, typer.Option("-k", help="Number of clusters.", show_default="auto")] = None,
    output: options.Output = None,
    output_format: options.Format = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Put wordings of a question side by side, on a sample of 500 rows (--sample, --limit).

    For each: how many rows answer it, how many in at most three words, how many different answers there are, how
    stable the clusters are, and how alike they are to those of a neutral question; and how far wordings agree.

    [bold]Examples[/bold]

    inbedder compare reviews.csv -i "What emotion is expressed?" -i "How does the customer feel?"
    """
    talk = Terminal(quiet=quiet)
    questions = parse_questions(instruction)
    if len(questions) < 2:
        raise UsageProblem("one wording has nothing to be compared with", hint="repeat -i")
    wanted = checked_targets(output, output_format, None, force=force)
    wanted = wanted or (TableFormat.table if sys.stdout.isatty() else TableFormat.csv)
    corpus = (source if source.sample or source.limit else replace(source, sample=ROWS)).read(file, talk)

    clustering = ClusterOptions(k=k, seed=source.seed)
    check_before_work(corpus, clustering)

    from inbedder_cli.comparing import agreement, describe
    from inbedder_cli.pipeline import cluster_corpus, embed_corpus
    from inbedder_cli.report.comparing import as_table, document, print_wordings
    from inbedder_cli.report.writing import open_output, write_json, write_table

    encoder, settings = model.load(talk), reading.settings()
    blind = read_blind(corpus, encoder, settings, talk)
    runs = {}
    for question in questions:
        embedding = embed_corpus(corpus, question.text, encoder, settings, talk)
        run = cluster_corpus(corpus, question.text, embedding, clustering, None, answering.settings())
        runs[question.name] = replace(run, blind=blind_agreement(run, blind))
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
        tell_about_embedding(run.embedding, reading.max_tokens, talk)
