"""The column: suite -> tasks -> (model, layer, readout, question) -> figures -> means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from inbedder_cli.errors import InputError
from inbedder_cli.evaluation.awareness import BOTH_GOALS, CENTRED, score_pairs, score_triplets
from inbedder_cli.evaluation.clustering import score_clustering
from inbedder_cli.evaluation.contestants import number_format
from inbedder_cli.evaluation.journal import Entry, Journal
from inbedder_cli.evaluation.means import means, views
from inbedder_cli.evaluation.options import EvaluateOptions, Part, ProtocolName
from inbedder_cli.evaluation.protocols import PAPER_TOKENS, protocol_of
from inbedder_cli.evaluation.reading import Reader
from inbedder_cli.evaluation.reranking import score_reranking
from inbedder_cli.evaluation.robustness import GAP_CI, score_robustness
from inbedder_cli.evaluation.similarity import score_similarity
from inbedder_cli.evaluation.tasks import fingerprint
from inbedder_cli.options import EncodeOptions, Readout
from inbedder_cli.talk import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from inbedder_cli.encoders import Encoder
    from inbedder_cli.evaluation.contestants import Contestant
    from inbedder_cli.evaluation.figures import Figure
    from inbedder_cli.evaluation.protocols import Protocol
    from inbedder_cli.evaluation.tasks import Suite, Task
    from inbedder_cli.talk import Talk

ASKED, BLIND = "question", "blind"
HEADLINES = ("V-measure", BOTH_GOALS, GAP_CI, CENTRED)


class Job(NamedTuple):
    """One task and the function that scores it; jobs of one group read the same texts."""

    part: Part
    group: str
    task: Any
    score: Callable[[Any, Reader, Protocol], list[Figure]]


@dataclass(frozen=True)
class Column:
    """One model in one setting, and what was measured of it.

    :param name: of the model, as the user gave it.
    :param revision: commit or hash of its weights.
    :param template: name or pattern of its prompt.
    :param layer: index into the hidden states, "last", or "" for a model without a choice.
    :param readout: which hidden states became the vector.
    :param asked: "question", or "blind" for the neutral question.
    :param number_format: in which it computed.
    """

    name: str
    revision: str
    template: str
    layer: str
    readout: str
    asked: str
    number_format: str
    figures: list[Figure]

    def value(self, metric: str, task: str | None = None) -> float | None:
        """Return the first figure of a metric (and task)."""
        return next((f.value for f in self.figures if f.metric == metric and task in (None, f.task)), None)


@dataclass(frozen=True)
class Evaluation:
    """Everything measured in one call."""

    suite: str
    options: EvaluateOptions
    protocol: Protocol
    columns: list[Column] = field(default_factory=list)


def evaluate(
    suite: Suite,
    contestants: Sequence[Contestant],
    options: EvaluateOptions | None = None,
    journal: Journal | None = None,
    talk: Talk = SILENT,
) -> Evaluation:
    """Measure every model, at every layer and readout asked for, with its question and blind.

    :param journal: scores that are there already are taken from it, and new ones put into it.
    :raises InputError: when the suite has nothing for the parts asked for.
    :raises InbedderError: whatever loading or reading raises.
    """
    options, journal = options or EvaluateOptions(), journal or Journal()
    protocol = protocol_of(options)
    result = Evaluation(suite.name, options, protocol)
    limited = suite.limited(options.limit)
    jobs = jobs_of(limited, options.parts)
    if not jobs:
        raise InputError(f"has no tasks for {', '.join(options.parts)}", source=suite.name)
    for contestant in contestants:
        loaded = _Loaded(contestant)
        for layer, readout in _settings(contestant, options):
            for asked in (ASKED, BLIND) if contestant.asked else (BLIND,):
                figures, used = [], ""
                for number, job in enumerate(wanted := _jobs_when(jobs, asked), start=1):
                    key = _key(contestant, options, layer, readout, asked, job)
                    entry = journal.get(key)
                    if entry is None:
                        reader = loaded.reader(options, layer, readout, asked, talk)
                        reader.turn_to(job.group)
                        entry = Entry(job.score(job.task, reader, protocol), number_format(loaded.encoder()))
                        journal.put(key, entry)
                    figures += entry.figures
                    used = used or entry.number_format
                    talk.say(f"{_title(key)}  {number}/{len(wanted)}  {_headline(entry.figures)}")
                shown = _only(figures, options.parts)
                if Part.awareness in options.parts:
                    shown += views(figures, limited.clusterings)
                shown += means(shown, limited.clusterings, options.parts)
                result.columns.append(
                    Column(
                        name=contestant.name,
                        revision=contestant.revision,
                        template=contestant.template,
                        layer=key["layer"],
                        readout=key["readout"],
                        asked=asked if contestant.asked else "text alone",
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


def _only(figures: list[Figure], parts: Sequence[Part]) -> list[Figure]:
    """Leave out the clusterings that were wanted for their two views only, but for their V-measure."""
    return [f for f in figures if f.part in parts or f.metric == "V-measure"]


def _settings(contestant: Contestant, options: EvaluateOptions) -> Iterator[tuple[int | None, Readout | None]]:
    if not contestant.inner:
        yield None, None
        return
    for readout in options.readouts or (None,):
        for layer in options.layers or (None,):
            yield layer, readout


def _key(
    contestant: Contestant,
    options: EvaluateOptions,
    layer: int | None,
    readout: Readout | None,
    asked: str,
    job: Job,
) -> dict[str, Any]:
    """Return everything that shapes a score."""
    layer = contestant.layer if layer is None else layer
    task: Task = job.task
    protocol = protocol_of(options)
    return {
        "model": contestant.name,
        "revision": contestant.revision,
        "template": contestant.template,
        "layer": ("last" if layer is None else str(layer)) if contestant.inner else "",
        "readout": str(readout or contestant.readout),
        "number_format": contestant.number_format,
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
    setting = [f"layer {key['layer']}", key["readout"]] if key["layer"] else []
    return f"{', '.join([key['model'], *setting, key['asked']])}: {key['part']} {key['task']}"


def _headline(figures: Sequence[Figure]) -> str:
    best = next((f for f in figures if f.metric in HEADLINES), figures[0])
    return f"{best.metric} {'undefined' if best.value is None else f'{100 * best.value:.1f}'}"


class _Loaded:
    """Loads a model when it is first needed, once; and one reader per setting."""

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        self._encoder: Encoder | None = None
        self._reader: tuple[Any, Reader] | None = None

    def encoder(self) -> Encoder:
        if self._encoder is None:
            self._encoder = self.contestant.load()
        return self._encoder

    def reader(
        self, options: EvaluateOptions, layer: int | None, readout: Readout | None, asked: str, talk: Talk
    ) -> Reader:
        setting = (layer, readout, asked)
        if self._reader is None or self._reader[0] != setting:
            encoding = EncodeOptions(
                readout=readout,
                layer=layer,
                answers=False,
                max_tokens=_max_tokens(options),
                batch_tokens=options.batch_tokens,
            )
            self._reader = setting, Reader(self.encoder(), encoding, blind=asked == BLIND, talk=talk)
        return self._reader[1]
