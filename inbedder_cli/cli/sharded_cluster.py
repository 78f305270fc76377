"""`inbedder cluster` in parts, all steps at once: with --engine, or by itself where there are many rows."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from inbedder_cli.cli.destinations import check_targets, own_prefix
from inbedder_cli.cli.shard_options import (
    MANY_ROWS,
    Address,
    ClusterEngine,
    EngineName,
    EngineOptions,
    OptionalEngine,
    RayTimeout,
    RowsPerShard,
    plan_options,
    show_clusters,
    staging_of,
)
from inbedder_cli.corpus.locations import is_remote
from inbedder_cli.corpus.opening import STDIN
from inbedder_cli.corpus.several_files import files_of
from inbedder_cli.errors import InbedderError, UsageError
from inbedder_cli.options import CsvStyle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.cli.option_groups import EncodingOptions, ModelOptions
    from inbedder_cli.cli.table_options import InputOptions
    from inbedder_cli.options import ClusterOptions, ExplainOptions, UnansweredOptions
    from inbedder_cli.progress import Reporter
    from inbedder_cli.shards.planning import PlanOptions

SLASHES = re.compile(r"^([a-z][a-z0-9+.-]*):/(?!/)")  # of a URL that was taken for a path
SAVED = "leave out one of them; inbedder show and report read the run that --engine saves"
WORK = "_work"  # folder of the plan in that of the rows; names that begin with "_" are not read as data
PARTS = ".parts"  # what the folder of the parts is called, beside the one file that is made of them
JSON_TYPES = ("jsonl", "parquet")  # formats that keep the types of JSON cells, which parts hold as texts


@dataclass(frozen=True)
class ShardedQuestion:
    """What is asked, and how the answers are clustered and explained.

    :param instruction: the question.
    :param clustering: how vectors are clustered.
    :param unanswered: which answers count as unanswered.
    :param explanation: how clusters are explained.
    :param by: columns of the input to cross the clusters with.
    """

    instruction: str
    clustering: ClusterOptions
    unanswered: UnansweredOptions
    explanation: ExplainOptions
    by: Sequence[str] = ()


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
    def of(cls, output: Path | None) -> ShardedOutput:
        """Return where rows go: a local name with the suffix of a format is a file, any other one a folder.

        :param output: as it was named.
        :raises UsageError: where nothing was named, or a file that cannot be written in parts.
        """
        from inbedder_cli.shards.joining import JOINED, format_by_suffix

        if output is None:
            raise UsageError("--engine writes the rows to files", hint="name a folder, or a file: -o FOLDER")
        folder = SLASHES.sub(r"\1://", str(output))
        name = format_by_suffix(output)
        if name is None or folder != str(output) or os.path.isdir(output):  # noqa: PTH112
            return cls(folder)
        if name not in JOINED:
            message = f"{output}: {name} is written whole, which --engine cannot do"
            raise UsageError(message, hint=f"name a folder, or a file of {', '.join(JOINED)}")
        return cls(f"{output}{PARTS}", output, name)


@dataclass(frozen=True)
class ShardedRun:
    """Whether the input is worked on in parts, and by what."""

    engine: OptionalEngine = None
    rows_per_shard: RowsPerShard = 50_000
    address: Address = None
    ray_timeout: RayTimeout = 120.0

    @property
    def is_sharded(self) -> bool:
        """Whether the input is worked on in parts."""
        return self.engine not in (None, ClusterEngine.memory)

    def chosen(
        self, file: str, source: InputOptions, output: Path | None, whole: dict[str, object], reporter: Reporter
    ) -> ShardedRun:
        """Return this with an engine, if none was named: `local` for many rows that can be worked on in parts.

        :param file: the input.
        :param source: how it is read.
        :param output: where the rows go.
        :param whole: options that need all rows at once; those that are not None, False or empty were given.
        :param reporter: told of many rows.
        :raises UsageError: for options that need an engine.
        """
        if self.address is not None and self.engine is not ClusterEngine.ray:
            raise UsageError("--address is for --engine ray", hint="add --engine ray -o FOLDER")
        if self.engine is not None or any(whole.values()) or not _can_be_sharded(file, source, output):
            return self
        reporter.info(
            f"more than {MANY_ROWS:,} rows: worked on in parts, in {ShardedOutput.of(output).folder}; clusters "
            "are made of a sample, and the same command goes on where it was. All rows in memory: --engine memory"
        )
        return replace(self, engine=ClusterEngine.local)

    def suggest_sharding(self, n_rows: int, file: str, questions: list[str], reporter: Reporter) -> None:
        """Tell how to work in parts, where all rows in memory may be too many and nobody asked for that.

        :param n_rows: rows of the input.
        :param file: the input as it was named.
        :param questions: what is asked.
        :param reporter: receives the message.
        """
        if n_rows <= MANY_ROWS or self.engine is not None:
            return
        source = "FILE" if file == STDIN else shlex.quote(file)
        command = f"inbedder cluster {source} -i {shlex.quote(questions[0])} --engine local -o FOLDER"
        reporter.warn(
            f"{n_rows:,} rows, more than {MANY_ROWS:,}: all texts and vectors are held in memory. "
            f"In parts, which can be stopped and go on: {command}"
        )

    def run(
        self,
        files: str,
        question: ShardedQuestion,
        model: ModelOptions,
        encoding: EncodingOptions,
        source: InputOptions,
        output: Path | None,
        prefix: str,
        whole: dict[str, object],
        reporter: Reporter,
        *,
        force: bool = False,
    ) -> None:
        """Plan, run, fit and assign, in a folder of rows that holds the plan too; the same command again goes on.

        :param files: a file, a folder or a pattern.
        :param question: what is asked.
        :param model: which model encodes the texts.
        :param encoding: how texts are encoded.
        :param source: which columns are read, and how files are laid out.
        :param output: the folder to write to, which may be a URL, or a file, beside which the folder is.
        :param prefix: of the names of the new columns.
        :param whole: options that need all rows at once; those that are not None, False or empty were given.
        :param reporter: receives messages and progress.
        :param force: whether an existing file may be replaced.
        :raises UsageError: without an output, or for options that do not go with parts, or not with the engine.
        :raises RowsFailedError: when some rows, or whole shards, failed.
        """
        from inbedder_cli.output.files import check_distinct
        from inbedder_cli.shards.crossing import column_groupings
        from inbedder_cli.shards.jobs import EmbedJob
        from inbedder_cli.shards.joining import join_rows
        from inbedder_cli.shards.labelling import NEW_COLUMNS, check_columns, label_rows
        from inbedder_cli.shards.large_files import format_and_style
        from inbedder_cli.shards.planning import make_plan
        from inbedder_cli.shards.running import raise_for_failed_rows, run_embedding
        from inbedder_cli.shards.sampling import fit_sample
        from inbedder_cli.shards.sharding import NEW_FOLDER
        from inbedder_cli.shards.stores import Store

        if given := next((option for option, value in whole.items() if value), None):
            raise UsageError(f"{given}: this needs all rows at once, which --engine does not keep", hint=SAVED)
        options = plan_options(source, {"rows_per_shard": self.rows_per_shard})
        target = ShardedOutput.of(output)
        if target.format in JSON_TYPES and format_and_style(files_of(files)[0], options.staging)[0] == "jsonl":
            raise UsageError(
                f"JSON lines become texts in parts, so that {target.format} would lose their types",
                hint="write CSV, or leave out --engine to hold all rows in memory",
            )
        if target.file:
            check_targets(target.file, None, force=force, inputs=(files,))
        elif not is_remote(target.folder):
            check_distinct({"-o": Path(target.folder)}, [files])
        if model.devices:
            raise UsageError("--devices is for one process", hint="--engine ray has a worker on each GPU")
        options_of_engine = EngineOptions(
            EngineName(str(self.engine)), self.address, self.ray_timeout, model.workers
        )
        engine = options_of_engine.open(reporter)
        folder = Store(target.folder)
        work = Store(folder.shown(WORK))
        encoder = replace(model, cache=False, refresh=False).load(reporter)
        try:
            plan = make_plan(files, question.instruction, encoder, encoding.settings(), work, options, reporter)
        except InbedderError as error:
            if error.hint == NEW_FOLDER:
                error.hint = f"{NEW_FOLDER}; or delete {target.folder}, to begin anew"
            raise
        prefix = prefix or own_prefix(plan.columns.names, NEW_COLUMNS, reporter)
        check_columns(plan, prefix)
        column_groupings(plan, work, question.by, plan.shards)  # what is wrong is said before anything is encoded
        style = _style(files, options) if target.file else CsvStyle()
        reporter.info(f"{plan.n_rows:,} rows in {len(plan.starts):,} shards")
        job = EmbedJob(work.location, model.device, model.offline, options_of_engine.n_processes)
        with engine:
            run_embedding(work, job, engine, None, reporter)
            fit_sample(work, question.clustering, question.unanswered, question.explanation, reporter=reporter)
            labelled = label_rows(work, folder, engine, prefix=prefix, by=question.by, reporter=reporter)
        if target.file and target.format:
            join_rows(folder, labelled.shards, target.file, target.format, style)
        written = target.file or folder.location
        reporter.info(f"written: {written} (inbedder show {work.shown('run')})")
        show_clusters(labelled.analysis)
        raise_for_failed_rows(labelled.statuses.get("failed", 0))


def _can_be_sharded(source: str, options: InputOptions, output: Path | None) -> bool:
    """Return whether an input has many rows, which can be written in parts as they would be written at once."""
    if source == STDIN or output is None:
        return False
    from inbedder_cli.shards.large_files import format_and_style, have_more_rows

    try:
        target = ShardedOutput.of(output)
        is_device = output.exists() and not output.is_dir()  # such as /dev/stdout
        paths = files_of(source)
        if not all(is_remote(path) or os.path.isfile(path) for path in paths):  # noqa: PTH113
            return False
    except (OSError, InbedderError):  # who reads or writes there will tell
        return False
    staging = staging_of(options)
    if (target.file is None and is_device) or not have_more_rows(paths, MANY_ROWS, staging):
        return False
    return not (target.format in JSON_TYPES and format_and_style(paths[0], staging)[0] == "jsonl")


def _style(source: str, options: PlanOptions) -> CsvStyle:
    """Return the style in which CSV is written: that of the first file."""
    from inbedder_cli.shards.large_files import format_and_style

    return format_and_style(files_of(source)[0], options.staging)[1]
