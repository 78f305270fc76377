"""`-i`, once or several times, with or without names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from inbedder_cli.cli.checks import needed_instruction
from inbedder_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMED = re.compile(r"([^\W\d]\w*)=(\s*\S.*)", re.DOTALL)


class Question(NamedTuple):
    """A question and the name that its columns begin with; "" for the only one, which needs none."""

    name: str
    text: str


def parse_questions(instructions: Sequence[str] | None) -> list[Question]:
    """Return the questions; several without names are called q1, q2, ... by their place.

    :raises UsageError: for none, an empty one, or two of one name.
    """
    several = len(instructions or ()) > 1
    questions = []
    for place, instruction in enumerate(instructions or [needed_instruction(None)], start=1):
        named = NAMED.fullmatch(instruction)
        name, text = named.groups() if named else (f"q{place}" if several else "", instruction)
        questions.append(Question(name, needed_instruction(text)))
    names = [question.name for question in questions]
    if len(set(names)) < len(names):
        raise UsageError("two questions have one name", hint='name each: -i emotion="..." -i reason="..."')
    return questions
