"""`inbedder answer`."""

from __future__ import annotations

import sys

from inbedder_cli.cli import parameters
from inbedder_cli.cli.checks import show_preview, tell_of_unanswered, warn_about_embeddings
from inbedder_cli.cli.console import stderr_reporter
from inbedder_cli.cli.destinations import check_terminal
from inbedder_cli.cli.instructions import one_instruction
from inbedder_cli.cli.option_groups import AnswerOptions, EncodingOptions, ModelOptions, with_groups
from inbedder_cli.cli.table_options import InputOptions
from inbedder_cli.errors import UsageError
from inbedder_cli.wording import visible


@with_groups
def answer(
    file: parameters.File,
    source: InputOptions,
    model: ModelOptions,
    encoding: EncodingOptions,
    answers: AnswerOptions,
    instruction: parameters.Instruction = None,
    output: parameters.Output = None,
    output_format: parameters.RowFormat = None,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    dry_run: parameters.DryRun = False,
) -> None:
    """Print the answer of each row of FILE, one per line; rows without text or answer get an empty line.

    With --format (csv, tsv, json, jsonl, markdown, parquet, xlsx), write id, answer, confidence and status; what a
    model says about a row that does not answer the question is written, too, with the status no-answer.

    [bold]Examples[/bold]

    inbedder answer reviews.csv -i "What emotion is expressed?" | sort | uniq -c | sort -rn

    inbedder answer reviews.csv -i "Which product is it about?" --id id --format csv
    """
    import pyarrow as pa

    from inbedder_cli.output.files import check_distinct, check_target, open_output
    from inbedder_cli.output.formats import TABLE, format_of, write_table

    reporter = stderr_reporter(quiet=quiet)
    question = one_instruction(instruction)
    check_distinct({"-o": output, "--bad-rows": source.bad_rows}, [file])
    for target in (output, source.bad_rows):
        check_target(target, force=force)
    known_suffix = output is not None and output.suffix.lower() not in ("", ".txt")
    format_name = output_format or (format_of(output) if output is not None and known_suffix else None)
    if format_name == TABLE:
        raise UsageError("answer has no table format", hint="leave out --format to print one answer per line")
    check_terminal(format_name, output)
    corpus = source.read(file, reporter)

    from inbedder_cli.output.tables import rounded_numbers
    from inbedder_cli.pipeline import embed, flag_unanswered

    encoder = model.load(reporter)
    if dry_run:
        show_preview(encoder, corpus, [question], encoding.settings())
        return
    embeddings = embed(corpus, question, encoder, encoding.settings(), reporter)
    embeddings = flag_unanswered(corpus, embeddings, answers.settings())
    source.write_bad_rows(corpus)
    given = embeddings.answers or []
    with open_output(output) as stream:
        if format_name is None:
            shown = visible if output is None and sys.stdout.isatty() else str
            silent = set(embeddings.unanswered)
            lines = ("" if row in silent else answer or "" for row, answer in enumerate(given))
            stream.writelines(f"{shown(line)}\n".encode("utf-8", "surrogatepass") for line in lines)
        else:
            status = [str(s) for s in embeddings.status]
            columns = {"id": corpus.ids, "answer": given, "status": status}
            table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
            confidences = [None] * len(corpus) if embeddings.confidences is None else embeddings.confidences
            table = table.add_column(2, "confidence", rounded_numbers(confidences))
            write_table(table, stream, format_name)
    tell_of_unanswered(embeddings, reporter)
    warn_about_embeddings([embeddings], encoding.max_tokens, reporter)
