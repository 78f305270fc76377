"""The rows of a shard, read from the row groups of its files, as a corpus."""

from __future__ import annotations

import hashlib
import string
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus import Corpus, corpus_from_table
from inbedder_cli.corpus.cell_paths import split_path
from inbedder_cli.corpus.jsonl import without_json_mark
from inbedder_cli.corpus.limits import unpacked_limit, unpacks_too_large
from inbedder_cli.corpus.locations import is_remote
from inbedder_cli.corpus.parquet import expanded_schema, expanded_size, string_leaves
from inbedder_cli.errors import InputError
from inbedder_cli.parquet_pages import unpacked_bytes
from inbedder_cli.shards.sharding import MAX_ROWS, ChangedError, place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    import pyarrow.parquet as pq

    from inbedder_cli.shards.sharding import Columns, Piece, Plan
    from inbedder_cli.shards.stores import Store

BATCH_ROWS = 1024
TAIL_BYTES = 8  # of a Parquet file: the length of the footer, and PAR1
MAX_FOOTER = 256_000_000


@dataclass(frozen=True)
class Footer:
    """What the footer of a Parquet file tells.

    :param rows: number of rows of each row group.
    :param size: of the file, in bytes.
    :param digest: SHA-256 of the footer.
    :param schema: names and types of the columns.
    """

    rows: tuple[int, ...]
    size: int
    digest: str
    schema: pa.Schema


def read_footer(place: Store) -> Footer:
    """Return the footer of a Parquet file.

    :param place: the file.
    :raises InputError: for a missing or damaged file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    state = place.state()
    if state is None:
        raise InputError("no such file", source=place.location, hint="was it moved or deleted? check the path")
    with place.open() as opened:
        source = pa.OSFile(opened) if isinstance(opened, str) else opened
        source.seek(max(0, state.size - TAIL_BYTES))
        tail = source.read(TAIL_BYTES)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != b"PAR1" or not 0 < length <= min(MAX_FOOTER, state.size - TAIL_BYTES):
            raise InputError("not a whole Parquet file", source=place.location, hint="write the file again")
        source.seek(state.size - TAIL_BYTES - length)
        footer = source.read(length)
        metadata = pq.read_metadata(pa.BufferReader(_small_file(footer)))
        groups = tuple(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))
        if any(n < 0 for n in groups) or sum(groups) > MAX_ROWS:
            raise InputError("its footer is damaged", source=place.location, hint="write the file again")
        return Footer(groups, state.size, hashlib.sha256(footer).hexdigest(), metadata.schema.to_arrow_schema())


def _small_file(footer: bytes) -> bytes:
    """Return a Parquet file without rows that has this footer."""
    return b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def text_columns_of(columns: Columns) -> list[str]:
    """Return the columns of the input that texts and ids are made of.

    :param columns: of the plan.
    """
    parsed = string.Formatter().parse(columns.text_template or "")
    paths = [*columns.text, *(name for _, name, _, _ in parsed if name), columns.id_column]
    roots = [
        path if path in columns.names else (split_path(path, columns.names) or [path])[0] for path in paths if path
    ]
    return list(dict.fromkeys(map(str, roots)))


def read_table(plan: Plan, work: Store, shard: int, names: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of a shard in their order.

    :param plan: the plan.
    :param work: its folder.
    :param shard: number of the shard.
    :param names: of the columns to read; None reads all.
    :raises ChangedError: for a file that is not what it was when the plan was made.
    :raises InputError: for rows that cannot be read.
    """
    import pyarrow as pa

    tables = []
    for piece in plan.pieces_of(shard):
        place = place_of(piece.file, work)
        tables.append(read_piece(piece, place, names or plan.columns.names))
        n_rows = piece.stop - piece.start
        if tables[-1].num_rows != n_rows:
            message = f"has {tables[-1].num_rows:,} of the {n_rows:,} rows that its footer lists"
            raise InputError(message, source=place.location, hint="write it again")
    return without_json_mark(pa.concat_tables(tables))


def read_piece(piece: Piece, place: Store, names: Sequence[str]) -> pa.Table:
    """Return some rows of a file.

    :param piece: which rows.
    :param place: where the file is.
    :param names: of the columns to read.
    :raises ChangedError: for a file that is not what it was when the plan was made.
    :raises InputError: for rows that cannot be read, or unpack to very much.
    """
    import pyarrow as pa

    check_unchanged(piece, place)
    try:
        return read_bounded(place, "", piece.file.size, names, range(piece.start, piece.stop))
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"cannot be read: {reason}", source=place.location, hint="write it again") from error


def read_bounded(store: Store, name: str, size: int, names: Sequence[str], rows: range) -> pa.Table:
    """Return rows of a Parquet file, of which a few bytes may stand for gigabytes.

    Texts are read as dictionaries, and expanded if that is not too much.

    :param store: the folder of the file.
    :param name: of the file.
    :param size: of the file, in bytes.
    :param names: of the columns to read; empty reads all.
    :param rows: the rows.
    :raises InputError: for rows that unpack to very much, and a column that is not there.
    :raises pa.ArrowException: for a damaged file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    batches, n_bytes, shown = [], 0, store.shown(name)
    with store.open(name) as opened:
        with pq.ParquetFile(opened) as file:
            schema, (strings, batch_rows) = file.schema_arrow, string_leaves(file)
            # Over a network, each of the many headers would be a request.
            if not is_remote(store.location) and unpacked_bytes(opened, file.metadata, rows) > unpacked_limit(
                size
            ):
                raise unpacks_too_large(shown, size)
        with pq.ParquetFile(opened, page_checksum_verification=True, read_dictionary=strings) as file:
            schema = expanded_schema(file.schema_arrow, schema)
            if absent := [each for each in names if each not in schema.names]:
                raise InputError("has not the column that the plan reads", source=shown, column=absent[0])
            if repeated := [each for each in schema.names if schema.get_field_index(each) < 0]:
                raise pa.ArrowInvalid(f'two columns are named "{repeated[0]}"')
            schema = pa.schema([schema.field(each) for each in names or schema.names])
            for read in _batches(file, rows, schema.names, min(batch_rows, BATCH_ROWS)):
                batch = read.select(schema.names)
                n_bytes += sum(expanded_size(column)[0] for column in batch.columns)
                if n_bytes > unpacked_limit(size):
                    raise unpacks_too_large(shown, size)
                columns = [c.cast(f.type) for c, f in zip(batch.columns, schema, strict=True)]
                batches.append(pa.record_batch(columns, schema=schema))
                batches[-1].validate(full=True)
    return pa.Table.from_batches(batches, schema)


def check_unchanged(piece: Piece, place: Store) -> None:
    """Check that a file is the one that was planned.

    :param piece: of the plan.
    :param place: where its file is.
    :raises ChangedError: for another one.
    """
    footer = read_footer(place)
    if (footer.size, footer.digest) != (piece.file.size, piece.file.digest):
        raise ChangedError(
            "has changed since the plan was made",
            source=place.location,
            hint="restore it, or plan again in a new folder: rows of two versions are never mixed",
        )


def _batches(file: pq.ParquetFile, rows: range, names: Sequence[str], n: int) -> Iterator[pa.RecordBatch]:
    """Yield rows; of a row group that begins before them, what is before is dropped."""
    first = 0
    for group in range(file.num_row_groups):
        last = first + file.metadata.row_group(group).num_rows
        if first < rows.stop and last > rows.start:
            at = first
            for batch in file.iter_batches(n, row_groups=[group], columns=list(names)):
                start, stop = max(0, rows.start - at), min(batch.num_rows, rows.stop - at)
                if start < stop:
                    yield batch.slice(start, stop - start)
                at += batch.num_rows
                if at >= rows.stop:
                    break
        first = last


def corpus_of(plan: Plan, table: pa.Table, first_row: int, source: str) -> Corpus:
    """Return rows of the input as a corpus; ids are row numbers of the whole input if no column has them.

    :param plan: the plan.
    :param table: the rows.
    :param first_row: number of the first of them, from 0.
    :param source: their name in messages.
    """
    columns = plan.columns
    chosen: dict[str, Any] = {"text_template": columns.text_template} if columns.text_template else {}
    corpus = corpus_from_table(
        table,
        source=source,
        text=None if columns.text_template else columns.text,
        id_column=columns.id_column,
        empty=columns.empty,
        allow_numbers=True,
        require_text=False,
        **chosen,
    )
    if columns.id_column is None:
        corpus = replace(corpus, ids=[str(first_row + i) for i in range(1, len(corpus) + 1)])
    return corpus
