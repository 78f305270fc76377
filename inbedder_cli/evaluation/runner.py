"""The evaluation itself: suite -> tasks -> (model, layer, pooling, question or baseline) -> scores -> means."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from inbedder_cli.errors import InputError
from inbedder_cli.evaluation.protocols import PAPER_TOKENS, protocol_of
from inbedder_cli.evaluation.results_cache import CachedScores, ResultsCache
from inbedder_cli.evaluation.scorers import (
    score_clustering,
    score_pairs,
    score_reranking,
    score_robustness,
    score_similarity,
    score_triplets,
)
from inbedder_cli.evaluation.scores import (
    BOTH_GOALS,
    GAP_CORRECT,
    SPEARMAN_CENTERED,
    V_MEASURE,
    mean_scores,
    view_scores,
)
from inbedder_cli.evaluation.sentence_encoders import encoder_dtype
from inbedder_cli.evaluation.settings import EvaluateOptions, Part, ProtocolName
from inbedder_cli.evaluation.task_encoder import TaskEncoder
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

QUESTION, BASELINE, TEXT_ALONE = "question", "baseline", "text alone"
SHOWN = 12  # tasks that a dry run names
HEADLINE_METRICS = (V_MEASURE, BOTH_GOALS, GAP_CORRECT, SPEARMAN_CENTERED)


class Job(NamedTuple):
    """One task and the function that scores it.

    :param part: the family of tests.
    :param group: jobs of one group encode the same texts.
    :param task: what is scored.
    :param score: returns the scores of the task.
    """

    part: Part
    group: str
    task: Any
    score: Callable[[Any, TaskEncoder, Protocol], list[Score]]


@dataclass(frozen=True)
class ModelResult:
    """The scores of one model in one setting.

    :param name: the model's reference, as the user gave it.
    :param revision: commit or hash of its weights.
    :param template: name or pattern of its prompt.
    :param layer: index into the hidden states, "last", or "" for a model without a choice.
    :param pooling: which hidden states became the vector.
    :param instruction: "question" (each task's own), "baseline" (the neutral question), or "text alone".
    :param dtype: in which the model computed.
    :param scores: of every task, then the means over tasks.
    """

    name: str
    revision: str
    template: str
    layer: str
    pooling: str
    instruction: str
    dtype: str
    scores: list[Score]

    def value(self, metric: str, task: str | None = None) -> float | None:
        """Return the first value of a metric, or None.

        :param metric: for example "mean V-measure".
        :param task: only scores of this task; None takes any.
        :return: the value; also None where it is undefined.
        """
        return next((s.value for s in self.scores if s.metric == metric and task in (None, s.task)), None)


@dataclass(frozen=True)
class Evaluation:
    """Everything measured in one call.

    :param suite: name of the suite.
    :param options: the requested options.
    :param protocol: how vectors became scores.
    :param results: one per model, layer, pooling and kind of instruction.
    """

    suite: str
    options: EvaluateOptions
    protocol: Protocol
    results: list[ModelResult] = field(default_factory=list)


def evaluate(
    suite: Suite,
    models: Sequence[ModelUnderTest],
    options: EvaluateOptions | None = None,
    cache: ResultsCache | None = None,
    reporter: Reporter = SILENT,
) -> Evaluation:
    """Return scores of every model, layer and pooling, under the tasks' questions and under the baseline.

    :param suite: the tasks.
    :param models: the models to measure.
    :param options: parts, layers, poolings and protocol; None takes the defaults.
    :param cache: finished scores are taken from it, and new ones are put into it; None keeps none.
    :param reporter: shows progress and the headline score of each task.
    :return: one `ModelResult` per model and setting.
    :raises InputError: when the suite has no task for the requested parts.
    :raises InbedderError: when loading a model or encoding a text fails.
    """
    options, cache = options or EvaluateOptions(), cache or ResultsCache()
    protocol = protocol_of(options)
    evaluation = Evaluation(suite.name, options, protocol)
    limited = suite.subset(options.limit)
    jobs = _jobs(limited, options)
    for model in models:
        loaded = _LoadedModel(model)
        for layer, pooling, instruction in _settings(model, options):
            scores, dtype = [], ""
            for number, job in enumerate(own_jobs := _jobs_for(jobs, instruction), start=1):
                key = _key(model, options, layer, pooling, instruction, job)
                entry = cache.get(key)
                if entry is None:
                    encoder = loaded.task_encoder(options, layer, pooling, instruction, reporter)
                    encoder.start_group(job.group)
                    entry = CachedScores(job.score(job.task, encoder, protocol), encoder_dtype(encoder.encoder))
                    cache.put(key, entry)
                scores += entry.scores
                dtype = dtype or entry.dtype
                reporter.info(f"{_title(key)}  {number}/{len(own_jobs)}  {_headline(entry.scores)}")
            shown = _select_parts(scores, options.parts)
            if Part.awareness in options.parts:
                shown += view_scores(scores, limited.clusterings)
            shown += mean_scores(shown, limited.clusterings, options.parts)
            evaluation.results.append(
                ModelResult(
                    name=model.name,
                    revision=model.revision,
                    template=model.template,
                    layer=key["layer"],
                    pooling=key["pooling"],
                    instruction=instruction if model.takes_instruction else TEXT_ALONE,
                    dtype=dtype,
                    scores=shown,
                )
            )
    return evaluation


def describe_evaluation(
    suite: Suite, models: Sequence[ModelUnderTest], options: EvaluateOptions, cache: ResultsCache
) -> list[str]:
    """Return what `evaluate` would measure: a line for the tasks, and one for each model and setting.

    :param suite: the tasks.
    :param models: the models; none is loaded.
    :param options: parts, layers, poolings and protocol.
    :param cache: finished scores.
    :return: lines without a final period.
    :raises InputError: when the suite has no task for the requested parts.
    """
    jobs = _jobs(suite.subset(options.limit), options)
    names = list(dict.fromkeys(f"{job.part} {job.task.name}" for job in jobs))
    lines = [f"tasks of {suite.name}: {len(names):,} ({', '.join(names[:SHOWN])}{', ...' * (len(names) > SHOWN)})"]
    for model in models:
        for layer, pooling, instruction in _settings(model, options):
            keys = [_key(model, options, layer, pooling, instruction, job) for job in _jobs_for(jobs, instruction)]
            n_known = sum(cache.get(key) is not None for key in keys)
            known = f", {n_known:,} of them measured before" if n_known else ""
            lines.append(f"{_setting_title(keys[0])}: {len(keys):,} task{'s' * (len(keys) != 1)}{known}")
    return lines


def _jobs(limited: Suite, options: EvaluateOptions) -> list[Job]:
    jobs = jobs_of(limited, options.parts)
    if not jobs:
        raise InputError(f"has no tasks for {', '.join(options.parts)}", source=limited.name)
    return jobs


def jobs_of(suite: Suite, parts: Sequence[Part]) -> list[Job]:
    """Return the jobs to score; jobs that encode the same texts are consecutive.

    :param suite: the tasks.
    :param parts: families of tests to run.
    :return: one job per task and family of tests.
    """
    jobs = []
    corpora = [t.corpus for t in suite.clusterings]
    for task in suite.clusterings:
        is_view = Part.awareness in parts and corpora.count(task.corpus) > 1
        if Part.clustering in parts or is_view:
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


def _jobs_for(jobs: list[Job], instruction: str) -> list[Job]:
    """Leave robustness out of a baseline: it compares wordings of the question."""
    return [job for job in jobs if instruction == QUESTION or job.part is not Part.robustness]


def _select_parts(scores: list[Score], parts: Sequence[Part]) -> list[Score]:
    """Keep the scores of the requested parts, and every V-measure: views of a corpus are compared by it."""
    return [s for s in scores if s.part in parts or s.metric == V_MEASURE]


def _settings(model: ModelUnderTest, options: EvaluateOptions) -> Iterator[tuple[int | None, Pooling | None, str]]:
    """Yield each layer and pooling to measure, under the question and under the baseline."""
    poolings, layers = (options.poolings, options.layers) if model.has_layers else ((), ())
    instructions = (QUESTION, BASELINE) if model.takes_instruction else (BASELINE,)
    for pooling, layer, instruction in product(poolings or (None,), layers or (None,), instructions):
        yield layer, pooling, instruction


def _key(
    model: ModelUnderTest,
    options: EvaluateOptions,
    layer: int | None,
    pooling: Pooling | None,
    instruction: str,
    job: Job,
) -> dict[str, Any]:
    """Return everything that influences the scores of a job."""
    layer = model.layer if layer is None else layer
    task: Task = job.task
    protocol = protocol_of(options)
    return {
        "model": model.name,
        "revision": model.revision,
        "template": model.template,
        "layer": ("last" if layer is None else str(layer)) if model.has_layers else "",
        "pooling": str(pooling or model.pooling),
        "dtype": model.dtype,
        "masks": model.masks,
        "instruction": instruction,
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
    return f"{_setting_title(key)}: {key['part']} {key['task']}"


def _setting_title(key: dict[str, Any]) -> str:
    setting = [f"layer {key['layer']}", key["pooling"]] if key["layer"] else []
    return ", ".join([key["model"], *setting, key["instruction"]])


def _headline(scores: Sequence[Score]) -> str:
    best = next((s for s in scores if s.metric in HEADLINE_METRICS), scores[0])
    return f"{best.metric} {'undefined' if best.value is None else f'{100 * best.value:.1f}'}"


class _LoadedModel:
    """Loads a model once, when it is first needed, and makes one task encoder per setting.

    :param model: the model, not yet loaded.
    """

    def __init__(self, model: ModelUnderTest) -> None:
        self.model = model
        self._encoder: Encoder | None = None
        self._task_encoder: tuple[Any, TaskEncoder] | None = None

    def task_encoder(
        self,
        options: EvaluateOptions,
        layer: int | None,
        pooling: Pooling | None,
        instruction: str,
        reporter: Reporter,
    ) -> TaskEncoder:
        if self._encoder is None:
            self._encoder = self.model.load()
        setting = (layer, pooling, instruction)
        if self._task_encoder is None or self._task_encoder[0] != setting:
            encoding = EncodeOptions(
                pooling=pooling,
                layer=layer,
                answers=False,
                max_tokens=_max_tokens(options),
                batch_tokens=options.batch_tokens,
            )
            is_baseline = instruction == BASELINE
            made = TaskEncoder(self._encoder, encoding, baseline=is_baseline, reporter=reporter)
            self._task_encoder = setting, made
        return self._task_encoder[1]
