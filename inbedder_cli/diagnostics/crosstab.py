"""Cross-tables of two groupings of the same rows, and the combinations that are more frequent than by chance."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.diagnostics.groupings import OTHERS, Grouping
from inbedder_cli.explanation.summaries import UNANSWERED_LABEL
from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    import pandas as pd

MAX_GROUPS = 20  # maximum number of rows and of columns of a cross-table
NOTABLE = 3.0  # absolute standardized residual at or above which a combination is notable
MIN_EXCESS = 2  # rows by which a notable count differs from the expected one
MIN_ROWS = 20  # of a group whose trend is tested
SIGNIFICANT = 0.05  # corrected p-value up to which groupings are associated, or a group has a trend
CLEAR_TREND = 0.1  # least rank correlation that is told
RARE = 5  # expected rows of a cell below which the chi-squared test is rough
ROUNDING = 1e-12  # a smaller phi squared is the rounding error of zero


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
class Trend:
    """How the share of a group rises or falls along an ordered column.

    :param group: value of the grouping without an order.
    :param correlation: Spearman's rank correlation of being in the group with the place in the order, -1 to 1.
    :param p_value: of that correlation, corrected for the number of groups (Benjamini & Hochberg 1995).
    """

    group: str
    correlation: float
    p_value: float


@dataclass(frozen=True, eq=False)
class Crosstab:
    """Counts of two groupings of the same rows, and how strongly they are associated.

    :param row_name: name of the first grouping.
    :param column_name: name of the second grouping.
    :param rows: values of the first grouping, in their own order, or the most frequent first.
    :param columns: values of the second grouping, likewise.
    :param counts: number of rows per combination, shape (len(rows), len(columns)).
    :param expected: counts to expect if the groupings were independent, same shape.
    :param residuals: adjusted standardized residuals (Haberman 1973), same shape; about standard normal if the
        groupings are independent.
    :param cramers_v: effect size, 0 to 1 (Cramér 1946), corrected for bias (Bergsma 2013).
    :param ami: adjusted mutual information (Vinh et al. 2010): 1 for the same grouping, about 0 by chance.
    :param p_value: p-value of the chi-squared test of independence; where one side has an order, of the
        Kruskal-Wallis test, which knows it.
    :param q_value: the same, corrected for the number of tables (Benjamini & Hochberg 1995).
    :param test: the test: "chi-squared" or "Kruskal-Wallis".
    :param is_rough: whether more than a fifth of the cells are expected to hold fewer than 5 rows, so that the
        chi-squared test is rough.
    :param trends: of the groups of the one side along the order of the other, the strongest first.
    :param notes: how the cells of the columns were read, and which rows are left out.
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
    test: str = "chi-squared"
    is_rough: bool = False
    trends: tuple[Trend, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        """Number of rows that have a value in both groupings."""
        return int(self.counts.sum())

    @property
    def is_significant(self) -> bool:
        """Whether the groupings are associated beyond chance, after correction for the number of tables."""
        return self.q_value <= SIGNIFICANT

    def clear_trends(self) -> list[Trend]:
        """Return the trends beyond chance, after correction for the number of groups; the strongest first."""
        return [t for t in self.trends if t.p_value <= SIGNIFICANT and abs(t.correlation) >= CLEAR_TREND]

    def notable(self) -> list[Combination]:
        """Return the combinations whose counts are far from those of independent groupings.

        :return: cells with a residual of at least 3 or at most -3 that differ by at least two rows from the
            expected count, the largest absolute residual first; none if the groupings are not associated: of many
            cells, some are far from the expected by chance.
        """
        if not self.is_significant:
            return []
        enough = np.abs(self.counts - self.expected) >= MIN_EXCESS
        places = np.argwhere((np.abs(self.residuals) >= NOTABLE) & enough)
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

    kept = [i for i, pair in enumerate(zip(one.values, other.values, strict=True)) if None not in pair]
    left, right = _values_of(one, kept), _values_of(other, kept)
    rows, columns = _ordered(left, one), _ordered(right, other)
    counts = np.zeros((len(rows), len(columns)), np.int64)
    np.add.at(counts, ([rows.index(a) for a in left], [columns.index(b) for b in right]), 1)
    n = counts.sum()
    shares = counts.sum(1, keepdims=True), counts.sum(0, keepdims=True)
    expected = shares[0] * shares[1] / max(1, n)
    varying = len(rows) > 1 and len(columns) > 1
    spread = np.sqrt(expected * (1 - shares[0] / max(1, n)) * (1 - shares[1] / max(1, n)))
    residuals = np.where(spread > 0, (counts - expected) / np.where(spread > 0, spread, 1), 0)
    p_value = float(chi2_contingency(counts, correction=False).pvalue) if varying else 1.0
    test = "chi-squared"
    trends: tuple[Trend, ...] = ()
    ordered = [side for side in (one, other) if side.positions is not None]
    if varying and len(ordered) == 1 and ordered[0].positions is not None:
        test = "Kruskal-Wallis"
        p_value, trends = _along(ordered[0].positions[kept], left if ordered[0] is other else right)
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
        test,
        bool(test == "chi-squared" and varying and (expected < RARE).mean() > 0.2),  # Cochran 1954
        trends,
        tuple(side.note for side in (one, other) if side.note),
    )


def _values_of(side: Grouping, kept: Sequence[int]) -> list[str]:
    values = [str(side.values[i]) for i in kept]
    return values if side.order else _most_frequent(values)


def _ordered(values: Sequence[str], side: Grouping) -> list[str]:
    counts = Counter(values)
    return [value for value in side.order if value in counts] or list(dict(counts.most_common()))


def _along(positions: npt.NDArray[np.float64], groups: Sequence[str]) -> tuple[float, tuple[Trend, ...]]:
    """Return the p-value of the groups' places in an order, and the trend of each group that has enough rows."""
    from scipy.stats import false_discovery_control, kruskal, spearmanr

    names = np.array(groups, object)
    each = [positions[names == name] for name in dict.fromkeys(groups)]
    if len(set(positions.tolist())) < 2 or len(each) < 2:
        return 1.0, ()
    p_value = float(kruskal(*each).pvalue)
    counts = Counter(groups)
    tested = [name for name, n in counts.items() if MIN_ROWS <= n <= len(groups) - MIN_ROWS]
    found = [spearmanr(names == name, positions) for name in tested]
    if not found:
        return p_value, ()
    corrected = false_discovery_control([float(result.pvalue) for result in found])
    trends = [
        Trend(name, float(result.statistic), float(p))
        for name, result, p in zip(tested, found, corrected, strict=True)
    ]
    return p_value, tuple(sorted(trends, key=lambda trend: (-abs(trend.correlation), trend.group)))


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


def _most_frequent(values: Sequence[Any]) -> list[str]:
    counts = Counter(values)
    kept = set(counts) if len(counts) <= MAX_GROUPS else {value for value, _ in counts.most_common(MAX_GROUPS - 1)}
    return [value if value in kept else OTHERS for value in values]


def pairs_of(questions: Sequence[Grouping], columns: Sequence[Grouping]) -> Iterator[tuple[Grouping, Grouping]]:
    """Yield the pairs of groupings to cross, without the rows that do not answer.

    A text such as "n/a" answers no question, which says nothing of how two questions go together; and a few such
    rows would make an association with a column that the answers do not have.

    :param questions: the clusters of each question.
    :param columns: columns of the input.
    :yield: every two questions, and every question with every column.
    """
    answered = [_answered(question) for question in questions]
    for i, one in enumerate(answered):
        for other in answered[i + 1 :]:
            yield one, other
        for column in columns:
            yield one, column


def _answered(question: Grouping) -> Grouping:
    values = [None if value == UNANSWERED_LABEL else value for value in question.values]
    if n := sum(value == UNANSWERED_LABEL for value in question.values):
        do = "does" if n == 1 else "do"
        note = f"{question.name}: without {count_of(n, 'row')} that {do} not answer"
        return replace(question, values=values, note=note)
    return question
