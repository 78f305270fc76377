"""Give the rows of all shards the clusters of the sample, and explain the clusters by all rows.

    OUTPUT/part-00017.parquet      the rows of the shard: all columns of the input, and those of the result
    OUTPUT/_counts/part-00017      its counts
    OUTPUT/_clusters.json          the clusters, explained by the counts of all shards

Names that begin with "_" are not read as data by Arrow, pandas, Spark and DuckDB's Hive reader.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.output.documents import results_document
from inbedder_cli.output.tables import assigned_table, result_columns
from inbedder_cli.progress import SILENT
from inbedder_cli.runs.assignment import assign_rows
from inbedder_cli.runs.restored import restore_analysis
from inbedder_cli.shards.counting import MAX_BYTES, count_rows, decode_counts, encode_counts
from inbedder_cli.shards.crossing import column_groupings, cross_clusters
from inbedder_cli.shards.merging import MergedCounts, merged_rows
from inbedder_cli.shards.running import raise_for_failures, run_shards
from inbedder_cli.shards.sampling import done_shards, fitted_run, labels_digest
from inbedder_cli.shards.shard_embeddings import FINGERPRINT, file_of, metadata_of, read_embeddings
from inbedder_cli.shards.shard_rows import corpus_of, read_table
from inbedder_cli.shards.sharding import part_name, read_plan, shard_of_name
from inbedder_cli.shards.stores import Store
from inbedder_cli.shards.vocabulary import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from inbedder_cli.progress import Reporter
    from inbedder_cli.results import Analysis
    from inbedder_cli.runs.saved_run import SavedQuestion
    from inbedder_cli.shards.engines import Engine
    from inbedder_cli.shards.sharding import Plan
    from inbedder_cli.shards.vocabulary import Vocabulary

THREADS = 16  # that look at files
COUNTS, CLUSTERS = "_counts", "_clusters.json"
NEW_COLUMNS = (*result_columns(), "novel")


@dataclass(frozen=True)
class Labeller:
    """What the labels of rows depend on.

    :param plan: the plan.
    :param work: its folder.
    :param output: the folder of the labelled rows.
    :param question: the clusters.
    :param vocabulary: what is counted.
    :param digest: of all of these.
    :param prefix: of the names of the new columns.
    """

    plan: Plan
    work: Store
    output: Store
    question: SavedQuestion
    vocabulary: Vocabulary
    digest: str
    prefix: str = ""

    @classmethod
    def load(cls, work: Store, output: Store, prefix: str = "") -> Labeller:
        """Return the labeller of a plan whose clusters have been made.

        :param work: the folder of the plan.
        :param output: the folder of the labelled rows.
        :param prefix: of the names of the new columns.
        :raises InputError: where there is no plan, or no clusters.
        """
        plan, vocabulary = read_plan(work), read_vocabulary(work)
        with fitted_run(work) as run:
            digest = labels_digest(plan, run, vocabulary)
            question = run.questions[""]
        return cls(plan, work, output, _in_double_precision(question), vocabulary, f"{digest} {prefix}", prefix)

    def label(self, shard: int) -> int:
        """Write the rows of a shard with their clusters, and its counts; return the number of rows.

        :param shard: its number.
        :raises InputError: for rows or vectors that cannot be read.
        :raises WriteError: when a file cannot be written.
        """
        first_row = self.plan.rows_of(shard).start
        corpus = corpus_of(self.plan, read_table(self.plan, self.work, shard), first_row, f"shard {shard}")
        embeddings = read_embeddings(self.work, self.plan, shard, corpus)
        result, novel = assign_rows(corpus, self.question, embeddings)
        counts = count_rows(result, novel, self.vocabulary, first_row, self.digest)
        table = assigned_table({"": (result, novel)}, self.prefix)
        self.output.write(_counts_name(shard), encode_counts(counts))
        self.output.write(part_name("", shard), file_of(table, {FINGERPRINT: self.digest}))
        return len(corpus)


def _in_double_precision(question: SavedQuestion) -> SavedQuestion:
    """Return the clusters with distances computed in float64: a row's do not depend on the rows beside it."""
    predictor: Any = question.predictor
    return replace(question, predictor=replace(predictor, centroids=predictor.centroids.astype(np.float64)))


def _counts_name(shard: int) -> str:
    return f"{COUNTS}/part-{shard:05d}"


@dataclass(frozen=True)
class LabelJob:
    """Give the rows of shards their clusters, and write them.

    :param work: the folder of the plan.
    :param output: the folder of the labelled rows.
    :param prefix: of the names of the new columns.
    """

    work: str
    output: str
    prefix: str = ""

    def start(self) -> Callable[[int, Reporter], int]:
        """Load the plan and the clusters.

        :return: a function that labels one shard.
        """
        labeller = Labeller.load(Store(self.work), Store(self.output), self.prefix)
        return lambda shard, reporter: labeller.label(shard)


@dataclass(frozen=True)
class LabelledRows:
    """The clusters of all rows.

    :param analysis: sizes, phrases, answers, exemplars and crosstabs are of all rows, the rest is of the sample.
    :param statuses: number of rows by status.
    :param shards: the shards that were labelled, now or before.
    """

    analysis: Analysis
    statuses: dict[str, int]
    shards: list[int]


def label_rows(
    work: Store,
    output: Store,
    engine: Engine,
    *,
    prefix: str = "",
    by: Sequence[str] = (),
    skip_missing: bool = False,
    reporter: Reporter = SILENT,
) -> LabelledRows:
    """Write all rows with their clusters, one file per shard, and explain the clusters by all rows.

    :param work: the folder of the plan, whose clusters have been made (`fit_sample`).
    :param output: the folder to write to.
    :param engine: runs the shards.
    :param prefix: of the names of the new columns.
    :param by: columns of the input to cross the clusters with.
    :param skip_missing: whether shards without vectors are left out, instead of being an error.
    :param reporter: receives messages and progress.
    :return: the clusters, and how many rows have which status.
    :raises UsageError: for shards that are not done, columns of the input with the names of the result's, or
        columns that cannot be crossed.
    :raises RowsFailedError: when some shards failed; all others are written.
    """
    labeller = Labeller.load(work, output, prefix)
    plan = labeller.plan
    check_columns(plan, prefix)
    shards = done_shards(work, plan, skip_missing=skip_missing)
    columns = column_groupings(plan, work, by, shards)
    written = written_shards(labeller, shards)
    missing = [shard for shard in shards if shard not in written]
    if len(missing) < len(shards):
        reporter.info(f"{len(shards) - len(missing):,} of {len(shards):,} shards are written already")
    job = LabelJob(work.location, output.location, prefix)
    _, failures = run_shards(plan, job, engine, missing, "writing", reporter)
    raise_for_failures(failures, f"inbedder shards assign {work.location} -o {output.location}")
    with fitted_run(work) as run:
        analysis = restore_analysis(run)
    merged = merge_counts(output, labeller, shards)
    result = replace(
        analysis.result, summaries=merged.summaries(analysis.result), unanswered=merged.unanswered(), baseline=None
    )
    analysis = replace(analysis, results={"": result}, crosstabs=cross_clusters(output, shards, columns, prefix))
    output.write(CLUSTERS, clusters_document(analysis, merged))
    return LabelledRows(analysis, dict(merged.statuses), shards)


def check_columns(plan: Plan, prefix: str) -> None:
    """Check that the input has no columns with the names of the new ones.

    :param plan: the plan.
    :param prefix: of the names of the new columns.
    :raises UsageError: for a name that is taken.
    """
    names = [prefix + name for name in NEW_COLUMNS]
    if taken := sorted(set(names).intersection(plan.columns.names)):
        raise UsageError(
            f'the input has a column "{taken[0]}"', hint="name the new ones otherwise: --prefix inbedder_"
        )


def check_parts(output: Store, shards: Iterable[int]) -> dict[int, str]:
    """Return what the parts in a folder were made with, by the number of their shard.

    :param output: the folder of the labelled rows.
    :param shards: those that may be there.
    :raises UsageError: when the folder holds parts of something else, which would be replaced or read as ours.
    """
    known = set(shards)
    parts = {shard: name for name in output.states() if (shard := shard_of_name(name)) is not None}
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(lambda name: metadata_of(output, name) or {}, parts.values())
    digests = {}
    for (shard, name), metadata in zip(parts.items(), found, strict=True):
        if shard not in known or FINGERPRINT not in metadata:
            hint = "choose another folder, or move that file away"
            raise UsageError(f"{output.shown(name)} is not a part of these rows", hint=hint)
        digests[shard] = metadata[FINGERPRINT]
    return digests


def merge_counts(output: Store, labeller: Labeller, shards: Iterable[int]) -> MergedCounts:
    """Return the sum of the counts of shards; those of other clusters are made again.

    :param output: the folder of the labelled rows.
    :param labeller: what they were made with.
    :param shards: their numbers.
    :raises InputError: for counts that are missing or damaged.
    """
    merged = MergedCounts(labeller.vocabulary, len(labeller.question.predictor.centroids))
    for shard in shards:
        name = _counts_name(shard)
        counts = decode_counts(output.read(name, MAX_BYTES) or b"", output.shown(name))
        if counts.digest != labeller.digest:  # of a command that ended before it wrote the rows
            labeller.label(shard)
            counts = decode_counts(output.read(name, MAX_BYTES) or b"", output.shown(name))
        try:
            merged.add(counts)
        except (ValueError, IndexError) as error:
            hint = "delete it and assign again"
            raise InputError(
                f"does not fit the clusters: {error}", source=output.shown(name), hint=hint
            ) from error
    return merged


def clusters_document(analysis: Analysis, merged: MergedCounts) -> bytes:
    """Return the clusters as a JSON document, with the keys of `inbedder cluster --format json`.

    :param analysis: the clusters, explained by all rows.
    :param merged: the counts of all rows.
    """
    import io

    from inbedder_cli.output.files import write_json

    document = results_document(analysis.results, analysis.model, analysis.crosstabs)
    document["rows"] = merged_rows(merged.statuses)
    document["sample"] = {"rows": len(analysis.corpus)}
    for cluster in document["clusters"]:
        cluster["novel"] = merged.novel[cluster["cluster"]]
    stream = io.BytesIO()
    write_json(document, stream)
    return stream.getvalue()


def written_shards(labeller: Labeller, shards: Iterable[int]) -> set[int]:
    """Return the shards whose rows have been written with these clusters.

    :param labeller: what the labels depend on.
    :param shards: those that may be there.
    :raises UsageError: when the folder holds parts of something else, which would be replaced or read as ours.
    """
    output = labeller.output
    digests = check_parts(output, shards)
    counted = {shard_of_name(name) for name in output.states(COUNTS)}
    return {shard for shard, digest in digests.items() if digest == labeller.digest and shard in counted}
