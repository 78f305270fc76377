"""Only the GGUF file itself is converted, whatever lies beside it, and no loader may run a model's code."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
import transformers

import inbedder_cli
from inbedder_cli.errors import ModelError
from inbedder_cli.models.convert import convert_gguf

PACKAGE = Path(inbedder_cli.__file__).parent


def test_what_lies_beside_a_gguf_file_is_not_used(tmp_path, monkeypatch):
    source = tmp_path / "downloads"
    source.mkdir()
    (source / "model.gguf").write_bytes(b"GGUF")
    (source / "evil.py").write_text("raise SystemExit")
    (source / "tokenizer_config.json").write_text(
        json.dumps({"auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}})
    )
    (source / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "someone/else"}))
    calls = []

    def load(place, **settings):
        calls.append((sorted(path.name for path in Path(place).iterdir()), settings))
        raise ValueError("not a model")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", load)
    with pytest.raises(ModelError, match=r"cannot convert model\.gguf"):
        convert_gguf(source / "model.gguf", tmp_path / "converted")
    ((files, settings),) = calls
    assert files == ["model.gguf"]
    assert settings["trust_remote_code"] is False
    assert settings["local_files_only"] is True


def test_every_loader_forbids_remote_code_and_the_network():
    """`settings` in convert.py is checked above; PEFT loads an adapter into a model that is there already."""
    checked = 0
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "from_pretrained"):
                continue
            owner = ast.unparse(node.func.value)
            given = {k.arg: ast.unparse(k.value) for k in node.keywords}
            checked += 1
            if owner == "PeftModel" or given.get(None) == "settings":
                continue
            assert given.get("trust_remote_code") == "False", f"{path.name}: {owner}"
            assert given.get("local_files_only") == "True", f"{path.name}: {owner}"
    assert checked >= 5
