"""`read_corpus`: read files, pipes and objects in memory."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.delimited import read_delimited
from inbedder_cli.corpus.in_memory import corpus_from_object
from inbedder_cli.corpus.jsonl import read_jsonl
from inbedder_cli.corpus.limits import MAX_CELL
from inbedder_cli.corpus.opening import Opened, open_input
from inbedder_cli.corpus.parquet import read_parquet
from inbedder_cli.corpus.table import corpus_from_table
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import EmptyTexts, InputFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
    import pyarrow as pa

    from inbedder_cli.corpus.table import Corpus


def read_corpus(
    source: (
        str | os.PathLike[str] | pd.DataFrame | pd.Series | np.ndarray[Any, Any] | pa.Table | Sequence[str | None]
    ),
    *,
    text: str | Sequence[str] | None = None,
    text_template: str | None = None,
    id_column: str | None = None,
    input_format: InputFormat | str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    empty: EmptyTexts | str = EmptyTexts.skip,
    limit: int | None = None,
    sample: int | None = None,
    seed: int = 0,
    require_text: bool = True,
    max_cell: int = MAX_CELL,
) -> Corpus:
    """Return the rows of a file, a pipe, a frame or a list as a corpus.

        read_corpus("reviews.csv")
        read_corpus(frame, text="review")
        read_corpus(frame["review"])
        read_corpus(["Lovely breakfast.", "The room was cold."])

    Rows and columns keep their order. In a frame, a series or a list, None, NaN, NaT and pandas.NA are rows
    without text; the index of a pandas object is kept as `Corpus.index`, and its labels are the ids of the rows
    unless `id_column` is given.

    :param source: path of a CSV, TSV, JSON-lines or Parquet file, which may be compressed (.gz, .bz2, .zst); "-"
        for standard input; a DataFrame or Series of pandas; a list, tuple or array of texts; or an Arrow table.
    :param text: text column or columns, joined by a line break; None guesses the one obvious column.
    :param text_template: pattern such as '{title}. {body}', instead of `text`.
    :param id_column: column of row ids; None takes the labels of a pandas index, or row numbers from 1.
    :param input_format: format of the file; None detects it by suffix, else by content.
    :param delimiter: one character that separates the fields of a CSV or TSV file; None detects it.
    :param encoding: encoding of a CSV, TSV or JSON-lines file; None means UTF-8.
    :param empty: what to do with rows that have no text: skip, keep or fail.
    :param limit: maximum number of rows, taken from the beginning.
    :param sample: size of a random sample of the rows, kept in their order; None keeps all.
    :param seed: seed of the sample.
    :param require_text: whether at least one row must have a text.
    :param max_cell: largest cell, or line of a text file, in MB; a larger one is probably damage.
    :return: the corpus.
    :raises InputError: for input that cannot be read, with file, row and column.
    :raises UsageError: for options that contradict each other or do not fit the source.
    """
    rows: dict[str, Any] = {"text": text, "text_template": text_template, "id_column": id_column}
    rows |= {"empty": empty, "sample": sample, "seed": seed, "require_text": require_text}
    if not isinstance(source, (str, os.PathLike)):
        for option, value in (("input_format", input_format), ("delimiter", delimiter), ("encoding", encoding)):
            if value is not None:
                kind = type(source).__name__
                raise UsageError(f"{option} is for files, not for a {kind}", hint=f"leave out {option}")
        try:
            return corpus_from_object(source, limit=limit, **rows)
        except InputError as error:
            error.hint = error.hint and _hint_for_python(error.hint)
            raise
    if delimiter is not None and len(delimiter) != 1:
        raise UsageError(f'the delimiter "{delimiter}" is not one character', hint="for a tab: $'\\t'")
    requested = None if input_format is None else InputFormat(input_format)
    notes: list[str] = []
    with closing(open_input(os.fspath(source), requested, max_cell)) as opened:
        table, used = _read_table(opened, delimiter, encoding, limit, notes)
    corpus = corpus_from_table(table, source=opened.name, **rows)
    notes.extend(corpus.notes)
    return replace(corpus, format=opened.format, delimiter=used, notes=tuple(notes))


def _hint_for_python(hint: str) -> str:
    return hint.replace("--text", "text=").replace("--empty fail", 'empty="fail"')


def _read_table(
    opened: Opened, delimiter: str | None, encoding: str | None, limit: int | None, notes: list[str]
) -> tuple[pa.Table, str | None]:
    if opened.format is InputFormat.parquet:
        return read_parquet(opened, limit), None
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
