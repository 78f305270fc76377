"""The files that a shard's embeddings are written to and read from.

    vectors/part-00017.parquet   row_id, status, answer, confidence, next words, vector, for all rows of the shard
    sample/part-00017.parquet    the same with id and text, for the rows of which clusters are made

The footer of the first holds the fingerprint of the plan and a hash of the texts. It is written last: where it is
valid, the shard is done.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from inbedder_cli.embeddings import Embeddings, RowStatus
from inbedder_cli.encoders.next_words import NextWords, next_words
from inbedder_cli.errors import InputError
from inbedder_cli.output.vectors import texts_sha256, vector_column, vectors_of
from inbedder_cli.shards.shard_rows import read_bounded
from inbedder_cli.shards.sharding import MAX_ROWS, SAMPLE, VECTORS, ChangedError, in_sample, part_name

if TYPE_CHECKING:
    import pyarrow as pa

    from inbedder_cli.corpus import Corpus
    from inbedder_cli.shards.sharding import Plan
    from inbedder_cli.shards.stores import Store

FINGERPRINT, TEXTS, TRUNCATED = "inbedder.fingerprint", "inbedder.texts_sha256", "inbedder.n_truncated"
AGAIN = "delete it and run the shard again"
LEAVES = {name: f"{name}.list.element" for name in ("next_words", "next_probs")}
DIGITS = 6  # of probabilities
MAX_DIGITS = 16  # of a number in the footer
TYPES = {"row_id": "int64", "status": "string", "answer": "string", "confidence": "float", "vector": "vector"}
TYPES |= {"next_words": "list string", "next_probs": "list float"}
WHOLE = ("row_id", "status", "text", "id")  # columns without missing values


def rounded(embeddings: Embeddings, plan: Plan) -> Embeddings:
    """Return embeddings as they are stored: a row whose numbers are too large for the dtype has failed.

    :param embeddings: as they were encoded.
    :param plan: the plan.
    """
    with np.errstate(over="ignore"):
        vectors = embeddings.vectors.astype(plan.vector_dtype).astype(np.float32)
    finite = np.isfinite(vectors).all(axis=1)
    pairs = zip(embeddings.status, np.atleast_1d(finite).tolist(), strict=True)
    status = [RowStatus.failed if one is RowStatus.ok and not whole else one for one, whole in pairs]
    return replace(embeddings, vectors=vectors, status=status)


def write_embeddings(work: Store, plan: Plan, shard: int, corpus: Corpus, embeddings: Embeddings) -> None:
    """Write the two files of a shard, that of its vectors last.

    :param work: the folder of the plan.
    :param plan: the plan.
    :param shard: number of the shard.
    :param corpus: its rows.
    :param embeddings: their embeddings (`rounded`).
    :raises WriteError: when a file cannot be written.
    """
    import pyarrow as pa

    rows = plan.rows_of(shard)
    table = _table(embeddings, rows, plan)
    chosen = np.flatnonzero(in_sample(plan.n_rows, plan.sample_rows, np.arange(rows.start, rows.stop))).tolist()
    sample = table.take(pa.array(chosen, pa.int64()))
    for name, values in (("text", corpus.texts), ("id", corpus.ids)):
        sample = sample.add_column(1, name, pa.array([values[place] for place in chosen], pa.string()))
    work.write(part_name(SAMPLE, shard), file_of(sample, {FINGERPRINT: plan.fingerprint}, has_vectors=True))
    work.write(
        part_name(VECTORS, shard),
        file_of(
            table,
            {
                FINGERPRINT: plan.fingerprint,
                TEXTS: texts_sha256(corpus),
                TRUNCATED: str(embeddings.n_truncated),
            },
            has_vectors=True,
        ),
    )


def file_of(table: pa.Table, metadata: dict[str, str], *, has_vectors: bool = False) -> pa.Buffer:
    """Return a Parquet file: the same bytes for the same table.

    :param table: its rows.
    :param metadata: what its footer holds.
    :param has_vectors: whether it is of `write_embeddings`: its vectors, which do not shrink, are not compressed.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    schema = table.schema.with_metadata((table.schema.metadata or {}) | metadata)
    whole = pa.Table.from_arrays(table.columns, schema=schema)
    others = [LEAVES.get(name, name) for name in table.column_names if name != "vector"]
    options = {"compression": dict.fromkeys(others, "zstd"), "use_dictionary": others} if has_vectors else {}
    pq.write_table(whole, sink, **{"compression": "zstd", "write_page_checksum": True} | options)
    return sink.getvalue()


def metadata_of(store: Store, name: str) -> dict[str, str] | None:
    """Return what the footer of a Parquet file holds; None where there is no whole file.

    :param store: the folder.
    :param name: of the file.
    :raises InbedderError: when the store does not answer.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if store.state(name) is None:
        return None
    try:
        with store.open(name) as opened, pq.ParquetFile(opened) as file:
            found = file.metadata.metadata or {}
    except (InputError, pa.ArrowException, OSError):
        return None
    return {key.decode(errors="replace"): value.decode(errors="replace") for key, value in found.items()}


def is_done(work: Store, plan: Plan, shard: int) -> bool:
    """Return whether the vectors of a shard are there.

    :param work: the folder of the plan.
    :param plan: the plan.
    :param shard: number of the shard.
    :raises ChangedError: when they were made by another plan.
    """
    name = part_name(VECTORS, shard)
    metadata = metadata_of(work, name)
    if metadata is None:
        return False
    if metadata.get(FINGERPRINT) != plan.fingerprint:
        hint = "choose a new folder for the new plan, or delete the vectors of the old one"
        raise ChangedError("was made by another plan", source=work.shown(name), hint=hint)
    return True


def read_embeddings(work: Store, plan: Plan, shard: int, corpus: Corpus) -> Embeddings:
    """Return the embeddings of a shard.

    :param work: the folder of the plan.
    :param plan: the plan.
    :param shard: number of the shard.
    :param corpus: its rows.
    :raises ChangedError: when they were made by another plan, or of other texts.
    :raises InputError: for a missing or damaged file.
    """
    name = part_name(VECTORS, shard)
    table, metadata = read_part(work, plan, name)
    if metadata.get(TEXTS) != texts_sha256(corpus):
        raise ChangedError("belongs to other texts than the input has now", source=work.shown(name), hint=AGAIN)
    if table.column("row_id").to_pylist() != list(plan.rows_of(shard)):
        raise InputError("has other rows than its shard", source=work.shown(name), hint=AGAIN)
    said = metadata.get(TRUNCATED, "")
    n_truncated = int(said) if said.isdecimal() and len(said) < MAX_DIGITS else 0
    return replace(embeddings_of(table, plan, work.shown(name)), n_truncated=n_truncated)


def read_part(work: Store, plan: Plan, name: str) -> tuple[pa.Table, dict[str, str]]:
    """Return the rows of a file of the plan, and what its footer holds.

    :param work: the folder of the plan.
    :param plan: the plan.
    :param name: of the file.
    :raises ChangedError: when it was made by another plan.
    :raises InputError: for a missing or damaged file, one with other columns, and one that unpacks to very much.
    """
    metadata = metadata_of(work, name)
    if metadata is None:
        raise InputError(
            "is missing or not whole", source=work.shown(name), hint="run the shard: inbedder shards run"
        )
    if metadata.get(FINGERPRINT) != plan.fingerprint:
        raise ChangedError("was made by another plan", source=work.shown(name), hint=AGAIN)
    state = work.state(name)
    try:
        table = read_bounded(work, name, state.size if state else 0, (), range(MAX_ROWS))
    except InputError as error:
        raise InputError(str(error), hint=error.hint or AGAIN) from error
    if odd := _odd_column(table, plan, is_sample=name.startswith(SAMPLE)):
        raise InputError("is not as shards are written", source=work.shown(name), column=odd, hint=AGAIN)
    return table, metadata


def _odd_column(table: pa.Table, plan: Plan, *, is_sample: bool) -> str | None:
    """Return the first column that is missing, or of another type, or lacks values; None if all are right."""
    import pyarrow as pa
    import pyarrow.types as types

    expected = TYPES | ({"id": "string", "text": "string"} if is_sample else {})
    if len(table.column_names) != len(expected):
        return next((str(name) for name in table.column_names if name and name not in expected), "row_id")
    for name, wanted in expected.items():
        if name not in table.column_names:
            return name
        column, found = table.column(name), table.schema.field(name).type
        if types.is_list(found):
            is_right = wanted == f"list {found.value_type}"
        elif types.is_fixed_size_list(found):
            value = pa.from_numpy_dtype(plan.vector_dtype)
            is_right = wanted == "vector" and found.value_type == value and found.list_size > 0
        else:
            is_right = wanted == str(found)
        if not is_right or (name in WHOLE and column.null_count):
            return name
    return None


def embeddings_of(table: pa.Table, plan: Plan, source: str) -> Embeddings:
    """Return the rows of a file of vectors as embeddings.

    :param table: the rows.
    :param plan: the plan.
    :param source: the file, in messages.
    :raises InputError: for an unknown status, words that do not fit, and a row without a finite vector or answer.
    """
    try:
        status = [RowStatus(status) for status in table.column("status").to_pylist()]
        words = _next_words(table) if plan.encoding.answers else None
    except ValueError as error:
        raise InputError(f"is damaged: {error}", source=source, hint=AGAIN) from error
    lists = table.column("vector").combine_chunks()
    vectors = vectors_of(lists, lists.type.list_size)
    answers = table.column("answer").to_pylist() if plan.encoding.answers else None
    is_read = np.array([one is RowStatus.ok for one in status], np.bool_)
    is_answered = answers is None or not any(answers[i] is None for i in np.flatnonzero(is_read))
    if not is_answered or not np.isfinite(vectors[is_read]).all():
        raise InputError("a row has no finite vector, or no answer", source=source, hint=AGAIN)
    return Embeddings(
        vectors=vectors,
        answers=answers,
        status=status,
        instruction=plan.instruction,
        model=plan.model.description,
        confidences=None if answers is None else table.column("confidence").to_numpy().astype(np.float32),
        next_words=words,
        record=plan.model_record,
        options=plan.encode_options,
    )


def _next_words(table: pa.Table) -> NextWords:
    """Return the likely next words of each row.

    :raises ValueError: for missing words, and for other than one finite probability for each.
    """
    import pyarrow.compute as pc

    words, probs = table.column("next_words"), table.column("next_probs")
    if pc.list_flatten(words).null_count or not np.isfinite(pc.list_flatten(probs).to_numpy()).all():
        raise ValueError("a word or its probability is missing")
    pairs = zip(words.to_pylist(), probs.to_pylist(), strict=True)
    return next_words(list(zip(names or (), each or (), strict=True)) for names, each in pairs)


def _table(embeddings: Embeddings, rows: range, plan: Plan) -> pa.Table:
    import pyarrow as pa

    n, vectors = len(embeddings.status), embeddings.vectors.astype(plan.vector_dtype)
    confidences = [None] * n if embeddings.confidences is None else embeddings.confidences
    words, probs = _word_lists(embeddings.next_words, n)
    return pa.table(
        {
            "row_id": pa.array(range(rows.start, rows.stop), pa.int64()),
            "status": pa.array(list(map(str, embeddings.status)), pa.string()),
            "answer": pa.array(embeddings.answers or [None] * n, pa.string()),
            "confidence": pa.array(confidences, pa.float32(), from_pandas=True),
            "next_words": pa.array(words, pa.list_(pa.string())),
            "next_probs": pa.array(probs, pa.list_(pa.float32())),
            "vector": vector_column(vectors),
        }
    )


def _word_lists(table: NextWords | None, n: int) -> tuple[list[list[str]], list[list[float]]]:
    """Return the likely next words of each row, and their probabilities."""
    if table is None:
        return [[]] * n, [[]] * n
    counts = (table.probabilities > 0).sum(axis=1).tolist()
    ids, probs = table.ids.tolist(), np.round(table.probabilities, DIGITS).tolist()
    words = [[table.words[i] for i in row[:m]] for row, m in zip(ids, counts, strict=True)]
    return words, [row[:m] for row, m in zip(probs, counts, strict=True)]
