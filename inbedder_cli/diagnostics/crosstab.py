"""Cross-tables of two groupings of the same rows, and the combinations that are more frequent than by chance."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    import pandas as pd

MAX_GROUPS = 20  # maximum number of rows and of columns of a cross-table
MAX_NUMBERS = 12  # a column with more distinct numbers is cut into quarters
DIGITS = (6, 10, 17)  # significant digits to try in the names of ranges
OTHERS = "(others)"
NOTABLE = 3.0  # absolute standardized residual at or above which a combination is notable
ROUNDING = 1e-12  # a smaller phi squared is the rounding error of zero


@dataclass(frozen=True)
class Grouping:
    """A value for each row: the label of its cluster, or its cell in a column.

    :param name: name of the question or of the column.
    :param values: one per row; None where the row has none.
    """

    name: str
    values: Sequence[str | None]


@dataclass(frozen=True)
class Combination:
    """A cell of a cross-table.

    :param row: value of the first grouping.
    :param column: value of the second grouping.
    :param count: number of rows that have both values.
    :param expected: the number to expect if the groupings were independent.
    :param residual: adjusted standardized residual (Haberman 1973).
    """

    row: str
    column: str
    count: int
    expected: float
    residual: float

    @property
    def ratio(self) -> float:
        """The count as a multiple of the expected count."""
        return self.count / self.expected


@dataclass(frozen=True)
class Crosstab:
    """Counts of two groupings of the same rows, and how strongly they are associated.

    :param row_name: name of the first grouping.
    :param column_name: name of the second grouping.
    :param rows: values of the first grouping, the most frequent first.
    :param columns: values of the second grouping, the most frequent first.
    :param counts: number of rows per combination, shape (len(rows), len(columns)).
    :param expected: counts to expect if the groupings were independent, same shape.
    :param residuals: adjusted standardized residuals (Haberman 1973), same shape; about standard normal if the
        groupings are independent.
    :param cramers_v: effect size, 0 to 1 (Cramér 1946), corrected for bias (Bergsma 2013).
    :param ami: adjusted mutual information (Vinh et al. 2010): 1 for the same grouping, about 0 by chance.
    :param p_value: p-value of the chi-squared test of independence.
    :param q_value: the same, corrected for the number of tables (Benjamini & Hochberg 1995).
    """

    row_name: str
    column_name: str
    rows: list[str]
    columns: list[str]
    counts: npt.NDArray[np.int64]
    expected: npt.NDArray[np.float64]
    residuals: npt.NDArray[np.float64]
    cramers_v: float
    ami: float
    p_value: float
    q_value: float

    @property
    def n_rows(self) -> int:
        """Number of rows that have a value in both groupings."""
        return int(self.counts.sum())

    def notable(self) -> list[Combination]:
        """Return the combinations whose counts are far from those of independent groupings.

        :return: cells with a residual of at least 3 or at most -3, the largest absolute value first.
        """
        places = np.argwhere(np.abs(self.residuals) >= NOTABLE)
        combinations = [
            Combination(
                self.rows[i],
                self.columns[j],
                int(self.counts[i, j]),
                float(self.expected[i, j]),
                float(self.residuals[i, j]),
            )
            for i, j in places.tolist()
        ]
        return sorted(combinations, key=lambda c: (-abs(c.residual), c.row, c.column))

    def to_frame(self) -> pd.DataFrame:
        """Return the counts as a pandas DataFrame, with the values of the groupings as index and columns.

        The names of the groupings are the names of the index and of the columns, as in `pandas.crosstab`.

        :return: int64, shape (len(rows), len(columns)).
        """
        import pandas as pd

        index = pd.Index(self.rows, dtype=object, name=self.row_name)
        columns = pd.Index(self.columns, dtype=object, name=self.column_name)
        return pd.DataFrame(self.counts.copy(), index=index, columns=columns)


def crosstab(one: Grouping, other: Grouping) -> Crosstab:
    """Return the cross-table of two groupings, over the rows that have a value in both.

    A grouping of more than 20 values keeps the 19 most frequent ones; the rest are counted as "(others)".

    :param one: gives the rows of the table.
    :param other: gives its columns; one value per row of the corpus, as many as `one` has.
    :return: the table, its q-value not yet corrected (see `crosstabs`).
    """
    from scipy.stats import chi2_contingency
    from sklearn.metrics import adjusted_mutual_info_score

    pairs = [(a, b) for a, b in zip(one.values, other.values, strict=True) if a is not None and b is not None]
    left, right = (_most_frequent([pair[i] for pair in pairs]) for i in (0, 1))
    rows, columns = (list(dict(Counter(side).most_common())) for side in (left, right))
    counts = np.zeros((len(rows), len(columns)), np.int64)
    np.add.at(counts, ([rows.index(a) for a in left], [columns.index(b) for b in right]), 1)
    n = counts.sum()
    shares = counts.sum(1, keepdims=True), counts.sum(0, keepdims=True)
    expected = shares[0] * shares[1] / max(1, n)
    varying = len(rows) > 1 and len(columns) > 1
    spread = np.sqrt(expected * (1 - shares[0] / max(1, n)) * (1 - shares[1] / max(1, n)))
    residuals = np.where(spread > 0, (counts - expected) / np.where(spread > 0, spread, 1), 0)
    p_value = float(chi2_contingency(counts, correction=False).pvalue) if varying else 1.0
    return Crosstab(
        one.name,
        other.name,
        rows,
        columns,
        counts,
        expected,
        residuals,
        _cramers_v(counts) if varying else 0.0,
        float(adjusted_mutual_info_score(left, right)) if varying else 0.0,
        p_value,
        p_value,
    )


def _cramers_v(counts: npt.NDArray[np.int64]) -> float:
    """Return Cramér's V with bias correction: the uncorrected value is inflated in tables of many cells."""
    from scipy.stats.contingency import association

    n, (r, c) = int(counts.sum()), counts.shape
    if n < 2:
        return 0.0
    phi2 = float(association(counts, method="cramer")) ** 2 * (min(r, c) - 1)
    corrected = max(0.0, phi2 - (r - 1) * (c - 1) / (n - 1))
    if corrected < ROUNDING:
        return 0.0
    smaller = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return min(1.0, float(np.sqrt(corrected / smaller))) if smaller > 0 else 0.0


def crosstabs(pairs: Sequence[tuple[Grouping, Grouping]]) -> list[Crosstab]:
    """Return the cross-table of each pair of groupings, with p-values corrected for the number of tables.

    :param pairs: the groupings to cross.
    :return: one table per pair, in order.
    """
    from scipy.stats import false_discovery_control

    tables = [crosstab(one, other) for one, other in pairs]
    if not tables:
        return []
    corrected = false_discovery_control([table.p_value for table in tables])
    return [replace(table, q_value=float(q)) for table, q in zip(tables, corrected, strict=True)]


def column_grouping(name: str, values: Sequence[Any]) -> Grouping:
    """Return a column of the input as a grouping.

    :param name: name of the column.
    :param values: one cell per row; None and "" are rows without a value.
    :return: the cells as strings; numbers with more than 12 distinct values as ranges of a quarter of the rows.
    """
    present = [value for value in values if value not in (None, "")]
    numbers = _as_numbers(present)
    if numbers is None or len(set(numbers)) <= MAX_NUMBERS:
        return Grouping(name, [None if value in (None, "") else str(value) for value in values])
    cuts = np.unique(np.quantile(numbers, [0, 0.25, 0.5, 0.75, 1]))
    if len(cuts) == 2:  # three quarters of the rows or more have one value
        common = Counter(numbers).most_common(1)[0][0]
        grouped = iter([f"{common:.15g}" if number == common else OTHERS for number in numbers])
        return Grouping(name, [None if value in (None, "") else next(grouped) for value in values])
    names = _ranges(cuts)
    quarter = iter(np.clip(np.searchsorted(cuts, numbers, side="left") - 1, 0, len(names) - 1).tolist())
    return Grouping(name, [None if value in (None, "") else names[next(quarter)] for value in values])


def _ranges(cuts: npt.NDArray[np.float64]) -> list[str]:
    """Return the names of the ranges between cuts, with as many digits as make them distinct."""
    for digits in DIGITS:
        names = [f"{low:.{digits}g} to {high:.{digits}g}" for low, high in pairwise(cuts)]
        if len(set(names)) == len(names):
            break
    return names


def _as_numbers(values: Sequence[Any]) -> list[float] | None:
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        return None
    return numbers if all(np.isfinite(numbers)) else None


def _most_frequent(values: Sequence[Any]) -> list[str]:
    counts = Counter(values)
    kept = set(counts) if len(counts) <= MAX_GROUPS else {value for value, _ in counts.most_common(MAX_GROUPS - 1)}
    return [value if value in kept else OTHERS for value in values]


def pairs_of(questions: Sequence[Grouping], columns: Sequence[Grouping]) -> Iterator[tuple[Grouping, Grouping]]:
    """Yield the pairs of groupings to cross.

    :param questions: the clusters of each question.
    :param columns: columns of the input.
    :yield: every two questions, and every question with every column.
    """
    for i, one in enumerate(questions):
        for other in [*questions[i + 1 :], *columns]:
            yield one, other
