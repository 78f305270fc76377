from __future__ import annotations

import pytest

from inbedder_cli.errors import UsageError
from inbedder_cli.questions import named_instructions

QUESTION = "What emotion is expressed?"


def test_questions_get_names_by_their_place():
    assert named_instructions(QUESTION) == {"": QUESTION}
    assert named_instructions([QUESTION]) == {"": QUESTION}
    assert named_instructions([QUESTION, "Why?"]) == {"q1": QUESTION, "q2": "Why?"}
    assert named_instructions({"mood": QUESTION}) == {"mood": QUESTION}
    with pytest.raises(UsageError, match="no instruction"):
        named_instructions([])
