"""Write a saved run, which `saved_run` describes: all of it, or nothing."""

from __future__ import annotations

import itertools
import os
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from inbedder_cli import __version__
from inbedder_cli.clustering.predictor import ClusterPredictor
from inbedder_cli.errors import InbedderError, UsageError
from inbedder_cli.models.convert import file_sha256
from inbedder_cli.output.tables import rows_table, shorten_exemplar
from inbedder_cli.output.temporary import temporary_folder
from inbedder_cli.output.vectors import texts_sha256
from inbedder_cli.report.distributions import chosen_columns
from inbedder_cli.report.maps import with_maps
from inbedder_cli.runs.contents import KEPT, MAP, MAX_TENSOR_BYTES, ROW
from inbedder_cli.runs.folders import (
    MANIFEST,
    ROWS,
    TENSORS,
    carry_over,
    link_or_copy,
    own_files,
    replace_folder,
    restore,
)
from inbedder_cli.runs.renames import NAMES
from inbedder_cli.runs.schema import MAX_BYTES, SCHEMA, read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inbedder_cli.results import Analysis

LIBRARIES = ("torch", "transformers", "scikit-learn", "hdbscan", "numpy")


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
    if embeddings.units:
        table = table.append_column(ROW, pa.array(embeddings.units.row_of, pa.int64()))
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
        "crossed": list(analysis.result.columns),
        "input": corpus.reading and corpus.reading.record(),
        "unanswered_options": asdict(analysis.result.unanswered_options),
        "explanation": asdict(analysis.result.explain_options),
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
    if not os.path.lexists(folder / NAMES):
        return None
    name = NAMES
    if _labels_in(folder) != _labels_in(new):
        free = itertools.chain([f"{NAMES}.old"], (f"{NAMES}.old{n}" for n in itertools.count(2)))
        name = next(name for name in free if not (folder / name).exists())
    link_or_copy(folder / NAMES, new / name)
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
    return shorter | ({"text": shorten_exemplar(shorter["text"])} if {"id", "text"} <= shorter.keys() else {})
