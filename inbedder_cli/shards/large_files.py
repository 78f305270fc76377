"""What is known of a large file without holding it in memory: whether it has many rows, and how it is written."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import IO, TYPE_CHECKING

from inbedder_cli.corpus.opening import DAMAGED, open_input
from inbedder_cli.corpus.readers import reader_of
from inbedder_cli.errors import InbedderError
from inbedder_cli.options import CsvStyle
from inbedder_cli.shards.shard_rows import read_footer
from inbedder_cli.shards.staging import is_parquet_file
from inbedder_cli.shards.stores import Store

if TYPE_CHECKING:
    from inbedder_cli.shards.staging import Staging

IN_BATCHES = ("csv", "tsv", "jsonl", "lines")  # others are read whole, in parts or not
BLOCK_BYTES = 1 << 20


def has_more_rows(path: str, n: int, staging: Staging) -> bool:
    """Return whether a file has more rows than this.

    Parquet tells it in its footer. Of other files lines are counted, and rows only where there are more lines.

    :param path: a local file.
    :param n: the number of rows.
    :param staging: how the file is read.
    :return: False also for a file that cannot be read, or is read whole anyway, as a workbook is.
    """
    try:
        if is_parquet_file(Store(path)):
            return sum(read_footer(Store(path)).rows) > n
        with closing(open_input(path, staging.max_cell)) as opened:
            reader, _ = reader_of(opened, staging.layout, staging.input_format)
            if reader.name not in IN_BATCHES or not _has_more_lines(opened.stream, n):
                return False
            opened.stream.seek(0)
            n_rows = 0
            for batch in reader.stream(opened, staging.layout).batches:
                n_rows += batch.num_rows
                if n_rows > n:
                    return True
    except (InbedderError, *DAMAGED):  # who reads the file will tell
        pass
    return False


def _has_more_lines(stream: IO[bytes], n: int) -> bool:
    n_ends = 0
    while block := stream.read(BLOCK_BYTES):
        n_ends += block.count(b"\n") + block.count(b"\r")
        if n_ends > n:
            return True
    return False


def format_and_style(path: str, staging: Staging) -> tuple[str, CsvStyle]:
    """Return the name of a file's format, and the style in which its rows are written as CSV.

    :param path: a local file.
    :param staging: how the file is read.
    :raises InputError: for a file that cannot be read.
    """
    if is_parquet_file(Store(path)):
        return "parquet", CsvStyle()
    with closing(open_input(path, staging.max_cell)) as opened:
        reader, _ = reader_of(opened, staging.layout, staging.input_format)
        style = reader.stream(opened, staging.layout).style if reader.name in ("csv", "tsv") else None
        style = style or CsvStyle()
        return reader.name, replace(style, delimiter=",") if reader.name == "tsv" else style
