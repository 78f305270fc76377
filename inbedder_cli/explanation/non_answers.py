"""Texts that answer no question: blanks, the usual words of surveys ("none", "k.A."), typed noise, pointers."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files

from inbedder_cli.explanation.stop_words import fold_text, words_of
from inbedder_cli.explanation.yes_no import is_yes_no_question

LONGEST = 100  # characters of a text that is looked at
NOISE_WORDS = 5  # words of a text that may begin with typed noise
NOISE_LENGTH = 4  # letters in a row of the keyboard
KEYBOARD_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop", "qsdfghjklm", "yxcvbnm")
LAYOUTS = frozenset("qwerty qwertz azerty".split())  # are talked about
REAL_WORDS = frozenset(["wert"])  # that consist of neighboring keys
EMOTICON = re.compile(r"[:;=8][-'^]?[()\[\]DPpOo/\\|]|<3|\^_*\^")
CLAUSE = re.compile(r"[.,;!?…。、！？，]+")
FILLERS = re.compile(
    r"\b(?:to be honest|tbh|honestly|really|sorry|thanks|thank you|please|pls|at all|so far|right now|for now"
    r"|at the moment|currently|actually|just yet|just|yet|to me|for me|from me|that|i'm|i am|i've got|i have|i"
    r"|it's|it is|there is|there's|leider|danke|bitte|merci|gracias|obrigado|grazie)\b"
)
FINE = frozenset("all good|all fine|all ok|all okay|everything is fine|everything is good|alles gut".split("|"))
POINTER = re.compile(
    r"(?:please )?(?:see|refer to|read|as in|same as(?: in)?) my(?: \w+)? "
    r"(?:review|comment|answer|reply|response|post|note)s?\b.*"
)
RETRACTED = re.compile(
    r"(?:edit\b.*|.*\b(?:wrote|written|posted|reviewed|rated|commented)\b.*)?\b(?:delete|remove|ignore|disregard)"
    r"(?: (?:this|it|me|my))?(?: (?:review|comment|answer|post))?"
)
# What forums and spreadsheets leave in the place of a text.
PLACEHOLDER = re.compile(
    r"\[(?:(?:content|comment|post) )?(?:deleted|removed)\b[^\]]{0,40}\]|#(?:n/a|name\?|ref!|value!|null!)"
)
LETTERS = re.compile(r"[^\W\d_](?:\s*[./-]\s*[^\W\d_]){1,3}\s*\.?")  # n.a., n / a, k.A.
NO = frozenset("no nope nah nein nö non não nao nee nej nei нет hayır nie ne ні لا नहीं".split())


def is_non_answer(text: str, instruction: str) -> bool:
    """Return whether a text answers no question, or not this one, as can be told without a model.

    These are texts without a letter, digit or symbol such as an emoji; the usual words of surveys in several
    languages (`non_answers.txt`); "no complaints" where the question asks for complaints; typed noise ("asdf");
    pointers to another text ("see my other review"); retractions ("edit: please delete"); and what is
    left in the place of a text ("[deleted]", "#N/A").

    >>> is_non_answer("N/A.", "What is it about?"), is_non_answer("None of the lights work", "What is it about?")
    (True, False)
    >>> is_non_answer("no", "What should change?"), is_non_answer("no", "Would you buy it again?")
    (True, False)

    :param text: any text.
    :param instruction: the question; "no" answers one that asks for yes or no.
    """
    if not text.strip():  # --empty says what becomes of it
        return False
    if not any(c.isalnum() or unicodedata.category(c) in ("So", "Sc", "Sm") for c in text):
        return EMOTICON.search(text) is None
    if len(text) > LONGEST:
        return False
    folded = fold_text(text)
    if PLACEHOLDER.fullmatch(folded.strip()):
        return True
    if LETTERS.fullmatch(folded.strip()) and _letters_of(folded) in map(_letters_of, _phrases()):
        return True
    clauses = [_without_fillers(clause) for clause in CLAUSE.split(folded.replace("...", " "))]
    whole = _without_fillers(folded)
    told = [whole] if whole in _phrases() else [clause for clause in clauses if clause]
    silent = [_is_silent(clause, instruction) for clause in told]
    if any(silent) and all(one or clause in FINE for one, clause in zip(silent, told, strict=True)):
        return True
    line = " ".join(words_of(text))
    is_noise = _begins_with_noise(words_of(text))
    return is_noise or any(pattern.fullmatch(line) is not None for pattern in (POINTER, RETRACTED))


def _is_silent(clause: str, instruction: str) -> bool:
    if clause in _phrases():
        return clause not in NO or not is_yes_no_question(instruction)
    first, _, rest = clause.partition(" ")
    return first == "no" and rest != "" and any(_is_form_of(rest, word) for word in words_of(instruction))


def _is_form_of(word: str, other: str) -> bool:
    """Return whether two words differ by a plural "s" at most."""
    return word.removesuffix("s") == other.removesuffix("s")


def _without_fillers(clause: str) -> str:
    words = " ".join(FILLERS.sub(" ", clause).split())
    return words.strip("-–—_*'\"()[]:/ .")


def _begins_with_noise(words: list[str]) -> bool:
    if not words or len(words) > NOISE_WORDS:
        return False
    word = words[0]
    if len(set(word)) == 1 and len(word) > 1 and word.isalpha():
        return len(words) == 1
    typed = any(word in keys or word[::-1] in keys for keys in KEYBOARD_ROWS) and word not in REAL_WORDS
    return typed and len(word) >= NOISE_LENGTH and (word not in LAYOUTS or len(words) == 1)


def _letters_of(text: str) -> str:
    return "".join(filter(str.isalpha, text))


@cache
def _phrases() -> frozenset[str]:
    lines = files("inbedder_cli").joinpath("non_answers.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(_without_fillers(fold_text(line)) for line in lines if line and not line.startswith("#"))
