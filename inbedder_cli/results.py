"""What the steps of the pipeline give: rows with vectors and answers, and one question answered over a corpus."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from inbedder_cli.explanation.summaries import UNANSWERED_LABEL

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from inbedder_cli.clustering import Clustering
    from inbedder_cli.corpus import Corpus
    from inbedder_cli.diagnostics.baseline import BaselineAgreement
    from inbedder_cli.encoders.next_words import NextWords
    from inbedder_cli.explanation.summaries import ClusterSummary


class RowStatus(StrEnum):
    """What became of a row."""

    ok = "ok"
    empty = "empty"  # it has no text
    noise = "noise"  # HDBSCAN put it into no cluster
    no_answer = "no-answer"  # its answer answers nothing
    failed = "failed"  # its vector is not finite


@dataclass(frozen=True)
class Embeddings:
    """Vectors and answers of a whole corpus, one per row, in its order.

    :param vectors: float32, shape (n_rows, hidden_size); NaN where a row has no vector.
    :param answers: one per row, None where a row has none; or None when none were decoded.
    :param status: one per row: ok, empty or failed.
    :param confidences: of the answers, 0 to 1, NaN where a row has none; or None.
    :param n_unique: different texts read.
    :param n_truncated: how many of them were shortened.
    :param instruction: what was asked, where it is known.
    :param model: what read them, where it is known.
    :param next_words: what the answers might have begun with, one row each; None where it is not known.
    """

    vectors: npt.NDArray[np.float32]
    answers: list[str | None] | None
    status: list[RowStatus]
    n_unique: int = 0
    n_truncated: int = 0
    instruction: str | None = None
    model: str | None = None
    confidences: npt.NDArray[np.float32] | None = None
    next_words: NextWords | None = None


@dataclass(frozen=True)
class ClusteringResult:
    """One question answered over one corpus.

    :param rows: the rows that were clustered, in the order of `clustering`'s arrays.
    :param status: one per row of the corpus.
    :param unanswered: the rows that do not answer the question, if there are any.
    :param baseline: how alike the clusters are to those without the question, where that was asked for.
    """

    corpus: Corpus
    instruction: str
    embeddings: Embeddings
    clustering: Clustering
    summaries: list[ClusterSummary]
    rows: list[int]
    status: list[RowStatus]
    unanswered: ClusterSummary | None = None
    baseline: BaselineAgreement | None = None

    def by_row(self, values: npt.NDArray[Any]) -> list[Any]:
        """Return what a clustering says of its rows as one value per row of the corpus, None for the others."""
        placed: list[Any] = [None] * len(self.corpus)
        for row, value in zip(self.rows, values.tolist(), strict=True):
            placed[row] = value
        return placed

    @property
    def labels(self) -> list[int | None]:
        """Each row's cluster number, -1 for noise, None where the row was not clustered."""
        return self.by_row(self.clustering.labels)

    @property
    def names(self) -> list[str | None]:
        """Each row's cluster by its label, None where the row is in no group at all."""
        known = {summary.cluster: summary.label for summary in self.summaries}
        return [
            UNANSWERED_LABEL if status is RowStatus.no_answer else None if label is None else known[label]
            for label, status in zip(self.labels, self.status, strict=True)
        ]
