"""Results as JSON documents: the question, the settings and the clusters.

Each document carries `schema`, which grows when a key changes its name or its meaning. Version 2 has
`likely_next_words`, `crosstabs`, `unanswered` and `k_selection` for what version 1 called `lens`, `crossed`,
`no_answer` and `tried`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from inbedder_cli.clustering import KSelection
from inbedder_cli.explanation.summaries import UNANSWERED
from inbedder_cli.output.tables import (
    DIGITS,
    k_records,
    round_finite,
    round_value,
    tuning_records,
    wording_records,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inbedder_cli.clustering import SizeScore
    from inbedder_cli.diagnostics.crosstab import Crosstab
    from inbedder_cli.diagnostics.drift import DriftReport
    from inbedder_cli.diagnostics.wordings import Wording
    from inbedder_cli.explanation.summaries import ClusterSummary, Exemplar
    from inbedder_cli.results import ClusteringResult

SCHEMA = 2
SHARED = ("schema", "source", "model")  # keys that questions about one corpus have in common


def results_document(
    results: Mapping[str, ClusteringResult], model: str, crosstabs: Sequence[Crosstab] = ()
) -> dict[str, Any]:
    """Return the results as one document, without the rows; those of several questions are in `questions`.

    :param results: by question name, all of the same corpus; "" is the name of a single question.
    :param model: the encoder in one line.
    :param crosstabs: cross-tables of the questions with each other and with columns of the input.
    :return: plain JSON values.
    """
    documents = {question: result_document(result, model) for question, result in results.items()}
    tables = {"crosstabs": [crosstab_document(table) for table in crosstabs]}
    if list(documents) == [""]:
        return documents[""] | tables
    shared = {key: next(iter(documents.values()))[key] for key in SHARED}
    own = {
        question: {key: value for key, value in document.items() if key not in SHARED}
        for question, document in documents.items()
    }
    return shared | {"questions": own} | tables


def result_document(result: ClusteringResult, model: str) -> dict[str, Any]:
    """Return one question's settings and clusters as a document, without the rows.

    :param result: the question, answered over a corpus.
    :param model: the encoder in one line.
    :return: plain JSON values.
    """
    clustering, baseline, unanswered = result.clustering, result.baseline, result.unanswered
    options = clustering.options
    status = [str(s) for s in result.row_status]
    units = result.units
    return {
        "schema": SCHEMA,
        "source": result.corpus.source,
        "instruction": result.instruction,
        "model": model,
        "rows": {"total": len(status)} | {name: status.count(name) for name in sorted(set(status))},
        "unread_languages": {code: round(x, DIGITS) for code, x in result.embeddings.unread_languages.items()},
        "clustering": {
            "algorithm": str(options.algorithm),
            "k": clustering.k,
            "min_cluster_size": options.min_cluster_size,
            "seed": options.seed,
            "approximation": clustering.shortcut,
            "k_selection": k_records(clustering.choice) if clustering.choice else None,
            "k_is_capped": bool(clustering.choice and clustering.choice.is_capped),
            "k_close": clustering.choice and clustering.choice.close,
            "k_bound": clustering.choice and clustering.choice.bound,
            "k_before_merging": max(clustering.k, clustering.n_before_merging),
            "answered_alike": clustering.alike,
        },
        "multi": units and {"answers": len(units.row_of), "words": sorted(units.words)},
        "label_coverage": round_value(result.label_coverage),
        "clusters": [_cluster(summary) for summary in result.summaries],
        "baseline": baseline
        and {
            "ami": round(baseline.ami, DIGITS),
            "answers_ami": round_value(baseline.answers_ami),
            "rows": baseline.n_rows,
        },
        "unanswered": unanswered
        and {
            "size": unanswered.size,
            "share": round(unanswered.share, DIGITS),
            **_answers_and_exemplars(unanswered),
        },
    }


def _cluster(summary: ClusterSummary) -> dict[str, Any]:
    check = summary.check
    return {
        "cluster": summary.cluster,
        "label": summary.label,
        "label_is_weak": summary.label_is_weak,
        "size": summary.size,
        "share": round(summary.share, DIGITS),
        "stability": round_value(summary.stability),
        "label_check": check and {name: round_value(value) for name, value in asdict(check).items()},
        "phrases": [
            {
                "text": phrase.text,
                "support": round(phrase.support, DIGITS),
                "lift": round_value(phrase.lift),
                "score": round_value(phrase.score),
            }
            for phrase in summary.phrases
        ],
        "likely_next_words": summary.likely_next_words,
        **_answers_and_exemplars(summary),
        "diverse": [_exemplar(exemplar) for exemplar in summary.diverse],
        "borderline": [_exemplar(exemplar) | {"nearest": exemplar.nearest} for exemplar in summary.borderline],
    }


def _answers_and_exemplars(summary: ClusterSummary) -> dict[str, Any]:
    return {
        "answers": [{"text": answer.text, "share": round(answer.share, DIGITS)} for answer in summary.answers],
        "entropy": round_value(summary.entropy),
        "exemplars": [_exemplar(exemplar) for exemplar in summary.exemplars],
    }


def _exemplar(exemplar: Exemplar) -> dict[str, Any]:
    return {"id": exemplar.id, "answer": exemplar.answer, "text": exemplar.text}


def crosstab_document(table: Crosstab) -> dict[str, Any]:
    """Return a crosstab as a document.

    :param table: of two groupings of the same rows.
    :return: plain JSON values.
    """
    return {
        "row_name": table.row_name,
        "column_name": table.column_name,
        "rows": table.rows,
        "columns": table.columns,
        "counts": table.counts.tolist(),
        "residuals": table.residuals.round(3).tolist(),
        "cramers_v": round(table.cramers_v, DIGITS),
        "ami": round(table.ami, DIGITS),
        "p_value": table.p_value,
        "q_value": table.q_value,
        "test": table.test,
        "trends": [
            {"group": t.group, "correlation": round(t.correlation, DIGITS), "p_value": t.p_value}
            for t in table.trends
        ],
        "notes": list(table.notes),
    }


def tuning_document(tuning: KSelection | list[SizeScore], instruction: str) -> dict[str, Any]:
    """Return the scores of every k, or of every smallest cluster size, as a document.

    :param tuning: what `pipeline.tune` returns.
    :param instruction: the question.
    :return: plain JSON values.
    """
    key = "k_selection" if isinstance(tuning, KSelection) else "size_sweep"
    return {"schema": SCHEMA, "instruction": instruction, key: tuning_records(tuning)}


def wordings_document(wordings: list[Wording], agreements: list[list[float]]) -> dict[str, Any]:
    """Return the measures of wordings of a question, and their agreement, as a document.

    :param wordings: of one question.
    :param agreements: agreement of every two, shape (n_wordings, n_wordings); NaN (null in JSON) if undefined.
    :return: plain JSON values.
    """
    matrix = [[round_finite(x) for x in row] for row in agreements]
    return {"schema": SCHEMA, "wordings": wording_records(wordings), "agreement": matrix}


def drift_document(reports: Mapping[str, DriftReport], run: str) -> dict[str, Any]:
    """Return the drift of new rows from a saved run as a document, without the rows.

    :param reports: by question name, "" for the only one.
    :param run: the folder of the saved run.
    :return: plain JSON values.
    """
    drift = {name: _drift(report) for name, report in reports.items()}
    return {"schema": SCHEMA, "run": run, "drift": drift.get("", drift)}


def _drift(report: DriftReport) -> dict[str, Any]:
    return {
        "rows": report.n_rows,
        "novel": report.n_novel,
        "status": {str(status): n for status, n in sorted(report.statuses.items())},
        "clusters": [
            {
                "cluster": None if row.cluster == UNANSWERED else row.cluster,
                "label": row.label,
                "then": round(row.then, DIGITS),
                "now": round(row.now, DIGITS),
                "now_low": round(row.now_low, DIGITS),
                "now_high": round(row.now_high, DIGITS),
                "q_value": round(row.q_value, DIGITS),
                "moved": row.moved,
                "novel": row.novel,
            }
            for row in report.clusters
        ],
    }
