"""Write tables and documents: whole or not at all, to a file or to standard output."""

from __future__ import annotations

import csv
import json
import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from inbedder_cli.errors import InbedderError, UsageError
from inbedder_cli.options import TableFormat
from inbedder_cli.output.cells import rows_as_json, rows_as_text, typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

SUFFIXES = {
    ".csv": TableFormat.csv,
    ".tsv": TableFormat.tsv,
    ".json": TableFormat.json,
    ".jsonl": TableFormat.jsonl,
    ".ndjson": TableFormat.jsonl,
    ".md": TableFormat.markdown,
    ".parquet": TableFormat.parquet,
    ".pq": TableFormat.parquet,
}


def format_of(path: Path) -> TableFormat:
    """Return the format that a file's suffix asks for.

    :raises UsageError: for an unknown suffix.
    """
    try:
        return SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise UsageError(
            f'{path}: no format has the suffix "{path.suffix}"',
            hint=f"use one of {', '.join(SUFFIXES)}, or --format",
        ) from None


def check_target(path: Path | None, *, force: bool) -> None:
    """Refuse, before any work is done, a file that exists or that cannot be written.

    :raises UsageError: when the file exists and may not be replaced.
    :raises InbedderError: when its folder is missing or read-only.
    """
    if path is None:
        return
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="name a file in it")
    if path.is_file() and not force:
        raise UsageError(f"{path} exists already", hint="add --force to replace it, or choose another name")
    folder = path.parent
    if not folder.is_dir():
        raise InbedderError(
            f"cannot write {path}: there is no folder {folder}", hint=f"make it: mkdir -p {folder}"
        )
    if not os.access(folder, os.W_OK):
        raise InbedderError(f"cannot write {path}: the folder {folder} is not writable")


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Yield a stream whose bytes become `path` when all went well; otherwise nothing is left behind.

    :raises InbedderError: when writing fails, for example on a full disk.
    """
    temporary: Path | None = None
    try:
        if path.exists() and not path.is_file():  # /dev/null, a named pipe
            with path.open("wb") as stream:
                yield stream
            return
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as stream_to_be:
            temporary = Path(stream_to_be.name)
            yield stream_to_be
            stream_to_be.flush()
            os.fsync(stream_to_be.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise InbedderError(
            f"cannot write {path}: {error.strerror or error}", hint="nothing was written"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def standard_output() -> Iterator[IO[bytes]]:
    """Yield standard output as bytes.

    :raises InbedderError: when it cannot be written, for example on a full disk.
    :raises BrokenPipeError: when its reader has had enough.
    """
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InbedderError(f"cannot write to standard output: {error.strerror or error}") from error


@contextmanager
def open_output(path: Path | None) -> Iterator[IO[bytes]]:
    """Yield the stream of a file, written whole, or of standard output for None."""
    with whole_file(path) if path is not None else standard_output() as stream:
        yield stream


def write_table(table: pa.Table, stream: IO[bytes], wanted: TableFormat, *, delimiter: str | None = None) -> None:
    """Write a table as csv, tsv, jsonl, markdown or parquet.

    :param delimiter: of csv; None means a comma.
    """
    if wanted is TableFormat.parquet:
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(typed(table), sink, compression="zstd")
        stream.write(sink.getvalue())
    elif wanted is TableFormat.jsonl:
        for row in rows_as_json(table):
            stream.write(row.encode() + b"\n")
    elif wanted is TableFormat.markdown:
        stream.write(markdown_table(table.column_names, list(rows_as_text(table))).encode())
    else:
        cells = csv.writer(
            _PlainLines(stream),
            delimiter="\t" if wanted is TableFormat.tsv else delimiter or ",",
            lineterminator=_PlainLines.END,
        )
        cells.writerow(table.column_names)
        cells.writerows(rows_as_text(table))


class _PlainLines:
    r"""Takes csv's lines, ended by \r\n so that it quotes either in a cell, and writes them ended by \n."""

    END = "\r\n"

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream

    def write(self, line: str) -> None:
        """Write one line; halves of surrogate pairs, which UTF-8 does not have, are replaced."""
        self.stream.write(line.removesuffix(self.END).encode("utf-8", "replace") + b"\n")


def write_json(document: dict[str, Any], stream: IO[bytes]) -> None:
    """Write one JSON document."""
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    stream.write(text.encode("utf-8", "replace") + b"\n")


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table; pipes and line breaks in cells are escaped."""

    def line(cells: list[str]) -> str:
        safe = [c.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ") for c in cells]
        return "| " + " | ".join(" ".join(c.split()) for c in safe) + " |\n"

    return line(header) + "|" + " --- |" * len(header) + "\n" + "".join(map(line, rows))
