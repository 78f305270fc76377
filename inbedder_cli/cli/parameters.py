"""The options that commands share, so that each has one name, one help text and one meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inbedder_cli.errors import UsageError
from inbedder_cli.models.names import DEFAULT_MODEL
from inbedder_cli.options import Dtype, EmptyTexts, InputFormat, Pooling, TableFormat
from inbedder_cli.registry import algorithms

INPUT = "Input"
MODEL = "Model"
READING = "Reading"
ANSWERS = "Answers"
CLUSTERING = "Clustering"
OUTPUT = "Output"

File = Annotated[str, typer.Argument(metavar="FILE", help="CSV, TSV, JSON lines or Parquet; - for a pipe.")]
Instruction = Annotated[
    str | None,
    typer.Option("--instruction", "-i", help="The question to ask about each text.", show_default=False),
]
Instructions = Annotated[
    list[str] | None,
    typer.Option(
        "--instruction",
        "-i",
        help="The question to ask about each text; repeat to ask several, with names: reason='Why ...?'.",
        show_default=False,
    ),
]

Text = Annotated[
    list[str] | None,
    typer.Option(
        "--text",
        help="Text column; guessed when one is obvious. Repeat to join several.",
        rich_help_panel=INPUT,
    ),
]
TextTemplate = Annotated[
    str | None, typer.Option(help="Text made of columns: '{title}. {body}'.", rich_help_panel=INPUT)
]
IdColumn = Annotated[
    str | None, typer.Option("--id", help="Column of row ids; row numbers otherwise.", rich_help_panel=INPUT)
]
InputFormatOption = Annotated[
    InputFormat | None,
    typer.Option(
        "--input-format", help="Taken from the suffix or the content if not given.", rich_help_panel=INPUT
    ),
]
Delimiter = Annotated[
    str | None, typer.Option(help="Delimiter of CSV files; guessed if not given.", rich_help_panel=INPUT)
]
Encoding = Annotated[
    str | None, typer.Option(help="Encoding of text files; UTF-8 if not given.", rich_help_panel=INPUT)
]
Empty = Annotated[EmptyTexts, typer.Option(help="What to do with rows that have no text.", rich_help_panel=INPUT)]
Limit = Annotated[int | None, typer.Option(min=1, help="Read only the first N rows.", rich_help_panel=INPUT)]
Sample = Annotated[int | None, typer.Option(min=1, help="Take a random sample of N rows.", rich_help_panel=INPUT)]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every random choice.", rich_help_panel=INPUT)]

Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        envvar="INBEDDER_MODEL",
        help="Bundled name, folder, .gguf file, or Hugging Face id (org/name@revision).",
        rich_help_panel=MODEL,
    ),
]
TemplateOption = Annotated[
    str | None,
    typer.Option(
        "--template",
        help="paper, question-first, chat, or a pattern with {text} and {instruction}; the model's own otherwise.",
        rich_help_panel=MODEL,
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.", rich_help_panel=MODEL)]
DtypeOption = Annotated[Dtype, typer.Option(help="Number format; auto finds the fast one.", rich_help_panel=MODEL)]
Offline = Annotated[bool, typer.Option("--offline", help="Never use the network.", rich_help_panel=MODEL)]

Cache = Annotated[
    bool,
    typer.Option(
        "--cache/--no-cache", help="Remember rows, and read none twice (inbedder cache).", rich_help_panel=MODEL
    ),
]
Devices = Annotated[
    int,
    typer.Option(
        min=1, help="Read with so many processes, each on a GPU of its own (cuda:0, ...).", rich_help_panel=MODEL
    ),
]
Refresh = Annotated[bool, typer.Option("--refresh", help="Read cached_value rows again.", rich_help_panel=MODEL)]

PoolingOption = Annotated[
    Pooling | None,
    typer.Option(
        "--pooling",
        help="Which hidden states become the vector; masks is for masked models (RoBERTa, BERT).",
        rich_help_panel=READING,
        show_default="the model's",
    ),
]
Layer = Annotated[
    int | None,
    typer.Option(
        help="Index into the hidden states: 0 embeddings, N or -1 last.",
        rich_help_panel=READING,
        show_default="the model's",
    ),
]
MaxAnswerTokens = Annotated[int, typer.Option(min=1, help="Longest answer.", rich_help_panel=READING)]
MaxTokens = Annotated[
    int,
    typer.Option(
        min=16,
        help="Longest prompt; longer texts are shortened, the question never.",
        rich_help_panel=READING,
    ),
]
BatchTokens = Annotated[
    int | None,
    typer.Option(min=1, help="Padded tokens read at a time.", rich_help_panel=READING, show_default="by device"),
]


KMin = Annotated[int, typer.Option(help="Smallest k that auto tries.", rich_help_panel=CLUSTERING)]
KMax = Annotated[int, typer.Option(help="Largest k that auto tries.", rich_help_panel=CLUSTERING)]


def _known_algorithm(name: str) -> str:
    try:
        return algorithms.check(name)
    except UsageError as error:
        raise typer.BadParameter(f"{error}; {error.hint}") from error


AlgorithmOption = Annotated[
    str,
    typer.Option(
        "--algorithm",
        "-a",
        callback=_known_algorithm,
        metavar="|".join(algorithms),
        rich_help_panel=CLUSTERING,
        help="Clustering algorithm.",
    ),
]
FlagUnanswered = Annotated[
    bool,
    typer.Option(
        "--abstain/--no-abstain",
        help="Keep rows that do not answer the question out of the clusters.",
        rich_help_panel=ANSWERS,
    ),
]
MinConfidence = Annotated[
    float,
    typer.Option(
        min=0, max=1, help="An answer of which the model is less sure counts as none.", rich_help_panel=ANSWERS
    ),
]


def _unless_stdout(path: Path | None) -> Path | None:
    return None if path == Path("-") else path


Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", callback=_unless_stdout, help="Write to this file; - is stdout.", rich_help_panel=OUTPUT
    ),
]
Format = Annotated[
    TableFormat | None,
    typer.Option(
        "--format",
        "-f",
        help="Taken from the file's suffix if not given; a table on a terminal, rows in a pipe.",
        rich_help_panel=OUTPUT,
    ),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a saved run (cluster --save).")]
Prefix = Annotated[str, typer.Option(help="Put before the names of the new columns.", rich_help_panel=OUTPUT)]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.", rich_help_panel=OUTPUT)]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Only warnings and errors on stderr.", rich_help_panel=OUTPUT)
]

ModelDefault = DEFAULT_MODEL
