"""`read_corpus`: read files, pipes and objects in memory."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.in_memory import corpus_from_object
from inbedder_cli.corpus.layout import Layout, Reading
from inbedder_cli.corpus.limits import MAX_CELL
from inbedder_cli.corpus.locations import shown_name
from inbedder_cli.corpus.opening import STDIN, STDIN_NAME
from inbedder_cli.corpus.several_files import files_of, read_files
from inbedder_cli.corpus.table import corpus_from_table
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import EmptyTexts, EncodingErrors, OnBadRow

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
    input_format: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    encoding_errors: EncodingErrors | str = EncodingErrors.fail,
    header: bool = True,
    header_rows: int | None = None,
    skip_rows: int = 0,
    quote: str = '"',
    escape: str | None = None,
    on_bad_row: OnBadRow | str = OnBadRow.fail,
    json_path: str | None = None,
    sheet: str | None = None,
    empty: EmptyTexts | str = EmptyTexts.skip,
    limit: int | None = None,
    sample: int | None = None,
    seed: int = 0,
    require_text: bool = True,
    max_cell: int = MAX_CELL,
) -> Corpus:
    """Return the rows of a file, a pipe, a frame or a list as a corpus.

        read_corpus("reviews.csv")
        read_corpus("exports")  # a folder of files
        read_corpus(frame, text="review")
        read_corpus(frame["review"])
        read_corpus(["Lovely breakfast.", "The room was cold."])

    Rows and columns keep their order. In a frame, a series or a list, None, NaN, NaT and pandas.NA are rows
    without text; the index of a pandas object is kept as `Corpus.index`, and its labels are the ids of the rows
    unless `id_column` is given.

    :param source: path of a CSV, TSV, JSON, JSON-lines, Parquet, Excel or plain text file, which may be compressed
        (.gz, .bz2, .xz, .zst, or the only file in a .zip), or its URL; a folder of files of the same columns, or
        a pattern of their names; "-" for standard input; a DataFrame or Series of pandas; a list, tuple or array
        of texts; or an Arrow table.
    :param text: text column or columns, joined by a line break; a path such as "ticket.description" or
        "items[0].text" where cells hold objects or lists; None guesses the one obvious column.
    :param text_template: pattern such as '{title}. {body}', instead of `text`.
    :param id_column: column of row ids; None takes the labels of a pandas index, or row numbers from 1.
    :param input_format: name of the format (`corpus.readers`); None detects it by suffix, else by content.
    :param delimiter: one character that separates the fields of a CSV or TSV file; None detects it.
    :param encoding: encoding of a text file; None means UTF-8, or what its byte-order mark tells.
    :param encoding_errors: what to do with lines of another encoding: fail; replace the bytes by U+FFFD; or read
        them as Windows-1252 (fallback).
    :param header: whether the first row of a CSV, TSV or Excel file names the columns.
    :param header_rows: number of its header rows; None: one, or what is recognized (Qualtrics, SurveyMonkey).
    :param skip_rows: number of lines above its header, which are not read.
    :param quote: the character around cells that hold delimiters or line breaks; "" for none.
    :param escape: a character that makes the next one part of the text, such as a backslash.
    :param on_bad_row: what to do with rows that have more cells than the header: fail; skip them (in JSON
        lines: what is no object); or pad, which joins the cells beyond the header to the last one.
    :param json_path: path of the list of rows in a JSON document, such as "data.items"; None takes the only one.
    :param sheet: sheet of an Excel workbook; None takes the first with a row below its header, hidden
        ones last.
    :param empty: what to do with rows that have no text: skip, keep or fail.
    :param limit: maximum number of rows, taken from the beginning.
    :param sample: size of a random sample of the rows, kept in their order; None keeps all.
    :param seed: seed of the sample.
    :param require_text: whether at least one row must have a text.
    :param max_cell: largest cell, or line of a text file, in MB; a larger one is probably damage.
    :return: the corpus.
    :raises InputError: for input that cannot be read, with file, row and column.
    :raises UsageError: for options that contradict each other, or that the source or its format does not take.
    """
    rows: dict[str, Any] = {"text": text, "text_template": text_template, "id_column": id_column}
    rows |= {"empty": empty, "sample": sample, "seed": seed, "require_text": require_text}
    layout = Layout(
        delimiter=delimiter,
        encoding=encoding,
        encoding_errors=EncodingErrors(encoding_errors),
        header=header,
        header_rows=header_rows,
        skip_rows=skip_rows,
        quote=quote,
        escape=escape,
        on_bad_row=OnBadRow(on_bad_row),
        json_path=json_path,
        sheet=sheet,
    )
    if not isinstance(source, (str, os.PathLike)):
        given = [*layout.given, *(["input_format"] if input_format is not None else [])]
        for option in given:
            kind = type(source).__name__
            raise UsageError(f"{option} is for files, not for a {kind}", hint=f"leave out {option}")
        return corpus_from_object(source, limit=limit, **rows)
    source = os.fspath(source)
    read, name = read_files(files_of(source), layout, input_format, limit, max_cell)
    shown = STDIN_NAME if source == STDIN else shown_name(source)
    try:
        corpus = corpus_from_table(read.table, source=shown, **rows)
    except InputError as error:
        if read.lost:
            error.hint = "; ".join([*read.lost[:1], *filter(None, [error.hint])])
        raise
    reading = Reading(
        columns=tuple(read.table.column_names),
        text=() if text_template else corpus.text_columns,
        text_template=text_template,
        id_column=id_column,
        empty=EmptyTexts(empty),
        layout=layout,
        limit=limit,
        sample=sample,
        input_format=input_format,
    )
    return replace(
        corpus,
        format=name,
        style=read.style,
        notes=(*read.notes, *corpus.notes),
        reading=reading,
        bad_rows=tuple(read.bad_rows),
    )
