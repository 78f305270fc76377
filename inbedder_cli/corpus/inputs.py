"""`read_corpus`: read files, pipes and objects in memory."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.delimited import Dialect, read_delimited
from inbedder_cli.corpus.in_memory import corpus_from_object
from inbedder_cli.corpus.json_document import read_json
from inbedder_cli.corpus.jsonl import read_jsonl
from inbedder_cli.corpus.limits import MAX_CELL
from inbedder_cli.corpus.lines import is_plain_text, read_lines
from inbedder_cli.corpus.opening import Opened, format_of_suffix, open_input
from inbedder_cli.corpus.parquet import read_parquet
from inbedder_cli.corpus.table import Reading, corpus_from_table
from inbedder_cli.corpus.workbook import read_workbook
from inbedder_cli.errors import InputError, UsageError
from inbedder_cli.options import CsvStyle, EmptyTexts, EncodingErrors, InputFormat, OnBadRow

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
    encoding_errors: EncodingErrors | str = EncodingErrors.fail,
    header: bool = True,
    header_rows: int | None = None,
    skip_rows: int = 0,
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
        read_corpus(frame, text="review")
        read_corpus(frame["review"])
        read_corpus(["Lovely breakfast.", "The room was cold."])

    Rows and columns keep their order. In a frame, a series or a list, None, NaN, NaT and pandas.NA are rows
    without text; the index of a pandas object is kept as `Corpus.index`, and its labels are the ids of the rows
    unless `id_column` is given.

    :param source: path of a CSV, TSV, JSON, JSON-lines, Parquet, Excel or plain text file, which may be compressed
        (.gz, .bz2, .xz, .zst); "-" for standard input; a DataFrame or Series of pandas; a list, tuple or array of
        texts; or an Arrow table.
    :param text: text column or columns, joined by a line break; a path such as "ticket.description" or
        "items[0].text" where cells hold objects or lists; None guesses the one obvious column.
    :param text_template: pattern such as '{title}. {body}', instead of `text`.
    :param id_column: column of row ids; None takes the labels of a pandas index, or row numbers from 1.
    :param input_format: format of the file; None detects it by suffix, else by content.
    :param delimiter: one character that separates the fields of a CSV or TSV file; None detects it.
    :param encoding: encoding of a text file; None means UTF-8.
    :param encoding_errors: what to do with lines of another encoding: fail; replace the bytes by U+FFFD; or read
        them as Windows-1252 (fallback).
    :param header: whether the first row of a CSV or TSV file names the columns.
    :param header_rows: number of its header rows; None: one, or what is recognized (Qualtrics, SurveyMonkey).
    :param skip_rows: number of lines above its header, which are not read.
    :param escape: a character that makes the next one part of the text, such as a backslash.
    :param on_bad_row: what to do with rows that have more cells than the header: fail or skip.
    :param json_path: path of the list of rows in a JSON document, such as "data.items"; None takes the only one.
    :param sheet: sheet of an Excel workbook; None takes the first.
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
        for option, value in (
            *(("input_format", input_format), ("delimiter", delimiter), ("encoding", encoding)),
            *(("header_rows", header_rows), ("escape", escape), ("json_path", json_path), ("sheet", sheet)),
        ):
            if value is not None:
                kind = type(source).__name__
                raise UsageError(f"{option} is for files, not for a {kind}", hint=f"leave out {option}")
        try:
            return corpus_from_object(source, limit=limit, **rows)
        except InputError as error:
            error.hint = error.hint and _hint_for_python(error.hint)
            raise
    dialect = Dialect(delimiter, encoding, header, header_rows, skip_rows, escape, OnBadRow(on_bad_row))
    _check_dialect(dialect)
    requested = None if input_format is None else InputFormat(input_format)
    notes: list[str] = []
    path = os.fspath(source)
    with closing(open_input(path, requested, max_cell)) as opened:
        is_guessed = requested is None and opened.format is InputFormat.csv and format_of_suffix(path) is None
        if is_guessed and is_plain_text(opened, encoding, is_named_text=path.lower().endswith(".txt")):
            opened = replace(opened, format=InputFormat.lines)
            notes.append("plain lines, one text each (guessed; --input-format csv to change)")
        opened = replace(opened, encoding_errors=EncodingErrors(encoding_errors))
        table, used = _read_table(opened, dialect, json_path, sheet, limit, notes)
        if lines := opened.undecoded:
            how = "with U+FFFD" if opened.encoding_errors is EncodingErrors.substitute else "as Windows-1252"
            notes.append(
                f"{len(lines):,} lines are not {encoding or 'UTF-8'}, and read {how} (first: {lines[0]:,})"
            )
    corpus = corpus_from_table(table, source=opened.name, **rows)
    notes.extend(corpus.notes)
    reading = Reading(
        columns=tuple(table.column_names),
        text=() if text_template else corpus.text_columns,
        text_template=text_template,
        id_column=id_column,
        empty=EmptyTexts(empty),
        delimiter=delimiter,
        encoding=encoding,
        header=header,
        header_rows=header_rows,
        skip_rows=skip_rows,
        escape=escape,
        json_path=json_path,
        sheet=sheet,
    )
    return replace(corpus, format=opened.format, style=used, notes=tuple(notes), reading=reading)


def _hint_for_python(hint: str) -> str:
    return hint.replace("--text", "text=").replace("--empty fail", 'empty="fail"')


def _check_dialect(dialect: Dialect) -> None:
    for name, character in (("delimiter", dialect.delimiter), ("escape", dialect.escape)):
        if character is not None and len(character) != 1:
            raise UsageError(f'the {name} "{character}" is not one character', hint="for a tab: $'\\t'")
    if not dialect.has_header and dialect.header_rows:
        raise UsageError("--no-header and --header-rows contradict each other", hint="leave out one of them")


def _read_table(
    opened: Opened,
    dialect: Dialect,
    json_path: str | None,
    sheet: str | None,
    limit: int | None,
    notes: list[str],
) -> tuple[pa.Table, CsvStyle | None]:
    if opened.format is InputFormat.parquet:
        return read_parquet(opened, limit), None
    if opened.format is InputFormat.xlsx:
        table, found = read_workbook(opened, dialect, sheet=sheet, limit=limit)
        notes.extend(found)
        return table, None
    if opened.format is InputFormat.lines:
        return read_lines(opened, encoding=dialect.encoding, limit=limit), None
    if opened.format is InputFormat.json or json_path is not None:
        return read_json(opened, json_path, encoding=dialect.encoding, limit=limit), None
    if opened.format is InputFormat.jsonl:
        return read_jsonl(opened, encoding=dialect.encoding, limit=limit), None
    read = read_delimited(opened, dialect, limit=limit)
    usual = "\t" if opened.format is InputFormat.tsv else ","
    delimiter = read.style.delimiter
    if dialect.delimiter is None and delimiter != usual:
        shown = {"\t": "tab"}.get(delimiter, f'"{delimiter}"')
        notes.append(f"delimiter {shown} (guessed; --delimiter to change)")
    notes.extend(read.notes)
    return read.table, read.style
