"""Saved runs: a folder of JSON, safetensors and Parquet from which new rows get the same clusters.

    run.json          source, questions, model, settings, clusters
    run.safetensors   mean, centroids, and the arrays that the algorithm needs to predict
    rows.parquet      every row: id, text, cluster, label, answer, place on the map, columns that reports show
    names.txt         optional, written by the user: renames and merges (`renames`)

The folder holds no pickle. It holds the texts: treat it as confidential as they are. It may come from somebody
else: run.json is checked as a whole before any other file is opened, and each file before it is used.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inbedder_cli.clustering import NOISE
from inbedder_cli.clustering.predictor import ClusterPredictor
from inbedder_cli.encoders import load_recorded
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.explanation.labels import OR
from inbedder_cli.explanation.summaries import MIXED, UNANSWERED
from inbedder_cli.options import EmptyTexts
from inbedder_cli.runs.contents import (
    check_rows,
    maps_of,
    predictors_of,
    read_arrays,
    read_columns,
    read_rows,
    row_of_units,
)
from inbedder_cli.runs.folders import (
    ROWS,
    TENSORS,
    current,
)
from inbedder_cli.runs.renames import apply_changes, read_changes
from inbedder_cli.runs.repeating import how_to_repeat
from inbedder_cli.runs.schema import read_manifest
from inbedder_cli.untrusted import UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inbedder_cli.corpus.layout import Reading
    from inbedder_cli.encoders import Encoder, ModelRecord
    from inbedder_cli.options import ClusterOptions, EncodeOptions, UnansweredOptions
    from inbedder_cli.projection import RowMap
    from inbedder_cli.results import ClusteringResult
    from inbedder_cli.runs.renames import Change
    from inbedder_cli.runs.schema import Manifest, Question


@dataclass(frozen=True)
class SavedQuestion:
    """One question of a saved run: its predictor and the names of its clusters.

    :param instruction: the question.
    :param predictor: assigns new vectors to clusters.
    :param clustering: the options that made the clusters, with k and min_cluster_size filled in.
    :param unanswered_options: which answers count as unanswered.
    :param counts: rows by cluster, after merges; of noise and unanswered rows too, where there are any.
    :param n_read: rows with text; with several answers a row counts in each of its clusters.
    :param names: name of each cluster, with the user's renames.
    :param merged: target by merged cluster.
    :param weak: clusters whose label is weak, and that the user has neither renamed nor merged others into.
    :param words: the words with which answers may begin, if a row may have several answers (`units.Units`); None:
        it has one.
    :param row_map: the map of its rows; None in runs of older versions.
    :param k_is_selected: whether k was selected, not given.
    """

    instruction: str
    predictor: ClusterPredictor
    clustering: ClusterOptions
    unanswered_options: UnansweredOptions
    counts: dict[int, int]
    n_read: int
    names: dict[int, str]
    merged: dict[int, int]
    weak: frozenset[int] = frozenset()
    words: frozenset[str] | None = None
    row_map: RowMap | None = None
    k_is_selected: bool = False

    @classmethod
    def of(cls, result: ClusteringResult) -> SavedQuestion:
        """Return the question of a result, without saving it.

        :param result: the result of one question.
        """
        clusters = [summary for summary in result.summaries if summary.cluster != NOISE]
        return cls(
            instruction=result.instruction,
            predictor=ClusterPredictor.of(result.clustering),
            clustering=result.clustering.options,
            unanswered_options=result.unanswered_options,
            counts={summary.cluster: summary.size for summary in result.groups},
            n_read=result.n_read,
            names={summary.cluster: summary.label for summary in clusters},
            merged={},
            weak=frozenset(summary.cluster for summary in clusters if summary.label_is_weak),
            words=result.units.words if result.units else None,
            row_map=result.row_map,
            k_is_selected=result.clustering.choice is not None,
        )

    def number_of(self, cluster: str) -> int | None:
        """Return the number of the cluster that a user names, after merges; None without such a cluster.

        :param cluster: its number, its name, or a part of it that no other name has ("joy" of "joy / amusement"
            or "(mixed) joy"); case makes no difference.
        """
        wanted = cluster.casefold()
        # The last of equal names counts: that of a cluster before one that was merged away, then the first.
        named = sorted(reversed(self.names.items()), key=lambda pair: pair[0] not in self.merged)
        names = {name.casefold(): number for number, name in named}
        parts = [number for name, number in names.items() if wanted in name.removeprefix(f"{MIXED} ").split(OR)]
        known = ({wanted: parts[0]} if len(parts) == 1 else {}) | names
        found = int(wanted) if wanted in map(str, self.names) else known.get(wanted)
        return found if found is None else self.merged.get(found, found)


@dataclass(frozen=True)
class SavedRun:
    """A saved run, loaded from disk.

    :param folder: the folder of the run.
    :param manifest: the contents of run.json.
    :param questions: the questions by name, "" for the only one.
    """

    folder: Path
    manifest: Manifest
    questions: dict[str, SavedQuestion]

    @property
    def model(self) -> ModelRecord:
        """How to load the encoder of its vectors."""
        return self.manifest.model_record

    def load_encoder(self, **options: Any) -> Encoder:  # noqa: ANN401
        """Return the encoder that made its vectors; its weights are loaded when the first text is encoded.

        :param **options: of `load_encoder`, beside model, template and dtype.
        :raises ModelError: when the model has changed since the run was saved.
        """
        hint = "restore the model that the run was saved with, or cluster again with --save"
        return load_recorded(self.model, f"that made {self.folder}", hint, **options)

    @property
    def reading(self) -> Reading | None:
        """How its file was read; None if this is not known."""
        return self.manifest.reading

    @property
    def encode_options(self) -> EncodeOptions:
        """How its texts were encoded."""
        return self.manifest.encode_options

    def question_name(self, name: str | None = None) -> str:
        """Return the name of a question, which need not be given where there is only one.

        :param name: as it was given.
        :raises UsageError: for one that the run has not, or where several could be meant.
        """
        if name is None and len(self.questions) == 1:
            return next(iter(self.questions))
        if name is None or name not in self.questions:
            named = ", ".join(filter(None, self.questions))
            raise UsageError(
                f'no question is named "{name}"' if name else "this run holds several questions",
                hint=f"name one of them with --question: {named}" if named else "its only question has no name",
            )
        return name

    def rows(self, question: str) -> list[dict[str, Any]]:
        """Return the rows under one question, each with the keys of `contents.TYPES`.

        :param question: name of the question.
        :raises InputError: for a damaged file.
        """
        again = how_to_repeat(self.manifest, self.folder)
        return read_rows(self.folder / ROWS, question, self.manifest.questions[question], again)

    def columns(self, kind: str) -> dict[str, list[Any]]:
        """Return the columns of one type in the rows: those of `rows`, places on maps, and those of the input.

        :param kind: the Arrow type, for example "string".
        :raises InputError: for a damaged file.
        """
        return read_columns(self.folder / ROWS, kind, how_to_repeat(self.manifest, self.folder))

    def row_of_units(self) -> list[int]:
        """Return the row of each line of a run with several answers a row, from 0, in ascending order.

        :raises InputError: for a damaged file.
        """
        n_lines = next(iter(self.manifest.questions.values())).n_lines
        return row_of_units(self.folder / ROWS, n_lines, how_to_repeat(self.manifest, self.folder))


def load_run(folder: str | Path) -> SavedRun:
    """Return a saved run.

    :param folder: the folder of the run.
    :raises InputError: for a folder without a run, a damaged run, or an invalid line of names.txt.
    """
    folder = Path(folder)
    try:
        if folder.is_file():
            raise InputError(
                "is a file, not the folder of a saved run", source=str(folder), hint="name the run first"
            )
        place = current(folder)
        manifest = read_manifest(place, shown=folder)
        again = how_to_repeat(manifest, folder)
        arrays = read_arrays(place / TENSORS, manifest, again)
        predictors = predictors_of(arrays, place / TENSORS, manifest, again)
        maps = maps_of(arrays, place / TENSORS, manifest, again)
        check_rows(place / ROWS, manifest, again)
        changes = read_changes(place, list(manifest.questions))
    except FileNotFoundError as error:
        raise InputError(
            f"no saved run here ({Path(error.filename or '').name} is missing)",
            source=str(folder),
            hint='create one: inbedder cluster FILE -i "..." --save RUN',
        ) from error
    except UnsafeFileError as error:
        raise InputError(str(error), hint="the folder must hold the files that --save wrote") from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", source=str(folder)) from error
    questions = {
        name: _question(name, manifest, predictors[name], maps[name], changes[name]) for name in manifest.questions
    }
    return _with_merged_units(SavedRun(place, manifest, questions))


def _with_merged_units(run: SavedRun) -> SavedRun:
    """Return a run in which rows that have several answers of one merged cluster count once in it."""
    questions = dict(run.questions)
    for name, saved in questions.items():
        if saved.words is None or not saved.merged:
            continue
        clusters: dict[int, set[int]] = {number: set() for number in saved.merged.values()}
        for row_of, row in zip(run.row_of_units(), run.rows(name), strict=True):
            number = saved.merged.get(row["cluster"], row["cluster"])
            if number in clusters:
                clusters[number].add(row_of)
        sizes = {number: len(rows) for number, rows in clusters.items()}
        questions[name] = replace(saved, counts=saved.counts | sizes)
    return replace(run, questions=questions)


def _question(
    name: str,
    manifest: Manifest,
    predictor: ClusterPredictor,
    row_map: RowMap | None,
    changes: Sequence[Change],
) -> SavedQuestion:
    question = manifest.questions[name]
    clusters = [c for c in question.clusters if c.cluster != NOISE]
    names, merged = apply_changes({c.cluster: c.label for c in clusters}, changes, name)
    return SavedQuestion(
        question.instruction,
        predictor,
        manifest.cluster_options(name),
        manifest.flag_options,
        *_counts(question, merged),
        names,
        merged,
        frozenset(
            c.cluster
            for c in clusters
            if c.label_is_weak and names[c.cluster] == c.label and c.cluster not in merged.values()
        ),
        frozenset(question.multi.words) if question.multi else None,
        row_map,
        question.clustering.k_selection is not None,
    )


def _counts(question: Question, merged: Mapping[int, int]) -> tuple[dict[int, int], int]:
    """Return the rows of each cluster after merges, of noise and of unanswered rows, and the rows with text."""
    sizes = [(cluster.cluster, cluster.size) for cluster in question.clusters]
    if question.unanswered is not None:
        sizes.append((UNANSWERED, question.unanswered.size))
    elif question.rows.no_answer:  # older runs only count them
        sizes.append((UNANSWERED, question.rows.no_answer))
    n_read = question.rows.n_read if question.multi else sum(size for _, size in sizes)
    counts: dict[int, int] = {}
    for number, size in sizes:
        into = merged.get(number, number)
        counts[into] = counts.get(into, 0) + size
    return counts, n_read


def estimator_parameters(run: SavedRun, saved: SavedQuestion) -> dict[str, Any]:
    """Return the parameters of the `InBedder` of a saved run.

    :param run: the saved run.
    :param saved: one of its questions.
    :return: values by parameter.
    """
    options, encoding = saved.clustering, asdict(run.encode_options)
    is_auto = options.k is None or saved.k_is_selected
    bounds = {"k_min": options.k_min, "k_max": options.k_max} if is_auto else {}
    reading = run.reading
    texts = reading.text if reading else ()
    return (
        bounds
        | {
            "text": texts[0] if len(texts) == 1 else list(texts) or None,
            "text_template": reading and reading.text_template,
            "empty": str(reading.empty if reading else EmptyTexts.skip),
            "n_clusters": "auto" if is_auto else options.k,
            "algorithm": str(options.algorithm),
            "model": run.model.reference,
            "template": run.model.template,
            "dtype": run.model.dtype,
            "min_cluster_size": options.min_cluster_size,
            "random_state": options.seed,
            "stability": options.stability,
            "consensus": options.consensus,
            "flag_unanswered": saved.unanswered_options.flag,
            "min_confidence": saved.unanswered_options.min_confidence,
            "multi": saved.words is not None,
        }
        | {name: encoding[name] for name in ("pooling", "layer", "max_tokens", "max_answer_tokens")}
    )
