"""Vectors on disk: .parquet (id, answer, confidence, vector), .npy, .safetensors; and JSON lines for pipes."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.results import Embeddings, RowStatus

if TYPE_CHECKING:
    import numpy.typing as npt

    from inbedder_cli.corpus import Corpus

SCHEMA = 1
TEXTS, INSTRUCTION, MODEL = "inbedder.texts_sha256", "inbedder.instruction", "inbedder.model"
SUFFIXES = (".parquet", ".npy", ".safetensors", ".jsonl")


def write_vectors(corpus: Corpus, embedding: Embeddings, stream: IO[bytes], suffix: str) -> None:
    """Write one vector per input row; rows without one are null, in .npy and .safetensors all-NaN.

    :param suffix: one of `SUFFIXES`.
    :raises UsageError: for another.
    """
    nothing = [None] * len(corpus)
    if suffix == ".npy":
        np.save(stream, embedding.vectors, allow_pickle=False)
    elif suffix == ".safetensors":
        from safetensors.numpy import save

        stream.write(save({"vectors": embedding.vectors}, metadata=_origin(corpus, embedding)))
    elif suffix == ".parquet":
        _write_parquet(corpus.ids, embedding, _origin(corpus, embedding), stream)
    elif suffix == ".jsonl":
        answers, known = embedding.answers or nothing, embedding.confidences
        confidences = nothing if known is None else [None if math.isnan(c) else c for c in known.tolist()]
        for row_id, answer, confidence, vector, status in zip(
            corpus.ids, answers, confidences, embedding.vectors, embedding.status, strict=True
        ):
            shown = [float(f"{x:.9g}") for x in vector.tolist()] if np.isfinite(vector).all() else None
            record = {
                "schema": SCHEMA,
                "id": row_id,
                "status": str(status),
                "answer": answer,
                "confidence": confidence and float(f"{confidence:.6g}"),
                "vector": shown,
            }
            stream.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
    else:
        raise UsageError(f'no vector format has the suffix "{suffix}"', hint=f"use one of {', '.join(SUFFIXES)}")


def _origin(corpus: Corpus, embedding: Embeddings) -> dict[str, str]:
    """Return what the file tells about itself, so that it cannot be taken for another's vectors."""
    return {
        "inbedder.schema": str(SCHEMA),
        TEXTS: texts_sha256(corpus),
        INSTRUCTION: embedding.instruction or "",
        MODEL: embedding.model or "",
    }


def texts_sha256(corpus: Corpus) -> str:
    """Return what tells these texts, in this order, from others."""
    return hashlib.sha256("\0".join(corpus.texts).encode()).hexdigest()


def _write_parquet(ids: list[str], embedding: Embeddings, origin: dict[str, str], stream: IO[bytes]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    vectors, nothing = embedding.vectors, [None] * len(ids)
    missing = ~np.isfinite(vectors).all(axis=1)
    column = pa.FixedSizeListArray.from_arrays(
        pa.array(vectors.ravel()), vectors.shape[1], mask=pa.array(missing) if missing.any() else None
    )
    table = pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "answer": pa.array(embedding.answers or nothing, pa.string()),
            "confidence": pa.array(
                nothing if embedding.confidences is None else embedding.confidences, pa.float32(), from_pandas=True
            ),
            "vector": column,
        }
    )
    table = table.replace_schema_metadata(origin)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    stream.write(sink.getvalue())


def read_vectors(path: str, corpus: Corpus) -> Embeddings:
    """Read vectors made by `write_vectors`, one per row of the corpus.

    .parquet and .safetensors also tell which texts they were made of, and under which question; .npy does not.

    :raises InputError: for other texts, another number of rows, non-finite numbers on rows with text, or
        another format.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(
            "no such file", source=path, hint="make it: inbedder embed FILE -i QUESTION -o vectors.parquet"
        )
    answers: list[str | None] | None = None
    confidences: npt.NDArray[np.float32] | None = None
    origin: dict[str, str] = {}
    try:
        match file.suffix.lower():
            case ".npy":
                vectors = _read_npy(file)
            case ".safetensors":
                from safetensors import safe_open

                with safe_open(file, framework="numpy") as tensors:
                    vectors, origin = tensors.get_tensor("vectors"), tensors.metadata() or {}
            case ".parquet":
                vectors, answers, confidences, origin = _read_parquet(file)
            case suffix:
                raise InputError(
                    f'no vector format has the suffix "{suffix}"',
                    source=path,
                    hint="use .parquet, .npy or .safetensors",
                )
    except InputError:
        raise
    except Exception as error:  # each library has its own way to say that a file is broken
        raise InputError(f"cannot be read as vectors: {error}", source=path) from error
    if vectors.ndim != 2 or not np.issubdtype(vectors.dtype, np.floating):
        raise InputError(f"holds {vectors.dtype} of shape {vectors.shape}, not rows of numbers", source=path)
    if len(vectors) == len(corpus) and origin.get(TEXTS, told := texts_sha256(corpus)) != told:
        raise InputError(
            f"was made from other texts, or another order of them, than {corpus.source}",
            source=path,
            hint="embed the same file again, with the same --text, --limit and --sample",
        )
    embedding = _fitted(np.asarray(vectors, np.float32), answers, corpus, path)
    return replace(
        embedding, confidences=confidences, instruction=origin.get(INSTRUCTION), model=origin.get(MODEL)
    )


def _read_npy(file: Path) -> npt.NDArray[np.float32]:
    with file.open("rb") as stream:  # np.load by itself would take an archive of arrays, too
        return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


def _read_parquet(
    file: Path,
) -> tuple[npt.NDArray[np.float32], list[str | None] | None, npt.NDArray[np.float32] | None, dict[str, str]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(str(file)) as parquet:
        table = parquet.read()
    lists = table.column("vector").combine_chunks()
    there = lists.is_valid().to_numpy(zero_copy_only=False)
    widths = lists.value_lengths().drop_null().unique().to_pylist()
    if len(widths) != 1:
        raise ValueError("the vectors have different lengths" if widths else "there is no vector")
    (width,) = widths
    vectors = np.full((len(lists), width), np.nan, np.float32)
    vectors[there] = lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)  # flatten leaves out nulls
    answers = table.column("answer").to_pylist() if "answer" in table.column_names else None
    origin = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    if answers is None or all(a is None for a in answers):
        return vectors, None, None, origin
    confidences = None
    if "confidence" in table.column_names and table["confidence"].null_count < len(table):
        confidences = table["confidence"].to_numpy().astype(np.float32)
    return vectors, answers, confidences, origin


def _fitted(
    vectors: npt.NDArray[np.float32], answers: list[str | None] | None, corpus: Corpus, path: str
) -> Embeddings:
    if len(vectors) != len(corpus):
        raise InputError(
            f"{len(vectors):,} vectors for {len(corpus):,} rows of {corpus.source}",
            source=path,
            hint="embed the same file, with the same --limit and --sample",
        )
    finite = np.atleast_1d(np.isfinite(vectors).all(axis=1))
    readable = set(corpus.readable)
    status = [RowStatus.ok if finite[i] else RowStatus.empty for i in range(len(corpus))]
    for row in readable:
        if not finite[row]:
            raise InputError(
                "not a finite vector, but the row has a text",
                source=path,
                row=row + 1,
                hint="embed the file again",
            )
    for row in range(len(corpus)):
        if row not in readable:
            status[row] = RowStatus.empty
    return Embeddings(vectors, answers, status)
