"""Assign new rows to the clusters of a saved run, and measure the drift of its shares."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.clustering import NOISE, Clustering
from inbedder_cli.diagnostics.drift import DriftReport, drift
from inbedder_cli.embeddings import RowStatus
from inbedder_cli.errors import InputError
from inbedder_cli.explanation.summaries import NOISE_LABEL, UNANSWERED, UNANSWERED_LABEL, ClusterSummary
from inbedder_cli.pipeline import embed, flag_unanswered
from inbedder_cli.progress import SILENT, NamedReporter
from inbedder_cli.results import ClusteringResult
from inbedder_cli.units import embed_units

if TYPE_CHECKING:
    import numpy.typing as npt

    from inbedder_cli.clustering.predictor import Prediction
    from inbedder_cli.corpus import Corpus
    from inbedder_cli.embeddings import Embeddings
    from inbedder_cli.encoders import Encoder
    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.progress import Reporter
    from inbedder_cli.runs.saved_run import SavedQuestion, SavedRun


@dataclass(frozen=True)
class Assignment:
    """New rows in the clusters of a saved question.

    :param result: the rows and their clusters; its summaries hold only labels and sizes.
    :param novel: whether each row is farther from its cluster than about 99 % of such rows would be; None for rows
        that were not clustered.
    :param drift: how the shares of the clusters changed since the run was saved.
    """

    result: ClusteringResult
    novel: list[bool | None]
    drift: DriftReport


def assign(run: SavedRun, corpus: Corpus, encoder: Encoder, reporter: Reporter = SILENT) -> dict[str, Assignment]:
    """Assign new rows to the clusters of a saved run, as `inbedder assign` does.

    :param run: the saved run (`load_run`).
    :param corpus: the new rows.
    :param encoder: that of the run (`SavedRun.load_encoder`).
    :param reporter: receives messages and progress.
    :return: by name of the question, "" for the only one.
    :raises InputError: when the installed version of hdbscan does not reproduce the clusters of the run.
    """
    assigned = {}
    for name, question in run.questions.items():
        steps = NamedReporter(reporter, name)
        embeddings = encode_like(question, corpus, encoder, run.encode_options, steps)
        result, novel = assign_rows(corpus, question, embeddings)
        assigned[name] = Assignment(result, novel, drift_of(question, result, novel))
    return assigned


def encode_like(
    question: SavedQuestion, corpus: Corpus, encoder: Encoder, options: EncodeOptions, reporter: Reporter = SILENT
) -> Embeddings:
    """Return embeddings of new rows under a saved question; of each of its answers where a row may have several.

    :param question: a question of a saved run.
    :param corpus: the new rows.
    :param encoder: that of the run.
    :param options: how the rows of the run were encoded.
    :param reporter: receives messages and progress.
    """
    embeddings = embed(corpus, question.instruction, encoder, options, reporter)
    if question.words is None:
        return embeddings
    return embed_units(corpus, embeddings, encoder, question.unanswered_options, reporter, question.words)


def assign_rows(
    corpus: Corpus, question: SavedQuestion, embeddings: Embeddings
) -> tuple[ClusteringResult, list[bool | None]]:
    """Return new rows in the clusters of a saved question, with its renames and merges applied.

    :param corpus: the new rows.
    :param question: a question of a saved run.
    :param embeddings: embeddings of the new rows, encoded with the model and options of the run; of their units
        (`embed_units`) where the question has words.
    :return: a result whose summaries hold only labels and sizes, and whether each row is novel
        (`ClusterPredictor`); None for rows that were not clustered.
    :raises InputError: when the installed version of hdbscan does not reproduce the clusters of the run.
    """
    named = replace(embeddings, instruction=question.instruction)
    units = embeddings.units
    corpus = units.corpus if units else corpus
    flagged = flag_unanswered(corpus, named, question.unanswered_options)
    rows = flagged.rows
    prediction = predict_clusters(question, embeddings.vectors[rows])
    labels, second = (
        np.array([question.merged.get(label, label) for label in side.tolist()], np.int64)
        for side in (prediction.labels, prediction.second_cluster)
    )
    n_read = flagged.n_read
    merged_away = second == labels  # the second cluster was merged into the row's own: the margin is undefined
    summaries = [
        ClusterSummary(
            number,
            name,
            size,
            size / max(1, n_read),
            label_is_weak=None if number == NOISE else number in question.weak,
        )
        for number, name in (question.names | {NOISE: NOISE_LABEL}).items()
        for size in [int((labels == number).sum())]
    ]
    if units:
        summaries = units.count_by_row(summaries, labels, rows, n_read)
    clustering = Clustering(
        labels=labels,
        distances=prediction.distances,
        second_cluster=np.where(merged_away, NOISE, second),
        margins=np.where(merged_away, np.float32("nan"), prediction.margins),
        centroids=question.predictor.centroids,
        mean=question.predictor.mean,
        options=question.clustering,
    )
    result = ClusteringResult(
        corpus=corpus,
        instruction=question.instruction,
        embeddings=flagged,
        clustering=clustering,
        summaries=summaries,
        rows=rows,
        status=flagged.status_with_noise(labels),
        unanswered_options=question.unanswered_options,
        row_map=question.row_map,
    )
    return result, result.by_row(prediction.novel)


def predict_clusters(question: SavedQuestion, vectors: npt.NDArray[np.float32]) -> Prediction:
    """Return the cluster of each vector.

    :param question: a question of a saved run.
    :param vectors: float32, shape (n_rows, n_features), finite.
    :raises InputError: for vectors of another size, or when the installed version of hdbscan does not reproduce
        the clusters of the run.
    """
    width = len(question.predictor.mean)
    if vectors.shape[1] != width:
        raise InputError(
            f"the run was made with vectors of {width} numbers, not {vectors.shape[1]}",
            hint="save the run again with this model: cluster --save",
        )
    try:
        return question.predictor.predict(vectors)
    except ValueError as error:
        raise InputError(str(error), hint="save the run again with this version: cluster --save") from error


def drift_of(question: SavedQuestion, result: ClusteringResult, novel: list[bool | None]) -> DriftReport:
    """Return how the shares of the clusters changed since the run was saved.

    Shares are of the rows with text, as in the table of clusters; noise and unanswered rows have shares too. Where
    a row may have several answers, it counts in each of its clusters.

    :param question: a question of a saved run.
    :param result: the result of the new rows, from `assign_rows`.
    :param novel: which of them are novel, from `assign_rows`.
    """
    then, statuses = dict(question.counts), Counter(result.row_status)
    now = {summary.cluster: summary.size for summary in result.summaries}
    now[UNANSWERED] = statuses[RowStatus.no_answer]
    for outside in (NOISE, UNANSWERED):
        if now[outside]:
            then.setdefault(outside, 0)
    then = dict(sorted(then.items(), key=lambda pair: (pair[0] < 0, abs(pair[0]))))
    names = question.names | {NOISE: NOISE_LABEL, UNANSWERED: UNANSWERED_LABEL}
    places: dict[int, list[int]] = {}
    for row, (cluster, is_novel) in enumerate(zip(result.labels, novel, strict=True)):
        if is_novel and cluster is not None:
            places.setdefault(cluster, []).append(row)
    count = result.units.n_rows if result.units else len
    return DriftReport(
        drift(then, now, names, question.n_read, result.n_read, {c: count(rows) for c, rows in places.items()}),
        result.n_read,
        count([row for row, is_novel in enumerate(novel) if is_novel]),
        statuses,
        then.get(NOISE, 0) / max(1, question.n_read),
    )
