"""Vectors in files: .parquet (id, status, answer, confidence, vector), .npy, .safetensors; JSON lines for pipes.

To add a format, write its two functions and register them under its suffix in `VECTOR_FORMATS`.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from inbedder_cli.corpus.values import replace_surrogates
from inbedder_cli.embeddings import Embeddings, RowStatus
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.output.files import atomic_write
from inbedder_cli.registry import Registry
from inbedder_cli.untrusted import UnsafeFileError, check_regular, parquet_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt
    import pyarrow as pa

    from inbedder_cli.corpus import Corpus

SCHEMA = 1
VERSION = "inbedder.schema"
TEXTS, INSTRUCTION, MODEL = "inbedder.texts_sha256", "inbedder.instruction", "inbedder.model"
MAX_ROW_BYTES = 8_000_000  # of a vector and its answer: a million float64
OTHER_BYTES = 16_000_000  # of a file, beside its rows
SHOWN = 300  # characters of another library's message
HOW_TO_MAKE = "make it: inbedder embed FILE -i QUESTION -o vectors.parquet"


@dataclass(frozen=True)
class StoredVectors:
    """The contents of a file of vectors.

    :param vectors: of a float type, shape (n_rows, n_features); NaN where a row has no vector.
    :param answers: one per row; None where the file has none.
    :param confidences: of the answers, float32, shape (n_rows,); None where the file has none.
    :param failed: rows of which the file says that their text has no vector.
    :param origin: metadata about texts, instruction and model; empty if the file has none.
    """

    vectors: npt.NDArray[Any]
    answers: list[str | None] | None = None
    confidences: npt.NDArray[np.float32] | None = None
    failed: frozenset[int] = frozenset()
    origin: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class VectorFormat:
    """A file format for vectors. Its suffix is its name in `VECTOR_FORMATS`.

    :param write: writes the vectors of a corpus to a binary stream, and leaves the stream open.
    :param read: reads such a file; None for a format that is only written.
    """

    write: Callable[[Corpus, Embeddings, IO[bytes]], None]
    read: Callable[[Path], StoredVectors] | None


VECTOR_FORMATS: Registry[VectorFormat] = Registry("vector format", {})


def vector_format(suffix: str) -> VectorFormat:
    """Return the vector format of a suffix.

    :param suffix: with the dot; upper case does not matter.
    :return: the format.
    :raises UsageError: for an unknown suffix; the hint lists the known ones.
    """
    if suffix.lower() not in VECTOR_FORMATS:
        raise UsageError(
            f'no vector format has the suffix "{suffix}"', hint=f"use one of {', '.join(VECTOR_FORMATS)}"
        )
    return VECTOR_FORMATS[suffix.lower()]


def write_vectors(path: str | Path, corpus: Corpus, embeddings: Embeddings) -> None:
    """Write one vector per row; a row without one is null, or all-NaN in .npy and .safetensors.

    :param path: the file, which is replaced if there is one; its suffix chooses the format.
    :param corpus: the rows.
    :param embeddings: their vectors, and answers where there are any.
    :raises UsageError: when no format has the suffix.
    :raises InbedderError: when the file cannot be written.
    """
    write = vector_format(Path(path).suffix).write
    with atomic_write(Path(path)) as stream:
        write(corpus, embeddings, stream)


def read_vectors(path: str | Path, corpus: Corpus, instruction: str = "") -> Embeddings:
    """Return vectors written by `write_vectors`, one per row of the corpus.

    .parquet and .safetensors record the texts and the question that the vectors belong to; .npy does not.

    :param path: the file.
    :param corpus: the rows that the vectors belong to.
    :param instruction: the question of the vectors; "" takes the one recorded in the file.
    :return: the vectors as float32, with the answers, instruction and model recorded in the file. Rows that do
        not answer are not marked: `flag_unanswered` does it again.
    :raises UsageError: when the file records another question.
    :raises InputError: for another format, other texts, another number of rows, and for a row with text whose
        vector is not finite.
    """
    path = str(path)
    _check_file(Path(path), len(corpus))
    stored = _read(Path(path), path)
    vectors, origin = stored.vectors, stored.origin
    if origin.get(VERSION, str(SCHEMA)) != str(SCHEMA):
        raise InputError("made by another version of inbedder", source=path, hint="embed the same file again")
    if vectors.ndim != 2 or not np.issubdtype(vectors.dtype, np.floating):
        raise InputError(f"holds {vectors.dtype} of shape {vectors.shape}, not rows of numbers", source=path)
    if len(vectors) != len(corpus):
        raise InputError(
            f"{len(vectors):,} vectors for {len(corpus):,} rows of {corpus.source}",
            source=path,
            hint="embed the same file, with the same --limit and --sample",
        )
    if origin.get(TEXTS, digest := texts_sha256(corpus)) != digest:
        raise InputError(
            f"belongs to other texts, or another order of texts, than {corpus.source}",
            source=path,
            hint="embed the same file again, with the same --text, --limit and --sample",
        )
    recorded = origin.get(INSTRUCTION)
    if instruction and recorded and replace_surrogates(instruction).strip() != recorded.strip():
        raise UsageError(
            f'{path} was made with "{recorded}", not with "{instruction}"',
            hint="leave out -i, or leave out --vectors to encode the texts again",
        )
    vectors = np.asarray(vectors, np.float32)
    return Embeddings(
        vectors,
        stored.answers,
        _status(vectors, corpus, stored.failed, path),
        confidences=stored.confidences,
        instruction=instruction or recorded,
        model=origin.get(MODEL) or path,
    )


def _check_file(file: Path, n_rows: int) -> None:
    """Refuse what is no file of vectors of so many rows before anything is read."""
    try:
        size = check_regular(file, follow_links=True)
    except UnsafeFileError as error:
        raise InputError(str(error), hint=HOW_TO_MAKE) from error
    except FileNotFoundError as error:
        raise InputError("no such file", source=str(file), hint=HOW_TO_MAKE) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", source=str(file), hint=HOW_TO_MAKE) from error
    if size > OTHER_BYTES + n_rows * MAX_ROW_BYTES:
        raise InputError(f"is larger than vectors of {n_rows:,} rows can be", source=str(file))


def _read(file: Path, source: str) -> StoredVectors:
    suffix = file.suffix.lower()
    read = VECTOR_FORMATS[suffix].read if suffix in VECTOR_FORMATS else None
    if read is None:
        *others, last = [name for name in VECTOR_FORMATS if VECTOR_FORMATS[name].read]
        raise InputError(
            f'no vector format has the suffix "{suffix}"', source=source, hint=f"use {', '.join(others)} or {last}"
        )
    try:
        return read(file)
    except InputError:
        raise
    except Exception as error:  # each library raises its own errors for a broken file
        said = " ".join(str(error).split())[:SHOWN] or type(error).__name__
        raise InputError(f"cannot be read as vectors: {said}", source=source) from error


def _status(
    vectors: npt.NDArray[np.float32], corpus: Corpus, failed: frozenset[int], source: str
) -> list[RowStatus]:
    """Return which rows have a vector.

    :raises InputError: for a row with text that has no finite vector.
    """
    finite = np.atleast_1d(np.isfinite(vectors).all(axis=1))
    status = [RowStatus.empty] * len(corpus)
    for row in corpus.readable:
        if not finite[row] and row not in failed:
            raise InputError(
                "not a finite vector, but the row has a text",
                source=source,
                row=row + 1,
                hint="embed the file again",
            )
        status[row] = RowStatus.ok if finite[row] else RowStatus.failed
    return status


def texts_sha256(corpus: Corpus) -> str:
    """Return a hash of the texts in their order.

    :param corpus: the rows.
    :return: 64 hexadecimal digits.
    """
    return hashlib.sha256("\0".join(corpus.texts).encode()).hexdigest()


def _origin(corpus: Corpus, embeddings: Embeddings) -> dict[str, str]:
    """Return the metadata of a file, by which `read_vectors` detects other texts or another question."""
    return {
        VERSION: str(SCHEMA),
        TEXTS: texts_sha256(corpus),
        INSTRUCTION: replace_surrogates(embeddings.instruction or ""),
        MODEL: replace_surrogates(embeddings.model or ""),
    }


def vector_column(vectors: npt.NDArray[Any]) -> pa.Array:
    """Return vectors as an Arrow array of lists; one that is not finite is null.

    :param vectors: float32 or float16, shape (n_rows, n_features).
    """
    import pyarrow as pa

    missing = ~np.isfinite(vectors).all(axis=1)
    mask = pa.array(missing) if missing.any() else None
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1], mask=mask)


def vectors_of(lists: pa.Array, width: int) -> npt.NDArray[np.float32]:
    """Return an Arrow array of lists as vectors, NaN where one is null.

    :param lists: each of the same length, or null.
    :param width: this length.
    :return: float32, shape (n_rows, width).
    """
    valid = lists.is_valid().to_numpy(zero_copy_only=False)
    vectors = np.full((len(lists), width), np.nan, np.float32)
    vectors[valid] = lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)  # flatten drops nulls
    return vectors


def _write_npy(corpus: Corpus, embeddings: Embeddings, stream: IO[bytes]) -> None:
    np.save(stream, embeddings.vectors, allow_pickle=False)


def _read_npy(file: Path) -> StoredVectors:
    # np.load would also accept an archive of arrays, and allocate what the header asks for.
    return StoredVectors(np.array(np.lib.format.open_memmap(file, mode="r")))


def _write_safetensors(corpus: Corpus, embeddings: Embeddings, stream: IO[bytes]) -> None:
    from safetensors.numpy import save

    stream.write(save({"vectors": embeddings.vectors}, metadata=_origin(corpus, embeddings)))


def _read_safetensors(file: Path) -> StoredVectors:
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as tensors:
        return StoredVectors(tensors.get_tensor("vectors"), origin=tensors.metadata() or {})


def _write_jsonl(corpus: Corpus, embeddings: Embeddings, stream: IO[bytes]) -> None:
    nothing = [None] * len(corpus)
    answers, confidences = embeddings.answers or nothing, nothing
    if embeddings.confidences is not None:
        confidences = [None if math.isnan(c) else c for c in embeddings.confidences.tolist()]
    for row_id, answer, confidence, vector, status in zip(
        corpus.ids, answers, confidences, embeddings.vectors, embeddings.status, strict=True
    ):
        record = {
            "schema": SCHEMA,
            "id": row_id,
            "status": str(status),
            "answer": answer,
            "confidence": confidence and float(f"{confidence:.6g}"),
            # Nine digits identify every float32.
            "vector": [float(f"{x:.9g}") for x in vector.tolist()] if np.isfinite(vector).all() else None,
        }
        stream.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def _write_parquet(corpus: Corpus, embeddings: Embeddings, stream: IO[bytes]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    vectors, confidences, nothing = embeddings.vectors, embeddings.confidences, [None] * len(corpus)
    table = pa.table(
        {
            "id": pa.array(corpus.ids, pa.string()),
            "status": pa.array([str(status) for status in embeddings.status], pa.string()),
            "answer": pa.array(embeddings.answers or nothing, pa.string()),
            "confidence": pa.array(
                nothing if confidences is None else confidences, pa.float32(), from_pandas=True
            ),
            "vector": vector_column(vectors),
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(_origin(corpus, embeddings)), sink, compression="zstd")
    stream.write(sink.getvalue())


def _read_parquet(file: Path) -> StoredVectors:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(str(file)) as parquet:
        names = [
            name for name in ("vector", "answer", "confidence", "status") if name in parquet.schema_arrow.names
        ]
        schema = pa.schema([parquet.schema_arrow.field(name) for name in names], parquet.schema_arrow.metadata)
    if "answer" in names and not pa.types.is_string(schema.field("answer").type):
        raise ValueError("the answers are no texts")
    table = pa.Table.from_batches(list(parquet_batches(file, names)), pa.schema(list(schema)))
    table = table.replace_schema_metadata(schema.metadata)
    lists = table.column("vector").combine_chunks()
    widths = lists.value_lengths().drop_null().unique().to_pylist()
    if len(widths) != 1:
        raise ValueError("the vectors have different lengths" if widths else "there is no vector")
    (width,) = widths
    vectors = vectors_of(lists, width)
    answers = table.column("answer").to_pylist() if "answer" in table.column_names else None
    statuses = table.column("status").to_pylist() if "status" in table.column_names else []
    failed = frozenset(row for row, status in enumerate(statuses) if status == RowStatus.failed)
    origin = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    if answers is None or all(answer is None for answer in answers):
        return StoredVectors(vectors, failed=failed, origin=origin)
    confidences = None
    if "confidence" in table.column_names and table["confidence"].null_count < len(table):
        confidences = table["confidence"].to_numpy().astype(np.float32)
    return StoredVectors(vectors, answers, confidences, failed, origin)


VECTOR_FORMATS.register(".parquet", VectorFormat(_write_parquet, _read_parquet))
VECTOR_FORMATS.register(".npy", VectorFormat(_write_npy, _read_npy))
VECTOR_FORMATS.register(".safetensors", VectorFormat(_write_safetensors, _read_safetensors))
VECTOR_FORMATS.register(".jsonl", VectorFormat(_write_jsonl, None))
