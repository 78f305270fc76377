"""The rows that were left out of an input, as a table: where they are, why, and what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inbedder_cli.options import CsvStyle
from inbedder_cli.output.files import atomic_write
from inbedder_cli.output.formats import format_of, write_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from inbedder_cli.corpus.read_table import BadRow


def write_bad_rows(bad_rows: Sequence[BadRow], path: Path) -> None:
    """Write rows that were left out, one line each; without any, a file of a header alone.

    :param bad_rows: these rows.
    :param path: the file; its suffix chooses the format.
    """
    import pyarrow as pa

    kinds = {"line": pa.int64(), "reason": pa.string(), "content": pa.string()}
    columns = zip(*bad_rows, strict=True) if bad_rows else ((), (), ())
    arrays = [pa.array(values, kind) for values, kind in zip(columns, kinds.values(), strict=True)]
    with atomic_write(path) as stream:
        style = CsvStyle(escapes_formulas=True)  # a line that did not fit may be anything
        write_table(pa.table(arrays, names=list(kinds)), stream, format_of(path), style=style)
