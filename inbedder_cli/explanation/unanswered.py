"""Unanswered rows: those whose answer does not answer the question, because the text does not.

They would distort the clusters, so they are kept out of them and summarized separately.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inbedder_cli.explanation.non_answers import is_non_answer
from inbedder_cli.explanation.stop_words import load_stop_words, repeated_words, words_of
from inbedder_cli.options import UnansweredOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

# Whole answers. "none", "nothing" and "neutral" are not among them: they may answer the question.
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
# An English question whose own words cannot answer it. Where it names choices they can: "happy" answers "Is the
# customer happy?" and "What is the mood (happy, unhappy)?".
OPEN_QUESTION = re.compile(r"\s*(?:what|which|who|whom|whose|why|where|when)\b[^,(:]*$", re.I | re.DOTALL)
COPY = 5  # words from which an answer that repeats the beginning of the text counts as a copy


def is_unanswered(
    answers: Sequence[str],
    texts: Sequence[str],
    instruction: str,
    confidences: npt.NDArray[np.float32] | None = None,
    options: UnansweredOptions | None = None,
) -> list[bool]:
    """Return which answers do not answer the question.

    These are answers without a word; answers that say so ("not mentioned", "unknown"); answers that repeat an open
    question ("emotion" to "What emotion is expressed?"); copies of the text; answers to a text that says nothing
    ("n/a", see `is_non_answer`); and answers below the minimum confidence.

    :param answers: one per row.
    :param texts: one per row.
    :param instruction: the question.
    :param confidences: of the answers, 0 to 1, float32, shape (n_rows,), NaN where unknown; None: all unknown.
    :param options: the minimum confidence; None takes the default. `flag` is ignored.
    :return: one value per row, True where it is unanswered.
    """
    options = options or UnansweredOptions()
    stop_words = load_stop_words()
    repeated = repeated_words(instruction, stop_words) if OPEN_QUESTION.match(instruction) else frozenset()
    unsure = [False] * len(answers) if confidences is None else (confidences < options.min_confidence).tolist()
    return [
        doubt or is_non_answer(text, instruction) or _has_no_answer(answer, text, stop_words, repeated)
        for answer, text, doubt in zip(answers, texts, unsure, strict=True)
    ]


def _has_no_answer(answer: str, text: str, stop_words: frozenset[str], repeated: frozenset[str]) -> bool:
    words = words_of(answer)
    content = [word for word in words if word not in stop_words]
    if not words or " ".join(words) in NOT_ANSWERS or (content and repeated.issuperset(content)):
        return True
    return len(words) >= COPY and words_of(text)[: len(words)] == words
