"""Plain lines of text, one row each."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from inbedder_cli.corpus.columns import EMPTY_HINT
from inbedder_cli.corpus.delimiters import DELIMITERS, consistency
from inbedder_cli.corpus.layout import Layout
from inbedder_cli.corpus.row_stream import RowStream
from inbedder_cli.corpus.text_guess import TEXT_NAMES
from inbedder_cli.corpus.text_lines import decode_lines
from inbedder_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inbedder_cli.corpus.opening import Opened
    from inbedder_cli.corpus.read_table import ReadTable

COLUMN = "text"
BATCH_LINES = 2**14
TEXT_SUFFIXES = {".txt", ".text", ".md", ".log"}
SENTENCE = 4  # words from which a first line is a text, not the name of a column
MOMENT = re.compile(r"\W{0,2}(?:\d{1,4}[-./]\d{1,2}[-./]\d{1,4}|\d{1,2}:\d\d)\b")  # no header begins so
TABLE = 0.9  # least share of records of equal width in a table
RAGGED_TABLE = 0.5  # in one whose name does not tell that it is text


def read_lines(opened: Opened, layout: Layout | None = None, limit: int | None = None) -> ReadTable:
    """Return the lines of a file as a table of one column, "text"; a blank line is a row without text.

    :param opened: the file.
    :param layout: its encoding, and how many lines are skipped.
    :param limit: maximum number of rows; None reads all.
    :return: one row per line.
    :raises InputError: when the file has no lines.
    """
    return stream_lines(opened, layout, limit).whole()


def stream_lines(opened: Opened, layout: Layout | None = None, limit: int | None = None) -> RowStream:
    """Return the lines of a file as rows, as `read_lines` reads it.

    :param opened: the file.
    :param layout: its encoding, and how many lines are skipped.
    :param limit: maximum number of rows; None reads all.
    :return: one row per line; while they are read, a file without lines is an error.
    """
    import pyarrow as pa

    layout = layout or Layout()
    lines = islice(decode_lines(opened, layout), layout.skip_rows, None)
    texts = (line.rstrip("\r\n") for line in islice(lines, limit))

    def batches() -> Iterator[pa.Table]:
        is_empty = True
        while batch := list(islice(texts, BATCH_LINES)):
            is_empty = False
            yield pa.table({COLUMN: pa.array(batch, pa.string())})
        if is_empty:
            raise InputError("has no lines", source=opened.name, hint=EMPTY_HINT)

    return RowStream(batches(), lambda table: table, list)


def is_named_as_text(opened: Opened) -> bool:
    """Return whether the suffix of a file tells plain text.

    :param opened: the file.
    """
    return bool(TEXT_SUFFIXES.intersection(Path(opened.name.lower()).suffixes[-2:]))


def is_plain_text(opened: Opened, text: str) -> bool:
    """Return whether a file holds lines of text rather than a table.

    No delimiter divides plain lines evenly, or the first one is a sentence, or begins with a date as those of logs
    and chats do. A file that is not named as text may
    be a table of one column: only a first line of four words or more tells that it is not.

    :param opened: the file.
    :param text: its first characters.
    """
    text = text.lstrip()
    first = text.splitlines()[0].strip() if text else ""
    if is_named_as_text(opened) and MOMENT.match(first):
        return True
    share = max(consistency(text, delimiter)[0] for delimiter in DELIMITERS)
    if share >= TABLE and not first.endswith((".", "!", "?")):
        return False
    if is_named_as_text(opened):
        return first.lower() not in TEXT_NAMES
    return share < RAGGED_TABLE and len(first.split()) >= SENTENCE
