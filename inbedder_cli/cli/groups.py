"""Groups of options that several commands take, and what each group makes: a corpus, an encoder, settings."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from inbedder_cli.cli import options
from inbedder_cli.errors import ModelError, UsageProblem
from inbedder_cli.options import AbstainOptions, EmptyTexts, EncodeOptions, NumberFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.encoders import Encoder
    from inbedder_cli.runs import ModelUsed, SavedRun
    from inbedder_cli.talk import Talk


@dataclass(frozen=True)
class InputOptions:
    """What to read, and which of its columns and rows."""

    text: options.Text = None
    text_template: options.TextTemplate = None
    id_column: options.IdColumn = None
    input_format: options.InputFormatOption = None
    delimiter: options.Delimiter = None
    encoding: options.Encoding = None
    empty: options.Empty = EmptyTexts.skip
    limit: options.Limit = None
    sample: options.Sample = None
    seed: options.Seed = 0

    def read(self, file: str, talk: Talk) -> Corpus:
        """Return the corpus, and say what was read."""
        from inbedder_cli.corpus import read_corpus

        chosen = {field.name: getattr(self, field.name) for field in fields(self)}
        corpus = read_corpus(file, **(chosen | {"text": self.text or ()}))
        tell_about(corpus, talk)
        return corpus


@dataclass(frozen=True)
class ModelOptions:
    """Which model, how it is asked, and where it runs."""

    model: options.Model = options.ModelDefault
    template: options.TemplateOption = None
    device: options.Device = "auto"
    dtype: options.Dtype = NumberFormat.auto
    offline: options.Offline = False
    cache: options.Cache = True
    refresh: options.Refresh = False
    devices: options.Devices = 1

    def load(self, talk: Talk) -> Encoder:
        """Return the encoder, and say what it is; one that remembers rows loads its model when it needs it."""
        chosen = {name: getattr(self, name) for name in ("model", "template", "device", "dtype", "offline")}
        encoder: Encoder
        if self.devices > 1 and not self.cache:
            raise UsageProblem("several devices share their rows through the cache", hint="leave out --no-cache")
        if self.cache:
            from inbedder_cli.cache import RowCache
            from inbedder_cli.encoders.cached import CachedEncoder

            encoder = CachedEncoder(RowCache(talk=talk), self.refresh, **chosen, devices=self.devices, talk=talk)
        else:
            from inbedder_cli.encoders import load_encoder

            encoder = load_encoder(**chosen, talk=talk)
        talk.say(f"model: {encoder.description}")
        return encoder

    def used(self, encoder: Encoder) -> ModelUsed:
        """Return what a saved run tells of its model."""
        from inbedder_cli.encoders.cached import model_identity
        from inbedder_cli.models import resolve_model
        from inbedder_cli.runs import ModelUsed

        path = Path(self.model).expanduser()
        reference = str(path.resolve()) if path.exists() else self.model
        identity = model_identity(resolve_model(self.model, offline=self.offline), self.template)
        return ModelUsed(reference, encoder.description, identity, self.template, str(self.dtype))


@dataclass(frozen=True)
class PlaceOptions:
    """Where the model of a saved run runs."""

    device: options.Device = "auto"
    offline: options.Offline = False
    cache: options.Cache = True
    refresh: options.Refresh = False
    devices: options.Devices = 1

    def load(self, run: SavedRun, talk: Talk) -> Encoder:
        """Return the encoder that read the run.

        :raises ModelError: when the model has become another one.
        """
        used = run.model
        chosen = {field.name: getattr(self, field.name) for field in fields(self)}
        model = ModelOptions(used.reference, used.template, dtype=NumberFormat(used.dtype), **chosen)
        encoder = model.load(talk)
        if model.used(encoder).identity != used.identity:
            raise ModelError(
                f"{used.reference} is not the model that made {run.folder}",
                hint="bring back the model of then, or cluster again with --save",
            )
        return encoder


@dataclass(frozen=True)
class ReadingOptions:
    """How a model reads texts."""

    readout: options.ReadoutOption = None
    layer: options.Layer = None
    max_answer_tokens: options.MaxAnswerTokens = 8
    max_tokens: options.MaxTokens = 512
    batch_tokens: options.BatchTokens = None

    def settings(self, *, answers: bool = True) -> EncodeOptions:
        """Return the settings of the encode step."""
        return EncodeOptions(answers=answers, **{field.name: getattr(self, field.name) for field in fields(self)})


@dataclass(frozen=True)
class AnswerOptions:
    """Which answers count as none."""

    abstain: options.Abstain = AbstainOptions.abstain
    least_confidence: options.LeastConfidence = AbstainOptions.least_confidence

    def settings(self) -> AbstainOptions:
        """Return the settings."""
        return AbstainOptions(self.abstain, self.least_confidence)


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take whole groups: each parameter that is one of the dataclasses becomes its fields.

    Typer reads the signature that this gives the command, so every option has one home and one help text.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [p for p in inspect.signature(command).parameters.values() if p.name not in groups]
    parameters = [p.replace(annotation=hints[p.name], kind=keyword) for p in own]  # first, so is their help
    for group in groups.values():
        parameters += _as_parameters(group)

    @functools.wraps(command)
    def run(**values: Any) -> None:  # noqa: ANN401
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _as_parameters(group: Any) -> list[inspect.Parameter]:  # noqa: ANN401
    hints = get_type_hints(group, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(field.name, keyword, default=field.default, annotation=hints[field.name])
        for field in fields(group)
    ]


def tell_about(corpus: Corpus, talk: Talk) -> None:
    """Say in one line what was read."""
    n_empty = corpus.texts.count("")
    facts = [f"{len(corpus):,} rows"]
    if n_empty:
        facts.append(f"{n_empty:,} without text ({'kept' if corpus.keep_empty else 'skipped'})")
    different = len(set(corpus.texts) - {""})
    if different < len(corpus) - n_empty:
        facts.append(f"{different:,} different texts")
    talk.say(f"{corpus.source}: {', '.join([*facts, *corpus.notes])}")
