"""Options of shards, each defined once."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.destinations import print_analysis
from inbedder_cli.cli.option_groups import ModelOptions
from inbedder_cli.cli.table_options import InputOptions, LayoutOptions
from inbedder_cli.corpus.layout import Layout
from inbedder_cli.options import Choice, Dtype

if TYPE_CHECKING:
    from inbedder_cli.progress import Reporter
    from inbedder_cli.results import Analysis
    from inbedder_cli.shards.engines import LocalEngine
    from inbedder_cli.shards.planning import PlanOptions
    from inbedder_cli.shards.ray_engine import RayEngine
    from inbedder_cli.shards.staging import Staging

SHARDS = "Shards"
MANY_ROWS = 500_000  # their vectors of 1,024 numbers take 2 GB, and KMeans copies them once


class EngineName(Choice):
    """What runs the shards."""

    local = "local"  # this process, one after another
    ray = "ray"  # a Ray cluster, or this machine if there is none


class ClusterEngine(Choice):
    """What clusters the rows."""

    memory = "memory"  # this process, with all rows at once
    local = "local"  # this process, part by part
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
    ClusterEngine | None,
    typer.Option(
        "--engine",
        help="Hold all rows in memory, or work in parts, one after another or on a Ray cluster; parts need -o.",
        show_default=f"memory; local above {MANY_ROWS:,} rows",
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
        help="Processes that encode; of the engine ray, its workers. Steps that encode nothing need none.",
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

    def open(self, reporter: Reporter) -> LocalEngine | RayEngine:
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

    return PlanOptions(
        text=tuple(source.text or ()),
        text_template=source.text_template,
        id_column=source.id_column,
        empty=source.empty,
        staging=staging_of(source),
        **(sizes or {}),
    )


def staging_of(source: ShardInput | InputOptions) -> Staging:
    """Return how files that are not Parquet are read.

    :param source: how they are laid out.
    """
    from inbedder_cli.shards.staging import Staging

    layout = Layout(**{field.name: getattr(source, field.name) for field in fields(Layout)})
    return Staging(layout, source.input_format, source.max_cell)


def show_clusters(analysis: Analysis) -> None:
    """Print the tables of clusters on a terminal; a pipe gets nothing, since the rows are in files.

    :param analysis: the clusters.
    """
    if sys.stdout.isatty():
        print_analysis(analysis)
