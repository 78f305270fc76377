"""Model folders and GGUF files: damaged ones, and the functions that read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.fuzz import mutations as m
from tests.fuzz.cases import QUESTION, ROWS, TINY, Case, seed, special

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

TEMPLATES = [value for value in m.STRINGS if "{" in value] + [
    "{{ a }}{% raw %}",
    "{{ messages[0]['content'] * 10**6 }}",
]
OWN: dict[str, tuple[list[str], list[Any]]] = {
    "inbedder.json": (
        ["base", "wheel", "model", "readout"],
        [
            {"wheel": {"requirement": "evil @ file:///x", "sha256": "0" * 64, "file": "x", "bytes": 1}},
            {"model": "model"},
            {"model": "."},
            {"model": "a/b"},
            {"model": "evil.py"},
            {"model": "/dev/zero"},
            "../adapter",
            "chat",
            "{text}",
        ],
    ),
    "config.json": (
        [
            "auto_map",
            "_attn_implementation",
            "quantization_config",
            "torch_dtype",
            "rope_parameters",
            "rope_scaling",
            "model_type",
            "architectures",
            "hidden_act",
            "attn_implementation",
            "tie_word_embeddings",
            "trust_remote_code",
        ],
        [
            {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"},
            "evil/kernel",
            {"quant_method": "bitsandbytes", "load_in_4bit": True},
            {"rope_type": "yarn", "factor": 0},
            "bert",
            "t5",
            "mamba",
            "gpt2",
            ["BertForMaskedLM"],
            10_000_000,
            1_000_000,
            2**40,
            0,
            -1,
        ],
    ),
    "tokenizer.json": (
        ["added_tokens", "normalizer", "pre_tokenizer", "post_processor"],
        [
            {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": "b"},
            {"type": "Sequence", "normalizers": []},
            {"type": "WordLevel", "vocab": {}, "unk_token": "u"},
            {"id": 10**9, "content": "z", "special": True},
            [
                {
                    "id": 5,
                    "content": "<z>",
                    "special": True,
                    "single_word": False,
                    "lstrip": False,
                    "rstrip": False,
                    "normalized": False,
                }
            ],
            {"type": "Unigram", "vocab": []},
        ],
    ),
    "tokenizer_config.json": (
        [
            "auto_map",
            "tokenizer_class",
            "chat_template",
            "model_max_length",
            "extra_special_tokens",
            "added_tokens_decoder",
            "pad_token",
        ],
        [
            {"AutoTokenizer": ["evil.Tokenizer", None]},
            "BertTokenizer",
            "T5Tokenizer",
            {"0": {"content": "x"}},
            [{"name": "default", "template": "{{ 1 }}"}],
            *TEMPLATES,
        ],
    ),
    "generation_config.json": (["max_length", "eos_token_id", "custom_generate"], [10**9, [], ["x"], -1]),
    "adapter/adapter_config.json": (
        ["base_model_name_or_path", "rank_pattern", "modules_to_save", "auto_mapping"],
        ["a/b", 0, -1, "r", {"a": 1}],
    ),
}


def model_cases(names: Sequence[str], command: Sequence[str], _: Path) -> SearchStrategy[Case]:
    """A model's folder with one or two of its files damaged."""

    def contents(name: str) -> SearchStrategy[tuple[str, bytes | str]]:
        data = seed(f"model/{name}")
        if name.endswith(".json"):
            new: SearchStrategy[bytes | str] = m.damaged_json(data, *OWN[name])
        elif name.endswith(".safetensors"):
            new = m.damaged_tensors(data)
        else:
            new = st.one_of(
                m.damaged(data), st.sampled_from(TEMPLATES).map(lambda t: t.encode("utf-8", "replace"))
            )
        return st.tuples(st.just(f"model/{name}"), st.one_of(*[new] * 12, special()))

    one = st.sampled_from(names).flatmap(contents)
    with_manifest = st.booleans()

    def build(files: Sequence[tuple[str, bytes | str]], keep: bool) -> Case:
        plain: dict[str, bytes | str] = {} if keep or "inbedder.json" in names else {"model/inbedder.json": b""}
        return Case(plain | dict(files), {"model": "model"}, command)

    return st.builds(build, st.lists(one, min_size=1, max_size=2), with_manifest)


def resolve(model: str) -> None:
    """Find the files of a model."""
    from inbedder_cli.models.resolve import resolve_model

    resolve_model(model, offline=True)


def load_and_encode(model: str) -> None:
    """Load a model, and encode two texts."""
    from inbedder_cli.encoders import load_encoder

    encoder = load_encoder(model, offline=True, cache=False, device="cpu", dtype="float32")
    encoder.encode(["cold room", "kind staff aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"], QUESTION)


def gguf_cases(_: Path) -> SearchStrategy[Case]:
    """Damaged GGUF files, mostly in their header."""
    data = seed("tiny.gguf")
    end = data.index(b"tokenizer.ggml.tokens") + 400
    marks = [
        b"llama.block_count",
        b"general.architecture",
        b"tokenizer.chat_template",
        b"mamba",
        b"GGUF",
        b"\x09\0\0\0",
    ]
    header = m.damaged(data[:end], marks).map(lambda head: head + data[end:])
    beside = {
        "tokenizer_config.json": b'{"auto_map": {"AutoTokenizer": ["evil.T", null]}}',
        "evil.py": seed("model/evil.py"),
    }
    beside["adapter_config.json"] = b'{"base_model_name_or_path": "a/b", "peft_type": "LORA"}'
    command = ["embed", "rows.csv", *TINY[2:], "-m", "tiny.gguf"]
    contents = st.one_of(header, header, header, m.damaged(data, marks), special())
    added = st.sampled_from([{}, beside])
    return st.builds(
        lambda new, more: Case({"tiny.gguf": new, "rows.csv": ROWS, **more}, {"model": "tiny.gguf"}, command),
        contents,
        added,
    )
