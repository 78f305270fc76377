"""Answers that do not answer: rows of which the text does not say what was asked.

They are kept out of clusters, which they would bend or form, and told apart by name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inbedder_cli.explanation.stop_words import load_stop_words, repeated_words, words_of
from inbedder_cli.options import UnansweredOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

# Whole answers, as words; "none", "nothing" and "neutral" are answers ("What does the customer dislike?").
NOT_ANSWERS = frozenset(
    " ".join(answer.split())
    for answer in """
    n/a|na|unknown|unspecified|unclear|undetermined|unanswerable|not applicable|not available|not answered|
    not clear|not defined|not described|not enough information|not given|not known|not mention|not mentioned|
    not provided|not said|not specified|not stated|not sure|no answer|no idea|no information|no mention|
    don't know|i don't know|do not know|i do not know|dont know|i dont know|idk|cannot say|cannot tell|can't say|
    can't tell|cannot be determined|it is not mentioned|the text does not say|doesn't say|does not say
    """.split("|")
)
# An English question whose own words are no answer to it: "happy" is one to "Is the customer happy?", and to
# "What is the mood (happy, unhappy)?".
OPEN_QUESTION = re.compile(r"\s*(?:what|which|who|whom|whose|why|where|when)\b[^,(:]*$", re.I | re.DOTALL)
LONGEST = 60  # characters of a text that may be one of these
COPY = 5  # words, from which an answer that the text begins with, or is, copies it


def is_unanswered(
    answers: Sequence[str],
    texts: Sequence[str],
    instruction: str,
    confidences: npt.NDArray[np.float32] | None = None,
    options: UnansweredOptions | None = None,
) -> list[bool]:
    """Return which answers do not answer the question.

    That are those without a word; those that say so ("not mentioned", "unknown"); those that repeat an open
    question ("emotion" to "What emotion is expressed?"), but not a choice that it offers; copies of the text;
    answers to a text that is itself none ("n/a"); and those of which the model is so unsure that another answer is
    as good.

    :param answers: one per row.
    :param texts: one per row.
    :param confidences: of the answers, shape (n_rows,), 0 to 1, where they are known.
    """
    options = options or UnansweredOptions()
    stop_words = load_stop_words()
    repeated = repeated_words(instruction, stop_words) if OPEN_QUESTION.match(instruction) else frozenset()
    unsure = [False] * len(answers) if confidences is None else (confidences < options.min_confidence).tolist()
    return [
        doubt or _says_nothing(answer, text, stop_words, repeated)
        for answer, text, doubt in zip(answers, texts, unsure, strict=True)
    ]


def _says_nothing(answer: str, text: str, stop_words: frozenset[str], repeated: frozenset[str]) -> bool:
    words = words_of(answer)
    told = [word for word in words if word not in stop_words]
    if not words or " ".join(words) in NOT_ANSWERS or (told and repeated.issuperset(told)):
        return True
    if len(text) <= LONGEST and " ".join(words_of(text)) in NOT_ANSWERS:
        return True
    return len(words) >= COPY and words_of(text)[: len(words)] == words
