from __future__ import annotations

import json

import pytest

from inbedder_cli.diagnostics.baseline import BASELINE_INSTRUCTION
from inbedder_cli.errors import InputError
from inbedder_cli.evaluation.results_cache import ResultsCache, read_results_cache
from inbedder_cli.evaluation.runner import evaluate
from inbedder_cli.evaluation.settings import EvaluateOptions, Part, ProtocolName
from inbedder_cli.evaluation.suites import read_folder
from inbedder_cli.options import Pooling
from tests.evaluation.conftest import WordEncoder, as_contestant

FAST = {"seeds": 2, "n_init": 1}


@pytest.fixture
def suite(suite_folder):
    return read_folder(suite_folder)


def run(suite, *models_under_test, journal=None, **options):
    return evaluate(suite, models_under_test, EvaluateOptions(**(FAST | options)), journal)


def test_the_blind_model_stands_beside_each_model(suite):
    encoder = WordEncoder()
    question, baseline = run(suite, as_contestant(encoder)).columns
    assert (question.asked, baseline.asked) == ("question", "baseline")
    assert question.value("mean V-measure") == pytest.approx(1)
    assert baseline.value("mean V-measure") < 0.7
    assert question.value("mean of triplets, both goals") == 1
    assert baseline.value("mean of triplets, both goals") == 0
    assert question.value("V-measure, all views", "pets") == pytest.approx(1)
    assert question.value("mean gap correct - incorrect") == pytest.approx(1, abs=0.01)
    assert baseline.value("mean gap correct - incorrect") is None
    half = len(encoder.asked) - next(
        i for i, (instruction, _, _) in enumerate(encoder.asked) if instruction == BASELINE_INSTRUCTION
    )
    assert {instruction for instruction, _, _ in encoder.asked[-half:]} == {BASELINE_INSTRUCTION}


def test_a_model_that_reads_no_question_is_its_own_blind_one(suite):
    (column,) = run(suite, as_contestant(WordEncoder(), asked=False, inner=False)).columns
    assert (column.asked, column.layer) == ("text alone", "")


def test_models_layers_and_readouts_stand_side_by_side(suite):
    encoder, other = WordEncoder(), WordEncoder()
    poolings = (Pooling.first_token, Pooling.prompt_mean)
    one, two = as_contestant(encoder), as_contestant(other, "other", inner=False)
    result = run(suite, one, two, layers=(1, 3), poolings=poolings, parts=(Part.clustering,))
    assert [(c.name, c.layer, c.pooling, c.asked) for c in result.columns] == [
        ("words", layer, pooling, asked)
        for pooling in ("first-token", "prompt-mean")
        for layer in ("1", "3")
        for asked in ("question", "baseline")
    ] + [("other", "", "first-token", asked) for asked in ("question", "baseline")]
    assert {(o.layer, o.pooling) for _, _, o in encoder.asked} == {(la, r) for la in (1, 3) for r in poolings}
    assert {(o.layer, o.pooling, o.answers) for _, _, o in other.asked} == {(None, None, False)}


def test_parts_can_be_chosen(suite):
    def metrics(*parts):
        columns = run(suite, as_contestant(WordEncoder()), parts=parts).columns
        return {figure.metric for figure in columns[0].figures}

    assert metrics(Part.clustering) == {"V-measure", "ARI", "NMI", "purity", "mean V-measure"}
    assert metrics(Part.sts) == {"Spearman"}
    assert {"triplet success", "V-measure, all views"} < metrics(Part.awareness)
    assert not {"ARI", "mean V-measure"} & metrics(Part.awareness)
    with pytest.raises(InputError, match="has no tasks for reranking"):
        metrics(Part.reranking)


def test_the_papers_protocol_cuts_prompts_at_512_tokens(suite):
    encoder = WordEncoder()
    columns = run(suite, as_contestant(encoder), protocol=ProtocolName.paper, max_tokens=99).columns
    assert {options.max_tokens for _, _, options in encoder.asked} == {512}
    assert columns[0].figures[0].std is None


def test_goemotions_tasks_are_also_left_out_of_a_second_mean(suite_folder):
    (suite_folder / "pets.jsonl").rename(suite_folder / "goemotions.jsonl")
    tasks = json.loads((suite_folder / "tasks.json").read_text())
    (suite_folder / "tasks.json").write_text(json.dumps([t | {"file": "goemotions.jsonl"} for t in tasks]))
    column = run(read_folder(suite_folder), as_contestant(WordEncoder())).columns[0]
    assert column.value("mean V-measure") == pytest.approx(1)
    assert column.value("mean V-measure without goemotions") is None


class Stopping(WordEncoder):
    """Is interrupted at its nth reading."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def encode(self, *arguments):
        if len(self.asked) == self.after:
            raise KeyboardInterrupt
        return super().encode(*arguments)


def test_a_run_goes_on_where_it_stopped(suite, tmp_path):
    path = tmp_path / "scores.jsonl"
    whole = run(suite, as_contestant(WordEncoder()))
    with pytest.raises(KeyboardInterrupt):
        run(suite, as_contestant(Stopping(3)), journal=read_results_cache(path))
    done = len(path.read_text().splitlines())
    assert done > 0
    assert run(suite, as_contestant(WordEncoder()), journal=read_results_cache(path)) == whole
    assert len(path.read_text().splitlines()) > done

    def never():
        raise AssertionError("loaded, though all is there")

    again = run(suite, as_contestant(None, load=never), journal=read_results_cache(path))
    assert again == whole


CHANGES = [
    ({}, {"limit": 30}),
    ({}, {"seeds": 3}),
    ({}, {"n_init": 2}),
    ({}, {"max_tokens": 64}),
    ({}, {"protocol": ProtocolName.paper}),
    ({}, {"layers": (1,)}),
    ({}, {"poolings": (Pooling.answer_mean,)}),
    ({"revision": "other"}, {}),
    ({"template": "chat"}, {}),
    ({"number_format": "float16"}, {}),
]


@pytest.mark.parametrize(("model", "options"), CHANGES)
def test_scores_of_other_settings_are_not_taken(suite, model, options):
    journal, encoder = ResultsCache(), WordEncoder()
    run(suite, as_contestant(WordEncoder()), journal=journal, parts=(Part.clustering,))
    run(suite, as_contestant(encoder, **model), journal=journal, **({"parts": (Part.clustering,)} | options))
    assert encoder.asked


def test_a_changed_task_is_measured_anew(suite_folder):
    journal, encoder = ResultsCache(), WordEncoder()
    run(read_folder(suite_folder), as_contestant(WordEncoder()), journal=journal, parts=(Part.clustering,))
    tasks = json.loads((suite_folder / "tasks.json").read_text())
    tasks[0]["instruction"] = "Of which colour is it?"
    (suite_folder / "tasks.json").write_text(json.dumps(tasks))
    run(read_folder(suite_folder), as_contestant(encoder), journal=journal, parts=(Part.clustering,))
    assert [instruction for instruction, _, _ in encoder.asked] == ["Of which colour is it?", BASELINE_INSTRUCTION]


def test_a_line_cut_short_is_dropped_and_foreign_files_are_refused(suite, tmp_path):
    path = tmp_path / "scores.jsonl"
    run(suite, as_contestant(WordEncoder()), journal=read_results_cache(path), parts=(Part.sts,))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:50])
    assert len(read_results_cache(path).entries) == 2
    assert path.read_bytes() == whole
    for number, content in ((1, b"text,label\n"), (1, b"one word"), (2, whole.split(b"\n")[0] + b"\n{}\n")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"line {number}: is not a line of scores"):
            read_results_cache(path)
        assert path.read_bytes() == content
