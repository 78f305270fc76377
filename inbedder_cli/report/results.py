"""A run as tables and documents: rows with their clusters, and the clusters themselves.

The JSON forms carry `schema`; README.md ("JSON output") documents them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inbedder_cli.errors import UsageProblem

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.explain import ClusterSummary
    from inbedder_cli.pipeline import ClusterRun

SCHEMA = 1
RESULT_COLUMNS = ("cluster", "cluster_label", "answer", "cluster_distance", "status")
DIGITS = 6


def check_free(corpus: Corpus, names: Iterable[str], prefix: str) -> None:
    """Refuse an input that has a column of a result's name.

    :raises UsageProblem: naming the column.
    """
    for name in names:
        if prefix + name in corpus.table.column_names:
            raise UsageProblem(
                f'{corpus.source} has a column "{prefix}{name}" already',
                hint="name the new columns apart: --prefix inbedder_",
            )


def rows_table(run: ClusterRun, prefix: str = "") -> pa.Table:
    """Return every input row, in its order, with all its columns and the result's."""
    import pyarrow as pa

    labels = {summary.cluster: summary.label for summary in run.summaries}
    answers = run.embedding.answers or [None] * len(run.labels)
    columns = {
        "cluster": pa.array(run.labels, pa.int64()),
        "cluster_label": pa.array([None if c is None else labels[c] for c in run.labels], pa.string()),
        "answer": pa.array(answers, pa.string()),
        "cluster_distance": pa.array(
            [None if d is None else round(d, DIGITS) for d in run.distances], pa.float64()
        ),
        "status": pa.array([str(s) for s in run.status], pa.string()),
    }
    table = run.corpus.table
    for name in RESULT_COLUMNS:
        table = table.append_column(prefix + name, columns[name])
    return table


def clusters_table(summaries: list[ClusterSummary]) -> pa.Table:
    """Return one row per cluster: number, label, size, share, phrases with support, exemplar ids and texts."""
    import pyarrow as pa

    return pa.table(
        {
            "cluster": pa.array([s.cluster for s in summaries], pa.int64()),
            "label": [s.label for s in summaries],
            "size": pa.array([s.size for s in summaries], pa.int64()),
            "share": [round(s.share, DIGITS) for s in summaries],
            "phrases": ["; ".join(f"{p.text} ({p.support:.2f})" for p in s.phrases) for s in summaries],
            "exemplar_ids": ["; ".join(e.id for e in s.exemplars) for s in summaries],
            "exemplar": [s.exemplars[0].text if s.exemplars else "" for s in summaries],
        }
    )


def document(run: ClusterRun, model: str) -> dict[str, Any]:
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
            "algorithm": str(options.algorithm),
            "k": run.clustering.k,
            "min_cluster_size": options.min_cluster_size,
            "seed": options.seed,
            "shortcut": run.clustering.shortcut,
            "silhouettes": {str(k): round(s, DIGITS) for k, s in choice.silhouettes.items()} if choice else None,
        },
        "clusters": [
            {
                "cluster": s.cluster,
                "label": s.label,
                "size": s.size,
                "share": round(s.share, DIGITS),
                "phrases": [
                    {
                        "text": p.text,
                        "support": round(p.support, DIGITS),
                        "lift": round(p.lift, 3),
                        "score": round(p.score, 3),
                    }
                    for p in s.phrases
                ],
                "exemplars": [{"id": e.id, "answer": e.answer, "text": e.text} for e in s.exemplars],
            }
            for s in run.summaries
        ],
    }
