"""Poisoned model folders and GGUF files, made from one tiny valid model, and a runner that tries them.

    python -m tests.models.poison [--every N] [--only PART] [--jobs N]

Each case runs the command in a forked child with 4 GB of address space, 10 seconds and no network. It must end
with 0 or 3 and without a traceback; code in the folder must not run, and random weights must not be used.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Case = tuple[str, Callable[[Path], None]]

SECONDS, ADDRESS_SPACE = 10, 4 * 2**30
LAYER = "base_model.model.model.layers.0.self_attn.q_proj"
MARK = "code-ran"
CHAT = "{% for m in messages %}<s>{{ m.content }}{% endfor %}"
SETTINGS = ("config.json", "tokenizer_config.json", "generation_config.json", "inbedder.json")
FILES = (*SETTINGS, "tokenizer.json", "model.safetensors", "chat_template.jinja", "special_tokens_map.json")
ADAPTER = ("adapter/adapter_config.json", "adapter/adapter_model.safetensors")
ODD: tuple[Any, ...] = (
    10**9,
    10**7,
    -1,
    0,
    1.5,
    float("nan"),
    "x",
    "../../x",
    None,
    True,
    [],
    [1] * 1000,
    {"": 1},
    2**70,
)


def valid(folder: Path) -> None:
    """Write the tiny valid model: weights, tokenizer, template, adapter, manifest, code that must not run."""
    from safetensors.torch import save_file

    from tests.conftest import make_model, make_tokenizer

    tokenizer = make_tokenizer()
    make_model("llama", len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(CHAT)
    (folder / "special_tokens_map.json").write_text("{}")
    (folder / "code.py").write_text(f"open({str(folder / MARK)!r}, 'w')\nclass Any: pass\n")
    import torch

    (folder / "adapter").mkdir()
    matrices = {f"{LAYER}.lora_A.weight": torch.ones(2, 32), f"{LAYER}.lora_B.weight": torch.ones(32, 2)}
    save_file(matrices, folder / ADAPTER[1])
    settings = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "bias": "none", "target_modules": ["q_proj"]}
    (folder / ADAPTER[0]).write_text(json.dumps(settings))
    manifest = {"schema": 2, "name": "x", "description": "", "license": "", "base": {}, "adapter": "adapter"}
    manifest |= {"template": "chat", "layer": None, "pooling": None, "n_masks": 3, "standardize": False}
    (folder / "inbedder.json").write_text(json.dumps(manifest))
    write_gguf(folder / "model.gguf", folder)


def write_gguf(path: Path, source: Path, *, drop: str = "", **settings: Any) -> None:
    """Write the model of a folder as a GGUF file; `settings` replace metadata, `drop` leaves tensors out."""
    import gguf
    from safetensors.numpy import load_file

    config = json.loads((source / "config.json").read_text())
    vocabulary = json.loads((source / "tokenizer.json").read_text())["model"]
    tokens = settings.get("tokens") or sorted(vocabulary["vocab"], key=vocabulary["vocab"].get)
    writer = gguf.GGUFWriter(path, settings.get("architecture", "llama"))
    writer.add_context_length(settings.get("context_length", config["max_position_embeddings"]))
    writer.add_embedding_length(settings.get("embedding_length", config["hidden_size"]))
    writer.add_block_count(settings.get("block_count", config["num_hidden_layers"]))
    writer.add_feed_forward_length(settings.get("feed_forward_length", config["intermediate_size"]))
    writer.add_head_count(settings.get("head_count", config["num_attention_heads"]))
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(settings.get("eps", config["rms_norm_eps"]))
    if "rope" in settings:
        writer.add_rope_freq_base(settings["rope"])
    writer.add_vocab_size(settings.get("vocab_size", len(tokens)))
    writer.add_tokenizer_model(settings.get("tokenizer", "gpt2"))
    writer.add_token_list(tokens)
    writer.add_token_types([1] * len(tokens))
    writer.add_token_merges(settings.get("merges") or [" ".join(pair) for pair in vocabulary["merges"]])
    writer.add_bos_token_id(settings.get("bos", 1))
    writer.add_eos_token_id(settings.get("eos", 2))
    writer.add_chat_template(settings.get("chat", CHAT))
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    parts = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v"}
    parts |= {"self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up"}
    parts |= {"mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    names |= {f"model.layers.{i}.{name}": f"blk.{i}.{short}" for name, short in parts.items() for i in range(3)}
    for name, tensor in load_file(source / "model.safetensors").items():
        if not drop or drop not in name:
            writer.add_tensor(names[name.removesuffix(".weight")] + ".weight", tensor * settings.get("scale", 1))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def cases() -> Iterator[Case]:
    """Yield all cases: a name, and what changes a copy of the valid folder."""
    yield from of_files()
    yield from of_settings()
    yield from of_code()
    yield from of_templates()
    yield from of_tokenizers()
    yield from of_weights()
    yield from of_adapters()
    yield from of_gguf()


def of_files() -> Iterator[Case]:
    """Yield files that are missing, damaged, endless, huge, or no files."""

    def replaced(file: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
        def change(folder: Path) -> None:
            (folder / file).unlink()
            make(folder / file)

        return change

    kinds: dict[str, Callable[[Path], object]] = {
        "missing": lambda path: None,
        "empty": lambda path: path.touch(),
        "zeros": lambda path: path.write_bytes(bytes(5000)),
        "fifo": os.mkfifo,
        "folder": Path.mkdir,
        "endless": lambda path: path.symlink_to("/dev/zero"),
        "terminal": lambda path: path.symlink_to("/dev/tty"),
        "loop": lambda path: path.symlink_to(path),
        "dangling": lambda path: path.symlink_to("/nowhere/at/all"),
        "sparse": lambda path: (path.touch(), os.truncate(path, 2**40)),
        "deep": lambda path: path.write_text("[" * 100_000),
        "deeper": lambda path: path.write_text('{"a":' * 200_000 + "1" + "}" * 200_000),
        "list": lambda path: path.write_text("[1]"),
        "latin-1": lambda path: path.write_bytes(b'{"model_type": "\xff"}'),
        "number": lambda path: path.write_text('{"a": ' + "9" * 10_000 + "}"),
    }
    for file in (*FILES, *ADAPTER):
        for kind, make in kinds.items():
            yield f"file {file} {kind}", replaced(file, make)
    for half in (*FILES, *ADAPTER):
        yield f"file {half} half", lambda folder, file=half: cut(folder / file, 0.5)
    yield (
        "file beside sparse",
        lambda folder: (
            (folder / "more.txt").touch(),
            os.truncate(folder / "more.txt", 2**40),
        ),
    )
    yield "file beside fifo", lambda folder: os.mkfifo(folder / "vocab.json")


def cut(path: Path, share: float) -> None:
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def edit(file: str, **changes: Any) -> Callable[[Path], None]:
    """Return a change of settings in a JSON file; "a/b" is a setting inside another."""

    def change(folder: Path) -> None:
        settings = json.loads((folder / file).read_text())
        for key, value in changes.items():
            place, *parts = settings, *key.split("/")
            for part in parts[:-1]:
                place = place[int(part) if isinstance(place, list) else part]
            place[parts[-1]] = value
        (folder / file).write_text(json.dumps(settings))

    return change


def of_settings() -> Iterator[Case]:
    """Yield every setting with values of other types and sizes."""
    known = {
        "config.json": (
            "hidden_size num_hidden_layers num_attention_heads num_key_value_heads intermediate_size vocab_size "
            "max_position_embeddings head_dim model_type architectures hidden_act rms_norm_eps rope_parameters "
            "pad_token_id eos_token_id tie_word_embeddings attention_bias dtype initializer_range num_labels "
            "is_encoder_decoder layer_types"
        ),
        "tokenizer_config.json": "tokenizer_class eos_token pad_token model_max_length extra_special_tokens",
        "generation_config.json": "eos_token_id pad_token_id max_length custom_generate",
        "inbedder.json": "schema name base adapter template layer pooling n_masks standardize base/model",
        ADAPTER[0]: "r lora_alpha peft_type bias target_modules use_rslora rank_pattern",
    }
    for file, keys in known.items():
        for key in keys.split():
            for value in ODD:
                yield f"setting {file} {key} {str(value)[:12]}", edit(file, **{key: value})
    for key in ("hidden_size", "num_hidden_layers", "vocab_size", "intermediate_size", "head_dim"):
        for value in (1, 31, 33, 64, 1000, 2**20, 2**31 - 1):
            yield f"setting config.json {key} {value}", edit("config.json", **{key: value})
    for kind in (
        "gpt2",
        "bert",
        "t5",
        "mamba",
        "xlm",
        "mixtral",
        "vit",
        "llava",
        "rag",
        "timm_wrapper",
        "",
        "code",
    ):
        yield f"setting config.json model_type {kind}", edit("config.json", model_type=kind)
    for key, value in {
        "template": "{text}" * 100 + "{instruction}",
        "base/model": ".",
        "adapter": "../adapter",
        "n_masks": 10**6,
        "layer": 10**6,
        "pooling": "masks",
    }.items():
        yield f"setting inbedder.json {key} {str(value)[:9]}", edit("inbedder.json", **{key: value})


def of_code() -> Iterator[Case]:
    """Yield settings that choose code, kernels, files or another repository."""
    code = {
        "AutoConfig": "code.Any",
        "AutoModelForCausalLM": "code.Any",
        "AutoTokenizer": ["code.Any", "code.Any"],
    }
    choices: dict[str, Any] = {
        "auto_map": code,
        "_attn_implementation": "evil/kernel",
        "attn_implementation": "evil/kernel",
        "_attn_implementation_internal": "evil/kernel",
        "_experts_implementation": "evil/kernel",
        "experts_implementation": "evil/kernel",
        "quantization_config": {"quant_method": "gptq", "bits": 4},
        "custom_generate": "evil/repository",
        "transformers_weights": "../other.safetensors",
        "fusion_config": {"a": "b"},
        "distributed_config": {"tp_plan": "auto"},
        "kernel_config": {"a": "evil/kernel"},
        "use_kernels": True,
        "per_layer_config": {"0": {"hidden_size": 10**6}},
        "tokenizer_class": "code.Any",
        "processor_class": "code.Any",
        "name_or_path": "evil/repository",
        "_name_or_path": "evil/repository",
        "custom_pipelines": {"x": {"impl": "code.Any"}},
        "save_pretrained": 1,
        "get_text_config": 1,
        "base_model_tp_plan": {"a": "b"},
        "vocab_file": "/dev/zero",
        "tokenizer_file": "/dev/zero",
        "fast_tokenizer_files": ["/dev/zero"],
    }
    for file in ("config.json", "tokenizer_config.json", "generation_config.json"):
        for key, value in choices.items():
            yield f"code {file} {key}", edit(file, **{key: value})
    yield "code all", lambda folder: [edit(file, **choices)(folder) for file in SETTINGS[:3]]
    for key, value in {
        "auto_mapping": {"base_model_class": "Any", "parent_library": "code"},
        "layer_replication": [[0, 10**6]],
        "loftq_config": {"loftq_bits": 4},
        "eva_config": {"rho": 2},
        "corda_config": {"a": 1},
        "base_model_name_or_path": "evil/repository",
        "revision": "../x",
        "rank_pattern": {"q_proj": 10**9},
        "modules_to_save": ["lm_head"],
        "init_lora_weights": "pissa",
        "megatron_config": {"a": 1},
        "runtime_config": {"ephemeral_gpu_offload": True},
        "trainable_token_indices": [1, 2],
    }.items():
        yield f"code adapter {key}", edit(ADAPTER[0], **{key: value})
    yield "code beside", lambda folder: shutil.copy(folder / ADAPTER[0], folder / "adapter_config.json")
    yield "code generate", lambda folder: shutil.copytree(folder / "adapter", folder / "custom_generate")


def of_templates() -> Iterator[Case]:
    """Yield chat templates that recurse, loop, grow, escape, or lose the text."""
    loop = "{% for a in range(99999) %}"
    for name, template in {
        "recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "mutual": "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}",
        "loops": loop * 3 + "{% endfor %}" * 3,
        "fast loop": loop * 3 + "x" + "{% endfor %}" * 3,
        "growth": "{% set ns = namespace(s='a') %}{% for a in range(60) %}{% set ns.s = ns.s * 2 %}{% endfor %}",
        "product": "{{ 'a' * 10 ** 10 }}",
        "list": "{{ [0] * 10 ** 10 }}",
        "power": "{{ 10 ** 10 ** 9 }}",
        "tower": "{{ 9 ** 9 ** 9 ** 9 }}",
        "format": "{{ '%0999999999d' % 1 }}",
        "format method": "{{ '{:>9999999999}'.format(1) }}",
        "center": "{{ 'x' | center(10 ** 10) }}",
        "join": "{{ range(99999) | join('x' * 100000) }}",
        "replace": "{{ ('a' * 100000) | replace('a', 'b' * 100000) }}",
        "wordwrap": "{{ ('a ' * 10 ** 6) | wordwrap(1) }}",
        "indent": "{{ ('a\n' * 10 ** 6) | indent(10 ** 5) }}",
        "deep": "{{ " + "(" * 50_000 + ")" * 50_000 + " }}",
        "nested": "{% if 1 %}" * 5000 + "{% endif %}" * 5000,
        "include": "{% include '/etc/passwd' %}" + CHAT,
        "import": "{% import 'x' as x %}" + CHAT,
        "extends": "{% extends '/etc/passwd' %}",
        "class": "{{ ''.__class__.__mro__[1].__subclasses__() }}" + CHAT,
        "globals": "{{ cycler.__init__.__globals__.os.system('touch " + MARK + "') }}" + CHAT,
        "lipsum": "{{ lipsum(n=99999) }}",
        "exception": "{{ raise_exception('no') }}",
        "syntax": "{% for %}",
        "unknown filter": "{{ messages | nothing }}",
        "no text": "{{ 'hello' }}",
        "twice": CHAT + CHAT,
        "long": "{{ 'a' * 200000 }}" + CHAT,
        "surrogate": "{{ '\\ud800' }}" + CHAT,
        "huge": "a" * (5 * 2**20),
        "sort": "{{ range(99999) | map('string') | sort | reverse | list | tojson }}" * 200,
        "day": "{{ strftime_now('%Y' * 100000) }}" + CHAT,
        "brace": "{{ '{text}' }}" + CHAT,
    }.items():
        yield (
            f"template {name}",
            lambda folder, t=template: (folder / "chat_template.jinja").write_text(t) and None,
        )
    yield "template several", edit("tokenizer_config.json", chat_template=[{"name": "a", "template": CHAT}])
    yield "template type", edit("tokenizer_config.json", chat_template={"default": 1})


def of_tokenizers() -> Iterator[Case]:
    """Yield tokenizers whose steps or tables do harm."""
    double = {"type": "Replace", "pattern": {"String": "e"}, "content": "ee"}
    cases: dict[str, dict[str, Any]] = {
        "doubling": {"normalizer": {"type": "Sequence", "normalizers": [double] * 40}},
        "doubling decoder": {"decoder": {"type": "Sequence", "decoders": [double] * 40}},
        "long": {"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "x" * 10**6}},
        "prepend": {"normalizer": {"type": "Prepend", "prepend": "x" * 10**7}},
        "backtracking": {
            "pre_tokenizer": {
                "type": "Split",
                "pattern": {"Regex": r"(\w+\s?)+$"},
                "behavior": "Isolated",
                "invert": False,
            }
        },
        "bad regex": {
            "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": False}
        },
        "padding": {
            "padding": {
                "strategy": {"Fixed": 10**9},
                "direction": "Right",
                "pad_to_multiple_of": None,
                "pad_id": 0,
                "pad_type_id": 0,
                "pad_token": "<pad>",
            }
        },
        "truncation": {
            "truncation": {"direction": "Right", "max_length": 0, "strategy": "LongestFirst", "stride": 10**9}
        },
        "unknown model": {"model/type": "Evil"},
        "no vocabulary": {"model/vocab": {}},
        "vocabulary": {"model/vocab": {"a": 10**9, "b": -1}},
        "same ids": {"model/vocab": {chr(97 + i): 0 for i in range(26)}},
        "ids": {"model/vocab": {chr(33 + i): 10**6 + i for i in range(90)}, "model/merges": []},
        "merges": {"model/merges": [["q", "zzzz"]]},
        "added": {"added_tokens/0/id": 10**9},
        "added long": {"added_tokens/0/content": "x" * 10**6},
        "added empty": {"added_tokens/0/content": ""},
        "version": {"version": "99"},
        "charsmap": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA" * 10**6}},
        "unknown step": {"normalizer": {"type": "Evil"}},
        "wordpiece": {
            "model": {
                "type": "WordPiece",
                "unk_token": "[UNK]",
                "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": {"a": 0},
            }
        },
    }
    for name, changes in cases.items():
        yield f"tokenizer {name}", edit("tokenizer.json", **changes)


def of_weights() -> Iterator[Case]:  # noqa: C901
    """Yield safetensors whose header lies, and tensors that are missing, misshapen or no numbers."""

    def tensors(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
        def apply(folder: Path) -> None:
            from safetensors.torch import load_file, save_file

            values = load_file(folder / "model.safetensors")
            values = {name: tensor.clone() for name, tensor in values.items()}
            change(values)
            save_file(values, folder / "model.safetensors", metadata={"format": "pt"})

        return apply

    def header(change: Callable[[dict[str, Any]], object], length: int | None = None) -> Callable[[Path], None]:
        def apply(folder: Path) -> None:
            data = (folder / "model.safetensors").read_bytes()
            (n,) = struct.unpack("<Q", data[:8])
            entries = json.loads(data[8 : 8 + n])
            change(entries)
            text = json.dumps(entries).encode()
            head = struct.pack("<Q", len(text) if length is None else length)
            (folder / "model.safetensors").write_bytes(head + text + data[8 + n :])

        return apply

    embed, norm = "model.embed_tokens.weight", "model.norm.weight"
    for length in (0, 1, 7, 2**20, 2**40, 2**63, 2**64 - 1):
        yield f"weights header length {length}", header(lambda entries: None, length)
    for key, value in (
        ("data_offsets", [0, 2**50]),
        ("data_offsets", [10, 0]),
        ("data_offsets", [-8, 8]),
        ("data_offsets", [0]),
        ("shape", [10**9, 10**9]),
        ("shape", [-1]),
        ("shape", []),
        ("shape", [2**62, 4]),
        ("dtype", "F8"),
        ("dtype", "I64"),
        ("dtype", 1),
    ):
        yield f"weights {key} {value}", header(lambda entries, k=key, v=value: entries[embed].__setitem__(k, v))
    import torch

    for name in (embed, norm, "lm_head.weight", "model.layers.1.mlp.up_proj.weight"):
        yield f"weights missing {name}", tensors(lambda values, n=name: values.pop(n))
        for bad in (float("nan"), float("inf")):
            yield f"weights {bad} {name}", tensors(lambda values, n=name, b=bad: values[n].view(-1)[-1].fill_(b))
        for shape in ((1,), (0,), (7, 3), (32, 32, 1), ()):
            yield (
                f"weights shape {shape} {name}",
                tensors(lambda values, n=name, s=shape: values.__setitem__(n, torch.zeros(s))),
            )
        for dtype in (torch.int64, torch.bool, torch.float8_e4m3fn, torch.complex64):
            yield (
                f"weights {dtype} {name}",
                tensors(lambda values, n=name, d=dtype: values.__setitem__(n, values[n].to(d))),
            )
    yield "weights none", tensors(lambda values: values.clear())
    yield "weights more", tensors(lambda values: values.__setitem__("x" * 1000, torch.zeros(3)))
    yield "weights huge values", tensors(lambda values: [value.fill_(3e38) for value in values.values()])
    for shards in (
        {},
        {"a": "../x"},
        {"a": 1},
        {embed: "x.safetensors"},
        {"a": "/dev/zero"},
        [1],
        {"a": "adapter"},
    ):

        def sharded(folder: Path, shards: Any = shards) -> None:
            (folder / "model.safetensors").rename(folder / "other.safetensors")
            (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))

        yield f"weights index {str(shards)[:20]}", sharded


def of_adapters() -> Iterator[Case]:
    """Yield adapters whose matrices do not fit."""
    import torch

    for name, a, b in (
        ("rank", (3, 32), (32, 3)),
        ("broadcast", (2, 32), (1, 2)),
        ("wide", (2, 33), (32, 2)),
        ("vectors", (32,), (32,)),
        ("empty", (0, 32), (32, 0)),
        ("cubes", (2, 32, 1), (32, 2, 1)),
    ):

        def change(folder: Path, a: Any = a, b: Any = b) -> None:
            from safetensors.torch import save_file

            matrices = {f"{LAYER}.lora_A.weight": torch.ones(a), f"{LAYER}.lora_B.weight": torch.ones(b)}
            save_file(matrices, folder / ADAPTER[1])

        yield f"adapter {name}", change
    for name, key in (("elsewhere", "base_model.model.x"), ("half", None), ("odd", "x" * 10**4)):

        def rename(folder: Path, key: str | None = key) -> None:
            from safetensors.torch import save_file

            names = [f"{key}.lora_A.weight", f"{key}.lora_B.weight"] if key else [f"{LAYER}.lora_A.weight"]
            save_file({n: torch.ones(2, 2) for n in names}, folder / ADAPTER[1])

        yield f"adapter {name}", rename

    def not_numbers(folder: Path) -> None:
        from safetensors.torch import save_file

        matrices = {
            f"{LAYER}.lora_A.weight": torch.full((2, 32), float("nan")),
            f"{LAYER}.lora_B.weight": torch.ones(32, 2),
        }
        save_file(matrices, folder / ADAPTER[1])

    yield "adapter nan", not_numbers
    yield "adapter alpha", edit(ADAPTER[0], lora_alpha=10**300)


def of_gguf() -> Iterator[Case]:
    """Yield GGUF files that are cut, or whose header lies."""

    def made(**settings: Any) -> Callable[[Path], None]:
        return lambda folder: write_gguf(folder / "model.gguf", folder, **settings)

    def patched(offset: int, data: bytes) -> Callable[[Path], None]:
        def change(folder: Path) -> None:
            content = bytearray((folder / "model.gguf").read_bytes())
            content[offset : offset + len(data)] = data
            (folder / "model.gguf").write_bytes(content)

        return change

    for share in (0.0001, 0.001, 0.01, 0.05, 0.1, 0.3, 0.6, 0.9, 0.999):
        yield f"gguf cut {share}", lambda folder, s=share: cut(folder / "model.gguf", s)
    for offset in (4, 8, 16, 24):  # version, tensors, settings, length of the first key
        for value in (0, 1, 2**31, 2**40, 2**63, 2**64 - 1):
            yield f"gguf at {offset} {value}", patched(offset, struct.pack("<Q", value)[: 4 if offset == 4 else 8])
    for offset in range(30, 30 + 60 * 37, 37):
        yield f"gguf byte {offset}", patched(offset, b"\xff")
    for key, values in {
        "embedding_length": (0, 1, 10**7, 2**31),
        "block_count": (0, 1, 1000, 10**6, 2**31),
        "feed_forward_length": (0, 10**7),
        "head_count": (0, 3, 10**6),
        "context_length": (0, 1, 2**31),
        "vocab_size": (0, 1, 10**7),
        "architecture": ("gpt2", "evil", "", "clip", "t5"),
        "tokenizer": ("llama", "evil", "bert", ""),
        "tokens": (["a"], ["x" * 10**6] * 3, ["a"] * 400),
        "merges": (["x"], ["a b c"], [""]),
        "bos": (10**6,),
        "eos": (2**32 - 1,),
        "eps": (0.0, float("nan"), float("inf"), -1.0, 1e30),
        "rope": (0.0, float("nan"), float("inf"), -1.0, 1e30),
        "scale": (float("nan"), 3e38),
        "chat": ("{{ 'a' * 10 ** 10 }}", "{% for %}"),
        "drop": ("embed", "norm", "lm_head", "layers.1", "up_proj"),
    }.items():
        for value in values:
            yield f"gguf {key} {str(value)[:12]}", made(**{key: value})


def run_case(name: str, change: Callable[[Path], None], source: Path, scratch: Path) -> str:
    """Run the command on one poisoned copy in a forked child; return "" or what is wrong."""
    folder = scratch / "case"
    shutil.copytree(source, folder)
    change(folder)
    model = folder / "model.gguf" if name.startswith("gguf") else folder
    if name.startswith(("weights", "code", "template", "tokenizer")) or "config.json" in name.split("adapter")[0]:
        (folder / "inbedder.json").unlink(missing_ok=True)
    start = time.monotonic()
    with (scratch / "out").open("w+") as out:
        child = os.fork()
        if child == 0:
            run_child(model, folder, scratch, out)
        status = wait(child, start + 60 * SECONDS)  # of time that others use too; SECONDS is computation
        out.seek(0)
        said = out.read(20_000)
    problems = []
    if status is None:
        problems.append("hangs")
    elif os.WIFSIGNALED(status):
        problems.append(f"signal {os.WTERMSIG(status)}")
    elif os.WEXITSTATUS(status) not in (0, 3):
        problems.append(f"exit {os.WEXITSTATUS(status)}")
    problems += [word for word in ("Traceback (most", "stack backtrace", "NETWORK", "Do you wish") if word in said]
    if (folder / MARK).exists() or (scratch / MARK).exists():
        problems.append("code ran")
    if name.startswith("weights missing") and status == 0:
        problems.append("random weights")
    shutil.rmtree(folder)
    if os.environ.get("VERBOSE"):
        code = os.waitstatus_to_exitcode(status) if status is not None else None
        say(f"  {name}: {code} {time.monotonic() - start:.1f} s {said[:160]!r}")
    return f"{', '.join(problems)}: {said[-300:]!r}" if problems else ""


def run_child(model: Path, folder: Path, scratch: Path, out: Any) -> None:
    """Run the command, and end this process."""
    code = 99
    try:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(folder)
        os.environ["INBEDDER_CACHE"] = str(scratch / "cache" / str(os.getpid()))
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))

        def refuse(*_: Any) -> None:
            say("NETWORK")
            raise OSError("no network")

        socket.socket.connect = refuse  # type: ignore[method-assign]
        from inbedder_cli.cli import main

        sys.argv = ["inbedder", "answer", str(scratch / "rows.csv"), "-i", "What is it?", "-m", str(model), "-q"]
        code = 0
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 98
    finally:
        sys.stdout.flush()
        os._exit(code)


def say(text: str) -> None:
    """Write a line to stdout at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def wait(child: int, deadline: float) -> int | None:
    """Return the child's status, or None when it had to be killed."""
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def main() -> int:
    """Run the chosen cases, print what is wrong, and return 1 if anything is."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    import gguf  # noqa: F401
    import torch
    import transformers  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM  # noqa: F401
    from transformers.integrations import gguf as _  # noqa: F401
    from transformers.models.auto import modeling_auto  # noqa: F401

    torch.set_num_threads(1)
    gc.freeze()  # so that a child copies fewer pages of memory
    chosen = [case for case in cases() if arguments.only in case[0]][arguments.first :: arguments.every]
    wrong = []
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        (scratch / "rows.csv").write_text("text\n" + "".join(f"the row number {i} is here\n" for i in range(4)))
        valid(scratch / "valid")
        for name, change in chosen:
            if problem := run_case(name, change, scratch / "valid", scratch):
                wrong.append(name)
                say(f"{name}: {problem}")
    say(f"{len(chosen)} cases, {len(wrong)} wrong, {time.monotonic() - start:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
