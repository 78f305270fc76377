"""The tensors and rows of a saved run: their sizes, types and shapes are checked before they are used."""

from __future__ import annotations

import hashlib
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.clustering import NOISE
from inbedder_cli.clustering.predictor import ClusterPredictor
from inbedder_cli.embeddings import RowStatus
from inbedder_cli.errors import InputError
from inbedder_cli.projection import RowMap
from inbedder_cli.untrusted import open_regular, parquet_batches, read_regular

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from inbedder_cli.runs.schema import Manifest, Question

MAX_TENSOR_BYTES = 256_000_000
MAP = "map/"  # prefix of the arrays of a map
KEPT = "column/"  # prefix of the columns of the input that reports show
ROW = "row"  # column of a run with several answers a row: the row of each of its lines, from 0
OTHER_BYTES = 16_000_000  # of a Parquet file, beside its columns
TYPES = {
    "id": "string",
    "text": "string",
    "cluster": "int64",
    "cluster_label": "string",
    "answer": "string",
    "confidence": "double",
    "cluster_distance": "double",
    "second_cluster": "int64",
    "margin": "double",
    "status": "string",
}


def read_arrays(path: Path, manifest: Manifest, again: str) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays in run.safetensors.

    :param path: the file.
    :param manifest: the run.
    :param again: what to do about a damaged file.
    :raises InputError: for a damaged file.
    :raises OSError: when it cannot be read.
    """
    from safetensors.numpy import load

    content = read_regular(path, MAX_TENSOR_BYTES)
    if hashlib.sha256(content).hexdigest() != manifest.files.tensors:
        raise _changed(path, again)
    try:
        arrays: dict[str, npt.NDArray[Any]] = load(content)
    except Exception as error:  # safetensors has errors of its own
        raise InputError(f"cannot be read: {error}", source=str(path), hint=again) from error
    return arrays


def predictors_of(
    arrays: Mapping[str, npt.NDArray[Any]], path: Path, manifest: Manifest, again: str
) -> dict[str, ClusterPredictor]:
    """Return the predictors by name of the question.

    :param arrays: from `read_arrays`.
    :param path: their file.
    :param manifest: the run.
    :param again: what to do about a damaged file.
    :raises InputError: for a damaged file.
    """
    predictors = {}
    for name, question in manifest.questions.items():
        start = f"{name}/"
        own = {key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)}
        try:
            predictors[name] = _predictor(own, manifest.settings[name].algorithm, question.k)
        except KeyError as error:
            raise InputError(f"has no {error}", source=str(path), hint=again) from error
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            raise InputError(f"does not fit the run: {error}", source=str(path), hint=again) from error
    return predictors


def maps_of(
    arrays: Mapping[str, npt.NDArray[Any]], path: Path, manifest: Manifest, again: str
) -> dict[str, RowMap | None]:
    """Return the maps by name of the question; None where an older version saved none.

    :param arrays: from `read_arrays`.
    :param path: their file.
    :param manifest: the run.
    :param again: what to do about a damaged file.
    :raises InputError: for a damaged file.
    """
    maps: dict[str, RowMap | None] = {}
    for name in manifest.questions:
        start = f"{name}/{MAP}"
        own = {key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)}
        try:
            maps[name] = RowMap.from_arrays(own) if own else None
            if own and own["mean"].shape != arrays[f"{name}/mean"].shape:
                raise ValueError("the map is of other vectors")
        except KeyError as error:
            raise InputError(f"has no {error}", source=str(path), hint=again) from error
        except (ValueError, TypeError) as error:
            raise InputError(f"does not fit the run: {error}", source=str(path), hint=again) from error
    return maps


def _predictor(arrays: Mapping[str, npt.NDArray[Any]], algorithm: str, k: int) -> ClusterPredictor:
    """Return the predictor of a question.

    :param arrays: its arrays, by the names that `ClusterPredictor.to_arrays` gave them.
    :param algorithm: name of the algorithm.
    :param k: its number of clusters.
    :raises KeyError: for an array that is missing.
    :raises ValueError: for arrays of another type or shape, or with values that are not finite.
    """
    n_features, n_own = arrays["mean"].size, arrays["numbers"].size
    shapes = {
        "mean": (n_features,),
        "centroids": (k, n_features),
        "novelty_thresholds": (k,),
        "numbers": (n_own,),
    }
    for name, shape in shapes.items():
        dtype = np.int64 if name == "numbers" else np.float32
        if arrays[name].shape != shape or arrays[name].dtype != dtype:
            raise ValueError(f'"{name}" is {arrays[name].dtype} of shape {arrays[name].shape}, not {shape}')
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f'"{name}" is not finite')
    if not set(arrays["numbers"].tolist()) <= {NOISE, *range(k)}:
        raise ValueError('"numbers" names clusters that the run has not')
    predictor = ClusterPredictor.from_arrays(arrays, algorithm)
    width = getattr(predictor.algorithm, "n_features_in_", n_features)
    if width != n_features:
        raise ValueError(f"the algorithm takes vectors of {width} numbers, not {n_features}")
    return predictor


def check_rows(path: Path, manifest: Manifest, again: str) -> None:
    """Check that rows.parquet is what was saved.

    :param path: the file.
    :param manifest: the run.
    :param again: what to do about a damaged file.
    :raises InputError: for a damaged file.
    :raises OSError: when it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open_regular(path) as stream:
        size = stream.seek(0, 2)
        try:
            with pq.ParquetFile(str(path)) as file:
                metadata, schema = file.metadata, file.schema_arrow
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f"cannot be read: {error}", source=str(path), hint=again) from error
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        columns = [group.column(i) for group in groups for i in range(group.num_columns)]
        stored = sum(max(0, column.total_compressed_size) for column in columns)
        if size - stored > OTHER_BYTES + metadata.serialized_size:
            raise InputError("is larger than its contents", source=str(path), hint=again)
        stream.seek(0)
        if hashlib.file_digest(stream, "sha256").hexdigest() != manifest.files.rows:
            raise _changed(path, again)
    for name, question in manifest.questions.items():
        for own, column in _columns(name).items():
            index = schema.get_field_index(column)
            if index < 0 or str(schema.field(index).type) != TYPES[own]:
                raise InputError(f"is no column of {TYPES[own]}", source=str(path), column=column, hint=again)
        if metadata.num_rows != question.n_lines:
            raise InputError(
                f"holds {metadata.num_rows:,} rows, not {question.n_lines:,}", source=str(path), hint=again
            )


def read_rows(path: Path, name: str, question: Question, again: str) -> list[dict[str, Any]]:
    """Return the rows under one question, each with the keys of `TYPES`.

    :param path: rows.parquet, as `check_rows` accepts it.
    :param name: name of the question.
    :param question: the question.
    :param again: what to do about a damaged file.
    :raises InputError: for a damaged file, and one that becomes very much larger when it is read.
    """
    import pyarrow as pa

    columns = _columns(name)
    try:
        batches = parquet_batches(path, list(columns.values()))
        rows = [row for batch in batches for row in batch.rename_columns(list(columns)).to_pylist()]
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot be read: {error}", source=str(path), hint=again) from error
    known = {None, *(cluster.cluster for cluster in question.clusters)}
    for number, row in enumerate(rows, start=1):
        in_none = row["status"] == RowStatus.ok and row["cluster"] is None
        if in_none or row["status"] not in set(RowStatus) or row["cluster"] not in known:
            raise InputError("has a cluster that the run has not", source=str(path), row=number, hint=again)
    return rows


def read_columns(path: Path, kind: str, again: str) -> dict[str, list[Any]]:
    """Return the columns of one type in the rows of a run, by name.

    :param path: rows.parquet, as `check_rows` accepts it.
    :param kind: the type, for example "string".
    :param again: what to do about a damaged file.
    :raises InputError: for a damaged file, and one that becomes very much larger when it is read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = [field.name for field in pq.read_schema(str(path)) if str(field.type) == kind]
        columns: dict[str, list[Any]] = {name: [] for name in names}
        for batch in parquet_batches(path, names):
            for name, column in zip(names, batch.columns, strict=True):
                columns[name] += column.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot be read: {error}", source=str(path), hint=again) from error
    return columns


def row_of_units(path: Path, n_lines: int, again: str) -> list[int]:
    """Return the row of each line of a run with several answers a row, from 0; lines of one row stand together.

    :param path: rows.parquet, as `check_rows` accepts it.
    :param n_lines: number of its lines.
    :param again: what to do about a damaged file.
    :raises InputError: for a damaged file, and one that becomes very much larger when it is read.
    """
    # Older runs have ids only, by which neighbors of one id are one row.
    names = read_columns(path, TYPES["cluster"], again).get(ROW) or read_columns(path, TYPES["id"], again)["id"]
    if not names or len(names) != n_lines:
        raise InputError(f"holds {len(names):,} rows, not {n_lines:,}", source=str(path), hint=again)
    is_next = (name != before for before, name in pairwise(names))
    return list(accumulate(is_next, initial=0))


def _columns(question: str) -> dict[str, str]:
    """Return the column of the file by the key of a row."""
    from inbedder_cli.output.tables import column_name

    return {key: key if key in ("id", "text") else column_name(question, key) for key in TYPES}


def _changed(path: Path, again: str) -> InputError:
    return InputError(f"{path.name} was changed after the run was saved", source=str(path.parent), hint=again)
