"""Yes/no questions: which they are, and which of their answers say yes or no."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from inbedder_cli.explanation.stop_words import NEGATIONS, load_stop_words, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

AUXILIARIES = """is are was were am do does did has have had can could will would should shall may might must
    isn't aren't wasn't weren't don't doesn't didn't hasn't haven't hadn't can't couldn't won't wouldn't
    shouldn't"""
YES_OR_NO = re.compile(r"\b(?:yes\s*(?:or|/|,|and)\s*no|no\s*(?:or|/)\s*yes|y\s*/\s*n|whether)\b", re.I)
AUXILIARY_FIRST = re.compile(rf"\s*(?:{'|'.join(AUXILIARIES.split())})\s+\w", re.I)
CLAUSE_END = re.compile(r"[?!.:;]")
OR_NOT = re.compile(r"\bor not\b", re.I)
CHOICE = re.compile(r"\bor\b|\bvs\b|\w/\w", re.I)  # "Is the review positive or negative?" is not answered by yes
# "Can you name the product?" and "Do you know what it costs?" ask for something else than yes
REQUEST = re.compile(
    r"\s*\w+ you (?:please )?(?:name|tell|say|list|give|describe)\b|.*\b(?:what|which|who|why|how)\b", re.I
)
YES = frozenset("yes yeah yep yup".split())
NO = frozenset("no nope nah".split())
MOST = 0.8  # share of answers that say yes or no, from which any question is a yes/no question


def is_yes_no_question(instruction: str) -> bool:
    """Return whether a question asks for yes or no: "Is the customer angry?", "Angry, yes or no?".

    :param instruction: the question, in English.
    """
    if YES_OR_NO.search(instruction):
        return True
    if REQUEST.match(instruction) or CHOICE.search(OR_NOT.sub("", instruction)):
        return False
    return bool(AUXILIARY_FIRST.match(instruction))


def merge_yes_no(answers: Sequence[str], instruction: str) -> list[str]:
    """Return the answers, where those to a yes/no question that say yes or no in more words are "yes" or "no".

    An answer says so by its first word ("yes, very"). Where some answers do, one of the question's own words says
    yes as well, and its negation no: "angry" and "not angry" to "Is the customer angry?". Nothing else is certain:
    "neutral" stays, and where no answer says yes or no, "angry" stays too.

    >>> merge_yes_no(["Yes, very.", "angry", "not angry", "calm"], "Is the customer angry?")
    ['yes', 'yes', 'no', 'calm']

    :param answers: one per row.
    :param instruction: the question.
    :return: one answer per row; those that are not replaced as they were.
    """
    stop_words, rows = load_stop_words(), list(map(cache(words_of), answers))
    outside = stop_words | NEGATIONS
    said = [_first_word(words, stop_words) for words in rows]
    n_said = sum(one is not None for one in said)
    if not n_said or not (is_yes_no_question(instruction) or n_said >= MOST * len(answers)):
        return list(answers)
    clauses = [CLAUSE_END.split(OR_NOT.sub("", part)) for part in YES_OR_NO.split(instruction)]
    asked = [[word for word in words_of(clause) if word not in outside] for part in clauses for clause in part]
    return [
        one or next(filter(None, (_repetition(words, each, stop_words) for each in asked)), answer)
        for one, words, answer in zip(said, rows, answers, strict=True)
    ]


def _first_word(words: Sequence[str], stop_words: frozenset[str]) -> str | None:
    if words and words[0] in YES:
        return "yes"
    # "no refund" says something else than no; "no, he is not" does not.
    is_no = words and words[0] in NO and (len(words) == 1 or words[1] in stop_words | NEGATIONS)
    return "no" if is_no else None


def _repetition(words: Sequence[str], asked: Sequence[str], stop_words: frozenset[str]) -> str | None:
    """Return "yes" for an answer made of a clause's words, its last one among them; "no" for its negation."""
    negations = [word for word in words if word in NEGATIONS or word.endswith("n't")]
    content = [word for word in words if word not in stop_words and word not in negations]
    if len(negations) > 1 or not asked or asked[-1] not in content or not set(content) <= set(asked):
        return None
    return "no" if negations else "yes"
