"""The column: suite -> tasks -> (model, layer, pooling, question) -> figures -> means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from inbedder_cli.errors import InputError
from inbedder_cli.evaluation.awareness import BOTH_GOALS, CENTRED, score_pairs, score_triplets
from inbedder_cli.evaluation.goal_clustering import score_clustering
from inbedder_cli.evaluation.means import means, views
from inbedder_cli.evaluation.models_under_test import number_format
from inbedder_cli.evaluation.protocols import PAPER_TOKENS, protocol_of
from inbedder_cli.evaluation.reader import Reader
from inbedder_cli.evaluation.reranking import score_reranking
from inbedder_cli.evaluation.results_cache import Entry, ResultsCache
from inbedder_cli.evaluation.robustness import GAP_CI, score_robustness
from inbedder_cli.evaluation.settings import EvaluateOptions, Part, ProtocolName
from inbedder_cli.evaluation.similarity import score_similarity
from inbedder_cli.evaluation.tasks import fingerprint
from inbedder_cli.options import EncodeOptions, Pooling
from inbedder_cli.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from inbedder_cli.encoders import Encoder
    from inbedder_cli.evaluation.models_under_test import ModelUnderTest
    from inbedder_cli.evaluation.protocols import Protocol
    from inbedder_cli.evaluation.scores import Score
    from inbedder_cli.evaluation.tasks import Suite, Task
    from inbedder_cli.progress import Reporter

ASKED, BASELINE = "question", "baseline"
HEADLINES = ("V-measure", BOTH_GOALS, GAP_CI, CENTRED)


class Job(NamedTuple):
    """One task and the function that scores it; jobs of one group read the same texts."""

    part: Part
    group: str
    task: Any
    score: Callable[[Any, Reader, Protocol], list[Score]]


@dataclass(frozen=True)
class ModelResult:
    """One model in one setting, and what was measured of it.

    :param name: of the model, as the user gave it.
    :param revision: commit or hash of its weights.
    :param template: name or pattern of its prompt.
    :param layer: index into the hidden states, "last", or "" for a model without a choice.
    :param pooling: which hidden states became the vector.
    :param asked: "question", or "baseline" for the neutral question.
    :param number_format: in which it computed.
    """

    name: str
    revision: str
    template: str
    layer: str
    pooling: str
    asked: str
    number_format: str
    figures: list[Score]

    def value(self, metric: str, task: str | None = None) -> float | None:
        """Return the first figure of a metric (and task)."""
        return next((f.value for f in self.figures if f.metric == metric and task in (None, f.task)), None)


@dataclass(frozen=True)
class Evaluation:
    """Everything measured in one call."""

    suite: str
    options: EvaluateOptions
    protocol: Protocol
    columns: list[ModelResult] = field(default_factory=list)


def evaluate(
    suite: Suite,
    models_under_test: Sequence[ModelUnderTest],
    options: EvaluateOptions | None = None,
    journal: ResultsCache | None = None,
    reporter: Reporter = SILENT,
) -> Evaluation:
    """Measure every model, at every layer and pooling asked for, with its question and baseline.

    :param journal: scores that are there already are taken from it, and new ones put into it.
    :raises InputError: when the suite has nothing for the parts asked for.
    :raises InbedderError: whatever loading or reading raises.
    """
    options, journal = options or EvaluateOptions(), journal or ResultsCache()
    protocol = protocol_of(options)
    result = Evaluation(suite.name, options, protocol)
    limited = suite.limited(options.limit)
    jobs = jobs_of(limited, options.parts)
    if not jobs:
        raise InputError(f"has no tasks for {', '.join(options.parts)}", source=suite.name)
    for model in models_under_test:
        loaded = _Loaded(model)
        for layer, pooling in _settings(model, options):
            for asked in (ASKED, BASELINE) if model.asked else (BASELINE,):
                figures, used = [], ""
                for number, job in enumerate(wanted := _jobs_when(jobs, asked), start=1):
                    key = _key(model, options, layer, pooling, asked, job)
                    entry = journal.get(key)
                    if entry is None:
                        reader = loaded.reader(options, layer, pooling, asked, reporter)
                        reader.turn_to(job.group)
                        entry = Entry(job.score(job.task, reader, protocol), number_format(loaded.encoder()))
                        journal.put(key, entry)
                    figures += entry.figures
                    used = used or entry.number_format
                    reporter.info(f"{_title(key)}  {number}/{len(wanted)}  {_headline(entry.figures)}")
                shown = _only(figures, options.parts)
                if Part.awareness in options.parts:
                    shown += views(figures, limited.clusterings)
                shown += means(shown, limited.clusterings, options.parts)
                result.columns.append(
                    ModelResult(
                        name=model.name,
                        revision=model.revision,
                        template=model.template,
                        layer=key["layer"],
                        pooling=key["pooling"],
                        asked=asked if model.asked else "text alone",
                        number_format=used,
                        figures=shown,
                    )
                )
    return result


def jobs_of(suite: Suite, parts: Sequence[Part]) -> list[Job]:
    """Return what is to be scored; those that read the same texts stand together."""
    jobs = []
    several = [t.corpus for t in suite.clusterings]
    for task in suite.clusterings:
        viewed = Part.awareness in parts and several.count(task.corpus) > 1
        if Part.clustering in parts or viewed:
            jobs.append(Job(Part.clustering, task.corpus, task, score_clustering))
        if Part.robustness in parts and (task.paraphrases or task.implicit or task.incorrect):
            jobs.append(Job(Part.robustness, task.corpus, task, score_robustness))
    if Part.awareness in parts:
        jobs += [Job(Part.awareness, t.name, t, score_triplets) for t in suite.triplets]
        jobs += [Job(Part.awareness, t.name, t, score_pairs) for t in suite.pairs]
    if Part.sts in parts:
        jobs += [Job(Part.sts, t.name, t, score_similarity) for t in suite.similarities]
    if Part.reranking in parts:
        jobs += [Job(Part.reranking, t.name, t, score_reranking) for t in suite.rerankings]
    order = list(dict.fromkeys(job.group for job in jobs))
    return sorted(jobs, key=lambda job: order.index(job.group))


def _jobs_when(jobs: list[Job], asked: str) -> list[Job]:
    """Leave out what has no meaning without a question: robustness compares wordings of it."""
    return [job for job in jobs if asked == ASKED or job.part is not Part.robustness]


def _only(figures: list[Score], parts: Sequence[Part]) -> list[Score]:
    """Leave out the clusterings that were wanted for their two views only, but for their V-measure."""
    return [f for f in figures if f.part in parts or f.metric == "V-measure"]


def _settings(model: ModelUnderTest, options: EvaluateOptions) -> Iterator[tuple[int | None, Pooling | None]]:
    if not model.inner:
        yield None, None
        return
    for pooling in options.poolings or (None,):
        for layer in options.layers or (None,):
            yield layer, pooling


def _key(
    model: ModelUnderTest,
    options: EvaluateOptions,
    layer: int | None,
    pooling: Pooling | None,
    asked: str,
    job: Job,
) -> dict[str, Any]:
    """Return everything that shapes a score."""
    layer = model.layer if layer is None else layer
    task: Task = job.task
    protocol = protocol_of(options)
    return {
        "model": model.name,
        "revision": model.revision,
        "template": model.template,
        "layer": ("last" if layer is None else str(layer)) if model.inner else "",
        "pooling": str(pooling or model.pooling),
        "number_format": model.number_format,
        "asked": asked,
        "protocol": str(options.protocol),
        "seeds": protocol.seeds,
        "n_init": protocol.n_init,
        "max_tokens": _max_tokens(options),
        "limit": options.limit,
        "part": str(job.part),
        "task": task.name,
        "task_hash": fingerprint(task),
    }


def _max_tokens(options: EvaluateOptions) -> int:
    return PAPER_TOKENS if options.protocol is ProtocolName.paper else options.max_tokens


def _title(key: dict[str, Any]) -> str:
    setting = [f"layer {key['layer']}", key["pooling"]] if key["layer"] else []
    return f"{', '.join([key['model'], *setting, key['asked']])}: {key['part']} {key['task']}"


def _headline(figures: Sequence[Score]) -> str:
    best = next((f for f in figures if f.metric in HEADLINES), figures[0])
    return f"{best.metric} {'undefined' if best.value is None else f'{100 * best.value:.1f}'}"


class _Loaded:
    """Loads a model when it is first needed, once; and one reader per setting."""

    def __init__(self, model: ModelUnderTest) -> None:
        self.model = model
        self._encoder: Encoder | None = None
        self._reader: tuple[Any, Reader] | None = None

    def encoder(self) -> Encoder:
        if self._encoder is None:
            self._encoder = self.model.load()
        return self._encoder

    def reader(
        self, options: EvaluateOptions, layer: int | None, pooling: Pooling | None, asked: str, reporter: Reporter
    ) -> Reader:
        setting = (layer, pooling, asked)
        if self._reader is None or self._reader[0] != setting:
            encoding = EncodeOptions(
                pooling=pooling,
                layer=layer,
                answers=False,
                max_tokens=_max_tokens(options),
                batch_tokens=options.batch_tokens,
            )
            self._reader = setting, Reader(self.encoder(), encoding, baseline=asked == BASELINE, reporter=reporter)
        return self._reader[1]
