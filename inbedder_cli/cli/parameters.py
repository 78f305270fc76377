"""Options that several commands share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inbedder_cli.cli.completion import (
    complete_algorithm,
    complete_columns,
    complete_device,
    complete_format,
    complete_model,
    complete_run,
    complete_template,
)
from inbedder_cli.errors import UsageError
from inbedder_cli.options import (
    DEFAULT_MODEL,
    GPU_MODEL,
    MAX_SEED,
    Dtype,
    Pooling,
)
from inbedder_cli.output.formats import TABLE, check_format, format_names
from inbedder_cli.registry import algorithms

if TYPE_CHECKING:
    from collections.abc import Iterable

INPUT = "Input"
MODEL = "Model"
ENCODING = "Encoding"
ANSWERS = "Answers"
CLUSTERING = "Clustering"
OUTPUT = "Output"

# Every number has a range, so that none is too large for numpy, Arrow or C.
MAX_COUNT = 1_000_000_000
MAX_LAYER = 10_000

File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="CSV, TSV, JSON, Parquet, Excel or plain lines; a folder, a quoted pattern or a URL; - for a pipe.",
    ),
]
Instruction = Annotated[
    list[str] | None,  # of one question: a second -i would replace the first silently
    typer.Option(
        "--instruction", "-i", metavar="<str>", help="The question to ask about each text.", show_default=False
    ),
]
Instructions = Annotated[
    list[str] | None,
    typer.Option(
        "--instruction",
        "-i",
        help="The question to ask about each text; repeat for several, with names: reason='Why ...?'.",
        show_default=False,
    ),
]

Seed = Annotated[
    int, typer.Option(min=0, max=MAX_SEED, help="Seed of every random choice.", rich_help_panel=INPUT)
]

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        envvar="INBEDDER_MODEL",
        autocompletion=complete_model,
        help="Bundled name, folder, .gguf file, or Hugging Face id (org/name@revision).",
        show_default=f"{DEFAULT_MODEL}; on a GPU {GPU_MODEL}, if it was pulled",
        rich_help_panel=MODEL,
    ),
]
TemplateOption = Annotated[
    str | None,
    typer.Option(
        "--template",
        autocompletion=complete_template,
        help="Prompt template: paper, question-first, chat, or a pattern with {text} and {instruction}.",
        rich_help_panel=MODEL,
    ),
]
Device = Annotated[
    str,
    typer.Option(autocompletion=complete_device, help="auto, cpu, cuda, cuda:N or mps.", rich_help_panel=MODEL),
]
DtypeOption = Annotated[
    Dtype,
    typer.Option(
        help="Dtype of the model's weights and activations; auto takes the fastest native to this machine.",
        rich_help_panel=MODEL,
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Never fetch a model.", rich_help_panel=MODEL)]

Cache = Annotated[
    bool,
    typer.Option(
        "--cache/--no-cache",
        help="Store encoded rows and reuse them (see: inbedder cache).",
        rich_help_panel=MODEL,
    ),
]
CacheMaxSize = Annotated[
    str,
    typer.Option(
        "--cache-max-size",
        help="Largest size of the cache; after a run, the least recently used rows beyond it are removed.",
        rich_help_panel=MODEL,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1024,
        help="Encode with N processes. Default: chosen by cores, memory and rows; 1 on a GPU.",
        rich_help_panel=MODEL,
    ),
]
Devices = Annotated[
    str | None,
    typer.Option(metavar="LIST", help="GPUs that encode, a process each: cuda:0,cuda:1.", rich_help_panel=MODEL),
]
Refresh = Annotated[bool, typer.Option("--refresh", help="Encode cached rows again.", rich_help_panel=MODEL)]

PoolingOption = Annotated[
    Pooling | None,
    typer.Option(
        "--pooling",
        help="What becomes the vector: hidden states, or the words that may begin the answer (answer-words); "
        "masks is for masked models (RoBERTa, BERT).",
        rich_help_panel=ENCODING,
        show_default="the model's",
    ),
]
Layer = Annotated[
    int | None,
    typer.Option(
        min=-MAX_LAYER,
        max=MAX_LAYER,
        help="Index into the hidden states: 0 embeddings, N or -1 last.",
        rich_help_panel=ENCODING,
        show_default="the model's",
    ),
]
MaxAnswerTokens = Annotated[
    int, typer.Option(min=1, max=10_000, help="Maximum length of an answer, in tokens.", rich_help_panel=ENCODING)
]
MaxTokens = Annotated[
    int,
    typer.Option(
        min=16,
        max=MAX_COUNT,
        help="Maximum length of a prompt, in tokens; longer texts are truncated, the question never is.",
        rich_help_panel=ENCODING,
    ),
]
BatchTokens = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MAX_COUNT,
        help="Tokens per batch, including padding.",
        rich_help_panel=ENCODING,
        show_default="by device",
    ),
]
Deterministic = Annotated[
    bool,
    typer.Option(
        "--deterministic",
        help="Encode each text by itself, on one thread, in float32 unless --dtype is given, without the cache: "
        "the same bits for the same text on one machine. Slower.",
        rich_help_panel=ENCODING,
    ),
]

K = Annotated[
    list[str] | None,
    typer.Option(
        "-k",
        "--k",
        help="Number of clusters, or auto: the fewest that agree with the answers nearly as well as any; "
        "those that are answered alike are merged. With several questions: once, or once for each.",
        rich_help_panel=CLUSTERING,
        show_default="auto",
    ),
]
KMin = Annotated[
    int, typer.Option(min=2, max=MAX_COUNT, help="Smallest k that auto tries.", rich_help_panel=CLUSTERING)
]
KMax = Annotated[
    int, typer.Option(min=2, max=MAX_COUNT, help="Largest k that auto tries.", rich_help_panel=CLUSTERING)
]


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
        autocompletion=complete_algorithm,
        metavar="|".join(algorithms),
        rich_help_panel=CLUSTERING,
        help="Clustering algorithm.",
    ),
]
MinClusterSize = Annotated[
    int | None,
    typer.Option(
        min=2,
        max=MAX_COUNT,
        help="Smallest cluster (hdbscan).",
        rich_help_panel=CLUSTERING,
        show_default="2 % of the rows, at least 5",
    ),
]
Stability = Annotated[
    bool,
    typer.Option(
        "--stability/--no-stability",
        help="Measure how often each cluster is found again in random halves of the rows.",
        rich_help_panel=CLUSTERING,
    ),
]
Consensus = Annotated[
    bool,
    typer.Option(
        "--consensus/--no-consensus",
        help="Start KMeans from the consensus of many runs, so that other seeds find the same clusters.",
        rich_help_panel=CLUSTERING,
    ),
]
StopWords = Annotated[
    str | None,
    typer.Option(
        help="File of stop words for labels, or none.", rich_help_panel=CLUSTERING, show_default="English"
    ),
]
Exemplars = Annotated[
    int, typer.Option(min=0, max=MAX_COUNT, help="Example rows per cluster.", rich_help_panel=CLUSTERING)
]
FlagUnanswered = Annotated[
    bool,
    typer.Option(
        "--flag-unanswered/--no-flag-unanswered",
        help="Give rows that do not answer the question the status no-answer; they are in no cluster.",
        rich_help_panel=ANSWERS,
    ),
]
MinConfidence = Annotated[
    float,
    typer.Option(min=0, max=1, help="Treat answers below this confidence as unanswered.", rich_help_panel=ANSWERS),
]


Explode = Annotated[
    bool,
    typer.Option(
        "--explode", help="Of a run with --multi: one line for each row and answer.", rich_help_panel=OUTPUT
    ),
]


def _unless_stdout(path: Path | None) -> Path | None:
    if path == Path():
        raise UsageError("-o names no file", hint="-o FILE, or leave it out to write to standard output")
    return None if str(path) in ("-", "/dev/stdout", "/dev/fd/1") else path


Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", callback=_unless_stdout, help="Write to this file; - is stdout.", rich_help_panel=OUTPUT
    ),
]


def _known_format(name: str | None) -> str | None:
    return name if name is None else check_format(name)


def _format_option(names: Iterable[str], default: str) -> Any:  # noqa: ANN401
    return typer.Option(
        "--format",
        "-f",
        callback=_known_format,
        autocompletion=complete_format,
        metavar=f"[{'|'.join(names)}]",
        help=f"Output format. Default: by the file's suffix; {default}.",
        rich_help_panel=OUTPUT,
    )


Format = Annotated[str | None, _format_option(format_names(), "a table on a terminal, rows in a pipe")]
RowFormat = Annotated[
    str | None,
    _format_option((name for name in format_names() if name != TABLE), "otherwise one answer per line"),
]
Map = Annotated[
    bool,
    typer.Option(
        "--map", help="Add the row's place on a map: the columns map_x and map_y.", rich_help_panel=OUTPUT
    ),
]
By = Annotated[
    list[str] | None,
    typer.Option(
        autocompletion=complete_columns,
        help="Cross-tabulate the clusters with columns of the input: rating,product.",
        rich_help_panel=OUTPUT,
    ),
]
Run = Annotated[
    Path,
    typer.Argument(metavar="RUN", autocompletion=complete_run, help="Folder of a saved run (cluster --save)."),
]
Excel = Annotated[
    bool,
    typer.Option(
        "--excel",
        help="Write CSV that Excel opens by a double click in any language (UTF-16, tabs); or write .xlsx.",
        rich_help_panel=OUTPUT,
    ),
]
EscapeFormulas = Annotated[
    bool,
    typer.Option(
        "--escape-formulas",
        help="Put ' before cells of CSV that a spreadsheet would run as a formula (=, +, -, @).",
        rich_help_panel=OUTPUT,
    ),
]
Prefix = Annotated[str, typer.Option(help="Prefix of the new columns' names.", rich_help_panel=OUTPUT)]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing files.", rich_help_panel=OUTPUT)]
Json = Annotated[bool, typer.Option("--json", help="The same as --format json.", rich_help_panel=OUTPUT)]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON document.", rich_help_panel=OUTPUT)]
NoTruncate = Annotated[
    bool, typer.Option("--no-truncate", help="Print texts in tables whole.", rich_help_panel=OUTPUT)
]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        help="Print how long each step takes; -vv also the messages of libraries, and tracebacks of errors.",
        rich_help_panel=OUTPUT,
    ),
]
Color = Annotated[
    bool | None,
    typer.Option(
        "--color/--no-color",
        help="Color in tables and messages.",
        rich_help_panel=OUTPUT,
        show_default="on a terminal, unless NO_COLOR is set",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show one prompt, counts and the estimated time, then exit.")
]
DryRunPlan = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be done, then exit; nothing is written.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only warnings and errors on stderr.", rich_help_panel=OUTPUT)
]
