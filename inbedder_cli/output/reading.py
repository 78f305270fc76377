"""Read Parquet files of results that somebody else may have made, in small batches and with a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inbedder_cli.errors import InputError
from inbedder_cli.untrusted import check_regular

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

BATCH_ROWS = 64
MAX_RATIO = 5000  # of a table in memory to its file
SMALL_BYTES = 64_000_000  # tables that may have any ratio


def read_parquet(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield a Parquet file in small batches, for a few of its bytes may stand for gigabytes.

    :param path: the file.
    :param columns: their names, in the order of the batches.
    :yield: batches of rows.
    :raises InputError: when the rows take very much more memory than the file has bytes.
    :raises OSError: when it cannot be opened.
    """
    import pyarrow.parquet as pq

    size, most = 0, max(SMALL_BYTES, MAX_RATIO * check_regular(path, follow_links=True))
    with pq.ParquetFile(str(path), page_checksum_verification=True) as file:  # where it has any
        for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
            size += batch.nbytes
            if size > most:
                raise InputError(f"becomes more than {most / 1e6:,.0f} MB when it is read", source=str(path))
            yield batch.select(list(columns))
