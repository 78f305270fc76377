"""Plain lines of text, one row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inbedder_cli.corpus.columns import EMPTY_HINT, TEXT_NAMES
from inbedder_cli.corpus.delimiters import DELIMITERS, consistency
from inbedder_cli.corpus.opening import Opened, canonical_encoding, decode_lines
from inbedder_cli.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

COLUMN = "text"
SENTENCE = 4  # words from which a first line is a text, not the name of a column
TABLE = 0.9  # least share of records of equal width in a table


def read_lines(opened: Opened, *, encoding: str | None = None, limit: int | None = None) -> pa.Table:
    """Return the lines of a file as a table of one column, "text"; a blank line is a row without text.

    :param opened: the file.
    :param encoding: None means UTF-8.
    :param limit: maximum number of rows; None reads all.
    :return: one row per line.
    :raises InputError: when the file has no lines.
    """
    import pyarrow as pa

    texts = []
    for line in decode_lines(opened, encoding):
        texts.append(line.rstrip("\r\n"))
        if len(texts) == limit:
            break
    if not texts:
        raise InputError("has no lines", source=opened.name, hint=EMPTY_HINT)
    return pa.table({COLUMN: pa.array(texts, pa.string())})


def is_plain_text(opened: Opened, encoding: str | None, *, is_named_text: bool) -> bool:
    """Return whether a file holds lines of text rather than a table.

    No delimiter divides plain lines evenly, or the first one is a sentence. A file whose name does not end in .txt
    may be a table of one column: only a first line of four words or more tells that it is not.

    :param opened: the file.
    :param encoding: None means UTF-8.
    :param is_named_text: whether its name ends in .txt.
    """
    encoding = canonical_encoding(encoding, opened.name)
    head = opened.head.decode(encoding, "replace").removeprefix("\ufeff").lstrip()
    first = head.splitlines()[0].strip() if head else ""
    share = max(consistency(opened.head, delimiter, encoding)[0] for delimiter in DELIMITERS)
    if share >= TABLE and not first.endswith((".", "!", "?")):
        return False
    if is_named_text:
        return first.lower() not in TEXT_NAMES
    return share == 0 and len(first.split()) >= SENTENCE
