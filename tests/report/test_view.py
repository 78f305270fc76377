"""What every view says of a result: words, thresholds and order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbedder_cli.clustering import NOISE, KScore, KSelection
from inbedder_cli.diagnostics.baseline import BaselineAgreement
from inbedder_cli.diagnostics.crosstab import crosstab
from inbedder_cli.diagnostics.drift import Drift, DriftReport
from inbedder_cli.diagnostics.groupings import Grouping
from inbedder_cli.explanation.labels import LabelCheck
from inbedder_cli.explanation.phrases import Phrase
from inbedder_cli.explanation.summaries import UNANSWERED, AnswerShare, ClusterSummary
from inbedder_cli.report.crosstab_view import association
from inbedder_cli.report.drift_view import drift_line, drift_lines
from inbedder_cli.report.page_view import effect_sentence
from inbedder_cli.report.view import (
    baseline_line,
    closing_lines,
    cluster_marks,
    cluster_views,
    percent,
    phrases_heading,
    printable,
    truncate,
)
from inbedder_cli.results import RowStatus
from tests.report.results import a_result, doubtful_result

few_examples = settings(deadline=None, max_examples=30)


def test_the_last_lines_tell_what_was_left_out():
    lines = closing_lines(a_result())
    assert lines[0] == "4 clusters found by HDBSCAN (min_cluster_size 5)"
    assert lines[-1] == "32 of 40 rows are in clusters; 1 empty, 6 noise, 1 failed"


def test_nothing_left_out_is_not_mentioned():
    result = replace(a_result(), status=[RowStatus.ok] * 40)
    assert closing_lines(result)[-1] == "40 rows, all in clusters"


def test_the_last_lines_tell_that_k_was_given():
    assert closing_lines(a_result(algorithm="kmeans"))[0] == "k = 4 as asked"


def test_the_last_lines_tell_why_k_was_chosen_and_what_is_doubtful():
    scores = {3: KScore(0.6, 0.8, 0.7, 0.87), 4: KScore(0.7, 0.9, 0.73, 0.91), 5: KScore(0.6, 0.8, 0.8, 1)}
    lines = closing_lines(a_result(algorithm="kmeans", choice=KSelection(4, scores, 38, True, k_max=5)))
    assert lines[:3] == [
        "k = 4 chosen from 2 to 20: the fewest near the best score, that of k = 5; "
        "silhouette 0.70, stability 0.90, agreement with the answers 0.73 (see them all: inbedder tune)",
        "k = 4 is hardly better than 3: see also -k 3",
        "k = 5 is the largest that was tried, and the best may lie beyond it: raise --k-max",
    ]


def test_the_last_lines_tell_which_k_is_the_best_without_answers():
    choice = KSelection(4, {3: KScore(0.5, 0.8, None, 0.71), 4: KScore(0.7, 0.9, None, 1)}, 38)
    line = closing_lines(a_result(algorithm="kmeans", choice=choice))[0]
    why = "the best score; silhouette 0.70, stability 0.90 (see them all: inbedder tune)"
    assert line == f"k = 4 chosen from 2 to 20: {why}"


def test_the_last_lines_tell_of_much_noise_and_of_clusters_answered_alike():
    result = a_result()
    merged = replace(result.clustering, numbers=np.array([0, 1, 2, 2, 3]))
    summaries = [replace(s, share=0.5) if s.cluster == NOISE else s for s in result.summaries]
    lines = closing_lines(replace(result, clustering=merged, summaries=summaries))
    assert lines[:3] == [
        "5 clusters found by HDBSCAN (min_cluster_size 5)",
        "50% of the rows are noise: lower --min-cluster-size (now 5), or use kmeans",
        "5 clusters became 4: clusters answered alike were merged",
    ]
    alike = a_result(algorithm="kmeans")
    alike = replace(alike, clustering=replace(alike.clustering, alike=[[0, 2, 3]]))
    assert closing_lines(alike)[:2] == [
        "k = 4 as asked",
        "clusters 0, 2 and 3 are answered alike: a smaller k would join them",
    ]


def test_the_share_of_noise_is_the_one_of_the_table():
    # Of 40 rows 13 do not answer; 14 of the 27 that were clustered are noise.
    noise = replace(a_result().summaries[-1], label="(noise)", size=14, share=14 / 40)
    clustering = replace(a_result().clustering, labels=np.array([0] * 13 + [-1] * 14))
    result = replace(a_result(), clustering=clustering, summaries=[*a_result().summaries[:-1], noise])
    shown = cluster_views(result)[-1].share
    assert shown == "35%"
    assert f"{shown} of the rows are noise: lower --min-cluster-size (now 5), or use kmeans" in closing_lines(
        result
    )


def test_the_last_lines_tell_when_no_k_stands_out():
    choice = KSelection(4, {3: KScore(0.04, 0.9), 4: KScore(0.05, 0.9, score=1)}, 38)
    lines = closing_lines(a_result(algorithm="kmeans", choice=choice))
    assert any("no k stands out" in line for line in lines)


def test_the_last_lines_tell_when_there_was_no_choice():
    line = closing_lines(a_result(algorithm="kmeans", choice=KSelection(4, {}, 38)))[0]
    assert line == "k = 4 chosen from 2 to 20: too few different rows to compare"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (1e-9, "<1%"), (0.004, "<1%"), (0.006, "1%"), (0.256, "26%"), (0.5, "50%"), (1, "100%")],
)
def test_a_share_is_whole_per_cent(share, text):
    assert percent(share) == text


@pytest.mark.parametrize("rows", [199, 200, 201, 1000, 2000])
def test_something_is_never_rounded_to_nothing(rows):
    assert percent(1 / rows) != "0%"


@few_examples
@given(text=st.text("ab c", max_size=30), room=st.integers(1, 40))
def test_a_shortened_text_fits_its_room(text, room):
    found = truncate(text, room)
    assert len(found) <= room
    assert found == text or (found.endswith("…") and text.startswith(found[:-1]))
    assert (found == text) == (len(text) <= room)


@pytest.mark.parametrize(
    ("text", "room", "found"),
    [
        ("one two three", 13, "one two three"),
        ("one two three", 12, "one two…"),
        ("onetwothree", 5, "onet…"),
        ("", 5, ""),
    ],
)
def test_texts_are_cut_at_a_word(text, room, found):
    assert truncate(text, room) == found


@few_examples
@given(text=st.text(st.characters(codec="utf-8"), max_size=20))
def test_printable_text_is_one_line_without_control_characters(text):
    found = printable(text)
    assert found == "" or found.isprintable()
    assert found == " ".join(found.split())


def test_printable_text_keeps_what_can_be_read():
    assert printable(" a\tb\n\n c é☺ [x] \x1b[31m") == "a b c é☺ [x] [31m"


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


def test_the_last_lines_tell_how_many_clusters_are_unstable():
    lines = closing_lines(doubtful_result())
    line = "1 of 4 clusters is unstable: it is not found again in random halves of the data (1: in all of them)"
    assert line in lines
    several = [replace(s, stability=0.4) for s in a_result().summaries[:2]]
    result = replace(a_result(), summaries=[*several, *a_result().summaries[2:]])
    assert any(line.startswith("2 of 4 clusters are unstable: they are not") for line in closing_lines(result))
    assert not any("unstable" in line for line in closing_lines(a_result()))


def test_the_last_lines_tell_what_the_figure_of_a_weak_label_means():
    (line,) = (line for line in closing_lines(doubtful_result()) if "weak" in line)
    assert line.startswith("1 of 4 labels is weak: it hardly tells its rows from others (0: not at all, 1: fully")
    assert "docs/trust.md" in line
    assert not any("weak" in line for line in closing_lines(a_result()))


def test_one_row_is_told_in_the_singular():
    few = replace(a_result().corpus, texts=["a", "b"], ids=["0", "1"])
    result = replace(a_result(), corpus=few, status=[RowStatus.ok, RowStatus.noise])
    assert closing_lines(result)[-1] == "1 of 2 rows is in clusters; 1 noise"
    one = replace(few, texts=["a"], ids=["0"])
    assert closing_lines(replace(result, corpus=one, status=[RowStatus.ok]))[-1] == "1 row, all in clusters"


def test_where_all_rows_are_noise_a_way_out_is_named():
    everything = replace(a_result().summaries[-1], size=38, share=1.0)
    assert "every row is noise: lower --min-cluster-size (now 5), or use kmeans" in closing_lines(
        replace(a_result(), summaries=[everything])
    )


@pytest.mark.parametrize(("ami", "shown"), [(-0.01, "0.00"), (0.3, "0.30"), (0.5, "0.50"), (1, "1.00")])
def test_the_agreement_with_a_neutral_question_is_reported(ami, shown):
    line = baseline_line(BaselineAgreement(ami, 1500))
    assert f"agreement with the clusters of a neutral question: {shown}" in line
    assert "1,500 rows" in line
    assert ("the question changed little" in line) == (ami >= 0.5)
    assert line in closing_lines(replace(a_result(), baseline=BaselineAgreement(ami, 1500)))


@pytest.mark.parametrize(
    ("ami", "said"),
    [(0.1, "The question made these"), (0.46, "partly the same"), (0.5, "The question changed little")],
)
def test_the_report_says_in_words_how_far_the_question_mattered(ami, said):
    sentence = effect_sentence(replace(a_result(), baseline=BaselineAgreement(ami, 150)))
    assert said in sentence
    assert f"{ami:.2f} of 1" in sentence


def test_a_question_is_not_called_useless_where_the_texts_divide_by_its_answers_anyway():
    assert baseline_line(BaselineAgreement(1.0, 60, 0.9)).startswith(
        "the question changed little, as the texts divide"
    )
    assert baseline_line(BaselineAgreement(1.0, 60, 0.1)).startswith("the question changed little: ")
    assert baseline_line(BaselineAgreement(0.2, 60, 0.9)).startswith("agreement with the clusters")


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


def test_that_all_clusters_are_answered_alike_is_not_said_by_their_numbers():
    result = a_result(algorithm="kmeans")
    alike = replace(result, clustering=replace(result.clustering, alike=[[0, 1, 2, 3]]))
    assert closing_lines(alike)[1] == "all clusters are answered alike"


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
