"""Make a plan: list the files, read their footers, choose the columns, and cut the rows into shards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from inbedder_cli.corpus import corpus_from_table
from inbedder_cli.corpus.columns import check_column_names
from inbedder_cli.corpus.locations import expand_pattern, is_remote, shown_name
from inbedder_cli.corpus.several_files import check_same_columns
from inbedder_cli.diagnostics.languages import warn_of_languages
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import EmptyTexts
from inbedder_cli.progress import SILENT
from inbedder_cli.runs.schema import Encoding, Model
from inbedder_cli.shards.shard_rows import Footer, read_footer, read_piece
from inbedder_cli.shards.sharding import (
    MAX_SHARDS,
    NEW_FOLDER,
    Columns,
    InputFile,
    Piece,
    Plan,
    find_plan,
    place_of,
    write_plan,
)
from inbedder_cli.shards.staging import Staging, is_parquet_file, stage
from inbedder_cli.shards.stores import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from inbedder_cli.encoders import Encoder
    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.progress import Reporter
    from inbedder_cli.shards.sharding import VectorDtype

HEAD_ROWS = 1000  # of the first file, by which the text column is guessed
THREADS = 16  # that read footers
ROWS_PER_SHARD = 50_000
SAMPLE_ROWS = 100_000


@dataclass(frozen=True)
class PlanOptions:
    """What a plan is made of, beside the input and the model.

    :param rows_per_shard: largest number of rows of a shard.
    :param sample_rows: about how many rows the clusters are made of.
    :param vector_dtype: dtype of the stored vectors.
    :param text: text column or columns; empty guesses the one obvious column.
    :param text_template: pattern of texts, instead of columns.
    :param id_column: column of row ids; None takes row numbers.
    :param empty: what to do with rows without text.
    :param staging: how files that are not Parquet are read.
    """

    rows_per_shard: int = ROWS_PER_SHARD
    sample_rows: int = SAMPLE_ROWS
    vector_dtype: VectorDtype = "float16"
    text: tuple[str, ...] = ()
    text_template: str | None = None
    id_column: str | None = None
    empty: EmptyTexts = EmptyTexts.skip
    staging: Staging = field(default_factory=Staging)


def make_plan(
    source: str,
    instruction: str,
    encoder: Encoder,
    encode_options: EncodeOptions,
    work: Store,
    options: PlanOptions | None = None,
    reporter: Reporter = SILENT,
) -> Plan:
    """Plan an input, and write plan.json; the same plan again leaves everything as it is.

    Files that are not Parquet are read once, and written as Parquet beside the plan.

    :param source: a file, a folder, or a pattern such as reviews/*.parquet; local or a URL.
    :param instruction: the question.
    :param encoder: the encoder, loaded by name; its weights are not needed.
    :param encode_options: how texts are encoded.
    :param work: the folder of the plan.
    :param options: shards, columns and formats.
    :param reporter: receives messages.
    :return: the plan.
    :raises UsageError: when the folder has a plan of other settings.
    :raises ChangedError: when it has a plan of another input.
    :raises InputError: for files that cannot be read, or have different columns.
    """
    options = options or PlanOptions()
    if encoder.record is None:
        raise UsageError("shards need an encoder that is loaded by name", hint="use a model that can be named")
    record = replace(encoder.record, dtype=encoder.dtype)
    old = find_plan(work)
    paths = [path if is_remote(path) else str(Path(path).resolve()) for path in expand_pattern(source)]
    files, footers = _inputs(paths, work, old, options.staging, reporter)
    schema = _common_schema(files, footers)
    head = _head(files[0], work)
    columns = _columns(head, schema, source, options, instruction, encoder, reporter)
    plan = Plan(
        schema=1,
        source=shown_name(source),
        instruction=instruction,
        model=msgspec.convert(msgspec.to_builtins(record), Model),
        encoding=msgspec.convert(msgspec.to_builtins(encode_options), Encoding),
        vector_dtype=options.vector_dtype,
        columns=columns,
        layout=options.staging.record(),
        sample_rows=options.sample_rows,
        files=files,
        starts=cut([n for footer in footers for n in footer.rows], options.rows_per_shard),
    )
    if old is not None and old.fingerprint != plan.fingerprint:
        raise _differs(old, plan, work)
    write_plan(work, plan)
    return plan


def cut(groups: Iterable[int], rows_per_shard: int) -> list[int]:
    """Return the first row of each shard: some whole row groups, or a part of a large one.

    >>> cut([40, 40, 40, 250], 100)
    [0, 80, 120, 203, 286]

    :param groups: rows of each row group, over all files.
    :param rows_per_shard: largest number of rows of a shard.
    :return: row numbers, from 0, ascending.
    :raises UsageError: for more than `MAX_SHARDS`.
    """
    groups = list(groups)
    if sum(groups) // rows_per_shard > MAX_SHARDS:
        message = f"{sum(groups):,} rows are more than {MAX_SHARDS:,} shards of {rows_per_shard:,}"
        raise UsageError(message, hint="raise --rows-per-shard")
    starts, first, held = [0], 0, 0
    for n in groups:
        if held and held + n > rows_per_shard:
            starts.append(first)
            held = 0
        n_parts = -(-n // rows_per_shard)
        starts += [first + n * part // n_parts for part in range(1, n_parts)]
        held = held + n if n_parts <= 1 else rows_per_shard  # what is cut is not joined to the next
        first += n
    return starts


def _inputs(
    paths: Sequence[str], work: Store, old: Plan | None, staging: Staging, reporter: Reporter
) -> tuple[list[InputFile], list[Footer]]:
    """Return the files of the plan and their footers; files without rows are left out."""
    staged = [path for path in paths if not is_parquet_file(Store(path))]
    made = {} if not staged else stage(staged, work, old, staging, reporter)
    places = [made[path][0] if path in made else Store(path) for path in paths]
    with ThreadPoolExecutor(THREADS) as pool:
        footers = list(pool.map(read_footer, places))
    files = []
    for path, footer in zip(paths, footers, strict=True):
        name, origin = (made[path][0].location, made[path][1]) if path in made else (path, None)
        if origin is not None:
            name = name.removeprefix(work.location.rstrip("/") + "/")
        if rows := sum(footer.rows):
            files.append(InputFile(name, rows, footer.size, footer.digest, origin))
    if not files:
        raise InputError("has columns but no rows", source=paths[0])
    return files, [footer for footer in footers if sum(footer.rows)]


def _common_schema(files: Sequence[InputFile], footers: Sequence[Footer]) -> pa.Schema:
    """Return the columns of all files.

    :raises InputError: for files of different columns.
    """
    schemas = [footer.schema.remove_metadata() for footer in footers]
    check_column_names(schemas[0].names, files[0].path)
    check_same_columns([file.path for file in files], schemas)
    return schemas[0]


def _head(file: InputFile, work: Store) -> pa.Table:
    return read_piece(Piece(file, 0, min(HEAD_ROWS, file.rows)), place_of(file, work), ())


def _columns(
    head: pa.Table,
    schema: pa.Schema,
    source: str,
    options: PlanOptions,
    instruction: str,
    encoder: Encoder,
    reporter: Reporter,
) -> Columns:
    """Return the columns, with those of the texts chosen by the first rows."""
    corpus = corpus_from_table(
        head,
        source=source,
        text=options.text or None,
        text_template=options.text_template,
        id_column=options.id_column,
        empty=options.empty,
        require_text=False,
    )
    for note in corpus.notes:
        reporter.info(f"{source}: {note}")
    warn_of_languages([text for text in corpus.texts if text], instruction, encoder, reporter)
    text = [] if options.text_template else list(corpus.text_columns)
    return Columns(schema.names, text, options.text_template, options.id_column, options.empty)


def _differs(old: Plan, new: Plan, work: Store) -> InputError | UsageError:
    """Return the error for a folder that has a plan of other settings, or of another input."""
    from inbedder_cli.shards.sharding import ChangedError

    own: dict[str, tuple[Any, Any]] = {
        "another question": (old.instruction, new.instruction),
        "another model": (old.model.identity, new.model.identity),
        "another dtype": (old.model.dtype, new.model.dtype),
        "other options of encoding": (old.encoding, new.encoding),
        "another dtype of vectors": (old.vector_dtype, new.vector_dtype),
        "other text or id columns": (old.columns, new.columns),
        "another sample": (old.sample_rows, new.sample_rows),
    }
    for what, (one, other) in own.items():
        if one != other:
            return UsageError(f"{work.location} was planned for {what}", hint=NEW_FOLDER)
    then, now = ([(f.rows, f.size, f.digest) for f in plan.files] for plan in (old, new))
    if then == now:
        return UsageError(f"{work.location} was planned for other shards", hint=NEW_FOLDER)
    known = set(then)
    changed = next((f.path for f, key in zip(new.files, now, strict=True) if key not in known), new.source)
    return ChangedError("is not the input of the plan: it was added or changed", source=changed, hint=NEW_FOLDER)
