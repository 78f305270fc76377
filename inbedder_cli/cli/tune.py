"""`inbedder tune`."""

from __future__ import annotations

import sys
from functools import partial

from inbedder_cli.cli import parameters
from inbedder_cli.cli.checks import show_preview, warn_about_embeddings
from inbedder_cli.cli.console import stderr_reporter, stdout_console
from inbedder_cli.cli.destinations import check_targets, split_format
from inbedder_cli.cli.instructions import one_instruction
from inbedder_cli.cli.option_groups import AnswerOptions, EncodingOptions, ModelOptions, TuningOptions, with_groups
from inbedder_cli.cli.table_options import InputOptions
from inbedder_cli.errors import InputError


@with_groups
def tune(
    file: parameters.File,
    source: InputOptions,
    model: ModelOptions,
    encoding: EncodingOptions,
    answers: AnswerOptions,
    tuning: TuningOptions,
    instruction: parameters.Instruction = None,
    output: parameters.Output = None,
    output_format: parameters.Format = None,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    dry_run: parameters.DryRun = False,
) -> None:
    """Compare numbers of clusters by silhouette, stability and agreement with the answers.

    For kmeans, for each k: silhouette (how separate the clusters are), stability (whether they are found again in
    random parts of the rows) and answers (whether clusters and answers agree), each at most 1. The score is the
    agreement with the answers as a share of the best; -k auto takes the fewest clusters whose score is near 1.
    For hdbscan, for each smallest cluster size: number of clusters, noise and stability.

    [bold]Examples[/bold]

    inbedder tune reviews.csv -i "What emotion is expressed?"

    inbedder tune reviews.csv -i "What emotion is expressed?" -a hdbscan -f csv
    """
    from inbedder_cli.output.documents import tuning_document
    from inbedder_cli.output.files import open_output
    from inbedder_cli.output.formats import TABLE, write_table
    from inbedder_cli.output.tables import tuning_table

    reporter = stderr_reporter(quiet=quiet)
    question = one_instruction(instruction)
    file_format, with_table = split_format(output, output_format)
    format_name = check_targets(output, file_format, bad_rows=source.bad_rows, force=force, inputs=[file])
    format_name = format_name or (TABLE if sys.stdout.isatty() else "csv")
    clustering = tuning.settings(source.seed)
    corpus = source.read(file, reporter)

    from inbedder_cli import pipeline
    from inbedder_cli.clustering import KSelection
    from inbedder_cli.questions import check_analysis
    from inbedder_cli.report.tuning_view import print_tuning

    check_analysis(corpus, [clustering])
    encoder = model.load(reporter)
    if dry_run:
        show_preview(encoder, corpus, [question], encoding.settings())
        return
    embeddings = pipeline.embed(corpus, question, encoder, encoding.settings(), reporter)
    scores = pipeline.tune(pipeline.flag_unanswered(corpus, embeddings, answers.settings()), clustering)
    if isinstance(scores, KSelection) and not scores.scores:
        raise InputError(
            "too few different rows to compare numbers of clusters", source=corpus.source, hint="give more rows"
        )
    source.write_bad_rows(corpus)
    if format_name != TABLE:
        with open_output(output) as stream:
            write_table(
                tuning_table(scores), stream, format_name, document=partial(tuning_document, scores, question)
            )
    if format_name == TABLE or with_table:
        print_tuning(stdout_console(), scores)
    warn_about_embeddings([embeddings], encoding.max_tokens, reporter)
