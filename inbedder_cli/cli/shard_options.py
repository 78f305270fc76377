"""Options of shards, each defined once, and `inbedder cluster --engine`, which takes all steps at once."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.console import stdout_console
from inbedder_cli.cli.option_groups import EncodingOptions, ModelOptions
from inbedder_cli.cli.table_options import InputOptions, LayoutOptions
from inbedder_cli.corpus.layout import Layout
from inbedder_cli.corpus.opening import STDIN
from inbedder_cli.errors import UsageError
from inbedder_cli.options import Choice, Dtype

if TYPE_CHECKING:
    from pathlib import Path

    from inbedder_cli.options import ClusterOptions, ExplainOptions, UnansweredOptions
    from inbedder_cli.progress import Reporter
    from inbedder_cli.results import Analysis
    from inbedder_cli.shards.engines import Engine
    from inbedder_cli.shards.planning import PlanOptions

SHARDS = "Shards"


class EngineName(Choice):
    """What runs the shards."""

    local = "local"  # this process, one after another
    ray = "ray"  # a Ray cluster, or this machine if there is none


class VectorType(Choice):
    """Dtype of stored vectors."""

    float16 = "float16"
    float32 = "float32"


Work = Annotated[str, typer.Argument(metavar="WORK", help="Folder of the plan (shards plan -o); it may be a URL.")]
RowsPerShard = Annotated[
    int,
    typer.Option(min=1, max=parameters.MAX_COUNT, help="Most rows of a shard.", rich_help_panel=SHARDS),
]
SampleRows = Annotated[
    int,
    typer.Option(
        min=2,
        max=parameters.MAX_COUNT,
        help="About how many rows the clusters are made of; all rows get them.",
        rich_help_panel=SHARDS,
    ),
]
VectorTypeOption = Annotated[
    VectorType, typer.Option("--vector-dtype", help="Dtype of stored vectors.", rich_help_panel=SHARDS)
]
EngineOption = Annotated[
    EngineName, typer.Option("--engine", help="What runs the shards.", rich_help_panel=SHARDS)
]
OptionalEngine = Annotated[
    EngineName | None,
    typer.Option(
        "--engine",
        help="Work in parts that are written to the folder -o: local, one after another, or on a Ray cluster.",
        show_default=False,
        rich_help_panel=SHARDS,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="Address of a Ray cluster, or auto. Default: RAY_ADDRESS, else this machine.", rich_help_panel=SHARDS
    ),
]
RayTimeout = Annotated[
    float,
    typer.Option(
        min=1,
        max=86_400,
        help="Seconds that Ray may take to start on this machine.",
        rich_help_panel=SHARDS,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=100_000,
        help="Processes that encode; of the engine ray, its workers.",
        show_default="by cores; one per GPU",
        rich_help_panel=SHARDS,
    ),
]
SkipMissing = Annotated[
    bool,
    typer.Option("--skip-missing", help="Leave out shards that are not done.", rich_help_panel=SHARDS),
]
OutputFolder = Annotated[
    str, typer.Option("--output", "-o", help="Folder to write to; it may be a URL.", rich_help_panel=SHARDS)
]


@dataclass(frozen=True)
class EngineOptions:
    """What runs the shards."""

    engine: EngineOption = EngineName.local
    address: Address = None
    ray_timeout: RayTimeout = 120.0
    workers: Workers = None

    @property
    def n_processes(self) -> int | None:
        """Number of processes that encode a shard: one in a worker of Ray, of which there are several."""
        return 1 if self.engine is EngineName.ray else self.workers

    def open(self, reporter: Reporter) -> Engine:
        """Return the engine.

        :param reporter: receives messages.
        :raises UsageError: for options that it does not take.
        """
        from inbedder_cli.shards.engines import make_engine

        return make_engine(self.engine, self.address, self.workers, reporter, start_seconds=self.ray_timeout)


@dataclass(frozen=True)
class ShardInput(LayoutOptions):
    """Which columns are read, and how files that are not Parquet are laid out."""

    def settings(self, rows_per_shard: int, sample_rows: int, vector_dtype: VectorType) -> PlanOptions:
        """Return the options of a plan.

        :param rows_per_shard: largest number of rows of a shard.
        :param sample_rows: about how many rows the clusters are made of.
        :param vector_dtype: dtype of the stored vectors.
        """
        sizes = {"rows_per_shard": rows_per_shard, "sample_rows": sample_rows, "vector_dtype": vector_dtype.value}
        return plan_options(self, sizes)


@dataclass(frozen=True)
class ShardModel:
    """Which model encodes the texts. The files of shards take the place of the cache."""

    model: parameters.Model = None
    template: parameters.TemplateOption = None
    device: parameters.Device = "auto"
    dtype: parameters.DtypeOption = Dtype.auto
    offline: parameters.Offline = False

    def options(self) -> ModelOptions:
        """Return the options of the encoder."""
        return ModelOptions(self.model, self.template, self.device, self.dtype, self.offline, cache=False)


def plan_options(source: ShardInput | InputOptions, sizes: dict[str, Any] | None = None) -> PlanOptions:
    """Return the options of a plan.

    :param source: which columns are read, and how files are laid out.
    :param sizes: other fields of `PlanOptions`.
    """
    from inbedder_cli.shards.planning import PlanOptions
    from inbedder_cli.shards.staging import Staging

    layout = Layout(**{field.name: getattr(source, field.name) for field in fields(Layout)})
    return PlanOptions(
        text=tuple(source.text or ()),
        text_template=source.text_template,
        id_column=source.id_column,
        empty=source.empty,
        staging=Staging(layout, source.input_format, source.max_cell),
        **(sizes or {}),
    )


SLASHES = re.compile(r"^([a-z][a-z0-9+.-]*):/(?!/)")  # of a URL that was taken for a path
MANY_ROWS = 500_000  # their vectors of 1,024 numbers take 2 GB, and KMeans copies them once
SAVED = "leave out one of them; inbedder show and report read the run that --engine saves"
CROSSED = "cross the rows that it writes: pandas.read_parquet(FOLDER, columns=[COLUMN, 'cluster_label'])"
WORK = "_work"  # folder of the plan in that of the rows; names that begin with "_" are not read as data


@dataclass(frozen=True)
class Question:
    """What is asked, and how the answers are clustered and explained.

    :param texts: the question, of which there must be one.
    :param clustering: how vectors are clustered.
    :param unanswered: which answers count as unanswered.
    :param explanation: how clusters are explained.
    """

    texts: list[str]
    clustering: ClusterOptions
    unanswered: UnansweredOptions
    explanation: ExplainOptions


@dataclass(frozen=True)
class ShardedRun:
    """What runs a large input in parts, if it is asked for."""

    engine: OptionalEngine = None
    address: Address = None
    ray_timeout: RayTimeout = 120.0

    def is_asked_for(self) -> bool:
        """Return whether the input is clustered in parts.

        :raises UsageError: for options that need an engine.
        """
        if self.engine is None and self.address is not None:
            raise UsageError("--address is for --engine ray", hint="add --engine ray -o FOLDER")
        return self.engine is not None

    def run(
        self,
        files: str,
        question: Question,
        model: ModelOptions,
        encoding: EncodingOptions,
        options: PlanOptions,
        output: Path | None,
        prefix: str,
        whole: dict[str, object],
        reporter: Reporter,
    ) -> None:
        """Plan, run, fit and assign, in a folder of rows that holds the plan too; the same command again goes on.

        :param files: a file, a folder or a pattern.
        :param question: what is asked.
        :param model: which model encodes the texts.
        :param encoding: how texts are encoded.
        :param options: of the plan.
        :param output: the folder to write to; it may be a URL.
        :param prefix: of the names of the new columns.
        :param whole: options that need all rows at once; those that are not None, False or empty were given.
        :param reporter: receives messages and progress.
        :raises UsageError: without a folder, or for options that do not go with parts, or not with the engine.
        :raises RowsFailedError: when some rows, or whole shards, failed.
        """
        from inbedder_cli.shards.jobs import EmbedJob
        from inbedder_cli.shards.labelling import check_columns, label_rows
        from inbedder_cli.shards.planning import make_plan
        from inbedder_cli.shards.running import raise_for_failed_rows, run_embedding
        from inbedder_cli.shards.sampling import fit_sample
        from inbedder_cli.shards.stores import Store

        if given := next((option for option, value in whole.items() if value), None):
            hint = CROSSED if given == "--by" else SAVED
            raise UsageError(f"{given}: this needs all rows at once, which --engine does not keep", hint=hint)
        if output is None:
            raise UsageError("--engine writes a folder of Parquet files", hint="name it: -o FOLDER")
        if model.devices:
            raise UsageError("--devices is for one process", hint="--engine ray has a worker on each GPU")
        options_of_engine = EngineOptions(
            self.engine or EngineName.local, self.address, self.ray_timeout, model.workers
        )
        engine = options_of_engine.open(reporter)
        folder = Store(SLASHES.sub(r"\1://", str(output)))
        work = Store(folder.shown(WORK))
        encoder = replace(model, cache=False, refresh=False).load(reporter)
        plan = make_plan(files, question.texts[0], encoder, encoding.settings(), work, options, reporter)
        check_columns(plan, prefix)
        reporter.info(f"{plan.n_rows:,} rows in {len(plan.starts):,} shards")
        job = EmbedJob(work.location, model.device, model.offline, options_of_engine.n_processes)
        run_embedding(work, job, engine, None, reporter)
        fit_sample(work, question.clustering, question.unanswered, question.explanation, reporter=reporter)
        labelled = label_rows(work, folder, engine, prefix=prefix, reporter=reporter)
        reporter.info(f"written: {folder.location} (inbedder show {work.shown('run')})")
        show_clusters(labelled.analysis)
        raise_for_failed_rows(labelled.statuses.get("failed", 0))


def tell_of_parts(n_rows: int, file: str, questions: list[str], reporter: Reporter) -> None:
    """Tell how to work in parts, where all rows in memory may be too many.

    :param n_rows: rows of the input.
    :param file: the input as it was named.
    :param questions: what is asked.
    :param reporter: receives the message.
    """
    if n_rows <= MANY_ROWS:
        return
    source = "FILE" if file == STDIN else shlex.quote(file)
    command = f"inbedder cluster {source} -i {shlex.quote(questions[0])} --engine local -o FOLDER"
    reporter.warn(
        f"{n_rows:,} rows, more than {MANY_ROWS:,}: all texts and vectors are held in memory. "
        f"In parts, which can be stopped and go on: {command}"
    )


def show_clusters(analysis: Analysis) -> None:
    """Print the table of clusters on a terminal; a pipe gets nothing, since the rows are in files.

    :param analysis: the clusters.
    """
    from inbedder_cli.report.terminal import print_result

    if sys.stdout.isatty():
        print_result(stdout_console(), analysis.result)
