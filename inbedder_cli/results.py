"""Results of the pipeline: one per question, and the analysis that holds them all."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from inbedder_cli.diagnostics.crosstab import crosstabs, pairs_of
from inbedder_cli.diagnostics.groupings import Grouping
from inbedder_cli.embeddings import RowStatus
from inbedder_cli.explanation.summaries import UNANSWERED_LABEL
from inbedder_cli.options import ExplainOptions, UnansweredOptions
from inbedder_cli.python_terms import with_python_terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from inbedder_cli.clustering import Clustering
    from inbedder_cli.corpus import Corpus
    from inbedder_cli.diagnostics.baseline import BaselineAgreement
    from inbedder_cli.diagnostics.crosstab import Crosstab
    from inbedder_cli.embeddings import Embeddings
    from inbedder_cli.explanation.summaries import ClusterSummary
    from inbedder_cli.options import ReportOptions
    from inbedder_cli.projection import RowMap
    from inbedder_cli.units import Units

ONLY_QUESTION = "cluster"  # name of the clusters of the only question in its cross-tables


@with_python_terms()
@dataclass(frozen=True, eq=False)
class ClusteringResult:
    """Result of one question over one corpus: the clusters, their explanations, and the cluster of every row.

    With `multi`, a row may have several answers. Then `corpus`, `rows`, `status` and all values by row are those
    of the units (`units.Units`), one for each row and answer; only sizes and shares in `summaries` are by rows.

    :param corpus: the rows.
    :param instruction: the question.
    :param embeddings: vectors and answers, one per row of the corpus.
    :param clustering: the clusters of the rows in `rows`.
    :param summaries: explanation of each cluster, by cluster number; noise last.
    :param rows: indices into the corpus of the rows that were clustered, in the order of `clustering`'s arrays.
    :param status: one per row of the corpus.
    :param unanswered: the rows that do not answer the question, if there are any.
    :param baseline: agreement of the clusters with those of the question-blind baseline; None if not measured.
    :param name: name of the question; "" for the only one.
    :param crosstabs: cross-tables of these clusters with those of other questions and with columns of the corpus.
    :param columns: of the corpus, as they were asked for, that they are crossed with.
    :param unanswered_options: which answers counted as unanswered.
    :param explain_options: how the clusters were explained.
    :param row_map: the map of the rows; None if it was not made (`report.maps`).
    :param places: where each row of the corpus lies on it, float32, shape (n_rows, 2), NaN for rows that do not.
    """

    corpus: Corpus
    instruction: str
    embeddings: Embeddings
    clustering: Clustering
    summaries: list[ClusterSummary]
    rows: list[int]
    status: list[RowStatus]
    unanswered: ClusterSummary | None = None
    baseline: BaselineAgreement | None = None
    name: str = ""
    crosstabs: Sequence[Crosstab] = ()
    columns: tuple[str, ...] = ()
    unanswered_options: UnansweredOptions = field(default_factory=UnansweredOptions)
    explain_options: ExplainOptions = field(default_factory=ExplainOptions)
    row_map: RowMap | None = None
    places: npt.NDArray[np.float32] | None = None

    def by_row(self, values: npt.NDArray[Any]) -> list[Any]:
        """Return values of the clustered rows as one value per row of the corpus.

        :param values: shape (len(rows),).
        :return: one value per row of the corpus, None for rows that were not clustered.
        """
        placed: list[Any] = [None] * len(self.corpus)
        for row, value in zip(self.rows, values.tolist(), strict=True):
            placed[row] = value
        return placed

    @property
    def labels(self) -> list[int | None]:
        """Each row's cluster number, -1 for noise, None where the row was not clustered."""
        return self.by_row(self.clustering.labels)

    @property
    def names(self) -> list[str | None]:
        """The name of each row's cluster, None for rows that are in no group."""
        known = {summary.cluster: summary.label for summary in self.summaries}
        return [
            UNANSWERED_LABEL if status is RowStatus.no_answer else None if label is None else known[label]
            for label, status in zip(self.labels, self.status, strict=True)
        ]

    @property
    def weak_labels(self) -> list[bool | None]:
        """Whether each row's cluster has a weak label, None for rows that are in no cluster."""
        known = {summary.cluster: summary.label_is_weak for summary in self.summaries}
        return [None if label is None else known[label] for label in self.labels]

    @property
    def label_coverage(self) -> float | None:
        """Share of the rows in clusters whose answer holds their cluster's label; None where there are none."""
        measured = [
            (summary.size, summary.check.coverage if summary.check else 0.0)
            for summary in self.summaries
            if summary.cluster >= 0
        ]
        return sum(size * share for size, share in measured) / sum(n for n, _ in measured) if measured else None

    @property
    def units(self) -> Units | None:
        """Which row each answer belongs to, with `multi`."""
        return self.embeddings.units

    @property
    def row_corpus(self) -> Corpus:
        """The rows that were given."""
        return self.units.rows if self.units else self.corpus

    @property
    def row_status(self) -> list[RowStatus]:
        """One per row that was given: ok if one of its answers is."""
        if not self.units:
            return self.status
        of_rows = self.units.by_row(self.status)
        return [RowStatus.ok if RowStatus.ok in statuses else statuses[0] for statuses in of_rows]

    @property
    def groups(self) -> list[ClusterSummary]:
        """The clusters, noise and the unanswered rows, where there are any."""
        return [*self.summaries, *([self.unanswered] if self.unanswered else [])]

    @property
    def n_read(self) -> int:
        """Number of rows that were given and have a vector: those that shares refer to."""
        return self.embeddings.n_read

    @property
    def analysis(self) -> Analysis:
        """An analysis of this question alone."""
        return Analysis({self.name: self}, self.embeddings.model or "", self.crosstabs, self.columns)

    def to_frame(self, prefix: str = "", *, explode: bool = False) -> pd.DataFrame:
        """Return the rows and columns of the corpus with the result columns, as a pandas DataFrame.

        With `multi`, the result columns hold lists with one value per answer.

        :param prefix: prefix of the names of the result columns.
        :param explode: one row for each row and answer instead of lists.
        :raises UsageError: when the corpus already has a column of that name.
        """
        return self.analysis.to_frame(prefix, explode=explode)

    def clusters_frame(self) -> pd.DataFrame:
        """Return one row per cluster: number, label, size, share, stability, phrases, answers, exemplars."""
        return self.analysis.clusters_frame()

    def to_html(self, path: str | Path, options: ReportOptions | None = None) -> None:
        """Write the report: one HTML page with the clusters, a map and the rows, which loads nothing.

        :param path: the file; an existing one is replaced.
        :param options: title, columns, and how much is shown.
        :raises UsageError: for the suffix of another format, or a column that the corpus has not.
        :raises InbedderError: when it cannot be written.
        """
        self.analysis.to_html(path, options)

    def save(self, folder: str | Path, *, force: bool = False) -> None:
        """Save the run, so that new rows can get its clusters (`InBedder.load`, `inbedder assign`).

        :param folder: the folder to create; its parent must exist.
        :param force: replace an existing run.
        :raises UsageError: for an existing folder, an encoder that cannot be loaded again by name, or `multi` with
            several questions.
        :raises InbedderError: when it cannot be written.
        """
        self.analysis.save(folder, force=force)

    def __repr__(self) -> str:
        from inbedder_cli.report.notebook import clusters_text

        return clusters_text(self)

    def _repr_html_(self) -> str:
        from inbedder_cli.report.notebook import clusters_html

        return clusters_html(self)


@with_python_terms()
@dataclass(frozen=True, eq=False)
class Analysis:
    """One corpus under one or several questions.

    :param results: the results by name of the question, "" for the only one.
    :param model: the encoder in one line.
    :param crosstabs: cross-tables of the questions with each other and with columns of the corpus.
    :param columns: columns of the corpus that a report shows, as `by` of `pipeline.analyze` takes them.
    """

    results: dict[str, ClusteringResult]
    model: str
    crosstabs: Sequence[Crosstab] = ()
    columns: tuple[str, ...] = ()

    @property
    def corpus(self) -> Corpus:
        """The rows."""
        return next(iter(self.results.values())).row_corpus

    @property
    def result(self) -> ClusteringResult:
        """The result of the only question, or of the first one."""
        return next(iter(self.results.values()))

    def __getitem__(self, name: str) -> ClusteringResult:
        """Return the result of a question by its name."""
        if name not in self.results:
            raise KeyError(f'no question is named "{name}": there are {", ".join(map(repr, self.results))}')
        return self.results[name]

    def __contains__(self, name: object) -> bool:
        """Return whether there is a question of that name."""
        return name in self.results

    def __iter__(self) -> Iterator[ClusteringResult]:
        """Iterate over the results in the order of the questions."""
        return iter(self.results.values())

    def __len__(self) -> int:
        """Return the number of questions."""
        return len(self.results)

    def to_frame(self, prefix: str = "", *, explode: bool = False) -> pd.DataFrame:
        """Return the corpus with the result columns of all questions, as a pandas DataFrame.

        :param prefix: prefix of the names of the result columns.
        :param explode: see `ClusteringResult.to_frame`.
        :raises UsageError: when the corpus already has a column of that name, or for `explode` with several
            questions.
        """
        from inbedder_cli.output.frames import rows_frame

        return rows_frame(self.results, prefix, explode=explode)

    def clusters_frame(self) -> pd.DataFrame:
        """Return one row per cluster; with several questions, the first column names the question."""
        from inbedder_cli.output.frames import clusters_frame

        return clusters_frame({name: result.summaries for name, result in self.results.items()})

    def to_html(self, path: str | Path, options: ReportOptions | None = None) -> None:
        """Write the report; see `ClusteringResult.to_html`.

        :param path: the file; an existing one is replaced.
        :param options: title, columns, and how much is shown.
        :raises UsageError: for the suffix of another format, or a column that the corpus has not.
        :raises InbedderError: when it cannot be written.
        """
        from pathlib import Path

        from inbedder_cli.report.page import write_page

        write_page(self, Path(path), options)

    def save(self, folder: str | Path, *, force: bool = False) -> None:
        """Save the run; see `ClusteringResult.save`.

        :param folder: the folder to create; its parent must exist.
        :param force: replace an existing run.
        :raises UsageError: for an existing folder, an encoder that cannot be loaded again by name, or `multi` with
            several questions.
        :raises InbedderError: when it cannot be written.
        """
        from pathlib import Path

        from inbedder_cli.runs.folders import check_run_folder
        from inbedder_cli.runs.writer import save_run

        check_run_folder(Path(folder), force=force)
        save_run(Path(folder), self)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self))

    def _repr_html_(self) -> str:
        return "".join(result._repr_html_() for result in self)


def analysis_of(
    results: dict[str, ClusteringResult], groupings: Sequence[Grouping], columns: Sequence[str], model: str
) -> Analysis:
    """Return an analysis with the cross-tables of its questions; answers of several a row have none.

    :param results: the results by name of the question.
    :param groupings: columns of the corpus that the questions are crossed with.
    :param columns: columns as they were asked for, among them those.
    :param model: the encoder in one line.
    """
    titles = {name: name or ONLY_QUESTION for name in results}
    clusters = [Grouping(titles[name], result.names) for name, result in results.items() if not result.units]
    tables = crosstabs(list(pairs_of(clusters, groupings)))
    own = {
        name: replace(
            result,
            crosstabs=[t for t in tables if titles[name] in (t.row_name, t.column_name)],
            columns=tuple(columns),
        )
        for name, result in results.items()
    }
    return Analysis(own, model, tables, tuple(columns))
