"""Groups of options that several commands take, and what each group makes: a corpus, an encoder, settings."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from inbedder_cli.cli import parameters
from inbedder_cli.errors import ModelError, UsageError
from inbedder_cli.options import Dtype, EmptyTexts, EncodeOptions, UnansweredOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.encoders import Encoder
    from inbedder_cli.encoders.base import ModelRecord
    from inbedder_cli.progress import Reporter
    from inbedder_cli.runs.storage import SavedRun


@dataclass(frozen=True)
class InputOptions:
    """What to read, and which of its columns and rows."""

    text: parameters.Text = None
    text_template: parameters.TextTemplate = None
    id_column: parameters.IdColumn = None
    input_format: parameters.InputFormatOption = None
    delimiter: parameters.Delimiter = None
    encoding: parameters.Encoding = None
    empty: parameters.Empty = EmptyTexts.skip
    limit: parameters.Limit = None
    sample: parameters.Sample = None
    seed: parameters.Seed = 0

    def read(self, file: str, reporter: Reporter) -> Corpus:
        """Return the corpus, and say what was read."""
        from inbedder_cli.corpus import read_corpus

        chosen = {field.name: getattr(self, field.name) for field in fields(self)}
        corpus = read_corpus(file, **(chosen | {"text": self.text or ()}))
        tell_about(corpus, reporter)
        return corpus


@dataclass(frozen=True)
class ModelOptions:
    """Which model, how it is asked, and where it runs."""

    model: parameters.Model = parameters.ModelDefault
    template: parameters.TemplateOption = None
    device: parameters.Device = "auto"
    dtype: parameters.DtypeOption = Dtype.auto
    offline: parameters.Offline = False
    cache: parameters.Cache = True
    refresh: parameters.Refresh = False
    devices: parameters.Devices = 1

    def load(self, reporter: Reporter) -> Encoder:
        """Return the encoder, and say what it is; one that remembers rows loads its model when it needs it."""
        chosen = {name: getattr(self, name) for name in ("model", "template", "device", "dtype", "offline")}
        encoder: Encoder
        if self.devices > 1 and not self.cache:
            raise UsageError("several devices share their rows through the cache", hint="leave out --no-cache")
        if self.cache:
            from inbedder_cli.encoders.cache.cached_encoder import CachedEncoder
            from inbedder_cli.encoders.cache.store import RowCache

            encoder = CachedEncoder(
                RowCache(reporter=reporter), self.refresh, **chosen, devices=self.devices, reporter=reporter
            )
        else:
            from inbedder_cli.encoders import load_encoder

            encoder = load_encoder(**chosen, reporter=reporter)
        reporter.info(f"model: {encoder.description}")
        return encoder

    def used(self, encoder: Encoder) -> ModelRecord:
        """Return what a saved run tells of its model."""
        from inbedder_cli.encoders.base import ModelRecord
        from inbedder_cli.encoders.cache.cached_encoder import model_identity
        from inbedder_cli.models import resolve_model

        path = Path(self.model).expanduser()
        reference = str(path.resolve()) if path.exists() else self.model
        identity = model_identity(resolve_model(self.model, offline=self.offline), self.template)
        return ModelRecord(reference, encoder.description, identity, self.template, str(self.dtype))


@dataclass(frozen=True)
class PlaceOptions:
    """Where the model of a saved run runs."""

    device: parameters.Device = "auto"
    offline: parameters.Offline = False
    cache: parameters.Cache = True
    refresh: parameters.Refresh = False
    devices: parameters.Devices = 1

    def load(self, run: SavedRun, reporter: Reporter) -> Encoder:
        """Return the encoder that read the run.

        :raises ModelError: when the model has become another one.
        """
        used = run.model
        chosen = {field.name: getattr(self, field.name) for field in fields(self)}
        model = ModelOptions(used.reference, used.template, dtype=Dtype(used.dtype), **chosen)
        encoder = model.load(reporter)
        if model.used(encoder).identity != used.identity:
            raise ModelError(
                f"{used.reference} is not the model that made {run.folder}",
                hint="bring back the model of then, or cluster again with --save",
            )
        return encoder


@dataclass(frozen=True)
class ReadingOptions:
    """How a model reads texts."""

    pooling: parameters.PoolingOption = None
    layer: parameters.Layer = None
    max_answer_tokens: parameters.MaxAnswerTokens = 8
    max_tokens: parameters.MaxTokens = 512
    batch_tokens: parameters.BatchTokens = None

    def settings(self, *, answers: bool = True) -> EncodeOptions:
        """Return the settings of the encode step."""
        return EncodeOptions(answers=answers, **{field.name: getattr(self, field.name) for field in fields(self)})


@dataclass(frozen=True)
class AnswerOptions:
    """Which answers count as none."""

    abstain: parameters.FlagUnanswered = UnansweredOptions.flag
    min_confidence: parameters.MinConfidence = UnansweredOptions.min_confidence

    def settings(self) -> UnansweredOptions:
        """Return the settings."""
        return UnansweredOptions(self.abstain, self.min_confidence)


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


def tell_about(corpus: Corpus, reporter: Reporter) -> None:
    """Say in one line what was read."""
    n_empty = corpus.texts.count("")
    facts = [f"{len(corpus):,} rows"]
    if n_empty:
        facts.append(f"{n_empty:,} without text ({'kept' if corpus.keep_empty else 'skipped'})")
    different = len(set(corpus.texts) - {""})
    if different < len(corpus) - n_empty:
        facts.append(f"{different:,} different texts")
    reporter.info(f"{corpus.source}: {', '.join([*facts, *corpus.notes])}")
