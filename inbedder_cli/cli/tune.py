"""`inbedder tune`."""

from __future__ import annotations

import sys

from inbedder_cli.cli import parameters
from inbedder_cli.cli.checks import check_before_work, needed_instruction, tell_about_embedding
from inbedder_cli.cli.console import Terminal, stdout_console
from inbedder_cli.cli.destinations import checked_targets
from inbedder_cli.cli.option_groups import AnswerOptions, InputOptions, ModelOptions, ReadingOptions, with_groups
from inbedder_cli.options import ClusterOptions, TableFormat


@with_groups
def tune(
    file: parameters.File,
    source: InputOptions,
    model: ModelOptions,
    reading: ReadingOptions,
    answering: AnswerOptions,
    instruction: parameters.Instruction = None,
    k_min: parameters.KMin = 2,
    k_max: parameters.KMax = 20,
    algorithm: parameters.AlgorithmOption = ClusterOptions.algorithm,
    output: parameters.Output = None,
    output_format: parameters.Format = None,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
) -> None:
    """Show what each number of clusters would give, so that you can choose one with a reason.

    For kmeans: silhouette (clusters are apart from each other), stability (they are no accident of these rows) and
    answers (which tell them apart), each at most 1. The score says how far these stand out; auto takes the best.
    For hdbscan: clusters, noise and stability by smallest cluster size.

    [bold]Examples[/bold]

    inbedder tune reviews.csv -i "What emotion is expressed?"

    inbedder tune reviews.csv -i "What emotion is expressed?" -a hdbscan -f csv
    """
    from inbedder_cli.clustering import check_tunable
    from inbedder_cli.output.files import open_output, write_json, write_table

    reporter = Terminal(quiet=quiet)
    question = needed_instruction(instruction)
    wanted = checked_targets(output, output_format, None, force=force)
    wanted = wanted or (TableFormat.table if sys.stdout.isatty() else TableFormat.csv)
    corpus = source.read(file, reporter)

    clustering = ClusterOptions(algorithm, None, k_min, k_max, None, source.seed)
    check_tunable(clustering)
    check_before_work(corpus, clustering)

    from inbedder_cli.pipeline import embed_corpus, tune_corpus
    from inbedder_cli.report.tuning_view import as_table, document, print_choice

    embedding = embed_corpus(corpus, question, model.load(reporter), reading.settings(), reporter)
    found = tune_corpus(corpus, question, embedding, clustering, answering.settings())
    if wanted is TableFormat.table:
        print_choice(stdout_console(), found)
    else:
        with open_output(output) as stream:
            if wanted is TableFormat.json:
                write_json(document(found, question), stream)
            else:
                write_table(as_table(found), stream, wanted)
    tell_about_embedding(embedding, reading.max_tokens, reporter)
