"""Results as Arrow tables: the input's rows with their clusters, one row per cluster, and smaller reports."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from itertools import count
from typing import TYPE_CHECKING, Any

from inbedder_cli.clustering import NOISE, KSelection
from inbedder_cli.corpus.values import replace_surrogates, value_as_text
from inbedder_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from inbedder_cli.clustering import SizeScore
    from inbedder_cli.corpus import Corpus
    from inbedder_cli.diagnostics.wordings import Wording
    from inbedder_cli.explanation.summaries import ClusterSummary
    from inbedder_cli.progress import Reporter
    from inbedder_cli.results import ClusteringResult
    from inbedder_cli.units import Units

RESULT_COLUMNS = (
    "cluster",
    "cluster_label",
    "label_is_weak",
    "answer",
    "confidence",
    "cluster_distance",
    "second_cluster",
    "margin",
    "stability",
    "status",
)
EXEMPLAR_CHARACTERS = 1000  # of a text that is shown as an example
PART = "part"  # of a text, which holds one of several answers
SEPARATOR = "; "  # of several values in one cell
MAP_COLUMNS = ("map_x", "map_y")
DIGITS = 6  # after the point, of shares, distances and agreements
FEWER_DIGITS = 3  # after the point, of measures estimated on samples


def column_name(question: str, column: str) -> str:
    """Return the name of a question's result column.

    :param question: its name; "" for the only question, whose columns have no prefix.
    :param column: one of `RESULT_COLUMNS`.
    :return: for example "emotion_cluster", or "cluster".
    """
    return f"{question}_{column}" if question else column


def result_columns(*, with_map: bool = False) -> tuple[str, ...]:
    """Return the names of the result columns.

    :param with_map: whether rows get their places on the map.
    """
    return (*RESULT_COLUMNS, *(MAP_COLUMNS if with_map else ()))


def check_free(corpus: Corpus, names: Sequence[str], prefix: str) -> None:
    """Check that the names of result columns are not taken by the input or by another question.

    :param corpus: the input.
    :param names: names of the new columns, without the prefix.
    :param prefix: prefix of the names.
    :raises UsageError: for a name that is taken.
    """
    if repeated := [name for name, n in Counter(names).items() if n > 1]:
        raise UsageError(f'two questions would make a column "{repeated[0]}"', hint="rename one of them")
    for name in names:
        if replace_surrogates(prefix + name) != prefix + name:
            raise UsageError("a prefix or the name of a question is not Unicode", hint="choose another name")
        if prefix + name in corpus.table.column_names:
            raise UsageError(
                f'{corpus.source} has a column "{prefix}{name}" already',
                hint="give the new columns a prefix: --prefix inbedder_",
            )


def own_prefix(columns: Iterable[str], names: Sequence[str], reporter: Reporter) -> str:
    """Return a prefix with which new columns have names of their own; "" where they have them without.

    :param columns: names of the columns of the input.
    :param names: names of the new columns.
    :param reporter: told of a prefix.
    """
    taken = set(columns)
    clash = next((name for name in names if name in taken), None)
    if clash is None:
        return ""
    prefixes = ("inbedder_" if i == 1 else f"inbedder{i}_" for i in count(1))
    prefix = next(p for p in prefixes if taken.isdisjoint(p + name for name in names))
    reporter.info(f'the input has a column "{clash}": the names of the new columns begin with "{prefix}"')
    return prefix


def rows_table(
    results: Mapping[str, ClusteringResult],
    prefix: str = "",
    *,
    explode: bool = False,
    with_map: bool = False,
    lists: bool = True,
) -> pa.Table:
    """Return the input's rows in their order, with all their columns and the result columns.

    Where rows have several answers (`multi`), the columns hold one value per answer; `status` is one value.

    :param results: by question name, all of the same corpus; "" is the name of a single question.
    :param prefix: prefix of the names of the result columns.
    :param explode: one row for each row and answer, with a last column `part`, which holds the answer.
    :param with_map: whether rows get their places on the map, which the results must hold.
    :param lists: whether several values are a list, or else a text that joins them by semicolons.
    :return: one row per row of the input, or per row and answer.
    :raises UsageError: for `explode` with several questions.
    """
    first = next(iter(results.values()))
    explode = explode and first.units is not None
    if explode and len(results) > 1:
        raise UsageError(
            "explode takes one question: each has lines of its own", hint="ask one question at a time"
        )
    table = (first.corpus if explode else first.row_corpus).table
    for question, result in results.items():
        columns = _result_columns(result)
        if result.units and not explode:
            columns = {name: _by_row(column, result.units, lists=lists) for name, column in columns.items()}
            columns["status"] = _texts(map(str, result.row_status))
        for name in result_columns(with_map=with_map):
            table = table.append_column(prefix + column_name(question, name), columns[name])
    return table.append_column(prefix + PART, _texts(first.corpus.texts)) if explode else table


def _by_row(column: pa.Array, units: Units, *, lists: bool) -> pa.Array:
    """Return a column of units as one cell per row: its values, null where there are none."""
    import pyarrow as pa

    cells = [None if values.count(None) == len(values) else values for values in units.by_row(column.to_pylist())]
    if lists:
        return pa.array(cells, pa.list_(column.type))
    return pa.array([cell and SEPARATOR.join(map(value_as_text, cell)) for cell in cells], pa.string())


def assigned_table(
    assigned: Mapping[str, tuple[ClusteringResult, list[bool | None]]],
    prefix: str = "",
    *,
    explode: bool = False,
    with_map: bool = False,
    lists: bool = True,
) -> pa.Table:
    """Return the rows of `rows_table` for rows assigned to the clusters of a saved run, with a column `novel`.

    :param assigned: by question name, the result and whether each row is novel (None: it is in no cluster).
    :param prefix: prefix of the names of the new columns.
    :param explode: as in `rows_table`.
    :param with_map: whether rows get their places on the map of the run, which the results must hold.
    :param lists: as in `rows_table`.
    :return: one row per row of the input, or per row and answer.
    """
    import pyarrow as pa

    results = {question: result for question, (result, _) in assigned.items()}
    table = rows_table(results, prefix, explode=explode, with_map=with_map, lists=lists)
    for question, (result, novel) in assigned.items():
        column = pa.array(novel, pa.bool_())
        if result.units and not explode:
            column = _by_row(column, result.units, lists=lists)
        table = table.append_column(prefix + column_name(question, "novel"), column)
    return table


def _result_columns(result: ClusteringResult) -> dict[str, pa.Array]:
    import pyarrow as pa

    clustering, nothing = result.clustering, [None] * len(result.status)
    confidences = result.embeddings.confidences
    second = [None if c == NOISE else c for c in result.by_row(clustering.second_cluster)]
    return {
        "cluster": pa.array(result.labels, pa.int64()),
        "cluster_label": pa.array(result.names, pa.string()),
        "label_is_weak": pa.array(result.weak_labels, pa.bool_()),
        "answer": pa.array(result.embeddings.answers or nothing, pa.string()),
        "confidence": rounded_numbers(nothing if confidences is None else confidences),
        "cluster_distance": rounded_numbers(result.by_row(clustering.distances)),
        "second_cluster": pa.array(second, pa.int64()),
        "margin": rounded_numbers(result.by_row(clustering.margins)),
        "stability": rounded_numbers(
            nothing if clustering.row_stability is None else result.by_row(clustering.row_stability)
        ),
        "status": pa.array([str(s) for s in result.status], pa.string()),
        **({} if result.places is None else _places(result.places)),
    }


def _places(places: npt.NDArray[np.float32]) -> dict[str, pa.Array]:
    return {name: rounded_numbers(axis) for name, axis in zip(MAP_COLUMNS, places.T.tolist(), strict=True)}


def rounded_numbers(values: Iterable[float | None]) -> pa.Array:
    """Return a column of numbers with six digits after the point, null for None and NaN.

    :param values: one per row.
    """
    import pyarrow as pa

    return pa.array(
        [None if x is None or math.isnan(x) else round(float(x), DIGITS) for x in values], pa.float64()
    )


def clusters_table(clusters: Mapping[str, Sequence[ClusterSummary]]) -> pa.Table:
    """Return one row per cluster, noise last: its number, label, size, measures, phrases, answers and exemplars.

    :param clusters: by question name; of several questions, a column `question` comes first.
    :return: the table; lists within a cell are joined by semicolons.
    """
    import pyarrow as pa

    questions = [question for question, summaries in clusters.items() for _ in summaries]
    summaries = [summary for own in clusters.values() for summary in own]
    columns = {
        "cluster": pa.array([s.cluster for s in summaries], pa.int64()),
        "label": _texts(s.label for s in summaries),
        "size": pa.array([s.size for s in summaries], pa.int64()),
        "share": pa.array([round(s.share, DIGITS) for s in summaries], pa.float64()),
        "stability": pa.array([round_value(s.stability) for s in summaries], pa.float64()),
        "label_is_weak": pa.array([s.label_is_weak for s in summaries], pa.bool_()),
        "label_coverage": pa.array([s.check and round_value(s.check.coverage) for s in summaries], pa.float64()),
        "label_f1": pa.array([s.check and round_value(s.check.f1) for s in summaries], pa.float64()),
        "phrases": _texts("; ".join(f"{p.text} ({p.support:.2f})" for p in s.phrases) for s in summaries),
        "answers": _texts("; ".join(f"{a.text} ({a.share:.2f})" for a in s.answers) for s in summaries),
        "likely_next_words": _texts("; ".join(s.likely_next_words) for s in summaries),
        "exemplar_ids": _texts("; ".join(e.id for e in s.exemplars) for s in summaries),
        "exemplar": _texts(shorten_exemplar(s.exemplars[0].text) if s.exemplars else "" for s in summaries),
    }
    return pa.table(({"question": _texts(questions)} if any(questions) else {}) | columns)


def _texts(values: Iterable[str]) -> pa.Array:
    import pyarrow as pa

    return pa.array(list(values), pa.string())


def shorten_exemplar(text: str) -> str:
    """Return a text as an example: its beginning, if it is long.

    :param text: of a row, which has it whole.
    """
    return text if len(text) <= EXEMPLAR_CHARACTERS else text[:EXEMPLAR_CHARACTERS] + "..."


def round_value(value: float | None) -> float | None:
    """Return a value rounded to three digits after the point; None stays None.

    :param value: a measure estimated on a sample.
    :return: the rounded value.
    """
    return None if value is None else round(value, FEWER_DIGITS)


def tuning_records(tuning: KSelection | list[SizeScore]) -> list[dict[str, Any]]:
    """Return one record per k, where `chosen` marks the selected one; or one per smallest cluster size.

    :param tuning: what `pipeline.tune` returns.
    :return: plain JSON values.
    """
    if isinstance(tuning, KSelection):
        return k_records(tuning)
    return [asdict(score) for score in tuning]


def k_records(selection: KSelection) -> list[dict[str, Any]]:
    """Return one record per k that was compared, with its scores.

    :param selection: how k was chosen.
    :return: one record per k, in the order of k.
    """
    return [
        {
            "k": k,
            "silhouette": round(score.silhouette, DIGITS),
            "stability": round(score.stability, DIGITS),
            "agreement": None if score.agreement is None else round(score.agreement, DIGITS),
            "score": round(score.score, DIGITS),
            "chosen": k == selection.k,
        }
        for k, score in selection.scores.items()
    ]


def tuning_table(tuning: KSelection | list[SizeScore]) -> pa.Table:
    """Return `tuning_records` as a table.

    :param tuning: what `pipeline.tune` returns.
    :return: one row per record.
    """
    import pyarrow as pa

    return pa.Table.from_pylist(tuning_records(tuning))


def wording_records(wordings: list[Wording]) -> list[dict[str, Any]]:
    """Return one record per wording, with null for undefined measures.

    :param wordings: of one question.
    :return: plain JSON values.
    """
    return [
        {
            name: round_finite(value) if isinstance(value, float) else value
            for name, value in asdict(wording).items()
        }
        for wording in wordings
    ]


def wordings_table(wordings: list[Wording], agreements: list[list[float]]) -> pa.Table:
    """Return one row per wording; its agreement with each wording is in the columns `agreement_NAME`.

    :param wordings: of one question.
    :param agreements: agreement of every two, shape (n_wordings, n_wordings); NaN if undefined.
    :return: one row per wording.
    """
    import pyarrow as pa

    return pa.Table.from_pylist(
        [
            record | {f"agreement_{other.name}": round_finite(x) for other, x in zip(wordings, row, strict=True)}
            for record, row in zip(wording_records(wordings), agreements, strict=True)
        ]
    )


def round_finite(value: float) -> float | None:
    """Return a number with six digits after the point; None for NaN.

    :param value: a share or an agreement.
    :return: the rounded number, or None.
    """
    return None if math.isnan(value) else round(value, DIGITS)
