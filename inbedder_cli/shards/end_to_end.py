"""All steps of a clustering in parts: an input -> rows with their clusters, in a folder or in one file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inbedder_cli.clustering import check_options
from inbedder_cli.corpus.locations import is_remote
from inbedder_cli.corpus.several_files import files_of
from inbedder_cli.errors import InbedderError, InputError, UsageError
from inbedder_cli.options import ClusterOptions, CsvStyle, EncodeOptions
from inbedder_cli.output.files import check_distinct, check_target
from inbedder_cli.output.tables import own_prefix
from inbedder_cli.progress import SILENT
from inbedder_cli.shards.crossing import column_groupings
from inbedder_cli.shards.engines import LocalEngine
from inbedder_cli.shards.jobs import EmbedJob
from inbedder_cli.shards.joining import JOINED, format_by_suffix, join_rows
from inbedder_cli.shards.labelling import NEW_COLUMNS, LabelledRows, check_columns, check_parts, label_rows
from inbedder_cli.shards.large_files import format_and_style
from inbedder_cli.shards.planning import PlanOptions, make_plan
from inbedder_cli.shards.running import run_embedding
from inbedder_cli.shards.sampling import fit_sample
from inbedder_cli.shards.sharding import NEW_FOLDER
from inbedder_cli.shards.stores import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.encoders import Encoder
    from inbedder_cli.options import ExplainOptions, UnansweredOptions
    from inbedder_cli.progress import Reporter
    from inbedder_cli.shards.engines import Engine
    from inbedder_cli.shards.sharding import Plan

SLASHES = re.compile(r"^([a-z][a-z0-9+.-]*):/(?!/)")  # of a URL that was taken for a path
WORK = "_work"  # folder of the plan in that of the rows; names that begin with "_" are not read as data
PARTS = ".parts"  # what the folder of the parts is called, beside the one file that is made of them
JSON_TYPES = ("jsonl", "parquet")  # formats that keep the types of JSON cells, which parts hold as texts


@dataclass(frozen=True)
class ShardedOutput:
    """Where rows that are worked on in parts go.

    :param folder: of the parts and of the plan.
    :param file: the one file that is made of the parts; None for a user of the folder.
    :param format: name of its format.
    """

    folder: str
    file: Path | None = None
    format: str | None = None

    @classmethod
    def of(cls, output: str | Path) -> ShardedOutput:
        """Return where rows go: a local name with the suffix of a format is a file, any other one a folder.

        :param output: as it was named; it may be a URL.
        :raises UsageError: for a file that cannot be written in parts.
        """
        folder = SLASHES.sub(r"\1://", str(output))
        name = format_by_suffix(Path(output))
        if name is None or is_remote(folder) or os.path.isdir(output):  # noqa: PTH112 (never raises)
            return cls(folder)
        if name not in JOINED:
            message = f"{output}: {name} is written whole, which --engine cannot do"
            raise UsageError(message, hint=f"name a folder, or a file of {', '.join(JOINED)}")
        return cls(f"{output}{PARTS}", Path(output), name)

    @property
    def rows(self) -> Store:
        """The folder of the parts."""
        return Store(self.folder)

    @property
    def work(self) -> Store:
        """The folder of the plan."""
        return Store(self.rows.shown(WORK))


def cluster_shards(
    source: str,
    instruction: str,
    encoder: Encoder,
    output: str | Path,
    *,
    engine: Engine | None = None,
    plan_options: PlanOptions | None = None,
    encode_options: EncodeOptions | None = None,
    cluster_options: ClusterOptions | None = None,
    unanswered_options: UnansweredOptions | None = None,
    explain_options: ExplainOptions | None = None,
    by: Sequence[str] = (),
    prefix: str = "",
    device: str = "auto",
    offline: bool = False,
    workers: int | None = 1,
    force: bool = False,
    reporter: Reporter = SILENT,
) -> LabelledRows:
    """Plan, encode, cluster a sample, and write all rows with their clusters; the same call again goes on.

    What is wrong with options, columns or the output is said before anything is encoded.

    :param source: a file, a folder or a pattern; local or a URL.
    :param instruction: the question.
    :param encoder: the encoder, loaded by name; workers load their own.
    :param output: the folder of the rows, which may be a URL and gets the plan too, or a file, beside which the
        folder is then.
    :param engine: runs the shards; None: this process, one after another. In a `with` block of its own, that of
        Ray keeps its workers from one step to the next.
    :param plan_options: shards, columns and formats.
    :param encode_options: how texts are encoded.
    :param cluster_options: how the vectors of the sample are clustered.
    :param unanswered_options: which answers count as unanswered.
    :param explain_options: how clusters are explained.
    :param by: columns of the input to cross the clusters with.
    :param prefix: of the names of the new columns.
    :param device: on which workers encode.
    :param offline: never use the network for the model.
    :param workers: number of processes that encode a shard; None chooses it on a CPU.
    :param force: whether an existing file may be replaced.
    :param reporter: receives messages and progress.
    :return: the clusters, and how many rows have which status; "failed" are those without a finite vector.
    :raises UsageError: for options or an output that do not go with parts, or a folder of something else.
    :raises InputError: for files that cannot be read, or fewer rows than clusters.
    :raises RowsFailedError: when whole shards failed; the others are done.
    """
    plan_options, engine = plan_options or PlanOptions(), engine or LocalEngine()
    target = ShardedOutput.of(output)
    style = _check_output(source, target, plan_options, force=force)
    folder, work = target.rows, target.work
    try:
        plan = make_plan(
            source, instruction, encoder, encode_options or EncodeOptions(), work, plan_options, reporter
        )
    except InbedderError as error:
        if error.hint == NEW_FOLDER:
            error.hint = f"{NEW_FOLDER}; or delete {target.folder}, to begin anew"
        raise
    prefix = prefix or own_prefix(plan.columns.names, NEW_COLUMNS, reporter)
    _check_plan(plan, work, folder, cluster_options or ClusterOptions(), by, prefix)
    reporter.info(f"{plan.n_rows:,} rows in {len(plan.starts):,} shards")
    job = EmbedJob(work.location, device, offline, workers)
    run_embedding(work, job, engine, None, reporter)
    fit_sample(work, cluster_options, unanswered_options, explain_options, reporter=reporter)
    labelled = label_rows(work, folder, engine, prefix=prefix, by=by, reporter=reporter)
    if target.file and target.format:
        join_rows(folder, labelled.shards, target.file, target.format, style)
    return labelled


def _check_output(source: str, target: ShardedOutput, options: PlanOptions, *, force: bool) -> CsvStyle:
    """Check where rows go, and return the style in which CSV is written there: that of the first file."""
    if target.file is None:
        if not is_remote(target.folder):
            check_distinct({"-o": Path(target.folder)}, [source])
        return CsvStyle()
    check_distinct({"-o": target.file}, [source])
    check_target(target.file, force=force)
    name, style = format_and_style(files_of(source)[0], options.staging)
    if target.format in JSON_TYPES and name == "jsonl":
        raise UsageError(
            f"JSON lines become texts in parts, so that {target.format} would lose their types",
            hint="write CSV, or leave out --engine to hold all rows in memory",
        )
    return style


def _check_plan(
    plan: Plan, work: Store, folder: Store, options: ClusterOptions, by: Sequence[str], prefix: str
) -> None:
    """Check, before anything is encoded, what the last steps would refuse."""
    try:
        check_options(options, plan.n_rows, "rows")
    except InputError as error:
        raise InputError(str(error), source=plan.source, hint=error.hint) from error
    check_columns(plan, prefix)
    check_parts(folder, plan.shards)
    column_groupings(plan, work, by, plan.shards)
