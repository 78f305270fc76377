"""`inbedder tune`."""

from __future__ import annotations

import sys
from functools import partial

from inbedder_cli.cli import parameters
from inbedder_cli.cli.checks import warn_about_embeddings
from inbedder_cli.cli.console import TerminalReporter, stdout_console
from inbedder_cli.cli.destinations import check_targets
from inbedder_cli.cli.instructions import check_instruction
from inbedder_cli.cli.option_groups import AnswerOptions, EncodingOptions, InputOptions, ModelOptions, with_groups
from inbedder_cli.options import ClusterOptions


@with_groups
def tune(
    file: parameters.File,
    source: InputOptions,
    model: ModelOptions,
    encoding: EncodingOptions,
    answers: AnswerOptions,
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
    from inbedder_cli.output.documents import tuning_document
    from inbedder_cli.output.files import open_output
    from inbedder_cli.output.formats import TABLE, write_table
    from inbedder_cli.output.tables import tuning_table

    reporter = TerminalReporter(quiet=quiet)
    question = check_instruction(instruction)
    wanted = check_targets(output, output_format, None, force=force)
    wanted = wanted or (TABLE if sys.stdout.isatty() else "csv")
    corpus = source.read(file, reporter)

    clustering = ClusterOptions(algorithm, None, k_min, k_max, None, source.seed)
    check_tunable(clustering)

    from inbedder_cli import pipeline
    from inbedder_cli.report.tuning_view import print_tuning

    pipeline.check_analysis(corpus, [clustering])
    embeddings = pipeline.embed(corpus, question, model.load(reporter), encoding.settings(), reporter)
    found = pipeline.tune(pipeline.flag_unanswered(corpus, embeddings, answers.settings()), clustering)
    if wanted == TABLE:
        print_tuning(stdout_console(), found)
    else:
        with open_output(output) as stream:
            write_table(tuning_table(found), stream, wanted, document=partial(tuning_document, found, question))
    warn_about_embeddings(embeddings, encoding.max_tokens, reporter)
