"""Options of an evaluation, as plain values; importing this module loads nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from inbedder_cli.options import Choice, Pooling


class Part(Choice):
    """A family of tests."""

    clustering = "clustering"  # goal-driven clustering
    awareness = "awareness"  # triplets, instruction STS, several views of one corpus
    robustness = "robustness"  # other wordings, implicit and incorrect questions
    sts = "sts"  # plain sentence similarity
    reranking = "reranking"  # the paper's generic tasks, by MAP


class ProtocolName(Choice):
    """How vectors become scores, see `protocols`."""

    ours = "ours"
    paper = "paper"


class EvaluationFormat(Choice):
    """How scores are written."""

    table = "table"
    json = "json"
    csv = "csv"
    markdown = "markdown"


@dataclass(frozen=True)
class EvaluateOptions:
    """Options of an evaluation.

    :param parts: families of tests; a part without tasks in the suite is skipped.
    :param layers: hidden states to compare; empty takes each model's own.
    :param poolings: poolings to compare; empty takes each model's own.
    :param protocol: `ours` or `paper`.
    :param seeds: number of KMeans runs (`ours`), with seeds 0 to N-1; scores are means over them.
    :param n_init: KMeans restarts of each run (`ours`).
    :param limit: rows of each task, see `tasks.Suite.subset`; None takes all.
    :param max_tokens: maximum length of a prompt, in tokens; the protocol `paper` always takes 512.
    :param batch_tokens: tokens per batch, including padding; None chooses by device.
    """

    parts: tuple[Part, ...] = tuple(Part)
    layers: tuple[int, ...] = ()
    poolings: tuple[Pooling, ...] = ()
    protocol: ProtocolName = ProtocolName.ours
    seeds: int = 10
    n_init: int = 10
    limit: int | None = None
    max_tokens: int = 512
    batch_tokens: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(map(Part, self.parts)))
        object.__setattr__(self, "poolings", tuple(map(Pooling, self.poolings)))
        object.__setattr__(self, "protocol", ProtocolName(self.protocol))
