"""Check whether this machine reproduces a saved run: encode, assign and cluster some of its rows again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering import fit_clusters
from inbedder_cli.clustering.preprocess import sample_indices
from inbedder_cli.embeddings import RowStatus
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.progress import SILENT
from inbedder_cli.runs.assignment import predict_clusters

if TYPE_CHECKING:
    from inbedder_cli.encoders import Encoder
    from inbedder_cli.progress import Reporter
    from inbedder_cli.runs.saved_run import SavedRun


@dataclass(frozen=True)
class Verification:
    """How well a saved run is reproduced on a sample of its rows.

    :param n_rows: rows that were encoded again.
    :param same_cluster: share of them that get the same cluster, 0 to 1.
    :param same_answer: share of them that get the same answer, 0 to 1.
    :param rand: adjusted Rand index between a new clustering of these rows and the run's; NaN for too few rows.
    """

    n_rows: int
    same_cluster: float
    same_answer: float
    rand: float


def verify_run(
    run: SavedRun, question: str, encoder: Encoder, n_rows: int, reporter: Reporter = SILENT
) -> Verification:
    """Encode, assign and cluster some rows of a saved run again, and return how they compare with the run.

    :param run: the saved run.
    :param question: name of the question.
    :param encoder: an encoder of the same identity as the run's.
    :param n_rows: number of rows to sample.
    :param reporter: receives messages and progress.
    :raises InputError: when the installed version of hdbscan does not reproduce the clusters of the run.
    """
    from sklearn.metrics import adjusted_rand_score

    saved = run.questions[question]
    rows = [row for row in run.rows(question) if row["status"] == RowStatus.ok]
    rows = [rows[i] for i in sample_indices(len(rows), n_rows, saved.clustering.seed)]
    if not rows:
        return Verification(0, 1.0, 1.0, float("nan"))
    texts, then = [row["text"] for row in rows], [row["cluster"] for row in rows]
    encoded = encoder.encode(texts, saved.instruction, run.encode_options, reporter)
    now = predict_clusters(saved, encoded.vectors).labels.tolist()
    answers = encoded.answers or [row["answer"] for row in rows]
    options = replace(saved.clustering, stability=False, min_cluster_size=None)
    options = replace(options, k=min(len(set(then)), len(set(texts))) if options.k else None)
    try:
        rand = float(adjusted_rand_score(then, fit_clusters(encoded.vectors, options).labels))
    except (InputError, UsageError):  # too few rows or clusters in the sample
        rand = float("nan")
    return Verification(
        len(rows),
        float(np.mean(np.array(now) == np.array(then))),
        float(
            np.mean([(answer or "") == (row["answer"] or "") for answer, row in zip(answers, rows, strict=True)])
        ),
        rand,
    )
