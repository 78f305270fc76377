"""From a model's files to an encoder of the right architecture, with the right settings."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import transformers

from inbedder_cli.encoders.transformers.loading import architecture_of, encoder_from_files
from inbedder_cli.errors import ModelError, UsageError
from inbedder_cli.models import ModelFiles, resolve_model
from inbedder_cli.options import Architecture, Dtype, EncodeOptions, Pooling
from tests.conftest import KINDS, MASKED, SEQ2SEQ
from tests.encoders.plain import QUESTION, TEXTS, TOLERANCE, difference, load_by_name, plain_masked

ALL = [
    (name, architecture)
    for architecture, names in zip(Architecture, (KINDS, MASKED, SEQ2SEQ), strict=True)
    for name in names
]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(("name", "architecture"), ALL, ids=[name for name, _ in ALL])
def test_the_architecture_is_found_from_the_config(tiny_models, name, architecture):
    encoder = load_by_name(tiny_models[name])
    assert encoder.architecture is architecture
    assert encoder.pooling is (Pooling.masks if architecture is Architecture.masked else Pooling.first_token)
    assert encoder.encode(TEXTS, QUESTION).vectors.shape == (len(TEXTS), 32)


@pytest.mark.parametrize(
    ("config", "architecture"),
    [
        (transformers.RobertaConfig(), Architecture.masked),
        (transformers.RobertaConfig(is_decoder=True), Architecture.causal),
        (transformers.RobertaConfig(architectures=["RobertaForCausalLM"]), Architecture.causal),
        (transformers.BartConfig(), Architecture.seq2seq),
        (transformers.BartConfig(architectures=["BartModel"]), Architecture.seq2seq),
        (
            transformers.BartConfig(architectures=["BartForCausalLM"], is_encoder_decoder=False),
            Architecture.causal,
        ),
        (transformers.LlamaConfig(), Architecture.causal),
        (transformers.MT5Config(), Architecture.seq2seq),
        (transformers.XLMRobertaConfig(architectures=["XLMRobertaForMaskedLM"]), Architecture.masked),
        (transformers.ModernBertConfig(), Architecture.masked),
    ],
    ids=lambda value: str(getattr(value, "model_type", value)),
)
def test_architecture_goes_before_type(config, architecture):
    assert architecture_of(config) is architecture


def test_models_that_are_not_language_models_are_refused():
    with pytest.raises(ModelError, match="vit is not a language model"):
        architecture_of(transformers.ViTConfig())


@pytest.mark.parametrize("name", ["llama", "bert"])
def test_a_model_without_its_head_is_refused(tiny_models, tmp_path, name):
    """Transformers would fill the head with random numbers, and say so nowhere that a user looks."""
    whole = load_by_name(tiny_models[name])
    whole.model.base_model.save_pretrained(tmp_path)
    whole.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"lacks weights of a \w+ language model"):
        load_by_name(tmp_path)


@pytest.fixture
def hub(tiny_models, tmp_path, monkeypatch):
    """Put a tiny model into a folder laid out as the hub's cache is."""

    def put(name: str, repository: str):
        folder = tmp_path / f"models--{repository.replace('/', '--')}"
        shutil.copytree(tiny_models[name], folder / "snapshots" / COMMIT)
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text(COMMIT)
        return folder / "snapshots" / COMMIT

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return put


def test_a_masked_model_is_loaded_from_the_hubs_cache(hub):
    hub("modernbert", "someone/tiny")
    encoder = load_by_name("someone/tiny", dtype=Dtype.float32, offline=True)
    assert difference(encoder, plain_masked, EncodeOptions(pooling=Pooling.masks)) < TOLERANCE


@pytest.mark.parametrize(
    "reference", ["BrandonZYW/roberta-large-InBedder", f"BrandonZYW/roberta-large-InBedder@{COMMIT}"]
)
def test_the_papers_masked_checkpoint_is_known(hub, reference):
    hub("roberta", "BrandonZYW/roberta-large-InBedder")
    encoder = load_by_name(reference, dtype=Dtype.float32, offline=True)
    assert (encoder.architecture, encoder.template.name, encoder.layer) == (Architecture.masked, "paper", None)
    assert (encoder.pooling, encoder.n_masks, encoder.standardize) == (Pooling.masks, 3, True)
    vectors = encoder.encode(TEXTS, QUESTION).vectors
    np.testing.assert_allclose(vectors.mean(1), 0, atol=TOLERANCE)
    np.testing.assert_allclose(vectors.std(1, ddof=1), 1, atol=TOLERANCE)
    assert encoder.preview(TEXTS, QUESTION).prompt.endswith("### Response:<mask><mask><mask>")


@pytest.mark.parametrize("model", ["llama-2-7b", "opt-2.7b", "opt-1.3b"])
def test_the_papers_causal_checkpoints_are_known(hub, model):
    """Even where the tokenizer has the chat template of the model that they were made from."""
    folder = hub("llama" if "llama" in model else "opt", f"BrandonZYW/{model}-InBedder")
    (folder / "chat_template.jinja").write_text(CHAT)
    files = resolve_model(f"BrandonZYW/{model}-InBedder", offline=True)
    assert (files.architecture, files.template, files.layer) == (Architecture.causal, "paper", None)
    assert files.pooling is Pooling.first_token


CHAT = (
    "{% for m in messages %}<|user|>{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}<|bot|>{% endif %}"
)


@pytest.mark.parametrize("where", ["chat_template.jinja", "tokenizer_config.json"])
def test_a_chat_model_gets_its_chat_template(tiny_models, tmp_path, where):
    folder = tmp_path / "chatty"
    shutil.copytree(tiny_models["llama"], folder)
    assert load_by_name(folder).template.name == "paper"
    if where.endswith("json"):
        settings = json.loads((folder / where).read_text())
        (folder / where).write_text(json.dumps(settings | {"chat_template": CHAT}))
    else:
        (folder / where).write_text(CHAT)
    encoder = load_by_name(folder)
    assert encoder.template.name == "chat"
    prompt = encoder.template.render("cold", QUESTION)
    assert prompt.endswith(f"<|user|>Question: {QUESTION}\nText: cold<|bot|>Answer:")
    assert load_by_name(folder, template="paper").template.name == "paper"


def test_a_chat_template_that_tells_the_date_tells_always_the_same(tiny_models, tmp_path):
    folder = tmp_path / "dated"
    shutil.copytree(tiny_models["llama"], folder)
    (folder / "chat_template.jinja").write_text("\n {{ strftime_now('%d %b %Y') }} " + CHAT)
    assert load_by_name(folder).template.pattern.startswith("\n 26 Jul 2024 <|user|>")


@pytest.mark.parametrize("damage", ["{", "[]", "\xff"])
def test_a_damaged_tokenizer_config_is_refused(tiny_models, tmp_path, damage):
    folder = tmp_path / "damaged"
    shutil.copytree(tiny_models["llama"], folder)
    (folder / "tokenizer_config.json").write_bytes(damage.encode("latin-1"))
    with pytest.raises(ModelError, match=r"tokenizer_config\.json is damaged"):
        resolve_model(str(folder))


def test_a_pooling_of_another_architecture_in_the_models_own_settings_is_refused(tiny_models):
    files = ModelFiles("tiny", tiny_models["llama"], pooling=Pooling.masks)
    with pytest.raises(ModelError, match="a causal model does not support the pooling masks"):
        encoder_from_files(files).encode(TEXTS, QUESTION)


def test_a_dtype_may_be_named_by_its_string(tiny_models):
    assert str(load_by_name(tiny_models["llama"], dtype="float32").model.dtype) == "torch.float32"
    load_by_name(tiny_models["llama"], dtype="auto")
    with pytest.raises(UsageError, match="float64"):
        load_by_name(tiny_models["llama"], dtype="float64")
