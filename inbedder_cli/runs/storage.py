"""Saved runs: a folder of JSON, safetensors and Parquet from which new rows get the same clusters.

    run.json          source, questions, model, settings, clusters
    run.safetensors   mean, centroids, and the arrays that the algorithm needs to predict
    rows.parquet      every row: id, text, cluster, label, answer, place on the map, columns that reports show
    names.txt         optional, written by the user: renames and merges (`renames`)

The folder holds no pickle. It holds the texts: treat it as confidential as they are. It may come from somebody
else: run.json is checked as a whole before any other file is opened, and each file before it is used.
"""

from __future__ import annotations

import itertools
import os
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from inbedder_cli import __version__
from inbedder_cli.clustering import NOISE
from inbedder_cli.clustering.predictor import ClusterPredictor
from inbedder_cli.errors import InbedderError, InputError, UsageError
from inbedder_cli.explanation.labels import OR
from inbedder_cli.models.convert import file_sha256
from inbedder_cli.output.temporary import temporary_folder
from inbedder_cli.output.vectors import texts_sha256
from inbedder_cli.report.distributions import chosen_columns
from inbedder_cli.report.maps import with_maps
from inbedder_cli.runs.contents import (
    KEPT,
    MAP,
    MAX_TENSOR_BYTES,
    check_rows,
    maps_of,
    predictors_of,
    read_arrays,
    read_columns,
    read_rows,
)
from inbedder_cli.runs.folders import (
    MANIFEST,
    ROWS,
    TENSORS,
    carry_over,
    check_run_folder,
    current,
    own_files,
    replace_folder,
    restore,
)
from inbedder_cli.runs.renames import NAMES, apply_changes, read_changes
from inbedder_cli.runs.schema import MAX_BYTES, SCHEMA, how_to_repeat, read_manifest
from inbedder_cli.untrusted import UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inbedder_cli.corpus.layout import Reading
    from inbedder_cli.encoders.base import ModelRecord
    from inbedder_cli.options import ClusterOptions, EncodeOptions, UnansweredOptions
    from inbedder_cli.projection import RowMap
    from inbedder_cli.results import Analysis, ClusteringResult
    from inbedder_cli.runs.renames import Change
    from inbedder_cli.runs.schema import Manifest

LIBRARIES = ("torch", "transformers", "scikit-learn", "hdbscan", "numpy")
EXEMPLAR_CHARACTERS = 1000  # of a text in run.json; the whole text is in rows.parquet

__all__ = [
    "SavedQuestion",
    "SavedRun",
    "check_run_folder",
    "estimator_parameters",
    "load_run",
    "own_files",
    "save_run",
]


@dataclass(frozen=True)
class SavedQuestion:
    """One question of a saved run: its predictor and the names of its clusters.

    :param instruction: the question.
    :param predictor: assigns new vectors to clusters.
    :param clustering: the options that made the clusters, with k and min_cluster_size filled in.
    :param unanswered_options: which answers count as unanswered.
    :param sizes: number of rows by cluster, before merges.
    :param names: name of each cluster, with the user's renames.
    :param merged: target by merged cluster.
    :param weak: clusters whose label is weak, and not the user's own.
    :param words: the words with which answers may begin, if a row may have several answers (`units.Units`); None:
        it has one.
    :param row_map: the map of its rows; None in runs of older versions.
    """

    instruction: str
    predictor: ClusterPredictor
    clustering: ClusterOptions
    unanswered_options: UnansweredOptions
    sizes: dict[int, int]
    names: dict[int, str]
    merged: dict[int, int]
    weak: frozenset[int] = frozenset()
    words: frozenset[str] | None = None
    row_map: RowMap | None = None

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
            sizes={summary.cluster: summary.size for summary in clusters},
            names={summary.cluster: summary.label for summary in clusters},
            merged={},
            weak=frozenset(summary.cluster for summary in clusters if summary.label_is_weak),
            words=result.units.words if result.units else None,
            row_map=result.row_map,
        )

    def number_of(self, cluster: str) -> int | None:
        """Return the number of the cluster that a user names, after merges; None without such a cluster.

        :param cluster: its number, its name, or a part of the name ("joy" of "joy / amusement") that no other
            cluster's name has; case makes no difference.
        """
        wanted = cluster.casefold()
        names = {name.casefold(): number for number, name in reversed(self.names.items())}
        parts = [number for name, number in names.items() if wanted in name.split(OR)]
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

    @property
    def reading(self) -> Reading | None:
        """How its file was read; None if this is not known."""
        return self.manifest.reading

    @property
    def encode_options(self) -> EncodeOptions:
        """How its texts were encoded."""
        return self.manifest.encode_options

    def rows(self, question: str) -> list[dict[str, Any]]:
        """Return the rows under one question, each with id, text and `RESULT_COLUMNS`.

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


def save_run(folder: Path, analysis: Analysis) -> Path | None:
    """Save an analysis to a folder: a temporary one is written, and then takes the place of an old one.

    The manifest holds the hashes of the other files. An existing names.txt is kept if the
    clusters have the same labels as before, and otherwise renamed to names.txt.old.
    Whatever else is in the folder is kept.

    :param folder: the folder to create, or that of an older run.
    :param analysis: the results of an encoder that was loaded by name.
    :return: the new path of names.txt; None if it was kept or there is none.
    :raises UsageError: when the encoder cannot be loaded again by name.
    :raises InbedderError: when a file cannot be written, for example on a full disk.
    """
    import pyarrow as pa
    from safetensors.numpy import save

    from inbedder_cli.output.documents import results_document
    from inbedder_cli.output.files import set_rights, write_json
    from inbedder_cli.output.formats import write_table
    from inbedder_cli.output.tables import rows_table

    embeddings = analysis.result.embeddings
    if embeddings.record is None:
        raise UsageError(
            "a saved run needs an encoder that was loaded by name",
            hint="use a model that load_encoder takes by name, not saved vectors",
        )
    if embeddings.units and len(analysis) > 1:
        raise UsageError("a run with multi holds one question", hint="save each question by itself")
    corpus = analysis.result.corpus
    table = pa.table({"id": pa.array(corpus.ids, pa.string()), "text": pa.array(corpus.texts, pa.string())})
    analysis = with_maps(analysis)
    rows = rows_table(analysis.results, explode=True, with_map=True)
    for place in range(corpus.table.num_columns, rows.num_columns):
        table = table.append_column(rows.column_names[place], rows.column(place))
    for column in chosen_columns(corpus, analysis.columns):
        table = table.append_column(KEPT + column.name, pa.array(column.cells, pa.string()))
    tensors: dict[str, Any] = {}
    for question, result in analysis.results.items():
        tensors |= {
            f"{question}/{name}": np.ascontiguousarray(array)
            for name, array in ClusterPredictor.of(result.clustering).to_arrays().items()
        }
        if result.row_map is not None:
            tensors |= {f"{question}/{MAP}{name}": array for name, array in result.row_map.to_arrays().items()}
    manifest = _shorten(results_document(analysis.results, analysis.model, analysis.crosstabs)) | {
        "schema": SCHEMA,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"inbedder": __version__} | {name: version(name) for name in LIBRARIES},
        "texts_sha256": texts_sha256(corpus),
        "model": asdict(embeddings.record),
        "encoding": asdict(embeddings.options),
        "columns": list(analysis.columns),
        "crossed": list(dict.fromkeys(table.column_name for table in analysis.crosstabs)),
        "input": corpus.reading and {"columns": corpus.reading.columns} | corpus.reading.options(),
        "unanswered_options": asdict(analysis.result.unanswered_options),
        "settings": {question: asdict(result.clustering.options) for question, result in analysis.results.items()},
    }
    target = Path(os.path.realpath(folder))
    try:
        restore(target)
        with temporary_folder(target.parent) as new:
            with _create(new / ROWS) as stream:
                write_table(table, stream, "parquet")
            with _create(new / TENSORS) as stream:
                stream.write(save(tensors))
            manifest["files"] = {name: file_sha256(new / name) for name in (TENSORS, ROWS)}
            with _create(new / MANIFEST) as stream:
                write_json(manifest, stream)
            _check_size(new)
            names = _keep_names(target, new)
            carry_over(target, new, without=(MANIFEST, TENSORS, ROWS, NAMES))
            for path in own_files(new):
                set_rights(path, like=target / path.name)
            set_rights(new, like=target)
            replace_folder(target, new)
    except OSError as error:
        raise InbedderError(
            f"cannot write {folder}: {error.strerror or error}",
            hint="choose another folder; what was there is as it was",
        ) from error
    return folder / names if names else None


def _check_size(folder: Path) -> None:
    """Refuse to save what `load_run` would refuse to read."""
    for name, limit in ((MANIFEST, MAX_BYTES), (TENSORS, MAX_TENSOR_BYTES)):
        if (folder / name).stat().st_size > limit:
            raise InbedderError(
                f"the run cannot be saved: {name} would be larger than {limit / 1e6:,.0f} MB",
                hint="make fewer clusters, or give fewer --exemplars",
            )


@contextmanager
def _create(path: Path) -> Iterator[IO[bytes]]:
    with path.open("wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def _keep_names(folder: Path, new: Path) -> str | None:
    """Put names.txt into the new run, and return its new name if the clusters are others; else None."""
    if not (folder / NAMES).exists():
        return None
    name = NAMES
    if _labels_in(folder) != _labels_in(new):
        free = itertools.chain([f"{NAMES}.old"], (f"{NAMES}.old{n}" for n in itertools.count(2)))
        name = next(name for name in free if not (folder / name).exists())
    shutil.copy2(folder / NAMES, new / name)
    return None if name == NAMES else name


def _labels_in(folder: Path) -> list[Any] | None:
    """Return the questions, clusters and labels of the run in a folder; None if there is no valid one."""
    try:
        questions = read_manifest(folder, shown=folder).questions
    except (OSError, InbedderError):
        return None
    return [(name, c.cluster, c.label) for name, question in questions.items() for c in question.clusters]


def _shorten(document: Any) -> Any:  # noqa: ANN401
    """Return a document with long texts of its exemplars cut, so that `load_run` can read it whole."""
    if isinstance(document, list):
        return [_shorten(value) for value in document]
    if not isinstance(document, dict):
        return document
    shorter = {key: _shorten(value) for key, value in document.items()}
    if "id" in shorter and len(shorter["text"]) > EXEMPLAR_CHARACTERS:
        shorter["text"] = shorter["text"][:EXEMPLAR_CHARACTERS] + "..."
    return shorter


def load_run(folder: Path) -> SavedRun:
    """Return a saved run.

    :param folder: the folder of the run.
    :raises InputError: for a folder without a run, a damaged run, or an invalid line of names.txt.
    """
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
    return SavedRun(place, manifest, questions)


def _question(
    name: str,
    manifest: Manifest,
    predictor: ClusterPredictor,
    row_map: RowMap | None,
    changes: Sequence[Change],
) -> SavedQuestion:
    question = manifest.questions[name]
    clusters = [c for c in question.clusters if c.cluster != NOISE]
    names, merged = apply_changes({c.cluster: c.label for c in clusters}, changes)
    return SavedQuestion(
        question.instruction,
        predictor,
        manifest.cluster_options(name),
        manifest.flag_options,
        {c.cluster: c.size for c in clusters},
        names,
        merged,
        frozenset(c.cluster for c in clusters if c.label_is_weak and names[c.cluster] == c.label),
        frozenset(question.multi.words) if question.multi else None,
        row_map,
    )


def estimator_parameters(run: SavedRun, saved: SavedQuestion) -> dict[str, Any]:
    """Return the parameters of the `InBedder` of a saved run.

    :param run: the saved run.
    :param saved: one of its questions.
    :return: values by parameter.
    """
    options, encoding = saved.clustering, asdict(run.encode_options)
    return {
        "n_clusters": "auto" if options.k is None else options.k,
        "algorithm": str(options.algorithm),
        "model": run.model.reference,
        "template": run.model.template,
        "dtype": run.model.dtype,
        "k_min": options.k_min,
        "k_max": options.k_max,
        "min_cluster_size": options.min_cluster_size,
        "random_state": options.seed,
        "stability": options.stability,
        "consensus": options.consensus,
        "flag_unanswered": saved.unanswered_options.flag,
        "min_confidence": saved.unanswered_options.min_confidence,
        "multi": saved.words is not None,
    } | {name: encoding[name] for name in ("pooling", "layer", "max_tokens", "max_answer_tokens")}
