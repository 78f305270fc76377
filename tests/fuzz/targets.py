"""What is fuzzed: each target has damaged files, the function that reads them, and commands that do.

To add one, write its inputs and its function, and add it to `TARGETS`.
"""

from __future__ import annotations

from functools import partial

from tests.fuzz.cases import EMBED, Target
from tests.fuzz.models import gguf_cases, load_and_encode, model_cases, resolve
from tests.fuzz.saved import cache_cases, read_suite, read_words, run_cases, suite_cases, word_cases
from tests.fuzz.tables import (
    csv_files,
    jsonl_files,
    packed_files,
    parquet_files,
    read_table,
    read_vector_file,
    table_cases,
    vector_cases,
)


def toy_encoder() -> None:
    """Register the encoder without a model that the commands use."""
    from inbedder_cli.encoders.backends import encoder_backends
    from tests.encoders.toy import ToyEncoder

    encoder_backends.register("toy", ToyEncoder)


MANIFEST = ["inbedder.json"]
LOADED = ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "model.safetensors"]
LOADED += ["chat_template.jinja", "adapter/adapter_config.json", "adapter/adapter_model.safetensors"]

TARGETS: dict[str, Target] = {
    "csv": Target("readers", partial(table_cases, csv_files()), read_table, weight=8),
    "jsonl": Target("readers", partial(table_cases, jsonl_files()), read_table, weight=6),
    "parquet": Target("readers", partial(table_cases, parquet_files()), read_table, weight=6),
    "packed": Target("readers", partial(table_cases, packed_files()), read_table, weight=6),
    "vectors": Target("readers", vector_cases, read_vector_file, weight=6),
    "manifest": Target("models", partial(model_cases, MANIFEST, EMBED), resolve, ("model",), weight=4),
    "model": Target(
        "models", partial(model_cases, LOADED, EMBED), load_and_encode, ("model",), is_heavy=True, weight=3
    ),
    "gguf": Target("models", gguf_cases, resolve, is_heavy=True, weight=2),
    "run": Target("runs", run_cases, None, ("run",), weight=8),
    "cache": Target("cache", cache_cases, None, ("cache",), weight=6),
    "words": Target("other", word_cases, read_words, weight=2),
    "suite": Target("other", suite_cases, read_suite, ("suite",), weight=4),
}
