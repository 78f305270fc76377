"""Files and pipes -> `Corpus`: a table with every column as it came, and the texts to read."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inbedder_cli.corpus.columns import fill_text_template, guess_text_column, join_texts, row_ids
from inbedder_cli.corpus.delimited import NEEDED, check_column_names, read_delimited
from inbedder_cli.corpus.jsonl import read_jsonl
from inbedder_cli.corpus.opening import DAMAGED, Opened, open_input
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import EmptyTexts, InputFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["Corpus", "corpus_from_table", "read_corpus"]


@dataclass(frozen=True)
class Corpus:
    """The rows read from a file or a pipe.

    :param source: what messages call it.
    :param table: every column as it came, in order (CSV cells are strings; JSON-lines cells are JSON texts).
    :param texts: one per row, stripped; "" where the row has no text.
    :param ids: one per row, for exemplars.
    :param text_columns: the columns the texts come from.
    :param format: the format it came in.
    :param delimiter: of a CSV or TSV file.
    :param keep_empty: whether empty texts are embedded too.
    :param notes: what the user should know about the reading (guesses, skipped lines).
    """

    source: str
    table: pa.Table
    texts: list[str]
    ids: list[str]
    text_columns: tuple[str, ...]
    format: InputFormat = InputFormat.csv
    delimiter: str | None = None
    keep_empty: bool = False
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def readable(self) -> list[int]:
        """Indices of the rows that are to be embedded."""
        return [i for i, text in enumerate(self.texts) if text or self.keep_empty]


def read_corpus(
    path: str,
    *,
    text: str | Sequence[str] = (),
    text_template: str | None = None,
    id_column: str | None = None,
    input_format: InputFormat | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    empty: EmptyTexts = EmptyTexts.skip,
    limit: int | None = None,
    sample: int | None = None,
    seed: int = 0,
) -> Corpus:
    """Read a CSV, TSV, JSON-lines or Parquet file (also .gz, .bz2, .zst), or standard input for "-".

    :param path: file, or "-".
    :param input_format: None goes by the suffix, else by the content.
    :param delimiter: one character; None guesses.
    :param encoding: of CSV, TSV and JSON lines; None means UTF-8.
    :param limit: read only the first rows.
    :param text: and the other parameters: see `corpus_from_table`.
    :raises InputError: for everything that cannot be read as asked, naming the place.
    :raises UsageError: for options that contradict each other.
    """
    if delimiter is not None and len(delimiter) != 1:
        raise UsageError(f'the delimiter "{delimiter}" is not one character', hint="for a tab: $'\\t'")
    notes: list[str] = []
    with closing(open_input(path, input_format)) as opened:
        table, used_delimiter = _read_table(opened, delimiter, encoding, limit, notes)
    corpus = corpus_from_table(
        table,
        source=opened.name,
        text=text,
        text_template=text_template,
        id_column=id_column,
        empty=empty,
        sample=sample,
        seed=seed,
    )
    notes.extend(corpus.notes)
    return replace(corpus, format=opened.format, delimiter=used_delimiter, notes=tuple(notes))


def corpus_from_table(
    table: pa.Table,
    *,
    source: str = "table",
    text: str | Sequence[str] = (),
    text_template: str | None = None,
    id_column: str | None = None,
    empty: EmptyTexts = EmptyTexts.skip,
    sample: int | None = None,
    seed: int = 0,
) -> Corpus:
    """Make a corpus of an Arrow table (from pandas: `pa.Table.from_pandas(frame, preserve_index=False)`).

    :param source: what messages call it.
    :param text: text columns; none guesses the one obvious column; several are joined by a line break.
    :param text_template: '{title}. {body}' instead of `text`.
    :param id_column: column of row ids; None takes row numbers from 1.
    :param empty: what to do with rows that have no text.
    :param sample: keep a random sample of so many rows, in their order.
    :param seed: of the sample.
    :raises InputError: for a missing, unclear, non-textual or wholly empty text column.
    :raises UsageError: for options that contradict each other.
    """
    if text and text_template:
        raise UsageError("give --text or --text-template, not both")
    text, empty = (text,) if isinstance(text, str) else tuple(text), EmptyTexts(empty)
    notes: list[str] = []
    rows: Sequence[int] = range(table.num_rows)
    if sample is not None and sample < table.num_rows:
        import numpy as np

        rows = sorted(np.random.default_rng(seed).choice(table.num_rows, sample, replace=False).tolist())
        table = table.take(rows)
        notes.append(f"a random sample of {sample:,} rows (seed {seed})")
    if text_template:
        texts, columns = fill_text_template(table, text_template, source)
    else:
        columns = text or (guess_text_column(table, source),)
        texts = join_texts(table, columns, source, rows)
        if not text:
            notes.append(f'text column "{columns[0]}" (guessed; --text to change)')
    _check_empty(texts, empty, source, columns, rows)
    return Corpus(
        source=source,
        table=table,
        texts=texts,
        ids=row_ids(table, id_column, source, rows),
        text_columns=columns,
        format=InputFormat.parquet,
        keep_empty=empty is EmptyTexts.keep,
        notes=tuple(notes),
    )


def _read_table(
    opened: Opened, delimiter: str | None, encoding: str | None, limit: int | None, notes: list[str]
) -> tuple[pa.Table, str | None]:
    if opened.format is InputFormat.parquet:
        return _read_parquet(opened, limit), None
    if opened.format is InputFormat.jsonl:
        return read_jsonl(opened, encoding=encoding, limit=limit), None
    table, used, blank = read_delimited(opened, delimiter=delimiter, encoding=encoding, limit=limit)
    usual = "\t" if opened.format is InputFormat.tsv else ","
    if delimiter is None and used != usual:
        shown = {"\t": "tab"}.get(used, f'"{used}"')
        notes.append(f"delimiter {shown} (guessed; --delimiter to change)")
    if blank:
        notes.append(f"{blank:,} blank lines skipped")
    return table, used


def _read_parquet(opened: Opened, limit: int | None) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not the Python stream: Arrow's reading threads can then hang or abort at exit (apache/arrow#50482).
        source = opened.path or pa.BufferReader(opened.stream.read())
        with pq.ParquetFile(source) as file:
            table = file.read() if limit is None else _first_rows(file, limit)
        table.validate(full=True)  # strings that are not UTF-8
    except (pa.ArrowException, *DAMAGED) as error:
        reason = (str(error) or "it is cut short").splitlines()[0]
        hint = "write it again, or export the table as CSV"
        raise InputError(f"not a readable Parquet file: {reason}", source=opened.name, hint=hint) from error
    check_column_names(table.column_names, opened.name)
    if not table.num_rows:
        raise InputError("has columns but no rows", source=opened.name, hint=NEEDED)
    return table


def _first_rows(file: pq.ParquetFile, limit: int) -> pa.Table:
    import pyarrow as pa

    batches, n = [], 0
    for batch in file.iter_batches(batch_size=max(1, min(limit, 65_536))):
        if n >= limit:
            break
        batches.append(batch)
        n += batch.num_rows
    return pa.Table.from_batches(batches, schema=file.schema_arrow).slice(0, limit)


def _check_empty(
    texts: list[str], empty: EmptyTexts, source: str, columns: tuple[str, ...], rows: Sequence[int]
) -> None:
    column = " + ".join(columns)
    if not any(texts):
        hint = "name another column with --text"
        raise InputError("all texts are empty", source=source, column=column, hint=hint)
    if empty is EmptyTexts.fail and "" in texts:
        row = rows[texts.index("")] + 1
        hint = "leave out --empty fail to skip such rows"
        raise InputError("the text is empty", source=source, row=row, column=column, hint=hint)
