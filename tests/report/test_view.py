"""What every view says of a result: words, thresholds and order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings

from inbedder_cli.diagnostics.baseline import BaselineAgreement
from inbedder_cli.diagnostics.crosstab import crosstab
from inbedder_cli.diagnostics.drift import Drift, DriftReport
from inbedder_cli.diagnostics.groupings import Grouping
from inbedder_cli.embeddings import RowStatus
from inbedder_cli.explanation.labels import LabelCheck
from inbedder_cli.explanation.phrases import Phrase
from inbedder_cli.explanation.summaries import UNANSWERED, AnswerShare, ClusterSummary
from inbedder_cli.report.crosstab_view import association
from inbedder_cli.report.drift_view import drift_line, drift_lines
from inbedder_cli.report.page_view import effect_sentence
from inbedder_cli.report.view import cluster_marks, cluster_views, phrases_heading
from tests.report.results import a_result

few_examples = settings(deadline=None, max_examples=30)


def test_the_clusters_come_first_then_noise_then_unanswered_rows():
    unanswered = ClusterSummary(
        UNANSWERED, "(no clear answer)", 3, 0.1, answers=[AnswerShare("", 0.6), AnswerShare("n/a", 0.4)]
    )
    views = cluster_views(replace(a_result(), unanswered=unanswered))
    assert [view.number for view in views] == ["0", "1", "2", "3", "", ""]
    assert [view.is_outside for view in views] == [False] * 4 + [True] * 2
    assert views[0].answers == ["slow delivery 75%"]
    assert (views[0].rows, views[0].share, views[0].example_id, views[0].example) == (
        "8",
        "21%",
        "id0",
        "Nothing came.",
    )
    assert views[5].answers == ["(empty) 60%", "n/a 40%"]
    assert (views[5].example_id, views[5].example) == ("", "")


@pytest.mark.parametrize(
    ("stability", "marks"), [(None, []), (0.5, ["unstable 0.50"]), (0.594, ["unstable 0.59"]), (0.596, [])]
)
def test_a_cluster_is_unstable_by_the_digits_that_are_shown(stability, marks):
    assert cluster_marks(ClusterSummary(0, "refund", 8, 0.2, stability=stability)) == marks


@pytest.mark.parametrize(
    ("ami", "said"),
    [(0.1, "The question made these"), (0.46, "partly the same"), (0.5, "The question changed little")],
)
def test_the_report_says_in_words_how_far_the_question_mattered(ami, said):
    sentence = effect_sentence(replace(a_result(), baseline=BaselineAgreement(ami, 150)))
    assert said in sentence
    assert f"{ami:.2f} of 1" in sentence


def test_the_table_shows_the_most_frequent_answers_and_what_sets_them_apart_under_its_own_heading():
    summary = ClusterSummary(
        0,
        "angry",
        50,
        0.9,
        [
            Phrase("neutral", 0.02, 3, 1),
            Phrase("angry", 0.98, 1, 0.5),
            Phrase("very late", 0.2, 4, 2),
            Phrase("branch hanging", 0.3, 4, 2),  # hardly more than the answer that it is a part of
            Phrase("phone", 0.6, 4, 2),  # much more than any answer that it is a part of
        ],
        answers=[
            AnswerShare("angry", 0.98),
            AnswerShare("neutral", 0.02),
            AnswerShare("branch hanging loose", 0.28),
            AnswerShare("desk phone", 0.2),
        ],
    )
    views = cluster_views(replace(a_result(), summaries=[summary]))
    assert views[0].answers[:2] == ["angry 98%", "neutral 2%"]
    assert views[0].phrases == ["very late 20%", "phone 60%"]
    assert phrases_heading(views) == "distinctive"
    assert phrases_heading(cluster_views(a_result())) == ""


def test_phrases_get_a_column_where_the_answers_do_not_show_them():
    summary = ClusterSummary(
        0, "late", 9, 0.2, [Phrase("late", 0.9, 3, 1)], answers=[AnswerShare("late parcel", 0.9)]
    )
    other = replace(summary, phrases=[Phrase("slow", 0.5, 3, 1)])
    assert cluster_views(replace(a_result(), summaries=[summary]))[0].phrases == []
    for n_with, heading in [(1, ""), (2, "distinctive")]:
        views = cluster_views(replace(a_result(), summaries=[other] * n_with + [summary] * (6 - n_with)))
        assert phrases_heading(views) == heading


def test_a_label_is_marked_that_hardly_describes_its_cluster_or_describes_the_others_too():
    weak = ClusterSummary(0, "x", 5, 0.5, check=LabelCheck(0.2, 0.4, 0.21, 0.1), label_is_weak=True)
    assert cluster_marks(weak) == ["weak label 0.21"]
    common = replace(weak, check=LabelCheck(0.5, 0.4, 0.45, 0.6))
    assert cluster_marks(common) == ["weak label: as frequent elsewhere"]
    assert cluster_marks(replace(weak, label_is_weak=False)) == []
    assert cluster_marks(replace(weak, check=None)) == ["weak label: no common answer"]


def test_the_association_of_groupings_is_named_by_its_size():
    values = ["a", "b"] * 30
    assert association(crosstab(Grouping("x", values), Grouping("y", values))).startswith(
        "strong association: Cram"
    )
    unrelated = crosstab(Grouping("x", values), Grouping("y", ["c", "c", "d", "d"] * 15))
    assert association(unrelated) == (
        "no association beyond chance: chi-squared p = 1.000, corrected for all tables p = 1.000, 60 rows"
    )


def test_lines_of_drift_say_what_to_do_with_rows_of_another_kind_and_account_for_all():
    statuses = {RowStatus.ok: 14, RowStatus.no_answer: 2}
    like, unlike = (drift_lines(DriftReport([], 16, n, statuses)) for n in (1, 9))
    assert like[1:] == ["14 of 16 rows are in clusters; 2 no-answer"]
    assert unlike[0].endswith("9 of 16 rows are novel (56%)")
    assert unlike[1].startswith("these rows differ from those that were clustered: cluster them anew")


def test_drift_is_reported_in_one_line():
    moved = Drift(0, "refund", 0.5, 0.25, 0.1, 0.4, 0.001)
    still = Drift(1, "kind staff", 0.5, 0.75, 0.6, 0.9, 0.2)
    line = drift_line(DriftReport([moved, still], 20, 1, {}))
    assert line == "changed shares: refund 50% -> 25%; 1 of 20 rows are novel (5%)"
    assert (
        drift_line(DriftReport([still], 0, 0, {})) == "no share changed significantly; 0 of 0 rows are novel (0%)"
    )
