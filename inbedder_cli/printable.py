"""Make texts of others harmless to a terminal."""

from __future__ import annotations

import re

# Characters that `str.isprintable` accepts, though they are blank or have no width
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
