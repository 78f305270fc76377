"""plan.json: what is encoded, how, and in which shards. It is checked as a whole before anything else is read.

A shard is a range of rows of the input, counted over all its files. The fingerprint of the plan is in every file
that is made by it, so that files of another input, model or question are never mixed with its own.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from functools import cached_property
from itertools import accumulate
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from inbedder_cli.corpus.layout import Reading
from inbedder_cli.corpus.locations import is_remote
from inbedder_cli.encoders.base import ModelRecord
from inbedder_cli.errors import InputError
from inbedder_cli.options import EmptyTexts, EncodeOptions
from inbedder_cli.runs.schema import SHA256, Count, Encoding, Instruction, Model, Reference
from inbedder_cli.shards.stores import Store

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

PLAN = "plan.json"
MAX_BYTES = 64_000_000  # of plan.json: 20,000 shards of as many files take 5
SHOWN = 300  # characters of a message about a damaged file
VECTORS, SAMPLE, FAILED, INPUT = "vectors", "sample", "failed", "input"  # folders beside plan.json
RUN, VOCABULARY = "run", "vocabulary.json"
HASH_BITS = 64
NEW_FOLDER = "choose a new folder: vectors of two plans are never mixed"
MAX_ROWS, MAX_SHARDS = 10**12, 10**6

VectorDtype = Literal["float16", "float32"]
Rows = Annotated[int, Meta(ge=1, le=MAX_ROWS)]


class ChangedError(InputError):
    """An input, or a file made by a plan, is not what it was: nothing may go on."""


class Origin(Struct, frozen=True):
    """A CSV, JSON or other file that was written as Parquet to be read in parts."""

    path: Reference
    sha256: SHA256


class InputFile(Struct, frozen=True):
    """A Parquet file of the input.

    :param path: absolute path or URL; relative to the folder of the plan where the file was made for it.
    :param rows: number of its rows.
    :param size: in bytes.
    :param digest: SHA-256 of its footer, which holds the sizes and statistics of all columns.
    :param origin: the file of another format that it was made of; None for a file of the user's own.
    """

    path: Reference
    rows: Rows
    size: Count
    digest: SHA256
    origin: Origin | None = None

    def __post_init__(self) -> None:
        if self.origin is not None and not is_remote(self.path):
            path = PurePosixPath(self.path)
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"{self.path} is not in the folder of the plan")


class Columns(Struct, frozen=True):
    """Which columns hold the texts and the ids; fields of `Reading`."""

    names: list[str]
    text: list[str]
    text_template: str | None
    id_column: str | None
    empty: EmptyTexts


class Piece(NamedTuple):
    """Some rows of one file.

    :param file: the file.
    :param start: the first of its rows, from 0.
    :param stop: the row after the last one.
    """

    file: InputFile
    start: int
    stop: int


class Plan(Struct, frozen=True, dict=True):
    """The contents of plan.json.

    :param schema: version of this format.
    :param source: the input as the user named it.
    :param instruction: the question.
    :param model: how the encoder is loaded; its dtype is the one that it computes in, never "auto".
    :param encoding: how texts are encoded.
    :param vector_dtype: dtype of the stored vectors.
    :param columns: which columns are read.
    :param layout: how files of text were read, as options of `read_corpus`; only people read it.
    :param sample_rows: about how many rows the clusters are made of.
    :param files: the input.
    :param starts: the first row of each shard, counted over all files.
    """

    schema: Literal[1]
    source: str
    instruction: Instruction
    model: Model
    encoding: Encoding
    vector_dtype: VectorDtype
    columns: Columns
    layout: dict[str, str | int | bool | None]
    sample_rows: Rows
    files: Annotated[list[InputFile], Meta(min_length=1)]
    starts: Annotated[list[Count], Meta(min_length=1)]

    def __post_init__(self) -> None:
        n_rows = sum(file.rows for file in self.files)
        rising = all(one < other for one, other in zip(self.starts, [*self.starts[1:], n_rows], strict=True))
        if self.starts[0] != 0 or not rising:
            raise ValueError("the shards are not the rows of the files")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that the vectors depend on; where the files are does not matter."""
        files = [(file.rows, file.size, file.digest) for file in self.files]
        own = [self.schema, self.instruction, self.model.identity, str(self.model.dtype), self.encoding]
        own += [self.vector_dtype, self.columns, self.sample_rows, files, self.starts]
        return hashlib.sha256(msgspec.json.encode(own)).hexdigest()

    @cached_property
    def n_rows(self) -> int:
        """Number of rows of all files."""
        return sum(file.rows for file in self.files)

    @property
    def shards(self) -> range:
        """The numbers of the shards."""
        return range(len(self.starts))

    @cached_property
    def _file_starts(self) -> list[int]:
        return [0, *accumulate(file.rows for file in self.files)]

    def rows_of(self, shard: int) -> range:
        """Return the rows of a shard, counted over all files from 0.

        :param shard: its number.
        """
        stop = self.starts[shard + 1] if shard + 1 < len(self.starts) else self.n_rows
        return range(self.starts[shard], stop)

    def pieces_of(self, shard: int) -> list[Piece]:
        """Return where the rows of a shard are.

        :param shard: its number.
        """
        rows, pieces = self.rows_of(shard), []
        place = bisect_right(self._file_starts, rows.start) - 1
        while place < len(self.files) and self._file_starts[place] < rows.stop:
            first = self._file_starts[place]
            start, stop = max(rows.start - first, 0), min(rows.stop - first, self.files[place].rows)
            pieces.append(Piece(self.files[place], start, stop))
            place += 1
        return pieces

    @property
    def encode_options(self) -> EncodeOptions:
        """How the texts are encoded."""
        return EncodeOptions(**msgspec.structs.asdict(self.encoding))

    @property
    def model_record(self) -> ModelRecord:
        """How to load the encoder."""
        return ModelRecord(**(msgspec.structs.asdict(self.model) | {"dtype": str(self.model.dtype)}))

    @property
    def is_deterministic(self) -> bool:
        """Whether each text is encoded by itself, on one thread."""
        return self.encoding.batch_tokens == 1

    @property
    def reading(self) -> Reading:
        """How another file with the same columns is read."""
        names = self.columns
        return Reading(
            columns=tuple(names.names),
            text=() if names.text_template else tuple(names.text),
            text_template=names.text_template,
            id_column=names.id_column,
            empty=names.empty,
        )


def part_name(folder: str, shard: int) -> str:
    """Return the name of the file of a shard.

    :param folder: the folder that it is in; "" for none.
    :param shard: number of the shard.
    """
    name = f"part-{shard:05d}.parquet"
    return f"{folder}/{name}" if folder else name


def shard_of_name(name: str) -> int | None:
    """Return the number of the shard that a file is of; None for any other file.

    :param name: without folders.
    """
    number = name.removeprefix("part-").partition(".")[0]
    is_part = name.startswith("part-") and number.isascii() and number.isdigit()
    return int(number) if is_part else None


def in_sample(n_rows: int, sample_rows: int, row_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which rows are in the sample that the clusters are made of.

    A row is in it if a hash of its number says so: neither the shards nor their order matter, and a smaller
    sample is a part of a larger one.

    :param n_rows: rows in all.
    :param sample_rows: about how many of them are in the sample; all, if there are no more.
    :param row_ids: numbers of rows, from 0, int64, shape (n,).
    :return: bool, shape (n,).
    """
    import numpy as np

    if n_rows <= sample_rows:
        return np.ones(len(row_ids), np.bool_)
    x = row_ids.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)  # splitmix64
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x < np.uint64(sample_rows * 2**HASH_BITS // n_rows)


def write_plan(work: Store, plan: Plan) -> None:
    """Write plan.json.

    :param work: the folder of the plan.
    :param plan: the plan.
    :raises WriteError: when it cannot be written.
    """
    work.write(PLAN, msgspec.json.format(msgspec.json.encode(plan), indent=1))


def read_plan(work: Store) -> Plan:
    """Return the plan of a folder.

    :param work: the folder.
    :raises InputError: when there is none, or it is damaged.
    """
    plan = find_plan(work)
    if plan is None:
        hint = f'make one: inbedder shards plan FILES -i "..." -o {work.location}'
        raise InputError(f"no plan here ({PLAN} is missing)", source=work.location, hint=hint)
    return plan


def find_plan(work: Store) -> Plan | None:
    """Return the plan of a folder; None if there is none.

    :param work: the folder.
    :raises InputError: for one that is damaged.
    """
    content = work.read(PLAN, MAX_BYTES)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=Plan)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())[:SHOWN]
        raise InputError(
            f"not a plan: {said}", source=work.shown(PLAN), hint="plan again, in a new folder"
        ) from error


def place_of(file: InputFile, work: Store) -> Store:
    """Return where a file of the input is.

    :param file: the file.
    :param work: the folder of the plan.
    """
    if file.origin is None or is_remote(file.path):
        return Store(file.path)
    return Store(work.shown(file.path))
