"""Files that are not Parquet (CSV, JSON, Excel) -> Parquet files beside the plan, written once.

They cannot be read from the middle, as shards are. What columns they have is known when the last row was read, so
the rows wait in a temporary file until then.
"""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.jsonl import cell_value, has_json_cells
from inbedder_cli.corpus.layout import Layout
from inbedder_cli.corpus.limits import MAX_CELL
from inbedder_cli.corpus.locations import local_copy, shown_name
from inbedder_cli.corpus.opening import open_input
from inbedder_cli.corpus.readers import reader_of
from inbedder_cli.corpus.row_stream import joined
from inbedder_cli.corpus.values import value_as_text
from inbedder_cli.errors import InputError
from inbedder_cli.paths import explain_full_temp
from inbedder_cli.shards.sharding import INPUT, NEW_FOLDER, ChangedError, Origin, part_name
from inbedder_cli.shards.stores import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Self

    import pyarrow as pa

    from inbedder_cli.progress import Reporter
    from inbedder_cli.shards.sharding import Plan

GROUP_ROWS, GROUP_BYTES = 10_000, 2**26  # of a row group, in memory


@dataclass(frozen=True)
class Staging:
    """How files of text are read.

    :param layout: how they are laid out.
    :param input_format: name of the format; None detects it.
    :param max_cell: largest cell or line, in MB.
    """

    layout: Layout = field(default_factory=Layout)
    input_format: str | None = None
    max_cell: int = MAX_CELL

    def record(self) -> dict[str, Any]:
        """Return the settings that were given, for the plan."""
        values = asdict(self.layout)
        given = {name: values[name] for name in self.layout.given}
        own = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "layout"}
        defaults = {"input_format": None, "max_cell": MAX_CELL}
        return given | {name: value for name, value in own.items() if value != defaults[name]}


def is_parquet_file(place: Store) -> bool:
    """Return whether a file is Parquet, by its first bytes.

    :param place: the file.
    :raises InputError: when it cannot be read.
    """
    with place.open() as opened:
        if isinstance(opened, str):
            with Path(opened).open("rb") as stream:
                return stream.read(4) == b"PAR1"
        return bool(opened.read(4) == b"PAR1")


def stage(
    paths: Sequence[str], work: Store, old: Plan | None, staging: Staging, reporter: Reporter
) -> dict[str, tuple[Store, Origin]]:
    """Write files as Parquet beside the plan, and return where, by path; what an older plan wrote is kept.

    :param paths: of the files.
    :param work: the folder of the plan.
    :param old: the plan that is there; None if there is none.
    :param staging: how the files are read.
    :param reporter: receives what was noticed in them.
    :raises ChangedError: for a file that differs from that of the older plan.
    :raises InputError: for a file that cannot be read.
    """
    known = {} if old is None else {f.origin.sha256: f.path for f in old.files if f.origin}
    made = {}
    for number, path in enumerate(paths):
        with (
            explain_full_temp(),
            tempfile.TemporaryDirectory(prefix="inbedder-") as folder,
            local_copy(path) as local,
        ):
            origin = Origin(path, _sha256(local))
            name = known.get(origin.sha256)
            if old is not None and (name is None or old.layout != staging.record()):
                raise ChangedError(
                    "is not the input of the plan: it was added or changed, or is read with other options",
                    source=path,
                    hint=NEW_FOLDER,
                )
            if name is None or work.state(name) is None:
                name = name or part_name(INPUT, number)
                whole = Path(folder) / "staged.parquet"
                with explain_full_temp():
                    _write_rows(whole, local, shown_name(path), staging, reporter)
                work.write(name, whole)
            made[path] = Store(work.shown(name)), origin
    return made


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", source=str(path)) from error


def _write_rows(path: Path, local: Path, shown: str, staging: Staging, reporter: Reporter) -> None:
    """Write the rows of a file as Parquet, with texts as cells; a few thousand rows are in memory at a time."""
    with closing(open_input(str(local), staging.max_cell, shown)) as opened:
        reader, found = reader_of(opened, staging.layout, staging.input_format)
        rows = reader.stream(opened, staging.layout)
        with _Spool(path.with_suffix(".arrows")) as spool:
            for group in _grouped(rows.batches):
                spool.add(group)
            for note in [*found, *rows.notes()]:
                reporter.info(f"{shown}: {note}")
            _write(path, map(_as_texts, map(rows.finished, spool)))


def _grouped(batches: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield batches joined to groups of many rows, or of as many bytes as are to be in memory."""
    held: list[pa.Table] = []
    for batch in batches:
        held.append(batch)
        if sum(each.num_rows for each in held) >= GROUP_ROWS or sum(each.nbytes for each in held) >= GROUP_BYTES:
            yield joined(held)
            held = []
    if held:
        yield joined(held)


class _Spool:
    """Tables of different columns on disk, written once, then read in their order; each is an Arrow stream."""

    def __init__(self, path: Path) -> None:
        self.stream = path.open("w+b")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def add(self, table: pa.Table) -> None:
        import pyarrow as pa

        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_stream(self.stream, table.schema, options=options) as writer:
            writer.write_table(table)

    def __iter__(self) -> Iterator[pa.Table]:
        import pyarrow as pa

        end = self.stream.tell()
        self.stream.seek(0)
        while self.stream.tell() < end:
            with pa.ipc.open_stream(self.stream) as reader:
                yield reader.read_all()


def _as_texts(table: pa.Table) -> pa.Table:
    """Return the table with cells of JSON as texts: their type may differ from row to row."""
    import pyarrow as pa

    for place, column_field in enumerate(table.schema):
        if has_json_cells(column_field):
            values = [cell_value(cell) for cell in table.column(place).to_pylist()]
            cells = [None if value is None else value_as_text(value) for value in values]
            table = table.set_column(place, column_field.name, pa.array(cells, pa.string()))
    return table


def _write(path: Path, tables: Iterator[pa.Table]) -> None:
    import pyarrow.parquet as pq

    first = next(tables)
    with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
        for table in chain([first], tables):
            writer.write_table(table, GROUP_ROWS)
