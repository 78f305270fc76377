"""The blocks of code in Markdown pages, and the commands in them.

`console` blocks hold commands after "$ " and what they print; `sh` blocks hold commands alone; a `text` block
right after a `python` block is what that prints. Words after the language say how output is shown: `keep=5+2`
keeps the first five and the last two paragraphs, `lines=1` the first line, and `stderr` shows messages too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = "$ "


@dataclass(frozen=True)
class Block:
    """A fenced block of code.

    :param language: the first word after the fence; "" for none.
    :param options: the other words, as name and value; "" for a word alone.
    :param code: what is in it.
    :param start: where `code` starts in the page, in characters.
    """

    language: str
    options: dict[str, str]
    code: str
    start: int

    @property
    def end(self) -> int:
        """Where the code ends in the page, in characters."""
        return self.start + len(self.code)


def read_blocks(text: str) -> list[Block]:
    """Return the blocks of a page; output of Python has the language "output".

    :param text: the page.
    """
    blocks: list[Block] = []
    end = 0
    for match in FENCE.finditer(text):
        language, *words = match["info"].split() or [""]
        options = dict(word.partition("=")[::2] for word in words)
        block = Block(language, options, match["code"], match.start("code"))
        follows = blocks and blocks[-1].language == "python" and not text[end : match.start()].strip()
        blocks.append(replace(block, language="output") if language == "text" and follows else block)
        end = match.end()
    return blocks


def split_session(code: str) -> list[tuple[str, str]]:
    """Return the commands of a console block, each with its output.

    :param code: lines; those after "$ " are commands, and go on where they end with a backslash.
    """
    steps: list[tuple[str, str]] = []
    continues = False
    for line in code.splitlines(keepends=True):
        if continues or line.startswith(PROMPT):
            command = line if continues else line.removeprefix(PROMPT)
            if continues:
                steps[-1] = (steps[-1][0] + command, "")
            else:
                steps.append((command, ""))
            continues = line.rstrip("\n").endswith("\\")
        elif steps:
            steps[-1] = (steps[-1][0], steps[-1][1] + line)
    return [(command.rstrip("\n"), output) for command, output in steps]


def split_script(code: str) -> list[str]:
    """Return the commands of an sh block, without comments.

    :param code: lines; they go on where they end with a backslash.
    """
    lines = code.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def commands_of(block: Block) -> list[str]:
    """Return the commands of a block, whatever it shows of their output.

    :param block: of any language.
    """
    if block.language == "console":
        return [command.replace("\\\n", " ") for command, _ in split_session(block.code)]
    return split_script(block.code) if block.language == "sh" else []
