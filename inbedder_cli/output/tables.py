"""A run as tables and documents: rows with their clusters, and the clusters themselves.

The JSON forms carry `schema`; README.md ("JSON output") documents them.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from inbedder_cli.clustering import NOISE
from inbedder_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from inbedder_cli.clustering import KSelection
    from inbedder_cli.corpus import Corpus
    from inbedder_cli.diagnostics.crosstab import Crosstab
    from inbedder_cli.explanation.summaries import ClusterSummary, Exemplar
    from inbedder_cli.results import ClusteringResult

SCHEMA = 1
RESULT_COLUMNS = (
    "cluster",
    "cluster_label",
    "answer",
    "confidence",
    "cluster_distance",
    "second_cluster",
    "margin",
    "status",
)
DIGITS = 6


def column_name(question: str, column: str) -> str:
    """Return what a question's column is called; that of the only question, "", as it is."""
    return f"{question}_{column}" if question else column


def check_free(corpus: Corpus, names: Sequence[str], prefix: str) -> None:
    """Refuse an input that has a column of a result's name, and results that share one.

    :raises UsageError: naming the column.
    """
    if twice := [name for name, n in Counter(names).items() if n > 1]:
        raise UsageError(f'two questions would make a column "{twice[0]}"', hint="name one of them otherwise")
    for name in names:
        if prefix + name in corpus.table.column_names:
            raise UsageError(
                f'{corpus.source} has a column "{prefix}{name}" already',
                hint="name the new columns apart: --prefix inbedder_",
            )


def rows_table(runs: Mapping[str, ClusteringResult], prefix: str = "") -> pa.Table:
    """Return every input row, in its order, with all its columns and the results'.

    :param runs: by the names of their questions, which stand before the names of the columns.
    """
    table = next(iter(runs.values())).corpus.table
    for question, run in runs.items():
        columns = _result_columns(run)
        for name in RESULT_COLUMNS:
            table = table.append_column(prefix + column_name(question, name), columns[name])
    return table


def assigned_table(
    assigned: Mapping[str, tuple[ClusteringResult, list[bool | None]]], prefix: str = ""
) -> pa.Table:
    """Return the same for rows that got the clusters of a saved run, and which of them are novel."""
    import pyarrow as pa

    table = rows_table({question: run for question, (run, _) in assigned.items()}, prefix)
    for question, (_, novel) in assigned.items():
        table = table.append_column(prefix + column_name(question, "novel"), pa.array(novel, pa.bool_()))
    return table


def _result_columns(run: ClusteringResult) -> dict[str, pa.Array]:
    import pyarrow as pa

    found, nothing = run.clustering, [None] * len(run.status)
    second = [None if c == NOISE else c for c in run.by_row(found.second_cluster)]
    return {
        "cluster": pa.array(run.labels, pa.int64()),
        "cluster_label": pa.array(run.names, pa.string()),
        "answer": pa.array(run.embeddings.answers or nothing, pa.string()),
        "confidence": _numbers(nothing if run.embeddings.confidences is None else run.embeddings.confidences),
        "cluster_distance": _numbers(run.by_row(found.distances)),
        "second_cluster": pa.array(second, pa.int64()),
        "margin": _numbers(run.by_row(found.margins)),
        "status": pa.array([str(s) for s in run.status], pa.string()),
    }


def _numbers(values: Iterable[float | None]) -> pa.Array:
    """Return a column of numbers, null where there is none."""
    import pyarrow as pa

    return pa.array(
        [None if x is None or math.isnan(x) else round(float(x), DIGITS) for x in values], pa.float64()
    )


def clusters_table(runs: Mapping[str, ClusteringResult]) -> pa.Table:
    """Return one row per cluster: number, label, size, share, phrases with support, exemplar ids and texts.

    With several questions, whose cluster it is comes first.
    """
    import pyarrow as pa

    questions = [question for question, run in runs.items() for _ in run.summaries]
    summaries = [summary for run in runs.values() for summary in run.summaries]
    columns = {
        "cluster": pa.array([s.cluster for s in summaries], pa.int64()),
        "label": [s.label for s in summaries],
        "size": pa.array([s.size for s in summaries], pa.int64()),
        "share": [round(s.share, DIGITS) for s in summaries],
        "stability": pa.array([s.stability and round(s.stability, 3) for s in summaries], pa.float64()),
        "label_f1": pa.array([s.check and _rounded(s.check.f1) for s in summaries], pa.float64()),
        "phrases": ["; ".join(f"{p.text} ({p.support:.2f})" for p in s.phrases) for s in summaries],
        "answers": ["; ".join(f"{a.text} ({a.share:.2f})" for a in s.answers) for s in summaries],
        "likely_next_words": ["; ".join(s.likely_next_words) for s in summaries],
        "exemplar_ids": ["; ".join(e.id for e in s.exemplars) for s in summaries],
        "exemplar": [s.exemplars[0].text if s.exemplars else "" for s in summaries],
    }
    return pa.table(({"question": questions} if any(questions) else {}) | columns)


def documents(
    runs: Mapping[str, ClusteringResult], model: str, cross_tables: Sequence[Crosstab] = ()
) -> dict[str, Any]:
    """Return runs as one JSON document (without the rows); those of several questions under `questions`."""
    from inbedder_cli.report.crosstab_view import crossed

    made = {question: document(run, model) for question, run in runs.items()}
    tables = {"crossed": [crossed(table) for table in cross_tables]}
    if list(made) == [""]:
        return made[""] | tables
    common = {name: next(iter(made.values()))[name] for name in ("schema", "source", "model")}
    own = {question: {k: v for k, v in one.items() if k not in common} for question, one in made.items()}
    return common | {"questions": own} | tables


def document(run: ClusteringResult, model: str) -> dict[str, Any]:
    """Return the run's settings and clusters as one JSON document (without the rows)."""
    options = run.clustering.options
    choice = run.clustering.choice
    status = [str(s) for s in run.status]
    return {
        "schema": SCHEMA,
        "source": run.corpus.source,
        "instruction": run.instruction,
        "model": model,
        "rows": {"total": len(status)} | {name: status.count(name) for name in sorted(set(status))},
        "clustering": {
            "algorithm": options.algorithm,
            "k": run.clustering.k,
            "min_cluster_size": options.min_cluster_size,
            "seed": options.seed,
            "shortcut": run.clustering.shortcut,
            "tried": tried(choice) if choice else None,
        },
        "clusters": [
            {
                "cluster": s.cluster,
                "label": s.label,
                "size": s.size,
                "share": round(s.share, DIGITS),
                "stability": s.stability and round(s.stability, 3),
                "label_check": s.check and {name: _rounded(value) for name, value in asdict(s.check).items()},
                "phrases": [
                    {
                        "text": p.text,
                        "support": round(p.support, DIGITS),
                        "lift": round(p.lift, 3),
                        "score": round(p.score, 3),
                    }
                    for p in s.phrases
                ],
                "likely_next_words": s.likely_next_words,
                **_answers_and_exemplars(s),
                "diverse": [_exemplar(e) for e in s.diverse],
                "borderline": [_exemplar(e) | {"nearest": e.nearest} for e in s.borderline],
            }
            for s in run.summaries
        ],
        "baseline": run.baseline and {"ami": round(run.baseline.ami, DIGITS), "rows": run.baseline.n_rows},
        "no_answer": run.unanswered
        and {
            "size": run.unanswered.size,
            "share": round(run.unanswered.share, DIGITS),
            **_answers_and_exemplars(run.unanswered),
        },
    }


def tried(choice: KSelection) -> list[dict[str, Any]]:
    """Return what speaks for each k that was tried."""
    return [
        {
            "k": k,
            "silhouette": round(score.silhouette, DIGITS),
            "stability": round(score.stability, DIGITS),
            "agreement": None if score.agreement is None else round(score.agreement, DIGITS),
            "score": round(score.total, DIGITS),
        }
        for k, score in choice.scores.items()
    ]


def _answers_and_exemplars(s: ClusterSummary) -> dict[str, Any]:
    return {
        "answers": [{"text": a.text, "share": round(a.share, DIGITS)} for a in s.answers],
        "entropy": None if s.entropy is None else round(s.entropy, 3),
        "exemplars": [_exemplar(e) for e in s.exemplars],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _exemplar(exemplar: Exemplar) -> dict[str, Any]:
    return {"id": exemplar.id, "answer": exemplar.answer, "text": exemplar.text}
