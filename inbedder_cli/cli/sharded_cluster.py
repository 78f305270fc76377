"""`inbedder cluster` in parts, all steps at once: with --engine, or by itself where there are many rows."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from inbedder_cli.cli.option_groups import ModelOptions
    from inbedder_cli.cli.table_options import InputOptions
    from inbedder_cli.progress import Reporter
    from inbedder_cli.shards.end_to_end import ShardedOutput

SAVED = "leave out one of them; inbedder show and report read the run that --engine saves"


@dataclass(frozen=True)
class ShardedRun:
    """Whether the input is worked on in parts, and by what."""

    engine: OptionalEngine = None
    rows_per_shard: RowsPerShard = 50_000
    address: Address = None
    ray_timeout: RayTimeout = 120.0
    on_command_line: frozenset[str] = frozenset()

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
        for name in ("address", "ray_timeout"):
            if name in self.on_command_line and self.engine is not ClusterEngine.ray:
                option = "--" + name.replace("_", "-")
                raise UsageError(f"{option} is for --engine ray", hint="add --engine ray -o FOLDER")
        if self.is_sharded:
            return self
        is_whole = self.engine is not None or any(whole.values())
        target = None if is_whole else _target_of_many_rows(file, source, output)
        if target is None:
            return self
        reporter.info(
            f"more than {MANY_ROWS:,} rows: worked on in parts, in {target.folder}; clusters "
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
        instruction: str,
        model: ModelOptions,
        source: InputOptions,
        output: Path | None,
        whole: dict[str, object],
        reporter: Reporter,
        **options: Any,  # noqa: ANN401
    ) -> None:
        """Cluster in parts, in a folder of rows that holds the plan too; the same command again goes on.

        :param files: a file, a folder or a pattern.
        :param instruction: the question.
        :param model: which model encodes the texts.
        :param source: which columns are read, and how files are laid out.
        :param output: the folder to write to, which may be a URL, or a file, beside which the folder is.
        :param whole: options that need all rows at once; those that are not None, False or empty were given.
        :param reporter: receives messages and progress.
        :param **options: of `cluster_shards`.
        :raises UsageError: without an output, or for options that do not go with parts, or not with the engine.
        :raises RowsFailedError: when some rows, or whole shards, failed.
        """
        from inbedder_cli.shards.end_to_end import ShardedOutput, cluster_shards
        from inbedder_cli.shards.running import raise_for_failed_rows

        if given := next((option for option, value in whole.items() if value), None):
            raise UsageError(f"{given}: this needs all rows at once, which --engine does not keep", hint=SAVED)
        if output is None:
            raise UsageError("--engine writes the rows to files", hint="name a folder, or a file: -o FOLDER")
        if model.devices:
            raise UsageError("--devices is for one process", hint="--engine ray has a worker on each GPU")
        target = ShardedOutput.of(output)  # refuses a format before the model is loaded
        chosen = EngineOptions(EngineName(str(self.engine)), self.address, self.ray_timeout, model.workers)
        with chosen.open(reporter) as engine:
            labelled = cluster_shards(
                files,
                instruction,
                replace(model, cache=False, refresh=False).load(reporter),
                output,
                engine=engine,
                plan_options=plan_options(source, {"rows_per_shard": self.rows_per_shard}),
                device=model.device,
                offline=model.offline,
                workers=chosen.n_processes,
                reporter=reporter,
                **options,
            )
        written = target.file or target.rows.location
        reporter.info(f"written: {written} (inbedder show {target.work.shown('run')})")
        show_clusters(labelled.analysis)
        raise_for_failed_rows(labelled.statuses.get("failed", 0))


def _target_of_many_rows(source: str, options: InputOptions, output: Path | None) -> ShardedOutput | None:
    """Return where rows go in parts; None where they are few, or could not be written as they would be at once."""
    if source == STDIN or output is None:
        return None
    from inbedder_cli.shards.end_to_end import JSON_TYPES, ShardedOutput
    from inbedder_cli.shards.large_files import format_and_style, have_more_rows

    try:
        target = ShardedOutput.of(output)
        is_device = output.exists() and not output.is_dir()  # such as /dev/stdout
        paths = files_of(source)
        if not all(is_remote(path) or os.path.isfile(path) for path in paths):  # noqa: PTH113
            return None
    except (OSError, InbedderError):  # who reads or writes there will tell
        return None
    staging = staging_of(options)
    if (target.file is None and is_device) or not have_more_rows(paths, MANY_ROWS, staging):
        return None
    loses_types = target.format in JSON_TYPES and format_and_style(paths[0], staging)[0] == "jsonl"
    return None if loses_types else target
