"""Numbers and texts as messages and tables show them; texts of others are harmless to a terminal."""

from __future__ import annotations

import re
import unicodedata

NAME_LENGTH = 300  # characters of a label, an answer or an id; rich needs minutes to wrap a million
# Characters that `str.isprintable` accepts, though they are blank or have no width
JOINERS = "\u200c\u200d"
BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def visible(text: str) -> str:
    r"""Return the text with every control, direction and invisible character escaped.

    :param text: any text, such as a message that holds the name of a file.
    :return: one line; only spaces are left of white space.

    >>> visible("a\n\x1b[31mred\u202e.csv")
    'a\\n\\x1b[31mred\\u202e.csv'
    """
    if text.isprintable() and not BLANK.search(text):
        return text
    return "".join(c if c.isprintable() and not BLANK.match(c) else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def percent(share: float) -> str:
    """Return a share as a whole percentage that is 0% only for zero.

    :param share: 0 to 1.
    :return: for example "26%".

    >>> percent(0.004), percent(0.256)
    ('<1%', '26%')
    """
    return "<1%" if share > 0 and round(100 * share) == 0 else f"{100 * share:.0f}%"


def truncate(text: str, length: int) -> str:
    """Return the text, cut at a space and ended with an ellipsis if it is longer than `length`.

    :param text: any text.
    :param length: maximum length in characters, at least 1.
    :return: at most `length` characters.

    >>> truncate("one two three", 12)
    'one two…'
    """
    if len(text) <= length:
        return text
    return text[: length - 1].rsplit(" ", 1)[0] + "…"


def printable(text: str) -> str:
    r"""Return the text on one line, without control and direction characters, which could garble a terminal.

    :param text: any text.
    :return: one line, its white space collapsed.

    >>> printable("a\tb\n\x1b[31mred")
    'a b [31mred'
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() or is_part_of_text(c) else " " for c in text.replace("\u00ad", ""))
    return " ".join(text.split())


def is_part_of_text(character: str) -> bool:
    """Return whether an unprintable character belongs to a word or an emoji: a joiner, or newer than this Python.

    :param character: one character.
    """
    return character in JOINERS or unicodedata.category(character) == "Cn"


def short(text: str) -> str:
    """Return the text as `printable` does, cut to a length that a cell of a table can hold.

    :param text: any text, such as a label or the value of a column.
    :return: one line of at most `NAME_LENGTH` characters.
    """
    return truncate(printable(text), NAME_LENGTH)


def count_of(n: int, noun: str) -> str:
    """Return a number with its noun.

    >>> count_of(1, "row"), count_of(2000, "row")
    ('1 row', '2,000 rows')

    :param n: the number.
    :param noun: in the singular.
    """
    return f"{n:,} {noun}" + ("" if n == 1 else "s")
