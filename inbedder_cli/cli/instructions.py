"""Parse `-i`, given once or several times, with or without names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inbedder_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMED = re.compile(r"([^\W\d]\w*)=(\s*\S.*)", re.DOTALL)
LIKE_A_NAME = re.compile(r"([^\W\d][\w-]*(?:[ -][\w-]+){0,3})=\S.*", re.DOTALL)
EXAMPLE = 'ask a question: -i "What emotion is expressed?"'


def check_instruction(instruction: str | None) -> str:
    """Return the instruction if it is not blank.

    :param instruction: the value of `-i`; None if not given.
    :raises UsageError: when there is none, or it is blank.
    """
    if instruction is None:
        raise UsageError("no instruction", hint=EXAMPLE)
    if not instruction.strip():
        raise UsageError("the instruction is empty", hint=EXAMPLE)
    return instruction


def one_instruction(values: Sequence[str] | None) -> str:
    """Return the instruction of a command that takes one.

    :param values: the values of `-i`.
    :raises UsageError: for none, a blank one, or several.
    """
    if len(values or ()) > 1:
        raise UsageError(
            f"-i is given {len(values or ())} times, and this command takes one question",
            hint="run it once for each, or use: inbedder cluster",
        )
    return check_instruction(values[0] if values else None)


def parse_instructions(values: Sequence[str] | None) -> dict[str, str]:
    """Return the questions by name: "" for the only one; several without names are q1, q2, ... by position.

    :param values: the values of `-i`, each with or without a name.
    :raises UsageError: for no question, an empty one, two of the same name, or what cannot be a name.

    >>> parse_instructions(["mood=How do they feel?", "Why?"])
    {'mood': 'How do they feel?', 'q2': 'Why?'}
    """
    several = len(values or ()) > 1
    questions: dict[str, str] = {}
    for position, instruction in enumerate(values or [check_instruction(None)], start=1):
        named = NAMED.fullmatch(instruction)
        if not named and (meant := LIKE_A_NAME.fullmatch(instruction)):
            from inbedder_cli.questions import NO_NAME, name_like

            better = name_like(meant[1])
            raise UsageError(NO_NAME.format(meant[1]), hint=f'-i {better}="...", or write " = " in a question')
        name, text = named.groups() if named else (f"q{position}" if several else "", instruction)
        if name in questions:
            raise UsageError(
                "two questions have the same name", hint='name each: -i emotion="..." -i reason="..."'
            )
        questions[name] = check_instruction(text)
    return questions
