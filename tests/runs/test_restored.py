"""A saved run gives the results that it was made of, with the user's names, and the same report."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace

import msgspec
import numpy as np
import pytest

from inbedder_cli import analyze, read_corpus
from inbedder_cli.clustering import KScore, KSelection
from inbedder_cli.clustering.select_k import select_from
from inbedder_cli.errors import InputError
from inbedder_cli.options import ClusterOptions, EncodeOptions, ExplainOptions, ReportOptions, UnansweredOptions
from inbedder_cli.report.closing_lines import closing_lines, unstable_line
from inbedder_cli.report.command import command_of
from inbedder_cli.report.page import page
from inbedder_cli.runs.repeating import how_to_repeat
from inbedder_cli.runs.restored import restore_analysis
from inbedder_cli.runs.saved_run import SavedQuestion, estimator_parameters, load_run
from inbedder_cli.runs.schema import Encoding, Explanation, Settings, Unanswered
from inbedder_cli.runs.writer import save_run
from tests.report.feedback import MoodEncoder, feedback, feedback_analysis


@pytest.fixture(scope="module")
def analysis():
    return feedback_analysis()


@pytest.fixture
def run(analysis, tmp_path):
    save_run(tmp_path / "run", analysis)
    return tmp_path / "run"


def test_the_results_are_those_that_were_saved(analysis, run):
    again = restore_analysis(load_run(run))
    assert list(again.results) == list(analysis.results)
    for result, saved in zip(analysis, again, strict=True):
        assert saved.labels == result.labels
        assert saved.names == result.names
        assert saved.status == result.status
        assert saved.embeddings.answers == result.embeddings.answers
        assert closing_lines(saved) == closing_lines(result)
        assert [(s.label, s.size, s.answers) for s in saved.summaries] == [
            (s.label, s.size, s.answers) for s in result.summaries
        ]
        assert saved.unanswered.size == result.unanswered.size
    assert [table.counts.tolist() for table in again.crosstabs] == [t.counts.tolist() for t in analysis.crosstabs]
    assert again.columns == analysis.columns


def test_the_report_is_the_same_but_for_rounding(analysis, run):
    def digits_less(content: bytes) -> str:
        return re.sub(r"\d+(\.\d+)?%|0\.\d+", "#", content.decode())

    options = ReportOptions(date="day", color_by=("region",))
    again = restore_analysis(load_run(run))
    assert digits_less(page(again, options)) == digits_less(page(analysis, options))
    assert page(restore_analysis(load_run(run)), options) == page(again, options)


def test_renames_and_merges_are_used(analysis, run):
    (run / "names.txt").write_text("mood 0 = bliss\nmood 2 -> 1\n", encoding="utf-8")
    result = restore_analysis(load_run(run))["mood"]
    before = analysis["mood"]
    sizes = [summary.size for summary in before.summaries]
    assert [(s.cluster, s.size) for s in result.summaries] == [(1, sizes[1] + sizes[2]), (0, sizes[0])]
    assert result.summaries[1].label == "bliss"
    shaken = replace(result, summaries=[replace(summary, stability=0.1) for summary in result.summaries])
    assert unstable_line(shaken).startswith("2 of 2 clusters")
    merged = {a.text: a.share for a in result.summaries[0].answers}
    assert sum(merged.values()) == pytest.approx(1)
    assert result.labels.count(1) == sizes[1] + sizes[2]
    crossed = next(t for t in result.crosstabs if t.column_name == "region")
    assert set(crossed.rows) == {"bliss", before.summaries[1].label}
    assert b"bliss" in page(restore_analysis(load_run(run)))


def test_only_columns_that_the_run_kept_can_be_shown(run):
    again = restore_analysis(load_run(run))
    assert again.corpus.table.column_names == ["rating", "region", "day"]
    with pytest.raises(InputError, match='no column "text"'):
        page(again, ReportOptions(color_by=("text",)))


def test_a_damaged_map_is_refused(run):
    from safetensors.numpy import load, save

    from inbedder_cli.models.convert import file_sha256

    arrays = load((run / "run.safetensors").read_bytes())
    arrays["mood/map/places"] = np.zeros((3, 3), np.float32)
    before = file_sha256(run / "run.safetensors")
    (run / "run.safetensors").write_bytes(save(arrays))
    manifest = (run / "run.json").read_text(encoding="utf-8")
    (run / "run.json").write_text(manifest.replace(before, file_sha256(run / "run.safetensors")), encoding="utf-8")
    with pytest.raises(InputError, match="the map has arrays of shapes"):
        load_run(run)


def test_a_k_that_few_rows_cap_is_told_again(analysis, tmp_path):
    result = analysis["mood"]
    scores = {k: KScore(0.5, 0.5, agreement=k / 10) for k in range(3, 8)}
    choice = select_from(scores, 15)
    assert choice.is_capped
    capped = replace(result, clustering=replace(result.clustering, choice=choice))
    save_run(tmp_path / "capped", replace(analysis, results=analysis.results | {"mood": capped}))
    again = restore_analysis(load_run(tmp_path / "capped"))["mood"]
    assert closing_lines(again) == closing_lines(capped)
    assert any("fewer than 5 rows" in line for line in closing_lines(again))


@pytest.mark.parametrize(
    "choice",
    [
        select_from({k: KScore(0.01, 0.1, agreement=0.02) for k in range(2, 5)}, 90),  # the silhouette decided
        KSelection(1, {}, 90, k_max=20),  # too few different rows to compare
    ],
)
def test_how_k_was_selected_is_told_again(analysis, tmp_path, choice):
    result = analysis["mood"]
    options = replace(result.clustering.options, k=choice.k)
    chosen = replace(result, clustering=replace(result.clustering, choice=choice, options=options))
    save_run(tmp_path / "run", replace(analysis, results=analysis.results | {"mood": chosen}))
    assert closing_lines(restore_analysis(load_run(tmp_path / "run"))["mood"]) == closing_lines(chosen)


def test_a_selected_k_is_selected_again(analysis, tmp_path):
    result = analysis["mood"]
    choice = select_from({k: KScore(0.5, 0.5, agreement=k / 10) for k in range(2, 6)}, 90)
    selected = replace(result, clustering=replace(result.clustering, choice=choice))
    save_run(tmp_path / "run", replace(analysis, results=analysis.results | {"mood": selected}))
    run = load_run(tmp_path / "run")
    of_a_file = msgspec.structs.replace(run.manifest, source="feedback.csv")
    assert "-k auto -k 2" in how_to_repeat(of_a_file, tmp_path)
    numbers = [estimator_parameters(run, question)["n_clusters"] for question in run.questions.values()]
    assert numbers == ["auto", 2]
    assert estimator_parameters(run, SavedQuestion.of(selected))["n_clusters"] == "auto"


def test_the_hint_of_a_damaged_run_makes_the_same_clusters_again(tmp_path):
    path = tmp_path / "feedback.tsv"
    feedback(60)[13:].to_csv(path, index=False, sep=";")
    corpus = read_corpus(str(path), text="text", id_column="id", delimiter=";", input_format="csv")
    made = analyze(
        corpus,
        "What is the mood?",
        MoodEncoder(),
        encode_options=EncodeOptions(max_tokens=99),
        cluster_options=ClusterOptions(k=2, seed=7, stability=False),
        unanswered_options=UnansweredOptions(min_confidence=0.2),
        explain_options=ExplainOptions("none", exemplars=2),
        by=["day:month"],
        baseline=False,
    )
    save_run(tmp_path / "run", made)
    hint = how_to_repeat(load_run(tmp_path / "run").manifest, tmp_path / "run")
    assert hint == f"save the run again: {command_of(made)} --save {tmp_path / 'run'} --force"
    for words in ("--delimiter ';'", "--id id", "--seed 7", "--min-confidence 0.2", "--stop-words none"):
        assert words in hint


def test_a_run_of_a_frame_has_no_command(analysis, tmp_path):
    save_run(tmp_path / "run", analysis)
    assert how_to_repeat(load_run(tmp_path / "run").manifest, tmp_path) == "save the run again: cluster --save"


def test_what_was_merged_has_no_weak_label_and_is_the_nearest_of_its_borderline_rows(analysis, tmp_path):
    result = analysis["mood"]
    row = replace(result.summaries[0].exemplars[0], nearest=2)
    weak = [replace(s, label_is_weak=True, borderline=[row]) for s in result.summaries]
    save_run(
        tmp_path / "run", replace(analysis, results=analysis.results | {"mood": replace(result, summaries=weak)})
    )
    (tmp_path / "run" / "names.txt").write_text("mood 2 -> 1\n", encoding="utf-8")
    summaries = {s.cluster: s for s in restore_analysis(load_run(tmp_path / "run"))["mood"].summaries}
    assert (summaries[0].label_is_weak, summaries[1].label_is_weak) == (True, False)
    assert [row.nearest for row in summaries[0].borderline] == [1]


def test_a_cluster_of_more_rows_than_were_read_is_refused(tmp_path):
    corpus = read_corpus(["The room was lovely, the train was broken.", "scary room, lovely staff"] * 9)
    options = ClusterOptions(k=2, stability=False)
    made = analyze(corpus, "What is the mood?", MoodEncoder(), cluster_options=options, multi=True, baseline=False)
    save_run(tmp_path / "run", made)
    file = tmp_path / "run" / "run.json"
    manifest = json.loads(file.read_text())
    manifest["clusters"][0]["size"] = 1000
    file.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="more rows than were read"):
        load_run(tmp_path / "run")


def test_texts_in_indonesian_can_be_saved(analysis, tmp_path):
    result = analysis["mood"]
    unread = replace(result, embeddings=replace(result.embeddings, unread_languages={"id": 0.9}))
    save_run(tmp_path / "run", replace(analysis, results=analysis.results | {"mood": unread}))
    assert load_run(tmp_path / "run").manifest.questions["mood"].unread_languages == {"id": 0.9}


def test_settings_of_a_run_are_all_options():
    for saved, options in (
        (Settings, ClusterOptions),
        (Encoding, EncodeOptions),
        (Unanswered, UnansweredOptions),
        (Explanation, ExplainOptions),
    ):
        assert list(saved.__struct_fields__) == [field.name for field in fields(options)]


@pytest.mark.parametrize(
    ("questions", "by", "shown"),
    [
        ("What is the mood?", ["day:month", "day:quarter"], []),
        ("What is the mood?", ["day:quarter", "day"], ["day:month", "rating"]),
        ({"mood": "What is the mood?", "region": "Where was it?"}, [], ["region"]),
        ("What is the mood?", ["details.shop", "details.tags[0]"], []),
    ],
)
def test_cross_tables_are_those_that_were_saved(tmp_path, questions, by, shown):
    frame = feedback(60)
    frame["details"] = [{"shop": f"shop {i % 3}", "tags": [f"tag {i % 2}"]} for i in range(len(frame))]
    corpus = read_corpus(frame, text="text", id_column="id")
    options = ClusterOptions(k=2, stability=False)
    made = analyze(corpus, questions, MoodEncoder(), cluster_options=options, by=by, baseline=False)
    save_run(tmp_path / "run", replace(made, columns=(*by, *shown)))
    again = restore_analysis(load_run(tmp_path / "run"))
    assert again.columns == (*by, *shown)
    for found, expected in ((again.crosstabs, made.crosstabs), (again.result.crosstabs, made.result.crosstabs)):
        assert [(t.row_name, t.column_name, t.columns, t.counts.tolist()) for t in found] == [
            (t.row_name, t.column_name, t.columns, t.counts.tolist()) for t in expected
        ]
    assert command_of(again) == command_of(made)
    assert page(again)
