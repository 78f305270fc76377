"""What is done with each shard, as objects that can be sent to other processes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from inbedder_cli.embeddings import RowStatus
from inbedder_cli.encoders import load_recorded
from inbedder_cli.pipeline import embed
from inbedder_cli.progress import SILENT
from inbedder_cli.shards.shard_embeddings import rounded, write_embeddings
from inbedder_cli.shards.shard_rows import corpus_of, read_table, text_columns_of
from inbedder_cli.shards.sharding import read_plan
from inbedder_cli.shards.stores import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from inbedder_cli.encoders import Encoder
    from inbedder_cli.progress import Reporter
    from inbedder_cli.shards.sharding import Plan

T = TypeVar("T", covariant=True)
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Job(Protocol, Generic[T]):
    """Work on shards. It is sent to worker processes, each of which starts it once."""

    def start(self) -> Callable[[int, Reporter], T]:
        """Return a function that does the work on one shard, of which it gets the number, and returns counts."""


@dataclass(frozen=True)
class EmbedCounts:
    """What embedding a shard did.

    :param n_rows: rows of the shard.
    :param n_failed: rows without a finite vector.
    :param n_truncated: different texts that were truncated to fit.
    """

    n_rows: int
    n_failed: int
    n_truncated: int


@dataclass(frozen=True)
class EmbedJob:
    """Encode shards, and write their vectors.

    :param work: the folder of the plan.
    :param device: auto, cpu, cuda, cuda:N or mps.
    :param offline: never use the network for the model.
    :param workers: number of processes that encode a shard; None chooses it on a CPU.
    """

    work: str
    device: str = "auto"
    offline: bool = False
    workers: int | None = 1

    def start(self) -> Callable[[int, Reporter], EmbedCounts]:
        """Load the plan and the model.

        :return: a function that embeds one shard.
        :raises ModelError: for a model that is not the one of the plan.
        """
        work = Store(self.work)
        plan = read_plan(work)
        if plan.is_deterministic:  # before torch is loaded
            os.environ.update(dict.fromkeys(THREADS, "1"))
        workers = 1 if plan.is_deterministic else self.workers
        encoder = load_planned_encoder(plan, self.device, offline=self.offline, workers=workers)

        def run(shard: int, reporter: Reporter) -> EmbedCounts:
            return embed_shard(plan, work, encoder, shard, reporter)

        return run


def load_planned_encoder(
    plan: Plan, device: str = "auto", *, offline: bool = False, workers: int | None = 1
) -> Encoder:
    """Return the encoder of a plan; the files of shards take the place of the cache.

    :param plan: the plan.
    :param device: auto, cpu, cuda, cuda:N or mps.
    :param offline: never use the network.
    :param workers: number of processes that encode; None chooses it on a CPU.
    :raises ModelError: when this machine has another model by that name.
    """
    return load_recorded(
        plan.model_record,
        "of the plan",
        "give every worker the same files of the model, or plan again in a new folder",
        device=device,
        offline=offline,
        cache=False,
        workers=workers,
    )


def embed_shard(plan: Plan, work: Store, encoder: Encoder, shard: int, reporter: Reporter = SILENT) -> EmbedCounts:
    """Encode the rows of a shard, each different text once, and write their vectors whole.

    This is what every engine calls, and what a scheduler of your own may call.

    :param plan: the plan.
    :param work: its folder.
    :param encoder: the encoder of the plan (`load_planned_encoder`).
    :param shard: number of the shard.
    :param reporter: receives the progress.
    :return: counts of the shard.
    :raises ChangedError: for an input that is not what was planned.
    :raises InputError: for rows that cannot be read.
    :raises WriteError: when the vectors cannot be written.
    """
    table = read_table(plan, work, shard, text_columns_of(plan.columns))
    corpus = corpus_of(plan, table, plan.rows_of(shard).start, f"shard {shard}")
    encoded = embed(corpus, plan.instruction, encoder, plan.encode_options, _WithoutMessages(reporter))
    embeddings = rounded(encoded, plan)
    write_embeddings(work, plan, shard, corpus, embeddings)
    n_failed = sum(status is RowStatus.failed for status in embeddings.status)
    return EmbedCounts(len(corpus), n_failed, embeddings.n_truncated)


class _WithoutMessages:
    """Passes on progress, but no messages: those about the texts were given when the plan was made."""

    def __init__(self, reporter: Reporter) -> None:
        self.task = reporter.task

    def info(self, message: str) -> None:
        del message

    def warn(self, message: str) -> None:
        del message
