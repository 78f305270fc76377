"""The labelled rows of all shards as one file, written shard by shard."""

from __future__ import annotations

import io
from itertools import chain
from typing import TYPE_CHECKING

from inbedder_cli.output.files import atomic_write
from inbedder_cli.output.formats import FORMATS, write_table
from inbedder_cli.shards.shard_embeddings import FINGERPRINT
from inbedder_cli.shards.shard_rows import read_bounded
from inbedder_cli.shards.sharding import MAX_ROWS, part_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import IO

    import pyarrow as pa

    from inbedder_cli.options import CsvStyle
    from inbedder_cli.shards.stores import Store

JOINED = ("csv", "tsv", "jsonl", "parquet")  # formats in which rows can be added to others


def format_by_suffix(path: Path) -> str | None:
    """Return the format that the name of a file tells; None where it tells none, as the name of a folder.

    :param path: of the file.
    """
    return next((name for name in FORMATS if path.suffix.lower() in FORMATS[name].suffixes), None)


def join_rows(rows: Store, shards: Iterable[int], path: Path, name: str, style: CsvStyle) -> None:
    """Write the rows of shards to one file.

    :param rows: the folder of the labelled rows (`label_rows`).
    :param shards: their numbers.
    :param path: the file.
    :param name: of one of the formats `JOINED`.
    :param style: how CSV is written.
    :raises InputError: for rows that cannot be read.
    :raises InbedderError: when the file cannot be written.
    """
    tables = (read_rows(rows, shard) for shard in shards)
    with atomic_write(path) as stream:
        if name == "parquet":
            _write_parquet(tables, stream)
            return
        header: bytes | None = None
        for table in tables:
            if header is None:
                header = _written(table.slice(0, 0), name, style)
                stream.write(header)
            stream.write(_written(table, name, style)[len(header) :])


def read_rows(rows: Store, shard: int, names: Sequence[str] = ()) -> pa.Table:
    """Return the labelled rows of a shard.

    :param rows: the folder of the labelled rows.
    :param shard: its number.
    :param names: of the columns to read; empty reads all.
    :raises InputError: for rows that cannot be read.
    """
    name = part_name("", shard)
    state = rows.state(name)
    table = read_bounded(rows, name, state.size if state else 0, names, range(MAX_ROWS))
    metadata = {key: value for key, value in (table.schema.metadata or {}).items() if key != FINGERPRINT.encode()}
    return table.replace_schema_metadata(metadata)


def _written(table: pa.Table, name: str, style: CsvStyle) -> bytes:
    stream = io.BytesIO()
    write_table(table, stream, name, style=style)
    return stream.getvalue()


def _write_parquet(tables: Iterator[pa.Table], stream: IO[bytes]) -> None:
    import pyarrow.parquet as pq

    first = next(tables)
    with pq.ParquetWriter(stream, first.schema, compression="zstd") as writer:
        for table in chain([first], tables):
            writer.write_table(table)
