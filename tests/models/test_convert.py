"""Only the GGUF file itself is converted, whatever lies beside it, and no loader may run a model's code."""

from __future__ import annotations

import ast
import contextlib
import json
from pathlib import Path

import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

import inbedder_cli
from inbedder_cli.errors import ModelError
from inbedder_cli.models.convert import convert_gguf
from inbedder_cli.models.gguf_file import check_gguf
from tests.models.poison import write_gguf

PACKAGE = Path(inbedder_cli.__file__).parent


def test_what_lies_beside_a_gguf_file_is_not_used(tmp_path, tiny_models, monkeypatch):
    source = tmp_path / "downloads"
    source.mkdir()
    write_gguf(source / "tiny.gguf", tiny_models["llama"])
    (source / "evil.py").write_text("raise SystemExit")
    (source / "tokenizer_config.json").write_text(
        json.dumps({"auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}})
    )
    (source / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "someone/else"}))
    calls = []

    def load(place, **settings):
        calls.append(sorted(path.name for path in Path(place).iterdir()))
        raise ValueError("not a model")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", load)
    with pytest.raises(ModelError, match=r"cannot convert tiny\.gguf"):
        convert_gguf(source / "tiny.gguf", tmp_path / "converted")
    assert calls == [["model.gguf"]]


def test_a_gguf_file_without_all_weights_is_refused(tmp_path, tiny_models):
    """Transformers would fill them with random numbers."""
    write_gguf(tmp_path / "tiny.gguf", tiny_models["llama"], drop="layers.1.mlp")
    with pytest.raises(ModelError, match=r"it lacks model\.layers\.1\.mlp"):
        convert_gguf(tmp_path / "tiny.gguf", tmp_path / "converted")


def test_a_gguf_file_with_more_layers_than_it_counts_is_refused(tmp_path, tiny_models):
    write_gguf(tmp_path / "tiny.gguf", tiny_models["llama"], block_count=2)
    with pytest.raises(ModelError, match="it has 3 layers, but says that they are 2"):
        check_gguf(tmp_path / "tiny.gguf")


@pytest.mark.parametrize(("architecture", "is_tied"), [("llama", True), ("qwen2", True), ("stablelm", False)])
def test_a_gguf_file_without_a_head_is_tied_only_where_its_architecture_is(
    tmp_path, tiny_models, architecture, is_tied
):
    file = tmp_path / "tiny.gguf"
    write_gguf(file, tiny_models["llama"], architecture=architecture)
    check_gguf(file)
    write_gguf(file, tiny_models["llama"], architecture=architecture, drop="lm_head")
    if is_tied:
        check_gguf(file)
    else:
        with pytest.raises(ModelError, match=r"it lacks output\.weight"):
            check_gguf(file)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_gguf_header_is_an_error_of_the_model(gguf_bytes, tmp_path_factory, data):
    """Any bytes replaced in the header, or the end cut off: whole, or a `ModelError`, soon."""
    content = bytearray(gguf_bytes)
    at = data.draw(st.integers(0, 6000))
    new = data.draw(st.binary(max_size=9))
    content[at : at + len(new)] = new
    file = tmp_path_factory.mktemp("gguf") / "x.gguf"
    file.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(ModelError):
        n_tensors, n_values = check_gguf(file)
        assert n_tensors <= len(content)
        assert n_values <= 2 * len(content)


@pytest.fixture(scope="module")
def gguf_bytes(tiny_models, tmp_path_factory):
    file = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(file, tiny_models["llama"])
    return file.read_bytes()


def test_every_loader_forbids_remote_code_and_the_network():
    """PEFT loads an adapter into a model that is there already, from a checked folder; hub.py downloads data."""
    checked = 0
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            name = called.rpartition(".")[2]
            keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
            assert not (called.startswith("torch") and name == "load"), f"{path.name}: {called}"
            if name not in ("from_pretrained", "SentenceTransformer") or called.startswith("PeftModel"):
                continue
            checked += 1
            assert keywords.get("trust_remote_code") == "False", f"{path.name}: {called}"
            assert keywords.get("local_files_only") == "True", f"{path.name}: {called}"
    assert checked >= 6


def test_only_known_modules_name_a_loader():
    """A loader that is passed on under another name would not be found by the test above."""
    users = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "from_pretrained":
                users[path.name] = users.get(path.name, 0) + 1
    assert users == {"loading.py": 3, "convert.py": 2, "learner.py": 1}


def test_tensors_of_a_gguf_file_share_no_bytes(gguf_bytes, tmp_path):
    content = bytearray(gguf_bytes)
    for name in (b"blk.0.attn_q.weight", b"blk.0.attn_k.weight"):
        place = content.index(name) + len(name)
        n_dimensions = int.from_bytes(content[place : place + 4], "little")
        offset = place + 4 + 8 * n_dimensions + 4
        content[offset : offset + 8] = bytes(8)
    (tmp_path / "x.gguf").write_bytes(content)
    with pytest.raises(ModelError, match="shares bytes"):
        check_gguf(tmp_path / "x.gguf")
