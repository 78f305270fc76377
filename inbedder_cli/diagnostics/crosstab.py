"""Two groupings of the same rows, crossed: which combinations are more frequent than chance would have it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

MOST = 20  # values of a side that are told apart
NUMBERS = 12  # different numbers of a column; with more it is cut into quarters
DIGITS = (6, 10, 17)  # of numbers in names of ranges
OTHERS = "(others)"
NOTABLE = 3.0  # standardised residual from which a combination is no accident


@dataclass(frozen=True)
class Grouping:
    """One of two groupings: its name, and a value for each row, None where it has none."""

    name: str
    values: Sequence[str | None]


@dataclass(frozen=True)
class Combination:
    """One cell of a cross-table that stands out.

    :param ratio: its count over the count to be expected if the groupings had nothing to do with each other.
    """

    row: str
    column: str
    count: int
    expected: float
    residual: float

    @property
    def ratio(self) -> float:
        """How many times the expected."""
        return self.count / self.expected


@dataclass(frozen=True)
class Crosstab:
    """Counts of two groupings of the same rows, and how far they go together.

    :param counts: shape (len(rows), len(columns)).
    :param expected: the counts to be expected by chance, same shape.
    :param residuals: adjusted standardised residuals (Haberman 1973), same shape: about normal by chance.
    :param cramers_v: effect size, 0 to 1 (Cramér 1946), corrected for bias (Bergsma 2013).
    :param ami: adjusted mutual information (Vinh et al. 2010): 1 for the same grouping, about 0 by chance.
    :param p_value: of the chi-squared test of independence.
    :param q_value: the same, after correction for the number of tables (Benjamini & Hochberg 1995).
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
        """Rows that have a value on both sides."""
        return int(self.counts.sum())

    def notable(self) -> list[Combination]:
        """Return the combinations that stand out, the farthest from chance first."""
        places = np.argwhere(np.abs(self.residuals) >= NOTABLE)
        found = [
            Combination(
                self.rows[i],
                self.columns[j],
                int(self.counts[i, j]),
                float(self.expected[i, j]),
                float(self.residuals[i, j]),
            )
            for i, j in places.tolist()
        ]
        return sorted(found, key=lambda c: (-abs(c.residual), c.row, c.column))


def cross(one: Grouping, other: Grouping) -> Crosstab:
    """Return the cross-table of two groupings, over the rows that have a value in both.

    Values of a side are in order of frequency; those after the twentieth are taken together.
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
    """Return Cramér's V corrected for bias: without, tables of many cells seem to go together."""
    from scipy.stats.contingency import association

    n, (r, c) = int(counts.sum()), counts.shape
    if n < 2:
        return 0.0
    phi2 = float(association(counts, method="cramer")) ** 2 * (min(r, c) - 1)
    corrected = max(0.0, phi2 - (r - 1) * (c - 1) / (n - 1))
    smaller = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return min(1.0, float(np.sqrt(corrected / smaller))) if smaller > 0 else 0.0


def crosstabs(pairs: Sequence[tuple[Grouping, Grouping]]) -> list[Crosstab]:
    """Return the cross-table of each pair, their p-values corrected for how many there are."""
    from scipy.stats import false_discovery_control

    tables = [cross(one, other) for one, other in pairs]
    if not tables:
        return []
    corrected = false_discovery_control([table.p_value for table in tables])
    return [replace(table, q_value=float(q)) for table, q in zip(tables, corrected, strict=True)]


def column_grouping(name: str, values: Sequence[Any]) -> Grouping:
    """Return a column of the input as a grouping; numbers of many values are cut into quarters of the rows."""
    present = [value for value in values if value not in (None, "")]
    numbers = _as_numbers(present)
    if numbers is None or len(set(numbers)) <= NUMBERS:
        return Grouping(name, [None if value in (None, "") else str(value) for value in values])
    cuts = np.unique(np.quantile(numbers, [0, 0.25, 0.5, 0.75, 1]))
    if len(cuts) == 2:  # one value has three quarters of the rows or more
        common = Counter(numbers).most_common(1)[0][0]
        grouped = iter([f"{common:.15g}" if number == common else OTHERS for number in numbers])
        return Grouping(name, [None if value in (None, "") else next(grouped) for value in values])
    names = _ranges(cuts)
    quarter = iter(np.clip(np.searchsorted(cuts, numbers, side="left") - 1, 0, len(names) - 1).tolist())
    return Grouping(name, [None if value in (None, "") else names[next(quarter)] for value in values])


def _ranges(cuts: npt.NDArray[np.float64]) -> list[str]:
    """Return the names of the ranges between cuts, with as many digits as tell them apart."""
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
    kept = set(counts) if len(counts) <= MOST else {value for value, _ in counts.most_common(MOST - 1)}
    return [value if value in kept else OTHERS for value in values]


def pairs_of(questions: Sequence[Grouping], columns: Sequence[Grouping]) -> Iterator[tuple[Grouping, Grouping]]:
    """Yield what is to be crossed: every two questions, and every question with every column."""
    for i, one in enumerate(questions):
        for other in [*questions[i + 1 :], *columns]:
            yield one, other
