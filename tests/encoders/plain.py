"""The same quantities computed the slow, plain way with transformers alone: one row at a time, without padding.

Each function returns one text's vector and answer ids; `difference` compares an encoder with them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import torch

from inbedder_cli.encoders.transformers.lazy_encoder import LazyEncoder
from inbedder_cli.encoders.transformers.loading import encoder_from_files
from inbedder_cli.models import ModelFiles
from inbedder_cli.options import Dtype, EncodeOptions, Pooling

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUESTION = "What emotion is expressed?"
TEXTS = [
    "The hotel was wonderful.",
    "My parcel never came; I want my money back!",
    "ok",
    "Ünïcödé and 12345, " * 6,
    "The staff were architecture and the room was cold and the bed was hard and I slept well.",
    "joy",
]
TOLERANCE = 1e-4


def load_fresh(folder: Path, template: str = "paper", **settings):
    """An encoder whose model and tokenizer a test may change."""
    return encoder_from_files(
        ModelFiles("tiny", folder, template=template, **settings), device="cpu", dtype=Dtype.float32
    )


load_shared = cache(load_fresh)


def load(folder: Path, template: str = "paper", **settings):
    """An encoder whose model and tokenizer are shared by all tests; what was tried on it is not."""
    return replace(load_shared(folder, template, **settings))


GENERATED = WeakKeyDictionary()


def generate_once(model, prompt: str, ids, **settings):
    """What `generate` returns, kept for as long as the model."""
    key = (prompt, str(model.generation_config.eos_token_id), str(settings.get("max_new_tokens")))
    kept = GENERATED.setdefault(model, {})
    if key not in kept:
        kept[key] = model.generate(ids, attention_mask=torch.ones_like(ids), **settings)
    return kept[key]


def load_by_name(reference: str | Path, **settings):
    """The loaded model of a reference."""
    return LazyEncoder(str(reference), **({"device": "cpu"} | settings)).model


def plain_causal(encoder, text: str, pooling: Pooling, layer: int, max_answer_tokens: int):
    """The vector and the answer ids of one text, by transformers' own `generate`."""
    prompt = encoder.template.render(text, QUESTION)
    ids = encoder.tokenizer(prompt, return_tensors="pt")["input_ids"]
    out = generate_once(
        encoder.model,
        prompt,
        ids,
        max_new_tokens=max_answer_tokens,
        do_sample=False,
        output_hidden_states=True,
        return_dict_in_generate=True,
        pad_token_id=0,
    )
    new = out.sequences[0, ids.shape[1] :].tolist()
    ends = encoder.model.generation_config.eos_token_id
    ends = [ends] if isinstance(ends, int) else ends
    answer = new[: next((i for i, token in enumerate(new) if token in ends), len(new))]
    prompt = out.hidden_states[0][layer][0]
    predicting = [prompt[-1]] + [step[layer][0, 0] for step in out.hidden_states[1:]]
    predicting = torch.stack(predicting[: max(1, len(answer))])
    vector = {
        Pooling.first_token: predicting[0],
        Pooling.answer_mean: predicting.mean(0),
        Pooling.answer_last: predicting[-1],
        Pooling.prompt_mean: prompt.mean(0),
        Pooling.all_mean: torch.cat([prompt, predicting[1:]]).mean(0),
    }[pooling]
    return vector.numpy(), answer


def plain_masked(encoder, text: str, pooling: Pooling, layer: int | None, n_masks: int = 3):
    """By one whole forward pass, and the head's parts by their names in each family."""
    tokenizer, model = encoder.tokenizer, encoder.model
    prompt = encoder.template.render(text, QUESTION) + tokenizer.mask_token * n_masks
    ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        out = model(ids, output_hidden_states=True)
        states = out.hidden_states[-1 if layer is None else layer]
        if layer is None and pooling is Pooling.masks:
            states = {
                "roberta": lambda x: model.lm_head.layer_norm(torch.nn.functional.gelu(model.lm_head.dense(x))),
                "bert": lambda x: model.cls.predictions.transform(x),
                "modernbert": lambda x: model.head(x),
            }[model.config.model_type](states)
    masks = ids[0] == tokenizer.mask_token_id
    before = torch.arange(len(masks)) < masks.nonzero()[0]
    chosen = {Pooling.masks: masks, Pooling.prompt_mean: before, Pooling.all_mean: masks | ~masks}[pooling]
    said = out.logits[0, masks].argmax(-1).tolist()
    answer = []
    for id_ in said:
        pieces = [tokenizer.decode([other]).strip().casefold() for other in answer]
        if id_ > 3 and tokenizer.decode([id_]).strip().casefold() not in pieces:
            answer.append(id_)
    return states[0, chosen].mean(0).numpy(), answer


def plain_seq2seq(encoder, text: str, pooling: Pooling, layer: int | None, max_answer_tokens: int):
    """By transformers' own `generate`, without the token that BART is made to say before its answer."""
    prompt = encoder.template.render(text, QUESTION)
    ids = encoder.tokenizer(prompt, return_tensors="pt")["input_ids"]
    forced = len(encoder.opening) - 1
    out = generate_once(
        encoder.model,
        prompt,
        ids,
        max_new_tokens=max_answer_tokens + forced,
        do_sample=False,
        num_beams=1,
        output_hidden_states=True,
        return_dict_in_generate=True,
    )
    new = out.sequences[0, 1 + forced :].tolist()
    ends = encoder.model.generation_config.eos_token_id
    ends = [ends] if isinstance(ends, int) else ends
    answer = new[: next((i for i, token in enumerate(new) if token in ends), len(new))]
    layer = -1 if layer is None else layer
    predicting = torch.stack([step[layer][0, -1] for step in out.decoder_hidden_states[forced:]])
    predicting = predicting[: max(1, len(answer))]
    vector = {
        Pooling.first_token: lambda: predicting[0],
        Pooling.answer_mean: lambda: predicting.mean(0),
        Pooling.answer_last: lambda: predicting[-1],
        Pooling.prompt_mean: lambda: out.encoder_hidden_states[layer][0].mean(0),
    }[pooling]()
    return vector.numpy(), answer


def difference(encoder, plain: Callable, options: EncodeOptions, texts=TEXTS) -> float:
    """The largest difference of a vector's element from the plain computation; infinite if an answer differs."""
    last = 3 if encoder.architecture == "masked" else options.max_answer_tokens
    expected = [plain(encoder, text, options.pooling, options.layer, last) for text in texts]
    encoded = encoder.encode(texts, QUESTION, options)
    for answer, (_, answer_ids) in zip(encoded.answers, expected, strict=True):
        if answer != encoder.clean(answer_ids):
            return np.inf
    return max(np.abs(v - e).max() for v, (e, _) in zip(encoded.vectors, expected, strict=True))
