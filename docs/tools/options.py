"""Write docs/options.md: every command with its arguments, options and examples, as `--help` has them.

    python -m docs.tools.options     # or make docs-reference

`typer utils docs` makes such a page too, but without the groups of options, and with examples as running text.
"""

from __future__ import annotations

import re
from collections import defaultdict
from enum import EnumType
from typing import TYPE_CHECKING, Any

from docs.tools.blocks import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = ROOT / "docs" / "options.md"
HEADING = """\
# Options

Every command with its arguments and options, as `inbedder COMMAND --help` prints them. This page is generated \
(`make docs-reference`). [The command line](command-line.md) explains them; each can also be \
[a setting](command-line.md#settings).
"""
OTHER_PANEL = "Options"
BOLD = re.compile(r"\[/?bold\]")


def options_page() -> str:
    """Return the page."""
    from typer.main import get_command

    from inbedder_cli.cli import app

    lines = [HEADING]
    for words, command in _commands(get_command(app), ("inbedder",)):
        lines += [f"## {' '.join(words)}\n", *_help(command.help or ""), *_arguments(command), *_options(command)]
    return "\n".join(lines)


def _commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:  # noqa: ANN401
    yield words, command
    for name, each in getattr(command, "commands", {}).items():
        yield from _commands(each, (*words, name))


def _help(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; its examples become one block."""
    about, _, examples = text.partition("[bold]Examples[/bold]")
    yield from (f"{_prose(paragraph)}\n" for paragraph in about.split("\n\n") if paragraph.strip())
    if examples:
        commands = [" ".join(example.split()) for example in examples.split("\n\n") if example.strip()]
        yield "\n".join(["```sh", *commands, "```\n"])


def _prose(text: str) -> str:
    return BOLD.sub("`", " ".join(text.split()))


def _arguments(command: Any) -> Iterator[str]:  # noqa: ANN401
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    if arguments:
        yield "| argument | |\n| --- | --- |"
        for each in arguments:
            yield f"| `{each.metavar or each.name.upper()}` | {_cell(each.help)} |"
        yield ""


def _options(command: Any) -> Iterator[str]:  # noqa: ANN401
    panels: dict[str, list[Any]] = defaultdict(list)
    for each in command.params:
        if each.param_type_name == "option" and not each.hidden:
            panels[getattr(each, "rich_help_panel", None) or OTHER_PANEL].append(each)
    for panel, options in panels.items():
        yield f"| {panel if panel != OTHER_PANEL else ''} | | default |\n| --- | --- | --- |"
        yield from (
            f"| {_names(each)} | {_cell(each.help)}{_choices(each)} | {_default(each)} |" for each in options
        )
        yield ""


def _names(option: Any) -> str:  # noqa: ANN401
    names = [*sorted(option.opts, key=len, reverse=True), *option.secondary_opts]
    return ", ".join(f"`{name}`" for name in names)


def _choices(option: Any) -> str:  # noqa: ANN401
    kind = option.type_descriptor.annotation
    choices = list(kind) if isinstance(kind, EnumType) else (option.metavar or "").strip("[]").split("|")
    return f" Choices: {', '.join(f'`{each}`' for each in choices)}." if len(choices) > 1 else ""


def _default(option: Any) -> str:  # noqa: ANN401
    if isinstance(option.show_default, str):
        return _cell(option.show_default)
    if option.default is None or option.required or option.default == () or callable(option.default):
        return "required" if option.required else ""
    if option.is_flag:
        names = option.opts if option.default else option.secondary_opts
        return f"`{names[0]}`" if names else ""
    return f"`{option.default}`" if str(option.default) else ""


def _cell(text: str | None) -> str:
    """Return a help text as a cell of a table, in which nothing is markup."""
    shown = " ".join((text or "").replace("\\[", "[").split())
    return re.sub(r"([|<>{}*_])", r"\\\1", shown)


if __name__ == "__main__":
    PAGE.write_text(options_page(), encoding="utf-8")
