"""`inbedder answer`."""

from __future__ import annotations

from inbedder_cli.cli import options
from inbedder_cli.cli.console import Terminal
from inbedder_cli.cli.reading import needed_instruction, tell_about_embedding
from inbedder_cli.errors import UsageProblem
from inbedder_cli.options import EmptyTexts, EncodeOptions, NumberFormat, TableFormat


def answer(
    file: options.File,
    instruction: options.Instruction = None,
    text: options.Text = None,
    text_template: options.TextTemplate = None,
    id_column: options.IdColumn = None,
    input_format: options.InputFormatOption = None,
    delimiter: options.Delimiter = None,
    encoding: options.Encoding = None,
    empty: options.Empty = EmptyTexts.skip,
    limit: options.Limit = None,
    sample: options.Sample = None,
    seed: options.Seed = 0,
    model: options.Model = options.ModelDefault,
    template: options.TemplateOption = None,
    device: options.Device = "auto",
    dtype: options.Dtype = NumberFormat.auto,
    offline: options.Offline = False,
    max_answer_tokens: options.MaxAnswerTokens = 8,
    max_tokens: options.MaxTokens = 512,
    batch_tokens: options.BatchTokens = None,
    output: options.Output = None,
    output_format: options.Format = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Print the answer of each row of FILE, one a line; rows without text get an empty line.

    With --format csv, tsv, jsonl, markdown or parquet: id, answer and status.

    [bold]Examples[/bold]

    inbedder answer reviews.csv -i "What emotion is expressed?" | sort | uniq -c | sort -rn

    inbedder answer reviews.csv -i "Which product is it about?" --id id --format csv
    """
    import pyarrow as pa

    from inbedder_cli.corpus import read_corpus
    from inbedder_cli.report.writing import check_target, format_of, open_output, write_table

    talk = Terminal(quiet=quiet)
    question = needed_instruction(instruction)
    check_target(output, force=force)
    known_suffix = output is not None and output.suffix.lower() not in ("", ".txt")
    wanted = output_format or (format_of(output) if output is not None and known_suffix else None)
    if wanted in (TableFormat.table, TableFormat.json):
        raise UsageProblem(f"answer has no {wanted} format", hint="use csv, tsv, jsonl, markdown or parquet")
    corpus = read_corpus(
        file,
        text=text or (),
        text_template=text_template,
        id_column=id_column,
        input_format=input_format,
        delimiter=delimiter,
        encoding=encoding,
        empty=empty,
        limit=limit,
        sample=sample,
        seed=seed,
    )
    options.tell_about(corpus, talk)

    from inbedder_cli.encoders import load_encoder
    from inbedder_cli.pipeline import embed_corpus

    reading = EncodeOptions(None, None, True, max_answer_tokens, max_tokens, batch_tokens)
    encoder = load_encoder(model, template=template, device=device, dtype=dtype, offline=offline, talk=talk)
    talk.say(f"model: {encoder.description}")
    embedding = embed_corpus(corpus, question, encoder, reading, talk)
    answers = embedding.answers or []
    with open_output(output) as stream:
        if wanted is None:
            stream.writelines(f"{a or ''}\n".encode("utf-8", "surrogatepass") for a in answers)
        else:
            status = [str(s) for s in embedding.status]
            columns = {"id": corpus.ids, "answer": answers, "status": status}
            table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
            write_table(table, stream, wanted)
    tell_about_embedding(embedding, max_tokens, talk)
