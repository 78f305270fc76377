"""Stop words, and words of a question that its answers may merely repeat."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from inbedder_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

CHOICE = re.compile(r"\b(?:or|vs|versus)\b|/", re.I)
MAX_BYTES = 10_000_000  # of a list
CLAUSE_END = re.compile(r"[.?!:;]")
NEGATIONS = frozenset(
    """not no never nothing nobody none nor neither nowhere cannot without non
    nicht kein keine keinen keinem keiner ohne nie pas sans jamais nunca senza não""".split()
)


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case; hyphens, periods and apostrophes inside a word stay.

    >>> words_of("Not Wi-Fi, isn’t it?")
    ['not', 'wi-fi', "isn't", 'it']
    >>> words_of("C++, C#")
    ['c++', 'c#']
    >>> words_of("N/A")
    ['n/a']

    :param text: any text.
    :return: its words in their order.
    """
    return word_pattern().findall(fold_text(text))


def fold_text(text: str) -> str:
    """Return the text normalized for comparison: NFKC, lower case, straight apostrophes.

    :param text: any text.
    :return: the text for comparisons.
    """
    return unicodedata.normalize("NFKC", text).lower().replace("’", "'")


@cache
def word_pattern() -> re.Pattern[str]:
    """Return the pattern of a word in folded text: letters and digits with the combining marks of many scripts."""
    marks = "".join(chr(c) for c in range(0x300, 0x10000) if unicodedata.category(chr(c)).startswith("M"))
    letter = rf"(?:[^\W_]|[{marks}])"
    return re.compile(rf"\bn/a\b|{letter}+(?:['.-]{letter}+)*(?:\+\+|#(?!\w))?")


def load_stop_words(source: str | Iterable[str] | None = None) -> frozenset[str]:
    """Return a list of stop words.

    :param source: words; path of a file with words separated by white space, in which # begins a comment line;
        "none" for no stop words; None for the package's English list, which holds no negations.
    :return: the words, as `fold_text` returns them.
    :raises InputError: when the file cannot be read.
    """
    if source == "none":
        return frozenset()
    if source is None:
        return _english_words()
    return _words_in(_read_list(source) if isinstance(source, str) else "\n".join(source))


@cache
def _english_words() -> frozenset[str]:
    return _words_in(files("inbedder_cli").joinpath("stop_words.txt").read_text(encoding="utf-8"))


def _words_in(text: str) -> frozenset[str]:
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return frozenset(word for line in lines for word in fold_text(line).split())


def _read_list(source: str) -> str:
    hint = 'give a text file of words, or "none"'
    path = Path(source)
    try:
        # A named pipe without a writer would block for ever; /dev/fd is the <(command) of a shell.
        if path.exists() and not path.is_file() and not source.startswith("/dev/fd/"):
            raise InputError("cannot read the stop words: not a regular file", source=source, hint=hint)
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InputError(
                f"cannot read the stop words: more than {MAX_BYTES / 1e6:.0f} MB", source=source, hint=hint
            )
        return content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the stop words: {error}", source=source, hint=hint) from error


def repeated_words(instruction: str, stop_words: frozenset[str]) -> frozenset[str]:
    """Return the words of a question that an answer may merely repeat: its content words, but not its choices.

    Every word of a clause that offers a choice ("happy, unhappy or neutral?") counts as one.

    >>> sorted(repeated_words("What emotion is expressed?", load_stop_words()))
    ['emotion', 'expressed']
    >>> sorted(repeated_words("Name the mood: is it good or bad?", load_stop_words()))
    ['mood', 'name']

    :param instruction: the question.
    :param stop_words: words that are left out.
    :return: the words.
    """
    clauses = CLAUSE_END.split(instruction)
    choices = {w for clause in clauses if CHOICE.search(clause) for w in words_of(clause)}
    return frozenset(w for clause in clauses for w in words_of(clause)) - choices - stop_words
