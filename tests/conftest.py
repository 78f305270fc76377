"""Tiny random models in place of real ones, a quiet terminal of known size, and a command-line runner."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

# Before anything of Hugging Face is imported: tests never reach for the network.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Tiny models are slowed tenfold by threads that wait for each other, above all on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Settings of whoever runs the tests are none of theirs; the cache is where slow ones find the real model.
for name in [name for name in os.environ if name.startswith("INBEDDER_") and name != "INBEDDER_CACHE"]:
    del os.environ[name]
for name in ("FORCE_COLOR", "GITHUB_ACTIONS"):
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
KINDS = ("llama", "opt", "qwen3")  # causal
MASKED = ("roberta", "bert", "modernbert")
SEQ2SEQ = ("t5", "flan-t5", "bart")
# What each family's tokenizer puts around a prompt.
WRAPPINGS = {"roberta": "<s> $A </s>", "bert": "<s> $A </s>", "modernbert": "<s> $A </s>"} | {
    "t5": "$A </s>",
    "flan-t5": "$A </s>",
    "bart": "<s> $A </s>",
}


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


def make_tokenizer(wrapping: str | None = None):
    """A byte-level tokenizer; with a wrapping such as "<s> $A </s>" it has a mask and wraps its prompts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<pad>", "<s>", "</s>", *(["<mask>"] if wrapping else [])],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TRAINING_TEXT, trainer)
    named = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    if wrapping:
        ends = [("<s>", 1), ("</s>", 2)]
        tokenizer.post_processor = processors.TemplateProcessing(single=wrapping, special_tokens=ends)
        named["mask_token"] = "<mask>"
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)


def make_model(kind: str, vocab_size: int, seed: int = 0):
    """A model of random weights, large enough that its states and answers differ from text to text."""
    import torch
    import transformers as t

    torch.manual_seed(seed)
    shape = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": vocab_size}
    ends = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "max_position_embeddings": 600}
    spread = {"intermediate_size": 64, "initializer_range": 0.2}
    wider = {"intermediate_size": 64, "initializer_range": 0.6}
    match kind:
        case "llama":
            return t.LlamaForCausalLM(t.LlamaConfig(**shape, **ends, **spread, num_key_value_heads=2))
        case "opt":
            return t.OPTForCausalLM(t.OPTConfig(**shape, **ends, ffn_dim=64, word_embed_proj_dim=32, init_std=0.2))
        case "qwen3":
            heads = {"num_key_value_heads": 2, "head_dim": 8}
            return t.Qwen3ForCausalLM(t.Qwen3Config(**shape, **ends, **spread, **heads))
        case "roberta":
            return t.RobertaForMaskedLM(t.RobertaConfig(**shape, **ends, **wider))
        case "bert":
            return t.BertForMaskedLM(t.BertConfig(**shape, **ends, **wider))
        case "modernbert":
            windows = {"local_attention": 16, "global_attn_every_n_layers": 2}
            marks = {"cls_token_id": 1, "sep_token_id": 2}
            return t.ModernBertForMaskedLM(t.ModernBertConfig(**shape, **ends, **wider, **windows, **marks))
        case "t5" | "flan-t5":
            stacks = {
                "d_model": 32,
                "d_kv": 8,
                "d_ff": 64,
                "num_heads": 4,
                "num_layers": 3,
                "num_decoder_layers": 2,
            }
            starts = {"decoder_start_token_id": 0, "eos_token_id": 2, "pad_token_id": 0}
            flan = {"tie_word_embeddings": False, "feed_forward_proj": "gated-gelu"} if kind == "flan-t5" else {}
            config = t.T5Config(vocab_size=vocab_size, **stacks, **starts, **flan)
            return t.T5ForConditionalGeneration(config)
        case "bart":
            encoder = {"encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 64}
            decoder = {"decoder_layers": 3, "decoder_attention_heads": 4, "decoder_ffn_dim": 64}
            opening = {"decoder_start_token_id": 2, "forced_bos_token_id": 1, "forced_eos_token_id": None}
            config = t.BartConfig(
                d_model=32, vocab_size=vocab_size, init_std=0.2, **ends, **encoder, **decoder, **opening
            )
            return t.BartForConditionalGeneration(config)
    raise ValueError(kind)


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of tiny random models by kind, saved as transformers saves them."""
    from inbedder_cli.models.convert import quiet_transformers

    quiet_transformers()
    root = tmp_path_factory.mktemp("models")
    folders = {}
    for kind in (*KINDS, *MASKED, *SEQ2SEQ):
        tokenizer = make_tokenizer(WRAPPINGS.get(kind))
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
