"""What the report says about each question and cluster, as plain values that the template only places."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inbedder_cli.diagnostics.baseline import DIFFERENT, OBVIOUS, SAME
from inbedder_cli.embeddings import RowStatus
from inbedder_cli.report.closing_lines import closing_lines
from inbedder_cli.report.view import LEAST_SHOWN, answers_heading, cluster_views, is_stable, is_unstable
from inbedder_cli.wording import percent, printable, short, truncate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.explanation.summaries import ClusterSummary, Exemplar
    from inbedder_cli.report.distributions import Distribution
    from inbedder_cli.report.view import ClusterView
    from inbedder_cli.results import ClusteringResult

EXAMPLE_LENGTH = 400  # characters of an example; the table of rows has the whole text
OUTSIDE = {  # status of rows that are in no cluster -> what is said of one, and of several
    RowStatus.no_answer: ("does not answer the question", "do not answer the question"),
    RowStatus.noise: ("resembles no cluster", "resemble no cluster"),
    RowStatus.empty: ("has no text", "have no text"),
    RowStatus.failed: ("could not be read by the model", "could not be read by the model"),
}


@dataclass(frozen=True)
class Example:
    """A row that is shown as an example.

    :param id: its id.
    :param answer: its answer, "" where none was decoded.
    :param text: the beginning of its text; "" in a report without texts.
    :param note: for a borderline row, the label of the other cluster.
    """

    id: str
    answer: str
    text: str
    note: str = ""


@dataclass(frozen=True)
class PhraseView:
    """A phrase of a cluster's answers.

    :param text: the phrase.
    :param support: share of the cluster's rows whose answer holds it, for example "53%".
    :param width: the same as a number, 0 to 100.
    :param lift: that share as a multiple of the share elsewhere, for example "4.1 times".
    """

    text: str
    support: str
    width: float
    lift: str


@dataclass(frozen=True)
class ClusterDetail:
    """Everything that the page says of one cluster.

    :param view: its row of the table of clusters.
    :param place: its place among the clusters of the question, from 0: of the table, and of the colors.
    :param share: share of the rows with text, 0 to 100.
    :param size: number of rows.
    :param stability: 0 to 1; None if not measured.
    :param found_again: "stable" or "unstable": whether random halves of the rows have it too; "" between the two,
        and if not measured.
    :param fit: how well the label fits, one sentence; "" where this is not known.
    :param central: typical rows.
    :param diverse: typical rows of its other answers.
    :param borderline: rows nearest to another cluster.
    :param phrases: what its answers hold more often than those of the others.
    :param distributions: how its rows are distributed over the chosen columns.
    """

    view: ClusterView
    place: int
    share: float
    size: int
    stability: float | None
    found_again: str
    fit: str
    central: list[Example]
    diverse: list[Example]
    borderline: list[Example]
    phrases: list[PhraseView]
    distributions: Sequence[Distribution]


@dataclass(frozen=True)
class QuestionView:
    """What the page says of one question.

    :param name: its name, "" for the only one.
    :param instruction: the question.
    :param sentence: the result.
    :param effect: how far the question mattered, one sentence; "" if it was not measured.
    :param tiles: the figures at a glance: a value and what it counts.
    :param notes: how the clusters were made and how far they can be trusted, one sentence each.
    :param answers_heading: heading of the column of answers.
    :param clusters: the clusters, then noise, then unanswered rows.
    :param widest: the largest share, which fills a bar.
    """

    name: str
    instruction: str
    sentence: str
    effect: str
    tiles: list[tuple[str, str]]
    notes: list[str]
    answers_heading: str
    clusters: list[ClusterDetail]
    widest: float


def question_view(
    result: ClusteringResult, distributions: Sequence[Sequence[Distribution]], *, texts: bool
) -> QuestionView:
    """Return what the page says of a question.

    :param result: one question, answered over a corpus.
    :param distributions: of each group of rows in the table of clusters, one per chosen column.
    :param texts: whether examples show their texts.
    """
    summaries = [*result.summaries, *([result.unanswered] if result.unanswered else [])]
    names = {summary.cluster: short(summary.label) for summary in summaries}
    views = cluster_views(result)
    clusters = [
        _detail(view, place, summary, names, distributions[place], texts=texts)
        for place, (view, summary) in enumerate(zip(views, summaries, strict=True))
    ]
    return QuestionView(
        name=printable(result.name),
        instruction=printable(result.instruction) or "Clusters of the texts",
        sentence=result_sentence(result),
        effect=effect_sentence(result),
        tiles=_tiles(result),
        notes=[printable(line) for line in closing_lines(result)],
        answers_heading=answers_heading(result),
        clusters=clusters,
        widest=max((cluster.share for cluster in clusters), default=1.0) or 1.0,
    )


def _detail(
    view: ClusterView,
    place: int,
    summary: ClusterSummary,
    names: dict[int, str],
    distributions: Sequence[Distribution],
    *,
    texts: bool,
) -> ClusterDetail:
    def examples(exemplars: Sequence[Exemplar]) -> list[Example]:
        return [
            Example(
                short(e.id),
                short(e.answer or ""),
                truncate(printable(e.text), EXAMPLE_LENGTH) if texts else "",
                "" if e.nearest is None else names.get(e.nearest, ""),
            )
            for e in exemplars
        ]

    return ClusterDetail(
        view=view,
        place=place,
        share=100 * summary.share,
        size=summary.size,
        stability=summary.stability,
        found_again="unstable" if is_unstable(summary) else "stable" if is_stable(summary) else "",
        fit=_fit(summary),
        central=examples(summary.exemplars),
        diverse=examples(summary.diverse),
        borderline=examples(summary.borderline),
        phrases=[
            PhraseView(short(p.text), percent(p.support), 100 * p.support, _times(p.lift))
            for p in summary.phrases
            if p.support >= LEAST_SHOWN
        ],
        distributions=distributions,
    )


def _tiles(result: ClusteringResult) -> list[tuple[str, str]]:
    clusters = [summary for summary in result.summaries if summary.cluster >= 0]
    n_outside = sum(status is not RowStatus.ok for status in result.row_status)
    tiles = [(f"{len(result.row_status):,}", "texts"), (f"{len(clusters):,}", "clusters")]
    n_unmeasured = sum(summary.stability is None for summary in clusters)
    if n_unmeasured < len(clusters):
        unmeasured = f", {n_unmeasured:,} not measured" if n_unmeasured else ""
        tiles.append((f"{sum(map(is_unstable, clusters)):,}", f"of them unstable{unmeasured}"))
    return [*tiles, (f"{n_outside:,}", "texts in no cluster")]


def _times(lift: float) -> str:
    return f"{lift:,.0f} times" if lift >= 10 else f"{lift:.1f} times"


def _fit(summary: ClusterSummary) -> str:
    answers = "answers" if summary.answers else "texts"
    check, precision = summary.check, summary.precision
    sentences = []
    if check is not None:
        inside, elsewhere = percent(check.coverage), percent(check.elsewhere)
        sentences.append(
            f"The words of this name are in {inside} of its {answers}, and in {elsewhere} of all others."
        )
    if precision is not None:
        low, high = map(percent, precision.interval())
        sentences.append(
            f"Somebody read {precision.n_reviewed:,} of its rows: the name fits {percent(precision.share)} of "
            f"them (95 % interval {low} to {high})."
        )
    return " ".join(sentences)


def result_sentence(result: ClusteringResult) -> str:
    """Return the result in one or two sentences: the number of clusters, the largest ones, what was left out.

    :param result: one question, answered over a corpus.
    """
    counts = Counter(result.row_status)
    n_rows, clusters = len(result.row_status), [s for s in result.summaries if s.cluster >= 0]
    left_out = [
        f"{counts[status]:,} {one if counts[status] == 1 else several}"
        for status, (one, several) in OUTSIDE.items()
        if counts[status]
    ]
    rest = f" Kept apart: {' and '.join(left_out)}." if left_out else ""
    if not clusters:
        return f"None of {n_rows:,} rows is in a cluster.{rest}"
    first, *others = sorted(clusters, key=lambda s: (-s.size, s.cluster))[:3]
    named = [f"“{short(s.label)}” ({percent(s.share)})" for s in others]
    after = f", then {' and '.join(named)}" if named else ""
    n_clusters = "1 cluster" if len(clusters) == 1 else f"{len(clusters)} clusters"
    several = " A text may be in several." if result.units else ""
    by = " by their answers" if result.embeddings.answers is not None else ""
    return (
        f"{n_rows:,} texts fall into {n_clusters}{by}. "
        f"The largest is “{short(first.label)}” with {percent(first.share)} of them{after}.{several}{rest}"
    )


def effect_sentence(result: ClusteringResult) -> str:
    """Return how far the question mattered, in one sentence; "" if it was not measured.

    :param result: one question, answered over a corpus.
    """
    baseline = result.baseline
    if baseline is None:
        return ""
    value = f"agreement with the clusters of a neutral question: {max(0, baseline.ami):.2f} of 1"
    if baseline.ami < DIFFERENT:
        return f"The question made these clusters: without it the texts divide otherwise ({value})."
    if baseline.ami < SAME:
        return f"The question changed these clusters: without it the texts divide partly the same ({value})."
    if baseline.answers_ami is not None and baseline.answers_ami >= OBVIOUS:
        return f"The question changed little, as the texts divide much by these answers anyway ({value})."
    return f"The question changed little: the texts divide much the same without it ({value})."
