"""Tiny random models in place of real ones, a quiet terminal of known size, and a command-line runner."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

# Before anything of Hugging Face is imported: tests never reach for the network.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
for name in ("INBEDDER_MODEL", "INBEDDER_DEBUG", "FORCE_COLOR", "GITHUB_ACTIONS"):
    os.environ.pop(name, None)

import pytest
from typer.testing import CliRunner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

TRAINING_TEXT = [
    "The hotel was wonderful and the staff were kind.",
    "What emotion is expressed? joy, anger, sadness, fear, surprise",
    "### Input: ### Instruction: ### Response: which product is it about?",
    "My parcel never came; I want my money back! Ünïcödé and 12345 too.",
]
KINDS = ("llama", "opt", "qwen3")


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERMINAL_WIDTH", "100")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture(autouse=True)
def cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Give every test an empty model cache, except those that run the real model."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setenv("INBEDDER_CACHE", str(tmp_path_factory.mktemp("cache")))


def make_tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TRAINING_TEXT, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )


def make_model(kind: str, vocab_size: int, seed: int = 0):
    import torch
    from transformers import (
        LlamaConfig,
        LlamaForCausalLM,
        OPTConfig,
        OPTForCausalLM,
        Qwen3Config,
        Qwen3ForCausalLM,
    )

    torch.manual_seed(seed)
    shape = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": vocab_size}
    ends = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "max_position_embeddings": 600}
    match kind:
        case "llama":
            config = LlamaConfig(
                **shape, **ends, intermediate_size=64, num_key_value_heads=2, initializer_range=0.2
            )
            return LlamaForCausalLM(config)
        case "opt":
            config = OPTConfig(**shape, **ends, ffn_dim=64, word_embed_proj_dim=32, init_std=0.2)
            return OPTForCausalLM(config)
        case "qwen3":
            config = Qwen3Config(
                **shape,
                **ends,
                intermediate_size=64,
                num_key_value_heads=2,
                head_dim=8,
                initializer_range=0.2,
            )
            return Qwen3ForCausalLM(config)
    raise ValueError(kind)


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of tiny random models by kind, saved as transformers saves them."""
    from inbedder_cli.encoders.loading import quiet_transformers

    quiet_transformers()
    root = tmp_path_factory.mktemp("models")
    tokenizer = make_tokenizer()
    folders = {}
    for kind in KINDS:
        folders[kind] = root / kind
        make_model(kind, len(tokenizer)).save_pretrained(folders[kind])
        tokenizer.save_pretrained(folders[kind])
    return folders


@pytest.fixture
def tiny(tiny_models: dict[str, Path]) -> str:
    """The folder of one tiny model, for `--model`."""
    return str(tiny_models["llama"])


@pytest.fixture
def inbedder() -> Callable[..., Result]:
    """Run the command line in this process: `inbedder("cluster", "x.csv", "-i", "...")`."""
    from inbedder_cli.cli import app

    def run(*arguments: object, stdin: str | bytes | None = None) -> Result:
        result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A small, awkward CSV file: an empty text, a double, a quoted line break, cells that look like nulls."""
    path = tmp_path / "reviews.csv"
    path.write_text(
        "id,text,code,note\n"
        "a1,The room was cold and loud.,007,NA\n"
        'a2,"Lovely breakfast,\nthank you!",12345678901234567890,null\n'
        "a3,,1.50,None\n"
        "a4,The lock was broken.,2024-01-05,\n"
        'a5,The room was cold and loud.,x,"say ""hi"""\n'
        "a6,Staff ignored us all evening,y,é\n",
        encoding="utf-8",
    )
    return path
