"""Which column of a table holds the texts, where one is obvious."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.arrow_values import cell_values
from inbedder_cli.corpus.columns import is_number, is_string, nested_texts, text_hint, value_type
from inbedder_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

TEXT_NAMES = frozenset(
    "text texts review reviews comment comments message messages body content feedback description "
    "sentence tweet document answer response question note notes complaint post utterance abstract "
    "full_text verbatim remark remarks caption opinion".split()
)
# Scripts that are written without spaces: Thai, Lao, Burmese, Khmer, Chinese and Japanese.
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")
WORD_LENGTH = 2  # characters of a word in these


def guess_text_column(table: pa.Table, source: str) -> str:
    """Return the name of the one obvious text column: by its name, else the one with by far the most words.

    :param table: the table, of which the first 200 rows are examined.
    :param source: name of the table in messages.
    :return: the name.
    :raises InputError: if no column, or more than one, is obvious.
    """
    head = table.slice(0, 200)
    words: dict[str, float] = {name: _mean_words(head, name) for name in table.column_names}
    found = _obvious(words, is_only=table.num_columns == 1)
    if found is None and max(words.values()) < 2:  # nothing but words and ids beside what is nested
        found = _obvious({path: _mean_words_of(cells) for path, cells in nested_texts(head).items()})
    if found is not None:
        return found
    n_texts = sum(n > 0 for n in words.values())
    problem = "more than one column could be the text" if n_texts > 1 else "no text column found"
    raise InputError(problem, source=source, hint=text_hint(table))


def _obvious(words: dict[str, float], *, is_only: bool = False) -> str | None:
    """Return the one obvious text column by the mean number of words of each; None if there is none."""
    texty = {name: n for name, n in words.items() if n > 0}
    named = [name for name in texty if name.rpartition(".")[2].strip().lower() in TEXT_NAMES]
    if len(named) == 1:
        return named[0]
    ranked = sorted(texty, key=lambda name: -texty[name])
    if len(ranked) == 1 and (texty[ranked[0]] >= 2 or is_only):
        return ranked[0]
    if len(ranked) > 1 and texty[ranked[0]] >= 4 and texty[ranked[0]] >= 3 * texty[ranked[1]]:
        return ranked[0]
    return None


def _mean_words(head: pa.Table, name: str) -> float:
    """Return the mean number of words of a column's texts, 0 if it holds other values.

    It raises no errors on the way: those list all columns, and there may be thousands.
    """
    field = head.schema.field(name)
    kind = value_type(field.type)
    if str(kind) in ("binary", "large_binary"):
        cells = [cell and cell.decode("utf-8", "replace") for cell in head.column(name).to_pylist()]
    elif is_string(kind):
        cells = cell_values(head.column(name), field)
    else:
        return 0.0
    return _mean_words_of(cells)


def _mean_words_of(cells: Sequence[Any]) -> float:
    texts = [cell for cell in cells if isinstance(cell, str) and cell.strip()]
    n_others = sum(cell is not None and not isinstance(cell, str) for cell in cells)
    if n_others > len(texts) or not texts or all(map(is_number, texts)):
        return 0.0
    return sum(len(text.split()) + len(UNSPACED.findall(text)) / WORD_LENGTH for text in texts) / len(texts)
