"""What a model folder may hold and say, and what of it transformers gets to see."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from inbedder_cli.errors import InbedderError, ModelError
from inbedder_cli.models import resolve_model
from inbedder_cli.models.bounds import bounded_construction
from inbedder_cli.models.clean import clean_copy
from inbedder_cli.models.folder import CONFIG, check_folder, read_settings
from tests.conftest import KINDS, MASKED, SEQ2SEQ
from tests.encoders.plain import load_by_name


@pytest.fixture
def folder(tiny_models, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_models["llama"], tmp_path / "model"))


def set_in(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize("name", [*KINDS, *MASKED, *SEQ2SEQ])
def test_a_clean_copy_is_the_same_model(tiny_models, name):
    original = transformers.AutoConfig.from_pretrained(tiny_models[name]).to_dict()
    with clean_copy(tiny_models[name], check_folder(name, tiny_models[name])) as copy:
        config = transformers.AutoConfig.from_pretrained(copy).to_dict()
        tokenizer = transformers.AutoTokenizer.from_pretrained(copy)
    ignored = {"dtype", "architectures", "transformers_version", "_name_or_path"}
    assert {k: v for k, v in config.items() if k not in ignored} == {
        k: v for k, v in original.items() if k not in ignored
    }
    assert config["architectures"] == original["architectures"]
    text = "The room was cold. "
    assert (
        tokenizer(text)["input_ids"]
        == transformers.AutoTokenizer.from_pretrained(tiny_models[name])(text)["input_ids"]
    )


CHOICES = {
    "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model", "AutoTokenizer": "evil.T"},
    "_attn_implementation": "evil/kernel",
    "attn_implementation": "evil/kernel",
    "_attn_implementation_internal": "evil/kernel",
    "experts_implementation": "evil/kernel",
    "_experts_implementation": "evil/kernel",
    "transformers_weights": "../other.safetensors",
    "custom_generate": "evil/repository",
    "kernel_config": {"layer": "evil/kernel"},
    "use_kernels": True,
    "name_or_path": "evil/repository",
    "vocab_file": "/dev/zero",
    "tokenizer_file": "/dev/zero",
    "get_text_config": 1,
    "anything_new": "evil/repository",
}


def test_settings_that_choose_code_kernels_or_files_are_left_out(folder):
    for name in ("config.json", "tokenizer_config.json", "generation_config.json"):
        set_in(folder / name, **CHOICES)
    (folder / "evil.py").write_text("raise SystemExit")
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "evil/repository"}')
    (folder / "custom_generate").mkdir()
    with clean_copy(folder, check_folder("x", folder)) as copy:
        said = {file.name: file.read_text() for file in copy.glob("*.json") if file.name != "tokenizer.json"}
        assert {file.name for file in copy.iterdir()} <= {file.name for file in folder.glob("*.*")} - {
            "evil.py",
            "adapter_config.json",
        }
    assert not [key for key in CHOICES for text in said.values() if f'"{key}"' in text]
    assert "evil" not in "".join(said.values())
    assert load_by_name(folder).model.config._attn_implementation in ("sdpa", "eager")


def test_quantized_weights_are_refused(folder):
    set_in(folder / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(ModelError, match="quantized"):
        resolve_model(str(folder))


NO_FILES = {
    "fifo": os.mkfifo,
    "folder": Path.mkdir,
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "loop": lambda path: path.symlink_to(path),
    "sparse": lambda path: (path.touch(), os.truncate(path, 2**40)),
    "deep": lambda path: path.write_text("[" * 100_000),
    "zeros": lambda path: path.write_bytes(bytes(5000)),
    "cut": lambda path: path.write_bytes(b'{"a": '),
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no fifos")
@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "model.safetensors", "inbedder.json"])
def test_what_is_no_whole_file_is_refused_at_once(folder, name, kind):
    (folder / name).unlink(missing_ok=True)
    NO_FILES[kind](folder / name)
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        resolve_model(str(folder))


@pytest.mark.parametrize("kind", ["fifo", "folder", "endless", "sparse"])
def test_a_tokenizer_or_template_that_is_no_file_is_refused(folder, kind):
    for name in ("tokenizer.json", "chat_template.jinja", "vocab.json"):
        (folder / name).unlink(missing_ok=True)
        NO_FILES[kind](folder / name)
        with pytest.raises(ModelError, match=name.replace(".", r"\.")):
            resolve_model(str(folder))
        shutil.rmtree(folder / name) if kind == "folder" else (folder / name).unlink()


@pytest.mark.parametrize(
    "change",
    [
        {"num_hidden_layers": 10**6},
        {"num_hidden_layers": 10**9},
        {"hidden_size": 10**7},
        {"vocab_size": 2**31},
        {"intermediate_size": 2**40},
        {"model_type": "gpt2", "n_layer": 10**6},
    ],
)
def test_a_config_that_its_weights_cannot_fill_is_refused_before_anything_is_built(
    inbedder, reviews, folder, change
):
    set_in(folder / "config.json", **change)
    result = inbedder("embed", reviews, "-i", "Why?", "-m", folder, "-o", reviews.with_suffix(".npy"))
    assert result.exit_code == 3
    assert "config.json" in result.stderr


@pytest.mark.parametrize("change", [{"num_hidden_layers": 900}, {"hidden_size": 2**17, "head_dim": 2**16}])
def test_building_stops_where_a_model_outgrows_its_weights(folder, change):
    set_in(folder / "config.json", **change)
    with pytest.raises(ModelError, match="many more"):
        load_by_name(folder)


def test_construction_is_bounded_only_inside():
    with pytest.raises(ModelError, match="many more layers"), bounded_construction("x", 1, 1):
        torch.nn.Sequential(*(torch.nn.Identity() for _ in range(200)))
    torch.nn.Sequential(*(torch.nn.Identity() for _ in range(200)))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(inbedder, reviews, folder, value):
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.2.mlp.up_proj.weight"][3, 4] = value
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    result = inbedder("embed", reviews, "-i", "Why?", "-m", folder, "-o", reviews.with_suffix(".npy"))
    assert result.exit_code == 3
    assert "no numbers" in result.stderr


@pytest.mark.parametrize("shape", [(7, 3), (1,), (64, 32, 1)])
def test_weights_of_another_shape_are_refused(folder, shape):
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.2.mlp.up_proj.weight"] = torch.zeros(shape)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError):
        load_by_name(folder)


def test_a_token_that_the_model_does_not_have_is_an_error_of_the_model(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"] |= {"vocab": {word: i + 10**6 for word, i in tokenizer["model"]["vocab"].items()}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError, match="its tokenizer has a token"):
        load_by_name(folder).encode(["a"], "What?")


def test_a_tokenizer_that_makes_gigabytes_of_a_text_is_refused(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    double = {"type": "Replace", "pattern": {"String": "e"}, "content": "ee"}
    tokenizer["normalizer"] = {"type": "Sequence", "normalizers": [double] * 40}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError, match="times as long"):
        load_by_name(folder)


TEMPLATE_OF_IDS = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "x", "type_id": 0}}] * 2000,
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
    "special_tokens": {"x": {"id": "x", "ids": [1] * 1000, "tokens": ["a"] * 1000}},
}


@pytest.mark.parametrize(
    ("part", "step", "said"),
    [
        ("normalizer", {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 1000}, "times as long"),
        ("post_processor", TEMPLATE_OF_IDS, "adds ids"),
        ("post_processor", {"type": "Sequence", "processors": [TEMPLATE_OF_IDS]}, "adds ids"),
    ],
)
def test_the_steps_of_a_tokenizer_are_checked_before_it_is_loaded(folder, monkeypatch, part, step, said):
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {part: step}))
    loaded = []
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda *_, **__: loaded.append(1))
    with pytest.raises(ModelError, match=said):
        load_by_name(folder)
    assert not loaded


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("config.json", {"model_type": "gpt_neo", "attention_types": [[["global", "local"], 2 * 10**9]]}),
        ("config.json", {"model_type": "cohere2_moe", "first_k_dense_replace": 2 * 10**9}),
        ("tokenizer_config.json", {"tokenizer_class": "ByT5Tokenizer", "extra_ids": 2 * 10**9}),
    ],
)
def test_numbers_that_lists_are_made_of_are_bounded(folder, file, change):
    set_in(folder / file, **change)
    with pytest.raises(ModelError):
        check_folder("x", folder)


def test_a_full_temporary_folder_is_told_in_the_right_words(folder, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryDirectory", full)
    with pytest.raises(InbedderError, match=r"cannot write a temporary file.*no space left") as caught:
        load_by_name(folder)
    assert "TMPDIR" in caught.value.hint


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_setting_of_any_value_is_clean_or_an_error_of_the_model(tiny_models, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("any")
    for file in tiny_models["llama"].iterdir():
        (folder / file.name).symlink_to(file)
    name = data.draw(st.sampled_from(["config.json", "tokenizer_config.json", "generation_config.json"]))
    known = json.loads((folder / name).read_text())
    key = data.draw(st.sampled_from([*known, *CHOICES]))
    (folder / name).unlink()
    (folder / name).write_text(json.dumps(known | {key: data.draw(values)}))
    with suppress(ModelError), clean_copy(folder, check_folder("x", folder)) as copy:
        kept = json.loads((copy / name).read_text())
        chosen = [kept[key] for key in CHOICES if key in kept]
        assert all(value is None or isinstance(value, bool | int | float) for value in chosen)  # they name nothing


def test_a_config_that_counts_fewer_layers_than_the_weights_have_is_refused(tiny_models, tmp_path):
    """Transformers would leave out the others, and say so nowhere that a user looks."""
    for name, key in [
        ("llama", "num_hidden_layers"),
        ("bert", "num_hidden_layers"),
        ("t5", "num_layers"),
        ("t5", "num_decoder_layers"),
        ("bart", "encoder_layers"),
    ]:
        folder = Path(shutil.copytree(tiny_models[name], tmp_path / f"{name} {key}"))
        whole = json.loads((folder / CONFIG).read_text())[key]
        set_in(folder / CONFIG, **{key: whole - 1}, layer_types=None)
        with pytest.raises(ModelError, match="more layers than its config"):
            load_by_name(folder)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("template", "nonsense", 'unknown template "nonsense"'),
        ("template", "{text} {text}", "a template needs"),
        ("template", "", "unknown template"),
        ("template", "x" * 1_000_000 + "{text} {instruction}", "expected a text of at most"),
        ("template", "x" * 1_000_000, "expected a text of at most"),
        ("layer", 99, "there is no layer 99"),
        ("layer", -99, "there is no layer -99"),
        ("pooling", "masks", "does not support the pooling masks"),
        ("pooling", "median", "unknown pooling"),
    ],
)
def test_a_wrong_setting_of_a_model_is_an_error_of_the_model(inbedder, reviews, folder, setting, value, said):
    manifest = {"schema": 2, "name": "x", "description": "", "license": "", "base": {}, "adapter": None}
    manifest |= {"template": "paper", "layer": None, "pooling": None, setting: value}
    (folder / "inbedder.json").write_text(json.dumps(manifest))
    result = inbedder("answer", reviews, "-i", "What is it about?", "-m", folder, "--no-cache")
    assert result.exit_code == 3
    assert said in result.stderr
    assert str(folder) in result.stderr
    assert len(result.stderr) < 1000


@pytest.mark.parametrize("positions", [-1, 0, 3])
def test_a_model_of_hardly_any_positions_is_a_fault_of_the_model(inbedder, folder, reviews, positions):
    set_in(folder / CONFIG, max_position_embeddings=positions)
    result = inbedder("answer", reviews, "-i", "What?", "-m", folder)
    assert result.exit_code == 3, result.stderr
    assert "fetch it again" in result.stderr


def test_a_setting_that_is_no_number_is_refused(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"time_step_limit": [0.0, Infinity], "rms_norm_eps": 1e-6}')
    assert read_settings(path)["rms_norm_eps"] == 1e-6
    path.write_text('{"layers": [{"rms_norm_eps": NaN}]}')
    with pytest.raises(ModelError, match=r"config\.json is damaged: rms_norm_eps is not a number"):
        read_settings(path)


@pytest.mark.parametrize("value", [1.5, "x", {"": 1}, [1, "x"], [[1]], True])
def test_an_end_that_is_no_token_id_is_refused(folder, inbedder, tmp_path, value):
    (tmp_path / "x.csv").write_text("text\na cat\na dog\n")
    command = ("answer", tmp_path / "x.csv", "-i", "Which animal?", "-m", folder, "--no-cache")
    assert inbedder(*command).exit_code == 0
    set_in(folder / "generation_config.json", eos_token_id=value)
    result = inbedder(*command)
    assert result.exit_code == 3
    assert "eos_token_id in generation_config.json is no token id" in result.stderr
