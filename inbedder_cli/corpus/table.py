"""`Corpus`, the input of all steps, and its construction from an Arrow table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inbedder_cli.corpus.columns import (
    EMPTY_HINT,
    check_column_names,
    column_tuple,
    fill_text_template,
    join_texts,
    row_ids,
)
from inbedder_cli.corpus.mojibake import note_of_mojibake
from inbedder_cli.corpus.text_guess import guess_text_column
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import EmptyTexts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import pyarrow as pa

    from inbedder_cli.corpus.layout import Reading
    from inbedder_cli.corpus.read_table import BadRow
    from inbedder_cli.options import CsvStyle


@dataclass(frozen=True, repr=False)
class Corpus:
    """Rows of an input, with one text each.

    :param source: name of the input in messages.
    :param table: all columns of the input, in order (CSV cells are strings; JSON-lines cells are JSON texts).
    :param texts: one per row, stripped; "" where the row has no text.
    :param ids: one per row, shown with exemplars.
    :param text_columns: the columns that the texts come from.
    :param format: the name of the format of the file; "parquet" for objects in memory.
    :param style: how a CSV or TSV file is written; None for other formats.
    :param keep_empty: whether rows without text are embedded too.
    :param notes: notes for the user about the input: detected columns, skipped lines, sampling.
    :param index: one label per row, if the rows come from a pandas object.
    :param reading: how the file was read, or of a frame, which columns; None for lists and series.
    :param bad_rows: rows of the file that were left out because they do not fit.
    """

    source: str
    table: pa.Table
    texts: list[str]
    ids: list[str]
    text_columns: tuple[str, ...]
    format: str = "csv"
    style: CsvStyle | None = None
    keep_empty: bool = False
    notes: tuple[str, ...] = ()
    index: pd.Index | None = field(default=None, compare=False)  # pandas compares element by element
    reading: Reading | None = None
    bad_rows: tuple[BadRow, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def __repr__(self) -> str:
        columns = ", ".join(self.text_columns)
        return f"<Corpus {self.source}: {len(self):,} rows, {len(self.readable):,} with text in {columns}>"

    @property
    def delimiter(self) -> str | None:
        """Delimiter of a CSV or TSV file."""
        return self.style.delimiter if self.style else None

    @property
    def readable(self) -> list[int]:
        """Row numbers, from 0, of the rows to embed."""
        return [i for i, text in enumerate(self.texts) if text or self.keep_empty]


def corpus_from_table(
    table: pa.Table,
    *,
    source: str = "table",
    text: str | Sequence[str] | None = None,
    text_template: str | None = None,
    id_column: str | None = None,
    empty: EmptyTexts | str = EmptyTexts.skip,
    sample: int | None = None,
    seed: int = 0,
    index: pd.Index | None = None,
    allow_numbers: bool = False,
    require_text: bool = True,
) -> Corpus:
    """Return the corpus of an Arrow table.

    :param table: the rows, at least one.
    :param source: name of the table in messages.
    :param text: text column or columns, joined by a line break; None guesses the one obvious column.
    :param text_template: pattern such as '{title}. {body}', instead of `text`.
    :param id_column: column of row ids; None takes the labels of `index`, or row numbers from 1.
    :param empty: what to do with rows that have no text: skip, keep or fail.
    :param sample: size of a random sample of the rows, kept in their order; None keeps all rows.
    :param seed: seed of the sample.
    :param index: one label per row; it is sampled with the rows.
    :param allow_numbers: whether the texts may all be numbers or dates, such as "007"; otherwise such a column
        is an error, because it was probably named by mistake.
    :param require_text: whether at least one row must have a text.
    :return: the corpus.
    :raises InputError: for a missing, ambiguous, non-textual or wholly empty text column.
    :raises UsageError: for options that contradict each other.
    """
    columns, empty = column_tuple(text), EmptyTexts(empty)
    if columns and text_template:
        raise UsageError("give --text or --text-template, not both")
    check_column_names(table.column_names, source)
    if not table.num_rows:
        raise InputError("has columns but no rows", source=source, hint=EMPTY_HINT)
    notes: list[str] = []
    rows: Sequence[int] = range(table.num_rows)
    if sample is not None and sample < table.num_rows:
        import numpy as np

        rows = sorted(np.random.default_rng(seed).choice(table.num_rows, sample, replace=False).tolist())
        table = table.take(rows)
        index = None if index is None else index[rows]
        notes.append(f"a random sample of {sample:,} rows (seed {seed})")
    if text_template:
        texts, columns = fill_text_template(table, text_template, source)
    else:
        if not columns:
            columns = (guess_text_column(table, source),)
            notes.append(f'text column "{columns[0]}" (guessed; --text to change)')
        texts = join_texts(table, columns, source, rows, allow_numbers=allow_numbers, notes=notes)
    notes.extend(note_of_mojibake(texts))
    if require_text or empty is EmptyTexts.fail:
        _check_empty(texts, empty, source, columns, rows)
    return Corpus(
        source=source,
        table=table,
        texts=texts,
        ids=_ids(table, id_column, source, rows, index),
        text_columns=columns,
        format="parquet",
        keep_empty=empty is EmptyTexts.keep,
        notes=tuple(notes),
        index=index,
    )


def _ids(
    table: pa.Table, id_column: str | None, source: str, rows: Sequence[int], index: pd.Index | None
) -> list[str]:
    if id_column is None and index is not None:
        return [str(label) for label in index]
    return row_ids(table, id_column, source, rows)


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
