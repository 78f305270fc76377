"""Saved runs: a folder of JSON, safetensors and Parquet from which new rows get the same clusters.

    run.json          source, questions, model, settings, clusters
    run.safetensors   mean, centroids, and the arrays that the algorithm needs to predict
    rows.parquet      every row: id, text, cluster, label, answer, ...
    names.txt         optional, written by the user: renames and merges (`renames`)

The folder holds no pickle. It holds the texts: treat it as confidential as they are.
"""

from __future__ import annotations

import json
import shlex
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli import __version__
from inbedder_cli.clustering import NOISE
from inbedder_cli.clustering.predictor import ClusterPredictor
from inbedder_cli.encoders.base import ModelRecord
from inbedder_cli.errors import InbedderError, InputError, UsageError
from inbedder_cli.models.convert import file_sha256
from inbedder_cli.options import ClusterOptions, EncodeOptions, Pooling, UnansweredOptions
from inbedder_cli.output.vectors import texts_sha256
from inbedder_cli.runs.renames import NAMES, apply_changes, read_changes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.results import Analysis, ClusteringResult
    from inbedder_cli.runs.renames import Change

SCHEMA = 3
MANIFEST, TENSORS, ROWS = "run.json", "run.safetensors", "rows.parquet"
LIBRARIES = ("torch", "transformers", "scikit-learn", "hdbscan", "numpy")


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
    """

    instruction: str
    predictor: ClusterPredictor
    clustering: ClusterOptions
    unanswered_options: UnansweredOptions
    sizes: dict[int, int]
    names: dict[int, str]
    merged: dict[int, int]

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
        )


@dataclass(frozen=True)
class SavedRun:
    """A saved run, loaded from disk.

    :param folder: the folder of the run.
    :param manifest: the contents of run.json.
    :param model: how to load the encoder of its vectors.
    :param encode_options: how its texts were encoded.
    :param questions: the questions by name, "" for the only one.
    """

    folder: Path
    manifest: dict[str, Any]
    model: ModelRecord
    encode_options: EncodeOptions
    questions: dict[str, SavedQuestion]

    def rows(self, question: str) -> list[dict[str, Any]]:
        """Return the rows under one question, each with id, text and `RESULT_COLUMNS`.

        :param question: name of the question.
        """
        import pyarrow.parquet as pq

        from inbedder_cli.output.tables import RESULT_COLUMNS, column_name

        columns = [column_name(question, name) for name in RESULT_COLUMNS]
        with pq.ParquetFile(str(self.folder / ROWS)) as file:
            table = file.read(columns=["id", "text", *columns])
        table = table.select(["id", "text", *columns]).rename_columns(["id", "text", *RESULT_COLUMNS])
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows

    @property
    def documents(self) -> dict[str, dict[str, Any]]:
        """The part of the manifest that belongs to each question, by name."""
        return documents_in(self.manifest)


def check_run_folder(folder: Path, *, force: bool) -> None:
    """Check, before any work is done, that a run can be saved to a folder.

    :param folder: the folder to save to.
    :param force: whether an existing run may be replaced.
    :raises UsageError: for a file, a folder that is not empty, or one whose parent is missing.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="choose another name for the folder of the run")
    if folder.exists() and any(folder.iterdir()) and not force:
        raise UsageError(f"{folder} exists already", hint="add --force to replace the run, or choose another name")
    if not folder.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {folder.parent}", hint="create it first, or choose another folder")


def save_run(folder: Path, analysis: Analysis) -> Path | None:
    """Save an analysis to a folder. Files are written to a temporary folder first and then moved.

    The manifest holds the hashes of the other files. An existing names.txt is kept if the
    clusters have the same labels as before, and otherwise renamed to names.txt.old.

    :param folder: the folder to create, or that of an older run.
    :param analysis: the results of an encoder that was loaded by name.
    :return: the new path of names.txt; None if it was kept or there is none.
    :raises UsageError: when the encoder cannot be loaded again by name.
    :raises InbedderError: when a file cannot be written, for example on a full disk.
    """
    import pyarrow as pa
    from safetensors.numpy import save

    from inbedder_cli.output.documents import results_document
    from inbedder_cli.output.files import atomic_write, write_json
    from inbedder_cli.output.formats import write_table
    from inbedder_cli.output.tables import rows_table

    embeddings = analysis.result.embeddings
    if embeddings.record is None:
        raise UsageError(
            "a saved run needs an encoder that was loaded by name",
            hint="use a model that load_encoder takes by name, not saved vectors",
        )
    before = _labels_in(folder)
    corpus = analysis.corpus
    table = pa.table({"id": pa.array(corpus.ids, pa.string()), "text": pa.array(corpus.texts, pa.string())})
    rows = rows_table(analysis.results)
    for place in range(corpus.table.num_columns, rows.num_columns):
        table = table.append_column(rows.column_names[place], rows.column(place))
    tensors: dict[str, Any] = {}
    for question, result in analysis.results.items():
        tensors |= {
            f"{question}/{name}": np.ascontiguousarray(array)
            for name, array in ClusterPredictor.of(result.clustering).to_arrays().items()
        }
    manifest = results_document(analysis.results, analysis.model, analysis.crosstabs) | {
        "schema": SCHEMA,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"inbedder": __version__} | {name: version(name) for name in LIBRARIES},
        "texts_sha256": texts_sha256(corpus),
        "model": asdict(embeddings.record),
        "encoding": asdict(embeddings.options),
        "unanswered_options": asdict(analysis.result.unanswered_options),
        "settings": {question: asdict(result.clustering.options) for question, result in analysis.results.items()},
    }
    try:
        with tempfile.TemporaryDirectory(dir=folder.absolute().parent, prefix=f".{folder.name}.") as unfinished:
            new = Path(unfinished)
            with atomic_write(new / ROWS) as stream:
                write_table(table, stream, "parquet")
            with atomic_write(new / TENSORS) as stream:
                stream.write(save(tensors))
            manifest["files"] = {name: file_sha256(new / name) for name in (TENSORS, ROWS)}
            with atomic_write(new / MANIFEST) as stream:
                write_json(manifest, stream)
            folder.mkdir(exist_ok=True)
            for name in (ROWS, TENSORS, MANIFEST):
                (new / name).replace(folder / name)
    except OSError as error:
        raise InbedderError(f"cannot write {folder}: {error}", hint="choose another folder") from error
    if (folder / NAMES).exists() and before != _labels_in(folder):
        return _rename_names_file(folder / NAMES)
    return None


def _rename_names_file(names: Path) -> Path:
    """Rename names.txt to a name that is not in use, and return the new path."""
    target, n = names.with_name(f"{NAMES}.old"), 2
    while target.exists():
        target, n = names.with_name(f"{NAMES}.old{n}"), n + 1
    return names.replace(target)


def documents_in(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the part of a manifest that belongs to each question, by name; "" for the only one."""
    questions: dict[str, dict[str, Any]] | None = manifest.get("questions")
    return questions or {"": manifest}


def _labels_in(folder: Path) -> list[Any] | None:
    """Return the questions, clusters and labels of the run in a folder; None if there is none."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        questions = documents_in(manifest)
        return [[name, c["cluster"], c["label"]] for name, q in questions.items() for c in q["clusters"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def load_run(folder: Path) -> SavedRun:
    """Return a saved run.

    :param folder: the folder of the run.
    :raises InputError: for a folder without a run, a damaged run, or an invalid line of names.txt.
    """
    from safetensors.numpy import load_file

    if folder.is_file():
        raise InputError("is a file, not the folder of a saved run", source=str(folder), hint="name the run first")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["schema"] != SCHEMA:
            raise InputError(
                f"made by another version of inbedder (schema {manifest['schema']}, not {SCHEMA})",
                source=str(folder),
                hint=f"save the run again: {_command(folder, manifest)}",
            )
        damaged = [name for name, sha256 in manifest["files"].items() if file_sha256(folder / name) != sha256]
        if damaged:
            raise InputError(
                f"{damaged[0]} was changed after the run was saved",
                source=str(folder),
                hint=f"save the run again: {_command(folder, manifest)}",
            )
        tensors = load_file(folder / TENSORS)
        encoding = manifest["encoding"]
        questions = documents_in(manifest)
        changes = read_changes(folder, list(questions))
        return SavedRun(
            folder,
            manifest,
            ModelRecord(**manifest["model"]),
            EncodeOptions(**(encoding | {"pooling": encoding["pooling"] and Pooling(encoding["pooling"])})),
            {
                name: _question(name, document, manifest, tensors, changes[name])
                for name, document in questions.items()
            },
        )
    except InbedderError:
        raise
    except FileNotFoundError as error:
        raise InputError(
            f"no saved run here ({Path(error.filename or '').name} is missing)",
            source=str(folder),
            hint='create one: inbedder cluster FILE -i "..." --save RUN',
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:  # another file of that name
        raise InputError(f"not a saved run: {error!r}", source=str(folder), hint="save the run again") from error


def _question(
    name: str,
    document: dict[str, Any],
    manifest: dict[str, Any],
    tensors: dict[str, Any],
    changes: Sequence[Change],
) -> SavedQuestion:
    own = {key.removeprefix(f"{name}/"): array for key, array in tensors.items() if key.startswith(f"{name}/")}
    settings = manifest["settings"][name]
    clusters = [c for c in document["clusters"] if c["cluster"] != NOISE]
    names, merged = apply_changes({c["cluster"]: c["label"] for c in clusters}, changes)
    return SavedQuestion(
        document["instruction"],
        ClusterPredictor.from_arrays(own, settings["algorithm"]),
        ClusterOptions(**settings),
        UnansweredOptions(**manifest["unanswered_options"]),
        {c["cluster"]: c["size"] for c in clusters},
        names,
        merged,
    )


def _command(folder: Path, manifest: dict[str, Any]) -> str:
    """Return the command that recreates a run, of any schema."""
    words = ["inbedder", "cluster", manifest["source"]]
    for name, document in documents_in(manifest).items():
        question = document["instruction"]
        words += ["-i", f"{name}={question}" if name else question]
    first, *_ = settings = list(manifest["settings"].values())
    if all(s["k"] for s in settings):
        words += [word for s in settings for word in ("-k", str(s["k"]))]
    if first["min_cluster_size"]:
        words += ["--min-cluster-size", str(first["min_cluster_size"])]
    words += ["-a", first["algorithm"], "-m", manifest["model"]["reference"], "--save", str(folder), "--force"]
    return shlex.join(words)
