"""What is fuzzed: each target has damaged files, the function that reads them, and commands that do.

To add one, write its inputs and its function, and add it to `TARGETS`.
"""

from __future__ import annotations

from functools import partial

from tests.fuzz.cases import EMBED, Target
from tests.fuzz.commands import answer_cases, settings_cases
from tests.fuzz.documents import excel_files, header_files, json_files, line_files, options_of
from tests.fuzz.exports import export_files, zip_files
from tests.fuzz.models import gguf_cases, load_and_encode, model_cases, resolve
from tests.fuzz.parts import review_cases, shard_cases
from tests.fuzz.saved import cache_cases, read_suite, read_words, run_cases, suite_cases, word_cases
from tests.fuzz.tables import (
    csv_files,
    jsonl_files,
    options_of_reading,
    packed_files,
    parquet_files,
    read_table,
    read_vector_file,
    table_cases,
    vector_cases,
)
from tests.fuzz.teachers import identify_languages, label_cases, language_cases, pull, pull_cases, read_labels
from tests.fuzz.workers import hear_workers, worker_cases


def toy_encoder() -> None:
    """Register the encoder without a model that the commands use."""
    from inbedder_cli.encoders.backends import encoder_backends
    from tests.encoders.toy import ToyEncoder

    encoder_backends.register("toy", ToyEncoder)


MANIFEST = ["inbedder.json"]
LOADED = ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "model.safetensors"]
LOADED += ["chat_template.jinja", "adapter/adapter_config.json", "adapter/adapter_model.safetensors"]

TARGETS: dict[str, Target] = {
    "csv": Target("readers", partial(table_cases, csv_files(), options_of_reading()), read_table, weight=8),
    "jsonl": Target("readers", partial(table_cases, jsonl_files(), options_of_reading()), read_table, weight=6),
    "parquet": Target(
        "readers", partial(table_cases, parquet_files(), options_of_reading()), read_table, weight=6
    ),
    "packed": Target("readers", partial(table_cases, packed_files(), options_of_reading()), read_table, weight=6),
    "xlsx": Target("readers", partial(table_cases, excel_files(), options_of("xlsx")), read_table, weight=8),
    "json": Target("readers", partial(table_cases, json_files(), options_of("json")), read_table, weight=6),
    "lines": Target("readers", partial(table_cases, line_files(), options_of("lines")), read_table, weight=4),
    "header": Target("readers", partial(table_cases, header_files(), options_of("header")), read_table, weight=6),
    "zip": Target("readers", partial(table_cases, zip_files(), options_of_reading()), read_table, weight=4),
    "exports": Target("readers", partial(table_cases, export_files(), options_of("json")), read_table, weight=6),
    "answers": Target("other", answer_cases, None, weight=4),
    "settings": Target("other", settings_cases, None, weight=4),
    "vectors": Target("readers", vector_cases, read_vector_file, weight=6),
    "manifest": Target("models", partial(model_cases, MANIFEST, EMBED), resolve, ("model",), weight=4),
    "model": Target(
        "models", partial(model_cases, LOADED, EMBED), load_and_encode, ("model",), is_heavy=True, weight=3
    ),
    "gguf": Target("models", gguf_cases, resolve, is_heavy=True, weight=2),
    "labels": Target("training", label_cases, read_labels, ("model",), weight=4),
    "pull": Target("models", pull_cases, pull, weight=3),
    "languages": Target("other", language_cases, identify_languages, ("model",), weight=2),
    "run": Target("runs", run_cases, None, ("run",), weight=8),
    "shards": Target("shards", shard_cases, None, ("work",), weight=8),
    "review": Target("runs", review_cases, None, ("reviewed",), weight=4),
    "workers": Target("encoders", worker_cases, hear_workers, weight=3),
    "cache": Target("cache", cache_cases, None, ("cache",), weight=6),
    "words": Target("other", word_cases, read_words, weight=2),
    "suite": Target("other", suite_cases, read_suite, ("suite",), weight=4),
}
