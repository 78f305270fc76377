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
CODE_LENGTH = 3  # capitals that may stand for something: AAA
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
EDITED = re.compile(r"\W*edit(?:ed)?\s*[:;.–—-]")
DELETE = r"(?:delete|remove|ignore|disregard)"
WHAT = r"(?: (?:this|it|me|my))?(?: (?:review|comment|answer|post))?"
MISTAKE = r"(?:wrong|mistake|mistakenly|accident|accidentally|twice|duplicate|please|pls)"
RETRACTED = re.compile(
    rf"(?=.*\b{MISTAKE}\b).*\b(?:wrote|written|posted|reviewed|rated|commented)\b.*\b{DELETE}{WHAT}"
    rf"|(?:please|pls) {DELETE}{WHAT}|{DELETE} (?:this|it|me|my){WHAT}|{DELETE} review"
)
RETRACTED_EDIT = re.compile(rf"edit(?:ed)?\b.*\b{DELETE}{WHAT}")
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
    words = words_of(text)
    line = " ".join(words)
    patterns = (POINTER, RETRACTED, RETRACTED_EDIT) if EDITED.match(folded) else (POINTER, RETRACTED)
    return (
        _is_repeated_letter(text, words)
        or _begins_with_noise(words)
        or any(pattern.fullmatch(line) is not None for pattern in patterns)
    )


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


def _is_repeated_letter(text: str, words: list[str]) -> bool:
    """Return whether a text is a letter typed again and again; "いい" is a word, "AA" a battery, "II" a number."""
    if len(words) != 1 or len(words[0]) < 2 or len(set(words[0])) > 1:
        return False
    letter = words[0][0]
    is_code = len(words[0]) <= CODE_LENGTH and text.strip().isupper() and letter != "x"
    return letter.upper() != letter.lower() and not is_code


def _begins_with_noise(words: list[str]) -> bool:
    if not words or len(words) > NOISE_WORDS:
        return False
    word = words[0]
    typed = any(word in keys or word[::-1] in keys for keys in KEYBOARD_ROWS) and word not in REAL_WORDS
    return typed and len(word) >= NOISE_LENGTH and (word not in LAYOUTS or len(words) == 1)


def _letters_of(text: str) -> str:
    return "".join(filter(str.isalpha, text))


@cache
def _phrases() -> frozenset[str]:
    lines = files("inbedder_cli").joinpath("non_answers.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(_without_fillers(fold_text(line)) for line in lines if line and not line.startswith("#"))
