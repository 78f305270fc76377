from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from inbedder_cli.diagnostics.baseline import BASELINE_INSTRUCTION
from inbedder_cli.errors import InputError
from inbedder_cli.evaluation.models_under_test import model_under_test
from inbedder_cli.evaluation.results_cache import ResultsCache, read_results_cache
from inbedder_cli.evaluation.runner import evaluate
from inbedder_cli.evaluation.settings import EvaluateOptions, Part, ProtocolName
from inbedder_cli.evaluation.suites import read_folder
from inbedder_cli.options import Pooling
from tests.evaluation.conftest import WordEncoder, as_model

FAST = {"seeds": 2, "n_init": 1}


@pytest.fixture
def suite(suite_folder):
    return read_folder(suite_folder)


def run(suite, *models, cache=None, **options):
    return evaluate(suite, models, EvaluateOptions(**(FAST | options)), cache)


def test_each_model_has_its_baseline_beside_it(suite):
    encoder = WordEncoder()
    question, baseline = run(suite, as_model(encoder)).results
    assert (question.instruction, baseline.instruction) == ("question", "baseline")
    assert question.value("mean V-measure") == pytest.approx(1)
    assert baseline.value("mean V-measure") < 0.7
    assert question.value("mean of triplets, both goals") == 1
    assert baseline.value("mean of triplets, both goals") == 0
    assert question.value("V-measure, all views", "pets") == pytest.approx(1)
    assert question.value("mean gap correct - incorrect") == pytest.approx(1, abs=0.01)
    assert baseline.value("mean gap correct - incorrect") is None
    half = len(encoder.calls) - next(
        i for i, (instruction, _, _) in enumerate(encoder.calls) if instruction == BASELINE_INSTRUCTION
    )
    assert {instruction for instruction, _, _ in encoder.calls[-half:]} == {BASELINE_INSTRUCTION}


def test_a_model_that_takes_no_instruction_is_its_own_baseline(suite):
    (result,) = run(suite, as_model(WordEncoder(), takes_instruction=False, has_layers=False)).results
    assert (result.instruction, result.layer) == ("text alone", "")


def test_models_layers_and_poolings_stand_side_by_side(suite):
    encoder, other = WordEncoder(), WordEncoder()
    poolings = (Pooling.first_token, Pooling.prompt_mean)
    one, two = as_model(encoder), as_model(other, "other", has_layers=False)
    result = run(suite, one, two, layers=(1, 3), poolings=poolings, parts=(Part.clustering,))
    assert [(c.name, c.layer, c.pooling, c.instruction) for c in result.results] == [
        ("words", layer, pooling, instruction)
        for pooling in ("first-token", "prompt-mean")
        for layer in ("1", "3")
        for instruction in ("question", "baseline")
    ] + [("other", "", "first-token", instruction) for instruction in ("question", "baseline")]
    assert {(o.layer, o.pooling) for _, _, o in encoder.calls} == {(la, r) for la in (1, 3) for r in poolings}
    assert {(o.layer, o.pooling, o.answers) for _, _, o in other.calls} == {(None, None, False)}


def test_parts_can_be_chosen(suite):
    def metrics(*parts):
        results = run(suite, as_model(WordEncoder()), parts=parts).results
        return {score.metric for score in results[0].scores}

    assert metrics(Part.clustering) == {"V-measure", "ARI", "NMI", "purity", "mean V-measure"}
    assert metrics(Part.sts) == {"Spearman"}
    assert {"triplet success", "V-measure, all views"} < metrics(Part.awareness)
    assert not {"ARI", "mean V-measure"} & metrics(Part.awareness)
    with pytest.raises(InputError, match="has no tasks for reranking"):
        metrics(Part.reranking)


def test_the_papers_protocol_cuts_prompts_at_512_tokens(suite):
    encoder = WordEncoder()
    results = run(suite, as_model(encoder), protocol=ProtocolName.paper, max_tokens=99).results
    assert {options.max_tokens for _, _, options in encoder.calls} == {512}
    assert results[0].scores[0].std is None


def test_goemotions_tasks_are_also_left_out_of_a_second_mean(suite_folder):
    (suite_folder / "pets.jsonl").rename(suite_folder / "goemotions.jsonl")
    tasks = json.loads((suite_folder / "tasks.json").read_text())
    (suite_folder / "tasks.json").write_text(json.dumps([t | {"file": "goemotions.jsonl"} for t in tasks]))
    result = run(read_folder(suite_folder), as_model(WordEncoder())).results[0]
    assert result.value("mean V-measure") == pytest.approx(1)
    assert result.value("mean V-measure without goemotions") is None


class Stopping(WordEncoder):
    """Is interrupted at its nth reading."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def encode(self, *arguments):
        if len(self.calls) == self.after:
            raise KeyboardInterrupt
        return super().encode(*arguments)


def test_a_run_continues_where_it_stopped(suite, tmp_path):
    path = tmp_path / "scores.jsonl"
    whole = run(suite, as_model(WordEncoder()))
    with pytest.raises(KeyboardInterrupt):
        run(suite, as_model(Stopping(3)), cache=read_results_cache(path))
    done = len(path.read_text().splitlines())
    assert done > 0
    assert run(suite, as_model(WordEncoder()), cache=read_results_cache(path)) == whole
    assert len(path.read_text().splitlines()) > done

    def never():
        raise AssertionError("loaded, though all is there")

    again = run(suite, as_model(None, load=never), cache=read_results_cache(path))
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
    ({"dtype": "float16"}, {}),
    ({"masks": "1"}, {}),
]


@pytest.fixture(scope="module")
def finished():
    """The scores of one run; every test takes a copy."""
    return {}


@pytest.mark.parametrize(("model", "options"), CHANGES)
def test_scores_of_other_settings_are_not_taken(suite, finished, model, options):
    if not finished:
        first = ResultsCache()
        run(suite, as_model(WordEncoder()), cache=first, parts=(Part.clustering,))
        finished.update(first.entries)
    cache, encoder = ResultsCache(entries=dict(finished)), WordEncoder()
    run(suite, as_model(encoder, **model), cache=cache, **({"parts": (Part.clustering,)} | options))
    assert encoder.calls


def test_a_changed_task_is_measured_anew(suite_folder):
    cache, encoder = ResultsCache(), WordEncoder()
    run(read_folder(suite_folder), as_model(WordEncoder()), cache=cache, parts=(Part.clustering,))
    tasks = json.loads((suite_folder / "tasks.json").read_text())
    tasks[0]["instruction"] = "Of which colour is it?"
    (suite_folder / "tasks.json").write_text(json.dumps(tasks))
    run(read_folder(suite_folder), as_model(encoder), cache=cache, parts=(Part.clustering,))
    assert [instruction for instruction, _, _ in encoder.calls] == ["Of which colour is it?", BASELINE_INSTRUCTION]


def test_a_line_cut_short_is_dropped_and_foreign_files_are_refused(suite, tmp_path):
    path = tmp_path / "scores.jsonl"
    run(suite, as_model(WordEncoder()), cache=read_results_cache(path), parts=(Part.sts,))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:50])
    assert len(read_results_cache(path).entries) == 2
    assert path.read_bytes() == whole
    for number, content in ((1, b"text,label\n"), (1, b"one word"), (2, whole.split(b"\n")[0] + b"\n{}\n")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"line {number}: is not a line of scores"):
            read_results_cache(path)
        assert path.read_bytes() == content


def test_scores_of_schema_1_are_read(suite, tmp_path):
    path = tmp_path / "scores.jsonl"
    whole = run(suite, as_model(WordEncoder()), cache=read_results_cache(path))
    lines = []
    for line in map(json.loads, path.read_text().splitlines()):
        key = line["key"] | {"asked": line["key"]["instruction"].replace("baseline", "blind")}
        key |= {"readout": key.pop("pooling"), "number_format": key.pop("dtype")}
        del key["instruction"]
        figures = [s | {"metric": s["metric"].replace("centered", "centred")} for s in line["scores"]]
        lines.append({"schema": 1, "key": key, "number_format": line["dtype"], "figures": figures})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def never():
        raise AssertionError("loaded, though all is there")

    assert run(suite, as_model(None, load=never), cache=read_results_cache(path)) == whole


def test_scores_of_a_later_schema_are_measured_again(suite, tmp_path):
    path, encoder = tmp_path / "scores.jsonl", WordEncoder()
    path.write_text('{"schema": 99, "anything": "else"}\n')
    run(suite, as_model(encoder), cache=read_results_cache(path), parts=(Part.sts,))
    assert encoder.calls


@pytest.mark.parametrize("name", ["tokenizer_config.json", "config.json"])
def test_scores_of_a_folder_are_those_of_all_its_files(tiny_models, tmp_path, name):
    folder = Path(shutil.copytree(tiny_models["llama"], tmp_path / "model"))
    before = model_under_test(str(folder)).revision
    (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | {"chat_template": "x"}))
    assert model_under_test(str(folder)).revision != before
