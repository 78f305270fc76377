"""Groups of options that several commands share; each builds a corpus, an encoder or the options of a step."""

from __future__ import annotations

import functools
import inspect
import os
from dataclasses import Field, dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.amounts import parse_bytes
from inbedder_cli.cli.console import set_console
from inbedder_cli.errors import UsageError
from inbedder_cli.options import (
    DEFAULT_MODEL,
    GPU_MODEL,
    ClusterOptions,
    Dtype,
    EncodeOptions,
    ExplainOptions,
    UnansweredOptions,
)
from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from inbedder_cli.encoders import Encoder
    from inbedder_cli.progress import Reporter
    from inbedder_cli.runs.saved_run import SavedRun

JSON, CONTEXT = "as_json", "context"
# Fields of a group that say where the values of its options are from; those of its defaults are in neither.
FROM_SETTINGS = "from_settings"  # a file of settings, or a variable
ON_COMMAND_LINE = "on_command_line"


@dataclass(frozen=True)
class ModelOptions:
    """Which model encodes the texts, with which template, and on which device."""

    model: parameters.Model = None
    template: parameters.TemplateOption = None
    device: parameters.Device = "auto"
    dtype: parameters.DtypeOption = Dtype.auto
    offline: parameters.Offline = False
    cache: parameters.Cache = True
    cache_max_size: parameters.CacheMaxSize = "5GB"
    refresh: parameters.Refresh = False
    workers: parameters.Workers = None
    devices: parameters.Devices = None

    def load(self, reporter: Reporter) -> Encoder:
        """Return the encoder; its weights are loaded when the first text is encoded.

        :param reporter: receives the model's name and progress.
        :return: the encoder.
        """
        from inbedder_cli.encoders import load_encoder

        encoder = load_encoder(**_with_cache(self, reporter))
        reporter.info(f"model: {encoder.description}")
        if self.model is None and encoder.name == DEFAULT_MODEL and not encoder.device.startswith("cpu"):
            reporter.info(f"on a GPU, {GPU_MODEL} answers better; get it with: inbedder models pull {GPU_MODEL}")
        return encoder


def _with_cache(options: ModelOptions | RuntimeOptions, reporter: Reporter) -> dict[str, Any]:
    """Return the arguments of `load_encoder`, with the cache that the options ask for."""
    from inbedder_cli.encoders.cache.row_cache import RowCache

    values = {field.name: getattr(options, field.name) for field in fields(options)}
    size = parse_bytes("--cache-max-size", values.pop("cache_max_size"))
    if options.cache:
        values["cache"] = RowCache(reporter=reporter, max_bytes=size)
    return values | {"reporter": reporter}


@dataclass(frozen=True)
class RuntimeOptions:
    """The device and cache for the model of a saved run."""

    device: parameters.Device = "auto"
    offline: parameters.Offline = False
    cache: parameters.Cache = True
    cache_max_size: parameters.CacheMaxSize = "5GB"
    refresh: parameters.Refresh = False
    workers: parameters.Workers = None
    devices: parameters.Devices = None

    def load(self, run: SavedRun, reporter: Reporter) -> Encoder:
        """Return the encoder of a saved run.

        :param run: the saved run.
        :param reporter: receives the model's name and progress.
        :raises ModelError: when the model has changed since the run was saved.
        """
        encoder = run.load_encoder(**_with_cache(self, reporter))
        reporter.info(f"model: {encoder.description}")
        return encoder


@dataclass(frozen=True)
class PlaceOptions:
    """Where the model of a saved run encodes rows, without the cache."""

    device: parameters.Device = "auto"
    offline: parameters.Offline = False
    workers: parameters.Workers = None
    devices: parameters.Devices = None

    def load(self, run: SavedRun, reporter: Reporter) -> Encoder:
        """Return the encoder of a saved run; see `RuntimeOptions.load`.

        :param run: the saved run.
        :param reporter: receives the model's name and progress.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return RuntimeOptions(cache=False, **values).load(run, reporter)


@dataclass(frozen=True)
class EncodingOptions:
    """How texts are encoded."""

    pooling: parameters.PoolingOption = None
    layer: parameters.Layer = None
    max_answer_tokens: parameters.MaxAnswerTokens = 8
    max_tokens: parameters.MaxTokens = 512
    batch_tokens: parameters.BatchTokens = None

    def settings(self, *, answers: bool = True) -> EncodeOptions:
        """Return the options of the encode step.

        :param answers: whether answers are decoded.
        """
        return EncodeOptions(answers=answers, **{field.name: getattr(self, field.name) for field in fields(self)})


def make_deterministic(model: ModelOptions, encoding: EncodingOptions) -> tuple[ModelOptions, EncodingOptions]:
    """Return the options under which a vector depends on its text alone; limit the process to one thread.

    Sums of floating-point numbers depend on their order, and so on the shape of the batch and on the number of
    threads. Call it before numpy and torch are loaded: they read the number of threads then.

    :param model: which model encodes the texts.
    :param encoding: how they are encoded.
    :raises UsageError: for options that it excludes.
    """
    if encoding.batch_tokens is not None or (model.workers or 1) > 1 or model.devices or model.refresh:
        raise UsageError(
            "--deterministic excludes --batch-tokens, --workers, --devices and --refresh",
            hint="it encodes each text by itself, and does not use the cache; leave them out",
        )
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    dtype = Dtype.float32 if model.dtype is Dtype.auto else model.dtype
    return replace(model, dtype=dtype, cache=False, workers=1), replace(encoding, batch_tokens=1)


@dataclass(frozen=True)
class AnswerOptions:
    """Which answers count as unanswered."""

    flag_unanswered: parameters.FlagUnanswered = UnansweredOptions.flag
    min_confidence: parameters.MinConfidence = UnansweredOptions.min_confidence

    def settings(self) -> UnansweredOptions:
        """Return the options of the step that flags unanswered rows."""
        return UnansweredOptions(self.flag_unanswered, self.min_confidence)


@dataclass(frozen=True)
class ClusteringOptions:
    """How vectors are clustered."""

    k: parameters.K = None
    k_min: parameters.KMin = 2
    k_max: parameters.KMax = 20
    algorithm: parameters.AlgorithmOption = ClusterOptions.algorithm
    min_cluster_size: parameters.MinClusterSize = None
    stability: parameters.Stability = True
    consensus: parameters.Consensus = True
    from_settings: frozenset[str] = frozenset()

    def settings(self, n_questions: int, seed: int) -> list[ClusterOptions]:
        """Return the clustering options, one per question.

        :param n_questions: number of questions.
        :param seed: seed of every random choice.
        :raises UsageError: for a k that is not a number, a wrong number of them, or options without an effect.
        """
        from inbedder_cli.clustering import check_idle_options

        chosen = _without_idle(self, selects_k="auto" in (self.k or ["auto"]))
        numbers = chosen._numbers_of_clusters(n_questions)
        every = ClusterOptions(
            algorithm=self.algorithm,
            k=None if None in numbers else numbers[0],
            k_min=chosen.k_min,
            k_max=chosen.k_max,
            min_cluster_size=chosen.min_cluster_size,
            seed=seed,
            stability=self.stability,
            consensus=self.consensus,
        )
        check_idle_options(every)
        given = replace(every, k_min=ClusterOptions.k_min, k_max=ClusterOptions.k_max)
        return [replace(every if k is None else given, k=k) for k in numbers]

    def _numbers_of_clusters(self, n_questions: int) -> list[int | None]:
        """Return the k of each question; None where it is to be selected."""
        values = self.k or ["auto"]
        if len(values) not in (1, n_questions):
            raise UsageError(
                f"-k is given {len(values)} times for {count_of(n_questions, 'question')}",
                hint="give it once, or once for each",
            )
        numbers = [_number_of_clusters(k) for k in values]
        return numbers * n_questions if len(numbers) == 1 else numbers


@dataclass(frozen=True)
class TuningOptions:
    """Which numbers of clusters are compared."""

    k_min: parameters.KMin = 2
    k_max: parameters.KMax = 20
    algorithm: parameters.AlgorithmOption = ClusterOptions.algorithm
    from_settings: frozenset[str] = frozenset()

    def settings(self, seed: int) -> ClusterOptions:
        """Return the clustering options.

        :param seed: seed of every random choice.
        :raises UsageError: for options without an effect, or an algorithm that cannot be tuned.
        """
        from inbedder_cli.clustering import check_idle_options, check_tunable

        chosen = _without_idle(self, selects_k=True)
        options = ClusterOptions(algorithm=self.algorithm, k_min=chosen.k_min, k_max=chosen.k_max, seed=seed)
        check_tunable(options)
        check_idle_options(options)
        return options


Chosen = TypeVar("Chosen", ClusteringOptions, TuningOptions)


def _without_idle(options: Chosen, *, selects_k: bool) -> Chosen:
    """Return the options without settings that have no effect here: settings hold for runs of every kind."""
    from inbedder_cli.clustering import idle_names

    idle = idle_names(options.algorithm, selects_k=selects_k) & options.from_settings
    return replace(options, **{name: getattr(ClusterOptions, name) for name in idle})


def _number_of_clusters(k: str) -> int | None:
    if k == "auto":
        return None
    try:
        number = int(k)
    except ValueError:
        raise UsageError(f'-k takes a number or auto, not "{k}"') from None
    if number > parameters.MAX_COUNT:
        raise UsageError(f"-k must be between 2 and {parameters.MAX_COUNT}, not {number}")
    return number


@dataclass(frozen=True)
class ExplanationOptions:
    """How clusters are explained."""

    stop_words: parameters.StopWords = None
    exemplars: parameters.Exemplars = 3

    def settings(self) -> ExplainOptions:
        """Return the options of the step that explains clusters.

        :raises InbedderError: for a file of stop words that cannot be read.
        """
        from inbedder_cli.explanation.stop_words import load_stop_words

        load_stop_words(self.stop_words)  # fails now, not after hours of encoding
        return ExplainOptions(self.stop_words, exemplars=self.exemplars)


@dataclass(frozen=True)
class SpreadsheetOptions:
    """How CSV is written for spreadsheets."""

    excel: parameters.Excel = False
    escape_formulas: parameters.EscapeFormulas = False
    from_settings: frozenset[str] = frozenset()

    def check(self, *, is_csv: bool, is_file: bool) -> None:
        """Refuse options that were given without an effect; settings hold for runs of every kind.

        :param is_csv: whether anything is written as CSV.
        :param is_file: whether anything is written to a file.
        :raises UsageError: for the first such option.
        """
        if self.excel and not (is_csv and is_file) and "excel" not in self.from_settings:
            raise UsageError("--excel is for files of CSV", hint="add -o FILE.csv; a FILE.xlsx needs no option")
        if self.escape_formulas and not is_csv and "escape_formulas" not in self.from_settings:
            hint = "add --format csv or -o FILE.csv; in .xlsx such cells are texts anyway"
            raise UsageError("--escape-formulas is for CSV", hint=hint)


@dataclass(frozen=True)
class ConsoleOptions:
    """How much is said, and whether in color; every command has these."""

    verbose: parameters.Verbose = 0
    color: parameters.Color = None


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with one option for each field of the dataclasses among its parameters.

    Every command also gets `ConsoleOptions`, and --json if it has --format.

    :param command: a function whose keyword parameters may be dataclasses of options.
    Typer reads the signature that this sets, so every option is defined once, with one help text.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [p for p in inspect.signature(command).parameters.values() if p.name not in groups]
    listed = [p.replace(annotation=hints[p.name], kind=keyword) for p in own]  # listed first in the help
    has_format = "output_format" in hints
    own_context = next((p.name for p in listed if p.annotation is typer.Context), None)
    if own_context is None:  # it tells settings from options of the command line
        listed.append(inspect.Parameter(CONTEXT, keyword, annotation=typer.Context))
    for group in (*groups.values(), ConsoleOptions):
        listed += _as_parameters(group)
    if has_format:
        listed.append(inspect.Parameter(JSON, keyword, default=False, annotation=parameters.Json))

    @functools.wraps(command)
    def run(**values: Any) -> None:  # noqa: ANN401
        context = values[own_context] if own_context else values.pop(CONTEXT)
        set_console(verbose=values.pop("verbose"), color=values.pop("color"))
        if has_format:
            _merge_json(values, context)
        for name, group in groups.items():
            options = {field.name: values.pop(field.name) for field in _options(group)}
            sources = {name: _source(context, name) for name in options}
            for origin, source in ((FROM_SETTINGS, "DEFAULT_MAP"), (ON_COMMAND_LINE, "COMMANDLINE")):
                if hasattr(group, origin):
                    options[origin] = frozenset(name for name, found in sources.items() if found == source)
            values[name] = group(**options)
        command(**values)

    run.__signature__ = inspect.Signature(listed)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in listed}
    return run


def _merge_json(values: dict[str, Any], context: Any) -> None:  # noqa: ANN401
    """Let --json choose the format, unless it is a setting and the command line names another one."""
    as_json, name = values.pop(JSON), values["output_format"]
    is_named = name not in (None, "json") and _source(context, "output_format") != "DEFAULT_MAP"
    if not as_json or (is_named and _source(context, JSON) == "DEFAULT_MAP"):
        return
    if is_named:
        raise UsageError(f"--json and --format {name} exclude each other")
    values["output_format"] = "json"


def _options(group: Any) -> list[Field[Any]]:  # noqa: ANN401
    return [field for field in fields(group) if field.name not in (FROM_SETTINGS, ON_COMMAND_LINE)]


def _source(context: Any, name: str) -> str:  # noqa: ANN401
    """Return where the value of an option is from, in the words of Typer; "" where that is not known."""
    source = context.get_parameter_source(name)
    return "" if source is None else str(source.name)


def _as_parameters(group: Any) -> list[inspect.Parameter]:  # noqa: ANN401
    hints = get_type_hints(group, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(field.name, keyword, default=field.default, annotation=hints[field.name])
        for field in _options(group)
    ]
