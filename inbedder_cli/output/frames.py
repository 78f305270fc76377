"""Results as pandas DataFrames: the input's rows with their clusters, and one row per cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inbedder_cli.corpus.arrow_values import UNCONVERTIBLE, python_values
from inbedder_cli.corpus.jsonl import cell_value, has_json_cells
from inbedder_cli.output.cells import parse_json_column, with_typed_columns
from inbedder_cli.output.tables import (
    PART,
    RESULT_COLUMNS,
    check_free,
    clusters_table,
    column_name,
    round_value,
    rows_table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.explanation.summaries import ClusterSummary
    from inbedder_cli.results import ClusteringResult

CLUSTER_COLUMNS = ("cluster", "second_cluster")


def rows_frame(
    results: Mapping[str, ClusteringResult], prefix: str = "", *, explode: bool = False
) -> pd.DataFrame:
    """Return the input's rows in their order, with all their columns and the result columns.

    The index of a corpus that came from pandas is kept; other rows are numbered from 0. Cluster numbers are
    `Int64` (missing where a row is in no cluster), labels are categories in the order of the clusters. Where a row
    may have several answers, these columns hold lists.

    :param results: by question name, all of the same corpus; "" is the name of a single question.
    :param prefix: prefix of the names of the result columns.
    :param explode: as in `rows_table`.
    :return: one row per row of the input, or per row and answer.
    :raises UsageError: when the input has a column of a result's name, or two questions share one.
    """
    import pandas as pd

    first = next(iter(results.values()))
    corpus = first.corpus if explode else first.row_corpus
    names = [column_name(question, column) for question in results for column in RESULT_COLUMNS]
    check_free(corpus, [*names, *([PART] if explode and first.units else [])], prefix)
    table = rows_table(results, prefix, explode=explode)
    frame = _frame(table)
    for question, result in results.items():
        if result.units and not explode:
            for column in RESULT_COLUMNS[:-1]:  # lists, which pandas would make arrays
                name = prefix + column_name(question, column)
                frame[name] = pd.Series(table.column(name).to_pylist(), dtype=object)
            continue
        for column in CLUSTER_COLUMNS:
            name = prefix + column_name(question, column)
            frame[name] = frame[name].astype("Int64")
        name = prefix + column_name(question, "label_is_weak")
        frame[name] = frame[name].astype("boolean")
        labels = dict.fromkeys(summary.label for summary in result.summaries)
        labels |= dict.fromkeys(name for name in result.names if name is not None)  # of rows outside the clusters
        name = prefix + column_name(question, "cluster_label")
        frame[name] = pd.Categorical(frame[name], categories=list(labels))
    return frame if corpus.index is None else frame.set_axis(corpus.index, axis="index")


def clusters_frame(clusters: Mapping[str, Sequence[ClusterSummary]]) -> pd.DataFrame:
    """Return one row per cluster, noise last: its number, label, size, measures, phrases, answers and exemplars.

    :param clusters: by question name; of several questions, a column `question` comes first.
    :return: the columns of `clusters_table`, with cluster numbers as `Int64`. Cells of several values hold lists:
        phrases and answers with their shares, likely next words, ids of exemplars.
    """
    import pandas as pd

    frame = _frame(clusters_table(clusters))
    summaries = [summary for own in clusters.values() for summary in own]
    lists = {
        "phrases": [[(phrase.text, round_value(phrase.support)) for phrase in s.phrases] for s in summaries],
        "answers": [[(answer.text, round_value(answer.share)) for answer in s.answers] for s in summaries],
        "likely_next_words": [list(s.likely_next_words) for s in summaries],
        "exemplar_ids": [[exemplar.id for exemplar in s.exemplars] for s in summaries],
    }
    columns = {name: pd.Series(values, dtype=object) for name, values in lists.items()}
    return frame.assign(**columns).astype({"cluster": "Int64"})


def with_index(
    values: npt.NDArray[np.generic], corpus: Corpus, columns: Sequence[str] | None = None
) -> npt.NDArray[np.generic] | pd.Series | pd.DataFrame:
    """Return values of rows as a Series, or DataFrame, with the index of a corpus that came from pandas.

    :param values: shape (n_rows,) or (n_rows, n_columns).
    :param corpus: the rows.
    :param columns: names of the columns of a DataFrame.
    :return: the array itself if the corpus has no index.
    """
    if corpus.index is None:
        return values
    import pandas as pd

    if values.ndim == 1:
        return pd.Series(values, index=corpus.index)
    return pd.DataFrame(values, index=corpus.index, columns=columns)


def _series(column: pa.ChunkedArray) -> pd.Series:
    import pandas as pd

    try:
        return column.to_pandas()
    except UNCONVERTIBLE:
        return pd.Series(python_values(column), dtype=object)


def _frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as a frame; integers stay integers where some are missing (`Int64`, not float)."""
    import pandas as pd
    import pyarrow as pa

    columns = with_typed_columns(table)
    try:
        frame: pd.DataFrame = columns.to_pandas(ignore_metadata=True)
    except UNCONVERTIBLE:  # dates beyond those of Python, unknown time zones
        frame = pd.DataFrame(
            {name: _series(column) for name, column in zip(columns.column_names, columns.columns, strict=True)}
        )
    for field, column in zip(columns.schema, columns.columns, strict=True):
        if pa.types.is_integer(field.type) and column.null_count:
            name = str(field.type).replace("int", "Int").replace("uI", "UI")  # uint8 -> UInt8
            frame[field.name] = pd.array(column.to_pylist(), dtype=name)
    for field, column in zip(table.schema, table.columns, strict=True):
        if has_json_cells(field) and parse_json_column(column) is None:  # objects, or values of several types
            frame[field.name] = pd.Series([cell_value(cell) for cell in column.to_pylist()], dtype=object)
    return frame
