"""Cluster the sample of a plan, and save it as a run like any other."""

from __future__ import annotations

import hashlib
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from inbedder_cli.corpus import Corpus
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import EmptyTexts, ExplainOptions
from inbedder_cli.pipeline import analyze
from inbedder_cli.progress import SILENT
from inbedder_cli.runs.saved_run import load_run
from inbedder_cli.runs.writer import save_run
from inbedder_cli.shards.running import missing_shards
from inbedder_cli.shards.shard_embeddings import AGAIN, embeddings_of, read_part
from inbedder_cli.shards.sharding import RUN, SAMPLE, in_sample, part_name, read_plan
from inbedder_cli.shards.vocabulary import vocabulary_of, write_vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from inbedder_cli.options import ClusterOptions, UnansweredOptions
    from inbedder_cli.progress import Reporter
    from inbedder_cli.results import Analysis
    from inbedder_cli.runs.saved_run import SavedRun
    from inbedder_cli.shards.sharding import Plan
    from inbedder_cli.shards.stores import Store
    from inbedder_cli.shards.vocabulary import Vocabulary

THREADS = 16
RUN_BYTES = 2_000_000_000  # of a file of a run
NAMED = 10


def fit_sample(
    work: Store,
    cluster_options: ClusterOptions | None = None,
    unanswered_options: UnansweredOptions | None = None,
    explain_options: ExplainOptions | None = None,
    *,
    sample_rows: int | None = None,
    skip_missing: bool = False,
    reporter: Reporter = SILENT,
) -> Analysis:
    """Cluster the sample, save the run beside the plan, and return it.

    :param work: the folder of the plan.
    :param cluster_options: how vectors are clustered.
    :param unanswered_options: which answers count as unanswered.
    :param explain_options: how clusters are explained.
    :param sample_rows: about how many rows are clustered; None takes the sample of the plan.
    :param skip_missing: whether shards that are not done are left out, instead of being an error.
    :param reporter: receives messages and progress.
    :raises UsageError: for shards that are not done, or a sample larger than that of the plan.
    :raises InputError: for too few rows.
    """
    plan = read_plan(work)
    size = sample_rows or plan.sample_rows
    if size > plan.sample_rows:
        hint = "plan again in a new folder: inbedder shards plan --sample-rows"
        raise UsageError(f"the plan has a sample of {plan.sample_rows:,} rows, not {size:,}", hint=hint)
    shards = done_shards(work, plan, skip_missing=skip_missing)
    corpus, table = _sample(work, plan, shards, size)
    reporter.info(f"clustering {len(corpus):,} of {plan.n_rows:,} rows")
    embeddings = embeddings_of(table, plan, work.shown(SAMPLE))
    del table
    analysis = analyze(
        corpus,
        plan.instruction,
        embeddings=embeddings,
        cluster_options=cluster_options,
        unanswered_options=unanswered_options,
        explain_options=explain_options,
        reporter=reporter,
    )
    write_vocabulary(work, vocabulary_of(analysis.result, explain_options or ExplainOptions()))
    _save(work, analysis, reporter)
    return analysis


def done_shards(work: Store, plan: Plan, *, skip_missing: bool) -> list[int]:
    """Return the shards whose vectors are there.

    :param work: the folder of the plan.
    :param plan: the plan.
    :param skip_missing: whether others may be missing.
    :raises UsageError: when none is there, or others are missing and may not be.
    """
    missing = missing_shards(work, plan)
    if missing and (not skip_missing or len(missing) == len(plan.starts)):
        named = ", ".join(map(str, missing[:NAMED])) + (", ..." if len(missing) > NAMED else "")
        hint = f"run them: inbedder shards run {work.location}; or leave them out: --skip-missing"
        raise UsageError(f"{len(missing):,} of {len(plan.starts):,} shards are not done: {named}", hint=hint)
    absent = set(missing)
    return [shard for shard in plan.shards if shard not in absent]


def _sample(work: Store, plan: Plan, shards: list[int], size: int) -> tuple[Corpus, pa.Table]:
    """Return the rows of the sample, and their embeddings, in the order of the input."""
    import pyarrow as pa

    def read(shard: int) -> pa.Table:
        name, rows = part_name(SAMPLE, shard), plan.rows_of(shard)
        table, _ = read_part(work, plan, name)
        ids = table.column("row_id").to_numpy()
        if np.any(np.diff(ids) <= 0) or (len(ids) and (ids[0] < rows.start or ids[-1] >= rows.stop)):
            raise InputError("has other rows than its shard", source=work.shown(name), hint=AGAIN)
        return table if size == plan.sample_rows else table.filter(pa.array(in_sample(plan.n_rows, size, ids)))

    with ThreadPoolExecutor(THREADS) as pool:
        tables = list(pool.map(read, shards))
    widths = [table.schema.field("vector").type.list_size for table in tables]
    if odd := next((shard for shard, width in zip(shards, widths, strict=True) if width != widths[0]), None):
        name = work.shown(part_name(SAMPLE, odd))
        raise InputError("has vectors of another size than the first shard", source=name, hint=AGAIN)
    table = pa.concat_tables(tables)
    texts, ids = table.column("text").to_pylist(), table.column("id").to_pylist()
    corpus = Corpus(
        source=plan.source,
        table=table.select(["id", "text"]),
        texts=texts,
        ids=ids,
        text_columns=plan.reading.text or ("text",),
        format="parquet",
        keep_empty=plan.columns.empty is EmptyTexts.keep,
        reading=plan.reading,
    )
    return corpus, table.drop_columns(["id", "text"])


def _save(work: Store, analysis: Analysis, reporter: Reporter) -> None:
    """Save the run in the folder of the plan; an old run is replaced, and names.txt kept if it still fits."""
    with _run_folder(work) as folder:
        if renamed := save_run(folder, analysis):
            reporter.warn(f"names.txt of {work.shown(RUN)} belongs to other clusters: renamed to {renamed.name}")
        if not work.is_local:
            own = {path.name: path for path in folder.iterdir()}
            for name, path in own.items():
                work.write(f"{RUN}/{name}", path)
            for name in work.states(RUN).keys() - own.keys():  # names.txt, where it was renamed
                work.remove(f"{RUN}/{name}")


@contextmanager
def fitted_run(work: Store) -> Iterator[SavedRun]:
    """Yield the run of a plan.

    :param work: the folder of the plan.
    :yield: the run.
    :raises InputError: when there is none, or it is damaged.
    """
    with _run_folder(work) as folder:
        run = load_run(folder)
        if "" not in run.questions:
            hint = f"make it again: inbedder shards fit {work.location}"
            raise InputError("has several questions", source=work.shown(RUN), hint=hint)
        yield run


@contextmanager
def _run_folder(work: Store) -> Iterator[Path]:
    """Yield the folder of the run; that of a remote plan is copied."""
    if work.is_local:
        if work.local(RUN).is_symlink():
            raise InputError("is a link", source=work.shown(RUN), hint="put the folder itself there")
        yield work.local(RUN)
        return
    with tempfile.TemporaryDirectory(prefix="inbedder-") as folder:
        copy = Path(folder) / RUN
        for name in work.states(RUN):
            if Path(name).name != name or name == "..":  # an object may have any name
                continue
            copy.mkdir(exist_ok=True)
            (copy / name).write_bytes(work.read(f"{RUN}/{name}", RUN_BYTES) or b"")
        yield copy


def labels_digest(plan: Plan, run: SavedRun, vocabulary: Vocabulary) -> str:
    """Return a hash of all that the labels of rows depend on.

    :param plan: the plan.
    :param run: its run, with the renames and merges of names.txt.
    :param vocabulary: what is counted.
    """
    saved = run.questions[""]
    digest = hashlib.sha256(plan.fingerprint.encode())
    for name, array in sorted(saved.predictor.to_arrays().items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
    named = [saved.names, saved.merged, sorted(saved.weak), vars(saved.unanswered_options), vocabulary]
    digest.update(msgspec.json.encode(named))
    return digest.hexdigest()
