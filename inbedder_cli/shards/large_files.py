"""What is known of files without holding them in memory: whether they have many rows, and how they are written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inbedder_cli.corpus.locations import Location, is_remote
from inbedder_cli.corpus.opening import DAMAGED
from inbedder_cli.corpus.readers import reader_of
from inbedder_cli.corpus.several_files import open_file
from inbedder_cli.errors import InbedderError
from inbedder_cli.options import CsvStyle
from inbedder_cli.shards.shard_rows import read_footer
from inbedder_cli.shards.staging import is_parquet_file
from inbedder_cli.shards.stores import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inbedder_cli.shards.staging import Staging

IN_BATCHES = ("csv", "tsv", "jsonl", "lines")  # others are read whole, in parts or not
BLOCK_BYTES = 1 << 20


def have_more_rows(paths: Sequence[str], n: int, staging: Staging) -> bool:
    """Return whether files have more rows than this in all.

    Parquet tells it in its footer. Of other files lines are counted, and rows only where there are more lines; a
    remote file is not fetched for that if it has fewer bytes.

    :param paths: of the files.
    :param n: the number of rows.
    :param staging: how the files are read.
    :return: False also for files that cannot be read, or are read whole anyway, as workbooks are.
    """
    return all(_adds_up(paths, n, count, staging) for count in (_count_lines, _count_rows))


def _adds_up(paths: Sequence[str], n: int, count: Callable[[str, int, Staging], int], staging: Staging) -> bool:
    """Return whether counts of files add up to more than this."""
    total = 0
    for path in paths:
        try:
            total += count(path, n - total, staging)
        except (InbedderError, *DAMAGED):  # who reads the file will tell
            return False
        if total > n:
            return True
    return False


def _count_lines(path: str, n: int, staging: Staging) -> int:
    """Return the number of line ends of a file, or a larger one than this; of Parquet that of rows."""
    if is_parquet_file(Store(path)):
        return sum(read_footer(Store(path)).rows)
    state = Location(path).state() if is_remote(path) else None
    if state is not None and state.size <= n:
        return state.size
    with open_file(path, staging.max_cell) as opened:
        reader, _ = reader_of(opened, staging.layout, staging.input_format)
        n_ends = 0
        while reader.name in IN_BATCHES and n_ends <= n and (block := opened.stream.read(BLOCK_BYTES)):
            n_ends += block.count(b"\n") + block.count(b"\r")
        return n_ends


def _count_rows(path: str, n: int, staging: Staging) -> int:
    """Return the number of rows of a file, or a larger one than this."""
    if is_parquet_file(Store(path)):
        return sum(read_footer(Store(path)).rows)
    with open_file(path, staging.max_cell) as opened:
        reader, _ = reader_of(opened, staging.layout, staging.input_format)
        n_rows = 0
        for batch in reader.stream(opened, staging.layout).batches if reader.name in IN_BATCHES else ():
            n_rows += batch.num_rows
            if n_rows > n:
                break
        return n_rows


def format_and_style(path: str, staging: Staging) -> tuple[str, CsvStyle]:
    """Return the name of a file's format, and the style in which its rows are written as CSV.

    :param path: of the file.
    :param staging: how the file is read.
    :raises InputError: for a file that cannot be read.
    """
    if is_parquet_file(Store(path)):
        return "parquet", CsvStyle()
    with open_file(path, staging.max_cell) as opened:
        reader, _ = reader_of(opened, staging.layout, staging.input_format)
        style = reader.stream(opened, staging.layout).style if reader.name in ("csv", "tsv") else None
        style = style or CsvStyle()
        return reader.name, replace(style, delimiter=",") if reader.name == "tsv" else style
