"""`-i`, once or several times, with or without names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inbedder_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMED = re.compile(r"([^\W\d]\w*)=(\s*\S.*)", re.DOTALL)
EXAMPLE = 'ask a question: -i "What emotion is expressed?"'


def check_instruction(instruction: str | None) -> str:
    """Return the instruction.

    :param instruction: what was given with `-i`.
    :raises UsageError: when there is none, or it is blank.
    """
    if instruction is None:
        raise UsageError("no instruction", hint=EXAMPLE)
    if not instruction.strip():
        raise UsageError("the instruction is empty", hint=EXAMPLE)
    return instruction


def parse_instructions(given: Sequence[str] | None) -> dict[str, str]:
    """Return the questions by name: "" for the only one; several without names are q1, q2, ... by their place.

    :param given: what was given with `-i`, each with or without a name.
    :raises UsageError: for none, an empty one, or two of one name.

    >>> parse_instructions(["mood=How do they feel?", "Why?"])
    {'mood': 'How do they feel?', 'q2': 'Why?'}
    """
    several = len(given or ()) > 1
    questions: dict[str, str] = {}
    for place, instruction in enumerate(given or [check_instruction(None)], start=1):
        named = NAMED.fullmatch(instruction)
        name, text = named.groups() if named else (f"q{place}" if several else "", instruction)
        if name in questions:
            raise UsageError("two questions have one name", hint='name each: -i emotion="..." -i reason="..."')
        questions[name] = check_instruction(text)
    return questions
