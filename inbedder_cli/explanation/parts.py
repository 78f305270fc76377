"""Texts -> their parts: sentences, clauses and the items of lists, each of which may hold an answer of its own."""

from __future__ import annotations

import re

from inbedder_cli.explanation.stop_words import load_stop_words, words_of

MOST_PARTS = 64  # of a text; the rest of it is not looked at
LONGEST = 20_000  # characters of a text that are looked at
# "and", "but", "or" and "plus" in languages where they are words of their own. "en" (Dutch) is a preposition
# elsewhere. A colon stays: what is before it says what follows is about ("best parts: widgets").
CONJUNCTIONS = (
    "and|but|or|plus|as well as|und|aber|oder|sowie|et|mais|ou|ainsi que|y|pero|así como|e|ma|oppure|mas|och|eller"
)
SEPARATOR = re.compile(
    rf"(?<=[.!?…]) |[。！？；，、،؛]+|[,;] (?:(?:{CONJUNCTIONS}) )?| (?:[-–—/&+]+|{CONJUNCTIONS}) ", re.IGNORECASE
)
EDGES = " -–—•*·"


def split_text(text: str) -> list[str]:
    """Return the parts of a text: sentences, clauses and items of lists, in their order.

    Parts of stop words alone ("also") are left out.

    >>> split_text("Also, the room was cold and loud. Best parts: breakfast, staff and the pool.")
    ['the room was cold', 'loud.', 'Best parts: breakfast', 'staff', 'the pool.']
    >>> split_text("The room was cold.")
    ['The room was cold.']

    :param text: any text.
    :return: at most `MOST_PARTS` parts.
    """
    stop_words = load_stop_words()
    parts: list[str] = []
    for line in text[:LONGEST].splitlines():
        for part in SEPARATOR.split(" ".join(line.split())):
            if any(word not in stop_words for word in words_of(part)):
                parts.append(part.strip(EDGES))
                if len(parts) == MOST_PARTS:
                    return parts
    return parts
