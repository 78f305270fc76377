from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from inbedder_cli.errors import UsageError
from inbedder_cli.models.manifest import MANIFEST
from inbedder_cli.training.checkpoints import SCHEMA, last_checkpoint, open_run
from tests.training.conftest import FEW


def adapter_of(folder):
    return load_file(folder / "adapter" / "adapter_model.safetensors")


@pytest.mark.parametrize("architecture", ["llama", "opt", "qwen3", "roberta", "modernbert", "t5", "bart"])
def test_each_architecture_learns_and_the_result_is_a_model(
    inbedder, data, reviews, tiny_models, tmp_path, request, architecture
):
    if architecture == "llama":
        out = request.getfixturevalue("trained")
    else:
        out = tmp_path / "mine"
        done = inbedder("train", data, "-m", tiny_models[architecture], "-o", out, *FEW)
        assert done.exit_code == 0, done.stderr
        assert done.stdout == ""
    assert sorted(p.name for p in out.iterdir()) == ["adapter", "card.json", "inbedder.json"]
    assert not out.with_name("mine.partial").exists()
    card = json.loads((out / "card.json").read_text())
    assert card["schema"] == SCHEMA
    assert card["sources"] == {"zoo": 120}
    assert list(card["data"]) == ["zoo.jsonl"]
    assert card["examples_seen"] >= 96
    assert any("answer_loss" in entry for entry in card["curve"])
    assert any("eval_loss" in entry for entry in card["curve"])
    for folder in (out.parent, data.parent):
        assert str(folder) not in (out / "card.json").read_text()
    read = inbedder("answer", reviews, "-i", "Which animal is it?", "-m", out, "-f", "csv", "--dtype", "float32")
    assert read.exit_code == 0, read.stderr


def test_the_loss_falls(inbedder, data, tiny, tmp_path):
    done = inbedder("train", data, "-m", tiny, "-o", tmp_path / "mine", "--epochs", 2, "--lr", 0.01, *FEW[2:])
    assert done.exit_code == 0, done.stderr
    curve = json.loads((tmp_path / "mine" / "card.json").read_text())["curve"]
    held_out = [entry["eval_loss"] for entry in curve if "eval_loss" in entry]
    assert held_out[-1] < 0.8 * held_out[0]


def test_full_training_by_the_paper_s_recipe_saves_a_whole_model(inbedder, data, reviews, tiny, tmp_path):
    out = tmp_path / "whole"
    done = inbedder("train", data, "-m", tiny, "-o", out, "--recipe", "paper", *FEW[:4], "--device", "cpu")
    assert done.exit_code == 0, done.stderr
    manifest = json.loads((out / "inbedder.json").read_text())
    assert manifest["adapter"] is None
    assert manifest["template"] == "paper"
    assert (out / "model.safetensors").is_file()
    settings = json.loads((out / "card.json").read_text())["settings"]
    assert (settings["learning_rate"], settings["schedule"], settings["epochs"]) == (2e-5, "cosine", 1.0)
    read = inbedder("cluster", reviews, "-i", "Which animal?", "-k", 2, "-m", out, "-f", "csv")
    assert read.exit_code == 0, read.stderr


def test_adapters_on_the_last_layers_only(inbedder, data, tiny, tmp_path):
    done = inbedder("train", data, "-m", tiny, "-o", tmp_path / "top", "--top-layers", 1, *FEW)
    assert done.exit_code == 0, done.stderr
    names = adapter_of(tmp_path / "top")
    assert {int(re.search(r"layers\.(\d+)\.", name)[1]) for name in names} == {2}


def test_another_base_is_refused(inbedder, data, reviews, tiny_models, tmp_path):
    import shutil

    base = tmp_path / "base"
    shutil.copytree(tiny_models["llama"], base)
    inbedder("train", data, "-m", base, "-o", tmp_path / "mine", *FEW, "--max-examples", 16)
    from tests.conftest import make_model, make_tokenizer

    make_model("llama", len(make_tokenizer()), seed=1).save_pretrained(base)
    read = inbedder("answer", reviews, "-i", "What?", "-m", tmp_path / "mine")
    assert read.exit_code == 3
    assert "needs base weights" in read.stderr


def test_two_runs_end_with_the_same_weights(inbedder, data, tiny, tmp_path, trained):
    assert inbedder("train", data, "-m", tiny, "-o", tmp_path / "two", *FEW).exit_code == 0
    one, two = adapter_of(trained), adapter_of(tmp_path / "two")
    assert all(one[name].equal(two[name]) for name in one)
    assert inbedder("train", data, "-m", tiny, "-o", tmp_path / "three", "--seed", 1, *FEW).exit_code == 0
    three = adapter_of(tmp_path / "three")
    assert not all(one[name].equal(three[name]) for name in one)


KILLED_AT_STEP_7 = """
import os, signal, sys
from inbedder_cli.cli import main
from inbedder_cli.training.callbacks import ProgressCallback

def kill(self, args, state, control, **_):
    if state.global_step == 7:
        os.kill(os.getpid(), signal.SIGKILL)

ProgressCallback.on_step_end = kill
sys.exit(main())
"""


def test_a_killed_run_continues_and_ends_like_an_uninterrupted_one(inbedder, data, tiny, tmp_path):
    run = ("train", data, "-m", tiny, *FEW, "--save-every", 5, "--eval-every", 1000)
    run = (*run, "--max-examples", 192, "--epochs", 2)
    assert inbedder(*run, "-o", tmp_path / "uninterrupted").exit_code == 0
    command = [sys.executable, "-c", KILLED_AT_STEP_7, *map(str, run), "-o", str(tmp_path / "killed")]
    killed = subprocess.run(command, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    partial = tmp_path / "killed.partial"
    assert last_checkpoint(partial / "checkpoints").endswith("checkpoint-5")
    assert not (tmp_path / "killed").exists()
    again = inbedder(*run, "-o", tmp_path / "killed")
    assert again.exit_code == 0, again.stderr
    assert "continuing from" in again.stderr
    whole, resumed = adapter_of(tmp_path / "uninterrupted"), adapter_of(tmp_path / "killed")
    assert all(whole[name].equal(resumed[name]) for name in whole)
    assert not partial.exists()


@pytest.fixture(scope="module")
def killed(data, tiny_models, tmp_path_factory):
    """A run that was killed after its first checkpoint: its command, and its unfinished folder."""
    folder = tmp_path_factory.mktemp("killed")
    run = ("train", data, "-m", tiny_models["llama"], *FEW, "--max-examples", 192, "--epochs", 2)
    run = (*run, "--save-every", 5, "--eval-every", 1000)
    command = [sys.executable, "-c", KILLED_AT_STEP_7, *map(str, run), "-o", str(folder / "out")]
    assert subprocess.run(command, capture_output=True).returncode == -signal.SIGKILL
    return run, folder / "out.partial"


class Evil:
    def __reduce__(self):
        return os.system, ("touch code-ran",)


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "trained.safetensors"])
@pytest.mark.parametrize("content", [b"", pickle.dumps(Evil())])
def test_a_damaged_checkpoint_is_named_and_runs_no_code(inbedder, killed, tmp_path, monkeypatch, name, content):
    run, partial = killed
    monkeypatch.chdir(tmp_path)
    shutil.copytree(partial, "out.partial")
    (file,) = Path("out.partial").rglob(name)
    file.write_bytes(content)
    result = inbedder(*run, "-o", "out")
    assert result.exit_code == 5, result.stderr
    assert "checkpoint-5: the checkpoint cannot be read" in result.stderr
    assert not Path("code-ran").exists()


def checkpoint(folder, step, state="{}", rng=True):
    (made := folder / "checkpoints" / f"checkpoint-{step}").mkdir(parents=True)
    if state is not None:
        (made / "trainer_state.json").write_text(state)
    if rng:
        (made / "rng_state.pth").write_bytes(b"")
    return made


def test_an_unfinished_run_with_other_settings_is_kept(inbedder, data, tiny, tmp_path):
    partial = tmp_path / "mine.partial"
    open_run(partial, {"schema": SCHEMA, "settings": {"learning_rate": 1.0}}, force=False)
    kept = checkpoint(partial, 5, '{"global_step": 5}')
    refused = inbedder("train", data, "-m", tiny, "-o", tmp_path / "mine", *FEW)
    assert refused.exit_code == 2
    assert "learning-rate" in refused.stderr
    assert "--force" in refused.stderr
    assert kept.exists()
    assert inbedder("train", data, "-m", tiny, "-o", tmp_path / "mine", "--force", *FEW).exit_code == 0


def test_an_unfinished_run_of_another_version_is_kept(tmp_path):
    partial = tmp_path / "x.partial"
    open_run(partial, {"settings": {"readout": "masks"}, "number_format": "float32"}, force=False)
    kept = checkpoint(partial, 5, '{"global_step": 5}')
    record = {"schema": SCHEMA, "settings": {"pooling": "masks"}, "dtype": "float32"}
    with pytest.raises(UsageError, match="another version of inbedder") as error:
        open_run(partial, record, force=False)
    assert "--force" in error.value.hint
    assert kept.exists()
    assert open_run(partial, record, force=True) is None


def test_without_a_checkpoint_there_is_nothing_to_keep(tmp_path):
    open_run(tmp_path / "x.partial", {"settings": {"seed": 1}}, force=False)
    assert open_run(tmp_path / "x.partial", {"settings": {"seed": 2}}, force=False) is None


def test_an_incomplete_checkpoint_is_not_resumed(tmp_path):
    checkpoint(tmp_path, 5, '{"global_step": 5}')
    checkpoint(tmp_path, 10, '{"global_')
    checkpoint(tmp_path, 15, None)
    checkpoint(tmp_path, 20, '{"global_step": 20}', rng=False)
    assert last_checkpoint(tmp_path / "checkpoints").endswith("checkpoint-5")
    assert last_checkpoint(tmp_path / "none") is None


def test_the_record_depends_on_what_is_learned_not_on_file_names(inbedder, data, tiny, tmp_path):
    words = tmp_path / "stop.txt"
    records = []
    for listed in ("the", "red"):
        words.write_text(listed)
        out = tmp_path / f"without-{listed}"
        short = ("--stop-words", words, *FEW, "--max-examples", 16)
        assert inbedder("train", data, "-m", tiny, "-o", out, *short).exit_code == 0
        records.append(json.loads((out / "card.json").read_text())["batches"])
    assert records[0] != records[1]


def test_a_suite_is_measured_beside_the_loss(inbedder, data, tiny, tmp_path, trained):
    suite = tmp_path / "suite"
    suite.mkdir()
    rows = [{"text": f"the {c} cat {i}", "colour": c} for i in range(6) for c in ("red", "blue")]
    (suite / "pets.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {"task": "colour", "file": "pets.jsonl", "label_column": "colour", "instruction": "Which colour?"}
    (suite / "tasks.json").write_text(json.dumps([task]))
    done = inbedder("train", data, "-m", tiny, "-o", tmp_path / "mine", "--eval", suite, "--eval-every", 3, *FEW)
    assert done.exit_code == 0, done.stderr
    curve = json.loads((tmp_path / "mine" / "card.json").read_text())["curve"]
    assert [entry["step"] for entry in curve if "mean V-measure" in entry] == [3, 6, 7]
    # and it changes nothing of what is learned
    mine, plain = adapter_of(tmp_path / "mine"), adapter_of(trained)
    assert all(mine[name].equal(plain[name]) for name in mine)


def test_the_suite_measures_the_layer_and_pooling_of_the_result(tiny, data):
    from inbedder_cli.progress import SILENT
    from inbedder_cli.training.learner import load_learner
    from inbedder_cli.training.recipes import Recipe, train_options

    options = train_options(Recipe.contrast, layer=1, pooling="answer-mean")
    encoder = load_learner(tiny, options, device="cpu", offline=True, reporter=SILENT).encoder
    assert (encoder.layer, str(encoder.pooling)) == (1, "answer-mean")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["missing.jsonl"], 5, "no such file"),
        (["DATA", "--keep-stop-words", "--stop-words", "x.txt"], 2, "exclude each other"),
        (["DATA", "--template", "none"], 2, "unknown template"),
        (["DATA", "--layer", "99"], 2, "no layer 99"),
        (["DATA", "-m", "smollm"], 3, "unknown model"),
        (["DATA", "--lr", "-1"], 2, "--lr"),
        (["DATA", "--eval", "missing"], 5, "missing"),
        (["DATA", "--dtype", "float16"], 2, "float16"),
        (["DATA", "--device", "cuda:1"], 2, "CUDA_VISIBLE_DEVICES=1"),
    ],
)
def test_impossible_settings_are_refused_and_leave_nothing(inbedder, data, tiny, tmp_path, arguments, code, words):
    arguments = [str(data) if a == "DATA" else a for a in arguments]
    base = () if "-m" in arguments else ("-m", tiny)
    done = inbedder("train", *arguments, *base, "-o", tmp_path / "mine")
    assert done.exit_code == code, done.stderr
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_exists_is_not_touched(inbedder, data, tiny, tmp_path):
    (tmp_path / "mine").mkdir()
    done = inbedder("train", data, "-m", tiny, "-o", tmp_path / "mine", *FEW)
    assert done.exit_code == 2
    assert "--force" in done.stderr


def test_what_is_no_encoder_is_not_replaced(inbedder, data, tiny, tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("mine")
    for name in ("file", "folder"):
        done = inbedder("train", data, "-m", tiny, "-o", tmp_path / name, "--force", *FEW)
        assert done.exit_code == 2, done.stderr
    assert (tmp_path / "folder" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["link", "loop", "pipe", "x" * 300, "x" * 250, "file/x", ".", "/dev/null"])
def test_odd_names_for_the_output_are_told_and_nothing_is_touched(
    inbedder, data, tiny, tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("folder", MANIFEST).write_text("mine")
    Path("file").write_text("mine")
    Path("link").symlink_to("folder")
    Path("loop").symlink_to("loop")
    os.mkfifo("pipe")
    before = sorted(tmp_path.rglob("*"))
    done = inbedder("train", data, "-m", tiny, "-o", name, "--force", *FEW)
    assert done.exit_code in (1, 2)
    assert done.stderr.startswith("inbedder: "), done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_an_output_that_would_replace_what_is_read_is_refused(inbedder, data, tiny, tmp_path):
    base = Path(shutil.copytree(tiny, tmp_path / "base"))
    (base / MANIFEST).write_text("mine")
    inside = Path(shutil.copy(data, base))
    for model, rows, more in [(base, data, ()), (tiny, inside, ()), (tiny, data, ("--dev", inside))]:
        done = inbedder("train", rows, "-m", model, "-o", base, "--force", *FEW, *more)
        assert done.exit_code == 2, done.stderr
        assert "-o" in done.stderr
        assert inside.exists()


@pytest.mark.parametrize("architecture", ["llama", "t5"])
def test_activations_can_be_computed_twice(inbedder, data, tiny_models, tmp_path, architecture):
    base = tiny_models[architecture]
    results = []
    for name, more in (("plain", ()), ("twice", ("--checkpointing",))):
        few = (*FEW, "--max-examples", 48, "--eval-every", 1000)
        done = inbedder("train", data, "-m", base, "-o", tmp_path / name, *few, *more)
        assert done.exit_code == 0, done.stderr
        results.append(adapter_of(tmp_path / name))
    plain, twice = results
    for name in plain:
        assert plain[name].float().allclose(twice[name].float(), atol=2e-2)


def test_bfloat16_learns_too(inbedder, data, tiny, tmp_path):
    done = inbedder("train", data, "-m", tiny, "-o", tmp_path / "mine", *FEW[:-1], "bfloat16")
    assert done.exit_code == 0, done.stderr
    assert json.loads((tmp_path / "mine" / "card.json").read_text())["dtype"] == "bfloat16"


def test_with_nothing_held_out_the_loss_is_not_watched(inbedder, tiny, tmp_path, rows):
    from inbedder_cli.training.examples import Example, hold_out

    learned = next(t for t in map(str, range(99)) if hold_out([Example(t, "?", "!")], 300)[0])
    few = tmp_path / "few.jsonl"
    few.write_text(
        "".join(json.dumps(rows[0] | {"input": learned, "output": colour}) + "\n" for colour in ("red", "blue"))
    )
    done = inbedder("train", few, "-m", tiny, "-o", tmp_path / "deep" / "mine", *FEW)
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "deep" / "mine" / "inbedder.json").is_file()


def test_an_adapter_is_trained_further(inbedder, data, reviews, tmp_path, trained):
    more = ("train", data, "-m", trained, "-o", tmp_path / "more", "--seed", 1, *FEW[:4], *FEW[6:])
    done = inbedder(*more)
    assert done.exit_code == 0, done.stderr
    before, after = adapter_of(trained), adapter_of(tmp_path / "more")
    assert before.keys() == after.keys()
    moved = sum(float((after[name] - before[name]).float().norm()) for name in before)
    assert 0 < moved < sum(float(tensor.float().norm()) for tensor in before.values())
    manifests = [json.loads((folder / "inbedder.json").read_text()) for folder in (trained, tmp_path / "more")]
    assert manifests[0]["base"] == manifests[1]["base"]
    cards = [json.loads((folder / "card.json").read_text()) for folder in (trained, tmp_path / "more")]
    assert cards[0]["initial_adapter"] is None
    assert len(cards[1]["initial_adapter"]) == 64
    read = inbedder("answer", reviews, "-i", "Which animal is it?", "-m", tmp_path / "more", "-f", "csv")
    assert read.exit_code == 0, read.stderr


def test_an_adapter_that_is_trained_further_keeps_its_shape(inbedder, data, tmp_path, trained):
    again = inbedder("train", data, "-m", trained, "-o", tmp_path / "more", *FEW)
    assert again.exit_code == 2
    assert "leave out --rank" in again.stderr
    assert not (tmp_path / "more").exists()


# What torchrun does, but the processes are forked, so that torch and transformers are imported once.
TWO_PROCESSES = """
import sys
from pathlib import Path
import peft
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
import inbedder_cli.training.trainer
from inbedder_cli.cli import main

if __name__ == "__main__":
    config = LaunchConfig(1, 1, 2, start_method="fork", rdzv_backend="c10d", rdzv_endpoint="localhost:0")
    print(sorted(elastic_launch(config, main)()))
"""


def test_two_processes_learn_together(data, tiny, tmp_path):
    few = (*FEW, "--max-examples", 64, "--eval-every", 1000)
    command = [sys.executable, "-c", TWO_PROCESSES, "train", str(data), "-m", tiny, "-o", str(tmp_path / "mine")]
    command += map(str, few)
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "[0, 1]"
    assert (tmp_path / "mine" / "adapter" / "adapter_model.safetensors").is_file()
    assert json.loads((tmp_path / "mine" / "card.json").read_text())["processes"] == 2


def test_a_run_that_diverges_is_an_error(inbedder, data, tiny, tmp_path):
    done = inbedder("train", data, "-m", tiny, "-o", tmp_path / "mine", *FEW, "--lr", 10)
    assert done.exit_code == 1, done.stderr
    assert "training diverged" in done.stderr
    assert not (tmp_path / "mine").exists()


def test_what_is_trained_from_an_encoder_with_a_base_names_that_base(inbedder, data, reviews, tiny, tmp_path):
    base = tmp_path / "x"
    base.mkdir()
    manifest = {
        "schema": 2,
        "name": "x",
        "base": {"model": tiny},
        "template": "question-first",
        "layer": 3,
        "adapter": None,
    }
    (base / MANIFEST).write_text(
        json.dumps(manifest | {"pooling": "first-token", "license": "CC0-1.0", "description": "x"})
    )
    done = inbedder("train", data, "-m", base, "-o", tmp_path / "mine", *FEW)
    assert done.exit_code == 0, done.stderr
    assert json.loads((tmp_path / "mine" / MANIFEST).read_text())["base"]["model"] == tiny
    assert inbedder("answer", reviews, "-i", "Which animal is it?", "-m", tmp_path / "mine").exit_code == 0


def test_weights_that_are_no_numbers_at_the_end_are_no_result(inbedder, data, tiny_models, tmp_path, monkeypatch):
    from inbedder_cli.training import trainer

    run_trainer = trainer.run_trainer

    def diverge(learner, *arguments, **options):
        found = run_trainer(learner, *arguments, **options)
        next(p for p in learner.adapters.parameters() if p.requires_grad).data.fill_(float("inf"))
        return found

    monkeypatch.setattr(trainer, "run_trainer", diverge)
    out = tmp_path / "mine"
    result = inbedder("train", data, "-m", tiny_models["llama"], "-o", out, *FEW)
    assert result.exit_code == 1
    assert "training diverged" in result.stderr
    assert not out.exists()
    assert (tmp_path / "mine.partial" / "checkpoints").exists()
