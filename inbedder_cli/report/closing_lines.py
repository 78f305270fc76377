"""The lines below the table of clusters: how their number was chosen, what is doubtful, which rows are in none."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from inbedder_cli.clustering import NOISE, ROWS_PER_CLUSTER
from inbedder_cli.diagnostics.baseline import OBVIOUS, SAME
from inbedder_cli.diagnostics.languages import name_languages
from inbedder_cli.embeddings import RowStatus
from inbedder_cli.explanation.yes_no import is_yes_no_question, merge_yes_no
from inbedder_cli.registry import algorithms
from inbedder_cli.report.view import WEAK, cluster_marks, is_unstable
from inbedder_cli.wording import count_of, percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inbedder_cli.clustering import Clustering, KSelection
    from inbedder_cli.diagnostics.baseline import BaselineAgreement
    from inbedder_cli.results import ClusteringResult

WEAK_SILHOUETTE = 0.1  # mean silhouette below which clusters overlap
MUCH_NOISE = 1 / 3  # share of the rows
MUCH_CONTRARY = 0.05  # share of the rows


def closing_lines(result: ClusteringResult) -> list[str]:
    """Return the lines below the table: how k was chosen, stability, baseline, and rows in no cluster.

    :param result: one question, answered over a corpus.
    :return: one sentence each.
    """
    clustering = result.clustering
    lines = n_clusters_lines(result)
    if line := several_answers_line(result):
        lines.append(line)
    if clustering.shortcut:
        lines.append(clustering.shortcut)
    lines += [line for line in (contrary_line(result), unstable_line(result), weak_labels_line(result)) if line]
    if result.baseline:
        lines.append(baseline_line(result.baseline))
    if unread := result.embeddings.unread_languages:
        share, names = sum(unread.values()), name_languages(unread)
        lines.append(
            f"{100 * share:.0f} % of the texts are in {names}, which the model does not read: "
            "their answers and labels are guesses"
        )
    return [*lines, rows_line(Counter(result.row_status))]


def n_clusters_lines(result: ClusteringResult) -> list[str]:
    """Return how the number of clusters was chosen, and advice if the choice is uncertain.

    :param result: one question, answered over a corpus.
    :return: one or two sentences.
    """
    clustering, options = result.clustering, result.clustering.options
    if result.unanswered and not result.rows:
        return ["no row answers the question: ask another one, or use --no-flag-unanswered to cluster all rows"]
    algorithm = algorithms[options.algorithm]
    if clustering.choice is not None:
        lines = [k_selection_line(clustering.choice, options.k_min, options.k_max)]
        lines += k_selection_doubts(clustering.choice)
    elif algorithm.takes_k:
        lines = [f"k = {clustering.k} as asked"]
    else:
        found = max(clustering.k, clustering.n_before_merging)
        lines = [f"{count_of(found, 'cluster')} found by {algorithm.describe(options)}"]
        lines += noise_advice(result)
    return [*lines, *alike_lines(clustering)]


def k_selection_line(selection: KSelection, k_min: int, k_max: int) -> str:
    """Return one line: which k was chosen, why, and which is the best.

    :param selection: how k was chosen.
    :param k_min: the smallest k that could be chosen.
    :param k_max: the largest.
    :return: one sentence.
    """
    line = f"k = {selection.k} chosen from {k_min} to {k_max}"
    if not selection.scores:
        return f"{line}: too few different rows to compare"
    chosen, best = selection.scores[selection.k], selection.best
    values = [f"silhouette {chosen.silhouette:z.2f}", f"stability {chosen.stability:z.2f}"]
    if chosen.agreement is not None:
        values.append(f"agreement with the answers {chosen.agreement:z.2f}")
    why = "the best score" if best == selection.k else f"the fewest near the best score, that of k = {best}"
    if selection.is_capped:
        why = f"the score rises up to k = {best}, but with fewer than {ROWS_PER_CLUSTER} rows a cluster"
    return f"{line}: {why}; {', '.join(values)} (see them all: inbedder tune)"


def k_selection_doubts(selection: KSelection) -> list[str]:
    """Return what makes the choice of k uncertain, one sentence each.

    :param selection: how k was chosen.
    """
    lines = []
    chosen = selection.scores.get(selection.k)
    if chosen is not None and not selection.by_answers and chosen.silhouette < WEAK_SILHOUETTE:
        lines.append("no k stands out: the clusters overlap; choose -k by the level of detail you need")
    if selection.close is not None:
        lines.append(f"k = {selection.k} is hardly better than {selection.close}: see also -k {selection.close}")
    if selection.bound is not None:
        end, advice = (
            ("largest", "raise --k-max") if selection.bound >= selection.best else ("smallest", "lower --k-min")
        )
        lines.append(
            f"k = {selection.bound} is the {end} that was tried, and the best may lie beyond it: {advice}"
        )
    return lines


def noise_advice(result: ClusteringResult) -> list[str]:
    """Return what to do about noise, if more than a third of the rows are.

    :param result: of an algorithm that leaves rows in no cluster.
    """
    noise = next((summary.share for summary in result.summaries if summary.cluster == NOISE), 0.0)
    if result.clustering.k == 0:
        noise = 1.0
    if noise <= MUCH_NOISE:
        return []
    size = result.clustering.options.min_cluster_size
    advice = "use kmeans" if size is None else f"lower --min-cluster-size (now {size}), or use kmeans"
    return [f"{'every row is' if noise == 1 else f'{percent(noise)} of the rows are'} noise: {advice}"]


def alike_lines(clustering: Clustering) -> list[str]:
    """Return which clusters were merged or are answered alike, one sentence each.

    :param clustering: the clusters.
    """
    lines = []
    if clustering.n_before_merging > clustering.k:
        lines.append(
            f"{clustering.n_before_merging} clusters became {clustering.k}: clusters answered alike were merged"
        )
    for group in clustering.alike:
        if len(group) == clustering.k:
            lines.append("all clusters are answered alike")
            continue
        listed = f"{', '.join(map(str, group[:-1]))} and {group[-1]}"
        lines.append(f"clusters {listed} are answered alike: a smaller k would join them")
    return lines


def unstable_line(result: ClusteringResult) -> str:
    """Return one line: how many clusters are unstable, and what that means; "" if none is.

    :param result: one question, answered over a corpus.
    :return: one sentence, or "".
    """
    unstable = sum(map(is_unstable, result.summaries))
    if not unstable:
        return ""
    are, they_are = ("is", "it is") if unstable == 1 else ("are", "they are")
    n_clusters = _n_clusters(result)
    of = f"{unstable} of {n_clusters} clusters" if n_clusters > 1 else "the only cluster"
    return f"{of} {are} unstable: {they_are} not found again in random halves of the data (1: in all of them)"


def weak_labels_line(result: ClusteringResult) -> str:
    """Return one line: how many labels are weak, and what their figures mean; "" if none is marked.

    :param result: one question, answered over a corpus.
    :return: one sentence, or "".
    """
    weak = sum(mark.startswith(WEAK) for summary in result.summaries for mark in cluster_marks(summary))
    if not weak:
        return ""
    are, what = ("is", "it hardly tells its") if weak == 1 else ("are", "they hardly tell their")
    n_clusters = _n_clusters(result)
    of = f"{weak} of {n_clusters} labels" if n_clusters > 1 else "the only label"
    why = f"{what} rows from others (0: not at all, 1: fully)"
    return f"{of} {are} weak: {why}"


def _n_clusters(result: ClusteringResult) -> int:
    return sum(summary.cluster != NOISE for summary in result.summaries)  # a saved run may merge some


def baseline_line(baseline: BaselineAgreement) -> str:
    """Return one line: the agreement of the clusters with those of a neutral question.

    :param baseline: the agreement.
    :return: one sentence.
    """
    values = f"adjusted mutual information, {baseline.n_rows:,} rows; 0 unrelated, 1 the same"
    line = f"agreement with the clusters of a neutral question: {max(0, baseline.ami):.2f} ({values})"
    if baseline.ami < SAME:
        return line
    if baseline.answers_ami is not None and baseline.answers_ami >= OBVIOUS:
        return f"the question changed little, as the texts divide much by these answers anyway: {line}"
    return f"the question changed little: {line}"


def rows_line(counts: Mapping[RowStatus, int]) -> str:
    """Return one line: how many rows are in clusters, and how many are not, by status.

    :param counts: number of rows by status.
    :return: one sentence.
    """
    n_rows = sum(counts.values())
    others = [status for status in RowStatus if status is not RowStatus.ok and counts.get(status)]
    if not others:
        return f"{count_of(n_rows, 'row')}, all in clusters"
    left_out = ", ".join(f"{counts[status]:,} {status}" for status in others)
    n_inside = counts.get(RowStatus.ok, 0)
    are = "is" if n_inside == 1 else "are"
    return f"{n_inside:,} of {count_of(n_rows, 'row')} {are} in clusters; {left_out}"


def several_answers_line(result: ClusteringResult) -> str:
    """Return one line: how many answers the rows have, and what that means for the shares; "" without `multi`.

    :param result: one question, answered over a corpus.
    :return: one sentence, or "".
    """
    if not result.units:
        return ""
    total = sum(summary.share for summary in result.summaries)
    n_answers, n_rows = len(result.rows), result.units.n_rows(result.rows)
    counted = f"{count_of(n_answers, 'answer')} in {count_of(n_rows, 'row')}"
    return f"{counted}; a row counts in each of its clusters: the shares add up to {percent(total)}"


def contrary_line(result: ClusteringResult) -> str:
    """Return a warning that clusters named yes and no hold rows that say the opposite; "" where few do.

    Clusters are of vectors, and rows whose answers the model was unsure of may lie on the other side.

    :param result: one question, answered over a corpus.
    :return: one sentence, or "".
    """
    answers = result.embeddings.answers
    if answers is None or not is_yes_no_question(result.instruction):
        return ""
    said = merge_yes_no([answers[row] or "" for row in result.rows], result.instruction)
    names = {summary.cluster: summary.label.casefold() for summary in result.summaries}
    opposite = {"yes": "no", "no": "yes"}
    clusters = result.clustering.labels.tolist()
    n = sum(opposite.get(names.get(cluster, "")) == answer for cluster, answer in zip(clusters, said, strict=True))
    if not n or n < MUCH_CONTRARY * len(said):
        return ""
    return (
        f"{count_of(n, 'row')} answer yes in the cluster named no, or the other way round: "
        "count the answers themselves (inbedder answer)"
    )
