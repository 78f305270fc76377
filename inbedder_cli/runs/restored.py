"""A saved run -> the results that it was made of, without the vectors: what a report shows needs no model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.clustering import NOISE, Clustering, KSelection
from inbedder_cli.clustering.select_k import ROWS as SAMPLE
from inbedder_cli.clustering.select_k import KScore, answers_decide
from inbedder_cli.corpus import Corpus
from inbedder_cli.diagnostics.baseline import BaselineAgreement
from inbedder_cli.embeddings import Embeddings, RowStatus
from inbedder_cli.explanation.summaries import UNANSWERED, UNANSWERED_LABEL, ClusterSummary
from inbedder_cli.output.tables import MAP_COLUMNS, column_name
from inbedder_cli.questions import groupings_of
from inbedder_cli.results import ClusteringResult, analysis_of
from inbedder_cli.runs.contents import KEPT
from inbedder_cli.runs.saved_clusters import answer_shares, cluster_summaries, exemplars_of
from inbedder_cli.units import Units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inbedder_cli.results import Analysis
    from inbedder_cli.runs.saved_run import SavedQuestion, SavedRun
    from inbedder_cli.runs.schema import Question


def restore_analysis(run: SavedRun) -> Analysis:
    """Return the results of a saved run, with the user's renames and merges, and without vectors.

    :param run: the saved run.
    :raises InputError: for a damaged run.
    """
    import pyarrow as pa

    rows = {name: run.rows(name) for name in run.questions}
    first = next(iter(rows.values()))
    kept = {
        name.removeprefix(KEPT): cells for name, cells in run.columns("string").items() if name.startswith(KEPT)
    }
    reading = run.reading
    corpus = Corpus(
        source=run.manifest.source,
        table=pa.table({name: pa.array(cells, pa.string()) for name, cells in kept.items()}),
        texts=[row["text"] or "" for row in first],
        ids=[row["id"] or "" for row in first],
        text_columns=(reading and reading.text) or ("text",),
        reading=reading,
    )
    numbers = run.columns("double")
    results = {name: _result(run, name, corpus, rows[name], _places(name, numbers, len(corpus))) for name in rows}
    columns = run.manifest.columns
    crossed = [column for column in dict.fromkeys(columns) if column in run.manifest.crossed]
    analysis = analysis_of(results, groupings_of(corpus, crossed), crossed, run.model.description)
    return replace(analysis, columns=tuple(columns))


def _places(name: str, numbers: Mapping[str, list[float | None]], n_rows: int) -> np.ndarray[Any, Any]:
    axes = [numbers.get(column_name(name, axis), [None] * n_rows) for axis in MAP_COLUMNS]
    return np.array([[np.nan if value is None else value for value in axis] for axis in axes], np.float32).T


def _result(
    run: SavedRun, name: str, corpus: Corpus, rows: Sequence[Mapping[str, Any]], places: np.ndarray[Any, Any]
) -> ClusteringResult:
    question, saved = run.manifest.questions[name], run.questions[name]
    status = [RowStatus(row["status"]) for row in rows]
    inside = [i for i, row in enumerate(rows) if row["cluster"] is not None]
    answers = [row["answer"] for row in rows] if run.encode_options.answers else None
    first = {id_: row for row, id_ in reversed(list(enumerate(corpus.ids)))}
    baseline = question.baseline
    return ClusteringResult(
        corpus=corpus,
        instruction=question.instruction,
        embeddings=Embeddings(
            vectors=np.empty((len(rows), 0), np.float32),
            answers=answers,
            status=[RowStatus.ok if one is RowStatus.noise else one for one in status],
            instruction=question.instruction,
            model=run.model.description,
            record=run.model,
            options=run.encode_options,
            unread_languages=question.unread_languages,
            units=None if saved.words is None else _units(run, corpus, saved.words),
        ),
        clustering=_clustering(run, name, [rows[i] for i in inside]),
        summaries=cluster_summaries(run, name, first),
        rows=inside,
        status=status,
        unanswered=_unanswered(question, first),
        baseline=None
        if baseline is None
        else BaselineAgreement(baseline.ami, baseline.rows, baseline.answers_ami),
        name=name,
        unanswered_options=saved.unanswered_options,
        explain_options=run.manifest.explain_options,
        row_map=saved.row_map,
        places=places,
    )


def _units(run: SavedRun, corpus: Corpus, words: frozenset[str]) -> Units:
    """Return the units of a run with several answers a row."""
    row_of = run.row_of_units()
    starts = np.searchsorted(row_of, np.arange(row_of[-1] + 1)).tolist()
    rows = replace(
        corpus,
        table=corpus.table.take(starts),
        texts=[corpus.texts[i] for i in starts],
        ids=[corpus.ids[i] for i in starts],
    )
    return Units(rows, corpus, row_of, words)


def _clustering(run: SavedRun, name: str, rows: Sequence[Mapping[str, Any]]) -> Clustering:
    question, saved = run.manifest.questions[name], run.questions[name]
    made = question.clustering

    def column(key: str, missing: float) -> list[Any]:
        return [missing if row[key] is None else row[key] for row in rows]

    def numbers(key: str) -> np.ndarray[Any, Any]:
        return np.array([saved.merged.get(number, number) for number in column(key, NOISE)], np.int64)

    scores = {
        one.k: KScore(one.silhouette, one.stability, one.agreement, one.score) for one in made.k_selection or ()
    }
    choice = None
    if made.k_selection is not None:  # empty where the rows were too few to compare
        chosen = next((one.k for one in made.k_selection if one.chosen), saved.clustering.k or 1)
        by_answers = answers_decide((score.agreement for score in scores.values()), min(len(rows), SAMPLE))
        choice = KSelection(chosen, scores, 0, by_answers, saved.clustering.k_max, made.k_is_capped)
    return Clustering(
        labels=numbers("cluster"),
        distances=np.array(column("cluster_distance", np.nan), np.float32),
        second_cluster=numbers("second_cluster"),
        margins=np.array(column("margin", np.nan), np.float32),
        centroids=saved.predictor.centroids,
        mean=saved.predictor.mean,
        options=saved.clustering,
        choice=choice,
        shortcut=made.approximation,
        numbers=saved.predictor.numbers,
        alike=_still_apart(made.answered_alike, saved),
    )


def _still_apart(groups: Sequence[Sequence[int]], saved: SavedQuestion) -> list[list[int]]:
    """Return the clusters that are answered alike and that the user has not merged."""
    apart = [sorted({saved.merged.get(number, number) for number in group}) for group in groups]
    return [group for group in apart if len(group) > 1]


def _unanswered(question: Question, first: Mapping[str, int]) -> ClusterSummary | None:
    saved = question.unanswered
    if saved is None:
        return None
    return ClusterSummary(
        UNANSWERED,
        UNANSWERED_LABEL,
        saved.size,
        saved.share,
        exemplars=exemplars_of(saved.exemplars, first),
        answers=answer_shares(saved.answers),
    )
